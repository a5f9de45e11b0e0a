//! Pages for requests that were not served.

use super::{Page, component::Link};
use serde::Serialize;

/// A refusal in the brand's looks: what happened, why, what next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPage {
    /// The HTTP status.
    pub status: u16,
    /// What happened.
    pub title: String,
    /// Why, and what to do.
    pub text: String,
    /// Where to do it.
    pub action: Link,
    /// The request's id, for support.
    pub request: Option<String>,
    /// When to try again, in seconds from now.
    pub retry_s: Option<u32>,
}

impl ErrorPage {
    /// The page of a status, in words that fit any page.
    #[must_use]
    pub fn of(status: u16, request: Option<String>) -> Self {
        let (title, text) = match status {
            400 => ("This request was not understood", "Go back, check what you entered and send it again."),
            403 => (
                "This is not yours to open",
                "You are signed in, but your role does not reach this page. Ask the owner of the account for access.",
            ),
            404 => (
                "There is nothing here",
                "The address may be mistyped, or what it named has been removed. Your accounts are one step away.",
            ),
            413 => ("That is too large", "Send a smaller file or shorter text."),
            429 => (
                "Too many tries",
                "To keep accounts safe there is a limit on tries in a row. Wait for the time below, then try again.",
            ),
            503 => (
                "Back in a moment",
                "The service is starting or being updated. Running strategies recover on their own. Try again shortly.",
            ),
            _ => (
                "Something went wrong on our side",
                "It has been recorded. Nothing you sent was half done. Try again; if it stays, tell support the \
                 reference below.",
            ),
        };
        let action = Link::new("Go to your accounts", "/dashboard");
        Self { status, title: title.to_owned(), text: text.to_owned(), action, request, retry_s: None }
    }

    /// The page of a limit that was reached, with the time to wait.
    #[must_use]
    pub fn too_many(retry_s: u32, back: Link) -> Self {
        Self { retry_s: Some(retry_s), action: back, ..Self::of(429, None) }
    }
}

impl Page for ErrorPage {
    const TEMPLATE: &'static str = "error";
}

/// The neutral page of a host that belongs to no brand (421). It stands alone: no brand, no shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownHost {
    /// The host as asked for; shown escaped.
    pub host: String,
}

impl UnknownHost {
    /// The theme that renders it with [`crate::theme::Themes::fragment`].
    pub const THEME: &'static str = "base";
}

impl super::Fragment for UnknownHost {
    const TEMPLATE: &'static str = "unknown-host";
}
