//! Requests that are wrong, in every way.

use super::world::{AURORA, World};
use poem::http::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_told_what_is_wrong() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let account = ann.account().await;
    let orders = format!("/accounts/{account}/orders");

    let deep = "[".repeat(10_000);
    let long = format!(r#"{{"instrument":"{}","side":"buy","lots":"1"}}"#, "A".repeat(100_000));
    let texts: &[(&str, &[u16])] = &[
        ("", &[400]),
        ("{", &[400]),
        ("null", &[400]),
        ("[]", &[400]),
        ("1", &[400]),
        (&deep, &[400]),
        ("\u{0}", &[400]),
        (r#"{"instrument":"EURUSD","side":"buy"}"#, &[400]),
        (r#"{"instrument":"EURUSD","side":"up","lots":"1"}"#, &[400]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":1}"#, &[400]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"1","leverage":"500"}"#, &[400]),
        (r#"{"instrument":5,"side":"buy","lots":"1"}"#, &[400]),
        (r#"{"instrument":"EURUSD\u0000","side":"buy","lots":"1"}"#, &[422]),
        (r#"{"instrument":"","side":"buy","lots":"1"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":""}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"0"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"-1"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"1e5"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"NaN"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"0.000000001"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"99999999999999999999999"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"1\u0000"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"0.1","stop_loss":"-1"}"#, &[422]),
        (r#"{"instrument":"EURUSD","side":"buy","lots":"0.1","take_profit":"x"}"#, &[422]),
        (&long, &[413, 422]),
    ];
    for (index, (text, expect)) in texts.iter().enumerate() {
        let request = ann
            .request(Method::POST, &orders)
            .header("idempotency-key", format!("w{index}"))
            .header("content-type", "application/json")
            .body((*text).to_owned());
        let answer = ann.send(request).await;
        let shown: String = text.chars().take(80).collect();
        assert!(expect.contains(&answer.status), "{shown} is answered {}", answer.body);
        assert!(answer.body["request_id"].is_string() && answer.body["detail"].is_string(), "{}", answer.body);
    }
    // Numbers at the end of what can be written are decided like others.
    for lots in ["92233720368.54775807", "0.00000001"] {
        let decision = ann.post(&orders, &json!({ "instrument": "EURUSD", "side": "buy", "lots": lots })).await.ok();
        assert_eq!(decision["outcome"], "denied", "{decision}");
    }
    let far = json!({ "instrument": "EURUSD", "side": "sell", "lots": "0.01", "stop_loss": "92233720368.54775807" });
    let decision = ann.post(&orders, &far).await;
    assert_eq!(decision.status, 200, "{}", decision.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_a_problem() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let account = ann.account().await;
    for (method, path, expect) in [
        (Method::GET, "/nothing", (404, "not-found")),
        (Method::GET, "", (404, "not-found")),
        (Method::POST, "/nothing", (404, "not-found")),
        (Method::DELETE, "/accounts", (405, "method-not-allowed")),
        (Method::PUT, "/session", (405, "method-not-allowed")),
        (Method::GET, "/accounts/..", (404, "not-found")),
        (Method::GET, "/accounts/%00", (404, "not-found")),
        (Method::GET, "/accounts/acc_'OR'1'='1", (404, "not-found")),
        (Method::GET, "/orders/ord_zzzzzzzzzzzzz", (404, "not-found")),
    ] {
        let answer = ann.send(ann.request(method.clone(), path)).await;
        assert_eq!(answer.refusal(), expect, "{method} {path}");
    }
    for (kind, expect) in [
        (Some("text/plain"), (415, "unsupported-type")),
        (Some("application/x-www-form-urlencoded"), (415, "unsupported-type")),
        (Some("application/xml"), (415, "unsupported-type")),
        (None, (415, "unsupported-type")),
    ] {
        let request = ann.request(Method::POST, &format!("/accounts/{account}/orders")).header("idempotency-key", "t");
        let request = kind.into_iter().fold(request, |request, kind| request.header("content-type", kind));
        assert_eq!(ann.send(request.body("{}")).await.refusal(), expect, "{kind:?}");
    }
    // Only announced: the server refuses before it reads, and a client that still writes may miss the answer.
    let huge = format!(
        "POST /api/v1/accounts HTTP/1.1\r\nhost: {AURORA}\r\nconnection: close\r\ncookie: {}\r\ncontent-length: 4194304\r\n\r\n",
        ann.cookie
    );
    let answer = world.raw(huge.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"code\":\"too-large\""), "{answer}");
    let document =
        world.raw(b"GET /api/openapi.json HTTP/1.1\r\nhost: aurora.localhost\r\nconnection: close\r\n\r\n").await;
    assert!(document.starts_with("HTTP/1.1 200") && document.contains("\"operationId\": \"place_order\""));
    // Said twice, and differently, the viewer takes it for something else.
    let kinds: Vec<&str> = document.lines().filter(|line| line.starts_with("content-type:")).collect();
    assert_eq!(kinds, ["content-type: application/json"]);
}
