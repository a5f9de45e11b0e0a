//! The description of `/api/ea/v1` for tools (OpenAPI 3.0): written from the tables by which requests are read and answers named.
//!
//! `ea/protocol.md` says how answers are signed and believed; no such description can. `sdk/ea-openapi.json` is the snapshot
//! that a test keeps true.

use super::{
    ask::Operation,
    ea::{BODY_BYTES_MAX, PREFIX},
    fields::{self, NumberField, TextField},
};
use crate::problem::ProblemCode;
use marque_domain::licence::Refusal;
use poem::{Body, IntoResponse as _, Response, http::Method};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

/// Problems that every operation may answer with.
pub(super) const PROBLEMS: [ProblemCode; 15] = [
    ProblemCode::BadRequest,
    ProblemCode::BadHost,
    ProblemCode::SignatureRefused,
    ProblemCode::KeyRetired,
    ProblemCode::HttpsRequired,
    ProblemCode::RequestTimeout,
    ProblemCode::TooLarge,
    ProblemCode::UnsupportedType,
    ProblemCode::UnknownHost,
    ProblemCode::Invalid,
    ProblemCode::TooManyRequests,
    ProblemCode::Internal,
    ProblemCode::Unavailable,
    ProblemCode::TenantClosed,
    ProblemCode::TimedOut,
];
/// Those of them that a question without a signature or a body cannot have.
const SIGNED_ONLY: [ProblemCode; 6] = [
    ProblemCode::SignatureRefused,
    ProblemCode::KeyRetired,
    ProblemCode::TooLarge,
    ProblemCode::UnsupportedType,
    ProblemCode::Invalid,
    ProblemCode::TooManyRequests,
];

/// Numbers of an answer that stand in it or not.
const NUMBERS: [(&str, &str); 14] = [
    ("lease_until", "Until then nothing need be asked, in seconds since 1970; with VALID."),
    ("grace_until", "Until then the EA trades on with a warning, in seconds; with VALID."),
    ("expires_at", "The licence's end, in seconds; 0 for none. With VALID and EXPIRED."),
    ("heartbeat_s", "How often to send heartbeat, in seconds; 0: none is wanted. With VALID."),
    ("generation", "Counts the keys of the activation; with activate."),
    ("next_generation", "The key that takes the present one's place; with heartbeat."),
    ("sequence", "The number of the last report that the server has."),
    ("orders", "What the server has."),
    ("runtime_s", "What the server has."),
    ("config_version", "The newest settings; with VALID, not with usage."),
    ("config_schema", "The form they were checked against; with config_included."),
    ("machines_max", "With TOO_MANY_MACHINES."),
    ("accounts_max", "With TOO_MANY_ACCOUNTS."),
    ("retry_at", "When it can be moved again, in seconds; with TRANSFER_COOLDOWN."),
];
/// Texts of an answer that stand in it or not.
const TEXTS: [(&str, &str); 8] = [
    ("activation", "The seat, where it is known."),
    ("latest_version", "What can be downloaded; with VALID, and with VERSION_YANKED if there is any."),
    ("notice", "EXPIRES_SOON, EXPIRED_GRACE, OVERAGE, UPDATE_AVAILABLE, with commas; with VALID."),
    ("salt", "The server's half of the activation's key: 64 hexadecimal digits; with activate."),
    ("next_salt", "The same of the next key; with heartbeat."),
    ("lots", "What the server has, as a decimal number."),
    ("mismatched", "account, server, machine, with commas; with BINDING_MISMATCH."),
    ("minimum_version", "With VERSION_TOO_OLD."),
];

/// The document.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default());

/// As it is served.
pub(super) fn text() -> &'static str {
    &DOCUMENT
}

/// As it is answered: the same for everybody.
pub(super) fn answer() -> Response {
    Body::from_string(text().to_owned())
        .with_content_type("application/json")
        .with_header("cache-control", "public, max-age=300")
        .into_response()
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in Operation::ALL {
        let offered = operation.methods().iter().map(|method| (method.as_str().to_lowercase(), of(operation, method)));
        paths.insert(format!("/{}", operation.name()), Value::Object(offered.collect()));
    }
    paths.insert("/keys".to_owned(), json!({ "get": keys() }));
    let asks = Operation::ALL.into_iter().map(|operation| (schema_name(operation), ask(operation)));
    let mut schemas: Map<String, Value> = asks.collect();
    schemas.insert("Answer".to_owned(), answer_schema());
    schemas.insert(
        "Keys".to_owned(),
        json!({
            "type": "object", "description": "Public keys by their names, of which `current` signs.",
            "required": ["protocol", "current"],
            "properties": { "protocol": number("Version of the protocol: 1."), "current": string("Which signs.") },
            "additionalProperties": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
        }),
    );
    schemas.insert("Problem".to_owned(), problem_schema());
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Marque: licences of Expert Advisors", "version": "1",
            "description": "Whether an Expert Advisor may trade, as data: HTTP 200 with `valid` and a stable `code`. Requests and answers are flat \
                JSON and signed, byte by byte as `ea/protocol.md` says; what is no answer is application/problem+json and not signed.",
        },
        "servers": [{ "url": PREFIX, "description": "At the brand's own host, which alone says whose licences are meant." }],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn schema_name(operation: Operation) -> String {
    let name = operation.name();
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    format!("{}{rest}Request", first.to_uppercase())
}

fn summary(operation: Operation) -> &'static str {
    match operation {
        Operation::Activate => {
            "Takes a seat, or takes up the one this account and computer have; signed with the licence's key"
        }
        Operation::Validate => "Says whether the licence is valid; changes nothing and holds no seat",
        Operation::Heartbeat => "Holds the seat, takes usage, brings settings and new keys",
        Operation::Usage => "Takes usage and nothing else; for licences without heartbeats",
        Operation::Config => "Brings the settings, whatever version the EA has",
        Operation::Deactivate => "Gives the seat back; answers RELEASED",
    }
}

/// An operation by one method.
fn of(operation: Operation, method: &Method) -> Value {
    let mut parameters = vec![json!({
        "name": "Marque-Signature", "in": "header", "required": true, "schema": { "type": "string" },
        "description": "kid=<key id>, hmac-sha256=<64 hexadecimal digits>; see `ea/protocol.md`.",
    })];
    let id =
        if *method == Method::GET { format!("{}_by_query", operation.name()) } else { operation.name().to_owned() };
    let described = json!({ "operationId": id, "summary": summary(operation), "responses": responses(operation) });
    if *method == Method::GET {
        let of_query = |(name, schema, required): (&str, Value, bool)| json!({ "name": name, "in": "query", "required": required, "schema": schema });
        parameters.extend(asked(operation).map(of_query));
        return with(described, "parameters", parameters);
    }
    let body = json!({
        "required": true, "description": format!("At most {BODY_BYTES_MAX} bytes; no name twice."),
        "content": { "application/json": { "schema": reference(&schema_name(operation)) } },
    });
    with(with(described, "requestBody", body), "parameters", parameters)
}

/// An object with one more member.
fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
    object
}

fn keys() -> Value {
    let mut responses = problems(PROBLEMS.into_iter().filter(|code| !SIGNED_ONLY.contains(code)));
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The brand's public keys (Ed25519) that are good.",
            "content": { "application/json": { "schema": reference("Keys") } },
        }),
    );
    json!({ "operationId": "keys", "summary": "The brand's public keys; not signed", "responses": responses })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn number(what: &str) -> Value {
    json!({ "type": "integer", "format": "int64", "description": what })
}

fn string(what: &str) -> Value {
    json!({ "type": "string", "maxLength": 1_024, "description": what })
}

/// Each field of a request: its name, its schema, whether it is needed.
fn asked(operation: Operation) -> impl Iterator<Item = (&'static str, Value, bool)> {
    let text = |field: TextField| {
        (field.name, json!({ "type": "string", "pattern": field.pattern, "description": field.what }))
    };
    let whole = |field: NumberField| {
        let schema = with(number(field.what), "minimum", 0);
        let only = field.name == fields::PROTOCOL.name;
        (field.name, if only { with(schema, "enum", json!([1])) } else { schema })
    };
    let needed = operation.numbers().map(whole).chain(operation.texts().map(text));
    let may = fields::TEXTS_OPTIONAL.into_iter().map(text).chain(fields::NUMBERS_OPTIONAL.into_iter().map(whole));
    let needed: Vec<_> = needed.map(|(name, schema)| (name, schema, true)).collect();
    needed.into_iter().chain(may.map(|(name, schema)| (name, schema, false)).collect::<Vec<_>>())
}

fn ask(operation: Operation) -> Value {
    let needed: Vec<&str> = asked(operation).filter(|(.., needed)| *needed).map(|(name, ..)| name).collect();
    let properties: Map<String, Value> = asked(operation).map(|(name, schema, _)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "required": needed, "properties": properties, "additionalProperties": flat() })
}

/// What else may stand in a request, and is not looked at.
fn flat() -> Value {
    json!({ "oneOf": [{ "type": "string", "maxLength": 1_024 }, { "type": "integer" }, { "type": "boolean" }] })
}

/// Every field of an answer. Only some stand in each; `ea/protocol.md` says when.
fn answer_schema() -> Value {
    let codes: Vec<&str> = core::iter::once("VALID").chain(Refusal::CODES.iter().copied()).collect();
    let operations: Vec<&str> = Operation::ALL.into_iter().map(Operation::name).collect();
    let mut properties = json!({
        "protocol": number("Version of the protocol: 1."),
        "operation": { "type": "string", "enum": operations },
        "valid": { "type": "boolean", "description": "Whether the EA may open trades." },
        "code": { "type": "string", "enum": codes, "description": "Why. Take an unknown one as a refusal." },
        "message": { "type": "string", "maxLength": 200, "description": "For people." },
        "server_time": number("Seconds since 1970, UTC."),
        "config_included": { "type": "boolean", "description": "Whether settings ride on this answer, as `set.<name>`." },
    });
    for field in [fields::NONCE, fields::KEY_ID, fields::PRODUCT, fields::ACCOUNT, fields::MACHINE] {
        let same = json!({ "type": "string", "pattern": field.pattern, "description": "As it was asked." });
        properties = with(properties, field.name, same);
    }
    for (name, what) in NUMBERS {
        properties = with(properties, name, number(what));
    }
    for (name, what) in TEXTS {
        properties = with(properties, name, string(what));
    }
    json!({
        "type": "object",
        "required": [
            "protocol", "operation", "valid", "code", "message", "nonce", "server_time", "key_id", "product", "account",
            "machine",
        ],
        "properties": properties,
        "additionalProperties": { "type": "string", "maxLength": 1_024, "description": "A setting, `set.<name>`." },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object", "description": "RFC 9457.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
            "code": { "type": "string", "description": "Stable; programs may rely on it." },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["field", "detail"],
                    "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
                },
            },
            "request_id": { "type": "string", "nullable": true },
        },
    })
}

fn responses(operation: Operation) -> Value {
    let header = |what: &str| json!({ "description": what, "schema": { "type": "string" } });
    let mut responses = problems(PROBLEMS.into_iter());
    responses.insert(
        "200".to_owned(),
        json!({
            "description": format!("What is to be known of the licence, signed, for {}.", operation.name()),
            "headers": {
                "Marque-Signature": header("kid=<key id>, hmac-sha256=<…> or ed25519=<…>."),
                "RateLimit-Policy": header("How often the key and the address may ask."),
                "RateLimit": header("What is left of that."),
            },
            "content": { "application/json": { "schema": reference("Answer") } },
        }),
    );
    Value::Object(responses)
}

/// Refusals by their status, each with the codes that it has.
fn problems(codes: impl Iterator<Item = ProblemCode>) -> Map<String, Value> {
    let mut by_status: BTreeMap<String, Vec<ProblemCode>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16().to_string()).or_default().push(code);
    }
    let described = |(status, codes): (String, Vec<ProblemCode>)| {
        let meanings: Vec<String> = codes.iter().map(|code| format!("`{}`: {}", code.code(), code.meaning())).collect();
        let names: Vec<&str> = codes.iter().map(|code| code.code()).collect();
        let schema = json!({ "allOf": [reference("Problem"), { "type": "object", "properties": { "code": { "enum": names } } }] });
        let content = json!({ "application/problem+json": { "schema": schema } });
        (status, json!({ "description": meanings.join(" "), "content": content }))
    };
    by_status.into_iter().map(described).collect()
}
