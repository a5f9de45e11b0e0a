//! Money that the brand moves, races included, and the kill switch: as a trader, a broker and the operator.

use super::world::{AURORA, PASSWORD, Person, World};
use crate::{audit::Act, secrets};
use futures_util::future::join_all;
use marque_domain::kill::{KillMode, KillScope};
use marque_store::{KillAct, KillRequest};
use poem::http::Method;
use serde_json::{Value, json};

fn movement(kind: &str, amount: &str, reference: &str) -> Value {
    json!({ "kind": kind, "amount": amount, "reference": reference, "note": "a test" })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_withdrawals_at_once_exactly_one_is_made() {
    let world = World::start().await;
    let (ann, admin) = (world.person(AURORA, "ann").await, world.person(AURORA, "admin").await);
    ann.until_prices().await;
    let account = ann.account().await;
    let path = format!("/accounts/{account}/transactions");
    let asked = (0..100).map(|n| {
        let (admin, path) = (&admin, &path);
        async move { admin.post(path, &movement("withdrawal", "60000.00", &format!("race-{n}"))).await }
    });
    let answers = join_all(asked).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 1);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.refusal(), (409, "conflict"));
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("60000.00") && detail.contains("40000.00"), "it names the numbers: {detail}");
    }
    let statement = ann.get(&path).await.ok();
    let lines = statement["items"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{statement}");
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["amount"], &lines[0]["balance"]),
        (&json!("withdrawal"), &json!("-60000.00"), &json!("40000.00"))
    );
    assert_eq!((&lines[1]["kind"], &lines[1]["balance"]), (&json!("deposit"), &json!("100000.00")));
    let books = world.books(AURORA).await;
    assert_eq!(books.faults, []);
    assert!(world.acts(AURORA).await.iter().any(|act| act == "money-moved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_made_once_and_a_proof_is_asked_for() {
    let world = World::start().await;
    let (ann, admin) = (world.person(AURORA, "ann").await, world.person(AURORA, "admin").await);
    ann.until_prices().await;
    let account = ann.account().await;
    let path = format!("/accounts/{account}/transactions");
    let first = admin.post(&path, &movement("deposit", "250.00", "wire-1")).await.ok();
    // Under another Idempotency-Key: the reference itself counts once.
    assert_eq!(admin.post(&path, &movement("deposit", "250.00", "wire-1")).await.ok(), first);
    let other = admin.post(&path, &movement("fee", "250.00", "wire-1")).await;
    assert_eq!(other.refusal(), (409, "conflict"), "{other:?}");
    for (bad, field) in [
        (movement("deposit", "-1", "x"), "/amount"),
        (movement("deposit", "0.001", "x"), "/amount"),
        (movement("deposit", "1", "two words"), "/reference"),
    ] {
        let refused = admin.post(&path, &bad).await;
        assert_eq!(refused.refusal(), (422, "invalid"), "{bad}");
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    assert_eq!(ann.get(&format!("/accounts/{account}")).await.ok()["balance"], "100250.00");

    // A browser that was left open does not move money.
    world.forget_proof(AURORA, "admin").await;
    let refused = admin.post(&path, &movement("withdrawal", "1.00", "w")).await;
    assert_eq!(refused.refusal().1, "step-up-required");
    let form = [("kind", "withdrawal"), ("amount", "1.00"), ("reference", "w")];
    let page = admin.page(Method::POST, &format!("/accounts/{account}/money"), &form).await;
    assert_eq!(page.status(), 303, "it leads to where one confirms who one is");
    assert_eq!(ann.get(&format!("/accounts/{account}")).await.ok()["balance"], "100250.00");

    for (password, status) in [("somebody else's", 401), (PASSWORD, 303)] {
        let answer = admin.page(Method::POST, "/confirm", &[("password", password)]).await;
        assert_eq!(answer.status().as_u16(), status, "{password}");
    }
    let by_admin = format!("person admin@x.example: {}", admin.user().await);
    for act in [Act::StepUpFailed, Act::StepUp] {
        assert_eq!(world.recorded(AURORA, act).await, [by_admin.as_str()], "{act}");
    }

    // Its owner reads it, as a page and as a file.
    let page = ann.page(Method::GET, &format!("/accounts/{account}/money"), &[]).await.text().await.unwrap();
    assert!(page.contains("wire-1") && !page.contains("Move money"), "{page}");
    let file = ann.page(Method::GET, &format!("/accounts/{account}/statement.csv"), &[]).await;
    assert!(file.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert!(file.text().await.unwrap().contains("Deposit,250.00,100250.00,USD,wire-1,a test"));
    let other = world.person(AURORA, "bob").await;
    let refused = other.page(Method::GET, &format!("/accounts/{account}/statement.csv"), &[]).await;
    assert_eq!(refused.status(), 404);
    let recorded = world.recorded(AURORA, Act::StatementExported).await;
    assert_eq!(recorded, [format!("person ann@x.example: {account}")], "who took it away, and no other");
}

async fn outcome(person: &Person<'_>, account: &str) -> Value {
    let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
    person.post(&format!("/accounts/{account}/orders"), &order).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_stops_closes_and_stays_on_until_it_is_released() {
    let world = World::start().await;
    let (ann, bob) = (world.person(AURORA, "ann").await, world.person(AURORA, "bob").await);
    let risk = world.person(AURORA, "risk").await;
    let ids = ann.trade("D1").await;
    let (press, release) = ("/kill-switches", "/kill-switches/release");

    let on = ann.post(press, &json!({ "account": ids.account, "mode": "close", "reason": "enough" })).await.ok();
    assert_eq!(
        (&on["stops"], &on["by"], &on["reason"]),
        (&json!("account"), &json!("ann@x.example"), &json!("enough"))
    );
    let open = format!("/accounts/{}/positions?state=open", ids.account);
    assert_eq!(ann.get(&open).await.ok()["items"], json!([]), "closed with the answer");
    assert_eq!(ann.get(&format!("/deployments/{}", ids.deployment)).await.ok()["status"], "stopped");
    let denied = outcome(&ann, &ids.account).await;
    assert_eq!(denied["denial"]["code"], "kill_switch");
    let detail = denied["denial"]["detail"].as_str().unwrap();
    assert!(detail.contains("ann@x.example") && detail.contains("enough"), "{detail}");
    let refused = ann.post(&format!("/deployments/{}/start", ids.deployment), &Value::Null).await;
    assert_eq!(refused.refusal(), (409, "conflict"));
    assert_eq!(bob.get(press).await.ok()["items"], json!([]), "another's switch is not shown");

    // More than one's own is the broker's, and who is lower does not let go of it.
    assert_eq!(ann.post(press, &json!({ "mode": "stop" })).await.refusal(), (403, "forbidden"));
    let by_broker = json!({ "account": ids.account, "mode": "stop", "reason": "we are looking into it" });
    let named = risk.post(press, &by_broker).await.ok();
    assert!(!named["by"].as_str().unwrap().contains("@"), "traders are not shown who works for the brand: {named}");
    ann.post(release, &json!({ "account": ids.account })).await.ok();
    assert_eq!(ann.post(release, &json!({ "account": ids.account })).await.refusal(), (409, "conflict"));
    assert_eq!(outcome(&ann, &ids.account).await["denial"]["code"], "kill_switch");
    risk.post(release, &json!({ "account": ids.account })).await.ok();
    assert_eq!(outcome(&ann, &ids.account).await["outcome"], "approved", "release restores");
    let acts = world.acts(AURORA).await;
    assert!(["kill-pressed", "kill-released"].iter().all(|act| acts.iter().any(|known| known == act)), "{acts:?}");

    // The same from the page, with one tap.
    let page = ann.page(Method::POST, &format!("/accounts/{}/kill", ids.account), &[("mode", "stop")]).await;
    assert_eq!(page.status(), 303);
    ann.until(press, |found| found["items"].as_array().unwrap().len() == 1).await;
    let page = ann.page(Method::GET, &format!("/accounts/{}", ids.account), &[]).await.text().await.unwrap();
    assert!(page.contains("The kill switch is on for this account") && page.contains("Release the kill switch"));
    let page = ann.page(Method::POST, &format!("/accounts/{}/release", ids.account), &[]).await;
    assert_eq!(page.status(), 303);
    ann.until(press, |found| found["items"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_stops_every_desk() {
    let world = World::start().await;
    let (ann, elsewhere) = (world.person(AURORA, "ann").await, world.person(super::world::BOREALIS, "ann").await);
    let mut accounts = Vec::new();
    for person in [&ann, &elsewhere] {
        person.until_prices().await;
        accounts.push(person.account().await);
    }
    let ask = async |act: KillAct| {
        let (id, asked_at) = (secrets::new_id(crate::testing::NOON).unwrap(), crate::testing::NOON);
        let (scope, reason) = (KillScope::Platform, "wrong prices".to_owned());
        let request = KillRequest { id, tenant: None, scope, act, reason, asked_at, done_at: None, refused: None };
        let system = world.store.system();
        system.request_kill(&request).await.unwrap();
        while system.kill_request(id).await.unwrap().done_at.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(system.kill_request(id).await.unwrap().refused, None);
    };
    ask(KillAct::Press(KillMode::Stop)).await;
    for (person, account) in [&ann, &elsewhere].into_iter().zip(&accounts) {
        assert_eq!(outcome(person, account).await["denial"]["code"], "kill_switch");
        person.until("/kill-switches", |found| found["items"][0]["stops"] == "platform").await;
    }
    let owner = world.person(AURORA, "owner").await;
    owner.until("/kill-switches", |found| found["items"][0]["stops"] == "platform").await;
    let page = owner.page(Method::GET, "/admin/kill", &[]).await.text().await.unwrap();
    assert!(page.contains("the whole platform") && page.contains("wrong prices"));
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    ask(KillAct::Release).await;
    for (person, account) in [&ann, &elsewhere].into_iter().zip(&accounts) {
        assert_eq!(outcome(person, account).await["outcome"], "approved");
    }
}
