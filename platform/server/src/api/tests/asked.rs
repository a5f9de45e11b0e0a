//! Every operation of the OpenAPI document as a request, with anybody's ids in it.
//!
//! Operations, their ids and their bodies come from the document. One with an id or a body that has no fixture here fails, so none
//! can be added without.

use super::{
    super::{authorization, document},
    operations,
    world::{Answer, Ids, Person},
};
use crate::{identity::Operation, secrets::Token};
use poem::http::Method;
use serde_json::{Value, json};

/// Ids that nobody has.
pub fn nobodys() -> Ids {
    let id = |prefix: &str| format!("{prefix}_0123456789abc");
    Ids {
        account: id("acc"),
        order: id("ord"),
        decision: id("dec"),
        position: id("pos"),
        deployment: id("dep"),
        release: id("plg"),
        author_key: id("aky"),
        backtest: id("bkt"),
        ea: id("prd"),
        ea_version: id("eav"),
        ea_file: id("eaf"),
        licence_policy: id("pol"),
        licence: id("lic"),
        activation: id("act"),
    }
}

/// What stands in a parameter or field of this name: an id of somebody's, or something that is nobody's own.
enum Fill<'a> {
    Id(&'a str),
    Plain(&'static str),
    /// Left out: it names nobody's row.
    Nothing,
}

/// The id that stands in everything of this name.
fn id_of<'a>(name: &str, ids: &'a Ids) -> Option<&'a str> {
    match name {
        "account" => Some(&ids.account),
        "order" | "oco" => Some(&ids.order),
        "decision" => Some(&ids.decision),
        "position" => Some(&ids.position),
        "deployment" => Some(&ids.deployment),
        "release" => Some(&ids.release),
        "author_key" => Some(&ids.author_key),
        "backtest" => Some(&ids.backtest),
        "ea" => Some(&ids.ea),
        "ea_version" => Some(&ids.ea_version),
        "ea_file" => Some(&ids.ea_file),
        "licence_policy" | "policy" => Some(&ids.licence_policy),
        "licence" => Some(&ids.licence),
        "activation" => Some(&ids.activation),
        _ => None,
    }
}

fn fill<'a>(name: &str, ids: &'a Ids) -> Fill<'a> {
    match name {
        "symbol" => Fill::Plain("EURUSD"),
        "timeframe" => Fill::Plain("M1"),
        "name" => Fill::Plain("Matrix.mq5"),
        // Cursors are tried in a test of their own.
        "act" | "days" | "instrument" | "side" | "stop_loss" | "cursor" | "limit" | "before" | "state" | "outcome"
        | "sealed" => Fill::Nothing,
        other => Fill::Id(
            id_of(other, ids).unwrap_or_else(|| panic!("{other:?} is not tried here; say whether it is an id")),
        ),
    }
}

/// A place of a request in which an id stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    Path(String),
    Query(String),
    Body(String),
}

/// Whose ids a request names.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    /// One person's, everywhere.
    All(&'a Ids),
    /// One person's, and in one place another's.
    But(&'a Ids, &'a Slot, &'a Ids),
}

impl<'a> Whose<'a> {
    fn at(self, slot: &Slot) -> &'a Ids {
        match self {
            Self::But(_, other, theirs) if other == slot => theirs,
            Self::All(ids) | Self::But(ids, ..) => ids,
        }
    }
}

/// Fields of bodies that name nobody's row. Every field of every body is an id, or stands here.
const PLAIN: &[&str] = &[
    "accounts",
    "amount",
    "balance",
    "binding",
    "changelog",
    "channel",
    "code",
    "commission_per_lot",
    "component",
    "cooldown_s",
    "ends_at",
    "expires_at",
    "from",
    "grace_s",
    "heartbeat_s",
    "instrument",
    "kind",
    "kinds",
    "latency_ms",
    "lease_s",
    "leverage",
    "limit_price",
    "lots",
    "machines",
    "markup",
    "minimum_version",
    "mode",
    "name",
    "note",
    "offline_grace_s",
    "overage",
    "owner",
    "plans",
    "public_key",
    "reason",
    "reference",
    "requests_per_minute",
    "rules",
    "search",
    "settings",
    "settings_schema",
    "side",
    "signature",
    "since",
    "slippage",
    "source",
    "stop_loss",
    "stop_price",
    "stop_trail",
    "strategy",
    "summary",
    "take_profit",
    "term",
    "term_s",
    "time_in_force",
    "timeframe",
    "to",
    "trail",
    "until",
    "version",
    "window_s",
];

/// Valid bodies of an operation, which name together every id that it may.
fn bodies(operation: &str) -> Vec<Value> {
    let more = match operation {
        "press_kill_switch" => vec![json!({ "deployment": "", "mode": "close", "reason": "matrix" })],
        "release_kill_switch" => vec![json!({ "deployment": "" })],
        "place_order" => vec![json!({
            "instrument": "EURUSD", "side": "buy", "lots": "0.01", "kind": "limit", "limit_price": "0.5", "oco": "",
        })],
        _ => Vec::new(),
    };
    core::iter::once(body(operation)).chain(more).collect()
}

/// Looks whether bodies are what the description has: no field that nobody thought of, and every id filled.
fn check_bodies(operation: &str, schema: &Value, bodies: &[Value]) {
    let nobody = nobodys();
    for name in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
        let is_id = id_of(name, &nobody).is_some();
        assert!(is_id || PLAIN.contains(&name.as_str()), "{operation}: say whether {name:?} is an id");
        let is_filled = bodies.iter().any(|body| body.get(name).is_some());
        assert!(is_filled || !is_id, "{operation}: no body here has the id {name:?}");
    }
}

/// A valid body of each operation that has one; its ids are filled in by their names.
pub fn body(operation: &str) -> Value {
    match operation {
        "open_account" => json!({ "name": "Mine" }),
        "start_backtest" => super::world::backtest_body(),
        "press_kill_switch" => json!({ "account": "", "mode": "close", "reason": "matrix" }),
        "release_kill_switch" => json!({ "account": "" }),
        "move_money" => json!({ "kind": "deposit", "amount": "1.00", "reference": "matrix" }),
        "publish_release" => json!({ "component": "", "public_key": "", "signature": "", "channel": "stable" }),
        "refuse_release" | "yank_release" => json!({ "reason": "matrix" }),
        "suspend_licence" | "revoke_licence" | "yank_ea_version" => json!({ "reason": "matrix" }),
        "add_ea" => json!({ "code": "matrix", "name": "Matrix" }),
        "change_ea" => json!({ "name": "Matrix" }),
        // A file: the text itself is sent.
        "add_ea_file" => json!("// Matrix\n"),
        "add_ea_version" => json!({ "version": "9.9", "channel": "stable" }),
        "add_licence_policy" | "change_licence_policy" => json!({
            "name": "Matrix", "term": "perpetual", "grace_s": 0, "overage": "strict", "binding": "all", "kinds": "both",
            "window_s": 0, "cooldown_s": 0, "lease_s": 86_400, "offline_grace_s": 0, "heartbeat_s": 200,
        }),
        "issue_licence" => json!({ "policy": "", "owner": "ann@x.example" }),
        "renew_licence" => json!({ "until": "2040-01-01T00:00:00Z" }),
        "transfer_licence" => json!({ "owner": "bob@x.example" }),
        "set_ea_settings" => json!({ "settings": { "lots": 0.1 } }),
        "add_author_key" => json!({ "name": "matrix", "public_key": "" }),
        "place_order" => json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" }),
        "upgrade_deployment" | "start_shadow" => json!({ "version": "0.1.0" }),
        "amend_order" => json!({ "limit_price": "1.0" }),
        "reduce_position" => json!({ "lots": "0.01" }),
        "close_position_by" => json!({ "position": "" }),
        "guard_position" => json!({ "stop_loss": "0.5" }),
        "create_deployment" => json!({
            "account": "", "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M1",
            "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
        }),
        other => panic!("{other} has no body here; add one"),
    }
}

/// An operation, to be asked with anybody's ids.
#[derive(Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub id: String,
    pub operation: Operation,
    /// Names of query parameters that are filled.
    query: Vec<String>,
    /// Null where there is none.
    body: Value,
}

/// Every operation of the document; one with an id that may be left out stands here more than once.
pub fn asked() -> Vec<Asked> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let nobody = nobodys();
    let mut all = Vec::new();
    // What nobody need be signed in for is tried in `tokens.rs`.
    let guarded = operations().into_iter().filter(|(_, _, id)| !authorization::OPEN.contains(&id.as_str()));
    for (method, path, id) in guarded {
        let described = &document["paths"][&path][method.to_lowercase()];
        let parameters = described["parameters"].as_array().cloned().unwrap_or_default();
        let in_query = parameters.iter().filter(|p| p["in"] == "query");
        let named = |p: &Value| p["name"].as_str().unwrap().to_owned();
        let needed: Vec<String> = in_query.clone().filter(|p| p["required"] == true).map(named).collect();
        let optional = in_query.filter(|p| p["required"] != true).map(named);
        let optional: Vec<String> = optional.filter(|name| matches!(fill(name, &nobody), Fill::Id(_))).collect();
        let queries = std::iter::once(needed.clone()).chain(optional.into_iter().map(|name| vec![name]));
        let bodies = if described["requestBody"].is_object() { bodies(&id) } else { vec![Value::Null] };
        for schema in described.pointer("/requestBody/content").and_then(Value::as_object).into_iter().flatten() {
            let schema = schema.1["schema"]["$ref"].as_str().and_then(|path| document.pointer(&path[1..]));
            if let Some(schema) = schema {
                check_bodies(&id, schema, &bodies);
            }
        }
        for (query, body) in queries.flat_map(|query| bodies.iter().map(move |body| (query.clone(), body.clone()))) {
            all.push(Asked {
                method: method.parse().unwrap(),
                path: path.clone(),
                operation: authorization::row(&id).unwrap(),
                id: id.clone(),
                query,
                body,
            });
        }
    }
    all
}

impl Asked {
    pub fn path(&self, whose: Whose<'_>) -> String {
        let filled = |name: &str, slot: fn(String) -> Slot| match fill(name, whose.at(&slot(name.to_owned()))) {
            Fill::Id(id) => id.to_owned(),
            Fill::Plain(text) => text.to_owned(),
            Fill::Nothing => panic!("{name} cannot be left out of {}", self.path),
        };
        let segments = self.path.strip_prefix("/api/v1").unwrap().split('/').map(|segment| {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            name.map_or_else(|| segment.to_owned(), |name| filled(name, Slot::Path))
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let query: Vec<_> = self.query.iter().map(|name| format!("{name}={}", filled(name, Slot::Query))).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    fn body(&self, whose: Whose<'_>) -> Value {
        let mut body = self.body.clone();
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            if let Some(id) = id_of(name, whose.at(&Slot::Body(name.clone()))) {
                *value = json!(id);
            }
        }
        body
    }

    /// Where it names ids.
    pub fn slots(&self) -> Vec<Slot> {
        let nobody = nobodys();
        let is_id = |name: &&str| matches!(fill(name, &nobody), Fill::Id(_));
        let in_path = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = in_path.filter(is_id).map(|name| Slot::Path(name.to_owned()));
        let in_query = self.query.iter().map(String::as_str).filter(is_id).map(|name| Slot::Query(name.to_owned()));
        let body = self.body(Whose::All(&nobody));
        let fields = body.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        let in_body = fields.filter(|name| id_of(name, &nobody).is_some()).map(Slot::Body);
        in_path.chain(in_query).chain(in_body).collect()
    }

    pub fn names_an_id(&self) -> bool {
        !self.slots().is_empty()
    }

    pub async fn ask(&self, person: &Person<'_>, ids: &Ids) -> Answer {
        self.ask_for(person, Whose::All(ids)).await
    }

    pub async fn ask_for(&self, person: &Person<'_>, whose: Whose<'_>) -> Answer {
        let key = Token::new().unwrap().expose();
        let request = person.request(self.method.clone(), &self.path(whose)).header("idempotency-key", key);
        let body = self.body(whose);
        let request = match body {
            Value::Null => request,
            Value::String(file) => request.header("content-type", "application/octet-stream").body(file),
            body => request.json(&body),
        };
        person.send(request).await.anonymous()
    }

    /// The status alone: a stream never ends.
    pub async fn status(&self, person: &Person<'_>, ids: &Ids) -> u16 {
        person.request(self.method.clone(), &self.path(Whose::All(ids))).send().await.unwrap().status().as_u16()
    }
}
