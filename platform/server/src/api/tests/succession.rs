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

/// The same code under another version, whose fast average must be over five bars at least.
fn choosier(component: &[u8], number: &[u8; 5]) -> Vec<u8> {
    let mut bytes = version(component, number);
    let find = |bytes: &[u8], from: usize, what: &[u8]| (from..bytes.len()).find(|at| bytes[*at..].starts_with(what));
    let fast = find(&bytes, 0, b"\"fast\":{").expect("the schema has its own setting");
    let low = find(&bytes, fast, b"\"minimum\":1,").expect("it has a bound");
    assert!(low - fast < 200, "it is that setting's");
    bytes[low + b"\"minimum\":".len()] = b'5';
    bytes
}

fn set_up(version: &str, fast: i64) -> Value {
    json!({ "version": version, "settings": { "fast": fast, "slow": 8, "lots": 0.1 } })
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

/// A version that asks for other settings takes over once it has them, and begins anew with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_given_settings_that_fit_it() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let id = deployed(&ann).await;
    let path = |rest: &str| format!("/deployments/{id}/{rest}");
    world.publish(AURORA, choosier(&ema_cross(), b"0.4.0")).await;
    world.publish(AURORA, version(&ema_cross(), b"0.2.0")).await;
    for act in ["upgrade", "shadow"] {
        for (body, field) in [
            (chosen("0.4.0"), "settings/fast"),
            (set_up("0.4.0", 2), "settings/fast"),
            (json!({ "version": "0.4.0", "settings": { "fast": 5, "slow": 8 } }), "settings"),
            (json!({ "version": "0.4.0", "settings": 7 }), "settings"),
        ] {
            let refused = ann.post(&path(act), &body).await;
            assert_eq!(refused.refusal(), (422, "invalid"), "{act} {body}");
            assert_eq!(refused.body["errors"][0]["field"], field, "{act} {body}");
        }
        // The schema accepts these, the strategy does not: its fast average would not be the faster one.
        let refused = ann.post(&path(act), &set_up("0.4.0", 9)).await;
        assert_eq!(refused.refusal(), (409, "conflict"), "{act}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("fewer bars than the slow one"), "{detail}");
    }
    let running = ann.get(&format!("/deployments/{id}")).await.ok();
    assert_eq!((&running["status"], &running["strategy"]["settings"]["fast"]), (&json!("running"), &json!(3)));

    ann.post(&path("shadow"), &set_up("0.4.0", 6)).await.ok();
    assert_eq!(ann.get(&path("shadow")).await.ok()["shadow"]["version"]["version"], "0.4.0");
    let upgraded = ann.post(&path("upgrade"), &set_up("0.4.0", 5)).await.ok();
    assert_eq!((&upgraded["status"], &upgraded["strategy"]["settings"]["fast"]), (&json!("running"), &json!(5)));
    let state = async || ann.get(&path("versions")).await.ok()["changes"][0]["state"].clone();
    assert_eq!(state().await, "fresh");
    let back = ann.post(&path("rollback"), &Value::Null).await.ok();
    assert_eq!((&back["status"], &back["strategy"]["settings"]["fast"]), (&json!("running"), &json!(3)));
    assert_eq!(state().await, "fresh", "its settings are others again");
    // Whoever sends what is set already keeps the state.
    ann.post(&path("upgrade"), &set_up("0.2.0", 3)).await.ok();
    assert_eq!(state().await, "carried");
}

/// Without scripts, the page asks for settings that fit, filled in with those that run.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_asks_for_settings_that_fit() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let id = deployed(&ann).await;
    let path = |rest: &str| format!("/deployments/{id}/{rest}");
    world.publish(AURORA, version(&ema_cross(), b"0.2.0")).await;
    let form = async |version: &str| {
        let answer = ann.page(Method::GET, &path(&format!("version?version={version}")), &[]).await;
        assert_eq!(answer.status(), 200, "{version}");
        answer.text().await.unwrap()
    };
    let html = form("0.2.0").await;
    for part in ["Set up ema-cross 0.2.0", "takes the present settings", "name=\"setting.fast\"", "value=\"3\""] {
        assert!(html.contains(part), "{part} in {html}");
    }
    world.publish(AURORA, choosier(&ema_cross(), b"0.4.0")).await;
    let html = form("0.4.0").await;
    for part in ["needs other settings", "3 is less than the minimum of 5", "value=\"8\""] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(!html.contains("Nothing was changed"), "nothing was asked for yet");

    let sent = async |act: &str, fast: &str| {
        let settings = [("setting.fast", fast), ("setting.slow", "8"), ("setting.lots", "0.1")];
        let all = [[("version", "0.4.0"), ("set_up", "true")].as_slice(), &settings].concat();
        let answer = ann.page(Method::POST, &path(act), &all).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // Asked for with the settings that run, the form comes up; what is typed stays in it until it fits.
    let answer = ann.page(Method::POST, &path("upgrade"), &[("version", "0.4.0")]).await;
    assert_eq!(answer.status(), 422);
    let html = answer.text().await.unwrap();
    assert!(html.contains("do not fit ema-cross 0.4.0") && html.contains("3 is less than the minimum of 5"), "{html}");
    for (act, fast, status, said) in [
        ("upgrade", "4", 422, "4 is less than the minimum of 5"),
        ("shadow", "4", 422, "4 is less than the minimum of 5"),
        ("upgrade", "many", 422, "Write a whole number"),
        ("upgrade", "9", 409, "fewer bars than the slow one"),
    ] {
        let (answered, html) = sent(act, fast).await;
        assert_eq!(answered, status, "{act} {fast}");
        for part in ["Nothing was changed", said, &format!("value=\"{fast}\"")] {
            assert!(html.contains(part), "{act} {fast}: {part} in {html}");
        }
        assert_eq!(current(&ann, &id).await, "0.1.0");
    }
    assert_eq!(sent("shadow", "6").await.0, 303);
    assert_eq!(sent("upgrade", "5").await.0, 303);
    assert_eq!(current(&ann, &id).await, "0.4.0");
    let html = ann.page(Method::GET, &format!("/deployments/{id}"), &[]).await.text().await.unwrap();
    assert!(html.contains("Upgraded from 0.1.0 to 0.4.0") && html.contains("It began anew"), "{html}");
}

/// Settings that a version does not know are left out, and named.
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_gone_is_named() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let id = deployed(&ann).await;
    let mut other = version(&ema_cross(), b"0.3.0");
    let places: Vec<usize> = (0..other.len() - 6).filter(|at| other[*at..].starts_with(b"\"slow\"")).collect();
    places.iter().for_each(|at| other[*at..*at + 6].copy_from_slice(b"\"snow\""));
    world.publish(AURORA, other).await;
    let html = ann.page(Method::GET, &format!("/deployments/{id}/version"), &[]).await.text().await.unwrap();
    let told = "The setting slow is not known to this version and is left out.";
    for part in ["Set up ema-cross 0.3.0", told, "name=\"setting.snow\""] {
        assert!(html.contains(part), "{part} in {html}");
    }
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
