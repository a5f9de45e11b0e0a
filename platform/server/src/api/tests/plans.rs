//! What a plan limits and opens, as a trader meets it.

use super::world::{AURORA, BOREALIS, Person, World};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn strategy(account: &str, instrument: &str) -> Value {
    json!({
        "account": account, "strategy": "ema-cross", "instrument": instrument, "timeframe": "M1",
        "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
    })
}

async fn deploy(who: &Person<'_>, account: &str, instrument: &str) -> (u16, String) {
    let answer = who.post("/deployments", &strategy(account, instrument)).await;
    let said = if answer.status < 300 { &answer.body["id"] } else { &answer.body["detail"] };
    (answer.status, said.as_str().unwrap().to_owned())
}

/// Aurora's Start: one strategy, one instrument, ten orders a day. Plus: five, three and fifty.
#[tokio::test(flavor = "multi_thread")]
async fn strategies_and_instruments_at_once() {
    let world = World::start().await;
    world.put_on_plan(AURORA, "ann", "start").await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let (one, two) = (ann.account().await, ann.account().await);
    let (status, first) = deploy(&ann, &one, "EURUSD").await;
    assert_eq!(status, 200, "{first}");
    let full = (
        403,
        "The plan Start runs 1 strategy at once, on all your accounts together. Stop one, or choose a larger plan."
            .to_owned(),
    );
    // Another account is no way around it, and neither is starting what was stopped.
    assert_eq!(deploy(&ann, &two, "EURUSD").await, full);
    ann.post(&format!("/deployments/{first}/stop"), &Value::Null).await.ok();
    let (status, second) = deploy(&ann, &two, "EURUSD").await;
    assert_eq!(status, 200, "{second}");
    let again = ann.post(&format!("/deployments/{first}/start"), &Value::Null).await;
    assert_eq!((again.refusal(), again.body["detail"].as_str()), ((403, "plan-refused"), Some(full.1.as_str())));
    assert_eq!(ann.get(&format!("/deployments/{first}")).await.ok()["status"], "stopped");

    world.put_on_plan(AURORA, "ann", "plus").await;
    ann.post(&format!("/deployments/{first}/start"), &Value::Null).await.ok();
    // A plan that is not sold any more is the first.
    world.put_on_plan(AURORA, "ann", "gone").await;
    assert_eq!(deploy(&ann, &one, "EURUSD").await, full);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_at_once_as_many_run_as_the_plan_has() {
    let world = World::start().await;
    world.put_on_plan(AURORA, "ann", "plus").await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let account = ann.account().await;
    let answers = join_all((0..20).map(|_| deploy(&ann, &account, "EURUSD"))).await;
    let running = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(running, 5, "{answers:?}");
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 403)), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_a_day_are_the_persons_and_follow_the_plan() {
    let world = World::start().await;
    world.put_on_plan(AURORA, "ann", "start").await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let accounts = [ann.account().await, ann.account().await];
    assert_eq!(ann.get(&format!("/accounts/{}", accounts[0])).await.ok()["trades_per_day"], 10);
    let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
    let mut outcomes = Vec::new();
    for turn in 0..12 {
        let path = format!("/accounts/{}/orders", accounts[turn % 2]);
        let decision = ann.post(&path, &order).await.ok();
        outcomes.push(decision["denial"]["code"].as_str().unwrap_or("approved").to_owned());
    }
    let approved = outcomes.iter().take_while(|o| *o == "approved").count();
    assert_eq!(
        (approved, &outcomes[10..]),
        (10, &["daily_trade_limit".to_owned(), "daily_trade_limit".to_owned()][..])
    );
    world.put_on_plan(AURORA, "ann", "plus").await;
    assert_eq!(ann.get(&format!("/accounts/{}", accounts[1])).await.ok()["trades_per_day"], 50);
    assert_eq!(ann.post(&format!("/accounts/{}/orders", accounts[1]), &order).await.ok()["outcome"], "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_open_with_the_plans_that_sell_them() {
    let world = World::start().await;
    // Borealis sells the API with its larger plans; Aurora sells it with none, so it is open there.
    let ann = world.person(BOREALIS, "ann").await;
    world.put_on_plan(BOREALIS, "ann", "scout").await;
    let refused = ann.get("/accounts").await;
    assert_eq!(refused.refusal(), (403, "plan-refused"));
    assert_eq!(refused.body["detail"], "The plan Scout does not include the API. It comes with Ranger and Vanguard.");
    world.put_on_plan(BOREALIS, "ann", "ranger").await;
    ann.get("/accounts").await.ok();
    world.person(BOREALIS, "owner").await.get("/accounts").await.ok();

    // Older decisions: the first page is for everybody.
    world.put_on_plan(AURORA, "ann", "start").await;
    let ann = world.person(AURORA, "ann").await;
    ann.until_prices().await;
    let account = ann.account().await;
    let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
    for _ in 0..2 {
        ann.post(&format!("/accounts/{account}/orders"), &order).await.ok();
    }
    let first = ann.get(&format!("/accounts/{account}/decisions?limit=1")).await.ok();
    let next = format!("/accounts/{account}/decisions?limit=1&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(ann.get(&next).await.refusal(), (403, "plan-refused"));
    world.put_on_plan(AURORA, "ann", "plus").await;
    assert_eq!(ann.get(&next).await.ok()["items"].as_array().unwrap().len(), 1);
}
