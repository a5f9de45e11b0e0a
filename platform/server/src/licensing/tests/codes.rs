//! Each code over HTTP, and what is no answer.

use super::{
    super::manage::{NewVersion, PolicyWish, TermWish, put_version},
    world::*,
};
use marque_domain::{
    licence::{Binding, Kinds, Overage, Since, State},
    plugin::Channel,
    time::{DAY_MS, HOUR_MS},
};
use marque_store::LicenceChange;
use serde_json::json;

fn wish() -> PolicyWish {
    PolicyWish::default()
}

#[tokio::test]
async fn a_licence_is_activated_asked_about_held_and_given_back() {
    let world = World::start().await;
    let licence = world.licence(AURORA, wish()).await;
    let mut ea = licence.ea("5001", 1);
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "NOT_ACTIVATED");
    let taken = ea.activate(&world.node).await;
    assert_eq!((taken.status, taken.code()), (200, "VALID"), "{}", taken.body);
    for (field, wanted) in [
        ("generation", json!(1)),
        ("sequence", json!(0)),
        ("orders", json!(0)),
        ("lots", json!("0")),
        ("config_version", json!(0)),
        ("heartbeat_s", json!(200)),
        ("expires_at", json!(0)),
        ("latest_version", json!("1.20")),
        ("notice", json!("")),
    ] {
        assert_eq!(taken.body[field], wanted, "{field}");
    }
    let at = taken.body["server_time"].as_i64().unwrap();
    assert_eq!(taken.body["lease_until"], at + 86_400);
    assert_eq!(taken.body["grace_until"], at + 4 * 86_400);
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "VALID");
    let beat = ea.beat(&world.node).await;
    assert_eq!((beat.code(), &beat.body["orders"], &beat.body["lots"]), ("VALID", &json!(1), &json!("0.25")));
    let report = ea.report();
    let usage = ea.ask_with(&world.node, "usage", report).await;
    assert_eq!((usage.code(), &usage.body["sequence"]), ("VALID", &json!(2)));
    assert!(usage.body.get("config_version").is_none());
    let config = ea.ask(&world.node, "config").await;
    assert_eq!((config.code(), &config.body["config_included"]), ("VALID", &json!(true)));
    let released = ea.ask(&world.node, "deactivate").await;
    assert_eq!((released.code(), &released.body["valid"]), ("RELEASED", &json!(false)));
    assert_eq!(ea.ask(&world.node, "deactivate").await.code(), "RELEASED", "again changes nothing");
    assert_eq!(ea.beat(&world.node).await.code(), "RELEASED");
    let queried = ea.request("validate", json!({}));
    let query: Vec<String> = queried
        .iter()
        .map(|(n, v)| format!("{n}={}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect();
    let (query, kid) = (query.join("&"), ea.kid("validate"));
    let seat = ea.seat.clone().unwrap();
    let mac = ea.secret.activation_mac(seat.activation.parse().unwrap(), seat.generation, &seat.salt);
    let bytes = super::signed_bytes(super::SignedKind::Request, "validate", &kid, query.as_bytes());
    let asked = get(&world.node, AURORA, &format!("validate?{query}"), &mac.header(&kid, &bytes)).await;
    assert_eq!((asked.status, asked.code()), (200, "RELEASED"));
}

#[tokio::test]
async fn what_a_person_did_is_answered_with_its_code() {
    let world = World::start().await;
    let licence = world.licence(AURORA, wish()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let now = world.time.now();
    let code = async |ea: &mut Client| ea.beat(&world.node).await.code().to_owned();
    licence.change(LicenceChange::State(State::Suspended, "unpaid".to_owned()), now).await;
    assert_eq!(code(&mut ea).await, "SUSPENDED");
    licence.change(LicenceChange::State(State::Active, String::new()), now).await;
    assert_eq!(code(&mut ea).await, "VALID");
    licence.change(LicenceChange::Ends(Some(now.plus(HOUR_MS))), now).await;
    let soon = ea.beat(&world.node).await;
    assert_eq!((soon.code(), &soon.body["notice"]), ("VALID", &json!("EXPIRES_SOON")));
    assert_eq!(soon.body["grace_until"], soon.body["expires_at"]);
    world.time.pass_s(3_600);
    let ended = ea.beat(&world.node).await;
    assert_eq!((ended.code(), &ended.body["expires_at"]), ("EXPIRED", &json!(now.plus(HOUR_MS).0 / 1_000)));
    licence.change(LicenceChange::Ends(None), world.time.now()).await;
    assert_eq!(code(&mut ea).await, "VALID");
    // Another plan is chosen: the product is granted by one that its owner does not have.
    let mut product = licence.db.ea_products().await.unwrap().remove(0);
    product.plans = vec!["desk".to_owned()];
    licence.db.change_ea_product(&product).await.unwrap();
    world.node.licensing.snapshots().look().await.unwrap();
    assert_eq!(code(&mut ea).await, "PLAN_REQUIRED");
    licence.db.set_plan(marque_domain::id::UserId(1), Some("desk")).await.unwrap();
    world.node.licensing.snapshots().look().await.unwrap();
    assert_eq!(code(&mut ea).await, "VALID");
    licence.change(LicenceChange::State(State::Revoked, "fraud".to_owned()), now).await;
    assert_eq!(code(&mut ea).await, "REVOKED");
    assert_eq!(ea.ask(&world.node, "activate").await.code(), "REVOKED");
    let back = licence.db.change_licence(licence.id, &LicenceChange::State(State::Active, String::new()), now).await;
    assert!(back.is_err(), "nothing brings it back");
}

#[tokio::test]
async fn what_an_ea_is_decides_too() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { kinds: Kinds::Live, ..wish() }).await;
    let mut ea = licence.ea("5001", 1);
    assert_eq!(ea.ask(&world.node, "activate").await.code(), "LIVE_ONLY");
    ea.fields.insert("product".to_owned(), json!("silver"));
    assert_eq!(ea.ask(&world.node, "activate").await.code(), "PRODUCT_MISMATCH");
    let demo = world.licence(AURORA, PolicyWish { kinds: Kinds::Demo, ..wish() }).await;
    let mut ea = demo.ea("5001", 1);
    ea.fields.insert("kind".to_owned(), json!("live"));
    assert_eq!(ea.ask(&world.node, "activate").await.code(), "DEMO_ONLY");
    let newer = world.licence(AURORA, PolicyWish { minimum_version: "1.30".parse().ok(), ..wish() }).await;
    let old = newer.ea("5001", 1).ask(&world.node, "activate").await;
    assert_eq!((old.code(), &old.body["minimum_version"]), ("VERSION_TOO_OLD", &json!("1.30")));
    let licence = world.licence(AURORA, wish()).await;
    let product = licence.db.ea_products().await.unwrap().remove(0).id;
    for version in ["1.20", "1.21"] {
        let new = NewVersion { version: version.to_owned(), channel: Channel::Stable, changelog: String::new() };
        put_version(&licence.db, product, new, world.time.now()).await.unwrap();
    }
    let mut ea = licence.ea("5001", 1);
    let taken = ea.activate(&world.node).await;
    assert_eq!((taken.code(), &taken.body["notice"]), ("VALID", &json!("UPDATE_AVAILABLE")));
    assert_eq!(taken.body["latest_version"], "1.21");
    let versions = licence.db.ea_versions(product).await.unwrap();
    licence.db.yank_ea_version(versions[1].id, "loses money", world.time.now()).await.unwrap();
    let yanked = ea.ask(&world.node, "validate").await;
    assert_eq!((yanked.code(), &yanked.body["latest_version"]), ("VERSION_YANKED", &json!("1.21")));
    licence.db.yank_ea_version(versions[0].id, "loses more", world.time.now()).await.unwrap();
    world.node.licensing.snapshots().look().await.unwrap();
    let none = ea.ask(&world.node, "validate").await;
    assert_eq!((none.code(), none.body.get("latest_version")), ("VERSION_YANKED", None));
    assert!(none.body["message"].as_str().unwrap().contains("There is no other yet"), "{}", none.body);
}

#[tokio::test]
async fn terms_seats_and_bindings() {
    let world = World::start().await;
    let trial = PolicyWish { term: TermWish::Trial(Since::Activation, 7 * 86_400), ..wish() };
    let licence = world.licence(AURORA, trial).await;
    world.time.pass_s(30 * 86_400);
    let mut ea = licence.ea("5001", 1);
    let taken = ea.activate(&world.node).await;
    assert_eq!(taken.body["expires_at"], world.time.now().plus(7 * DAY_MS).0 / 1_000);
    let full = licence.ea("5001", 2).ask(&world.node, "activate").await;
    assert_eq!((full.code(), &full.body["machines_max"]), ("TOO_MANY_MACHINES", &json!(1)));
    let full = licence.ea("6002", 1).ask(&world.node, "activate").await;
    assert_eq!((full.code(), &full.body["accounts_max"]), ("TOO_MANY_ACCOUNTS", &json!(1)));
    ea.fields.insert("server".to_owned(), json!("Broker-Live"));
    let moved = ea.ask(&world.node, "validate").await;
    assert_eq!((moved.code(), &moved.body["mismatched"]), ("BINDING_MISMATCH", &json!("server")));
    world.time.pass_s(7 * 86_400);
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "EXPIRED");

    let loose = PolicyWish { binding: Binding::Most, overage: Overage::Allowed, ..wish() };
    let licence = world.licence(AURORA, loose).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    ea.fields.insert("server".to_owned(), json!("Broker-Live"));
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "VALID");
    let mut over = licence.ea("6002", 2);
    let taken = over.activate(&world.node).await;
    assert_eq!((taken.code(), &taken.body["notice"]), ("VALID", &json!("OVERAGE")));

    let slow = world.licence(AURORA, PolicyWish { cooldown_s: 3_600, ..wish() }).await;
    let mut ea = slow.ea("5001", 1);
    ea.activate(&world.node).await;
    assert_eq!(ea.ask(&world.node, "deactivate").await.code(), "RELEASED");
    let early = slow.ea("5001", 2).ask(&world.node, "activate").await;
    assert_eq!(early.code(), "TRANSFER_COOLDOWN");
    assert_eq!(early.body["retry_at"], world.time.now().plus(HOUR_MS).0 / 1_000);
    world.time.pass_s(3_600);
    assert_eq!(slow.ea("5001", 2).ask(&world.node, "activate").await.code(), "VALID");
}

#[tokio::test]
async fn another_brands_licence_is_not_known() {
    let world = World::start().await;
    let (here, there) = (world.licence(AURORA, wish()).await, world.licence(BOREALIS, wish()).await);
    let mut ea = there.ea("5001", 1);
    assert_eq!(ea.activate(&world.node).await.code(), "VALID");
    let elsewhere = Given { host: AURORA, ..there.clone() };
    let reply = elsewhere.ea("5001", 1).ask(&world.node, "activate").await;
    assert_eq!((reply.status, reply.code()), (200, "NOT_FOUND"));
    assert!(is_of_tenant(&world.node, AURORA, "activate", &reply).await);
    assert!(!is_of_tenant(&world.node, BOREALIS, "activate", &reply).await, "each brand has keys of its own");
    assert_eq!(here.db.licence_of_key(there.ea("1", 1).secret.key_id()).await.unwrap(), None);
    assert!(here.db.licence_image(there.id).await.is_err());
    assert!(here.db.seats(there.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_answer_is_a_problem() {
    let world = World::start().await;
    let licence = world.licence(AURORA, wish()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let fields = ea.request("validate", json!({}));
    let body = serde_json::to_vec(&fields).unwrap();
    let ask = async |operation: &str, signature: &str, body: &[u8]| {
        let reply = raw(&world.node, AURORA, operation, signature, body.to_vec()).await;
        (reply.status, reply.code().to_owned())
    };
    let wrong = format!("kid={}, hmac-sha256={}", ea.kid("validate"), "0".repeat(64));
    let unknown = format!("kid=a.act_0000000000001.1, hmac-sha256={}", "0".repeat(64));
    for signature in ["", "kid=x", wrong.as_str(), unknown.as_str(), "kid=t.2026-11, ed25519=00"] {
        assert_eq!(ask("validate", signature, &body).await, (401, "signature-refused".to_owned()), "{signature}");
    }
    assert_eq!(ask("validate", "", b"[1]").await, (400, "bad-request".to_owned()));
    assert_eq!(ask("validate", "", &vec![b' '; 9_000]).await, (413, "too-large".to_owned()));
    assert_eq!(ask("grow", "", &body).await, (404, "not-found".to_owned()));
    assert_eq!(ask("keys", "", &body).await, (405, "method-not-allowed".to_owned()));
    let refused = raw(&world.node, AURORA, "heartbeat", &wrong, b"{}".to_vec()).await;
    assert_eq!((refused.status, refused.code()), (422, "invalid"));
    let named: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    for field in ["protocol", "key_id", "product", "nonce", "account", "machine", "sequence", "lots"] {
        assert!(named.contains(&field), "{field} in {named:?}");
    }
    let long = get(&world.node, AURORA, &format!("validate?x={}", "y".repeat(1_100)), "").await;
    assert_eq!((long.status, long.code()), (400, "bad-request"));
    assert_eq!(get(&world.node, AURORA, "activate", "").await.status, 405);
    assert_eq!(get(&world.node, "nobody.localhost", "keys", "").await.status, 421);
    let strict = world.strict(3).await;
    for _ in 0..3 {
        assert_eq!(ea.ask(&strict, "validate").await.code(), "VALID");
    }
    let often = ea.ask(&strict, "validate").await;
    assert_eq!((often.status, often.code()), (429, "too-many-requests"));
    assert!(often.retry_after.is_some());
    assert_eq!(world.licence(AURORA, wish()).await.ea("5001", 1).ask(&strict, "validate").await.status, 200);
}
