//! The rows, one file per group.

mod engine;
mod identity;
mod sandbox;

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
    Group { name: "engine", measure: engine::measure },
    Group { name: "identity", measure: identity::measure },
];
