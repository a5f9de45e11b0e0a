//! A trader's day.

use super::world::{AURORA, World};
use crate::audit::Act;
use futures_util::StreamExt as _;
use poem::http::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn from_an_account_to_a_closed_position() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let market = ann.until_prices().await;
    assert!(market["open"].as_array().unwrap().contains(&json!("EURUSD")));

    let account = ann.account().await;
    let shown = ann.get(&format!("/accounts/{account}")).await.ok();
    assert_eq!(shown["balance"], "100000.00");
    assert_eq!((&shown["currency"], &shown["status"]), (&json!("USD"), &json!("active")));
    assert_eq!(shown["rules"][0]["name"], "daily-loss");
    let distances = ann.until(&format!("/accounts/{account}/distances"), |d| d["items"][0].is_object()).await;
    assert_eq!(
        (&distances["items"][0]["rule"], &distances["items"][0]["floor"]),
        (&json!("daily-loss"), &json!("95000.00"))
    );
    let goals: Vec<_> = distances["objectives"].as_array().unwrap().iter().map(|g| text(&g["name"])).collect();
    assert_eq!(goals, ["profit-target", "min-days"]);
    let largest = ann.get(&format!("/accounts/{account}/distances?instrument=EURUSD&side=sell")).await.ok();
    let largest = &largest["largest_order"];
    assert_eq!((&largest["side"], &largest["bound_by"]["code"]), (&json!("sell"), &json!("margin_too_small")));
    assert!(text(&largest["lots"]).parse::<f64>().unwrap() > 1.0, "{largest}");
    for wrong in ["instrument=NOPE", "side=buy", "instrument=EURUSD&stop_loss=-1"] {
        let refused = ann.get(&format!("/accounts/{account}/distances?{wrong}")).await;
        assert_eq!(refused.refusal(), (422, "invalid"), "{wrong}");
    }

    let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.10" });
    let decision = ann.post(&format!("/accounts/{account}/orders"), &order).await.ok();
    assert_eq!(
        (&decision["outcome"], &decision["origin"], &decision["lots"]),
        (&json!("approved"), &json!("trader"), &json!("0.1"))
    );
    let allowed =
        ["daily-loss", "max-loss", "profit-target", "min-days"].map(|rule| json!({ "rule": rule, "verdict": "allow" }));
    assert_eq!(decision["answers"], json!(allowed));
    assert_eq!(ann.get(&format!("/decisions/{}", text(&decision["id"]))).await.ok(), decision);
    let placed = ann.until(&format!("/orders/{}", text(&decision["order"])), |o| o["state"] == "filled").await;
    assert_eq!(placed["account"], json!(account));

    let open = ann.get(&format!("/accounts/{account}/positions?state=open")).await.ok();
    let position = text(&open["items"][0]["id"]);
    assert_eq!(open["items"][0]["open_price"], placed["fill_price"]);
    let closing = ann.post(&format!("/positions/{position}/close"), &Value::Null).await.ok();
    assert_eq!((&closing["intent"]["position"], &closing["outcome"]), (&json!(position), &json!("approved")));
    let closed = ann.until(&format!("/positions/{position}"), |p| p["closed"].is_object()).await;
    assert_eq!(closed["closed"]["origin"], "trader");
    let again = ann.post(&format!("/positions/{position}/close"), &Value::Null).await.ok();
    assert_eq!((&again["outcome"], &again["denial"]["code"]), (&json!("denied"), &json!("position_not_open")));

    let balances = ann.get(&format!("/accounts/{account}/balances")).await.ok();
    let cents = |value: &Value| text(value).replace('.', "").parse::<i64>().unwrap();
    let books: Vec<_> = balances["items"].as_array().unwrap().iter().map(|b| cents(&b["balance"])).collect();
    assert_eq!(books.iter().sum::<i64>(), 0, "{balances}");
    let shown = ann.get(&format!("/accounts/{account}")).await.ok();
    assert!(
        balances["items"].as_array().unwrap().iter().any(|b| b["book"] == "cash" && b["balance"] == shown["balance"])
    );
    assert_ne!(shown["balance"], "100000.00", "spread and commission are paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_wait_are_changed_paired_and_withdrawn() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let account = ann.account().await;
    let orders = format!("/accounts/{account}/orders");
    let wanted = |price: &str| json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.1", "kind": "limit", "limit_price": price });

    let placed = ann.post(&orders, &wanted("0.5")).await.ok();
    assert_eq!(
        (&placed["outcome"], &placed["intent"]["kind"], &placed["intent"]["order_kind"]),
        (&json!("approved"), &json!("place"), &json!("limit"))
    );
    let first = text(&placed["order"]);
    ann.until(&format!("/orders/{first}"), |o| o["state"] == "acked").await;

    let mut pair = wanted("0.4");
    pair["oco"] = json!(first);
    let second = text(&ann.post(&orders, &pair).await.ok()["order"]);
    assert_eq!(ann.get(&format!("/orders/{second}")).await.ok()["oco"], json!(first));

    let change = json!({ "limit_price": "0.6", "stop_loss": "0.2", "time_in_force": "day" });
    let changed = ann.post(&format!("/orders/{first}/amend"), &change).await.ok();
    assert_eq!((&changed["outcome"], &changed["order"]), (&json!("approved"), &json!(first)));
    let now = ann.get(&format!("/orders/{first}")).await.ok();
    assert_eq!(
        (&now["limit_price"], &now["stop_loss"], &now["time_in_force"]),
        (&json!("0.6"), &json!("0.2"), &json!("day"))
    );
    assert!(now["expires_at"].is_string());

    let denied = ann.post(&orders, &wanted("9")).await.ok();
    assert_eq!(denied["denial"]["code"], "price_on_wrong_side");
    let odd = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.1", "limit_price": "0.5" });
    assert_eq!(ann.post(&orders, &odd).await.refusal(), (422, "invalid"));

    assert_eq!(ann.post(&format!("/orders/{first}/cancel"), &Value::Null).await.ok()["outcome"], "approved");
    assert_eq!(ann.get(&format!("/orders/{first}")).await.ok()["state"], "cancelled");
    let again = ann.post(&format!("/orders/{first}/cancel"), &Value::Null).await.ok();
    assert_eq!(again["denial"]["code"], "order_not_working");
    for act in [Act::OrderChanged, Act::OrderCancelled] {
        let recorded = world.recorded(AURORA, act).await;
        assert_eq!(recorded, [format!("person ann@x.example: {first}")], "{act}, and nothing of what was refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_is_guarded_reduced_and_closed_by_another() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let ids = ann.trade("M1").await;
    let position = format!("/positions/{}", ids.position);

    let guard = json!({ "stop_loss": "0.5", "trail": { "distance": "0.5" } });
    assert_eq!(ann.post(&format!("{position}/guard"), &guard).await.ok()["outcome"], "approved");
    assert_eq!(ann.get(&position).await.ok()["trail"]["distance"], "0.5");

    assert_eq!(ann.post(&format!("{position}/reduce"), &json!({ "lots": "0.04" })).await.ok()["outcome"], "approved");
    let rest = ann.until(&position, |p| p["lots"] == "0.06").await;
    assert_eq!((&rest["closed_lots"], &rest["closed"]), (&json!("0.04"), &Value::Null));
    let more = ann.post(&format!("{position}/reduce"), &json!({ "lots": "1" })).await.ok();
    assert_eq!(more["denial"]["code"], "lots_above_position");

    let sell = json!({ "instrument": "EURUSD", "side": "sell", "lots": "0.06" });
    let opposite = text(&ann.post(&format!("/accounts/{}/orders", ids.account), &sell).await.ok()["order"]);
    let by = opposite.replace("ord_", "pos_");
    ann.until(&format!("/accounts/{}/positions?state=open", ids.account), |p| {
        p["items"].as_array().unwrap().len() == 2
    })
    .await;
    let closing = ann.post(&format!("{position}/close-by"), &json!({ "position": by })).await.ok();
    assert_eq!((&closing["outcome"], &closing["intent"]["by"]), (&json!("approved"), &json!(by)));
    for id in [ids.position, by] {
        ann.until(&format!("/positions/{id}"), |p| p["closed"].is_object()).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_strategies_lists_and_the_stream() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let ids = ann.trade("M1").await;
    let orders = format!("/accounts/{}/orders", ids.account);

    // A denial is a decision with a code and what decided.
    let huge = json!({ "instrument": "EURUSD", "side": "sell", "lots": "90000" });
    let denied = ann.post(&orders, &huge).await.ok();
    assert_eq!((&denied["outcome"], &denied["denial"]["code"]), (&json!("denied"), &json!("lots_too_large")));
    assert!(text(&denied["denial"]["detail"]).contains("90000"));
    let wrong = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.1", "stop_loss": "9.0" });
    assert_eq!(ann.post(&orders, &wrong).await.ok()["denial"]["code"], "stop_on_wrong_side");
    let listed = ann.get(&format!("/accounts/{}/decisions?outcome=denied", ids.account)).await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    // Pages hold together and end.
    let path = format!("/accounts/{}/decisions", ids.account);
    let all = ann.get(&path).await.ok();
    let first = ann.get(&format!("{path}?limit=1")).await;
    let link = first.link.clone().unwrap();
    let next = link.strip_prefix("</api/v1").and_then(|l| l.strip_suffix(">; rel=\"next\"")).unwrap();
    let second = ann.get(next).await.ok();
    assert_eq!(json!([first.body["items"][0], second["items"][0]]), json!([all["items"][0], all["items"][1]]));
    let cursor = text(&first.body["next"]);
    for elsewhere in [format!("{path}?outcome=denied"), "/accounts?".to_owned(), format!("{orders}?")] {
        let glue = if elsewhere.ends_with('?') { "" } else { "&" };
        let refused = ann.get(&format!("{}{glue}cursor={cursor}", elsewhere)).await;
        assert_eq!(refused.refusal(), (400, "bad-request"), "{elsewhere}");
    }
    for garbage in ["x", "%00", "%C3%A9", "AAAAAAAAAAAAAAAAAAAAAA", "'%20OR%201=1"] {
        assert_eq!(ann.get(&format!("{path}?cursor={garbage}")).await.refusal(), (400, "bad-request"), "{garbage}");
    }
    for limit in ["0", "201", "-1", "x", "99999999999999999999"] {
        assert_eq!(ann.get(&format!("{path}?limit={limit}")).await.refusal(), (400, "bad-request"), "{limit}");
    }

    // A strategy is stopped and started.
    let deployment = format!("/deployments/{}", ids.deployment);
    assert_eq!(ann.get(&deployment).await.ok()["status"], "running");
    assert_eq!(ann.post(&format!("{deployment}/stop"), &Value::Null).await.ok()["status"], "stopped");
    assert_eq!(ann.post(&format!("{deployment}/start"), &Value::Null).await.ok()["status"], "running");
    let mine = ann.get(&format!("/deployments?account={}", ids.account)).await.ok();
    assert_eq!(mine["items"][0]["id"], json!(ids.deployment));
    assert!(ann.get(&format!("{deployment}/log")).await.ok()["items"].is_array());
    let bad = json!({
        "account": ids.account, "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M1",
        "settings": { "fast": "three" },
    });
    let refused = ann.post("/deployments", &bad).await;
    assert_eq!(refused.refusal(), (422, "invalid"));
    assert!(refused.body["errors"].as_array().unwrap().iter().any(|e| text(&e["field"]).starts_with("settings")));

    follow(&world, &ids.account).await;
}

/// The stream shows the account and what happens on it.
async fn follow(world: &World, account: &str) {
    let ann = world.person(AURORA, "ann").await;
    let response = ann.request(Method::GET, &format!("/accounts/{account}/live")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut chunks = response.bytes_stream();
    let order = json!({ "instrument": "EURUSD", "side": "sell", "lots": "0.01" });
    let placed = ann.post(&format!("/accounts/{account}/orders"), &order).await.ok();
    let wanted = [
        "\"kind\":\"moved\"".to_owned(),
        format!("\"id\":\"{}\"", text(&placed["id"])),
        "\"kind\":\"position\"".to_owned(),
    ];
    let mut seen = String::new();
    let reading = async {
        while !wanted.iter().all(|part| seen.contains(part)) {
            seen.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(done.is_ok(), "the stream only says {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_market_shows() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let instruments = ann.get("/instruments").await.ok();
    assert_eq!(instruments["items"][0]["symbol"], "EURUSD");
    let plugins = ann.get("/plugins").await.ok();
    let names: Vec<_> =
        plugins["items"].as_array().unwrap().iter().map(|p| (text(&p["name"]), text(&p["kind"]))).collect();
    let offered = ["daily-loss", "ema-cross", "max-loss", "min-days", "profit-target"];
    assert_eq!(names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), offered);
    assert_eq!((names[0].1.as_str(), names[1].1.as_str()), ("risk_rule", "strategy"));
    assert_eq!(plugins["items"][1]["settings_schema"]["type"], "object");

    let bars = ann.get("/instruments/EURUSD/bars?timeframe=M5&limit=30").await.ok();
    let times: Vec<_> = bars["items"].as_array().unwrap().iter().map(|b| text(&b["open_at"])).collect();
    assert_eq!(times.len(), 30);
    assert!(times.is_sorted());
    let future = ann.get("/instruments/EURUSD/bars?timeframe=M5&limit=1&before=2999-01-01T00:00:00Z").await.ok();
    let now = text(&ann.get("/market").await.ok()["now"]);
    assert!(text(&future["items"][0]["open_at"]) < now, "the future is not shown");
    for (query, expect) in [
        ("EURUSD/bars?timeframe=M5&limit=1001", (400, "bad-request")),
        ("EURUSD/bars?timeframe=M7", (400, "bad-request")),
        ("EURUSD/bars", (400, "bad-request")),
        ("EURUSD/bars?timeframe=M5&before=yesterday", (400, "bad-request")),
        ("NOTHING/bars?timeframe=M5", (404, "not-found")),
        ("%00/bars?timeframe=M5", (404, "not-found")),
    ] {
        assert_eq!(ann.get(&format!("/instruments/{query}")).await.refusal(), expect, "{query}");
    }
}
