//! Who is signed in in somebody's name: browsers, programs, and the tokens they made.

use super::{
    Page,
    component::{Choice, Field, FieldKind},
    figure::When,
};
use crate::identity::{Scope, access::scope::meaning};
use serde::Serialize;

/// A browser or a program that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// What ends it carries it.
    pub id: String,
    /// Such as `Chrome on Windows`.
    pub device: String,
    /// Such as `Czech Republic`.
    pub place: String,
    /// The client's address.
    pub address: String,
    /// When it signed in.
    pub since: When,
    /// When it was last used.
    pub last: When,
    /// Whether it is the one that shows this page.
    pub current: bool,
}

/// `/security/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionsPage {
    /// Browsers, the last used first.
    pub sessions: Vec<SessionRow>,
    /// Whether there are others than the one that shows this page.
    pub others: bool,
    /// Programs.
    pub programs: Vec<SessionRow>,
    /// What the clock is called.
    pub zone: String,
    /// The token of the forms.
    pub csrf: String,
}

impl Page for SessionsPage {
    const TEMPLATE: &'static str = "security-sessions";
}

/// A token that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// What ends it carries it.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is for.
    pub scopes: String,
    /// When it ends.
    pub ends: When,
    /// When it was last used, if it was.
    pub last: Option<When>,
}

/// `/security/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokensPage {
    /// Those that have not ended, newest first.
    pub tokens: Vec<TokenRow>,
    /// The text of the one that was just made.
    pub made: Option<String>,
    /// The form's first field.
    pub name: Field,
    /// What the token may be for.
    pub scopes: Vec<Field>,
    /// Why no scope is not enough.
    pub scopes_error: Option<String>,
    /// How long it lasts.
    pub days: Field,
    /// Why the last try was refused and what to do.
    pub error: Option<String>,
    /// The token of the forms.
    pub csrf: String,
}

impl TokensPage {
    /// The page with an empty form.
    #[must_use]
    pub fn new(tokens: Vec<TokenRow>, days: &[u16], csrf: &str) -> Self {
        let name =
            Field::new(FieldKind::Text, "name", "Name").hint("What will use it, such as Spreadsheet or Home server.");
        let scope = |scope: &Scope| {
            let mut field = Field::new(FieldKind::Checkbox, format!("scope.{}", scope.name()), meaning(*scope));
            field.checked = *scope == Scope::Read;
            field
        };
        let mut lasts = Field::new(FieldKind::Select, "days", "Lasts");
        lasts.choices = days
            .iter()
            .map(|days| Choice { value: days.to_string(), label: format!("{days} days"), selected: *days == 30 })
            .collect();
        Self {
            tokens,
            made: None,
            name,
            scopes: Scope::GRANTED.iter().map(scope).collect(),
            scopes_error: None,
            days: lasts,
            error: None,
            csrf: csrf.to_owned(),
        }
    }
}

impl Page for TokensPage {
    const TEMPLATE: &'static str = "security-tokens";
}
