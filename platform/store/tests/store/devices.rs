//! Sessions of a person, and the browsers they were opened in.

use crate::harness::*;
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use marque_store::{Concealed, MetDevice, SESSIONS_MAX, SeenDevice, Session, StoreError, TokenHash};

on_both!(
    a_person_sees_and_ends_their_sessions,
    sessions_have_a_limit,
    a_browser_is_met_once,
    failures_are_counted_and_forgotten,
    devices_stay_with_their_tenant
);

fn session(id: i64, user: i64, seen: i64, country: Option<&str>) -> Session {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&id.to_be_bytes());
    Session {
        id: SessionId(id),
        token_hash: TokenHash(hash),
        user: UserId(user),
        csrf: Concealed::new("csrf".to_owned()),
        created_at: NOW,
        last_seen_at: Millis(seen),
        expires_at: NOW.plus(1_000),
        address: "203.0.113.9".to_owned(),
        agent: "test".to_owned(),
        method: "password".to_owned(),
        proved_at: NOW,
        country: country.map(str::to_owned),
        device: None,
    }
}

fn seen(id: i64, hash: u8, country: Option<&str>) -> SeenDevice {
    SeenDevice {
        id,
        user: UserId(1),
        hash: TokenHash([hash; 32]),
        agent: "test".to_owned(),
        address: "203.0.113.9".to_owned(),
        country: country.map(str::to_owned),
    }
}

async fn a_person_sees_and_ends_their_sessions(bench: Bench) {
    let db = bench.db(AURORA);
    for (id, user, seen) in [(1, 1, 10), (2, 1, 30), (3, 1, 20), (4, 2, 40)] {
        db.create_session(&session(id, user, seen, None)).await.unwrap();
    }
    let ids = async || {
        let found = db.sessions_of(UserId(1), NOW).await.unwrap();
        found.into_iter().map(|s| s.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, [2, 3, 1]);
    assert_eq!(db.sessions_of(UserId(1), NOW.plus(1_000)).await.unwrap(), []);
    assert!(!db.delete_session_of(UserId(1), SessionId(4)).await.unwrap(), "another's");
    assert!(db.delete_session_of(UserId(1), SessionId(2)).await.unwrap());
    assert!(!db.delete_session_of(UserId(1), SessionId(2)).await.unwrap());
    assert_eq!(db.delete_other_sessions(UserId(1), SessionId(3)).await.unwrap(), 1);
    assert_eq!(ids().await, [3]);
    assert_eq!(db.sessions_of(UserId(2), NOW).await.unwrap().len(), 1);
}

async fn sessions_have_a_limit(bench: Bench) {
    let db = bench.db(AURORA);
    let max = i64::try_from(SESSIONS_MAX).unwrap();
    for id in 1..=max + 2 {
        db.create_session(&session(id, 1, NOW.0 + id, None)).await.unwrap();
    }
    let left: Vec<_> = db.sessions_of(UserId(1), NOW).await.unwrap().into_iter().map(|s| s.id.0).collect();
    assert_eq!(left, (3..=max + 2).rev().collect::<Vec<_>>());
}

async fn a_browser_is_met_once(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_session(&session(1, 1, 10, Some("CZ"))).await.unwrap();
    let meet = async |device: SeenDevice, at: i64| db.meet_device(&device, SessionId(1), Millis(at)).await.unwrap();
    assert_eq!(meet(seen(7, 1, Some("DE")), 10).await, MetDevice { id: 7, is_new: true, is_first: true });
    assert_eq!(meet(seen(8, 1, Some("AT")), 20).await, MetDevice { id: 7, is_new: false, is_first: false });
    assert_eq!(meet(seen(9, 2, None), 30).await, MetDevice { id: 9, is_new: true, is_first: false });
    assert_eq!(db.sessions_of(UserId(1), NOW).await.unwrap()[0].device, Some(9));
    assert!(db.knows_device(UserId(1), TokenHash([1; 32])).await.unwrap());
    assert!(!db.knows_device(UserId(2), TokenHash([1; 32])).await.unwrap(), "each person's own");
    assert_eq!(db.countries_of(UserId(1)).await.unwrap(), ["AT", "CZ"], "the last of each browser, and of sessions");
    let stranger = SeenDevice { user: UserId(99), ..seen(10, 3, None) };
    let refused = db.meet_device(&stranger, SessionId(1), NOW).await;
    assert!(matches!(refused, Err(StoreError::BrokenReference(_))));
    assert_eq!(db.forget_devices(Millis(30)).await.unwrap(), 1);
    assert!(!db.knows_device(UserId(1), TokenHash([1; 32])).await.unwrap());
    for n in 20..90_u8 {
        meet(seen(n.into(), n, None), n.into()).await;
    }
    assert!(!db.knows_device(UserId(1), TokenHash([39; 32])).await.unwrap(), "the oldest gave way");
    assert!(db.knows_device(UserId(1), TokenHash([40; 32])).await.unwrap());
}

async fn devices_stay_with_their_tenant(bench: Bench) {
    let (one, two) = (bench.db(AURORA), bench.db(BOREALIS));
    one.create_session(&session(1, 1, 10, Some("CZ"))).await.unwrap();
    one.meet_device(&seen(7, 1, Some("DE")), SessionId(1), NOW).await.unwrap();
    assert!(!two.knows_device(UserId(1), TokenHash([1; 32])).await.unwrap());
    assert_eq!(two.countries_of(UserId(1)).await.unwrap(), [""; 0]);
    assert_eq!(two.sessions_of(UserId(1), NOW).await.unwrap(), []);
    assert!(!two.delete_session_of(UserId(1), SessionId(1)).await.unwrap());
    assert_eq!(two.delete_other_sessions(UserId(1), SessionId(9)).await.unwrap(), 0);
    assert_eq!(two.forget_devices(NOW.plus(1)).await.unwrap(), 0);
    assert_eq!(one.countries_of(UserId(1)).await.unwrap(), ["CZ", "DE"]);
}

async fn failures_are_counted_and_forgotten(bench: Bench) {
    let db = bench.db(AURORA);
    let count = async || db.user(UserId(1)).await.unwrap().failures;
    for n in 0..3 {
        db.note_failure(Some(UserId(1)), 100, NOW.plus(n)).await.unwrap();
        db.note_failure(None, 100, NOW.plus(n)).await.unwrap();
    }
    assert_eq!((count().await, db.user(UserId(2)).await.unwrap().failures), (3, 0));
    db.note_failure(Some(UserId(1)), 100, NOW.plus(102)).await.unwrap();
    assert_eq!(count().await, 1, "the older ones count no more");
    db.forget_failures(UserId(1)).await.unwrap();
    assert_eq!(count().await, 0);
    assert_eq!(bench.db(BOREALIS).user(UserId(1)).await.unwrap().failures, 0);
}
