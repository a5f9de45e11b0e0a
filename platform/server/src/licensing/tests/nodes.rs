//! Several servers over one database: what one of them knows, the others learn in time.

use super::{
    super::{LOOK_EVERY, manage::PolicyWish},
    world::*,
};
use marque_domain::licence::State;
use marque_store::LicenceChange;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_revoked_is_refused_everywhere_within_a_second() {
    let world = World::start().await;
    let others = [world.another().await, world.another().await];
    let mut keepers = tokio::task::JoinSet::new();
    for node in &others {
        keepers.spawn(node.licensing.snapshots().clone().keep());
    }
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    tokio::time::sleep(LOOK_EVERY * 2).await;
    for node in &others {
        assert_eq!(ea.ask(node, "validate").await.code(), "VALID");
    }
    licence.change(LicenceChange::State(State::Revoked, "fraud".to_owned()), world.time.now()).await;
    let revoked = Instant::now();
    for node in &others {
        while ea.ask(node, "validate").await.code() != "REVOKED" {
            assert!(revoked.elapsed() < Duration::from_secs(1), "it is still good after {:?}", revoked.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for node in &others {
        assert_eq!(ea.beat(node).await.code(), "REVOKED");
    }
}

#[tokio::test]
async fn memory_answers_while_a_look_is_fresh_and_not_longer() {
    let world = World::start().await;
    let other = world.another().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    other.licensing.snapshots().look().await.unwrap();
    assert_eq!(ea.ask(&other, "validate").await.code(), "VALID");
    other.licensing.snapshots().look().await.unwrap();
    licence.change(LicenceChange::State(State::Suspended, "unpaid".to_owned()), world.time.now()).await;
    assert_eq!(ea.ask(&other, "validate").await.code(), "VALID", "it is remembered");
    tokio::time::sleep(Duration::from_millis(950)).await;
    assert_eq!(ea.ask(&other, "validate").await.code(), "SUSPENDED", "nobody has looked for a second");
}

#[tokio::test]
async fn a_seat_is_known_where_it_was_not_taken() {
    let world = World::start().await;
    let other = world.another().await;
    for node in [&world.node, &other] {
        node.licensing.snapshots().look().await.unwrap();
    }
    let licence = world.licence(AURORA, PolicyWish { window_s: 600, ..PolicyWish::default() }).await;
    let mut ea = licence.ea("5001", 1);
    for node in [&world.node, &other] {
        node.licensing.snapshots().look().await.unwrap();
        assert_eq!(ea.ask(node, "validate").await.code(), "NOT_ACTIVATED");
    }
    ea.activate(&world.node).await;
    assert_eq!(ea.ask(&other, "validate").await.code(), "VALID", "a no is asked of the database");
    // The heartbeats of one server hold the seat for all.
    for _ in 0..3 {
        world.time.pass_s(500);
        other.licensing.snapshots().look().await.unwrap();
        assert_eq!(ea.beat(&world.node).await.code(), "VALID");
    }
    assert_eq!(ea.ask(&other, "validate").await.code(), "VALID");
    assert_eq!(licence.ea("5001", 2).ask(&other, "activate").await.code(), "TOO_MANY_MACHINES");
}
