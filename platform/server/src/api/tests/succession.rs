//! Versions of a deployment as its owner meets them: upgrade, roll-back, a version beside the live one, what all of it uses.

use super::world::{AURORA, BOREALIS, Person, World, components};
use poem::http::Method;
use serde_json::{Value, json};

/// The shipped EMA cross.
fn ema_cross() -> Vec<u8> {
    let path = components().iter().find(|path| path.to_string_lossy().contains("ema")).unwrap();
    std::fs::read(path).unwrap()
}

/// The same code under another version.
fn version(component: &[u8], version: &[u8; 5]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    let places: Vec<usize> = (0..bytes.len() - 5).filter(|at| bytes[*at..].starts_with(b"0.1.0")).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[*at..*at + 5].copy_from_slice(version));
    bytes
}

fn chosen(version: &str) -> Value {
    json!({ "version": version })
}

async fn current(person: &Person<'_>, deployment: &str) -> String {
    let versions = person.get(&format!("/deployments/{deployment}/versions")).await.ok();
    versions["current"]["version"].as_str().unwrap().to_owned()
}

async fn deployed(person: &Person<'_>) -> String {
    person.until_prices().await;
    let account = person.account().await;
    let strategy = json!({
        "account": account, "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M1",
        "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
    });
    person.post("/deployments", &strategy).await.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_takes_over_goes_back_and_runs_beside() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let id = deployed(&ann).await;
    let path = |rest: &str| format!("/deployments/{id}/{rest}");
    world.publish(AURORA, version(&ema_cross(), b"0.2.0")).await;

    let versions = ann.get(&path("versions")).await.ok();
    assert_eq!((&versions["current"]["version"], &versions["previous"]), (&json!("0.1.0"), &Value::Null));
    assert_eq!(versions["offered"][0]["version"], "0.2.0");
    assert_eq!(versions["offered"][0]["settings_fit"], true);
    assert_eq!(ann.post(&path("rollback"), &Value::Null).await.refusal(), (409, "conflict"));
    assert_eq!(ann.post(&path("upgrade"), &chosen("9.9.9")).await.refusal(), (422, "invalid"));
    assert_eq!(ann.post(&path("upgrade"), &chosen("0.1.0")).await.refusal(), (422, "invalid"));

    let upgraded = ann.post(&path("upgrade"), &chosen("0.2.0")).await.ok();
    assert_eq!(upgraded["status"], "running");
    let versions = ann.get(&path("versions")).await.ok();
    assert_eq!(versions["current"]["version"], "0.2.0");
    assert_eq!(versions["previous"]["version"], "0.1.0");
    assert_eq!(versions["changes"][0]["kind"], "upgrade");
    assert_eq!(versions["changes"][0]["state"], "carried");
    ann.post(&path("rollback"), &Value::Null).await.ok();
    let versions = ann.get(&path("versions")).await.ok();
    assert_eq!((&versions["current"]["version"], &versions["previous"]), (&json!("0.1.0"), &Value::Null));

    assert_eq!(ann.get(&path("shadow")).await.ok(), json!({}));
    assert_eq!(ann.post(&path("shadow/promote"), &Value::Null).await.refusal(), (409, "conflict"));
    ann.post(&path("shadow"), &chosen("0.2.0")).await.ok();
    // Bars close every two seconds of this market.
    let report = ann.until(&path("shadow"), |found| found["shadow"]["compared"].as_u64() >= Some(2)).await;
    assert_eq!(report["shadow"]["version"]["version"], "0.2.0");
    assert_eq!(report["shadow"]["differing"], 0, "the same code decides the same");
    assert_eq!(ann.get(&path("shadow/differences")).await.ok()["items"], json!([]));
    ann.post(&path("shadow/promote"), &Value::Null).await.ok();
    assert_eq!(current(&ann, &id).await, "0.2.0");
    assert_eq!(ann.get(&path("shadow")).await.ok()["shadow"]["ended"], "promoted");
    ann.post(&path("shadow"), &chosen("0.1.0")).await.ok();
    ann.post(&path("shadow/drop"), &Value::Null).await.ok();
    assert_eq!(ann.get(&path("shadow")).await.ok()["shadow"]["ended"], "dropped");

    let acts = world.acts(AURORA).await;
    for act in ["strategy-upgraded", "strategy-rolled-back", "shadow-started", "shadow-promoted", "shadow-ended"] {
        assert!(acts.iter().any(|found| found == act), "{act} in {acts:?}");
    }
}

/// What does not fit stays out, and the old version goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_take_over_leaves_the_old_version_running() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let id = deployed(&ann).await;
    let path = |rest: &str| format!("/deployments/{id}/{rest}");
    // Its settings are others: a required one has another name.
    let mut other = version(&ema_cross(), b"0.3.0");
    let places: Vec<usize> = (0..other.len() - 6).filter(|at| other[*at..].starts_with(b"\"slow\"")).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| other[*at..*at + 6].copy_from_slice(b"\"snow\""));
    world.publish(AURORA, other).await;
    let versions = ann.get(&path("versions")).await.ok();
    assert_eq!(versions["offered"][0]["settings_fit"], false);
    for act in ["upgrade", "shadow"] {
        let refused = ann.post(&path(act), &chosen("0.3.0")).await;
        assert_eq!(refused.refusal(), (422, "invalid"), "{act}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("settings of this deployment do not fit ema-cross 0.3.0"), "{detail}");
        assert!(!refused.body["errors"].as_array().unwrap().is_empty());
    }
    assert_eq!(current(&ann, &id).await, "0.1.0");
    assert_eq!(ann.get(&format!("/deployments/{id}")).await.ok()["status"], "running");

    // The page says the same, without scripts.
    let answer = ann.page(Method::POST, &path("upgrade"), &[("version", "0.3.0")]).await;
    assert_eq!(answer.status(), 422);
    let html = answer.text().await.unwrap();
    assert!(html.contains("Nothing was changed") && html.contains("do not fit ema-cross 0.3.0"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_does_what_the_api_does() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let id = deployed(&ann).await;
    world.publish(AURORA, version(&ema_cross(), b"0.2.0")).await;
    let path = |rest: &str| format!("/deployments/{id}{rest}");
    let page = async || ann.page(Method::GET, &path(""), &[]).await.text().await.unwrap();
    let html = page().await;
    for part in ["version 0.1.0", "0.2.0 (stable)", "Run it beside, without orders", "Nothing logged"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let done = async |rest: &str, form: &[(&str, &str)]| {
        let answer = ann.page(Method::POST, &path(rest), form).await;
        assert_eq!(answer.status(), 303, "{rest}");
    };
    done("/upgrade", &[("version", "0.2.0")]).await;
    let html = page().await;
    assert!(html.contains("Upgraded from 0.1.0 to 0.2.0") && html.contains("Go back to 0.1.0"), "{html}");
    done("/rollback", &[]).await;
    assert!(page().await.contains("Went back from 0.2.0 to 0.1.0"));
    done("/shadow", &[("version", "0.2.0")]).await;
    assert!(page().await.contains("Let it take over"));
    done("/shadow/promote", &[]).await;
    assert!(page().await.contains("0.2.0 took over from 0.1.0"));
    assert_eq!(current(&ann, &id).await, "0.2.0");
    let again = ann.page(Method::POST, &path("/shadow/drop"), &[]).await;
    assert_eq!(again.status(), 409);
    assert!(again.text().await.unwrap().contains("No release runs beside the live one"));
}

fn fuel(row: &Value) -> u64 {
    row["usage"]["fuel"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn meters_equal_their_sums_and_show_everybody_their_own() {
    let world = World::start().await;
    let (ann, bob) = (world.person(AURORA, "ann").await, world.person(AURORA, "bob").await);
    let (first, second) = (deployed(&ann).await, deployed(&ann).await);
    let others = deployed(&bob).await;
    let metered = |found: &Value| found["deployments"].as_array().unwrap().len() == 2;
    ann.until("/usage", metered).await;
    for id in [&first, &second] {
        ann.post(&format!("/deployments/{id}/stop"), &Value::Null).await.ok();
    }
    bob.post(&format!("/deployments/{others}/stop"), &Value::Null).await.ok();
    // What was used before the stop is committed a moment later, and stays as it is then.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let mine = ann.get("/usage").await.ok();
    let rows = mine["deployments"].as_array().unwrap().clone();
    let total = mine["total"]["fuel"].as_u64().unwrap();
    assert!(total > 10_000, "{mine}");
    assert!(mine["total"]["memory_bytes_peak"].as_u64().unwrap() >= 64 << 10, "{mine}");
    assert!(mine["total"]["time_us"].as_u64().unwrap() > 0, "{mine}");
    assert_eq!(rows.iter().map(fuel).sum::<u64>(), total);
    assert_eq!(mine["days"].as_array().unwrap().iter().map(fuel).sum::<u64>(), total);
    let mut singly = 0;
    for id in [&first, &second] {
        let report = ann.get(&format!("/deployments/{id}/usage")).await.ok();
        singly += report["total"]["fuel"].as_u64().unwrap();
        assert!(rows.iter().any(|row| row["deployment"] == **id));
    }
    assert_eq!(singly, total);
    assert_eq!(mine["plans"], Value::Null, "plans are the brand's affair");

    let brand = world.person(AURORA, "owner").await.get("/usage").await.ok();
    let theirs = bob.get("/usage").await.ok()["total"]["fuel"].as_u64().unwrap();
    assert_eq!(brand["total"]["fuel"].as_u64().unwrap(), total + theirs);
    let plans = brand["plans"].as_array().unwrap();
    assert_eq!(plans.iter().map(fuel).sum::<u64>(), total + theirs);
    assert_eq!(plans.iter().map(|row| row["people"].as_u64().unwrap()).sum::<u64>(), 2);
    let elsewhere = world.person(BOREALIS, "owner").await.get("/usage").await.ok();
    assert_eq!((&elsewhere["total"]["fuel"], &elsewhere["plans"]), (&json!(0), &json!([])));

    let html = ann.page(Method::GET, "/usage?days=1", &[]).await.text().await.unwrap();
    assert!(html.contains("Your strategies") && html.contains("ema-cross on EURUSD") && !html.contains("By plan"));
    let html = world.person(AURORA, "owner").await.page(Method::GET, "/usage", &[]).await.text().await.unwrap();
    assert!(html.contains("By plan") && html.contains("bob@x.example"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_used_up_pauses_its_strategies() {
    let world = World::with(
        "api_per_minute = 1000000\ntrading_per_minute = 1000000\nsign_in_attempts = 1000\nhost_known_s = 1\n",
    )
    .await;
    world.put_on_plan(AURORA, "ann", "start").await;
    let (ann, bob) = (world.person(AURORA, "ann").await, world.person(AURORA, "bob").await);
    let (id, other) = (deployed(&ann).await, deployed(&bob).await);
    world.limit_fuel(AURORA, "start", 1_000).await;
    let paused = ann.until(&format!("/deployments/{id}"), |found| found["status"] == "paused").await;
    let reason = paused["status_reason"].as_str().unwrap();
    assert!(reason.starts_with("The plan Start runs strategies for 1 thousand instructions a day"), "{reason}");
    let again = ann.post(&format!("/deployments/{id}/start"), &Value::Null).await;
    assert_eq!(again.refusal(), (403, "plan-refused"));
    assert_eq!(bob.get(&format!("/deployments/{other}")).await.ok()["status"], "running", "another plan has no limit");
    let html = ann.page(Method::GET, "/usage", &[]).await.text().await.unwrap();
    assert!(
        html.contains("Today&#x27;s instructions are used up") || html.contains("instructions are used up"),
        "{html}"
    );
    world.put_on_plan(AURORA, "ann", "plus").await;
    ann.post(&format!("/deployments/{id}/start"), &Value::Null).await.ok();
    assert_eq!(ann.get(&format!("/deployments/{id}")).await.ok()["status"], "running");
}
