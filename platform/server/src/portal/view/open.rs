//! The form that opens an account.

use super::{
    Page, RuleCard,
    component::{Field, FieldKind},
    figure::Figure,
};
use serde::Serialize;

/// The form, with what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenAccount {
    /// What its owner will call it.
    pub name: Field,
    /// What it is funded with.
    pub balance: Figure,
    /// `1 : 30`.
    pub leverage: String,
    /// The rules that will watch it.
    pub rules: Vec<RuleCard>,
    /// Why the last try was refused and what to do.
    pub error: Option<String>,
    /// The token of the form.
    pub csrf: String,
}

impl OpenAccount {
    /// The form, with the name of the last try and why it was refused.
    #[must_use]
    pub fn new(
        name: &str,
        balance: Figure,
        leverage: i64,
        rules: Vec<RuleCard>,
        error: Option<String>,
        csrf: &str,
    ) -> Self {
        Self {
            name: Field::new(FieldKind::Text, "name", "Name")
                .value(name)
                .hint("What you call it, such as Evaluation or Swing. Only you and your broker see it."),
            balance,
            leverage: format!("1 : {leverage}"),
            rules,
            error,
            csrf: csrf.to_owned(),
        }
    }
}

impl Page for OpenAccount {
    const TEMPLATE: &'static str = "open-account";
}
