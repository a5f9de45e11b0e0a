//! The tenant matrix: every operation of the OpenAPI document, asked by everybody who must not reach what it names.
//!
//! Who may do what comes from the authorization table; the requests are made in `asked.rs`.

use super::{
    asked::{Asked, Slot, Whose, asked, body, nobodys},
    world::{AURORA, Answer, BOREALIS, Ids, Person, World},
};
use crate::{
    identity::{Reach, Role},
    secrets::Token,
};
use marque_domain::tenant::TenantStatus;
use poem::http::Method;
use serde_json::{Value, json};
use std::time::Duration;

impl Asked {
    /// Asks for what is not this person's: it is not there, or their role does not reach so far. In both cases the
    /// answer is that for an id which nobody has.
    async fn is_refused(&self, person: &Person<'_>, reach: Reach, ids: &Ids) {
        let expect = if reach == Reach::Nothing { (403, "forbidden") } else { (404, "not-found") };
        let answer = self.ask(person, ids).await;
        assert_eq!(answer.refusal(), expect, "{} of {} at {}", self.id, person.name, person.host);
        assert_eq!(answer, self.ask(person, &nobodys()).await, "{} tells {} that the id exists", self.id, person.name);
    }
}

/// What moves by itself: with prices, with the clock, and with what strategies use up.
const MOVING: &[&str] = &[
    "equity",
    "floating",
    "free_margin",
    "margin_level",
    "used_fuel",
    "calls",
    "fuel",
    "seconds",
    "distances",
    "now",
    "at",
];

/// Takes away what moves by itself, wherever it stands.
fn settle(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !MOVING.contains(&name.as_str()));
            fields.values_mut().for_each(settle);
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        _ => {}
    }
}

/// What tells of prices, of what strategies do by themselves, or is no JSON.
fn moves(asked: &Asked) -> bool {
    let by_itself = [
        "get_market",
        "list_bars",
        "follow_account",
        "list_equity",
        "list_distances",
        "get_usage",
        "get_deployment_usage",
    ];
    by_itself.contains(&asked.id.as_str()) || asked.id.starts_with("export_")
}

/// Everything that the API shows of a brand to its owner, by every operation that reads: of rows with ids, of these.
async fn snapshot(owner: &Person<'_>, ids: &Ids) -> Value {
    let mut all = serde_json::Map::new();
    for asked in asked().iter().filter(|asked| asked.method == Method::GET && !moves(asked)) {
        // The audit log itself tells of every refusal.
        let path = asked.path(Whose::All(ids));
        if asked.operation.reach(Role::Owner) == Reach::Nothing || path.ends_with(".csv") || path.contains("audit") {
            continue;
        }
        // What is each person's own is not there for the owner either: then it must stay so.
        let Answer { status, mut body, .. } = owner.get(&path).await.anonymous();
        settle(&mut body);
        all.insert(format!("{} {path}", asked.id), json!([status, body]));
    }
    Value::Object(all)
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
        let before = [snapshot(self.owner(), own).await, snapshot(other.owner(), theirs).await];
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
            self.mixes(asked, theirs, own).await;
        }
        let after = [snapshot(self.owner(), own).await, snapshot(other.owner(), theirs).await];
        assert_eq!(after, before, "somebody moved something");
    }

    /// Whoever may do it to their own rows names one row that is not theirs among those that are: in the path, in the query and in
    /// the body, each in turn.
    async fn mixes(&self, asked: &Asked, theirs: &Ids, own: &Ids) {
        let slots = asked.slots();
        if slots.len() < 2 {
            return;
        }
        let may = if asked.operation.reach(Role::Trader) == Reach::Own { &self.ann } else { self.owner() };
        // What an order is paired with is for the gate to refuse, in a decision: see `an_order_is_paired_with_ones_own_only`.
        for slot in slots.iter().filter(|slot| **slot != Slot::Body("oco".to_owned())) {
            let answer = asked.ask_for(may, Whose::But(own, slot, theirs)).await;
            // What stands in a body may also be a field that is wrong.
            let is_refused = answer.status == 404 || (matches!(slot, Slot::Body(_)) && answer.status == 422);
            assert!(is_refused, "{} with another's {slot:?}: {answer:?}", asked.id);
            let nobody = asked.ask_for(may, Whose::But(own, slot, &nobodys())).await;
            assert_eq!(answer, nobody, "{} tells that the {slot:?} exists", asked.id);
        }
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
async fn an_order_is_paired_with_ones_own_only() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let (bob, elsewhere) = (world.person(AURORA, "bob").await, world.person(BOREALIS, "ann").await);
    let account = ann.account().await;
    ann.until_prices().await;
    let waiting =
        json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01", "kind": "limit", "limit_price": "0.5" });
    let path = format!("/accounts/{account}/orders");
    let own = ann.post(&path, &waiting).await.ok()["order"].clone();
    let mut ids = vec![json!(nobodys().order)];
    for other in [&bob, &elsewhere] {
        let account = other.account().await;
        other.until_prices().await;
        // Numbers of one brand's orders are another's too: one that is nobody's here.
        for _ in 0..4 {
            let placed = other.post(&format!("/accounts/{account}/orders"), &waiting).await.ok();
            ids.push(placed["order"].clone());
        }
    }
    let mut denials = Vec::new();
    for id in ids.iter().filter(|id| **id != own) {
        let mut paired = waiting.clone();
        paired["oco"] = id.clone();
        let decision = ann.post(&path, &paired).await.ok();
        assert_eq!(decision["outcome"], "denied", "{id}");
        denials.push(decision["denial"].clone());
    }
    denials.dedup();
    assert_eq!(denials.len(), 1, "another's order is told from nobody's: {denials:?}");
    let mut paired = waiting.clone();
    paired["oco"] = own;
    assert_eq!(ann.post(&path, &paired).await.ok()["outcome"], "approved");
    let first = bob.get("/accounts").await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    let orders = bob.get(&format!("/accounts/{first}/orders")).await.ok();
    assert!(orders["items"].as_array().unwrap().iter().all(|order| order["oco"].is_null()), "{orders}");
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

    // Programs: a token at another host, one that was ended, one that only renews, and one that nobody gave.
    let [here, ended, renewed] = [ann.program().await, ann.program().await, ann.program().await];
    ann.end_program(&ended).await;
    let nobodys = format!("mqa_{}", Token::new().unwrap().expose());
    for (who, host, token) in [
        ("a token of another host", BOREALIS, &here.access),
        ("a token that was ended", AURORA, &ended.access),
        ("a token that only renews", AURORA, &renewed.refresh),
        ("a token that nobody gave", AURORA, &nobodys),
    ] {
        let mut program = world.stranger(host);
        program.bearer = Some(token.clone());
        for operation in asked() {
            let answer = operation.ask(&program, &ids).await;
            assert_eq!(answer.refusal(), (401, "invalid-token"), "{} by {who}", operation.id);
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
    let before = snapshot(&owner, &ids).await;
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
    assert_eq!(snapshot(&owner, &ids).await, before);
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
