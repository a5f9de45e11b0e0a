//! The audit log, for who runs the site.

use super::{
    Page,
    component::{Field, Pager},
    figure::When,
};
use serde::Serialize;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    /// Its number.
    pub seq: String,
    /// When.
    pub at: When,
    /// By whom.
    pub who: String,
    /// Whether it was a person who was signed in.
    pub is_person: bool,
    /// What.
    pub act: String,
    /// To what; may be empty.
    pub target: String,
    /// More about it; may be empty.
    pub details: String,
    /// From which address; may be empty.
    pub address: String,
    /// With what program; may be empty.
    pub agent: String,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// What is chosen: act, person, first and last day.
    pub fields: Vec<Field>,
    /// Newest first.
    pub lines: Vec<AuditLine>,
    /// Its neighbours.
    pub pager: Pager,
    /// The same as a file.
    pub csv: String,
    /// How much such a file holds.
    pub exported_max: usize,
    /// The zone of its times.
    pub zone: String,
}

impl Page for AuditPage {
    const TEMPLATE: &'static str = "admin-audit";
}
