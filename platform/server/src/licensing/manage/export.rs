//! All licences of a brand as a table that spreadsheets read.

use crate::{
    audit::{Act, csv::text as cell},
    identity::{Operation, SignedIn},
    problem::Problem,
};
use marque_domain::{
    id::{LicencePolicyId, ProductId, UserId},
    licence::State,
};
use marque_store::{LicenceFilter, LicenceRow, PAGE_MAX, Page};
use serde_json::json;
use std::collections::{BTreeMap, btree_map::Entry};

/// Licences of one table: what is more is exported by product or state.
const ROWS_MAX: usize = 100_000;
const HEAD: [&str; 9] =
    ["licence", "product", "policy", "owner", "state", "reason", "created_at", "ends_at", "first_used_at"];

/// The table. That it was taken is recorded.
///
/// # Errors
/// [`crate::problem::ProblemCode::Forbidden`], [`crate::problem::ProblemCode::Unavailable`].
pub async fn licences_csv(who: &SignedIn, filter: LicenceFilter<'_>) -> Result<Vec<u8>, Problem> {
    let whose = who.may(Operation::ReadLicences)?;
    let products: BTreeMap<ProductId, String> =
        who.db().ea_products().await?.into_iter().map(|product| (product.id, product.code)).collect();
    let policies: BTreeMap<LicencePolicyId, String> =
        who.db().licence_policies(None).await?.into_iter().map(|policy| (policy.id, policy.name)).collect();
    let mut owners: BTreeMap<UserId, String> = BTreeMap::new();
    let (mut table, mut page, mut rows) =
        (csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()), Page::first(PAGE_MAX), 0);
    let broken = |error: csv::Error| Problem::internal(&error);
    table.write_record(HEAD).map_err(broken)?;
    loop {
        let found = who.db().licences(whose, filter, page).await?;
        for licence in &found.items {
            if let Entry::Vacant(owner) = owners.entry(licence.user) {
                owner.insert(who.db().user(licence.user).await?.email);
            }
            let named = |map: Option<&String>| cell(map.map(String::as_str).unwrap_or_default());
            let names = [
                named(products.get(&licence.product)),
                named(policies.get(&licence.policy)),
                named(owners.get(&licence.user)),
            ];
            table.write_record(record(licence, names)).map_err(broken)?;
        }
        rows += found.items.len();
        match found.next.filter(|_| rows < ROWS_MAX) {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    who.audit(Act::LicencesExported, "licences", json!({ "rows": rows })).await?;
    table.into_inner().map_err(|error| Problem::internal(error.error()))
}

fn record(licence: &LicenceRow, [product, policy, owner]: [String; 3]) -> [String; 9] {
    let at = |at: Option<marque_domain::time::Millis>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let state = match licence.state {
        State::Active => "active",
        State::Suspended => "suspended",
        State::Revoked => "revoked",
    };
    [
        licence.id.to_string(),
        product,
        policy,
        owner,
        state.to_owned(),
        cell(&licence.reason),
        licence.created_at.to_rfc3339(),
        at(licence.ends_at),
        at(licence.first_used_at),
    ]
}
