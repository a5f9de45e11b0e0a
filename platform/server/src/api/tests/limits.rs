//! How often somebody may call.

use super::world::{AURORA, BOREALIS, World};
use poem::http::Method;
use serde_json::{Value, json};

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_person_has_calls_of_their_own_and_is_told() {
    let world = World::with("api_per_minute = 20\n").await;
    let ann = world.person(AURORA, "ann").await;
    // The world itself called once for the session.
    for left in (0..19).rev() {
        let answer = ann.request(Method::GET, "/accounts").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "ratelimit-policy"), "\"api\";q=20;w=60, \"api-address\";q=200;w=60");
        assert!(header(&answer, "ratelimit").starts_with(&format!("\"api\";r={left};t=")), "{answer:?}");
    }
    let refused = ann.request(Method::GET, "/accounts").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "content-type")), (429, "application/problem+json".into()));
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert!(header(&refused, "ratelimit").starts_with("\"api\";r=0;t="));
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["code"], "too-many-requests");
    // Not even what does not exist is free.
    assert_eq!(ann.get("/nothing").await.status, 429);

    // Another person at the same address, and the same one at another brand, have their own.
    assert_eq!(world.person(AURORA, "bob").await.get("/accounts").await.status, 200);
    assert_eq!(world.person(BOREALIS, "ann").await.get("/accounts").await.status, 200);
    // Who is not signed in has an address's share.
    let stranger = world.stranger(AURORA);
    for _ in 0..20 {
        assert_eq!(stranger.get("/accounts").await.status, 401);
    }
    assert_eq!(stranger.get("/accounts").await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn trading_has_a_limit_of_its_own() {
    let world = World::with("trading_per_minute = 3\n").await;
    let ann = world.person(AURORA, "ann").await;
    for _ in 0..3 {
        assert_eq!(ann.post("/accounts", &json!({ "name": "Mine" })).await.status, 200);
    }
    let refused = ann.request(Method::POST, "/accounts").header("idempotency-key", "k").json(&json!({ "name": "x" }));
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(header(&refused, "ratelimit-policy").starts_with("\"trading\";q=3;w=60"));
    // Reading goes on, and the refused one did not use its key up or do anything.
    assert_eq!(ann.get("/accounts").await.ok()["items"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_offered_says_which_are() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    for (method, path, allow) in [
        (Method::DELETE, "/accounts", "GET, HEAD, POST"),
        (Method::POST, "/session", "GET, HEAD"),
        (Method::GET, "/positions/pos_1/close", "POST"),
    ] {
        let answer = ann.request(method, path).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, allow.to_owned()), "{path}");
    }
}
