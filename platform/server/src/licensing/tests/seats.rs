//! The last seat, seats that are silent, reports that come twice.

use super::{
    super::{Unusual, activate::event, manage::PolicyWish, unusual_use},
    world::*,
};
use crate::{audit::Act, testing::recorded};
use marque_domain::{
    licence::{Binding, State},
    time::HOUR_MS,
};
use marque_store::{LicenceChange, LicenceEventKind, Page, Seat, SeatReport, Usage, Whose};
use serde_json::json;
use std::sync::Arc;

/// A hundred computers on two servers want the last seat.
async fn race(world: World) {
    let wish = PolicyWish { machines: Some(2), accounts: None, ..PolicyWish::default() };
    let licence = world.licence(AURORA, wish).await;
    assert_eq!(licence.ea("1", 200).activate(&world.node).await.code(), "VALID");
    let nodes = [Arc::new(world.another().await), Arc::new(world.another().await)];
    let race: Vec<_> = (0..100_u8)
        .map(|n| {
            let (node, licence) = (Arc::clone(&nodes[usize::from(n % 2)]), licence.clone());
            tokio::spawn(async move { licence.ea(&format!("{}", 10 + n), n).ask(&node, "activate").await })
        })
        .collect();
    let mut won = 0;
    for one in race {
        match one.await.unwrap().code() {
            "VALID" => won += 1,
            "TOO_MANY_MACHINES" => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(licence.db.seats(licence.id).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_who_want_the_last_seat_one_has_it() {
    race(World::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_who_want_the_last_seat_one_has_it_on_postgres() {
    let name = "of_a_hundred_who_want_the_last_seat_one_has_it_on_postgres";
    if let Some((world, _database)) = World::postgres(name).await {
        race(world).await;
    }
}

#[tokio::test]
async fn a_seat_that_was_given_back_is_free_at_once() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let (mut home, mut office) = (licence.ea("5001", 1), licence.ea("5001", 2));
    home.activate(&world.node).await;
    assert_eq!(office.activate(&world.node).await.code(), "TOO_MANY_MACHINES");
    world.time.pass_s(1);
    assert_eq!(home.ask(&world.node, "deactivate").await.code(), "RELEASED");
    world.time.pass_s(1);
    assert_eq!(office.activate(&world.node).await.code(), "VALID");
    assert_eq!(home.beat(&world.node).await.code(), "RELEASED");
    assert_eq!(home.ask(&world.node, "activate").await.code(), "TOO_MANY_MACHINES");
    use LicenceEventKind as K;
    assert_eq!(kinds(&licence).await, [K::Activated, K::Released, K::Activated]);
    assert_eq!(recorded(&licence.db, Act::EaReleased).await.len(), 1);
    let taken = recorded(&licence.db, Act::EaActivated).await;
    assert_eq!(taken.len(), 2, "and nothing of who found no seat: {taken:?}");
    let latest = licence.db.seats(licence.id).await.unwrap().pop().unwrap();
    assert!(taken[1].starts_with("system EA gold-rush ") && taken[1].ends_with(&latest.id.to_string()), "{taken:?}");
}

/// What happened to a licence's seats, oldest first.
async fn kinds(licence: &Given) -> Vec<LicenceEventKind> {
    let events = licence.db.licence_events(licence.id, Page::first(10)).await.unwrap().items;
    events.iter().rev().map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_seat_goes_to_another_only_after_the_cool_down() {
    let world = World::start().await;
    let wish = PolicyWish { binding: Binding::Most, cooldown_s: 3_600, ..PolicyWish::default() };
    let licence = world.licence(AURORA, wish).await;
    let (mut one, mut other) = (licence.ea("5001", 1), licence.ea("5001", 2));
    assert_eq!(one.activate(&world.node).await.code(), "VALID");
    let free_at = world.time.now().plus(HOUR_MS);
    world.time.pass_s(1_800);
    let early = other.activate(&world.node).await;
    assert_eq!((early.code(), &early.body["retry_at"]), ("TRANSFER_COOLDOWN", &json!(free_at.0 / 1_000)));
    assert_eq!(one.activate(&world.node).await.code(), "VALID", "who has it goes on");
    world.time.pass_s(1_800);
    assert_eq!(other.activate(&world.node).await.code(), "VALID");
    assert_eq!(licence.db.licence(Whose::Everyone, licence.id).await.unwrap().moved_at, Some(world.time.now()));
    assert_eq!(other.ask(&world.node, "deactivate").await.code(), "RELEASED");
    assert_eq!(one.activate(&world.node).await.code(), "TRANSFER_COOLDOWN", "and so it is for the way back");
    world.time.pass_s(3_600);
    assert_eq!(one.activate(&world.node).await.code(), "VALID");
    use LicenceEventKind as K;
    let mut kinds = kinds(&licence).await;
    // What happens at once has no order.
    kinds.sort_by_key(|kind| kind.name());
    assert_eq!(kinds, [K::Activated, K::Released, K::Released, K::TakenOver, K::TakenOver, K::TakenUp]);
}

#[tokio::test]
async fn who_knows_a_licence_waits_too_unless_it_was_there_last() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { cooldown_s: 3_600, ..PolicyWish::default() }).await;
    let (mut home, mut office) = (licence.ea("5001", 1), licence.ea("5001", 2));
    assert_eq!(home.activate(&world.node).await.code(), "VALID");
    assert_eq!(home.ask(&world.node, "deactivate").await.code(), "RELEASED");
    world.time.pass_s(3_600);
    assert_eq!(office.activate(&world.node).await.code(), "VALID");
    assert_eq!(office.ask(&world.node, "deactivate").await.code(), "RELEASED");
    world.time.pass_s(1);
    assert_eq!(home.ask(&world.node, "activate").await.code(), "TRANSFER_COOLDOWN");
    assert_eq!(office.activate(&world.node).await.code(), "VALID");
    assert_eq!(office.ask(&world.node, "deactivate").await.code(), "RELEASED");
    world.time.pass_s(3_600);
    assert_eq!(home.activate(&world.node).await.code(), "VALID");
    assert_eq!(home.ask(&world.node, "deactivate").await.code(), "RELEASED");
    assert_eq!(office.ask(&world.node, "activate").await.code(), "TRANSFER_COOLDOWN", "there it was last");
}

#[tokio::test]
async fn a_licence_that_is_given_away_is_its_new_owners_alone() {
    let world = World::start().await;
    let wish = PolicyWish { binding: Binding::Any, cooldown_s: 3_600, ..PolicyWish::default() };
    let licence = world.licence(AURORA, wish).await;
    let mut anns = licence.ea("5001", 1);
    assert_eq!(anns.activate(&world.node).await.code(), "VALID");
    world.time.pass_s(1);
    let given = licence.handed_over(&world).await;
    let lost = anns.beat(&world.node).await;
    assert_eq!((lost.status, lost.code()), (401, "signature-refused"), "which has it activate");
    assert_eq!(anns.ask(&world.node, "activate").await.code(), "KEY_REPLACED");
    world.time.pass_s(1);
    let mut bobs = given.ea("6002", 2);
    assert_eq!(bobs.activate(&world.node).await.code(), "VALID", "no cool-down keeps him waiting");
    assert_eq!(anns.ask(&world.node, "activate").await.code(), "KEY_REPLACED");
    assert_eq!(bobs.beat(&world.node).await.code(), "VALID");
    let seats = licence.db.seats(licence.id).await.unwrap();
    let accounts: Vec<&str> = seats.iter().map(|seat| seat.account.as_str()).collect();
    assert_eq!(accounts, ["6002"], "nothing of hers is left for him to see");
    use LicenceEventKind as K;
    assert_eq!(kinds(&licence).await, [K::Activated, K::Released, K::Activated]);
}

#[tokio::test]
async fn new_addresses_do_not_hide_that_many_computers_have_one_key() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { machines: None, accounts: None, ..PolicyWish::default() }).await;
    for machine in 1..=6 {
        assert_eq!(licence.ea("5001", machine).activate(&world.node).await.code(), "VALID");
    }
    let seat = licence.db.seats(licence.id).await.unwrap().remove(0);
    for sequence in 1..=60 {
        world.time.pass_s(1);
        let address = format!("203.0.113.{sequence}");
        let moved =
            event(&Seat { address: address.clone(), ..seat.clone() }, LicenceEventKind::Moved, world.time.now());
        let usage = Usage { sequence, ..Usage::default() };
        let (event, version) = (Some(moved.unwrap()), "1.20".to_owned());
        let report = SeatReport { licence: licence.id, seat: seat.id, usage, alive_at: None, address, version, event };
        assert!(licence.db.report_usage(&report).await.unwrap());
    }
    let signs = async || unusual_use(&licence.db, licence.id, world.time.now(), |_| None).await.unwrap();
    assert_eq!(signs().await, [Unusual::Machines(6)]);
    world.time.pass_s(7 * 86_400);
    assert!(signs().await.is_empty());
}

#[tokio::test]
async fn who_comes_again_has_the_same_seat_under_a_new_key() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    let request = ea.request("activate", json!({}));
    let first = ea.send(&world.node, "activate", &request).await;
    let again = ea.send(&world.node, "activate", &request).await;
    for same in ["activation", "generation", "salt"] {
        assert_eq!(first.body[same], again.body[same], "an answer that was lost is given again: {same}");
    }
    ea.keep(&first);
    ea.beat(&world.node).await;
    let old = ea.seat.clone();
    let anew = ea.activate(&world.node).await;
    assert_eq!((&anew.body["activation"], &anew.body["generation"]), (&first.body["activation"], &json!(2)));
    assert_ne!(anew.body["salt"], first.body["salt"]);
    assert_eq!((&anew.body["sequence"], &anew.body["orders"]), (&json!(1), &json!(1)), "it goes on from there");
    ea.seat = old;
    let retired = ea.ask(&world.node, "validate").await;
    assert_eq!((retired.status, retired.code()), (401, "key-retired"));
}

#[tokio::test]
async fn an_activation_that_was_recorded_brings_nothing_later() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    let recorded = ea.request("activate", json!({}));
    let first = ea.send(&world.node, "activate", &recorded).await;
    ea.keep(&first);
    let latest = ea.request("activate", json!({}));
    let anew = ea.send(&world.node, "activate", &latest).await;
    ea.keep(&anew);
    let again = ea.send(&world.node, "activate", &recorded).await;
    assert_eq!((again.status, again.code()), (401, "signature-refused"));
    assert_eq!(ea.beat(&world.node).await.code(), "VALID", "the key is as good as before");
    // Nor does it take back what was given back; the latest says so, under the key that it has.
    assert_eq!(ea.ask(&world.node, "deactivate").await.code(), "RELEASED");
    assert_eq!(ea.send(&world.node, "activate", &recorded).await.code(), "signature-refused");
    assert_eq!(ea.send(&world.node, "activate", &latest).await.code(), "RELEASED");
    assert_eq!(licence.ea("5002", 2).activate(&world.node).await.code(), "VALID", "the seat is another's");
}

#[tokio::test]
async fn a_silent_seat_is_free_and_comes_back_only_by_activating() {
    let world = World::start().await;
    let floating = PolicyWish { window_s: 600, ..PolicyWish::default() };
    let licence = world.licence(AURORA, floating).await;
    let (mut home, mut office) = (licence.ea("5001", 1), licence.ea("5001", 2));
    home.activate(&world.node).await;
    world.time.pass_s(600);
    assert_eq!(home.beat(&world.node).await.code(), "VALID");
    world.time.pass_s(630);
    assert_eq!(office.ask(&world.node, "activate").await.code(), "TOO_MANY_MACHINES");
    world.time.pass_s(1);
    assert_eq!(home.beat(&world.node).await.code(), "HEARTBEAT_MISSED");
    assert_eq!(home.beat(&world.node).await.code(), "HEARTBEAT_MISSED", "a late heartbeat brings nothing back");
    assert_eq!(office.activate(&world.node).await.code(), "VALID");
    assert_eq!(home.beat(&world.node).await.code(), "HEARTBEAT_MISSED");
    assert_eq!(home.ask(&world.node, "activate").await.code(), "TOO_MANY_MACHINES");
    assert_eq!(office.beat(&world.node).await.code(), "VALID");
}

#[tokio::test]
async fn only_what_holds_a_floating_seat_lengthens_its_lease() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { window_s: 600, ..PolicyWish::default() }).await;
    let mut ea = licence.ea("5001", 1);
    let left_s = |reply: &Reply| {
        let at =
            |name: &str| reply.body[name].as_i64().unwrap_or_default() - reply.body["server_time"].as_i64().unwrap();
        (at("lease_until"), at("grace_until"))
    };
    assert_eq!(left_s(&ea.activate(&world.node).await), (630, 630));
    world.time.pass_s(300);
    assert_eq!(left_s(&ea.ask(&world.node, "validate").await), (330, 330), "it is another's then");
    let report = ea.report();
    assert_eq!(left_s(&ea.ask_with(&world.node, "usage", report).await), (330, 330));
    let report = ea.report();
    let beat = ea.request("heartbeat", report);
    assert_eq!(left_s(&ea.send(&world.node, "heartbeat", &beat).await), (630, 630));
    world.time.pass_s(200);
    assert_eq!(left_s(&ea.send(&world.node, "heartbeat", &beat).await), (430, 430), "what was seen holds nothing");
    assert_eq!(left_s(&ea.ask(&world.node, "config").await), (430, 430));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_reports_that_come_together_each_lasts() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { machines: None, accounts: None, ..PolicyWish::default() }).await;
    let mut eas: Vec<Client> = (0..30).map(|n| licence.ea(&format!("{}", 100 + u32::from(n)), n)).collect();
    for ea in &mut eas {
        assert_eq!(ea.activate(&world.node).await.code(), "VALID");
    }
    for turn in 1..=2 {
        let beats = eas.iter_mut().map(|ea| ea.beat(&world.node));
        for reply in futures_util::future::join_all(beats).await {
            assert_eq!((reply.code(), &reply.body["sequence"]), ("VALID", &json!(turn)));
        }
        let seats = licence.db.seats(licence.id).await.unwrap();
        assert_eq!((seats.len(), seats.iter().filter(|seat| seat.usage.sequence == turn).count()), (30, 30));
    }
}

#[tokio::test]
async fn heartbeats_never_resurrect_what_was_revoked() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { window_s: 600, ..PolicyWish::default() }).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    assert_eq!(ea.beat(&world.node).await.code(), "VALID");
    licence.change(LicenceChange::State(State::Revoked, "fraud".to_owned()), world.time.now()).await;
    for _ in 0..3 {
        assert_eq!(ea.beat(&world.node).await.code(), "REVOKED");
    }
    let seat = licence.db.seats(licence.id).await.unwrap().remove(0);
    assert_eq!(seat.seen_at, world.time.now(), "held once, before");
    world.time.pass_s(60);
    ea.beat(&world.node).await;
    assert_eq!(licence.db.seats(licence.id).await.unwrap().remove(0).seen_at, seat.seen_at);
    assert_eq!(licence.db.licence_image(licence.id).await.unwrap().licence.state, State::Revoked);
}

#[tokio::test]
async fn reports_count_once_and_only_grow() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish { window_s: 600, ..PolicyWish::default() }).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let report = json!({ "sequence": 5, "orders": 3, "lots": "1.25", "runtime_s": 100 });
    let request = ea.request("heartbeat", report.clone());
    let first = ea.send(&world.node, "heartbeat", &request).await;
    world.time.pass_s(300);
    let replayed = ea.send(&world.node, "heartbeat", &request).await;
    for reply in [&first, &replayed] {
        assert_eq!((reply.code(), &reply.body["sequence"], &reply.body["lots"]), ("VALID", &json!(5), &json!("1.25")));
    }
    world.time.pass_s(331);
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "HEARTBEAT_MISSED", "a replay holds no seat");
    ea.activate(&world.node).await;
    for shrunk in [
        json!({ "sequence": 6, "orders": 2, "lots": "1.25", "runtime_s": 100 }),
        json!({ "sequence": 6, "orders": 3, "lots": "1.24", "runtime_s": 100 }),
        json!({ "sequence": 6, "orders": 3, "lots": "1.25", "runtime_s": 99 }),
    ] {
        let reply = ea.ask_with(&world.node, "usage", shrunk).await;
        assert_eq!((reply.status, reply.code()), (422, "invalid"));
    }
    let older = json!({ "sequence": 4, "orders": 1, "lots": "0.5", "runtime_s": 1 });
    assert_eq!(ea.ask_with(&world.node, "usage", older).await.body["orders"], 3, "answered, and changes nothing");
    for bad in ["", "1,5", "-1", "1.123456789", "1e3", "."] {
        let wrong = json!({ "sequence": 7, "orders": 3, "lots": bad, "runtime_s": 100 });
        assert_eq!(ea.ask_with(&world.node, "usage", wrong).await.status, 422, "{bad:?}");
    }
    let seat = licence.db.seats(licence.id).await.unwrap().remove(0);
    assert_eq!((seat.usage.sequence, seat.usage.orders, seat.usage.runtime_s), (5, 3, 100));
}

#[tokio::test]
async fn settings_ride_when_they_are_others_and_fit() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    let set = async |text: &str| {
        let settings = json!({ "lots": 0.05, "comment": text }).to_string();
        licence.db.set_licence_settings(licence.id, 1, &settings, world.time.now()).await.unwrap()
    };
    assert_eq!(set("Grüße, \"Öl\"").await, 1);
    let taken = ea.activate(&world.node).await;
    assert_eq!((&taken.body["config_version"], &taken.body["set.lots"]), (&json!(1), &json!("0.05")));
    assert_eq!(taken.body["set.comment"], "Grüße, \"Öl\"");
    let same = ea.ask_with(&world.node, "validate", json!({ "config_version": 1 })).await;
    assert!(same.body.get("config_included").is_none());
    assert_eq!(set(&"x".repeat(5_000)).await, 2);
    let large = ea.ask_with(&world.node, "validate", json!({ "config_version": 1 })).await;
    assert_eq!((&large.body["config_version"], large.body.get("config_included")), (&json!(2), None));
    assert_eq!(ea.ask(&world.node, "config").await.body["set.comment"].as_str().unwrap().len(), 5_000);
}
