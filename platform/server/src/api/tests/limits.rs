//! How often somebody may call.

use super::world::{AURORA, BOREALIS, PASSWORD, Person, World};
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

/// Sends a form for which there were too many tries; its page is shown again, and counts down what the header tells
/// programs, in words for people.
async fn counts_down(person: &Person<'_>, path: &str, form: &[(&str, &str)]) -> reqwest::header::HeaderMap {
    let answer = person.page(Method::POST, path, form).await;
    assert_eq!(answer.status(), 429, "{path}");
    let wait: u64 = header(&answer, "retry-after").parse().unwrap_or_else(|_| panic!("{path} does not say when"));
    let headers = answer.headers().clone();
    let page = answer.text().await.unwrap();
    assert!(wait > 0 && page.contains(&format!("data-countdown=\"{wait}\"")), "{path}: {wait} s in {page}");
    let said = format!("Try again in <strong>{} minutes</strong>", wait.div_ceil(60));
    assert!(wait > 120 && page.contains(&said), "{path}: {wait} s in {page}");
    assert!(page.contains("js/countdown.js") && page.contains(&format!("action=\"{path}\"")), "{path}: {page}");
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_sent_too_often_counts_down() {
    let world = World::with("registrations_per_hour = 1\nresets_per_hour = 1\n").await;
    let mut visitor = world.visitor(AURORA).await;
    let zoe = [("name", "Zoe"), ("email", "zoe@x.example"), ("password", PASSWORD)];
    let bob = [("email", "bob@x.example")];
    for (path, form, policy) in [("/register", &zoe[..], "registration"), ("/forgot", &bob[..], "reset")] {
        assert_eq!(visitor.page(Method::POST, path, form).await.status(), 303, "{path}");
        let headers = counts_down(&visitor, path, form).await;
        assert!(headers["ratelimit-policy"].to_str().unwrap().starts_with(&format!("\"{policy}\";q=1;")), "{path}");
        assert!(headers["ratelimit"].to_str().unwrap().starts_with(&format!("\"{policy}\";r=0;")), "{path}");
    }

    // Proofs of who is known are counted for the person, wherever they are asked for.
    let (ann, code) = (world.person(AURORA, "ann").await, [("code", "000000")]);
    for _ in 0..10 {
        assert_eq!(ann.page(Method::POST, "/confirm", &code).await.status(), 401);
    }
    let headers = counts_down(&ann, "/confirm", &code).await;
    assert_eq!(headers["ratelimit"], "\"second-proof\";r=0;t=900");
    assert_eq!(headers["ratelimit-policy"], "\"second-proof\";q=10;w=900");
    world.passkey(AURORA, "ann").await;
    let hers = [("email", "ann@x.example"), ("password", PASSWORD)];
    let asked = visitor.page(Method::POST, "/sign-in", &hers).await;
    assert_eq!(asked.headers()["location"], "/sign-in/more");
    visitor.keep(&asked);
    counts_down(&visitor, "/sign-in/more", &code).await;
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
