//! One tenant cannot see, change or point at another's rows.

use crate::harness::*;
use marque_domain::{
    id::{AccountId, DeploymentId, OrderId, SessionId, UserId},
    time::Millis,
};
use marque_store::{CommitBatch, Concealed, KeyUse, LogLine, Page, Session, StoreError, TokenHash, Whose};

on_both!(
    another_tenants_rows_are_not_found,
    a_row_cannot_point_at_another_tenants,
    a_step_is_made_ready_for_one_tenant,
    the_same_ids_live_side_by_side,
    sessions_and_keys_stay_with_their_tenant,
);

fn opened() -> CommitBatch {
    CommitBatch { deployments: vec![deployment(30, 10)], orders: vec![order(50, 10)], ..opening() }
}

async fn another_tenants_rows_are_not_found(bench: Bench) {
    bench.db(AURORA).commit(&opened()).await.unwrap();
    let other = bench.db(BOREALIS);
    let (all, first) = (Whose::Everyone, Page::default());
    let not_found = |fault: &StoreError| matches!(fault, StoreError::NotFound(_));
    assert!(other.account(all, AccountId(10)).await.is_err_and(|f| not_found(&f)));
    assert!(other.order(all, OrderId(50)).await.is_err_and(|f| not_found(&f)));
    assert!(other.deployment(all, DeploymentId(30)).await.is_err_and(|f| not_found(&f)));
    assert!(other.balances(all, AccountId(10)).await.is_err_and(|f| not_found(&f)));
    assert!(other.equity(all, AccountId(10), first).await.is_err_and(|f| not_found(&f)));
    assert!(other.logs(all, DeploymentId(30), first).await.is_err_and(|f| not_found(&f)));
    for whose in [all, Whose::User(UserId(1)), Whose::Account(AccountId(10))] {
        assert_eq!(other.accounts(whose, first).await.unwrap().items, []);
        assert_eq!(other.orders(whose, first).await.unwrap().items, []);
    }
    assert_eq!(other.shards().await.unwrap(), Vec::<u32>::new());
    assert_eq!(other.audit_ledger().await.unwrap().accounts, 0);
}

async fn a_row_cannot_point_at_another_tenants(bench: Bench) {
    bench.db(AURORA).commit(&opened()).await.unwrap();
    let other = bench.db(BOREALIS);
    let pointing = [
        CommitBatch { orders: vec![order(51, 10)], ..step(1) },
        CommitBatch { positions: vec![position(51, 10)], ..step(1) },
        CommitBatch { deployments: vec![deployment(31, 10)], ..step(1) },
        CommitBatch { decisions: vec![denied(51, 10)], ..step(1) },
        CommitBatch { logs: vec![LogLine { deployment: DeploymentId(30), at: NOW, text: String::new() }], ..step(1) },
    ];
    for batch in pointing {
        let refusal = other.commit(&batch).await;
        assert!(matches!(refusal, Err(StoreError::BrokenReference(_))), "{refusal:?}");
    }
    // And below the store: the reference itself carries the tenant.
    let sql = "INSERT INTO equity_points (tenant_id, account_id, at, balance, equity) VALUES (202, 10, 1, 1, 1)";
    let said = bench.raw(Some(BOREALIS), sql).await;
    assert!(said.unwrap_err().to_lowercase().contains("foreign key"));
}

async fn a_step_is_made_ready_for_one_tenant(bench: Bench) {
    let (one, other) = (bench.db(AURORA), bench.db(BOREALIS));
    let refusal = other.commit_prepared(one.prepare(opened()).unwrap()).await;
    assert!(matches!(refusal, Err(StoreError::BrokenReference(_))), "{refusal:?}");
    for db in [&one, &other] {
        assert_eq!(db.shards().await.unwrap(), Vec::<u32>::new());
        assert_eq!(db.orders(Whose::Everyone, Page::default()).await.unwrap().items, []);
    }
    one.commit_prepared(one.prepare(opened()).unwrap()).await.unwrap();
    assert_eq!(one.order(Whose::Everyone, OrderId(50)).await.unwrap(), order(50, 10));
}

async fn the_same_ids_live_side_by_side(bench: Bench) {
    let (one, two) = (bench.db(AURORA), bench.db(BOREALIS));
    one.commit(&opened()).await.unwrap();
    two.commit(&opened()).await.unwrap();
    let mut changed = order(50, 10);
    changed.reason = Some("only here".to_owned());
    two.commit(&CommitBatch { orders: vec![changed.clone()], ..step(2) }).await.unwrap();
    assert_eq!(one.order(Whose::Everyone, OrderId(50)).await.unwrap(), order(50, 10));
    assert_eq!(two.order(Whose::Everyone, OrderId(50)).await.unwrap(), changed);
    assert_eq!(one.load_shard(7).await.unwrap().seq, 1);
}

async fn sessions_and_keys_stay_with_their_tenant(bench: Bench) {
    let (one, two) = (bench.db(AURORA), bench.db(BOREALIS));
    let session = Session {
        id: SessionId(1),
        token_hash: TokenHash([5; 32]),
        user: UserId(1),
        csrf: Concealed::new("csrf".to_owned()),
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: Millis(NOW.0 + 10),
        address: "127.0.0.1".to_owned(),
        agent: "test".to_owned(),
        method: "password".to_owned(),
        proved_at: NOW,
        country: None,
        device: None,
    };
    one.create_session(&session).await.unwrap();
    assert_eq!(two.session(TokenHash([5; 32]), NOW).await.unwrap(), None);
    assert!(!two.delete_session(SessionId(1)).await.unwrap());
    assert!(!two.touch_session(SessionId(1), NOW, NOW).await.unwrap());
    assert_eq!(two.delete_sessions_of(UserId(1)).await.unwrap(), 0);
    assert_eq!(one.session(TokenHash([5; 32]), NOW).await.unwrap(), Some(session));

    assert_eq!(one.begin_key(UserId(1), "k", [1; 32], NOW).await.unwrap(), KeyUse::Fresh);
    assert_eq!(two.begin_key(UserId(1), "k", [2; 32], NOW).await.unwrap(), KeyUse::Fresh);
    two.release_key(UserId(1), "k").await.unwrap();
    assert_eq!(two.forget_keys(Millis(NOW.0 + 1)).await.unwrap(), 0);
    assert_eq!(one.begin_key(UserId(1), "k", [1; 32], NOW).await.unwrap(), KeyUse::Pending { since: NOW });
}
