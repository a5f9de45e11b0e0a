//! The tenant matrix: every operation of the OpenAPI document, asked by everybody who must not reach what it names.
//!
//! Operations, their ids and their bodies come from the document; who may do what comes from the authorization table.
//! An operation with an id or a body that has no fixture here fails these tests, so none can be added without.

use super::{
    super::{authorization, document},
    operations,
    world::{AURORA, Answer, BOREALIS, Ids, Person, World},
};
use crate::identity::{Operation, Reach, Role};
use marque_domain::tenant::TenantStatus;
use poem::http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Ids that nobody has.
fn nobodys() -> Ids {
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
        "order" => Some(&ids.order),
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

/// A valid body of each operation that has one; its ids are filled in by their names.
fn body(operation: &str) -> Value {
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
struct Asked {
    method: Method,
    path: String,
    id: String,
    operation: Operation,
    /// Names of query parameters that are filled.
    query: Vec<String>,
    has_body: bool,
}

/// Every operation of the document; one with an id that may be left out stands here twice.
fn asked() -> Vec<Asked> {
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
        for query in queries {
            all.push(Asked {
                method: method.parse().unwrap(),
                path: path.clone(),
                operation: authorization::row(&id).unwrap(),
                id: id.clone(),
                query,
                has_body: described["requestBody"].is_object(),
            });
        }
    }
    all
}

impl Asked {
    fn path(&self, ids: &Ids) -> String {
        let filled = |name: &str| match fill(name, ids) {
            Fill::Id(id) => id.to_owned(),
            Fill::Plain(text) => text.to_owned(),
            Fill::Nothing => panic!("{name} cannot be left out of {}", self.path),
        };
        let segments = self.path.strip_prefix("/api/v1").unwrap().split('/').map(|segment| {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            name.map_or_else(|| segment.to_owned(), filled)
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let query: Vec<_> = self.query.iter().map(|name| format!("{name}={}", filled(name))).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    fn body(&self, ids: &Ids) -> Value {
        if !self.has_body {
            return Value::Null;
        }
        let mut body = body(&self.id);
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            if let Some(id) = id_of(name, ids) {
                *value = json!(id);
            }
        }
        body
    }

    fn names_an_id(&self) -> bool {
        self.path(&nobodys()).contains("_0123456789abc") || self.body(&nobodys()).to_string().contains("_0123456789abc")
    }

    async fn ask(&self, person: &Person<'_>, ids: &Ids) -> Answer {
        let key = crate::secrets::Token::new().unwrap().expose();
        let request = person.request(self.method.clone(), &self.path(ids)).header("idempotency-key", key);
        let body = self.body(ids);
        let request = match body {
            Value::Null => request,
            Value::String(file) => request.header("content-type", "application/octet-stream").body(file),
            body => request.json(&body),
        };
        person.send(request).await.anonymous()
    }

    /// The status alone: a stream never ends.
    async fn status(&self, person: &Person<'_>, ids: &Ids) -> u16 {
        person.request(self.method.clone(), &self.path(ids)).send().await.unwrap().status().as_u16()
    }

    /// Asks for what is not this person's: it is not there, or their role does not reach so far. In both cases the
    /// answer is that for an id which nobody has.
    async fn is_refused(&self, person: &Person<'_>, reach: Reach, ids: &Ids) {
        let expect = if reach == Reach::Nothing { (403, "forbidden") } else { (404, "not-found") };
        let answer = self.ask(person, ids).await;
        assert_eq!(answer.refusal(), expect, "{} of {} at {}", self.id, person.name, person.host);
        assert_eq!(answer, self.ask(person, &nobodys()).await, "{} tells {} that the id exists", self.id, person.name);
    }
}

/// Everything of a brand that its owner can see, without what moves with prices.
async fn snapshot(owner: &Person<'_>) -> Value {
    let list = async |path: String| {
        let mut items = owner.get(&path).await.ok()["items"].take();
        for item in items.as_array_mut().unwrap() {
            for moving in ["equity", "floating"] {
                item.as_object_mut().unwrap().remove(moving);
            }
        }
        items
    };
    let accounts = list("/accounts?limit=200".to_owned()).await;
    let mut all = vec![
        list("/deployments?limit=200".to_owned()).await,
        list("/plugins/releases".to_owned()).await,
        list("/eas".to_owned()).await,
        list("/licences?limit=200".to_owned()).await,
    ];
    for account in accounts.as_array().unwrap() {
        let id = account["id"].as_str().unwrap();
        for rows in ["orders", "positions", "decisions"] {
            all.push(list(format!("/accounts/{id}/{rows}?limit=200")).await);
        }
    }
    all.push(accounts);
    Value::Array(all)
}

/// People of a brand, by every role, and a second trader.
async fn everybody<'a>(world: &'a World, host: &'static str) -> Vec<(Role, Person<'a>)> {
    let mut all = vec![(Role::Trader, world.person(host, "bob").await)];
    for role in Role::ALL.iter().filter(|role| **role != Role::Trader) {
        all.push((*role, world.person(host, role.name()).await));
    }
    all
}

/// A brand with everybody in it and the person whose rows are asked for.
struct Brand<'a> {
    ann: Person<'a>,
    /// By role; the owner comes last.
    people: Vec<(Role, Person<'a>)>,
}

impl<'a> Brand<'a> {
    async fn of(world: &'a World, host: &'static str) -> Self {
        Self { ann: world.person(host, "ann").await, people: everybody(world, host).await }
    }

    fn owner(&self) -> &Person<'a> {
        &self.people.last().unwrap().1
    }

    /// A trade whose ids are later than any of the other brand: a desk numbers what it does, so that the same number
    /// at another brand names another row. A strategy that decides once a day leaves everything as it is meanwhile.
    async fn trade_after(&self, own: Option<Ids>, other: Option<&Ids>) -> Ids {
        let number = |id: &str| id.split_once('_').map(|(_, number)| number.to_owned()).unwrap();
        let mut ids = match own {
            Some(ids) => ids,
            None => self.ann.trade("D1").await,
        };
        while other.is_some_and(|other| number(&ids.decision) <= number(&other.position)) {
            self.ann.trade_again(&mut ids).await;
        }
        ids
    }

    /// Everybody of this brand asks for a row of the other's, and of their own brand's as far as the table does not let
    /// them; nothing is told and nothing moves.
    async fn tries(&self, other: &Self, theirs: &Ids, own: &Ids) {
        let before = [snapshot(self.owner()).await, snapshot(other.owner()).await];
        for asked in asked().iter().filter(|asked| asked.names_an_id()) {
            for (role, person) in &self.people {
                asked.is_refused(person, asked.operation.reach(*role), theirs).await;
                match asked.operation.reach(*role) {
                    Reach::Tenant if asked.method == Method::GET => {
                        assert_eq!(asked.status(person, own).await, 200, "{} as {role}", asked.id);
                    }
                    Reach::Tenant => {}
                    reach => asked.is_refused(person, reach, own).await,
                }
            }
            // The person of the same address.
            asked.is_refused(&self.ann, asked.operation.reach(Role::Trader), theirs).await;
        }
        let after = [snapshot(self.owner()).await, snapshot(other.owner()).await];
        assert_eq!(after, before, "somebody moved something");
    }

    /// Lists show nobody what is another's.
    async fn lists(&self, theirs: &Ids, own: &Ids) {
        // A table is no JSON; what it shows is tried in `licences.rs`.
        let is_list =
            |asked: &&Asked| !asked.names_an_id() && asked.method == Method::GET && !asked.path.ends_with(".csv");
        for asked in asked().iter().filter(is_list) {
            for (role, person) in &self.people {
                let (answer, reach) = (asked.ask(person, &nobodys()).await, asked.operation.reach(*role));
                assert_eq!(answer.status, if reach == Reach::Nothing { 403 } else { 200 }, "{} as {role}", asked.id);
                let text = answer.body.to_string();
                assert!(!text.contains(&theirs.account), "{} shows {role} another brand's", asked.id);
                let shown = text.contains(&own.account) && reach != Reach::Tenant;
                assert!(!shown, "{} shows {role} another person's", asked.id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_not_there() {
    let world = World::start().await;
    let (aurora, borealis) = (Brand::of(&world, AURORA).await, Brand::of(&world, BOREALIS).await);
    let there = borealis.trade_after(None, None).await;
    let here = aurora.trade_after(None, Some(&there)).await;
    borealis.tries(&aurora, &here, &there).await;
    let there = borealis.trade_after(Some(there), Some(&here)).await;
    aurora.tries(&borealis, &there, &here).await;
    aurora.lists(&there, &here).await;
    borealis.lists(&here, &there).await;
    let mistyped = aurora.ann.get(&format!("/accounts/{}", here.order)).await;
    assert_eq!(mistyped.refusal(), (404, "not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_opens_no_list_but_its_own() {
    let world = World::start().await;
    let (ann, bob) = (world.person(AURORA, "ann").await, world.person(AURORA, "bob").await);
    let elsewhere = world.person(BOREALIS, "owner").await;
    for _ in 0..2 {
        ann.account().await;
    }
    let next = ann.get("/accounts?limit=1").await.ok()["next"].as_str().unwrap().to_owned();
    let nobodys = "A".repeat(next.len());
    let refused = elsewhere.get(&format!("/accounts?cursor={next}")).await.anonymous();
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(refused, elsewhere.get(&format!("/accounts?cursor={nobodys}")).await.anonymous());
    // Within the brand it says where a page begins, never whose.
    assert_eq!(bob.get(&format!("/accounts?cursor={next}")).await.ok()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_sessions() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let ids = ann.trade("M1").await;

    // Nobody; a session of one brand at another; one that was signed out; one that was ended for its owner.
    let mut elsewhere = world.stranger(BOREALIS);
    (elsewhere.cookie, elsewhere.csrf) = (ann.cookie.clone(), ann.csrf.clone());
    let signed_out = world.person(AURORA, "ann").await;
    signed_out.sign_out().await;
    let ended = world.person(AURORA, "bob").await;
    world.end_sessions(AURORA, "bob").await;
    let stranger = world.stranger(AURORA);
    for operation in asked() {
        for (who, person) in [
            ("nobody", &stranger),
            ("a session of another host", &elsewhere),
            ("a session that was signed out", &signed_out),
            ("a session that was ended", &ended),
        ] {
            let answer = operation.ask(person, &ids).await;
            assert_eq!(answer.refusal(), (401, "sign-in-required"), "{} by {who}", operation.id);
        }
    }

    // A session without the token of its pages changes nothing.
    let mut forged = world.stranger(AURORA);
    forged.cookie.clone_from(&ann.cookie);
    for operation in asked().iter().filter(|o| o.method != Method::GET) {
        assert_eq!(operation.ask(&forged, &ids).await.refusal(), (403, "csrf-refused"), "{}", operation.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_brand_is_closed_and_loses_nothing() {
    let world = World::with("api_per_minute = 100000\nhost_known_s = 1\n").await;
    let ann = world.person(AURORA, "ann").await;
    let owner = world.person(AURORA, "owner").await;
    let other = world.person(BOREALIS, "ann").await;
    let ids = ann.trade("D1").await;
    let before = snapshot(&owner).await;
    world.set_status(AURORA, TenantStatus::Suspended).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    for operation in asked() {
        for person in [&ann, &owner, &world.stranger(AURORA)] {
            assert_eq!(operation.ask(person, &ids).await.refusal(), (503, "tenant-closed"), "{}", operation.id);
        }
    }
    assert_eq!(other.get("/accounts").await.status, 200, "another brand is open");
    world.set_status(AURORA, TenantStatus::Active).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(snapshot(&owner).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_the_risk_stops_and_closes_and_does_not_trade() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let ids = ann.trade("M1").await;
    let support = world.person(AURORA, "support").await;
    let risk = world.person(AURORA, "risk").await;
    let owner = world.person(AURORA, "owner").await;
    let stop = format!("/deployments/{}/stop", ids.deployment);
    let close = format!("/positions/{}/close", ids.position);
    // Support looks and touches nothing.
    assert_eq!(support.get(&format!("/accounts/{}", ids.account)).await.ok()["id"], json!(ids.account));
    for path in [&stop, &close] {
        assert_eq!(support.post(path, &Value::Null).await.refusal(), (403, "forbidden"));
    }
    assert_eq!(risk.post("/accounts", &body("open_account")).await.refusal(), (403, "forbidden"));
    // Not even an owner trades for others.
    let orders = format!("/accounts/{}/orders", ids.account);
    assert_eq!(owner.post(&orders, &body("place_order")).await.refusal(), (404, "not-found"));
    assert_eq!(risk.post(&stop, &Value::Null).await.ok()["status"], "stopped");
    assert_eq!(risk.post(&close, &Value::Null).await.ok()["outcome"], "approved");
    for (person, role) in [(&risk, "risk"), (&support, "support"), (&owner, "owner")] {
        assert_eq!(person.get("/session").await.ok()["role"], role);
    }
}
