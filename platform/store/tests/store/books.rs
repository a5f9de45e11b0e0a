//! Law: whatever is booked in whatever steps, debits equal credits and each balance is its cash.

use crate::harness::*;
use marque_domain::{
    fixed::Money,
    id::{AccountId, TransactionId},
    ledger::{Book, Transaction, TransactionKind},
};
use marque_store::{CommitBatch, StoreError, Whose};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use std::collections::BTreeMap;

on_both!(books_add_up_whatever_is_booked);

/// (account, other book, amount) of one transaction.
type Movement = (i64, Book, i64);

async fn books_add_up_whatever_is_booked(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    let mut balances = BTreeMap::from([(10, Money::whole(10_000).units()), (20, Money::whole(10_000).units())]);
    let movement =
        (select(vec![10, 20]), select(vec![Book::External, Book::Venue, Book::Fees]), -(1_i64 << 50)..(1_i64 << 50));
    let steps = vec((vec(movement, 0..6), any::<bool>()), 25);
    let mut runner = TestRunner::new(Config::with_source_file(file!()));
    let steps = steps.new_tree(&mut runner).unwrap().current();
    let (mut seq, mut id) = (1, 100);
    for (movements, lie) in &steps {
        let batch = booked(&mut balances.clone(), seq + 1, id, movements, i64::from(*lie));
        let outcome = db.commit(&batch).await;
        if *lie {
            assert!(matches!(outcome, Err(StoreError::BalanceMismatch { .. })), "{outcome:?}\n{steps:?}");
        } else {
            outcome.unwrap();
            booked(&mut balances, seq + 1, id, movements, 0);
            (seq, id) = (seq + 1, id + 10);
        }
    }
    let audit = db.audit_ledger().await.unwrap();
    assert_eq!(audit.faults, [], "{steps:?}");
    for (account, balance) in balances {
        let stored = db.account(Whose::Everyone, AccountId(account)).await.unwrap();
        assert_eq!(stored.balance, Money::from_units(balance), "{steps:?}");
    }
}

/// The step that books these movements, each balance off by `off`; moves `balances` along.
fn booked(balances: &mut BTreeMap<i64, i64>, seq: i64, id: i64, movements: &[Movement], off: i64) -> CommitBatch {
    let transactions = (id..).zip(movements).map(|(id, (account, other, amount))| {
        *balances.get_mut(account).unwrap() += amount;
        let (account, amount) = (AccountId(*account), Money::from_units(*amount));
        Transaction::transfer(TransactionId(id), account, NOW, TransactionKind::Profit, 0, *other, amount)
    });
    let transactions = transactions.collect();
    let accounts = balances.iter().map(|(id, balance)| {
        let mut account = account(*id, *id / 10, 0);
        account.balance = Money::from_units(balance + off);
        account
    });
    CommitBatch { accounts: accounts.collect(), transactions, ..step(seq) }
}
