//! What an author does on their own machine: new, build, test, bench, check. None of it needs a platform.

use super::{super::CliError, NewPlugin};
use crate::plugins::workshop::{self, Outcome, Sdk};
use marque_sandbox::{Limits, Sandbox, gate};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

const INSTANCES: u32 = 4;

pub(super) fn new(new: NewPlugin, out: &mut dyn Write) -> Result<(), CliError> {
    let folder = new.dir.unwrap_or_else(|| PathBuf::from(new.name.to_string()));
    let sdk = match (new.sdk_path, new.sdk_git) {
        (Some(path), _) => Sdk::Path(path),
        (None, Some(url)) => Sdk::Git(url),
        (None, None) => Sdk::Beside,
    };
    let files = workshop::create(&folder, &new.name, new.kind, &sdk)?;
    let own = files.iter().filter_map(|path| path.strip_prefix(&folder).ok()).filter(|path| !path.starts_with("sdk"));
    writeln!(out, "{} is made, in {}:", new.name, folder.display())?;
    for path in own {
        writeln!(out, "  {}", path.display())?;
    }
    if sdk == Sdk::Beside {
        writeln!(out, "  sdk/ (the contract and its SDK, as this platform has them)")?;
    }
    writeln!(out, "Next: cd {}, then `marque plugin build` and `marque plugin test`.", folder.display())?;
    Ok(())
}

/// Builds the crate and answers its component.
pub(super) fn build(folder: &Path, out: &mut dyn Write) -> Result<Built, CliError> {
    let built = marque_pluginbuild::build_crate(folder)?;
    let component = read(&built.path)?;
    writeln!(out, "{}: {} bytes, {}", built.name, component.len(), built.path.display())?;
    Ok(Built { path: built.path, component })
}

/// A component with where it lies.
pub(super) struct Built {
    pub path: PathBuf,
    pub component: Vec<u8>,
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|source| CliError::Unreadable { path: path.to_owned(), source })
}

/// The component of a crate's folder, which is built, or of a file.
pub(super) fn component(path: &Path, out: &mut dyn Write) -> Result<Built, CliError> {
    if path.is_dir() {
        return build(path, out);
    }
    Ok(Built { component: read(path)?, path: path.to_owned() })
}

pub(super) fn test(folder: &Path, story: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let Built { path, component } = build(folder, out)?;
    let sandbox = Arc::new(Sandbox::new(Limits { instances: INSTANCES, ..Limits::default() })?);
    let refused = |refused| CliError::Component { path, refused: Box::new(refused) };
    let description = sandbox.inspect(&component).map_err(refused)?;
    let outcomes = workshop::run_all(&folder.join("scenarios"), &sandbox, &description, &component)?;
    for outcome in &outcomes {
        tell(outcome, story, out)?;
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.faults.is_empty()).count();
    if failed > 0 {
        return Err(CliError::ScenariosFailed { failed, all: outcomes.len() });
    }
    let all = outcomes.len();
    writeln!(out, "{all} scenario{} passed.", if all == 1 { "" } else { "s" })?;
    Ok(())
}

fn tell(outcome: &Outcome, story: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let passed = outcome.faults.is_empty();
    writeln!(out, "{} {}: {}", if passed { "ok    " } else { "FAILED" }, outcome.name, outcome.about)?;
    for fault in &outcome.faults {
        writeln!(out, "         {fault}")?;
    }
    if story || !passed {
        for line in &outcome.story {
            writeln!(out, "       · {line}")?;
        }
    }
    Ok(())
}

pub(super) fn bench(folder: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let Built { component, .. } = build(folder, out)?;
    let hooks = gate::bench(&component, &Limits::default()).map_err(CliError::NotMeasured)?;
    writeln!(
        out,
        "{:<18}{:>9}{:>12}{:>12}{:>8}{:>12}{:>12}",
        "hook", "events", "fuel", "most", "of all", "µs", "µs p99"
    )?;
    for hook in hooks {
        let (fuel, micros) = (&hook.fuel, |ns: u64| format!("{}.{:02}", ns / 1_000, ns % 1_000 / 10));
        let share = format!("{}%", fuel.max.saturating_mul(100) / fuel.limit.max(1));
        let (name, events, p50, max) = (&fuel.hook, fuel.events, fuel.p50, fuel.max);
        let (half, most) = (micros(hook.ns_p50), micros(hook.ns_p99));
        writeln!(out, "{name:<18}{events:>9}{p50:>12}{max:>12}{share:>8}{half:>12}{most:>12}")?;
    }
    Ok(())
}

pub(super) fn check(path: &Path, json: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let mut aside = Vec::new();
    let Built { component, .. } = component(path, &mut aside)?;
    let report = gate::judge(&component, &Limits::default())?;
    if json {
        let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
        writeln!(out, "{text}")?;
    } else {
        write!(out, "{report}")?;
    }
    if report.accepted { Ok(()) } else { Err(CliError::NotAccepted) }
}
