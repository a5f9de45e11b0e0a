//! Pages that explain what a refusal means, for whoever writes a program against the API.

use super::{Page, component::Link};
use serde::Serialize;

/// A code and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemRow {
    /// Its page.
    pub href: String,
    /// The stable code.
    pub code: String,
    /// The same for every occurrence.
    pub title: String,
    /// What it means, in a sentence or two.
    pub meaning: String,
    /// The HTTP status it comes with.
    pub status: u16,
    /// Whether the same request may work later.
    pub retry: bool,
}

/// All codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// In the order of the table.
    pub rows: Vec<ProblemRow>,
}

impl Page for Problems {
    const TEMPLATE: &'static str = "problems";
}

/// One code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemPage {
    /// The code.
    pub row: ProblemRow,
    /// The way to the others.
    pub all: Link,
}

impl Page for ProblemPage {
    const TEMPLATE: &'static str = "problem";
}
