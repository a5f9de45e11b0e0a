//! New keys beside old ones, and keys that are sealed.

use super::{
    super::{
        activate::event,
        manage::{NewLicence, PolicyWish, issue},
        new_key, retire_key, rotate_seats,
    },
    world::*,
};
use marque_domain::time::DAY_MS;
use marque_store::{LicenceChange, LicenceEventKind, SealedColumn, Whose};
use serde_json::json;

#[tokio::test]
async fn a_seats_old_key_is_good_until_it_is_retired() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let retires_at = world.time.now().plus(7 * DAY_MS);
    assert_eq!(rotate_seats(&licence.db, &world.vault, None, retires_at, world.time.now()).await.unwrap(), 1);
    let offered = ea.beat(&world.node).await;
    assert_eq!((offered.code(), &offered.body["next_generation"]), ("VALID", &json!(2)));
    let again = ea.beat(&world.node).await;
    assert_eq!(again.body["next_salt"], offered.body["next_salt"], "an answer that was lost is given again");
    let old = ea.seat.clone();
    let next =
        Held { generation: 2, salt: offered.body["next_salt"].as_str().unwrap().to_owned(), ..old.clone().unwrap() };
    ea.seat = Some(next.clone());
    let arrived = ea.beat(&world.node).await;
    assert_eq!((arrived.code(), arrived.body.get("next_salt")), ("VALID", None));
    ea.seat.clone_from(&old);
    assert_eq!(ea.beat(&world.node).await.code(), "VALID", "the old one is good until it is retired");
    world.time.pass_s(7 * 86_400);
    let retired = ea.beat(&world.node).await;
    assert_eq!((retired.status, retired.code()), (401, "key-retired"));
    ea.seat = Some(next);
    assert_eq!(ea.beat(&world.node).await.code(), "VALID");

    // An EA that slept through it activates anew and keeps its seat.
    let later = world.time.now().plus(7 * DAY_MS);
    rotate_seats(&licence.db, &world.vault, Some(licence.id), later, world.time.now()).await.unwrap();
    assert_eq!(licence.db.retire_salts(world.time.now()).await.unwrap(), 1);
    assert_eq!(ea.beat(&world.node).await.code(), "key-retired");
    let seat = ea.seat.clone().unwrap().activation;
    assert_eq!(ea.activate(&world.node).await.body["activation"], seat);
}

#[tokio::test]
async fn a_seat_that_was_released_stays_so_when_its_key_is_retired() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let retires_at = world.time.now().plus(7 * DAY_MS);
    rotate_seats(&licence.db, &world.vault, None, retires_at, world.time.now()).await.unwrap();
    // While the EA sleeps a person releases its seat.
    let seat = licence.db.seats(licence.id).await.unwrap().remove(0);
    let gone = event(&seat, LicenceEventKind::Released, world.time.now()).unwrap();
    licence.db.release_seat(licence.id, seat.id, world.time.now(), &gone).await.unwrap();
    world.time.pass_s(7 * 86_400);
    for operation in ["validate", "config", "deactivate"] {
        let told = ea.ask(&world.node, operation).await;
        assert_eq!((told.status, told.code()), (200, "RELEASED"), "{operation}");
    }
    assert_eq!(ea.beat(&world.node).await.code(), "RELEASED");
    let after = licence.db.seats(licence.id).await.unwrap().remove(0);
    assert!(after.released_at.is_some() && after.usage == seat.usage, "and no report is taken");
    // Once a person has attached it anew, the retired key is nothing but retired.
    let old = ea.seat.clone();
    assert_eq!(ea.activate(&world.node).await.code(), "VALID");
    ea.seat = old;
    let retired = ea.beat(&world.node).await;
    assert_eq!((retired.status, retired.code()), (401, "key-retired"));
}

#[tokio::test]
async fn the_tenants_old_key_is_published_until_it_is_retired() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let asked = json!({ "alg": "ed25519" });
    let first = ea.ask_with(&world.node, "validate", asked.clone()).await;
    assert!(is_of_tenant(&world.node, AURORA, "validate", &first).await);
    let keys = get(&world.node, AURORA, "keys", "").await.body;
    let old = keys["current"].as_str().unwrap().to_owned();
    assert_eq!(old, "t.2026-11");
    assert!(retire_key(&licence.db, "2026-11", world.time.now()).await.is_err(), "the only one is not retired");
    world.time.pass_s(1);
    let name = new_key(&licence.db, &world.vault, world.time.now()).await.unwrap();
    assert_eq!(name, "2026-11-2");
    let fresh = world.another().await;
    assert!(is_of_tenant(&fresh, AURORA, "validate", &first).await, "what the old one signed is good");
    let second = ea.ask_with(&fresh, "validate", asked).await;
    assert!(second.signature.starts_with("kid=t.2026-11-2, ed25519="), "{}", second.signature);
    retire_key(&licence.db, "2026-11", world.time.now()).await.unwrap();
    let fresh = world.another().await;
    assert!(!is_of_tenant(&fresh, AURORA, "validate", &first).await);
    assert!(is_of_tenant(&fresh, AURORA, "validate", &second).await);
}

/// The public key of a name that is published.
async fn public_key(node: &Node, kid: &str) -> String {
    get(node, AURORA, "keys", "").await.body[kid].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn answers_are_signed_with_the_key_that_an_ea_knows_until_it_is_retired() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let old = public_key(&world.node, "t.2026-11").await;
    world.time.pass_s(1);
    new_key(&licence.db, &world.vault, world.time.now()).await.unwrap();
    let node = world.another().await;
    let new = public_key(&node, "t.2026-11-2").await;
    let stranger = "0".repeat(64);
    let cases = [
        (old.clone(), "t.2026-11"),
        (new.clone(), "t.2026-11-2"),
        (format!("{old} {new}"), "t.2026-11-2"),
        (format!("{stranger} {old}"), "t.2026-11"),
        (stranger, "t.2026-11-2"),
    ];
    for (signer, kid) in &cases {
        let told = ea.ask_with(&node, "validate", json!({ "alg": "ed25519", "signer": signer })).await;
        assert_eq!((told.status, told.code()), (200, "VALID"), "{signer}");
        assert!(told.signature.starts_with(&format!("kid={kid}, ed25519=")), "{signer}: {}", told.signature);
        assert!(is_of_tenant(&node, AURORA, "validate", &told).await, "{signer}");
    }
    // Every other operation, too; and who wants no Ed25519 gets none.
    let pinned = json!({ "alg": "ed25519", "signer": old });
    for operation in ["config", "activate"] {
        let told = ea.ask_with(&node, operation, pinned.clone()).await;
        if operation == "activate" {
            ea.keep(&told);
        }
        assert!(told.signature.starts_with("kid=t.2026-11, "), "{operation}: {}", told.signature);
        assert!(is_of_tenant(&node, AURORA, operation, &told).await, "{operation}");
    }
    let plain = ea.ask_with(&node, "validate", json!({ "signer": old })).await;
    assert!(plain.signature.contains(", hmac-sha256="), "{}", plain.signature);
    retire_key(&licence.db, "2026-11", world.time.now()).await.unwrap();
    let node = world.another().await;
    let told = ea.ask_with(&node, "validate", pinned).await;
    assert!(told.signature.starts_with("kid=t.2026-11-2, "), "a retired key signs nothing: {}", told.signature);
}

#[tokio::test]
async fn a_licence_key_that_nobody_has_is_answered_with_the_key_that_an_ea_knows() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    let old = public_key(&world.node, "t.2026-11").await;
    world.time.pass_s(1);
    new_key(&licence.db, &world.vault, world.time.now()).await.unwrap();
    let node = world.another().await;
    ea.fields.insert("key_id".to_owned(), json!("0".repeat(32)));
    let told = ea.ask_with(&node, "validate", json!({ "alg": "ed25519", "signer": old })).await;
    assert_eq!(told.code(), "NOT_FOUND");
    assert!(told.signature.starts_with("kid=t.2026-11, "), "{}", told.signature);
}

#[tokio::test]
async fn what_names_no_key_is_no_signer() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let key = "0".repeat(64);
    let bad = [
        String::new(),
        "t.2026-11".to_owned(),
        "A".repeat(64),
        format!("{key} "),
        format!("{key}  {key}"),
        key.repeat(2),
        [key.as_str(); 9].join(" "),
    ];
    for signer in bad {
        let told = ea.ask_with(&world.node, "validate", json!({ "alg": "ed25519", "signer": signer })).await;
        assert_eq!((told.status, &told.body["errors"][0]["field"]), (422, &json!("signer")), "{signer:?}");
    }
    let most = [key.as_str(); 8].join(" ");
    let told = ea.ask_with(&world.node, "validate", json!({ "alg": "ed25519", "signer": most })).await;
    assert_eq!((told.status, told.code()), (200, "VALID"));
}

#[tokio::test]
async fn a_key_that_was_replaced_is_told_so_and_seats_stay() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let row = licence.db.licence(Whose::Everyone, licence.id).await.unwrap();
    let policy = licence.db.licence_policy(row.policy).await.unwrap();
    // A key is made by issuing; this one is then given to the licence.
    let (key_row, key) =
        super::super::manage::key_for_tests(&licence.db, &world.vault, licence.id, world.time.now()).await;
    licence.change(LicenceChange::Key(key_row), world.time.now()).await;
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "KEY_REPLACED");
    assert_eq!(ea.ask(&world.node, "activate").await.code(), "KEY_REPLACED");
    let renewed = Given { key, ..licence.clone() };
    let mut again = renewed.ea("5001", 1);
    let taken = again.activate(&world.node).await;
    assert_eq!((taken.code(), &taken.body["activation"]), ("VALID", &json!(ea.seat.unwrap().activation)));
    let other =
        issue(&licence.db, &world.vault, NewLicence { user: row.user, policy, ends_at: None }, world.time.now());
    assert_ne!(other.await.unwrap().licence.id, licence.id);
}

#[tokio::test]
async fn keys_and_salts_are_sealed_and_survive_a_change_of_keys() {
    let world = World::start().await;
    let licence = world.licence(AURORA, PolicyWish::default()).await;
    let mut ea = licence.ea("5001", 1);
    ea.activate(&world.node).await;
    let salt: [u8; 32] = super::super::mac::of_hex(&ea.seat.as_ref().unwrap().salt).unwrap();
    let canonical = licence.key.canonical().as_bytes();
    let bytes = world.on_disk();
    for secret in [canonical, &salt, licence.key.shown().as_bytes()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret lies open");
    }
    assert_eq!(licence.db.sealed(SealedColumn::LicenceKeys, None).await.unwrap().len(), 1);
    // By a clock that goes on: a new key is used once every server knows it.
    crate::testing::vault().rotate(&licence.db, |_| {}).await.unwrap();
    let fresh = world.another().await;
    assert_eq!(ea.ask(&fresh, "validate").await.code(), "VALID");
}
