//! A hundred writers at once, on both databases: where the database decides, exactly one wins and the books add up.

use crate::harness::*;
use marque_domain::{
    fixed::Money,
    id::{AccountId, TransactionId},
    ledger::{Book, Transaction, TransactionKind, movement::Memo},
};
use marque_store::{CommitBatch, StoreError, TenantDb};

on_both!(of_a_hundred_payouts_in_one_step_one_is_written, a_reference_is_taken_once_whoever_writes);

const AT_ONCE: i64 = 100;

/// A payout of 6,000 of the 10,000 that account 10 has.
fn payout(id: i64, reference: &str) -> Transaction {
    let (kind, amount) = (TransactionKind::Payout, Money::whole(-6_000));
    let moved = Transaction::transfer(TransactionId(id), AccountId(10), NOW, kind, 0, Book::External, amount);
    moved.with_memo(Some(Memo { reference: reference.to_owned(), note: String::new() }))
}

async fn won(db: &TenantDb, batch: impl Fn(i64) -> CommitBatch) -> usize {
    let race: Vec<_> = (0..AT_ONCE)
        .map(|n| {
            let (db, batch) = (db.clone(), batch(n));
            tokio::spawn(async move { db.commit(&batch).await })
        })
        .collect();
    let mut won = 0;
    for one in race {
        match one.await.unwrap() {
            Ok(()) => won += 1,
            Err(StoreError::JournalConflict { .. } | StoreError::Conflict(_) | StoreError::BalanceMismatch { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    won
}

async fn books_add_up(db: &TenantDb, cash: i64) {
    let audit = db.audit_ledger().await.unwrap();
    assert_eq!(audit.faults, []);
    assert_eq!(audit.cash[&AccountId(10)], Money::whole(cash));
}

/// Two processes that believe to be the account's desk each write the next step of its journal.
async fn of_a_hundred_payouts_in_one_step_one_is_written(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    let batch = |n: i64| CommitBatch {
        accounts: vec![account(10, 1, 4_000)],
        transactions: vec![payout(1_000 + n, &format!("payout-{n}"))],
        ..step(2)
    };
    assert_eq!(won(&db, batch).await, 1);
    books_add_up(&db, 4_000).await;
}

/// Even writers whose journals are not one cannot book a reference twice.
async fn a_reference_is_taken_once_whoever_writes(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    let batch = |n: i64| CommitBatch {
        shard: 1_000 + u32::try_from(n).unwrap(),
        accounts: vec![account(10, 1, 4_000)],
        transactions: vec![payout(1_000 + n, "payout-1")],
        ..step(1)
    };
    assert_eq!(won(&db, batch).await, 1);
    books_add_up(&db, 4_000).await;
}
