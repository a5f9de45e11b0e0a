//! The audit log: whatever the API or a page changes leaves an entry, and which is a golden file.
//!
//! Every operation and every form is asked by somebody who may, about rows that are there. What is answered with success and
//! leaves nothing stands in a list, with why.

use super::{
    asked::asked,
    pages::{self, Whose},
    world::{AURORA, Ids, Person, World},
};
use crate::{
    identity::{Reach, Role, gate::Access},
    portal,
};
use marque_store::{AuditFilter, Page};
use poem::http::Method;
use serde_json::json;
use std::fmt::Write as _;

impl Person<'_> {
    /// Has an open position on the account of a trade again, if it was closed.
    async fn reopen(&self, ids: &mut Ids) {
        let open = format!("/accounts/{}/positions?state=open", ids.account);
        if self.get(&open).await.ok()["items"] == json!([]) {
            let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.10" });
            self.post(&format!("/accounts/{}/orders", ids.account), &order).await.ok();
        }
        let found = self.until(&open, |found| found["items"] != json!([])).await;
        found["items"][0]["id"].as_str().unwrap().clone_into(&mut ids.position);
    }
}

impl World {
    /// What people did at a brand after an entry, oldest first, and the last entry's number. What becomes of it is recorded as
    /// the market lets it happen.
    async fn recorded_after(&self, host: &str, seq: i64) -> (Vec<String>, i64) {
        let rows = self.tenant(host).await.audit(&AuditFilter::default(), Page::first(50)).await.unwrap().items;
        let last = rows.first().map_or(seq, |row| row.seq);
        let new = rows.into_iter().filter(|row| row.seq > seq && row.entry.actor_kind == "person");
        let new =
            new.map(|row| row.entry.act).filter(|act| !matches!(act.as_str(), "position-opened" | "position-closed"));
        (new.rev().collect(), last)
    }
}

/// Operations that change nothing here: the backtest has ended before, the strategy runs already, and a link counts once something
/// is fetched by it.
const UNRECORDED: &[&str] = &["cancel_backtest", "start_deployment", "link_ea_file"];

/// Forms that change nothing: who has no second factor gets no codes, a passkey is asked for and not yet there, a connection is
/// tried, an address is verified already, and a link is made that counts once something is fetched by it.
const UNRECORDED_FORMS: &[&str] = &[
    "/security/codes",
    "/passkeys/new",
    "/passkeys/confirm",
    "/backtests/:backtest/cancel",
    "/admin/sso/:connection/test",
    "/verify/resend",
    "/ea-files/:ea_file/download",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_changes_is_recorded() {
    let world = World::start().await;
    let (ann, owner) = (world.person(AURORA, "ann").await, world.person(AURORA, "owner").await);
    let mut ids = ann.trade("D1").await;
    let (_, mut seq) = world.recorded_after(AURORA, 0).await;
    let (mut golden, mut silent) = (String::new(), Vec::new());
    for asked in asked().iter().filter(|asked| asked.method == Method::POST) {
        if asked.id.contains("position") {
            ann.reopen(&mut ids).await;
            seq = world.recorded_after(AURORA, seq).await.1;
        }
        let may = if asked.operation.reach(Role::Trader) == Reach::Own { &ann } else { &owner };
        let answer = asked.ask(may, &ids).await;
        let (acts, last) = world.recorded_after(AURORA, seq).await;
        seq = last;
        let (id, name, (status, code)) = (&asked.id, &may.name, answer.refusal());
        let code = if status < 400 { "" } else { code };
        writeln!(golden, "{id} by {name}: {status} {code} {}", acts.join(", ")).unwrap();
        if answer.status < 300 && acts.is_empty() {
            silent.push(asked.id.clone());
        }
    }
    insta::assert_snapshot!(golden);
    assert_eq!(silent, UNRECORDED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_forms_change_is_recorded() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let (connection, mail) = (world.connection(AURORA).await, world.dead_mail(AURORA).await);
    let bob = world.person(AURORA, "bob").await.user().await;
    let mut whose = Whose { ids: ann.trade("D1").await, person: bob, connection, mail };
    let (_, mut seq) = world.recorded_after(AURORA, 0).await;
    let (mut golden, mut silent) = (String::new(), Vec::new());
    for row in portal::rows().iter().filter(|row| row.0 == Method::POST) {
        let Access::May(operation) = row.2 else { continue };
        if row.1.contains("position") {
            ann.reopen(&mut whose.ids).await;
        }
        // A session of their own: some forms end it.
        let own = operation.reach(Role::Trader) == Reach::Own && !row.1.starts_with("/admin/");
        let name = if own { "ann" } else { "owner" };
        let may = world.person(AURORA, name).await;
        seq = world.recorded_after(AURORA, seq).await.1;
        let answer = pages::answer(&may, row, &whose).await;
        let status = answer.status().as_u16();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        // Ids differ from run to run.
        let to = to.split(['/', '?']).nth(1).unwrap_or_default();
        let (acts, _) = world.recorded_after(AURORA, seq).await;
        writeln!(golden, "{} by {name}: {status} {to} {}", row.1, acts.join(", ")).unwrap();
        if status < 400 && acts.is_empty() {
            silent.push(row.1.clone());
        }
    }
    insta::assert_snapshot!(golden);
    assert_eq!(silent, UNRECORDED_FORMS);
}
