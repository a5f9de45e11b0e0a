//! The pages on which a person says how they sign in.

use super::{
    Page,
    component::{Badge, Field, FieldKind, Tone},
    figure::When,
    sso::SsoWay,
};
use crate::problem::Problem;
use serde::Serialize;

/// All ways to prove oneself at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityPage {
    /// Whether a password alone is not enough.
    pub state: Badge,
    /// Since when the authenticator app is on.
    pub app_since: Option<When>,
    /// `2 passkeys`.
    pub passkeys: String,
    /// `8 codes left`.
    pub codes: String,
    /// Whether there can be backup codes.
    pub on: bool,
}

impl SecurityPage {
    /// What is set up.
    #[must_use]
    pub fn new(app_since: Option<When>, passkeys: usize, codes: usize, on: bool) -> Self {
        let state = if on {
            Badge::new(Tone::Good, "Two-step sign-in is on")
        } else {
            Badge::new(Tone::Warn, "Two-step sign-in is off")
        };
        let passkeys = match passkeys {
            0 => "None yet".to_owned(),
            1 => "1 passkey".to_owned(),
            many => format!("{many} passkeys"),
        };
        Self { state, app_since, passkeys, codes: codes_left(codes), on }
    }
}

fn codes_left(codes: usize) -> String {
    match codes {
        0 => "None left".to_owned(),
        1 => "1 code left".to_owned(),
        many => format!("{many} codes left"),
    }
}

impl Page for SecurityPage {
    const TEMPLATE: &'static str = "security";
}

/// The authenticator app: set it up, or remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityApp {
    /// Since when it is on.
    pub since: Option<When>,
    /// Where the picture for the app is.
    pub picture: String,
    /// The key for typing.
    pub key: String,
    /// The first code.
    pub code: Field,
    /// Why the last code was refused.
    pub error: Option<String>,
}

impl SecurityApp {
    /// One that is on.
    #[must_use]
    pub fn on(since: When) -> Self {
        Self { since: Some(since), ..Self::waiting(String::new(), String::new(), None) }
    }

    /// One that waits for its first code.
    #[must_use]
    pub fn waiting(picture: String, key: String, error: Option<String>) -> Self {
        let code = Field::new(FieldKind::Text, "code", "Code").hint("The six digits that the app shows now.");
        Self { since: None, picture, key, code: code.autocomplete("one-time-code"), error }
    }
}

impl Page for SecurityApp {
    const TEMPLATE: &'static str = "security-app";
}

/// A passkey in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PasskeyRow {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub added: When,
    /// When it last proved its owner.
    pub used: Option<When>,
    /// Where it is called something else.
    pub field: Field,
}

impl PasskeyRow {
    /// A row.
    #[must_use]
    pub fn new(id: i64, name: &str, added: When, used: Option<When>) -> Self {
        let mut field = Field::new(FieldKind::Text, "name", "Name").value(name);
        // Each row has one: their labels must find the right one.
        field.id = format!("field-name-{id}");
        Self { id: id.to_string(), name: name.to_owned(), added, used, field }
    }
}

/// The person's passkeys, and the way to add one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityPasskeys {
    /// The passkeys, the oldest first.
    pub keys: Vec<PasskeyRow>,
    /// What a new one is called.
    pub name: Field,
    /// Why the last one was not added.
    pub error: Option<String>,
}

impl SecurityPasskeys {
    /// These.
    #[must_use]
    pub fn new(keys: Vec<PasskeyRow>, error: Option<String>) -> Self {
        let name = Field::new(FieldKind::Text, "name", "Name").hint("So that you recognise it: My phone, Work laptop.");
        Self { keys, name, error }
    }
}

impl Page for SecurityPasskeys {
    const TEMPLATE: &'static str = "security-passkeys";
}

/// How many backup codes there are, and how to get new ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityCodes {
    /// `8 codes left`.
    pub left: String,
    /// Whether there can be backup codes.
    pub on: bool,
}

impl SecurityCodes {
    /// With so many left.
    #[must_use]
    pub fn new(left: usize, on: bool) -> Self {
        Self { left: codes_left(left), on }
    }
}

impl Page for SecurityCodes {
    const TEMPLATE: &'static str = "security-codes";
}

/// New backup codes, shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupCodes {
    /// The codes.
    pub codes: Vec<String>,
}

impl BackupCodes {
    /// These.
    #[must_use]
    pub const fn new(codes: Vec<String>) -> Self {
        Self { codes }
    }
}

impl Page for BackupCodes {
    const TEMPLATE: &'static str = "backup-codes";
}

/// What somebody can confirm with that it is them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmWith {
    /// Nothing that is set up here: they come by another site.
    Nothing,
    /// Their password, which is all that they have.
    Password,
    /// A code and, when they have any, a passkey. A password alone would be less than what signs them in.
    SecondFactor {
        /// Whether they have passkeys.
        passkeys: bool,
    },
}

/// Asks whether it is really the person who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirm {
    /// Where to go afterwards: a path of this site.
    pub next: String,
    /// Their password, when they have one and no second factor.
    pub password: Option<Field>,
    /// A code, when they have a second factor.
    pub code: Option<Field>,
    /// Whether they have passkeys.
    pub passkey: bool,
    /// Other sites that ask them anew, for who has no second factor.
    pub ways: Vec<SsoWay>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl Confirm {
    /// With what this person has, and why their last proof was refused.
    #[must_use]
    pub fn new(next: &str, with: ConfirmWith, ways: Vec<SsoWay>, problem: Option<&Problem>) -> Self {
        let password = Field::new(FieldKind::Password, "password", "Password").autocomplete("current-password");
        let code = Field::new(FieldKind::Text, "code", "Code")
            .hint("Six digits from your authenticator app, or one of your backup codes.")
            .autocomplete("one-time-code");
        Self {
            next: next.to_owned(),
            password: (with == ConfirmWith::Password).then_some(password),
            code: matches!(with, ConfirmWith::SecondFactor { .. }).then_some(code),
            passkey: with == ConfirmWith::SecondFactor { passkeys: true },
            ways,
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for Confirm {
    const TEMPLATE: &'static str = "confirm";
}
