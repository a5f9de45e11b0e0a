//! From an author's component to a trader's deployment: the gate, signatures, approval, channels, withdrawal.

use super::world::{AURORA, BOREALIS, Person, World, components};
use crate::{
    audit::Act,
    plugins::signature::{AuthorKey, Statement},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The EMA cross as somebody else's work: another name and version of the same length, so that it is another component.
fn component(name: &str, version: &str) -> Vec<u8> {
    let path = components().iter().find(|path| path.ends_with("ema-cross.wasm")).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    for (from, to) in [("ema-cross", name), ("0.1.0", version)] {
        assert_eq!(from.len(), to.len());
        let places: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
        assert!(!places.is_empty(), "{from} is not in the component");
        places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    }
    bytes
}

fn contract() -> String {
    let wit = include_str!("../../../../../sdk/wit/types.wit");
    let version = wit.split_once("package marque:plugin@").unwrap().1.split(';').next().unwrap();
    version.rsplit_once('.').unwrap().0.to_owned()
}

fn signed(key: &AuthorKey, name: &str, version: &str, channel: &str) -> Value {
    let component = component(name, version);
    let digest = marque_domain::plugin::PluginDigest(Sha256::digest(&component).into());
    let contract = contract();
    let statement = Statement { digest, name, version, contract: &contract };
    json!({
        "component": BASE64_STANDARD.encode(&component), "public_key": key.public(), "signature": key.sign(&statement),
        "channel": channel, "changelog": "First.",
    })
}

async fn register(person: &Person<'_>) -> (AuthorKey, String) {
    let key = AuthorKey::new().unwrap();
    let added = person.post("/plugins/keys", &json!({ "name": "Laptop", "public_key": key.public() })).await.ok();
    (key, added["id"].as_str().unwrap().to_owned())
}

async fn publish(person: &Person<'_>, body: &Value) -> String {
    let release = person.post("/plugins/releases", body).await.ok();
    assert_eq!((&release["status"], &release["report"]["accepted"]), (&json!("pending"), &json!(true)), "{release}");
    release["id"].as_str().unwrap().to_owned()
}

/// The version that a new deployment would take; none when it is not offered.
async fn offered(person: &Person<'_>, name: &str) -> Option<String> {
    let catalogue = person.get("/plugins").await.ok();
    let found = catalogue["items"].as_array().unwrap().iter().find(|plugin| plugin["name"] == name)?;
    found["version"].as_str().map(str::to_owned)
}

async fn act(person: &Person<'_>, release: &str, what: &str) -> super::world::Answer {
    let body = if what == "approve" { Value::Null } else { json!({ "reason": "It trades too much" }) };
    person.post(&format!("/plugins/releases/{release}/{what}"), &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_author_to_a_trader() {
    let world = World::start().await;
    let (author, admin, ann) =
        (world.person(AURORA, "author").await, world.person(AURORA, "admin").await, world.person(AURORA, "ann").await);
    let (key, key_id) = register(&author).await;
    let first = publish(&author, &signed(&key, "gap-fades", "1.0.0", "stable")).await;
    assert_eq!(offered(&ann, "gap-fades").await, None, "nobody has approved it");
    assert_eq!(act(&author, &first, "approve").await.refusal(), (403, "forbidden"));
    assert_eq!(act(&admin, &first, "approve").await.ok()["status"], "approved");
    assert_eq!(offered(&ann, "gap-fades").await.as_deref(), Some("1.0.0"));
    assert_eq!(offered(&world.person(BOREALIS, "ann").await, "gap-fades").await, None, "each brand has its own");

    // A trader deploys it; that deployment keeps its version, whatever comes.
    ann.until_prices().await;
    let account = ann.account().await;
    let wanted = json!({
        "account": account, "strategy": "gap-fades", "instrument": "EURUSD", "timeframe": "M1",
        "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
    });
    let pinned = ann.post("/deployments", &wanted).await.ok();

    // A higher version takes its place for new deployments, a lower or a beta one does not.
    for (version, channel, then) in
        [("1.2.0", "stable", "1.2.0"), ("1.1.0", "stable", "1.2.0"), ("2.0.0", "beta", "1.2.0")]
    {
        let id = publish(&author, &signed(&key, "gap-fades", version, channel)).await;
        act(&admin, &id, "approve").await.ok();
        assert_eq!(offered(&ann, "gap-fades").await.as_deref(), Some(then), "after {version}");
    }
    let newer = ann.post("/deployments", &wanted).await.ok();
    assert_ne!(newer["strategy"]["digest"], pinned["strategy"]["digest"], "{newer}");
    let mut ahead = wanted.clone();
    ahead["channel"] = json!("beta");
    let ahead = ann.post("/deployments", &ahead).await.ok();
    let beta: [u8; 32] = Sha256::digest(component("gap-fades", "2.0.0")).into();
    assert_eq!(ahead["strategy"]["digest"], json!(marque_domain::plugin::PluginDigest(beta).to_string()));
    let still = ann.get(&format!("/deployments/{}", pinned["id"].as_str().unwrap())).await.ok();
    assert_eq!(still["strategy"]["digest"], pinned["strategy"]["digest"]);

    // Withdrawn, a version is no choice any more; what runs goes on.
    let releases = author.get("/plugins/releases").await.ok();
    let of = |version: &str| {
        let all = releases["items"].as_array().unwrap();
        all.iter().find(|r| r["version"] == version).unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(act(&author, &of("1.2.0"), "yank").await.ok()["status"], "yanked");
    assert_eq!(offered(&ann, "gap-fades").await.as_deref(), Some("1.1.0"));
    let still = ann.get(&format!("/deployments/{}", newer["id"].as_str().unwrap())).await.ok();
    assert_eq!(still["status"], "running");
    assert_eq!(act(&author, &of("1.2.0"), "yank").await.refusal(), (409, "conflict"));
    assert_eq!(act(&admin, &of("1.2.0"), "approve").await.refusal(), (409, "conflict"));

    // With a revoked key nothing more is published.
    author.post(&format!("/plugins/keys/{key_id}/revoke"), &Value::Null).await.ok();
    let refused = author.post("/plugins/releases", &signed(&key, "gap-fades", "3.0.0", "stable")).await;
    assert_eq!((refused.refusal(), &refused.body["errors"][0]["field"]), ((422, "invalid"), &json!("/public_key")));

    let acts = world.acts(AURORA).await;
    for wanted in ["author-key-added", "plugin-published", "plugin-approved", "plugin-yanked", "author-key-revoked"] {
        assert!(acts.iter().any(|act| act == wanted), "{wanted} is not recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_not_published() {
    let world = World::start().await;
    let (author, owner) = (world.person(AURORA, "author").await, world.person(AURORA, "owner").await);
    let (key, _) = register(&author).await;
    let good = signed(&key, "gap-fades", "1.0.0", "stable");
    let field = async |body: Value| {
        let answer = author.post("/plugins/releases", &body).await;
        assert_eq!(answer.refusal(), (422, "invalid"), "{}", answer.body);
        answer.body["errors"].clone()
    };
    // Signed by another key, for another version, or by somebody whose key this is not.
    let other = AuthorKey::new().unwrap();
    let by_other = signed(&other, "gap-fades", "1.0.0", "stable");
    let mut mixed = good.clone();
    mixed["signature"] = by_other["signature"].clone();
    assert_eq!(field(mixed).await[0]["field"], "/signature");
    let mut older = good.clone();
    older["signature"] = signed(&key, "gap-fades", "1.0.1", "stable")["signature"].clone();
    assert_eq!(field(older).await[0]["field"], "/signature");
    assert_eq!(field(by_other).await[0]["field"], "/public_key");
    let stolen = owner.post("/plugins/releases", &good).await;
    assert_eq!(stolen.body["errors"][0]["field"], "/public_key", "{}", stolen.body);

    // The gate teaches.
    let mut broken = good.clone();
    broken["component"] = json!(BASE64_STANDARD.encode(b"\0asm\x01\0\0\0"));
    let errors = field(broken).await;
    assert!(errors[0]["detail"].as_str().unwrap().starts_with("not-a-component: "), "{errors}");
    let mut not_base64 = good.clone();
    not_base64["component"] = json!("*");
    assert_eq!(field(not_base64).await[0]["field"], "/component");

    // A name is its first author's, a version is published once, and the platform's names are nobody's.
    publish(&author, &good).await;
    assert_eq!(author.post("/plugins/releases", &good).await.refusal(), (409, "conflict"));
    let (owners, _) = register(&owner).await;
    let taken = owner.post("/plugins/releases", &signed(&owners, "gap-fades", "5.0.0", "stable")).await;
    assert_eq!(taken.refusal(), (409, "conflict"));
    assert!(taken.body["detail"].as_str().unwrap().contains("another author's"), "{}", taken.body);
    let shipped = author.post("/plugins/releases", &signed(&key, "ema-cross", "9.0.0", "stable")).await;
    assert!(shipped.body["detail"].as_str().unwrap().contains("platform"), "{}", shipped.body);
    // What is refused leaves nothing behind.
    for (name, version) in [("gap-fades", "5.0.0"), ("ema-cross", "9.0.0")] {
        let digest = marque_domain::plugin::PluginDigest(Sha256::digest(component(name, version)).into());
        let kept = world.store.system().artifact(digest).await.unwrap();
        assert!(kept.is_none(), "{name} {version} is kept");
    }
    assert_eq!(author.post("/plugins/keys", &json!({ "name": "x", "public_key": key.public() })).await.status, 409);
    let none =
        author.post("/plugins/keys", &json!({ "name": "x", "public_key": BASE64_STANDARD.encode([0; 32]) })).await;
    assert_eq!(none.refusal(), (422, "invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_release_stays_out_and_says_why() {
    let world = World::start().await;
    let (author, admin) = (world.person(AURORA, "author").await, world.person(AURORA, "admin").await);
    let (key, _) = register(&author).await;
    let id = publish(&author, &signed(&key, "gap-fades", "1.0.0", "stable")).await;
    let silent = admin.post(&format!("/plugins/releases/{id}/refuse"), &json!({ "reason": " " })).await;
    assert_eq!(silent.refusal(), (422, "invalid"));
    act(&admin, &id, "refuse").await.ok();
    let seen = author.get(&format!("/plugins/releases/{id}")).await.ok();
    assert_eq!((&seen["status"], &seen["reason"]), (&json!("refused"), &json!("It trades too much")));
    assert_eq!(offered(&author, "gap-fades").await, None);
    for what in ["approve", "refuse", "yank"] {
        assert_eq!(act(&admin, &id, what).await.refusal(), (409, "conflict"), "{what}");
    }
    assert_eq!(world.recorded(AURORA, Act::PluginRefused).await, [format!("person admin@x.example: {id}")]);
    assert_eq!(world.recorded(AURORA, Act::PluginApproved).await, [""; 0]);
}
