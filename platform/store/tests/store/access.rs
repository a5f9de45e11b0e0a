//! Grants with rotating tokens, and personal tokens.

use crate::harness::*;
use marque_domain::{
    id::{GrantId, PersonalTokenId, UserId},
    time::Millis,
};
use marque_store::{Grant, GrantToken, NewGrantTokens, PersonalToken, Rotation, StoreError, TokenHash};
use std::collections::BTreeMap;

on_both!(
    tokens_rotate,
    a_refresh_token_used_twice_ends_its_grant,
    of_a_hundred_at_once_one_wins_and_the_grant_ends,
    grants_end,
    beyond_the_limit_the_oldest_ends,
    personal_tokens_live_and_end,
    access_stays_with_its_tenant,
    what_ended_is_forgotten,
);

const ANN: UserId = UserId(1);
const MANY: u64 = 50;
const HOUR: i64 = 3_600_000;

fn hash(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

/// The tokens that are made with the `n`th exchange.
fn tokens(n: u8) -> NewGrantTokens {
    let (id, first) = (i64::from(n) * 10, n * 2);
    NewGrantTokens {
        access: GrantToken { id, hash: hash(first), expires_at: NOW.plus(HOUR) },
        refresh: GrantToken { id: id + 1, hash: hash(first + 1), expires_at: NOW.plus(10 * HOUR) },
    }
}

fn access(n: u8) -> TokenHash {
    tokens(n).access.hash
}

fn refresh(n: u8) -> TokenHash {
    tokens(n).refresh.hash
}

fn grant(id: i64) -> Grant {
    Grant {
        id: GrantId(id),
        user: ANN,
        address: "203.0.113.9".to_owned(),
        agent: "curl/8".to_owned(),
        created_at: NOW,
        last_used_at: NOW,
        expires_at: NOW.plus(24 * HOUR),
    }
}

fn personal(id: i64, hours: i64) -> PersonalToken {
    PersonalToken {
        id: PersonalTokenId(id),
        user: ANN,
        name: "Spreadsheet".to_owned(),
        scopes: "read trade".to_owned(),
        created_at: NOW,
        expires_at: NOW.plus(hours * HOUR),
        last_used_at: None,
    }
}

async fn tokens_rotate(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_grant(&grant(1), &tokens(1), MANY).await.unwrap();
    assert_eq!(db.grant_of_access_token(access(1), NOW).await.unwrap(), Some(grant(1)));
    assert_eq!(db.grant_of_access_token(refresh(1), NOW).await.unwrap(), None, "a refresh token opens nothing");
    assert_eq!(
        db.rotate(access(1), &tokens(2), NOW).await.unwrap(),
        Rotation::Unknown,
        "nor does an access token renew"
    );
    let later = NOW.plus(HOUR);
    assert_eq!(db.grant_of_access_token(access(1), later).await.unwrap(), None);
    assert_eq!(db.rotate(refresh(1), &tokens(2), later).await.unwrap(), Rotation::Rotated(grant(1)));
    let used = Grant { last_used_at: later, ..grant(1) };
    assert_eq!(db.grant_of_access_token(access(2), NOW).await.unwrap(), Some(used.clone()));
    assert_eq!(db.grants_of(ANN, later).await.unwrap(), [used]);
    // A refresh token that nobody used in time, and one whose grant has ended.
    assert_eq!(db.rotate(refresh(2), &tokens(3), NOW.plus(10 * HOUR)).await.unwrap(), Rotation::Unknown);
    assert!(db.grant_of_access_token(access(2), NOW).await.unwrap().is_some(), "that it came late ends nothing");
    assert_eq!(db.rotate(refresh(9), &tokens(3), NOW).await.unwrap(), Rotation::Unknown);
    let stranger = Grant { user: UserId(99), ..grant(5) };
    assert!(matches!(db.create_grant(&stranger, &tokens(5), MANY).await, Err(StoreError::BrokenReference(_))));
}

async fn a_refresh_token_used_twice_ends_its_grant(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_grant(&grant(1), &tokens(1), MANY).await.unwrap();
    db.create_grant(&grant(2), &tokens(9), MANY).await.unwrap();
    db.rotate(refresh(1), &tokens(2), NOW).await.unwrap();
    db.rotate(refresh(2), &tokens(3), NOW).await.unwrap();
    assert!(
        matches!(db.rotate(refresh(1), &tokens(4), NOW).await.unwrap(), Rotation::Reused(of) if of.id == GrantId(1))
    );
    for n in 1..=4 {
        assert_eq!(db.grant_of_access_token(access(n), NOW).await.unwrap(), None, "{n}");
    }
    assert_eq!(
        db.rotate(refresh(3), &tokens(5), NOW).await.unwrap(),
        Rotation::Unknown,
        "the thief's next one is worthless"
    );
    assert!(db.grant_of_access_token(access(9), NOW).await.unwrap().is_some(), "another program goes on");
}

async fn of_a_hundred_at_once_one_wins_and_the_grant_ends(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_grant(&grant(1), &tokens(1), MANY).await.unwrap();
    let many = (10..110_u8).map(|n| {
        let db = db.clone();
        tokio::spawn(async move { (n, db.rotate(refresh(1), &tokens(n), NOW).await.unwrap()) })
    });
    let mut counts = BTreeMap::<_, u32>::new();
    let mut winner = 0;
    for one in many.collect::<Vec<_>>() {
        let (n, outcome) = one.await.unwrap();
        if matches!(outcome, Rotation::Rotated(_)) {
            winner = n;
        }
        let name = match outcome {
            Rotation::Rotated(_) => "rotated",
            Rotation::Reused(_) => "reused",
            Rotation::Unknown => "unknown",
        };
        *counts.entry(name).or_default() += 1;
    }
    assert_eq!(counts.get("rotated"), Some(&1), "{counts:?}");
    assert!(counts.get("reused").is_some_and(|n| *n >= 1), "{counts:?}");
    assert_eq!(db.grant_of_access_token(access(winner), NOW).await.unwrap(), None, "not even the winner's lasts");
    assert_eq!(db.rotate(refresh(winner), &tokens(2), NOW).await.unwrap(), Rotation::Unknown);
    assert_eq!(db.grants_of(ANN, NOW).await.unwrap(), []);
}

async fn grants_end(bench: Bench) {
    let db = bench.db(AURORA);
    for n in 1..=4_u8 {
        db.create_grant(&grant(n.into()), &tokens(n), MANY).await.unwrap();
    }
    assert!(!db.end_grant(UserId(2), GrantId(1), NOW).await.unwrap(), "another person's");
    assert!(db.end_grant(ANN, GrantId(1), NOW).await.unwrap());
    assert!(!db.end_grant(ANN, GrantId(1), NOW).await.unwrap());
    assert_eq!(db.end_grant_of(access(2), NOW).await.unwrap().map(|of| of.id), Some(GrantId(2)));
    assert_eq!(db.end_grant_of(refresh(2), NOW).await.unwrap(), None);
    assert_eq!(db.end_grant_of(hash(99), NOW).await.unwrap(), None);
    assert_eq!(db.grants_of(ANN, NOW).await.unwrap(), [grant(4), grant(3)]);
    assert_eq!(db.end_grants_of(UserId(2), NOW).await.unwrap(), 0);
    assert_eq!(db.end_grants_of(ANN, NOW).await.unwrap(), 2);
    assert_eq!(db.grant_of_access_token(access(3), NOW).await.unwrap(), None);
}

async fn beyond_the_limit_the_oldest_ends(bench: Bench) {
    let db = bench.db(AURORA);
    for n in 1..=4_u8 {
        db.create_grant(&grant(n.into()), &tokens(n), 3).await.unwrap();
    }
    assert_eq!(db.grants_of(ANN, NOW).await.unwrap(), [grant(4), grant(3), grant(2)]);
    assert!(db.create_personal_token(&personal(1, 1), hash(1), 2).await.unwrap());
    assert!(db.create_personal_token(&personal(2, 1), hash(2), 2).await.unwrap());
    assert!(!db.create_personal_token(&personal(3, 1), hash(3), 2).await.unwrap());
}

async fn personal_tokens_live_and_end(bench: Bench) {
    let db = bench.db(AURORA);
    for n in 1..=3_u8 {
        assert!(db.create_personal_token(&personal(n.into(), n.into()), hash(n), 9).await.unwrap());
    }
    assert!(matches!(db.create_personal_token(&personal(4, 1), hash(1), 9).await, Err(StoreError::Conflict(_))));
    assert_eq!(db.personal_token(hash(1), NOW).await.unwrap(), Some(personal(1, 1)));
    assert_eq!(db.personal_token(hash(1), NOW.plus(HOUR)).await.unwrap(), None);
    db.touch_personal_token(PersonalTokenId(2), NOW.plus(5)).await.unwrap();
    let used = PersonalToken { last_used_at: Some(NOW.plus(5)), ..personal(2, 2) };
    assert_eq!(db.personal_tokens_of(ANN, NOW.plus(HOUR)).await.unwrap(), [personal(3, 3), used]);
    assert_eq!(db.end_personal_tokens(UserId(2), Some(PersonalTokenId(2)), NOW).await.unwrap(), 0);
    assert_eq!(db.end_personal_tokens(ANN, Some(PersonalTokenId(2)), NOW).await.unwrap(), 1);
    assert_eq!(db.personal_token(hash(2), NOW).await.unwrap(), None);
    assert_eq!(db.end_personal_tokens(ANN, None, NOW).await.unwrap(), 2);
    assert_eq!(db.personal_tokens_of(ANN, NOW).await.unwrap(), []);
}

async fn access_stays_with_its_tenant(bench: Bench) {
    let (one, two) = (bench.db(AURORA), bench.db(BOREALIS));
    one.create_grant(&grant(1), &tokens(1), MANY).await.unwrap();
    one.create_personal_token(&personal(1, 1), hash(99), 9).await.unwrap();
    assert_eq!(two.grant_of_access_token(access(1), NOW).await.unwrap(), None);
    assert_eq!(two.rotate(refresh(1), &tokens(2), NOW).await.unwrap(), Rotation::Unknown);
    assert_eq!(two.end_grant_of(refresh(1), NOW).await.unwrap(), None);
    assert_eq!((two.grants_of(ANN, NOW).await.unwrap(), two.end_grants_of(ANN, NOW).await.unwrap()), (vec![], 0));
    assert_eq!(two.personal_token(hash(99), NOW).await.unwrap(), None);
    two.touch_personal_token(PersonalTokenId(1), NOW).await.unwrap();
    assert_eq!(two.end_personal_tokens(ANN, None, NOW).await.unwrap(), 0);
    let late = NOW.plus(1_000 * HOUR);
    assert_eq!(two.forget_ended_grants(late).await.unwrap(), 0);
    assert_eq!(two.forget_ended_personal_tokens(late).await.unwrap(), 0);
    assert_eq!(one.grant_of_access_token(access(1), NOW).await.unwrap(), Some(grant(1)));
    assert_eq!(one.personal_token(hash(99), NOW).await.unwrap(), Some(personal(1, 1)));
}

async fn what_ended_is_forgotten(bench: Bench) {
    let db = bench.db(AURORA);
    for n in 1..=3_u8 {
        db.create_grant(&grant(n.into()), &tokens(n), MANY).await.unwrap();
        db.create_personal_token(&personal(n.into(), n.into()), hash(90 + n), 9).await.unwrap();
    }
    db.end_grant(ANN, GrantId(1), NOW).await.unwrap();
    assert_eq!(db.forget_ended_grants(NOW).await.unwrap(), 2, "the tokens of the one that was ended");
    assert_eq!(db.forget_ended_grants(NOW.plus(HOUR)).await.unwrap(), 2, "access tokens that have run out");
    assert_eq!(db.grant_of_access_token(access(2), NOW).await.unwrap(), None, "a clock set back revives nothing");
    assert_eq!(db.grants_of(ANN, NOW).await.unwrap(), [grant(3), grant(2)], "they can renew");
    assert_eq!(db.forget_ended_grants(NOW.plus(24 * HOUR)).await.unwrap(), 2);
    assert_eq!(db.grants_of(ANN, NOW).await.unwrap(), []);
    db.end_personal_tokens(ANN, Some(PersonalTokenId(3)), NOW).await.unwrap();
    assert_eq!(db.forget_ended_personal_tokens(Millis(NOW.0 + HOUR)).await.unwrap(), 2);
    assert_eq!(db.personal_tokens_of(ANN, NOW).await.unwrap(), [personal(2, 2)]);
}
