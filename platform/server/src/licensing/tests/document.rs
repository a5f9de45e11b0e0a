//! The description of `/api/ea/v1` against what is asked and answered.

use super::{
    super::{
        ask::Operation,
        document::{PROBLEMS, text},
        manage::PolicyWish,
    },
    world::{AURORA, Client, Node, Reply, World, get, raw},
};
use marque_domain::licence::Refusal;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The description, and what it says of bodies.
struct Document(Value);

impl Document {
    fn read() -> Self {
        Self(serde_json::from_str(text()).unwrap())
    }

    /// What is wrong with a value, by the schema of this name.
    fn faults(&self, schema: &str, value: &Value) -> Vec<String> {
        let whole = json!({ "$ref": format!("#/components/schemas/{schema}"), "components": self.0["components"] });
        let validator = jsonschema::validator_for(&whole).unwrap();
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
    }

    fn responses(&self, operation: &str, method: &str) -> &Value {
        &self.0["paths"][format!("/{operation}")][method]["responses"]
    }

    /// That an answer is one of those that the operation is said to give.
    fn holds(&self, operation: &str, method: &str, reply: &Reply) {
        let described = &self.responses(operation, method)[reply.status.to_string()];
        if reply.status == 200 {
            assert_eq!(self.faults("Answer", &reply.body), Vec::<String>::new(), "{operation}: {}", reply.body);
            assert!(!reply.signature.is_empty() && reply.limits.iter().all(|limit| !limit.is_empty()), "{operation}");
            return;
        }
        let schema = &described["content"]["application/problem+json"]["schema"]["allOf"];
        let codes =
            schema[1]["properties"]["code"]["enum"].as_array().unwrap_or_else(|| panic!("{operation}: {reply:?}"));
        assert!(codes.contains(&json!(reply.code())), "{operation}: {} is not in {codes:?}", reply.code());
        assert_eq!(self.faults("Problem", &reply.body), Vec::<String>::new(), "{operation}");
    }
}

fn request_schema(operation: Operation) -> String {
    let name = operation.name();
    format!("{}{}Request", name[..1].to_uppercase(), &name[1..])
}

fn operation(name: &str) -> Operation {
    Operation::ALL.into_iter().find(|operation| operation.name() == name).unwrap()
}

/// Asks, and holds question and answer against the description.
async fn asked(document: &Document, node: &Node, ea: &Client, name: &str, fields: &Map<String, Value>) -> Reply {
    let reply = ea.send(node, name, fields).await;
    document.holds(name, "post", &reply);
    let faults = document.faults(&request_schema(operation(name)), &Value::Object(fields.clone()));
    assert_eq!(
        faults.is_empty(),
        !(400..=422).contains(&reply.status) || reply.status == 401,
        "{name} {faults:?} {reply:?}"
    );
    reply
}

/// `UPDATE_OPENAPI=1` writes it anew.
#[test]
fn the_document_is_the_one_in_the_sdk() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/ea-openapi.json");
    let now = format!("{}\n", text());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "the EA API has changed: look at it, then refresh sdk/ea-openapi.json with UPDATE_OPENAPI=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_and_names_every_operation_and_method() {
    let (world, document) = (World::start().await, Document::read());
    let served = get(&world.node, AURORA, "openapi.json", "").await;
    assert_eq!((served.status, &served.body), (200, &document.0));
    let keys = get(&world.node, AURORA, "keys", "").await;
    assert_eq!((keys.status, document.faults("Keys", &keys.body)), (200, Vec::new()));
    let paths = document.0["paths"].as_object().unwrap();
    assert_eq!(paths.len(), Operation::ALL.len() + 1);
    for path in paths.keys() {
        let name = path.trim_start_matches('/');
        let (read, sent) =
            (get(&world.node, AURORA, name, "").await, raw(&world.node, AURORA, name, "", b"{}".to_vec()).await);
        for (method, reply) in [("get", read), ("post", sent)] {
            assert_eq!(paths[path][method].is_object(), reply.status != 405, "{method} {path}: {reply:?}");
            if reply.status != 405 && name != "keys" {
                document.holds(name, method, &reply);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_what_it_says() {
    let (world, document) = (World::start().await, Document::read());
    let wish = PolicyWish { machines: Some(1), window_s: 600, requests_per_minute: Some(40), ..PolicyWish::default() };
    let licence = world.licence(AURORA, wish).await;
    let mut ea = licence.ea("5001", 1);
    let taken = asked(&document, &world.node, &ea, "activate", &ea.request("activate", json!({}))).await;
    ea.keep(&taken);
    let mut seen = vec![taken.code().to_owned()];
    for name in ["validate", "config", "heartbeat", "usage", "deactivate", "validate", "activate"] {
        let report = if operation(name).reports() { ea.report() } else { json!({}) };
        let reply = asked(&document, &world.node, &ea, name, &ea.request(name, report)).await;
        seen.push(reply.code().to_owned());
        if name == "activate" {
            ea.keep(&reply);
        }
    }
    let full = licence.ea("5002", 2);
    seen.push(
        asked(&document, &world.node, &full, "activate", &full.request("activate", json!({}))).await.code().to_owned(),
    );
    let by_tenant =
        asked(&document, &world.node, &ea, "validate", &ea.request("validate", json!({ "alg": "ed25519" }))).await;
    assert!(by_tenant.signature.contains("ed25519="));
    let mut missed = ea.request("validate", json!({}));
    missed.insert("version".to_owned(), json!("0"));
    seen.push(asked(&document, &world.node, &ea, "validate", &missed).await.code().to_owned());
    for code in &seen {
        assert!(code == "VALID" || Refusal::CODES.contains(&code.as_str()), "{code}");
    }
    for code in ["VALID", "RELEASED", "TOO_MANY_MACHINES"] {
        assert!(seen.iter().any(|seen| seen == code), "{code} was not seen: {seen:?}");
    }
    // And until the key has asked too often.
    let mut last = asked(&document, &world.node, &ea, "validate", &ea.request("validate", json!({}))).await;
    while last.status == 200 {
        last = ea.ask(&world.node, "validate").await;
    }
    document.holds("validate", "post", &last);
    assert_eq!(last.code(), "too-many-requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_wrong_where_it_says_so_and_only_there() {
    let (world, document) = (World::start().await, Document::read());
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    for name in ["validate", "heartbeat"] {
        let report = if operation(name).reports() { ea.report() } else { json!({}) };
        let good = ea.request(name, report);
        let schema = document.0["components"]["schemas"][request_schema(operation(name))].clone();
        let needed: Vec<&str> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        for (field, described) in schema["properties"].as_object().unwrap() {
            let mut without = good.clone();
            without.remove(field);
            // Whose seat it is says the signature too; without it the request speaks for another key.
            if field != "activation" {
                let reply = asked(&document, &world.node, &ea, name, &without).await;
                assert_eq!(reply.status == 422, needed.contains(&field.as_str()), "{name} without {field}: {reply:?}");
            }
            let wrong = if described["type"] == "integer" { json!(-1) } else { json!("!\u{7}") };
            let mut bad = good.clone();
            bad.insert(field.clone(), wrong);
            let reply = asked(&document, &world.node, &ea, name, &bad).await;
            assert_eq!((reply.status, &reply.body["errors"][0]["field"]), (422, &json!(field)), "{name} {field}");
        }
    }
}

#[test]
fn every_problem_is_named_once() {
    let mut codes: Vec<&str> = PROBLEMS.iter().map(|code| code.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), PROBLEMS.len());
    // What the contract lists stands in it, and the other way round where they are a program's business.
    let contract = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ea/protocol.md")).unwrap();
    for code in Refusal::CODES {
        assert!(contract.contains(&format!("| `{code}` |")), "{code} is not in ea/protocol.md");
    }
}
