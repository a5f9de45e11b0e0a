//! Backtests as somebody starts and reads them, through the real sandbox.

use super::world::{AURORA, Person, World, backtest_body};
use crate::{audit::Act, backtest::certificate::Certificate, signing::PublishedKeys};
use poem::http::Method;
use serde_json::{Value, json};

async fn text(who: &Person<'_>, path: &str) -> (String, String, String) {
    let answer = who.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let header = |name: &str| answer.headers().get(name).map(|h| h.to_str().unwrap().to_owned()).unwrap_or_default();
    let (kind, disposition) = (header("content-type"), header("content-disposition"));
    (kind, disposition, answer.text().await.unwrap())
}

async fn finished(who: &Person<'_>, body: &Value) -> Value {
    let started = who.post("/backtests", body).await.ok();
    let path = format!("/backtests/{}", started["id"].as_str().unwrap());
    who.until(&path, |found| ["done", "failed", "cancelled"].contains(&found["status"].as_str().unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_from_its_start_to_its_files() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let done = finished(&ann, &backtest_body()).await;
    assert_eq!((&done["status"], &done["progress"], &done["kind"]), (&json!("done"), &json!(1.0), &json!("single")));
    let trades = done["figures"]["trades"].as_u64().unwrap();
    assert!(trades > 5, "{done}");
    let path = format!("/backtests/{}", done["id"].as_str().unwrap());
    // Pages of trades lead through all of them once, newest first.
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = ann.get(&format!("{path}/trades?limit=3{next}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|trade| trade["opened_at"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert!(seen.len() as u64 >= trades && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    let equity = ann.get(&format!("{path}/equity")).await.ok();
    assert!(equity["items"].as_array().unwrap().len() > 100);
    for empty in ["combinations", "windows"] {
        assert_eq!(ann.get(&format!("{path}/{empty}")).await.ok()["items"], json!([]));
    }
    let (kind, disposition, table) = text(&ann, &format!("{path}/trades.csv")).await;
    assert!(kind.starts_with("text/csv") && disposition.starts_with("attachment"), "{kind} {disposition}");
    assert_eq!(table.lines().count(), seen.len() + 1);
    assert!(text(&ann, &format!("{path}/equity.csv")).await.2.starts_with("time,equity\r\n"));
    let (kind, disposition, page) = text(&ann, &format!("{path}/report.html")).await;
    assert!(kind.starts_with("text/html") && disposition.starts_with("attachment") && page.contains("<svg"));
    // What was done stands in the audit log, and who else asks finds nothing (the matrix tries everybody).
    let acts = world.acts(AURORA).await;
    assert!(
        acts.iter().filter(|act| *act == "backtest-exported").count() == 3 && acts.contains(&"backtest-started".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn its_certificate_is_signed_with_the_key_that_anybody_can_fetch() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let done = finished(&ann, &backtest_body()).await;
    let id = done["id"].as_str().unwrap();
    let shown = ann.get(&format!("/backtests/{id}/certificate")).await.ok();
    let page = ann.page(Method::GET, &format!("/backtests/{id}/certificate.json"), &[]).await;
    let certificate = Certificate::read(&page.text().await.unwrap()).unwrap();
    assert_eq!(serde_json::to_value(&certificate).unwrap(), shown);
    let stranger = world.stranger(AURORA);
    let keys = stranger.page(Method::GET, "/.well-known/marque-keys.json", &[]).await;
    let keys: PublishedKeys = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
    certificate.is_by(&keys).unwrap();
    assert_eq!(certificate.statement.issuer, "https://aurora.localhost");
    assert_eq!(certificate.statement.backtest, id);
    // The same test again comes to the same.
    let again = finished(&ann, &backtest_body()).await;
    let again = ann.get(&format!("/backtests/{}/certificate", again["id"].as_str().unwrap())).await.ok();
    for bound in ["plugin", "data", "result", "settings", "net_profit", "trades"] {
        assert_eq!(again["statement"][bound], shown["statement"][bound], "{bound}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tests_use_counts_on_the_plan() {
    let world = World::start().await;
    // Before anybody asks: what a host is stands in memory for a while.
    world.limit_fuel(AURORA, "desk", 1_000).await;
    let ann = world.person(AURORA, "ann").await;
    let done = finished(&ann, &backtest_body()).await;
    assert_eq!(done["status"], "done", "the first is let in, whatever it will use: {done}");
    let db = world.tenant(AURORA).await;
    let user = db.user_by_email("ann@x.example").await.unwrap().unwrap().id;
    let used = db.fuel_of_backtests(user, marque_domain::time::Millis(0)).await.unwrap();
    assert!(used >= 1_000, "{used}");
    let refused = ann.post("/backtests", &backtest_body()).await;
    assert_eq!(refused.refusal(), (403, "plan-refused"), "{}", refused.body);
    assert!(refused.body["detail"].as_str().unwrap().contains("1 thousand instructions a day"), "{}", refused.body);
    // Another's plan is another's.
    let bob = world.person(AURORA, "bob").await;
    assert_eq!(finished(&bob, &backtest_body()).await["status"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_and_walk_forwards() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let mut body = backtest_body();
    body["search"] = json!({ "grid": { "fast": [3, 5], "slow": [8, 13, 21] }, "rank": "net_profit" });
    let done = finished(&ann, &body).await;
    assert_eq!((&done["status"], &done["kind"]), (&json!("done"), &json!("sweep")), "{done}");
    let path = format!("/backtests/{}", done["id"].as_str().unwrap());
    let tried = ann.get(&format!("{path}/combinations")).await.ok();
    let tried = tried["items"].as_array().unwrap();
    assert_eq!(tried.len(), 6);
    let profit = |row: &Value| row["figures"]["net_profit"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(tried.is_sorted_by(|a, b| profit(a) >= profit(b)));
    assert_eq!(tried[0]["figures"], done["figures"]);

    body["search"] = json!({ "grid": { "fast": [3, 5] }, "rank": "sharpe", "choose_days": 2, "try_days": 1 });
    body["to"] = json!("2026-11-14T00:00:00Z");
    let done = finished(&ann, &body).await;
    assert_eq!((&done["status"], &done["kind"]), (&json!("done"), &json!("walk_forward")), "{done}");
    let path = format!("/backtests/{}", done["id"].as_str().unwrap());
    assert_eq!(ann.get(&format!("{path}/windows")).await.ok()["items"].as_array().unwrap().len(), 2);
    assert_eq!(ann.get(&format!("{path}/certificate")).await.refusal(), (409, "conflict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_nothing_is_started() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let table: &[(&str, Value, &str)] = &[
        ("strategy", json!("perpetual-motion"), "strategy"),
        ("strategy", json!("daily-loss"), "strategy"),
        ("instrument", json!("MOON"), "instrument"),
        ("settings", json!({ "fast": "quick" }), "settings/fast"),
        ("settings", json!([1]), "/settings"),
        ("from", json!("yesterday"), "/from"),
        ("to", json!("2026-11-09T00:00:00Z"), "to"),
        ("to", json!("2027-11-09T00:00:00Z"), "to"),
        ("balance", json!("0"), "balance"),
        ("search", json!({ "grid": 7, "rank": "sharpe" }), "/search/grid"),
        ("search", json!({ "grid": { "fast": [] }, "rank": "sharpe" }), "grid"),
        ("search", json!({ "grid": { "fast": [3] }, "rank": "sharpe", "try_days": 3 }), "/search/try_days"),
    ];
    for (field, value, wrong) in table {
        let mut body = backtest_body();
        body[*field] = value.clone();
        let refused = ann.post("/backtests", &body).await;
        assert_eq!(refused.refusal(), (422, "invalid"), "{field} {value}: {}", refused.body);
        let named: Vec<&str> =
            refused.body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert!(named.contains(wrong), "{field} {value}: {named:?}");
    }
    // What the document bounds is refused with the bound.
    for (field, value) in [("leverage", 0), ("leverage", 1_001), ("latency_ms", 60_001), ("latency_ms", i64::MAX)] {
        let mut body = backtest_body();
        body[field] = json!(value);
        let refused = ann.post("/backtests", &body).await;
        assert_eq!(refused.refusal(), (400, "bad-request"), "{field} {value}: {}", refused.body);
    }
    assert_eq!(ann.get("/backtests").await.ok()["items"], json!([]));
    // What cannot be known before it runs is told by the test itself.
    let mut body = backtest_body();
    body["source"] = json!("ticks");
    let failed = finished(&ann, &body).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["fault"].as_str().unwrap().contains("marque data import"), "{failed}");
    let path = format!("/backtests/{}/trades", failed["id"].as_str().unwrap());
    assert_eq!(ann.get(&path).await.refusal(), (409, "conflict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_waits_at_a_time_on_a_small_plan_and_can_be_cancelled() {
    let world = World::start().await;
    world.put_on_plan(AURORA, "ann", "start").await;
    let ann = world.person(AURORA, "ann").await;
    let mut long = backtest_body();
    long["from"] = json!("2026-09-01T00:00:00Z");
    long["search"] = json!({ "grid": { "fast": (2..27).collect::<Vec<_>>(), "slow": (30..60).collect::<Vec<_>>() }, "rank": "sharpe" });
    let started = ann.post("/backtests", &long).await.ok();
    let refused = ann.post("/backtests", &backtest_body()).await;
    assert_eq!(refused.refusal(), (403, "plan-refused"), "{}", refused.body);
    let path = format!("/backtests/{}", started["id"].as_str().unwrap());
    ann.post(&format!("{path}/cancel"), &Value::Null).await.ok();
    let ended = ann.until(&path, |found| found["status"] == "cancelled").await;
    assert_eq!(ann.post(&format!("{path}/cancel"), &Value::Null).await.ok()["status"], "cancelled", "and stays it");
    assert!(ended["figures"].is_null());
    // There is room again; what has ended stays as it is.
    let done = finished(&ann, &backtest_body()).await;
    let cancelled = ann.post(&format!("/backtests/{}/cancel", done["id"].as_str().unwrap()), &Value::Null).await.ok();
    assert_eq!(cancelled["status"], "done");
    let recorded = world.recorded(AURORA, Act::BacktestCancelled).await;
    assert_eq!(recorded, [format!("person ann@x.example: {}", started["id"].as_str().unwrap())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_left_behind_is_run_once_more() {
    let mut world = World::start().await;
    let id = {
        let ann = world.person(AURORA, "ann").await;
        finished(&ann, &backtest_body()).await["id"].as_str().unwrap().to_owned()
    };
    let left = world.left_behind(AURORA, &id).await;
    let ann = world.person(AURORA, "ann").await;
    let done = ann.until(&format!("/backtests/{left}"), |found| found["status"] == "done").await;
    let first = ann.get(&format!("/backtests/{id}")).await.ok();
    assert_eq!(done["figures"], first["figures"]);
}
