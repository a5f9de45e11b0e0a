//! What a tenant is, after its file was understood. Stored as JSON and read back for every host.

use super::{feature::Feature, mistake::Place, venue::VenueTerms};
use crate::theme::Tokens;
use marque_domain::{
    account::{MarginLevels, PositionMode},
    fixed::Money,
    instrument::Currency,
    tenant::{Plan, Slug, TenantStatus},
    time::Zone,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its short name: the folder its file is in.
    pub slug: Slug,
    /// What people read.
    pub name: String,
    /// Whether it is served.
    pub status: TenantStatus,
    /// Its hosts in canonical form.
    pub hosts: Vec<String>,
    /// Where the file lists each, while the file is being applied. It is not stored.
    #[serde(skip)]
    pub host_places: BTreeMap<String, Place>,
    /// The theme of its pages.
    pub theme: String,
    /// Its looks within the theme.
    pub tokens: Tokens,
    /// The language and region of its pages, such as `en-GB`.
    pub locale: String,
    /// The zone its pages show times in.
    pub time_zone: Zone,
    /// What its pages say.
    pub words: Words,
    /// Who its mail comes from, where its file says so.
    #[serde(default)]
    pub mail: Option<Sender>,
    /// The plugins it offers, by name.
    pub plugins: Vec<String>,
    /// What a new account is opened with.
    pub accounts: AccountTemplate,
    /// How orders trade at its venue, and what that costs.
    #[serde(default)]
    pub venue: VenueTerms,
    /// What it sells, in the order in which it is shown.
    pub plans: Vec<Plan>,
}

impl Definition {
    /// The plan that a person is on by its code. Without one, or with one that is not sold any more, it is the first.
    #[must_use]
    pub fn plan(&self, code: Option<&str>) -> Option<&Plan> {
        code.and_then(|code| self.plans.iter().find(|plan| plan.code == code)).or_else(|| self.plans.first())
    }

    /// The plans that open a gate, or none when it is open to everybody: a feature is a gate where a plan sells it.
    pub fn sold_with(&self, feature: Feature) -> impl Iterator<Item = &Plan> {
        self.plans.iter().filter(move |plan| plan.features.iter().any(|code| code == feature.code()))
    }
}

/// Who a tenant's mail comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The address; the platform's own when it is not said.
    pub from: Option<String>,
    /// What the sender is called; the tenant's name when it is not said.
    pub name: Option<String>,
}

/// What a tenant's pages say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// What the logo reads.
    pub logo: String,
    /// The brand's promise, in a few words.
    pub headline: String,
    /// What it does, in a sentence or two.
    pub intro: String,
    /// The firm behind the brand.
    pub legal_name: String,
    /// The risk notice of the footer.
    pub risk_notice: String,
}

/// What a new account is opened with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountTemplate {
    /// The currency of its money.
    pub currency: Currency,
    /// What it is funded with.
    pub initial_balance: Money,
    /// Units of exposure per unit of margin.
    pub leverage: i64,
    /// How its positions in one instrument live together.
    #[serde(default)]
    pub position_mode: PositionMode,
    /// The margin levels at which it is called and closed.
    #[serde(default)]
    pub margin: MarginLevels,
    /// The rules that watch it, in the order in which they are asked.
    pub rules: Vec<RuleBinding>,
}

/// A risk rule with the settings it runs under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleBinding {
    /// The rule's name in the catalogue.
    pub plugin: String,
    /// What the rule's settings schema asks for; checked when the tenant is applied, and again when the rule is bound.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Where the file binds it, while the file is being applied. It is not stored.
    #[serde(skip)]
    pub place: Option<Place>,
}
