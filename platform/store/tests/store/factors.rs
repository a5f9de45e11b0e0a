//! Second factors: each proof counts once, however many try it at the same time.

use crate::harness::*;
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use marque_store::{
    Authenticator, BackupCode, Concealed, PASSKEYS_MAX, Passkey, SecondFactors, Session, StoreError, TenantDb,
    TokenHash,
};

on_both!(
    a_step_counts_once,
    a_backup_code_counts_once,
    an_answer_of_a_passkey_counts_once,
    tries_are_counted_at_once_and_forgotten_in_time,
    an_authenticator_is_in_force_after_its_first_code,
    codes_come_with_the_first_factor_and_go_with_the_last,
    a_tenants_factors_are_its_own,
    a_session_is_proved_anew,
);

const ANN: UserId = UserId(1);

/// How many of a hundred at once win.
async fn winners<F>(tries: impl Fn(TenantDb, i64) -> F, db: &TenantDb) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let all: Vec<_> = (0..100).map(|n| tokio::spawn(tries(db.clone(), n))).collect();
    let mut won = 0;
    for one in all {
        won += usize::from(one.await.unwrap());
    }
    won
}

fn app(user: UserId, created_at: i64) -> Authenticator {
    Authenticator { user, secret: vec![7; 49], confirmed_at: None, last_step: 0, created_at: Millis(created_at) }
}

fn codes(first: i64) -> Vec<BackupCode> {
    (first..first + 3).map(|id| BackupCode { id, digest: hash(id) }).collect()
}

fn hash(n: i64) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    TokenHash(bytes)
}

fn key(id: i64, user: UserId) -> Passkey {
    Passkey {
        id,
        user,
        credential: id.to_be_bytes().to_vec(),
        name: "Phone".to_owned(),
        data: "{\"counter\":0}".to_owned(),
        created_at: NOW,
        last_used_at: None,
    }
}

async fn with_app(db: &TenantDb) {
    db.begin_authenticator(&app(ANN, 5)).await.unwrap();
    assert!(db.confirm_authenticator(ANN, Millis(5), 100, NOW, &codes(1)).await.unwrap());
}

async fn a_step_counts_once(bench: Bench) {
    let db = bench.db(AURORA);
    with_app(&db).await;
    assert!(!db.use_step(ANN, 100).await.unwrap(), "the first code is used up by confirming");
    let won = winners(|db, _| async move { db.use_step(ANN, 101).await.unwrap() }, &db).await;
    assert_eq!(won, 1);
    assert!(!db.use_step(ANN, 100).await.unwrap(), "an earlier step is used up too");
    assert!(db.use_step(ANN, 102).await.unwrap());
    assert!(!db.use_step(UserId(2), 103).await.unwrap(), "who has no app has no code");
}

async fn a_backup_code_counts_once(bench: Bench) {
    let db = bench.db(AURORA);
    with_app(&db).await;
    let won = winners(|db, _| async move { db.use_backup_code(ANN, hash(2), NOW).await.unwrap() }, &db).await;
    assert_eq!(won, 1);
    assert!(!db.use_backup_code(UserId(2), hash(1), NOW).await.unwrap(), "a code is one person's");
    assert_eq!(db.second_factors(ANN).await.unwrap().backup_codes, 2);
    db.replace_backup_codes(ANN, &codes(10), NOW).await.unwrap();
    assert!(!db.use_backup_code(ANN, hash(1), NOW).await.unwrap(), "the former ones are gone");
    assert_eq!(db.second_factors(ANN).await.unwrap().backup_codes, 3);
}

async fn an_answer_of_a_passkey_counts_once(bench: Bench) {
    let db = bench.db(AURORA);
    db.add_passkey(&key(1, ANN), &[]).await.unwrap();
    let read = db.passkey(&1_i64.to_be_bytes()).await.unwrap().unwrap();
    let ends = NOW.plus(1_000);
    // The counter of many passkeys stays at nothing: then only the challenge tells two uses apart.
    let same = read.clone();
    let won = winners(
        move |db, n| {
            let read = same.clone();
            async move { db.use_passkey(&read, &read.data, hash(9), 100 + n, NOW, ends).await.unwrap() }
        },
        &db,
    )
    .await;
    assert_eq!(won, 1);
    assert!(db.use_passkey(&read, "{\"counter\":1}", hash(10), 300, NOW, ends).await.unwrap());
    assert!(!db.use_passkey(&read, "{\"counter\":1}", hash(11), 301, NOW, ends).await.unwrap(), "it was read before");
    let now = db.passkey(&read.credential).await.unwrap().unwrap();
    assert_eq!((now.data.as_str(), now.last_used_at), ("{\"counter\":1}", Some(NOW)));
}

async fn tries_are_counted_at_once_and_forgotten_in_time(bench: Bench) {
    let db = bench.db(AURORA);
    let try_at = |now: Millis| {
        let db = db.clone();
        async move { db.count_proof_try(ANN, 10, 900_000, now).await.unwrap() }
    };
    let won = winners(|db, _| async move { db.count_proof_try(ANN, 10, 900_000, NOW).await.unwrap() }, &db).await;
    assert_eq!(won, 10);
    assert!(!try_at(NOW.plus(899_999)).await);
    assert!(try_at(NOW.plus(900_000)).await, "a window ends");
    assert!(db.count_proof_try(UserId(2), 1, 900_000, NOW).await.unwrap(), "others are not affected");
    assert!(!db.count_proof_try(UserId(2), 1, 900_000, NOW).await.unwrap());
    db.forget_proof_tries(UserId(2)).await.unwrap();
    assert!(db.count_proof_try(UserId(2), 1, 900_000, NOW).await.unwrap());
    assert!(!db.count_proof_try(UserId(9), 1, 900_000, NOW).await.unwrap(), "nobody has no tries");
}

async fn an_authenticator_is_in_force_after_its_first_code(bench: Bench) {
    let db = bench.db(AURORA);
    db.begin_authenticator(&app(ANN, 5)).await.unwrap();
    assert!(!db.second_factors(ANN).await.unwrap().are_on());
    assert!(!db.use_step(ANN, 100).await.unwrap(), "one that waits proves nothing");
    assert!(!db.delete_second_factors(ANN).await.unwrap(), "nor is it one that could be taken away");
    assert!(db.authenticator(ANN).await.unwrap().is_some());
    db.begin_authenticator(&app(ANN, 6)).await.unwrap();
    assert!(!db.confirm_authenticator(ANN, Millis(5), 100, NOW, &[]).await.unwrap(), "the first gave way");
    assert!(db.confirm_authenticator(ANN, Millis(6), 100, NOW, &codes(1)).await.unwrap());
    assert!(!db.confirm_authenticator(ANN, Millis(6), 101, NOW, &codes(5)).await.unwrap());
    assert!(matches!(db.begin_authenticator(&app(ANN, 7)).await, Err(StoreError::Conflict(_))));
    let factors = SecondFactors { authenticator: Some(NOW), passkeys: 0, backup_codes: 3 };
    assert_eq!(db.second_factors(ANN).await.unwrap(), factors);
}

async fn codes_come_with_the_first_factor_and_go_with_the_last(bench: Bench) {
    let db = bench.db(AURORA);
    let codes_left = async || db.second_factors(ANN).await.unwrap().backup_codes;
    with_app(&db).await;
    db.add_passkey(&key(1, ANN), &codes(10)).await.unwrap();
    assert!(db.use_backup_code(ANN, hash(1), NOW).await.unwrap(), "the codes of the app go on");
    assert!(db.delete_authenticator(ANN).await.unwrap());
    assert_eq!(codes_left().await, 2);
    assert!(!db.delete_passkey(UserId(2), 1).await.unwrap(), "it is not theirs");
    assert!(!db.rename_passkey(UserId(2), 1, "Mine").await.unwrap());
    assert!(db.rename_passkey(ANN, 1, "Laptop").await.unwrap());
    assert_eq!(db.passkeys(ANN).await.unwrap()[0].name, "Laptop");
    assert!(db.delete_passkey(ANN, 1).await.unwrap());
    assert_eq!(codes_left().await, 0);
    for id in 0..PASSKEYS_MAX {
        db.add_passkey(&key(i64::try_from(id).unwrap(), ANN), &[]).await.unwrap();
    }
    assert!(matches!(db.add_passkey(&key(50, ANN), &[]).await, Err(StoreError::Conflict(_))));
    assert!(matches!(db.add_passkey(&key(1, UserId(2)), &[]).await, Err(StoreError::Conflict(_))), "a key is one's");
    assert!(db.delete_second_factors(ANN).await.unwrap());
    assert!(!db.delete_second_factors(ANN).await.unwrap());
    assert_eq!(db.second_factors(ANN).await.unwrap(), SecondFactors::default());
}

async fn a_tenants_factors_are_its_own(bench: Bench) {
    let (here, there) = (bench.db(AURORA), bench.db(BOREALIS));
    with_app(&here).await;
    here.add_passkey(&key(1, ANN), &[]).await.unwrap();
    assert_eq!(there.second_factors(ANN).await.unwrap(), SecondFactors::default());
    assert_eq!(there.authenticator(ANN).await.unwrap(), None);
    assert_eq!(there.passkey(&1_i64.to_be_bytes()).await.unwrap(), None);
    assert!(!there.use_step(ANN, 500).await.unwrap());
    assert!(!there.use_backup_code(ANN, hash(1), NOW).await.unwrap());
    assert!(!there.delete_authenticator(ANN).await.unwrap());
    assert!(!there.delete_second_factors(ANN).await.unwrap());
    assert!(here.second_factors(ANN).await.unwrap().are_on());
}

async fn a_session_is_proved_anew(bench: Bench) {
    let db = bench.db(AURORA);
    let session = Session {
        id: SessionId(1),
        token_hash: TokenHash([1; 32]),
        user: ANN,
        csrf: Concealed::new("csrf".to_owned()),
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: NOW.plus(1_000),
        address: "127.0.0.1".to_owned(),
        agent: "test".to_owned(),
        method: "password".to_owned(),
        proved_at: NOW,
        country: None,
        device: None,
    };
    db.create_session(&session).await.unwrap();
    assert!(db.prove_session(SessionId(1), NOW.plus(5)).await.unwrap());
    assert_eq!(db.session(TokenHash([1; 32]), NOW).await.unwrap().unwrap().proved_at, NOW.plus(5));
    assert!(!db.prove_session(SessionId(2), NOW).await.unwrap());
    assert!(!bench.db(BOREALIS).prove_session(SessionId(1), NOW).await.unwrap());
}
