//! Pages of who opens an account, confirms an address or chooses a password.

use super::{
    Page,
    component::{Badge, Field, FieldKind, Link, Pager, Tab, Tone},
    figure::When,
};
use crate::problem::Problem;
use serde::Serialize;

/// How many characters a new password needs, for who fills it in.
const PASSWORD_HINT: &str = "At least 8 characters. Three or four unrelated words are easy to keep and hard to guess.";

/// What a refusal says of one field, as a sentence.
fn error_of(problem: Option<&Problem>, field: &str) -> Option<String> {
    let error = problem?.errors.iter().find(|error| error.field == field)?;
    let mut letters = error.detail.chars();
    let first = letters.next()?.to_uppercase();
    let text: String = first.chain(letters).collect();
    Some(if text.ends_with('.') { text } else { format!("{text}.") })
}

fn new_password(problem: Option<&Problem>) -> Field {
    Field::new(FieldKind::Password, "password", "New password")
        .autocomplete("new-password")
        .hint(PASSWORD_HINT)
        .error(error_of(problem, "password"))
}

/// The registration page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Register {
    /// What they are called.
    pub name: Field,
    /// Their address.
    pub email: Field,
    /// What they will sign in with.
    pub password: Field,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl Register {
    /// The form, with what was filled in last and why it was refused.
    #[must_use]
    pub fn new(name: &str, email: &str, problem: Option<&Problem>) -> Self {
        let mut password = new_password(problem);
        "Password".clone_into(&mut password.label);
        Self {
            name: Field::new(FieldKind::Text, "name", "Name")
                .value(name)
                .autocomplete("name")
                .error(error_of(problem, "name")),
            email: Field::new(FieldKind::Email, "email", "E-mail")
                .value(email)
                .autocomplete("username")
                .hint("You confirm it by a link that we send there.")
                .error(error_of(problem, "email")),
            password,
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for Register {
    const TEMPLATE: &'static str = "register";
}

/// The page that asks for a link to choose a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forgot {
    /// Their address.
    pub email: Field,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl Forgot {
    /// The form, with what was filled in last and why it was refused.
    #[must_use]
    pub fn new(email: &str, problem: Option<&Problem>) -> Self {
        let field = Field::new(FieldKind::Email, "email", "E-mail").value(email).autocomplete("username");
        Self {
            email: field.error(error_of(problem, "email")),
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for Forgot {
    const TEMPLATE: &'static str = "forgot";
}

/// The page on which a link from a mail lets somebody choose a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reset {
    /// The token of the link, which the form carries back.
    pub token: String,
    /// Whether somebody was invited and has no password yet.
    pub invited: bool,
    /// The new password.
    pub password: Field,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl Reset {
    /// The form, with why the last password was refused.
    #[must_use]
    pub fn new(token: &str, invited: bool, problem: Option<&Problem>) -> Self {
        Self {
            token: token.to_owned(),
            invited,
            password: new_password(problem),
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for Reset {
    const TEMPLATE: &'static str = "reset";
}

/// A link from a mail that does something: the page asks once more, because readers' programs open links by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfirmLink {
    /// Where the form goes.
    pub action: &'static str,
    /// The token of the link, which the form carries back.
    pub token: String,
    /// What it is about.
    pub title: &'static str,
    /// What the button does.
    pub text: &'static str,
    /// What the button says.
    pub button: &'static str,
}

impl Page for ConfirmLink {
    const TEMPLATE: &'static str = "confirm-link";
}

/// The page that offers another link to who has not confirmed their address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unverified {
    /// Where the link went.
    pub email: String,
    /// Whether another one was just sent.
    pub sent: bool,
}

impl Page for Unverified {
    const TEMPLATE: &'static str = "unverified";
}

/// A page that says one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What happened.
    pub title: String,
    /// What to do now.
    pub text: String,
    /// Where to do it.
    pub action: Option<Link>,
}

impl Note {
    /// A note.
    #[must_use]
    pub fn new(title: &str, text: &str, action: Option<Link>) -> Self {
        Self { title: title.to_owned(), text: text.to_owned(), action }
    }
}

impl Page for Note {
    const TEMPLATE: &'static str = "note";
}

/// The page on which who is signed in changes their password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PasswordPage {
    /// Whose, for programs that keep passwords.
    pub email: String,
    /// The new password.
    pub password: Field,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl PasswordPage {
    /// The form, with why the last password was refused.
    #[must_use]
    pub fn new(email: &str, problem: Option<&Problem>) -> Self {
        Self {
            email: email.to_owned(),
            password: new_password(problem),
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for PasswordPage {
    const TEMPLATE: &'static str = "security-password";
}

/// The page on which who is signed in changes their address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmailPage {
    /// The present address.
    pub current: String,
    /// The new one.
    pub email: Field,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl EmailPage {
    /// The form, with what was filled in last and why it was refused.
    #[must_use]
    pub fn new(current: &str, wanted: &str, problem: Option<&Problem>) -> Self {
        let field = Field::new(FieldKind::Email, "email", "New e-mail").value(wanted).autocomplete("email");
        Self {
            current: current.to_owned(),
            email: field.error(error_of(problem, "email")),
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for EmailPage {
    const TEMPLATE: &'static str = "security-email";
}

/// A mail in the list of who runs the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailRow {
    /// Its id, for the form.
    pub id: String,
    /// What it says, in words.
    pub kind: String,
    /// To whom.
    pub recipient: String,
    /// Where it stands.
    pub status: Badge,
    /// How often it was tried.
    pub attempts: String,
    /// When it was queued.
    pub at: When,
    /// What the last failed try met.
    pub error: Option<String>,
    /// Whether it may be tried again by hand.
    pub may_retry: bool,
}

/// The mail of a site, for who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailPage {
    /// Failed, waiting, sent.
    pub tabs: Vec<Tab>,
    /// Newest first.
    pub mails: Vec<MailRow>,
    /// Its neighbours.
    pub pager: Pager,
    /// What it says when there is none.
    pub empty: &'static str,
    /// The zone of its times.
    pub zone: String,
}

impl Page for MailPage {
    const TEMPLATE: &'static str = "admin-mail";
}

impl MailRow {
    /// The badge of a status.
    #[must_use]
    pub fn badge(status: marque_store::MailStatus) -> Badge {
        match status {
            marque_store::MailStatus::Queued => Badge::new(Tone::Warn, "Waiting"),
            marque_store::MailStatus::Sent => Badge::new(Tone::Good, "Sent"),
            marque_store::MailStatus::Dead => Badge::new(Tone::Bad, "Failed"),
        }
    }
}
