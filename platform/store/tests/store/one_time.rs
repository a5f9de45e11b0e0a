//! Tokens that work once, on both databases.

use crate::harness::*;
use marque_domain::{id::UserId, time::Millis};
use marque_store::{OneTimeToken, StoreError, TOKENS_OF_A_KIND_MAX, TokenHash};

on_both!(one_of_many_uses_a_token, tries_are_counted_once_each, tokens_end_and_make_room);

fn token(id: i64, user: i64, expires_at: i64) -> OneTimeToken {
    OneTimeToken {
        id,
        user: UserId(user),
        kind: "test".to_owned(),
        digest: TokenHash([u8::try_from(id).unwrap(); 32]),
        data: "{}".to_owned(),
        attempts: 0,
        created_at: Millis(0),
        expires_at: Millis(expires_at),
    }
}

async fn one_of_many_uses_a_token(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_one_time(&token(1, 1, 10)).await.unwrap();
    let hash = TokenHash([1; 32]);
    let tries = (0..100).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.use_one_time("test", hash, Millis(9)).await.unwrap() })
    });
    let mut won = 0;
    for one in tries.collect::<Vec<_>>() {
        won += usize::from(one.await.unwrap().is_some());
    }
    assert_eq!(won, 1);
    assert_eq!(db.one_time("test", hash, Millis(9)).await.unwrap(), None);
    // Another tenant's person cannot hold one here, and another tenant cannot use it.
    assert!(matches!(db.create_one_time(&token(2, 99, 10)).await, Err(StoreError::BrokenReference(_))));
    db.create_one_time(&token(3, 1, 10)).await.unwrap();
    assert_eq!(bench.db(BOREALIS).use_one_time("test", TokenHash([3; 32]), Millis(0)).await.unwrap(), None);
}

async fn tries_are_counted_once_each(bench: Bench) {
    let db = bench.db(AURORA);
    db.create_one_time(&token(1, 1, 10)).await.unwrap();
    let tries = (0..50).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.try_one_time("test", TokenHash([1; 32]), 7, Millis(0)).await.unwrap() })
    });
    let mut counted = 0;
    for one in tries.collect::<Vec<_>>() {
        counted += usize::from(one.await.unwrap().is_some());
    }
    assert_eq!(counted, 7);
}

async fn tokens_end_and_make_room(bench: Bench) {
    let db = bench.db(AURORA);
    let there = async |id: u8, now| db.one_time("test", TokenHash([id; 32]), Millis(now)).await.unwrap().is_some();
    db.create_one_time(&token(1, 1, 10)).await.unwrap();
    assert_eq!((there(1, 9).await, there(1, 10).await), (true, false));
    assert_eq!(db.one_time("other", TokenHash([1; 32]), Millis(0)).await.unwrap(), None);
    db.create_one_time(&OneTimeToken { created_at: Millis(10), ..token(2, 1, 20) }).await.unwrap();
    assert!(!there(1, 0).await, "a clock set back revives nothing");
    let most = i64::try_from(TOKENS_OF_A_KIND_MAX).unwrap();
    for id in 3..=2 + most {
        db.create_one_time(&token(id, 1, 20)).await.unwrap();
    }
    assert_eq!((there(2, 0).await, there(3, 0).await), (false, true), "the oldest gives way");
    assert_eq!(db.delete_one_time(UserId(1), &["test", "other"]).await.unwrap(), u64::try_from(most).unwrap());
}
