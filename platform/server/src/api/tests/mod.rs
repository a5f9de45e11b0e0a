//! The API over HTTP: a real server on a loopback port, a real database, real desks with real plugins.

mod asked;
mod audit;
mod backtests;
mod bodies;
mod factors;
mod files;
mod licences;
mod limits;
mod matrix;
mod money;
mod once;
mod pages;
mod people;
mod plans;
mod recorded;
mod registry;
mod succession;
mod tokens;
mod trading;
mod world;

use super::{authorization, document};
use serde_json::Value;
use std::path::Path;

/// Every operation of the document: method, path, id.
fn operations() -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            found.push((method.to_uppercase(), path.clone(), id));
        }
    }
    found
}

/// `UPDATE_OPENAPI=1` writes it anew. (`MARQUE_…` would be a setting.)
#[test]
fn the_document_is_the_one_in_the_sdk() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/openapi.json");
    let now = document() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "the API has changed: look at it, then refresh sdk/openapi.json with UPDATE_OPENAPI=1");
}

#[test]
fn every_operation_is_authorized_and_says_what_it_refuses() {
    authorization::check(&document()).unwrap();
    let document: Value = serde_json::from_str(&document()).unwrap();
    for (method, path, id) in operations() {
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert!(operation["summary"].is_string(), "{id} has no summary");
        let open = authorization::OPEN.contains(&id.as_str());
        let security = if open { Value::Null } else { serde_json::json!([{ "session": [] }, { "token": [] }]) };
        assert_eq!(operation["security"], security, "{id}");
        for status in ["400", "401", "404", "422", "500", "503"] {
            let content = &operation["responses"][status]["content"]["application/problem+json"];
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem", "{id} {status}");
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let key = parameters.iter().any(|p| p["name"] == "Idempotency-Key" && p["required"] == true);
        assert_eq!(key, method == "POST" && !open, "{id}");
        if let Some(body) = operation.pointer("/requestBody/content/application~1json; charset=utf-8/schema/$ref") {
            let schema = document.pointer(body.as_str().unwrap().trim_start_matches('#')).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{id} refuses fields that its description allows");
        }
    }
}
