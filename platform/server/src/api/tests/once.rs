//! Requests that are sent twice count once.

use super::world::{AURORA, World};
use poem::http::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_once() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let named = |name: &str| json!({ "name": name });

    let without = ann.request(Method::POST, "/accounts").json(&named("A"));
    assert_eq!(ann.send(without).await.refusal(), (400, "idempotency-key-missing"));
    for bad in ["", " ", "a b", &"k".repeat(256)] {
        let request = ann.request(Method::POST, "/accounts").header("idempotency-key", bad).json(&named("A"));
        assert_eq!(ann.send(request).await.status, 400, "{bad:?}");
    }
    let twice = ann.request(Method::POST, "/accounts").header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(ann.send(twice.json(&named("A"))).await.refusal(), (400, "bad-request"));

    let first = ann.post_as("k1", "/accounts", &named("A")).await;
    assert_eq!(first.status, 200);
    assert_eq!(ann.post_as("k1", "/accounts", &named("A")).await, first, "the stored answer");
    assert_eq!(ann.post_as("k1", "/accounts", &named("B")).await.refusal(), (422, "idempotency-mismatch"));
    let elsewhere = format!("/accounts/{}/orders", first.body["id"].as_str().unwrap());
    assert_eq!(ann.post_as("k1", &elsewhere, &named("A")).await.refusal(), (422, "idempotency-mismatch"));

    // What was refused and changed nothing may be mended under the same key.
    assert_eq!(ann.post_as("k2", "/accounts", &named("")).await.refusal(), (422, "invalid"));
    assert_eq!(ann.post_as("k2", "/accounts", &named("C")).await.status, 200);

    // Keys are a person's own.
    let bob = world.person(AURORA, "bob").await;
    let his = bob.post_as("k1", "/accounts", &named("A")).await.ok();
    assert_ne!(his["id"], first.body["id"]);

    // A key whose request is being worked on.
    let body = named("D").to_string();
    let me: marque_domain::id::UserId = ann.get("/session").await.ok()["user"].as_str().unwrap().parse().unwrap();
    let tenants = world.store.system().tenants().await.unwrap();
    let tenant = tenants.iter().find(|t| t.spec.slug.as_str() == "aurora").unwrap().id;
    let db = world.store.system().tenant_db(tenant);
    let mut hash = sha2::Sha256::default();
    for part in [b"POST\0".as_slice(), b"/api/v1/accounts\0", body.as_bytes()] {
        sha2::Digest::update(&mut hash, part);
    }
    let print = sha2::Digest::finalize(hash).into();
    db.begin_key(me, "k3", print, crate::testing::NOON).await.unwrap();
    assert_eq!(ann.post_as("k3", "/accounts", &named("D")).await.refusal(), (409, "idempotency-in-flight"));

    let accounts = ann.get("/accounts").await.ok();
    let names: Vec<_> = accounts["items"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["C", "A"]);
}

/// Who sends which keys is random; the one request of 256 that takes out old keys is found by trying.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_forgotten_after_a_week() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let me: marque_domain::id::UserId = ann.get("/session").await.ok()["user"].as_str().unwrap().parse().unwrap();
    let tenant = world.store.system().tenant_by_host(AURORA).await.unwrap().unwrap().id;
    let db = world.store.system().tenant_db(tenant);
    let week = 7 * marque_domain::time::DAY_MS;
    for (key, age) in [("old", week + 60_000), ("young", week - 60_000)] {
        db.begin_key(me, key, [1; 32], crate::testing::NOON.plus(-age)).await.unwrap();
    }
    let body = (0..).map(|n| json!({ "name": format!("N{n}") })).find(|body| {
        let text = body.to_string();
        let mut hash = sha2::Sha256::default();
        for part in [b"POST\0".as_slice(), b"/api/v1/accounts\0", text.as_bytes()] {
            sha2::Digest::update(&mut hash, part);
        }
        sha2::Digest::finalize(hash).first() == Some(&0)
    });
    ann.post("/accounts", &body.unwrap()).await.ok();
    let now = crate::testing::NOON;
    assert_eq!(db.begin_key(me, "old", [2; 32], now).await.unwrap(), marque_store::KeyUse::Fresh);
    assert_eq!(db.begin_key(me, "young", [2; 32], now).await.unwrap(), marque_store::KeyUse::Mismatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_carried_out() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let account = ann.account().await;
    let path = format!("/accounts/{account}/orders");
    let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
    let sent = (0..12).map(|_| ann.post_as("same", &path, &order));
    let answers = futures_util::future::join_all(sent).await;
    let done: Vec<&Value> = answers.iter().filter(|a| a.status == 200).map(|a| &a.body["id"]).collect();
    assert!(!done.is_empty() && done.iter().all(|id| *id == done[0]));
    assert!(answers.iter().all(|a| a.status == 200 || a.refusal() == (409, "idempotency-in-flight")));
    assert_eq!(ann.get(&path).await.ok()["items"].as_array().unwrap().len(), 1);
}
