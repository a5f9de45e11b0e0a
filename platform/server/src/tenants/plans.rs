//! The plans of a tenant's file.

use super::{
    feature::Feature,
    file::{Text, is_code, line},
    mistake::Notes,
};
use marque_domain::{
    instrument::Currency,
    tenant::{Interval, Plan, Quotas},
};
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

const PLANS_MAX: usize = 20;
const PERKS_MAX: usize = 10;
/// 100 million currency units a month is a slip of the keyboard.
const PRICE_MINOR_MAX: i64 = 10_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePlan {
    code: Text,
    name: Text,
    summary: Text,
    price_minor: Spanned<i64>,
    currency: Currency,
    interval: Interval,
    quotas: Spanned<Quotas>,
    #[serde(default)]
    features: Vec<Text>,
    #[serde(default)]
    perks: Vec<Text>,
}

pub(super) fn understand(plans: Spanned<Vec<FilePlan>>, notes: &mut Notes<'_>) -> Vec<Plan> {
    if !(1..=PLANS_MAX).contains(&plans.get_ref().len()) {
        notes.at(plans.span(), "no plans, or too many", format!("describe 1 to {PLANS_MAX} plans"));
        return Vec::new();
    }
    let mut codes = BTreeSet::new();
    plans.into_inner().into_iter().map(|plan| one(plan, &mut codes, notes)).collect()
}

fn one(plan: FilePlan, codes: &mut BTreeSet<String>, notes: &mut Notes<'_>) -> Plan {
    let code = plan.code.get_ref();
    if !is_code(code) {
        notes.at(plan.code.span(), format!("{code:?} is not a plan's code"), "write it like pro or pro-2");
    } else if !codes.insert(code.clone()) {
        notes.at(plan.code.span(), format!("the code {code} is used twice"), "give each plan its own code");
    }
    let (price, at) = (*plan.price_minor.get_ref(), plan.price_minor.span());
    if !(0..=PRICE_MINOR_MAX).contains(&price) {
        notes.at(at, format!("a price of {price}"), format!("write cents from 0 to {PRICE_MINOR_MAX}"));
    }
    let (quotas, at) = (*plan.quotas.get_ref(), plan.quotas.span());
    let counts = [quotas.trades_per_day, quotas.instruments, quotas.deployments];
    if counts.contains(&Some(0)) || quotas.fuel_per_day == Some(0) {
        notes.at(at, "a quota of zero", "write at least 1, or leave it out for no limit");
    }
    for feature in &plan.features {
        // A gate that is misspelt would stand open.
        if Feature::ALL.iter().all(|known| known.code() != feature.get_ref()) {
            let known: Vec<&str> = Feature::ALL.iter().map(|known| known.code()).collect();
            let remedy = format!("choose from {}; what is only to be read is a perk", known.join(", "));
            notes.at(feature.span(), format!("there is no feature {:?}", feature.get_ref()), remedy);
        }
    }
    if let Some(surplus) = plan.perks.get(PERKS_MAX) {
        notes.at(surplus.span(), "too many perks are listed", format!("list at most {PERKS_MAX}"));
    }
    Plan {
        name: line(&plan.name, 40, notes),
        summary: line(&plan.summary, 200, notes),
        price_minor: price,
        currency: plan.currency,
        interval: plan.interval,
        quotas,
        features: plan.features.into_iter().map(Spanned::into_inner).collect(),
        perks: plan.perks.iter().map(|perk| line(perk, 60, notes)).collect(),
        code: plan.code.into_inner(),
    }
}
