//! Single sign-on: identities belong to one tenant, attempts count once.

use crate::harness::*;
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use marque_store::{
    Concealed, SSO_IDENTITIES_MAX, Session, SsoAttempt, SsoConnection, SsoIdentity, StoreError, TenantDb, TokenHash,
    Unlinked, User,
};

on_both!(
    connections_are_kept,
    a_claim_ends_other_ways_or_is_not_made,
    an_identity_is_one_persons,
    a_person_has_only_so_many_identities,
    of_two_who_unlink_at_once_one_stays,
    a_person_comes_with_an_identity,
    an_attempt_is_taken_once,
);

fn connection(id: i64, slug: &str) -> SsoConnection {
    SsoConnection {
        id,
        slug: slug.to_owned(),
        name: format!("{slug} login"),
        preset: "oidc".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        client_id: "client".to_owned(),
        secret: vec![1, 2, 3],
        settings: "{}".to_owned(),
        domains: vec!["x.example".to_owned(), "y.example".to_owned()],
        enabled: true,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn identity(subject: &str, user: i64) -> SsoIdentity {
    SsoIdentity {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        user: UserId(user),
        connection: 7,
        email: "ann@x.example".to_owned(),
        created_at: NOW,
        last_used_at: NOW,
    }
}

fn attempt(state: u8, browser: u8) -> SsoAttempt {
    SsoAttempt {
        digest: [state; 32],
        connection: 7,
        browser: [browser; 32],
        secrets: vec![9; 40],
        next: "/dashboard".to_owned(),
        user: None,
        created_at: NOW,
        expires_at: NOW.plus(1_000),
    }
}

async fn with_connection(bench: &Bench) -> TenantDb {
    for tenant in [AURORA, BOREALIS] {
        bench.db(tenant).create_sso_connection(&connection(7, "acme")).await.unwrap();
    }
    bench.db(AURORA)
}

async fn connections_are_kept(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_sso_connection(&connection(7, "acme")).await.unwrap();
    assert!(matches!(db.create_sso_connection(&connection(8, "acme")).await, Err(StoreError::Conflict(_))));
    assert_eq!(db.sso_connection("acme").await.unwrap(), Some(connection(7, "acme")));
    let changed = SsoConnection { enabled: false, domains: Vec::new(), secret: vec![4], ..connection(7, "acme") };
    assert!(db.update_sso_connection(&changed).await.unwrap());
    assert_eq!(db.sso_connections().await.unwrap(), std::slice::from_ref(&changed));
    // Another tenant has neither it nor a way to change it.
    let other = bench.db(BOREALIS);
    assert_eq!(other.sso_connection("acme").await.unwrap(), None);
    assert!(!other.update_sso_connection(&connection(7, "acme")).await.unwrap());
    assert_eq!(db.sso_connection("acme").await.unwrap(), Some(changed));
}

fn session(id: u8, user: i64, method: &str) -> Session {
    Session {
        id: SessionId(id.into()),
        token_hash: TokenHash([id; 32]),
        user: UserId(user),
        csrf: Concealed::new("csrf".to_owned()),
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: NOW.plus(1_000),
        address: "203.0.113.9".to_owned(),
        agent: "test".to_owned(),
        method: method.to_owned(),
        proved_at: NOW,
        country: None,
        device: None,
    }
}

/// A claim that is cut off before everything has ended is not made: it can be made again, whole.
async fn a_claim_ends_other_ways_or_is_not_made(bench: Bench) {
    let db = with_connection(&bench).await;
    db.create_user(&user(3, "elsewhere@z.example")).await.unwrap();
    db.create_user(&User { role: "owner".to_owned(), ..user(4, "boss@x.example") }).await.unwrap();
    db.create_user(&user(5, "other@x.example")).await.unwrap();
    // One of them last came by this connection, one by another.
    db.create_sso_connection(&connection(8, "other")).await.unwrap();
    db.link_sso_identity(&identity("ann", 1)).await.unwrap();
    db.link_sso_identity(&SsoIdentity { connection: 8, ..identity("other", 5) }).await.unwrap();
    let opened =
        [(1, 1, "password"), (2, 1, "sso"), (3, 2, "passkey"), (4, 3, "password"), (5, 4, "password"), (6, 5, "sso")];
    for (id, user, method) in opened {
        db.create_session(&session(id, user, method)).await.unwrap();
    }
    let left = async || {
        let mut left = Vec::new();
        for (id, ..) in opened {
            left.extend(db.session(TokenHash([id; 32]), NOW).await.unwrap().map(|session| session.id.0));
        }
        left
    };
    let claimed = SsoConnection { domains: vec!["x.example".to_owned()], ..connection(7, "acme") };
    let (db_of_it, claim) = (db.clone(), claimed.clone());
    let cut_off = tokio::spawn(async move {
        let is_meant = |_: &str| -> bool { panic!("cut off") };
        db_of_it.claim_by_sso_connection(&claim, is_meant, "owner", "sso", NOW).await
    });
    assert!(cut_off.await.is_err());
    assert_eq!(db.sso_connection("acme").await.unwrap(), Some(connection(7, "acme")));
    assert_eq!(left().await, [1, 2, 3, 4, 5, 6]);

    let is_meant = |email: &str| email.ends_with("@x.example");
    let ended = db.claim_by_sso_connection(&claimed, is_meant, "owner", "sso", NOW).await.unwrap();
    assert_eq!((ended, left().await), (Some(3), vec![2, 4, 5]));
    assert_eq!(db.sso_connection("acme").await.unwrap(), Some(claimed.clone()));
    // Who came in while that was going on.
    db.create_session(&session(7, 1, "password")).await.unwrap();
    assert_eq!(db.end_other_ways(7, is_meant, "owner", "sso", NOW).await.unwrap(), 1);
    // What is not there claims nobody.
    let nothing = SsoConnection { id: 99, ..claimed };
    assert_eq!(db.claim_by_sso_connection(&nothing, is_meant, "owner", "sso", NOW).await.unwrap(), None);
}

async fn an_identity_is_one_persons(bench: Bench) {
    let db = with_connection(&bench).await;
    let other = bench.db(BOREALIS);
    db.link_sso_identity(&identity("ann", 1)).await.unwrap();
    assert!(matches!(db.link_sso_identity(&identity("ann", 2)).await, Err(StoreError::Conflict(_))));
    assert!(matches!(db.link_sso_identity(&identity("bob", 99)).await, Err(StoreError::BrokenReference(_))));
    // The same subject of another issuer, and the same identity at another tenant, are others.
    assert_eq!(db.sso_identity("https://issuer.example/", "ann").await.unwrap(), None);
    assert_eq!(other.sso_identity("https://issuer.example", "ann").await.unwrap(), None);
    other.link_sso_identity(&identity("ann", 2)).await.unwrap();
    let used = SsoIdentity { last_used_at: NOW.plus(5), email: "new@x.example".to_owned(), ..identity("ann", 1) };
    db.touch_sso_identity(&used).await.unwrap();
    assert_eq!(db.sso_identities_of(UserId(1)).await.unwrap(), [used]);
    assert_eq!(other.sso_identities_of(UserId(2)).await.unwrap(), [identity("ann", 2)]);
    // Only its owner can take it away.
    assert!(!db.unlink_sso_identity(UserId(2), "https://issuer.example", "ann").await.unwrap());
    assert!(db.unlink_sso_identity(UserId(1), "https://issuer.example", "ann").await.unwrap());
    assert_eq!(db.sso_identities_of(UserId(1)).await.unwrap(), []);
}

async fn a_person_has_only_so_many_identities(bench: Bench) {
    let db = with_connection(&bench).await;
    for n in 0..SSO_IDENTITIES_MAX {
        db.link_sso_identity(&identity(&n.to_string(), 1)).await.unwrap();
    }
    assert!(matches!(db.link_sso_identity(&identity("more", 1)).await, Err(StoreError::Conflict(_))));
    assert_eq!(db.sso_identity("https://issuer.example", "more").await.unwrap(), None);
    db.link_sso_identity(&identity("more", 2)).await.unwrap();
}

async fn of_two_who_unlink_at_once_one_stays(bench: Bench) {
    let db = with_connection(&bench).await;
    let unlink = async |user: i64, subject: &str, is_needed: bool| {
        db.unlink_spare_sso_identity(UserId(user), "https://issuer.example", subject, is_needed).await.unwrap()
    };
    // Who has no password, and who has one that opens nothing.
    for (hash, is_needed) in [("", false), ("a hash", true)] {
        assert!(db.set_password(UserId(1), &Concealed::new(hash.to_owned()), None).await.unwrap());
        for subject in ["one", "two"] {
            db.link_sso_identity(&identity(subject, 1)).await.unwrap();
        }
        let both = tokio::join!(unlink(1, "one", is_needed), unlink(1, "two", is_needed));
        assert!(matches!(both, (Unlinked::Gone, Unlinked::Needed) | (Unlinked::Needed, Unlinked::Gone)), "{both:?}");
        let left = db.sso_identities_of(UserId(1)).await.unwrap();
        assert_eq!(left.len(), 1);
        assert!(db.unlink_sso_identity(UserId(1), "https://issuer.example", &left[0].subject).await.unwrap());
    }
    // Who has a password needs none.
    db.link_sso_identity(&identity("one", 1)).await.unwrap();
    assert_eq!(unlink(1, "somebody else's", false).await, Unlinked::NotTheirs);
    assert_eq!(unlink(1, "one", false).await, Unlinked::Gone);
}

async fn a_person_comes_with_an_identity(bench: Bench) {
    let db = with_connection(&bench).await;
    db.create_user_of_sso(&user(3, "new@x.example"), &identity("new", 3)).await.unwrap();
    assert_eq!(db.sso_identity("https://issuer.example", "new").await.unwrap().unwrap().user, UserId(3));
    // Both or neither.
    let taken = db.create_user_of_sso(&user(4, "four@x.example"), &identity("new", 4)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))));
    assert_eq!(db.user_by_email("four@x.example").await.unwrap(), None);
    let taken = db.create_user_of_sso(&user(4, "trader@x.example"), &identity("four", 4)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))));
    assert_eq!(db.sso_identity("https://issuer.example", "four").await.unwrap(), None);
}

async fn an_attempt_is_taken_once(bench: Bench) {
    let db = with_connection(&bench).await;
    db.begin_sso_attempt(&attempt(1, 1)).await.unwrap();
    // Not with another state, connection, browser, tenant or time.
    for (tenant, state, connection, browser, now) in [
        (AURORA, 2, 7, 1, NOW),
        (AURORA, 1, 8, 1, NOW),
        (AURORA, 1, 7, 2, NOW),
        (BOREALIS, 1, 7, 1, NOW),
        (AURORA, 1, 7, 1, NOW.plus(1_000)),
    ] {
        let taken = bench.db(tenant).take_sso_attempt([state; 32], connection, [browser; 32], now).await.unwrap();
        assert_eq!(taken, None, "{tenant} {state} {connection} {browser}");
    }
    let mut takers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let db = db.clone();
        takers.spawn(async move { db.take_sso_attempt([1; 32], 7, [1; 32], NOW).await.unwrap() });
    }
    let taken: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [attempt(1, 1)], "one of a hundred");

    // What ended is forgotten, also for a clock that is set back.
    db.begin_sso_attempt(&attempt(2, 1)).await.unwrap();
    let later = SsoAttempt { created_at: NOW.plus(1_000), expires_at: NOW.plus(2_000), ..attempt(3, 1) };
    db.begin_sso_attempt(&later).await.unwrap();
    assert_eq!(db.take_sso_attempt([2; 32], 7, [1; 32], Millis(0)).await.unwrap(), None);
}
