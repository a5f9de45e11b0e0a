//! The form that opens an account.

use super::{
    Page, RuleCard,
    component::{Field, FieldKind, Setting},
    figure::Figure,
    terms::CostRow,
};
use serde::Serialize;

/// The form, with what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenAccount {
    /// What its owner will call it.
    pub name: Field,
    /// What it is funded with.
    pub balance: Figure,
    /// Its terms besides.
    pub terms: Vec<Setting>,
    /// What trading costs, by instrument.
    pub costs: Vec<CostRow>,
    /// How long an order is under way, where it is at all: `20 ms`.
    pub latency: Option<String>,
    /// The rules that will watch it.
    pub rules: Vec<RuleCard>,
    /// Why the last try was refused and what to do.
    pub error: Option<String>,
    /// The token of the form.
    pub csrf: String,
}

impl OpenAccount {
    /// The field for what its owner will call it, with the name of the last try.
    #[must_use]
    pub fn name_field(name: &str) -> Field {
        Field::new(FieldKind::Text, "name", "Name")
            .value(name)
            .hint("What you call it, such as Evaluation or Swing. Only you and your broker see it.")
    }
}

impl Page for OpenAccount {
    const TEMPLATE: &'static str = "open-account";
}
