//! Expert Advisors and licences: what a vendor does, what an owner sees, and what is recorded of it.

use super::world::{AURORA, BOREALIS, Person, World};
use crate::audit::Act;
use marque_store::{LicenceEventKind, Page};
use poem::http::Method;
use serde_json::{Value, json};

fn terms(machines: u32) -> Value {
    json!({
        "name": "Monthly", "term": "subscription", "term_s": 2_678_400, "grace_s": 0, "machines": machines,
        "accounts": 1, "overage": "strict", "binding": "all", "kinds": "both", "window_s": 600, "cooldown_s": 0,
        "lease_s": 86_400, "offline_grace_s": 259_200, "heartbeat_s": 200, "requests_per_minute": 30,
    })
}

/// A licence of ann's, made by the owner.
async fn issued(owner: &Person<'_>, ea: &str) -> Value {
    let terms = terms(1);
    let policy = owner.post(&format!("/eas/{ea}/policies"), &terms).await.ok();
    assert_eq!(policy["terms"], terms, "what was sent comes back");
    owner.post("/licences", &json!({ "policy": policy["id"], "owner": "ann@x.example" })).await.ok()
}

/// The settings of a licence whose form has a number up to 5 and a text, and allows more.
async fn keeps_what_an_ea_can_read(ann: &Person<'_>, path: &str) {
    let settings = format!("{path}/settings");
    assert_eq!(ann.get(&settings).await.ok()["version"], 0);
    assert_eq!(ann.post(&settings, &json!({ "settings": { "lots": 2 } })).await.ok()["version"], 1);
    let refused = ann.post(&settings, &json!({ "settings": { "lots": 9 } })).await;
    assert_eq!((refused.refusal(), &refused.body["errors"][0]["field"]), ((422, "invalid"), &json!("/settings/lots")));
    // Whatever the form allows, what an EA cannot read is not kept.
    for (bad, field) in [
        (json!({ "other": "x" }), "/settings/other"),
        (json!({ "comment": "🦀".repeat(513) }), "/settings/comment"),
        (json!({ "comment": "a\u{0}b" }), "/settings/comment"),
    ] {
        let refused = ann.post(&settings, &json!({ "settings": bad })).await;
        assert_eq!((refused.refusal(), &refused.body["errors"][0]["field"]), ((422, "invalid"), &json!(field)));
    }
    assert_eq!(ann.get(&settings).await.ok()["version"], 1, "nothing was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_offers_an_ea_and_looks_after_its_licences() {
    let world = World::start().await;
    let (owner, ann) = (world.person(AURORA, "owner").await, world.person(AURORA, "ann").await);
    let properties = json!({ "lots": { "type": "number", "maximum": 5 }, "comment": { "type": "string" } });
    let form = json!({ "type": "object", "properties": properties, "additionalProperties": true });
    let new = json!({ "code": "gold-rush", "name": "Gold Rush", "settings_schema": form });
    let ea = owner.post("/eas", &new).await.ok();
    assert_eq!(owner.post("/eas", &new).await.refusal(), (409, "conflict"), "a code is taken once");
    let path = format!("/eas/{}", ea["id"].as_str().unwrap());
    for bad in [
        json!({ "code": "Gold Rush", "name": "x" }),
        json!({ "code": "x", "name": "" }),
        json!({ "code": "x", "name": "x", "plans": ["none-such"] }),
        json!({ "code": "x", "name": "x", "settings_schema": { "type": "array" } }),
        json!({ "code": "x", "name": "x", "settings_schema": { "type": "object", "properties": { "a b": { "type": "string" } } } }),
    ] {
        assert_eq!(owner.post("/eas", &bad).await.refusal(), (422, "invalid"), "{bad}");
    }
    let version = json!({ "version": "1.20", "channel": "stable", "changelog": "First." });
    let version = owner.post(&format!("{path}/versions"), &version).await.ok();
    let licence = issued(&owner, ea["id"].as_str().unwrap()).await;
    assert_eq!((&licence["state"], licence["ends_at"].is_string()), (&json!("active"), true));
    let path = format!("/licences/{}", licence["id"].as_str().unwrap());

    // Only its owner sees the key; whoever looks is recorded.
    let key = ann.get(&format!("{path}/key")).await.ok()["key"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 29);
    assert_eq!(owner.get(&format!("{path}/key")).await.refusal(), (404, "not-found"));
    ann.post(&format!("{path}/key"), &Value::Null).await.ok();
    assert_ne!(ann.get(&format!("{path}/key")).await.ok()["key"], json!(key));

    keeps_what_an_ea_can_read(&ann, &path).await;

    let why = json!({ "reason": "unpaid" });
    assert_eq!(owner.post(&format!("{path}/suspend"), &why).await.ok()["state"], "suspended");
    assert_eq!(owner.post(&format!("{path}/suspend"), &why).await.refusal(), (409, "conflict"));
    assert_eq!(owner.post(&format!("{path}/reinstate"), &Value::Null).await.ok()["state"], "active");
    let until = owner.post(&format!("{path}/renew"), &json!({})).await.ok()["ends_at"].clone();
    assert_ne!(until, licence["ends_at"]);
    let gone = owner.post(&format!("{path}/transfer"), &json!({ "owner": "bob@x.example" })).await.ok();
    assert_ne!(gone["user"], licence["user"]);
    assert_eq!(ann.get(&path).await.refusal(), (404, "not-found"), "it is not hers any more");
    assert_eq!(owner.post(&format!("{path}/revoke"), &why).await.ok()["state"], "revoked");
    assert_eq!(owner.post(&format!("{path}/reinstate"), &Value::Null).await.refusal(), (409, "conflict"));
    let yank = format!("/ea-versions/{}/yank", version["id"].as_str().unwrap());
    assert!(owner.post(&yank, &why).await.ok()["yanked_at"].is_string());

    let acts = world.acts(AURORA).await;
    for act in [
        "ea-product-added",
        "ea-version-added",
        "licence-policy-added",
        "licence-issued",
        "licence-key-shown",
        "licence-key-reissued",
        "licence-settings-changed",
        "licence-suspended",
        "licence-reinstated",
        "licence-renewed",
        "licence-transferred",
        "licence-revoked",
        "ea-version-yanked",
    ] {
        assert!(acts.iter().any(|known| known == act), "{act} is not in {acts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_given_a_licence_has_it_alone() {
    let world = World::start().await;
    let [.., licence, _] = world.licence(AURORA, "ann").await;
    let (owner, ann) = (world.person(AURORA, "owner").await, world.person(AURORA, "ann").await);
    let bob = world.person(AURORA, "bob").await;
    let path = format!("/licences/{licence}");
    let key = ann.get(&format!("{path}/key")).await.ok()["key"].clone();
    owner.post(&format!("{path}/transfer"), &json!({ "owner": "bob@x.example" })).await.ok();
    assert_eq!(ann.get(&format!("{path}/key")).await.refusal(), (404, "not-found"));
    assert_ne!(bob.get(&format!("{path}/key")).await.ok()["key"], key);
    assert_eq!(bob.get(&format!("{path}/activations")).await.ok()["items"], json!([]));
    let db = world.tenant(AURORA).await;
    let events = db.licence_events(licence.parse().unwrap(), Page::first(10)).await.unwrap().items;
    let kinds: Vec<LicenceEventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!((kinds, events[0].account.as_str()), (vec![LicenceEventKind::Released], "5001"));
    // The time line of her seat is the vendor's to see, and not his.
    for (person, sees) in [(&owner, true), (&bob, false)] {
        let page = person.page(Method::GET, &format!("/eas/{licence}"), &[]).await;
        assert_eq!(page.status().as_u16(), 200);
        assert_eq!(page.text().await.unwrap().contains("Account 5001"), sees);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_changed_for_every_licence_under_it() {
    let world = World::start().await;
    let [_, _, policy, ..] = world.licence(AURORA, "ann").await;
    let (owner, ann) = (world.person(AURORA, "owner").await, world.person(AURORA, "ann").await);
    let path = format!("/licence-policies/{policy}");
    assert_eq!(ann.post(&path, &terms(2)).await.refusal(), (403, "forbidden"));
    let mut nameless = terms(2);
    nameless["name"] = json!("");
    assert_eq!(owner.post(&path, &nameless).await.refusal(), (422, "invalid"));
    assert_eq!(world.recorded(AURORA, Act::LicencePolicyChanged).await, [""; 0]);
    assert_eq!(owner.post(&path, &terms(2)).await.ok()["terms"], terms(2));
    let recorded = world.recorded(AURORA, Act::LicencePolicyChanged).await;
    assert_eq!(recorded, [format!("person owner@x.example: {policy}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_shows_what_its_reader_may_see() {
    let world = World::start().await;
    let [.., licence, _] = world.licence(AURORA, "ann").await;
    world.licence(BOREALIS, "ann").await;
    let table = async |name: &str| {
        let person = world.person(AURORA, name).await;
        person.request(Method::GET, "/licences.csv").send().await.unwrap().text().await.unwrap()
    };
    let owners = table("owner").await;
    assert!(owners.starts_with("licence,product,policy,owner,state,") && owners.lines().count() == 2, "{owners}");
    assert!(owners.contains(&licence) && owners.contains("ann@x.example"));
    assert_eq!(table("bob").await.lines().count(), 1, "another's licence is not in it");
    let stranger = world.stranger(AURORA);
    assert_eq!(stranger.get("/licences.csv").await.status, 401);
    let recorded = world.recorded(AURORA, Act::LicencesExported).await;
    assert_eq!(recorded, ["owner", "bob"].map(|name| format!("person {name}@x.example: licences")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_do_what_they_say() {
    let world = World::start().await;
    let [ea, _, policy, licence, activation] = world.licence(AURORA, "ann").await;
    let (owner, ann) = (world.person(AURORA, "owner").await, world.person(AURORA, "ann").await);
    let html = async |person: &Person<'_>, method: Method, path: &str, form: &[(&str, &str)]| {
        let answer = person.page(method, path, form).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, list) = html(&ann, Method::GET, "/eas", &[]).await;
    assert!(status == 200 && list.contains("Gold Rush") && list.contains("1 of 1"), "{list}");
    let page = format!("/eas/{licence}");
    let (_, shown) = html(&ann, Method::GET, &page, &[]).await;
    assert!(shown.contains("5001 at Broker-Demo") && !shown.contains("id=\"key\""));
    let (_, shown) = html(&ann, Method::POST, &format!("{page}/key"), &[]).await;
    assert!(shown.contains("id=\"key\""));
    let release = format!("{page}/seats/{activation}/release");
    assert_eq!(html(&ann, Method::POST, &release, &[]).await.0, 303);
    assert!(html(&ann, Method::GET, "/eas", &[]).await.1.contains("0 of 1"));
    assert_eq!(html(&ann, Method::POST, &format!("{page}/settings"), &[("setting.lots", "0.5")]).await.0, 303);
    let (status, wrong) = html(&ann, Method::POST, &format!("{page}/settings"), &[("setting.lots", "many")]).await;
    assert!(status == 422 && wrong.contains("aria-invalid"), "{wrong}");

    let (_, vendor) = html(&owner, Method::GET, "/admin/eas?q=ann&state=active", &[]).await;
    assert!(vendor.contains("ann@x.example") && vendor.contains("gold-rush"), "{vendor}");
    assert!(!html(&owner, Method::GET, "/admin/eas?q=nobody", &[]).await.1.contains("ann@x.example"));
    assert!(html(&owner, Method::GET, "/admin/eas?q=5001", &[]).await.1.contains("ann@x.example"));
    let steps = format!("/admin/licences/{licence}");
    assert_eq!(html(&owner, Method::POST, &format!("{steps}/suspend"), &[("reason", "unpaid")]).await.0, 303);
    assert!(html(&owner, Method::GET, &page, &[]).await.1.contains("unpaid"));
    assert_eq!(html(&owner, Method::POST, &format!("{steps}/reinstate"), &[]).await.0, 303);
    let product = format!("/admin/eas/{ea}");
    assert_eq!(html(&owner, Method::POST, &format!("{product}/versions"), &[("version", "1.30")]).await.0, 303);
    let (status, wrong) = html(&owner, Method::POST, &format!("{product}/versions"), &[("version", "one")]).await;
    assert!(status == 422 && wrong.contains("one to three numbers"), "{wrong}");
    let form = [("name", "Trial"), ("term", "trial"), ("days", "14"), ("machines", "1"), ("accounts", "")];
    assert_eq!(html(&owner, Method::POST, &format!("{product}/policies"), &form).await.0, 303);
    assert!(html(&owner, Method::GET, &product, &[]).await.1.contains("a trial of 14 days; 1 computer, any accounts"));
    let issue = [("policy", policy.as_str()), ("owner", "bob@x.example")];
    assert_eq!(html(&owner, Method::POST, "/admin/licences", &issue).await.0, 303);
    let nobody = [("policy", policy.as_str()), ("owner", "zoe@x.example")];
    assert_eq!(html(&owner, Method::POST, "/admin/licences", &nobody).await.0, 422);
    let support = world.person(AURORA, "support").await;
    let (_, looked) = html(&support, Method::GET, &page, &[]).await;
    assert!(looked.contains("Where it runs") && !looked.contains("Revoke for good"), "who supports looks and releases");
}
