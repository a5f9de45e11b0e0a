//! Tenants, their plans, and what a plan allows.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// A tenant's short name, which is also its folder and its subdomain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Text that is not a slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a slug: use 2 to 32 lower-case letters, digits and inner hyphens, starting with a letter")]
pub struct NotASlug;

impl Slug {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = NotASlug;
    fn from_str(text: &str) -> Result<Self, NotASlug> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (2..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(allowed);
        if good { Ok(Self(text.to_owned())) } else { Err(NotASlug) }
    }
}

impl TryFrom<String> for Slug {
    type Error = NotASlug;
    fn try_from(text: String) -> Result<Self, NotASlug> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a tenant is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantStatus {
    /// It is.
    Active,
    /// Its pages and API are closed; its data stays and can be exported.
    Suspended,
}

/// How often a plan is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interval {
    /// Each month.
    Month,
    /// Each year.
    Year,
}

/// What a plan limits for a person, on all their accounts together; none means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Orders that may open a position in a UTC day.
    #[serde(default)]
    pub trades_per_day: Option<u32>,
    /// Instruments with a running strategy at once.
    #[serde(default)]
    pub instruments: Option<u32>,
    /// Strategies running at once.
    #[serde(default)]
    pub deployments: Option<u32>,
    /// Fuel (about one for each instruction) that strategies use in a UTC day. Over it they are paused.
    #[serde(default)]
    pub fuel_per_day: Option<u64>,
}

/// What a tenant sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A stable code, such as `pro`.
    pub code: String,
    /// What a person reads.
    pub name: String,
    /// One sentence for whom it is.
    pub summary: String,
    /// In minor units of `currency`: cents.
    pub price_minor: i64,
    /// Three capital letters.
    pub currency: crate::instrument::Currency,
    /// How often.
    pub interval: Interval,
    /// What it limits.
    pub quotas: Quotas,
    /// Feature gates that it opens.
    #[serde(default)]
    pub features: Vec<String>,
    /// What else comes with it, in words; nothing in the program depends on it.
    #[serde(default)]
    pub perks: Vec<String>,
}
