//! How many accounts and computers use a licence, whatever its seats are bound by.

use super::{super::manage::PolicyWish, world::*};
use crate::{audit::Act, testing::recorded};
use marque_domain::licence::{Binding, Overage};
use marque_store::{LicenceEventKind as Kind, Page};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

fn bound_by(binding: Binding) -> PolicyWish {
    PolicyWish { binding, ..PolicyWish::default() }
}

/// How many seats nobody has given back.
async fn held(licence: &Given) -> usize {
    licence.db.seats(licence.id).await.unwrap().iter().filter(|seat| seat.released_at.is_none()).count()
}

#[tokio::test]
async fn one_seat_does_not_serve_many_accounts() {
    let world = World::start().await;
    for (binding, lent) in
        [(Binding::All, "BINDING_MISMATCH"), (Binding::Most, "NOT_ACTIVATED"), (Binding::Any, "NOT_ACTIVATED")]
    {
        let licence = world.licence(AURORA, bound_by(binding)).await;
        let mut first = licence.ea("5001", 1);
        assert_eq!(first.activate(&world.node).await.code(), "VALID");
        for account in 6_001..=6_020 {
            let at = format!("{binding:?} {account}");
            let mut other = licence.ea(&account.to_string(), 1);
            let full = other.activate(&world.node).await;
            assert_eq!((full.code(), &full.body["accounts_max"]), ("TOO_MANY_ACCOUNTS", &json!(1)), "{at}");
            // Nor with the files of the first.
            other.seat = first.seat.clone();
            for operation in ["validate", "config"] {
                assert_eq!(other.ask(&world.node, operation).await.code(), lent, "{at} {operation}");
            }
            for operation in ["heartbeat", "usage"] {
                let report = json!({ "sequence": 1_000, "orders": 9, "lots": "9", "runtime_s": 9 });
                assert_eq!(other.ask_with(&world.node, operation, report).await.code(), lent, "{at} {operation}");
            }
        }
        let beat = first.beat(&world.node).await;
        assert_eq!((beat.code(), &beat.body["sequence"]), ("VALID", &json!(1)), "{binding:?}: it is its own alone");
        assert_eq!(first.ask(&world.node, "deactivate").await.code(), "RELEASED");
        let mut next = licence.ea("6001", 1);
        assert_eq!(next.activate(&world.node).await.code(), "VALID", "{binding:?}: it is free");
        assert_eq!(first.ask(&world.node, "activate").await.code(), "TOO_MANY_ACCOUNTS", "{binding:?}");
    }
}

#[tokio::test]
async fn where_there_is_room_each_has_a_seat_of_its_own() {
    let world = World::start().await;
    let (strict, allowed) = (Overage::Strict, Overage::Allowed);
    for (machines, accounts, overage, notice) in [
        (Some(2), Some(3), strict, ""),
        (Some(2), None, strict, ""),
        (None, None, strict, ""),
        (Some(1), Some(1), allowed, "OVERAGE"),
    ] {
        for binding in [Binding::All, Binding::Most, Binding::Any] {
            let at = format!("{binding:?} {machines:?} {accounts:?}");
            let wish = PolicyWish { machines, accounts, overage, ..bound_by(binding) };
            let licence = world.licence(AURORA, wish).await;
            let mut eas = [("5001", 1), ("6002", 1), ("7003", 1), ("5001", 2)].map(|(a, m)| licence.ea(a, m));
            for ea in &mut eas {
                assert_eq!(ea.activate(&world.node).await.code(), "VALID", "{at}");
            }
            for ea in &mut eas {
                let beat = ea.beat(&world.node).await;
                assert_eq!((beat.code(), &beat.body["notice"]), ("VALID", &json!(notice)), "{at}: nobody lost a key");
            }
            let seats: BTreeSet<String> = eas.iter().map(|ea| ea.seat.clone().unwrap().activation).collect();
            assert_eq!((seats.len(), held(&licence).await), (4, 4), "{at}");
        }
    }
}

#[tokio::test]
async fn new_hardware_takes_the_seat_of_the_old_once() {
    let world = World::start().await;
    let there = world.another().await;
    let licence = world.licence(AURORA, bound_by(Binding::Most)).await;
    let mut old = licence.ea("5001", 1);
    assert_eq!(old.activate(&world.node).await.code(), "VALID");
    assert_eq!(old.beat(&there).await.code(), "VALID");
    world.time.pass_s(1);
    let mut new = licence.ea("5001", 2);
    assert_eq!(new.activate(&world.node).await.code(), "VALID");
    // On the other server, too, which has heard of nothing, a heartbeat does not hold what is given back.
    for node in [&there, &world.node] {
        assert_eq!(old.beat(node).await.code(), "RELEASED");
    }
    assert_eq!(old.activate(&world.node).await.code(), "TOO_MANY_MACHINES", "it has had its turn");
    assert_eq!(new.beat(&world.node).await.code(), "VALID");
    assert_eq!(held(&licence).await, 1);
    let mut events: Vec<Kind> =
        licence.db.licence_events(licence.id, Page::first(10)).await.unwrap().items.iter().map(|e| e.kind).collect();
    events.sort_by_key(|kind| kind.name());
    assert_eq!(events, [Kind::Activated, Kind::Released, Kind::TakenOver]);
    assert_eq!(recorded(&licence.db, Act::EaReleased).await.len(), 1);
    assert_eq!(new.ask(&world.node, "deactivate").await.code(), "RELEASED");
    assert_eq!(old.activate(&world.node).await.code(), "VALID", "a person has said so");
}

/// A hundred accounts on one computer, on two servers, want the last account of a licence that any of three binds; then a
/// hundred computers want the one seat of an account.
async fn races(world: World) {
    let wish = PolicyWish { accounts: Some(2), ..bound_by(Binding::Any) };
    let of_accounts = world.licence(AURORA, wish).await;
    assert_eq!(of_accounts.ea("1", 1).activate(&world.node).await.code(), "VALID");
    let codes = race(&world, &of_accounts, |licence, n| licence.ea(&format!("{}", 10 + u32::from(n)), 1)).await;
    assert_eq!(codes, [("TOO_MANY_ACCOUNTS".to_owned(), 99), ("VALID".to_owned(), 1)]);
    assert_eq!(held(&of_accounts).await, 2);

    let of_computers = world.licence(AURORA, bound_by(Binding::Most)).await;
    let codes = race(&world, &of_computers, |licence, n| licence.ea("5001", n)).await;
    // Each goes for the one before. Who is replaced before its answer was made hears that at once.
    assert!(codes.iter().all(|(code, _)| matches!(code.as_str(), "VALID" | "RELEASED")), "{codes:?}");
    assert_eq!(codes.iter().map(|(_, times)| times).sum::<usize>(), 100);
    assert_eq!(held(&of_computers).await, 1);
    let codes = race(&world, &of_computers, |licence, n| licence.ea("5001", n)).await;
    assert_eq!(codes, [("TOO_MANY_MACHINES".to_owned(), 99), ("VALID".to_owned(), 1)], "once, and not again");
    assert_eq!(held(&of_computers).await, 1);
}

/// What a hundred are answered, who activate at once on two servers: codes and how often.
async fn race(world: &World, licence: &Given, ea: fn(&Given, u8) -> Client) -> Vec<(String, usize)> {
    let nodes = [Arc::new(world.another().await), Arc::new(world.another().await)];
    let asked: Vec<_> = (0..100_u8)
        .map(|n| {
            let (node, client) = (Arc::clone(&nodes[usize::from(n % 2)]), ea(licence, n));
            tokio::spawn(async move { client.ask(&node, "activate").await.code().to_owned() })
        })
        .collect();
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    for one in asked {
        *codes.entry(one.await.unwrap()).or_default() += 1;
    }
    codes.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_accounts_or_computers_as_many_are_in_as_may_be() {
    races(World::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_accounts_or_computers_as_many_are_in_as_may_be_on_postgres() {
    let name = "of_a_hundred_accounts_or_computers_as_many_are_in_as_may_be_on_postgres";
    if let Some((world, _database)) = World::postgres(name).await {
        races(world).await;
    }
}
