//! The pages that run the site.

use super::Page;
use serde::Serialize;

/// The way to a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminLink {
    /// What it is about.
    pub title: String,
    /// Where it is.
    pub href: String,
    /// What can be done there.
    pub text: String,
}

impl AdminLink {
    /// The way to a page.
    #[must_use]
    pub fn new(title: &str, href: &str, text: &str) -> Self {
        Self { title: title.to_owned(), href: href.to_owned(), text: text.to_owned() }
    }
}

/// The first page of `/admin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminHome {
    /// What this person may open.
    pub sections: Vec<AdminLink>,
}

impl Page for AdminHome {
    const TEMPLATE: &'static str = "admin";
}
