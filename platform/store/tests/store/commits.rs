//! A step lasts wholly or not at all, in order, with books that add up.

use crate::harness::*;
use marque_domain::{
    account::{AccountStatus, AccountTerms, DeploymentStatus, EquityPoint},
    decision::Outcome,
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, OrderId, TransactionId},
    instrument::Currency,
    ledger::{Book, Transaction, TransactionKind, movement::Memo, reconcile::LedgerFault},
    order::{Closed, OrderState, Origin, Purpose},
    time::Millis,
};
use marque_store::{CommitBatch, LOG_LINES_KEPT, LogLine, Page, ShardImage, StoreError, Whose};

on_both!(
    a_step_is_read_back_as_it_was_written,
    a_later_step_replaces_what_changed,
    recovery_begins_with_the_checkpoint,
    only_the_next_entry_can_be_written,
    steps_are_made_ready_before_those_before_them_are_written,
    a_fault_at_the_end_leaves_nothing,
    unbalanced_books_are_refused,
    a_balance_must_be_what_the_books_say,
    the_audit_finds_what_was_tampered_with,
    the_books_cannot_be_changed,
    a_reference_counts_once,
    a_statement_shows_what_each_line_left,
    many_rows_take_many_statements,
    logs_are_numbered_and_trimmed,
    an_id_never_changes_hands,
);

fn full() -> CommitBatch {
    let approved = marque_domain::decision::Decision {
        id: marque_domain::id::DecisionId(41),
        deployment: Some(DeploymentId(30)),
        outcome: Outcome::Approved { order: OrderId(50), lots: Lots::from_units(10_000_000) },
        ..denied(41, 10)
    };
    CommitBatch {
        deployments: vec![deployment(30, 10)],
        positions: vec![position(40, 10)],
        orders: vec![
            order(50, 10),
            marque_domain::order::Order { purpose: Purpose::Close(position(40, 10).id), ..order(51, 10) },
            marque_domain::order::Order { state: OrderState::Sending, ..order(50, 10) },
        ],
        decisions: vec![denied(40, 10), approved],
        equity: vec![EquityPoint {
            account: AccountId(10),
            at: NOW,
            balance: Money::whole(10_000),
            equity: Money::from_units(-1),
        }],
        logs: vec![LogLine { deployment: DeploymentId(30), at: NOW, text: "hello".to_owned() }],
        ..opening()
    }
}

async fn a_step_is_read_back_as_it_was_written(bench: Bench) {
    let (db, batch) = (bench.db(AURORA), full());
    db.commit(&batch).await.unwrap();
    let all = Whose::Everyone;
    assert_eq!(
        db.accounts(all, Page::default()).await.unwrap().items,
        [account(20, 2, 10_000), account(10, 1, 10_000)]
    );
    assert_eq!(db.deployments(all, Page::default()).await.unwrap().items, batch.deployments);
    assert_eq!(db.positions(all, None, Page::default()).await.unwrap().items, batch.positions);
    let orders = db.orders(all, Page::default()).await.unwrap().items;
    assert_eq!(orders, [batch.orders[1].clone(), batch.orders[2].clone()], "the later of two stands");
    let decisions = db.decisions(all, None, Page::default()).await.unwrap().items;
    assert_eq!(decisions, [batch.decisions[1].clone(), batch.decisions[0].clone()]);
    assert_eq!(db.equity(all, AccountId(10), Page::default()).await.unwrap().items, batch.equity);
    assert_eq!(db.logs(all, DeploymentId(30), Page::default()).await.unwrap().items[0].text, "hello");
    let funded = [(Book::Cash, Money::whole(10_000)), (Book::External, Money::whole(-10_000))];
    assert_eq!(db.balances(all, AccountId(10)).await.unwrap(), funded);
    let audit = db.audit_ledger().await.unwrap();
    assert_eq!((audit.transactions, audit.accounts, audit.faults), (2, 2, vec![]));
}

async fn a_later_step_replaces_what_changed(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&full()).await.unwrap();
    let mut next = step(2);
    let mut failed = account(10, 1, 9_990);
    failed.status = AccountStatus::Failed("daily loss".to_owned());
    failed.terms.name = "terms are pinned".to_owned();
    let mut closed = position(40, 10);
    closed.closed = Some(Closed {
        at: Millis(NOW.0 + 5),
        price: Price::from_units(139_000_000),
        profit: Money::whole(-10),
        origin: Origin::StopLoss,
    });
    let mut filled = order(50, 10);
    (filled.state, filled.fill_price, filled.updated_at) =
        (OrderState::Filled, Some(Price::from_units(139_100_000)), Millis(NOW.0 + 5));
    let mut stopped = deployment(30, 10);
    stopped.status = DeploymentStatus::Quarantined("trap".to_owned());
    (next.accounts, next.positions, next.orders) = (vec![failed], vec![closed.clone()], vec![filled.clone()]);
    (next.deployments, next.transactions) = (vec![stopped.clone()], vec![deposit(3, 10, -10)]);
    db.commit(&next).await.unwrap();

    let stored = db.account(Whose::Everyone, AccountId(10)).await.unwrap();
    assert_eq!(stored.status, AccountStatus::Failed("daily loss".to_owned()));
    assert_eq!((stored.balance, stored.terms), (Money::whole(9_990), account(10, 1, 0).terms));
    let mut limited = step(3);
    limited.limits = vec![(AccountId(10), Some(77))];
    db.commit(&limited).await.unwrap();
    let terms = db.account(Whose::Everyone, AccountId(10)).await.unwrap().terms;
    assert_eq!(terms, AccountTerms { trades_per_day: Some(77), ..account(10, 1, 0).terms });
    assert_eq!(db.position(Whose::Everyone, closed.id).await.unwrap(), closed);
    assert_eq!(db.order(Whose::Everyone, filled.id).await.unwrap(), filled);
    assert_eq!(db.deployment(Whose::Everyone, stopped.id).await.unwrap(), stopped);
}

async fn recovery_begins_with_the_checkpoint(bench: Bench) {
    let db = bench.db(AURORA);
    assert_eq!(db.load_shard(7).await.unwrap(), ShardImage::default());
    for seq in 1..=5 {
        let checkpoint = (seq == 2 || seq == 3).then(|| vec![seq as u8]);
        db.commit(&CommitBatch { checkpoint, records: vec![seq as u8; 3], ..step(seq) }).await.unwrap();
    }
    let image = db.load_shard(7).await.unwrap();
    assert_eq!((image.seq, image.mark), (5, Some(5_i64.to_be_bytes().to_vec())));
    assert_eq!(image.checkpoint, Some((3, vec![3])));
    let tail: Vec<_> = image.tail.iter().map(|entry| (entry.seq, entry.records.as_slice())).collect();
    assert_eq!(tail, [(4, [4, 4, 4].as_slice()), (5, [5, 5, 5].as_slice())]);
    assert_eq!(db.shards().await.unwrap(), [7]);
    assert_eq!(db.load_shard(8).await.unwrap(), ShardImage::default(), "shards do not mix");

    // Only who may change the schema itself gets past the triggers.
    let guard = if bench.url.starts_with("sqlite") {
        "DROP TRIGGER journal_no_DELETE"
    } else {
        "ALTER TABLE journal DISABLE TRIGGER journal_append_only"
    };
    bench.raw(Some(AURORA), &format!("{guard}; DELETE FROM journal WHERE seq = 4")).await.unwrap();
    assert!(matches!(db.load_shard(7).await, Err(StoreError::Corrupt { what: "journal", .. })));
}

async fn only_the_next_entry_can_be_written(bench: Bench) {
    let db = bench.db(AURORA);
    let refused = |wrote, stored| move |fault: StoreError| matches!(fault, StoreError::JournalConflict { shard: 7, wrote: w, stored: s } if (w, s) == (wrote, stored));
    assert!(db.commit(&step(2)).await.is_err_and(refused(2, 0)), "nothing to follow");
    db.commit(&step(1)).await.unwrap();
    assert!(db.commit(&step(1)).await.is_err_and(refused(1, 1)), "twice");
    assert!(db.commit(&step(3)).await.is_err_and(refused(3, 1)), "a gap");
    db.commit(&step(2)).await.unwrap();
    assert_eq!(db.load_shard(7).await.unwrap().seq, 2);
    bench.db(BOREALIS).commit(&step(1)).await.unwrap();
}

async fn steps_are_made_ready_before_those_before_them_are_written(bench: Bench) {
    let db = bench.db(AURORA);
    let filled = marque_domain::order::Order { state: OrderState::Filled, ..order(50, 10) };
    let funded = CommitBatch {
        accounts: vec![account(10, 1, 10_003)],
        transactions: vec![deposit(3, 10, 3)],
        orders: vec![filled.clone()],
        ..step(2)
    };
    let (first, second, third) = (db.prepare(full()), db.prepare(funded), db.prepare(step(3)));
    db.commit_prepared(first.unwrap()).await.unwrap();
    db.commit_prepared(second.unwrap()).await.unwrap();
    assert_eq!(db.order(Whose::Everyone, filled.id).await.unwrap(), filled);
    assert_eq!(db.account(Whose::Everyone, AccountId(10)).await.unwrap().balance, Money::whole(10_003));
    let skipped = db.commit_prepared(db.prepare(step(4)).unwrap()).await;
    assert!(matches!(skipped, Err(StoreError::JournalConflict { shard: 7, wrote: 4, stored: 2 })), "{skipped:?}");
    db.commit_prepared(third.unwrap()).await.unwrap();
    assert_eq!(db.load_shard(7).await.unwrap().seq, 3);
}

async fn a_fault_at_the_end_leaves_nothing(bench: Bench) {
    let db = bench.db(AURORA);
    let nowhere = LogLine { deployment: DeploymentId(999), at: NOW, text: "lost".to_owned() };
    let batch = CommitBatch { logs: vec![nowhere], checkpoint: Some(vec![1]), ..full() };
    assert!(matches!(db.commit(&batch).await, Err(StoreError::BrokenReference(_))));
    assert_eq!(db.load_shard(7).await.unwrap(), ShardImage::default());
    assert_eq!(db.accounts(Whose::Everyone, Page::default()).await.unwrap().items, []);
    assert_eq!(db.orders(Whose::Everyone, Page::default()).await.unwrap().items, []);
    assert_eq!(db.audit_ledger().await.unwrap().transactions, 0);
    db.commit(&full()).await.unwrap();
}

async fn unbalanced_books_are_refused(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    // Only by way of its stored form can a transaction be made that does not balance.
    let mut crooked = serde_json::to_value(deposit(3, 10, 5)).unwrap();
    crooked["postings"][1]["amount"] = serde_json::json!(0);
    let crooked: Transaction = serde_json::from_value(crooked).unwrap();
    let batch = CommitBatch { accounts: vec![account(10, 1, 10_005)], transactions: vec![crooked], ..step(2) };
    assert!(matches!(db.commit(&batch).await, Err(StoreError::Unbalanced(TransactionId(3)))));
    assert_eq!(db.audit_ledger().await.unwrap().transactions, 2);
    assert_eq!(db.load_shard(7).await.unwrap().seq, 1);
}

async fn a_balance_must_be_what_the_books_say(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    let lies = [
        CommitBatch { accounts: vec![account(10, 1, 10_001)], ..step(2) },
        CommitBatch { transactions: vec![deposit(3, 10, 5)], ..step(2) },
        CommitBatch { accounts: vec![account(10, 1, 10_006)], transactions: vec![deposit(3, 10, 5)], ..step(2) },
        CommitBatch { accounts: vec![account(30, 1, 1)], ..step(2) },
    ];
    for lie in lies {
        let refusal = db.commit(&lie).await;
        assert!(matches!(refusal, Err(StoreError::BalanceMismatch { .. })), "{refusal:?}");
    }
    let several = vec![deposit(3, 10, 5), deposit(4, 10, -2)];
    db.commit(&CommitBatch { accounts: vec![account(10, 1, 10_003)], transactions: several, ..step(2) }).await.unwrap();
    let again =
        CommitBatch { accounts: vec![account(10, 1, 10_008)], transactions: vec![deposit(3, 10, 5)], ..step(3) };
    assert!(matches!(db.commit(&again).await, Err(StoreError::Conflict(_))), "a transaction counts once");
}

async fn the_audit_finds_what_was_tampered_with(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    let add = "INSERT INTO ledger_postings (tenant_id, transaction_id, line, account_id, book, amount)
               VALUES (101, 2, 9, 20, 'cash', 500)";
    bench.raw(Some(AURORA), add).await.unwrap();
    bench.raw(Some(AURORA), "UPDATE accounts SET balance = 7 WHERE id = 10").await.unwrap();
    let (ten, twenty) = (Money::whole(10_000), Money::from_units(10_000 * 100_000_000 + 500));
    let expected = [
        LedgerFault::Unbalanced { transaction: TransactionId(2), sum: Money::from_units(500) },
        LedgerFault::BalanceMismatch { account: AccountId(10), balance: Money::from_units(7), cash: ten },
        LedgerFault::BalanceMismatch { account: AccountId(20), balance: ten, cash: twenty },
        LedgerFault::Uneven { currency: Currency::USD, sum: Money::from_units(500) },
    ];
    assert_eq!(db.audit_ledger().await.unwrap().faults, expected);
    assert_eq!(bench.db(BOREALIS).audit_ledger().await.unwrap().faults, []);
}

async fn the_books_cannot_be_changed(bench: Bench) {
    bench.db(AURORA).commit(&opening()).await.unwrap();
    for sql in [
        "UPDATE ledger_postings SET amount = 0",
        "DELETE FROM ledger_postings",
        "UPDATE ledger_transactions SET reference = 5",
        "DELETE FROM ledger_transactions",
        "UPDATE journal SET at = 5",
        "DELETE FROM journal",
        // An upsert is a change, too.
        "INSERT INTO journal SELECT * FROM journal WHERE seq = 1 ON CONFLICT (tenant_id, shard, seq) DO UPDATE SET at = 5",
    ] {
        let said = bench.raw(Some(AURORA), sql).await.unwrap_err();
        assert!(said.contains("append-only"), "{sql}: {said}");
    }
    if bench.url.starts_with("sqlite") {
        for replace in [
            "INTO ledger_postings VALUES (101, 1, 0, 10, 'cash', 0)",
            "INTO ledger_transactions VALUES (101, 1, 20, 0, 'deposit', 0, NULL, NULL)",
            "INTO journal VALUES (101, 7, 1, 0, x'00')",
        ] {
            // Replacing deletes without asking the triggers that refuse deletions.
            for sql in [format!("INSERT OR REPLACE {replace}"), format!("REPLACE {replace}")] {
                let said = bench.raw(None, &sql).await.unwrap_err();
                assert!(said.contains("append-only"), "{sql}: {said}");
            }
        }
        let fraction = bench.raw(None, "UPDATE accounts SET balance = 0.5").await.unwrap_err();
        assert!(fraction.contains("cannot store REAL value in INTEGER column"), "{fraction}");
    } else {
        for table in ["ledger_postings", "journal"] {
            let said = bench.raw(Some(AURORA), &format!("TRUNCATE {table}")).await.unwrap_err();
            assert!(said.contains("append-only"), "{said}");
        }
    }
    assert_eq!(bench.db(AURORA).audit_ledger().await.unwrap().faults, []);
}

fn withdrawal(id: i64, amount: i64, reference: &str) -> Transaction {
    let (kind, amount) = (TransactionKind::Withdrawal, Money::whole(-amount));
    let moved = Transaction::transfer(TransactionId(id), AccountId(10), NOW, kind, 0, Book::External, amount);
    moved.with_memo(Some(Memo { reference: reference.to_owned(), note: "by wire".to_owned() }))
}

async fn a_reference_counts_once(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    let batch = |seq, moved: Transaction, balance| CommitBatch {
        accounts: vec![account(10, 1, balance)],
        transactions: vec![moved],
        ..step(seq)
    };
    db.commit(&batch(2, withdrawal(3, 100, "wire-1"), 9_900)).await.unwrap();
    let again = db.commit(&batch(3, withdrawal(4, 100, "wire-1"), 9_800)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    db.commit(&batch(3, withdrawal(4, 100, "wire-2"), 9_800)).await.unwrap();
    if bench.url.starts_with("sqlite") {
        let replace = "REPLACE INTO ledger_transactions VALUES (101, 99, 10, 0, 'deposit', 0, 'wire-1', '')";
        assert!(bench.raw(None, replace).await.unwrap_err().contains("append-only"));
    }
    assert_eq!(db.audit_ledger().await.unwrap().faults, []);
    assert_eq!(db.audit_ledger().await.unwrap().cash[&AccountId(10)], Money::whole(9_800));
}

async fn a_statement_shows_what_each_line_left(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&opening()).await.unwrap();
    for (seq, amount) in (2_i64..).zip([100, 200, 300]) {
        let (moved, rest) =
            (withdrawal(seq + 10, amount, &format!("wire-{seq}")), 10_000 - (100..=amount).step_by(100).sum::<i64>());
        let other = deposit(seq + 20, 20, 7);
        let accounts = vec![account(10, 1, rest), account(20, 2, 10_000 + 7 * (seq - 1))];
        db.commit(&CommitBatch { accounts, transactions: vec![moved, other], ..step(seq) }).await.unwrap();
    }
    let whose = Whose::UsersAccount(marque_domain::id::UserId(1), AccountId(10));
    let all = db.statement(whose, AccountId(10), Page::default()).await.unwrap().items;
    let shown: Vec<_> = all.iter().map(|line| (line.moved.id().0, line.moved.cash(), line.balance)).collect();
    let whole = Money::whole;
    let expected = [
        (14, whole(-300), whole(9_400)),
        (13, whole(-200), whole(9_700)),
        (12, whole(-100), whole(9_900)),
        (1, whole(10_000), whole(10_000)),
    ];
    assert_eq!(shown, expected);
    assert_eq!(
        all[0].moved.memo().map(|memo| (memo.reference.as_str(), memo.note.as_str())),
        Some(("wire-4", "by wire"))
    );
    assert_eq!(all[3].moved, deposit(1, 10, 10_000), "read back as it was written");
    // A page begins with what the page before left.
    let first = db.statement(whose, AccountId(10), Page::first(2)).await.unwrap();
    let second = db.statement(whose, AccountId(10), Page { after: first.next, limit: 2 }).await.unwrap();
    assert_eq!([first.items, second.items].concat(), all);
    let theirs = db.statement(Whose::User(marque_domain::id::UserId(2)), AccountId(10), Page::default()).await;
    assert!(matches!(theirs, Err(StoreError::NotFound(_))));
    assert_eq!(db.transactions(Whose::Everyone, Page::default()).await.unwrap().items.len(), 8);
    assert_eq!(bench.db(BOREALIS).transactions(Whose::Everyone, Page::default()).await.unwrap().items, []);
}

async fn many_rows_take_many_statements(bench: Bench) {
    let db = bench.db(AURORA);
    let point = |at| EquityPoint {
        account: AccountId(10),
        at: Millis(at),
        balance: Money::whole(at),
        equity: Money::whole(at),
    };
    let batch = CommitBatch {
        equity: (0..20_000).map(point).collect(),
        orders: (0..5_000).map(|id| order(1_000 + id, 10)).collect(),
        ..opening()
    };
    db.commit(&batch).await.unwrap();
    let last = db.equity(Whose::Everyone, AccountId(10), Page { after: None, limit: 5_000 }).await.unwrap();
    assert_eq!((last.items.len(), last.items[0], last.next), (1_000, point(19_999), Some(19_000)));
}

async fn logs_are_numbered_and_trimmed(bench: Bench) {
    let db = bench.db(AURORA);
    let line = |n: i64| LogLine { deployment: DeploymentId(30), at: Millis(n), text: format!("line {n}") };
    db.commit(&CommitBatch { deployments: vec![deployment(30, 10)], logs: vec![line(1), line(2)], ..opening() })
        .await
        .unwrap();
    db.commit(&CommitBatch { logs: (3..=LOG_LINES_KEPT + 10).map(line).collect(), ..step(2) }).await.unwrap();
    let newest = db.logs(Whose::Everyone, DeploymentId(30), Page::first(2)).await.unwrap();
    let last = LOG_LINES_KEPT + 10;
    assert_eq!(newest.items.iter().map(|l| (l.seq, l.at.0)).collect::<Vec<_>>(), [(last, last), (last - 1, last - 1)]);
    let oldest = db.logs(Whose::Everyone, DeploymentId(30), Page { after: Some(12), limit: 5 }).await.unwrap();
    assert_eq!(oldest.items.iter().map(|l| l.seq).collect::<Vec<_>>(), [11]);
    assert_eq!(oldest.next, None);
}

async fn an_id_never_changes_hands(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&full()).await.unwrap();
    let thefts = [
        CommitBatch { orders: vec![order(60, 20), order(50, 20)], ..step(2) },
        CommitBatch { positions: vec![position(40, 20)], ..step(2) },
        CommitBatch { deployments: vec![deployment(30, 20)], ..step(2) },
        CommitBatch { accounts: vec![account(10, 2, 10_000)], ..step(2) },
    ];
    for theft in thefts {
        let refusal = db.commit(&theft).await;
        assert!(matches!(refusal, Err(StoreError::Conflict(_))), "{refusal:?}");
    }
    assert_eq!(db.order(Whose::Everyone, OrderId(50)).await.unwrap().account, AccountId(10));
    assert!(db.order(Whose::Everyone, OrderId(60)).await.is_err(), "nothing of a refused step is left");
}
