//! The demo's Expert Advisor: the sample of `ea/`, with a version, its files, a policy and a licence of the trader's.

use super::DemoError;
use crate::{
    clock::Clock,
    licensing::{
        files::{EaFiles, NewFile},
        manage::{
            NewLicence, NewProduct, NewVersion, PolicyWish, TermWish, issue, put_policy, put_product, put_version,
        },
    },
    problem::Problem,
    secrets::Vault,
};
use marque_domain::{id::UserId, plugin::Channel};
use marque_store::TenantDb;
use serde_json::json;

/// What the sample EA calls itself.
const CODE: &str = "marque-sample";
const YEAR_S: i64 = 365 * 86_400;
/// Its sources, which traders download.
const FILES: &[(&str, &[u8])] = &[
    ("MarqueSample.mq5", include_bytes!("../../../../ea/mql5/Experts/MarqueSample.mq5")),
    ("MarqueSample.mq4", include_bytes!("../../../../ea/mql4/Experts/MarqueSample.mq4")),
];

/// Adds what is missing.
pub(super) async fn seed(
    db: &TenantDb,
    vault: &Vault,
    files: &EaFiles,
    trader: UserId,
    clock: &Clock,
) -> Result<(), DemoError> {
    if db.ea_products().await?.iter().any(|product| product.code == CODE) {
        return Ok(());
    }
    let refused = |problem| DemoError::Refused { what: "Expert Advisor".to_owned(), problem: Box::new(problem) };
    add(db, vault, files, trader, clock).await.map_err(refused)
}

async fn add(db: &TenantDb, vault: &Vault, files: &EaFiles, trader: UserId, clock: &Clock) -> Result<(), Problem> {
    let now = clock.now();
    let product = NewProduct {
        code: CODE.to_owned(),
        name: "Marque Sample".to_owned(),
        summary: "Crosses two moving averages. A sample to build your own Expert Advisor on.".to_owned(),
        plans: Vec::new(),
        settings_schema: Some(json!({
            "type": "object",
            "properties": {
                "lots": { "type": "number", "title": "Lots", "minimum": 0.01, "maximum": 100, "default": 0.01 },
                "fast": { "type": "integer", "title": "Fast average, in bars", "minimum": 2, "maximum": 500, "default": 5 },
                "slow": { "type": "integer", "title": "Slow average, in bars", "minimum": 3, "maximum": 500, "default": 20 },
                "enabled": { "type": "boolean", "title": "Open trades", "default": true },
            },
            "additionalProperties": false,
        })),
    };
    let product = put_product(db, product, now).await?;
    let changelog = "Settings come from the portal.".to_owned();
    let version = NewVersion { version: "1.20".to_owned(), channel: Channel::Stable, changelog };
    let version = put_version(db, product.id, version, now).await?.id;
    for (name, bytes) in FILES {
        let file = NewFile { version, name: (*name).to_owned(), sealed: true, bytes: bytes.to_vec() };
        files.put(db, file, None).await?;
    }
    let wish = PolicyWish {
        name: "Yearly".to_owned(),
        term: TermWish::Subscription(YEAR_S),
        machines: Some(2),
        accounts: Some(2),
        window_s: 600,
        ..PolicyWish::default()
    };
    let policy = put_policy(db, product.id, &wish, now).await?;
    issue(db, vault, NewLicence { user: trader, policy, ends_at: None }, now).await?;
    Ok(())
}
