//! What surrounds every page.

use super::{Page, component::Banner};
use crate::{
    identity::{Operation, Reach, Role},
    theme::Mode,
};
use serde::Serialize;

/// The brand as the page names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Brand {
    /// The tenant's name.
    pub name: String,
    /// What the logo reads; usually the name.
    pub logo: String,
    /// The letter of its sign.
    pub initial: String,
    /// Who runs it and under which rules: the risk notice of the footer.
    pub risk_notice: String,
    /// The firm behind the brand.
    pub legal_name: String,
}

impl Brand {
    /// A brand from a tenant's words.
    pub fn new(name: &str, logo: &str, legal_name: &str, risk_notice: &str) -> Self {
        let initial = logo.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().collect());
        Self {
            name: name.to_owned(),
            logo: logo.to_owned(),
            initial: initial.unwrap_or_default(),
            risk_notice: risk_notice.to_owned(),
            legal_name: legal_name.to_owned(),
        }
    }
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// By what address.
    pub email: String,
    /// As what, such as `Trader`.
    pub role: String,
}

/// A place in the main navigation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NavItem {
    /// Its words.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether the page is there.
    pub current: bool,
}

/// What surrounds a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shell {
    /// The language of the page, such as `en`.
    pub lang: String,
    /// What the browser's tab says before the brand's name.
    pub title: String,
    /// The brand.
    pub brand: Brand,
    /// The URL of the brand's style sheet, with its hash.
    pub brand_css: String,
    /// Who is signed in.
    pub person: Option<Person>,
    /// The main navigation of who is signed in.
    pub nav: Vec<NavItem>,
    /// The token that forms carry back.
    pub csrf: String,
    /// The path of the page, for forms that return to it.
    pub path: String,
    /// Light or dark, when the reader or the tenant chose; else the theme's own.
    pub mode: Option<Mode>,
    /// Messages across the page.
    pub banners: Vec<Banner>,
}

impl Shell {
    /// The navigation of a person of this role, with the place of `path` marked.
    #[must_use]
    pub fn navigation(path: &str, role: Role) -> Vec<NavItem> {
        let mut places: Vec<(&str, &str, &[&str])> = vec![
            ("Accounts", "/dashboard", &["/dashboard", "/accounts", "/decisions", "/deployments", "/usage"]),
            ("Backtests", "/backtests", &["/backtests"]),
            ("EAs", "/eas", &["/eas"]),
            ("API", "/api/docs", &["/api/docs"]),
            ("Security", "/security", &["/security", "/confirm"]),
        ];
        if Operation::OpenAdmin.reach(role) > Reach::Nothing {
            places.push(("Admin", "/admin", &["/admin"]));
        }
        let item = |(label, href, below): (&str, &str, &[&str])| NavItem {
            label: label.to_owned(),
            href: href.to_owned(),
            current: below.iter().any(|prefix| path.starts_with(prefix)),
        };
        places.into_iter().map(item).collect()
    }
}

/// The browsable documentation of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiDocs {
    /// Where the OpenAPI document is.
    pub spec_url: String,
}

impl Page for ApiDocs {
    const TEMPLATE: &'static str = "api-docs";
}
