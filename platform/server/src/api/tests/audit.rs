//! What a day leaves in the audit log, as its owner reads it.

use super::world::{AURORA, BOREALIS, World};
use crate::{
    audit::{Act, Noted, verify},
    testing::vault,
};
use poem::http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_stands_in_the_log() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let account = ann.account().await;
    let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.10" });
    let decision = ann.post(&format!("/accounts/{account}/orders"), &order).await.ok();
    let order = decision["order"].as_str().unwrap().to_owned();
    let huge = json!({ "instrument": "EURUSD", "side": "buy", "lots": "90000" });
    ann.post(&format!("/accounts/{account}/orders"), &huge).await.ok();
    ann.sign_out().await;

    let owner = world.person(AURORA, "owner").await;
    let list = owner.get("/audit?limit=200").await.ok();
    let items = list["items"].as_array().unwrap();
    let found = |act: &str, target: &str| {
        let mut matching = items.iter().filter(|e| e["act"] == act && (target.is_empty() || e["target"] == target));
        matching.next_back().unwrap_or_else(|| panic!("{act} {target} in {list}")).clone()
    };
    for (act, target) in [
        ("sign-in", ""),
        ("account-opened", account.as_str()),
        ("order-placed", order.as_str()),
        ("order-refused", ""),
        ("sign-out", ""),
    ] {
        let entry = found(act, target);
        assert_eq!(
            (&entry["actor_name"], &entry["actor_kind"], &entry["address"]),
            (&json!("ann@x.example"), &json!("person"), &json!("127.0.0.1")),
            "{entry}"
        );
    }
    found("position-opened", "");
    let numbers: Vec<i64> = items.iter().map(|e| e["number"].as_i64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "newest first, without gaps: {numbers:?}");
    let only = owner.get("/audit?act=sign-out").await.ok();
    assert!(only["items"].as_array().unwrap().iter().all(|e| e["act"] == "sign-out"));
    assert_eq!(owner.get("/audit?act=nonsense").await.refusal().0, 422);

    // Nobody else's, and not for everybody.
    let elsewhere = world.person(BOREALIS, "owner").await;
    let theirs = elsewhere.get("/audit").await.ok();
    assert!(!theirs.to_string().contains("ann@x.example"), "{theirs}");
    let ann = world.person(AURORA, "ann").await;
    assert_eq!(ann.get("/audit").await.refusal().0, 403);

    // Who takes the log away stands in it; who may not, does not.
    for (who, status) in [(&ann, 403), (&owner, 200)] {
        assert_eq!(who.page(Method::GET, "/admin/audit.csv", &[]).await.status().as_u16(), status, "{}", who.name);
    }
    assert_eq!(world.recorded(AURORA, Act::AuditExported).await, ["person owner@x.example: "]);

    let system = world.store.system();
    for tenant in system.tenants().await.unwrap() {
        let verdict = verify(&system.tenant_db(tenant.id), &vault(), None).await.unwrap();
        assert_eq!(verdict.faults, [], "{}", tenant.spec.slug);
        assert!(verdict.head.is_some_and(|Noted { seq, .. }| seq > 0));
    }
}
