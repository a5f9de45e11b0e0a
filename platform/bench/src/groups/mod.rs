//! The rows, one file per group.

mod backtest;
mod deployments;
mod gate;
mod identity;
mod journal;
mod kill;
mod licensing;
mod monitor;
mod peers;
mod sandbox;
mod scaling;
mod signal;
mod upgrade;

use crate::{row::Row, sample::Samples};

/// Rows that share their preparation.
pub struct Group {
    /// What the command line selects it by.
    pub name: &'static str,
    /// Prepares and measures.
    pub measure: fn(Samples) -> anyhow::Result<Vec<Row>>,
}

/// Every group, in the order of the table.
pub const ALL: &[Group] = &[
    Group { name: "sandbox", measure: sandbox::measure },
    Group { name: "engine: backtest", measure: backtest::measure },
    Group { name: "scaling", measure: scaling::measure },
    Group { name: "engine: signal", measure: signal::measure },
    Group { name: "engine: monitor", measure: monitor::measure },
    Group { name: "engine: deployments", measure: deployments::measure },
    Group { name: "journal", measure: journal::measure },
    Group { name: "kill switch", measure: kill::measure },
    Group { name: "identity", measure: identity::measure },
    Group { name: "licensing", measure: licensing::measure },
    Group { name: "gate", measure: gate::measure },
    // Last: it needs packages from PyPI, and without them says so after everything else was measured.
    Group { name: "peers", measure: peers::measure },
];
