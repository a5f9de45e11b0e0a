//! Mail to people: queued with what caused it, sent in the background, tried again, given up where all can see it.
//!
//! Owns: the templates' values, the queue, the way to the mail server. A mail is rendered in its brand's looks when it
//! is queued and sealed until it was sent. Refuses to know why a mail is sent and who may ask for one.
//!
//! A mail may arrive twice (the server dies between sending and noting so), with the same message id; it is never lost
//! once it was queued.

mod courier;
mod kind;
mod letter;
mod outbox;
mod plain;
mod post;

pub use courier::{Courier, Refusal};
pub use kind::MailKind;
pub use outbox::Outbox;
pub use post::Postman;

pub(crate) use letter::faults;

use crate::{
    portal::view::Clock,
    problem::{Problem, ProblemCode},
    secrets::{NoRandomness, SealError, VaultError},
    tenants::Definition,
    theme::ThemeError,
};
use marque_domain::time::Millis;
use marque_store::StoreError;
use serde_json::{Map, Value};

/// What is kept of a name or a subject.
const LINE_CHARS_MAX: usize = 200;

/// Whom a mail goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub email: String,
    /// What they are called; empty when that is not known.
    pub name: String,
}

/// A mail to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What it says.
    pub kind: MailKind,
    /// To whom.
    pub to: Recipient,
    /// What its template needs, see [`MailKind::sample`].
    pub values: Map<String, Value>,
}

impl Mail {
    /// A mail without values.
    pub fn new(kind: MailKind, email: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, to: Recipient { email: email.into(), name: name.into() }, values: Map::new() }
    }

    /// With a value of its template.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }
}

/// Why a mail was not queued.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The template.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The markup that the template made.
    #[error("the template mail/{0}.hbs makes markup that is no MJML: {1}. Correct it; `marque theme check` says more")]
    Markup(&'static str, String),
    /// Not an address.
    #[error("{0:?} is not an address that mail can be sent from or to")]
    Address(String),
    /// The message could not be put together.
    #[error("a mail could not be put together: {0}")]
    Message(String),
    /// What is stored is not a mail.
    #[error("a queued mail cannot be read: {0}")]
    Content(#[from] serde_json::Error),
    /// The setting.
    #[error(
        "the setting mail.smtp_url cannot be used: {0}. Write smtps://user:password@host or smtp://user:password@host:587?tls=required"
    )]
    SmtpUrl(String),
    /// Too many wait.
    #[error("too much mail waits to be sent: look at /admin/mail and at the mail server")]
    Full,
    /// There is no randomness for an id.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The tenant's keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<MailError> for Problem {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Store(error) => error.into(),
            MailError::Full => {
                Self::new(ProblemCode::Unavailable, "Mail is held up; try again in some minutes.").retry_after_s(300)
            }
            error => Self::internal(&error),
        }
    }
}

/// A time as mails write it, on the brand's clock.
#[must_use]
pub(crate) fn instant(brand: &Definition, at: Millis) -> String {
    let when = Clock::new(brand.time_zone.clone()).show(at);
    format!("{}, {} {}", when.date, when.time, when.zone)
}

/// A text on one line: a header ends at a line break, and whoever chose a name must not write the next header.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c }).collect();
    let words = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(LINE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
