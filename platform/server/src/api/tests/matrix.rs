//! Nobody reaches what is another's: every operation, filled with another's real ids.

use super::{
    operations,
    world::{AURORA, Answer, BOREALIS, Ids, Person, World},
};
use poem::http::Method;
use serde_json::{Value, json};

/// Ids that nobody has.
fn nobodys() -> Ids {
    let id = |prefix: &str| format!("{prefix}_0123456789abc");
    Ids { account: id("acc"), order: id("ord"), decision: id("dec"), position: id("pos"), deployment: id("dep") }
}

/// A valid body of each operation that has one. A new operation without one fails here.
fn body(operation: &str, ids: &Ids) -> Value {
    match operation {
        "open_account" => json!({ "name": "Mine" }),
        "place_order" => json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" }),
        "create_deployment" => json!({
            "account": ids.account, "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M1",
            "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
        }),
        "close_position" | "start_deployment" | "stop_deployment" => Value::Null,
        other => panic!("{other} has no body here; add one"),
    }
}

fn filled(path: &str, ids: &Ids) -> String {
    let path = path.strip_prefix("/api/v1").unwrap();
    let known = [
        ("{account}", ids.account.as_str()),
        ("{order}", &ids.order),
        ("{decision}", &ids.decision),
        ("{position}", &ids.position),
        ("{deployment}", &ids.deployment),
        ("{symbol}", "EURUSD"),
    ];
    let path = known.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
    assert!(!path.contains('{'), "{path} has an id that is not tried here; add it");
    if path.ends_with("/bars") { path + "?timeframe=M1&limit=1" } else { path }
}

async fn ask(person: &Person<'_>, operation: &(String, String, String), ids: &Ids) -> Answer {
    let (method, path, id) = operation;
    let path = filled(path, ids);
    let answer = match method.as_str() {
        "GET" => person.get(&path).await,
        _ => person.post(&path, &body(id, ids)).await,
    };
    answer.anonymous()
}

/// Whether an operation names something of somebody's.
fn names_an_id(operation: &(String, String, String)) -> bool {
    operation.2 == "create_deployment" || (operation.1.contains('{') && !operation.1.contains("{symbol}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_not_there() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let ids = ann.trade().await;
    let before = snapshot(&ann, &ids).await;

    let others =
        [world.person(AURORA, "bob").await, world.person(BOREALIS, "ann").await, world.person(BOREALIS, "owner").await];
    for other in &others {
        for operation in operations().iter().filter(|o| names_an_id(o)) {
            let answer = ask(other, operation, &ids).await;
            assert_eq!(answer.refusal(), (404, "not-found"), "{operation:?}");
            assert_eq!(answer, ask(other, operation, &nobodys()).await, "{operation:?} tells that the id exists");
        }
        let filter = format!("/deployments?account={}", ids.account);
        assert_eq!(other.get(&filter).await.refusal(), (404, "not-found"));
        for list in ["/accounts", "/deployments"] {
            assert!(!other.get(list).await.ok().to_string().contains(&ids.account));
        }
    }
    assert_eq!(snapshot(&ann, &ids).await, before, "nobody moved anything");
    let mistyped = ann.get(&format!("/accounts/{}", ids.order)).await;
    assert_eq!(mistyped.refusal(), (404, "not-found"));
}

async fn snapshot(ann: &Person<'_>, ids: &Ids) -> Value {
    let mut position = ann.get(&format!("/positions/{}", ids.position)).await.ok();
    position.as_object_mut().unwrap().remove("floating");
    json!([position, ann.get(&format!("/deployments/{}", ids.deployment)).await.ok()])
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_sessions_and_roles() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let ids = ann.trade().await;

    // Nobody, and a session of one brand at another.
    let mut elsewhere = world.stranger(BOREALIS);
    elsewhere.cookie.clone_from(&ann.cookie);
    for operation in operations() {
        for stranger in [&world.stranger(AURORA), &elsewhere] {
            let answer = ask(stranger, &operation, &ids).await;
            assert_eq!(answer.refusal(), (401, "sign-in-required"), "{operation:?}");
        }
    }

    // A session without the token of its pages changes nothing.
    let mut forged = world.stranger(AURORA);
    forged.cookie.clone_from(&ann.cookie);
    for operation in operations().iter().filter(|o| o.0 == "POST") {
        assert_eq!(ask(&forged, operation, &ids).await.refusal(), (403, "csrf-refused"), "{operation:?}");
    }

    // An owner sees everything, may stop and close, and does not trade for others.
    let owner = world.person(AURORA, "owner").await;
    for path in ["accounts", "orders", "decisions", "positions", "deployments"] {
        let id = match path {
            "accounts" => &ids.account,
            "orders" => &ids.order,
            "decisions" => &ids.decision,
            "positions" => &ids.position,
            _ => &ids.deployment,
        };
        assert_eq!(owner.get(&format!("/{path}/{id}")).await.ok()["id"], json!(id));
    }
    for (path, body) in [
        (format!("/accounts/{}/orders", ids.account), body("place_order", &ids)),
        ("/deployments".to_owned(), body("create_deployment", &ids)),
        (format!("/deployments/{}/start", ids.deployment), Value::Null),
    ] {
        assert_eq!(owner.post(&path, &body).await.refusal(), (404, "not-found"), "{path}");
    }
    assert_eq!(
        owner.post(&format!("/deployments/{}/stop", ids.deployment), &Value::Null).await.ok()["status"],
        "stopped"
    );
    let closed = owner.post(&format!("/positions/{}/close", ids.position), &Value::Null).await.ok();
    assert_eq!(closed["outcome"], "approved");
    assert_eq!(owner.send(owner.request(Method::GET, "/session")).await.ok()["role"], "owner");
}
