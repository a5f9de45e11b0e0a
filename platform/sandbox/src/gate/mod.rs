//! The gate: what a component must pass before anybody can choose it. One list of checks, one report.
//!
//! Owns: the checks and their order, the market on which plugins are tried, the findings and what they teach, and the
//! process in which a stranger's component is examined. The same code answers at an upload and to its author's `check`.
//!
//! Refuses to know: whose a component is, and what a catalogue does with the report.
//!
//! The order is by trust: first what the bytes alone say (size, validation, imports, caps), then compiling, then asking
//! the plugin what it is, and only then letting it decide something.

mod code;
mod elsewhere;
mod market;
mod process;
mod report;
mod settings;
mod shape;
mod trial;
mod watched;

pub use code::{Code, Severity, UnknownCode};
pub use process::{Gate, GateError, WorkerLimits, work};
pub use report::{Finding, GATE_VERSION, HookFuel, HookTime, Report, Shape, Told};

use crate::{error::Refused, inspect, limits::Limits, sandbox::Sandbox};
use std::cell::Cell;
use trial::Trial;

/// Instances alive at once in a trial: the plugin, its successor, and some to spare.
const INSTANCES: u32 = 8;

/// Takes a component through every check, in this process.
///
/// # Errors
/// Only when this machine cannot hold a sandbox; whatever is wrong with the component is in the report.
pub fn judge(component: &[u8], limits: &Limits) -> Result<Report, crate::SandboxError> {
    if let Err(refused) = inspect::check_format(component, limits) {
        // What is too large is not even hashed whole.
        let read = component.get(..limits.module_bytes).unwrap_or(component);
        let mut report = Report::new(inspect::digest(read).to_string(), component.len());
        report.find(code_of(&refused), refused.to_string());
        return Ok(report);
    }
    let mut report = Report::new(inspect::digest(component).to_string(), component.len());
    if !shape::check(component, limits, &mut report) {
        return Ok(report);
    }
    let sandbox = Sandbox::new(Limits { instances: INSTANCES, compiled: 1, ..limits.clone() })?;
    let compiled = match sandbox.compile(component) {
        Ok(compiled) => compiled,
        Err(refused) => {
            report.find(code_of(&refused), refused.to_string());
            return Ok(report);
        }
    };
    report.plugin = Some((&compiled.description).into());
    let settings = settings::look(&compiled.description.settings_schema, &mut report);
    let trial = Trial { shared: sandbox.shared(), compiled: &compiled, settings, left: Cell::new(u64::MAX) };
    trial.run(&mut report);
    if report.accepted {
        elsewhere::run(&trial, &mut report);
    }
    Ok(report)
}

/// What each hook of an accepted component costs on the gate's market, on this machine.
///
/// # Errors
/// In words: why it cannot be measured.
pub fn bench(component: &[u8], limits: &Limits) -> Result<Vec<HookTime>, String> {
    let sandbox = Sandbox::new(Limits { instances: INSTANCES, compiled: 1, ..limits.clone() });
    let sandbox = sandbox.map_err(|e| e.to_string())?;
    let compiled = sandbox.compile(component).map_err(|refused| refused.to_string())?;
    let digest = compiled.description.digest.to_string();
    let settings = settings::look(&compiled.description.settings_schema, &mut Report::new(digest, component.len()));
    let trial = Trial { shared: sandbox.shared(), compiled: &compiled, settings, left: Cell::new(u64::MAX) };
    trial.bench().map_err(|fault| fault.to_string())
}

const fn code_of(refused: &Refused) -> Code {
    match refused {
        Refused::TooLarge { .. } => Code::TooLarge,
        Refused::NotWasm | Refused::Text | Refused::CoreModule | Refused::Precompiled => Code::NotAComponent,
        Refused::Invalid(_) => Code::Invalid,
        Refused::ForeignImport(_) => Code::ForeignImport,
        Refused::NoWorld => Code::NoWorld,
        Refused::WrongShape(_) => Code::WrongShape,
        Refused::Silent(_) => Code::Silent,
        Refused::Description(_) => Code::Description,
        Refused::Schema(_) => Code::Schema,
    }
}
