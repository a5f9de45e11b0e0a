//! Pages and whose rows they show.

use crate::harness::*;
use marque_domain::{
    fixed::{Money, Price},
    id::{AccountId, DecisionId, OrderId, PositionId, UserId},
    order::{Closed, Origin},
};
use marque_store::{CommitBatch, PAGE_MAX, Page, StoreError, Whose};

on_both!(pages_follow_each_other, a_person_sees_their_own, filters_part_a_list);

async fn pages_follow_each_other(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&CommitBatch { orders: (1..=205).map(|id| order(id, 10)).collect(), ..opening() }).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = db.orders(Whose::Everyone, Page { after, limit: 50 }).await.unwrap();
        assert!(page.items.len() <= 50);
        seen.extend(page.items.iter().map(|order| order.id.0));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=205).rev().collect::<Vec<_>>());
    let most = db.orders(Whose::Everyone, Page::first(u32::MAX)).await.unwrap();
    assert_eq!((most.items.len(), most.next), (PAGE_MAX as usize, Some(6)));
    let all = db.orders(Whose::Everyone, Page { after: Some(6), limit: 5 }).await.unwrap();
    assert_eq!((all.items.len(), all.next), (5, None), "a last full page has nothing after it");
}

async fn a_person_sees_their_own(bench: Bench) {
    let db = bench.db(AURORA);
    let orders = vec![order(1, 10), order(2, 20), order(3, 10)];
    db.commit(&CommitBatch { orders, ..opening() }).await.unwrap();
    let (trader, owner, mine, theirs) = (UserId(1), UserId(2), AccountId(10), AccountId(20));
    for (whose, expected) in [
        (Whose::Everyone, vec![3, 2, 1]),
        (Whose::User(trader), vec![3, 1]),
        (Whose::User(owner), vec![2]),
        (Whose::User(UserId(9)), vec![]),
        (Whose::Account(theirs), vec![2]),
        (Whose::UsersAccount(trader, mine), vec![3, 1]),
        (Whose::UsersAccount(trader, theirs), vec![]),
    ] {
        let ids: Vec<i64> =
            db.orders(whose, Page::default()).await.unwrap().items.iter().map(|order| order.id.0).collect();
        assert_eq!(ids, expected, "{whose:?}");
        for id in 1..=3 {
            let one = db.order(whose, OrderId(id)).await;
            assert_eq!(one.is_ok(), expected.contains(&id), "{whose:?} {id}");
            assert!(one.is_ok() || matches!(one, Err(StoreError::NotFound("order"))));
        }
    }
    assert_eq!(db.accounts(Whose::User(trader), Page::default()).await.unwrap().items, [account(10, 1, 10_000)]);
    assert!(db.account(Whose::User(trader), theirs).await.is_err());
    assert!(db.balances(Whose::User(trader), theirs).await.is_err());
    assert!(db.equity(Whose::User(trader), theirs, Page::default()).await.is_err());
}

async fn filters_part_a_list(bench: Bench) {
    let db = bench.db(AURORA);
    let mut closed = position(2, 10);
    closed.closed = Some(Closed { at: NOW, price: Price::whole(1), profit: Money::ZERO, origin: Origin::TakeProfit });
    let batch = CommitBatch {
        positions: vec![position(1, 10), closed, position(3, 10)],
        decisions: vec![denied(1, 10)],
        ..opening()
    };
    db.commit(&batch).await.unwrap();
    for (open, expected) in [(None, vec![3, 2, 1]), (Some(true), vec![3, 1]), (Some(false), vec![2])] {
        let found = db.positions(Whose::Everyone, open, Page::default()).await.unwrap().items;
        assert_eq!(
            found.iter().map(|p| p.id).collect::<Vec<_>>(),
            expected.into_iter().map(PositionId).collect::<Vec<_>>()
        );
    }
    for (denied, expected) in [(None, 1), (Some(true), 1), (Some(false), 0)] {
        assert_eq!(db.decisions(Whose::Everyone, denied, Page::default()).await.unwrap().items.len(), expected);
    }
    assert_eq!(db.decision(Whose::User(UserId(1)), DecisionId(1)).await.unwrap(), denied(1, 10));
}
