//! Users, sessions, the catalogue and idempotency keys.

use crate::harness::*;
use marque_domain::{
    id::{PluginId, SessionId, UserId},
    plugin::{PluginDigest, PluginKind},
    time::Millis,
};
use marque_store::{Change, Concealed, KeyUse, NewPlugin, Session, StoreError, TokenHash};

on_both!(
    an_address_belongs_to_one_person,
    sessions_end,
    a_key_counts_once,
    one_write_among_many_fails_alone,
    the_newest_enabled_plugin_is_offered,
);

async fn an_address_belongs_to_one_person(bench: Bench) {
    let db = bench.db(AURORA);
    let found = db.user_by_email(" Trader@X.Example").await.unwrap().unwrap();
    assert_eq!(found, user(1, "trader@x.example"));
    assert_eq!(db.user(UserId(1)).await.unwrap(), found);
    assert!(matches!(db.user(UserId(9)).await, Err(StoreError::NotFound("user"))));
    assert!(matches!(db.create_user(&user(3, "TRADER@x.example")).await, Err(StoreError::Conflict(_))));
    assert_eq!(db.user_by_email("nobody@x.example").await.unwrap(), None);
    db.set_plan(UserId(1), Some("plus")).await.unwrap();
    assert_eq!(db.user(UserId(1)).await.unwrap().plan.as_deref(), Some("plus"));
    db.set_plan(UserId(1), None).await.unwrap();
    assert_eq!(db.user(UserId(1)).await.unwrap().plan, None);
    assert!(matches!(db.set_plan(UserId(9), None).await, Err(StoreError::NotFound("user"))));
}

pub fn session(id: i64, expires_at: i64) -> Session {
    Session {
        id: SessionId(id),
        token_hash: TokenHash([u8::try_from(id).unwrap(); 32]),
        user: UserId(1),
        csrf: Concealed::new("csrf".to_owned()),
        created_at: Millis(0),
        last_seen_at: Millis(0),
        expires_at: Millis(expires_at),
        address: "127.0.0.1".to_owned(),
        agent: "test".to_owned(),
        method: "password".to_owned(),
        proved_at: NOW,
        country: None,
        device: None,
    }
}

async fn sessions_end(bench: Bench) {
    let db = bench.db(AURORA);
    for id in 1..=3 {
        db.create_session(&session(id, id * 10)).await.unwrap();
    }
    let at = async |id: u8, now| db.session(TokenHash([id; 32]), Millis(now)).await.unwrap().map(|s| s.id.0);
    assert_eq!((at(1, 9).await, at(1, 10).await, at(9, 0).await), (Some(1), None, None));
    assert!(db.touch_session(SessionId(1), Millis(9), Millis(100)).await.unwrap());
    assert_eq!(at(1, 99).await, Some(1));
    assert_eq!(db.delete_ended_sessions(Millis(20)).await.unwrap(), 1);
    assert_eq!(at(2, 0).await, None, "a clock set back revives nothing");
    assert!(db.delete_session(SessionId(3)).await.unwrap());
    assert!(!db.delete_session(SessionId(3)).await.unwrap());
    assert_eq!(db.delete_sessions_of(UserId(1)).await.unwrap(), 1);
    let stranger = Session { user: UserId(99), ..session(4, 1) };
    assert!(matches!(db.create_session(&stranger).await, Err(StoreError::BrokenReference(_))));
}

async fn a_key_counts_once(bench: Bench) {
    let (db, user) = (bench.db(AURORA), UserId(1));
    let many = (0..20).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.begin_key(user, "key", [1; 32], NOW).await.unwrap() })
    });
    let mut fresh = 0;
    for one in many.collect::<Vec<_>>() {
        match one.await.unwrap() {
            KeyUse::Fresh => fresh += 1,
            other => assert_eq!(other, KeyUse::Pending { since: NOW }),
        }
    }
    assert_eq!(fresh, 1);
    assert_eq!(db.begin_key(user, "key", [2; 32], NOW).await.unwrap(), KeyUse::Mismatch);
    db.finish_key(user, "key", 201, b"made").await.unwrap();
    let answered = KeyUse::Answered { status: 201, body: b"made".to_vec() };
    assert_eq!(db.begin_key(user, "key", [1; 32], NOW).await.unwrap(), answered);
    assert!(matches!(db.finish_key(user, "key", 500, b"").await, Err(StoreError::NotFound(_))), "an answer stays");
    db.release_key(user, "key").await.unwrap();
    assert_eq!(db.begin_key(user, "key", [1; 32], NOW).await.unwrap(), answered);
    assert_eq!(db.begin_key(UserId(2), "key", [1; 32], NOW).await.unwrap(), KeyUse::Fresh, "keys are a person's own");
    db.release_key(UserId(2), "key").await.unwrap();
    assert_eq!(db.begin_key(UserId(2), "key", [3; 32], NOW).await.unwrap(), KeyUse::Fresh);
    assert_eq!(db.forget_keys(Millis(NOW.0 + 1)).await.unwrap(), 2);
}

/// Writes that come at once share a transaction: each has its own answer all the same, at its own tenant, and it lasts.
async fn one_write_among_many_fails_alone(bench: Bench) {
    let stranger = UserId(99);
    let many = (0..60_u8).map(|n| {
        let db = bench.db(if n % 2 == 0 { AURORA } else { BOREALIS });
        let user = if n % 10 == 3 { stranger } else { UserId(1) };
        tokio::spawn(async move {
            let taken = db.begin_key(user, &format!("key {n}"), [n; 32], NOW).await;
            if n % 10 == 4 {
                // Of a key that nobody took.
                assert!(matches!(db.finish_key(user, "other", 200, b"").await, Err(StoreError::NotFound(_))));
            }
            let finished = db.finish_key(user, &format!("key {n}"), 200, &[n]).await;
            (taken, finished)
        })
    });
    for (n, one) in (0..60_u8).zip(many.collect::<Vec<_>>()) {
        let (taken, finished) = one.await.unwrap();
        let db = bench.db(if n % 2 == 0 { AURORA } else { BOREALIS });
        if n % 10 == 3 {
            assert!(matches!(taken, Err(StoreError::BrokenReference(_))), "{n}: {taken:?}");
            assert!(matches!(finished, Err(StoreError::NotFound(_))), "{n}: {finished:?}");
            continue;
        }
        assert_eq!((taken.unwrap(), finished.unwrap()), (KeyUse::Fresh, ()), "{n}");
        let kept = db.begin_key(UserId(1), &format!("key {n}"), [n; 32], NOW).await.unwrap();
        assert_eq!(kept, KeyUse::Answered { status: 200, body: vec![n] });
    }
}

async fn the_newest_enabled_plugin_is_offered(bench: Bench) {
    let db = bench.db(AURORA);
    let version = |n: u8| NewPlugin {
        id: PluginId(i64::from(n)),
        name: "ema-cross".to_owned(),
        version: format!("1.0.{n}"),
        kind: PluginKind::Strategy,
        digest: PluginDigest([n; 32]),
        size: 3,
        description: "{}".to_owned(),
    };
    assert!(matches!(db.add_plugin(&version(1), NOW).await, Err(StoreError::BrokenReference(_))), "no component");
    let system = bench.store.system("test");
    for n in 1..=2 {
        assert_eq!(system.put_artifact(PluginDigest([n; 32]), &[n; 3]).await.unwrap(), Change::Created);
        assert_eq!(system.put_artifact(PluginDigest([n; 32]), &[n; 3]).await.unwrap(), Change::Unchanged);
        assert_eq!(db.add_plugin(&version(n), Millis(i64::from(n))).await.unwrap(), Change::Created);
    }
    assert_eq!(system.artifact(PluginDigest([2; 32])).await.unwrap(), Some(vec![2; 3]));
    assert_eq!(system.artifact(PluginDigest([3; 32])).await.unwrap(), None);
    let again = NewPlugin { id: PluginId(50), ..version(1) };
    assert_eq!(db.add_plugin(&again, NOW).await.unwrap(), Change::Unchanged);
    let offered = async || db.plugin_by_name("ema-cross").await.unwrap().map(|p| p.plugin.version);
    assert_eq!(offered().await.as_deref(), Some("1.0.2"));
    db.enable_plugin(PluginId(2), false).await.unwrap();
    assert_eq!(offered().await.as_deref(), Some("1.0.1"));
    assert!(!db.plugin_by_digest(PluginDigest([2; 32])).await.unwrap().unwrap().enabled);
    assert_eq!(db.plugins().await.unwrap().len(), 2);
    assert!(matches!(db.enable_plugin(PluginId(50), true).await, Err(StoreError::NotFound(_))));
    assert_eq!(bench.db(BOREALIS).plugins().await.unwrap().len(), 0);
}
