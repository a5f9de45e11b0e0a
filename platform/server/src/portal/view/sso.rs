//! Single sign-on: the way out, what is linked, and the connections that an admin sets up.

use super::{
    Page,
    component::{Badge, Banner, Field},
    figure::When,
};
use serde::Serialize;

/// A way to sign in at another site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoWay {
    /// What people call it.
    pub name: String,
    /// Where its button posts to.
    pub action: String,
}

impl SsoWay {
    /// A button.
    #[must_use]
    pub fn new(name: &str, action: &str) -> Self {
        Self { name: name.to_owned(), action: action.to_owned() }
    }
}

/// The page that leads to another site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoLeave {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
}

impl Page for SsoLeave {
    const TEMPLATE: &'static str = "sso-leave";
}

/// Who somebody is at another site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoIdentityRow {
    /// What people call the other site.
    pub name: String,
    /// Their address there; empty when it is not known.
    pub email: String,
    /// Its issuer.
    pub issuer: String,
    /// Its name for them.
    pub subject: String,
    /// When it was linked.
    pub linked: When,
    /// When it was last used.
    pub used: When,
}

/// What a person has linked and could link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoLinkPage {
    /// The token of the forms.
    pub csrf: String,
    /// What is linked.
    pub linked: Vec<SsoIdentityRow>,
    /// What could be.
    pub ways: Vec<SsoWay>,
}

impl Page for SsoLinkPage {
    const TEMPLATE: &'static str = "sso-links";
}

/// A connection in the admin's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoConnectionRow {
    /// What people call it.
    pub name: String,
    /// Where it is changed.
    pub href: String,
    /// What kind it is.
    pub preset: String,
    /// Its issuer.
    pub issuer: String,
    /// Domains whose people must come this way.
    pub domains: String,
    /// On or off.
    pub state: Badge,
}

/// A kind of connection that can be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoPresetCard {
    /// Its name.
    pub title: String,
    /// Where it is added.
    pub href: String,
    /// Whom it is for.
    pub text: String,
}

/// The connections of a brand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoListPage {
    /// Those there are.
    pub connections: Vec<SsoConnectionRow>,
    /// Those that could be added.
    pub presets: Vec<SsoPresetCard>,
}

impl Page for SsoListPage {
    const TEMPLATE: &'static str = "admin-sso";
}

/// One connection, to be added or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoFormPage {
    /// The token of the forms.
    pub csrf: String,
    /// What the page is about.
    pub title: String,
    /// Where its form posts to.
    pub path: String,
    /// What kind it is.
    pub preset: String,
    /// Whether it is there already.
    pub stored: bool,
    /// Whether people can come by it.
    pub enabled: bool,
    /// The same as a badge.
    pub state: Option<Badge>,
    /// What to register at the provider.
    pub return_addresses: Vec<String>,
    /// What to fill in.
    pub fields: Vec<Field>,
    /// Why nothing was saved.
    pub error: Option<String>,
    /// What the last test or change said.
    pub banner: Option<Banner>,
}

impl Page for SsoFormPage {
    const TEMPLATE: &'static str = "admin-sso-form";
}
