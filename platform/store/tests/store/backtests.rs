//! Backtests: kept, taken once, cancelled, ended, and another tenant's are not there; signing keys.

use crate::harness::*;
use marque_domain::{
    id::{BacktestId, SigningKeyId, UserId},
    time::{HOUR_MS, Millis},
};
use marque_store::{Backtest, BacktestReport, BacktestStatus as Status, Page, SigningKey, StoreError, TenantDb, Whose};

on_both!(
    a_backtest_runs_its_course,
    one_of_many_takes_it,
    a_silent_runner_loses_it,
    what_ends_every_runner_fails,
    a_cancelled_one_ends,
    room_is_limited,
    old_ones_are_forgotten,
    anothers_are_not_there,
    what_they_use_adds_up,
    a_first_key_is_kept,
);

fn backtest(id: i64, user: i64) -> Backtest {
    Backtest {
        id: BacktestId(id),
        user: UserId(user),
        kind: "single".to_owned(),
        spec: "{}".to_owned(),
        status: Status::Queued,
        done: 0,
        runs: 0,
        cancel_asked: false,
        fault: None,
        summary: None,
        created_at: NOW,
        started_at: None,
        finished_at: None,
    }
}

fn report() -> BacktestReport {
    BacktestReport { report: vec![1, 2, 3], certificate: Some("signed".to_owned()) }
}

/// Long before anything here happens.
const SILENT: Millis = Millis(0);

async fn taken(db: &TenantDb, id: i64, user: i64) -> Backtest {
    assert!(db.add_backtest(&backtest(id, user), 10).await.unwrap());
    assert!(db.claim_backtest(BacktestId(id), NOW, SILENT).await.unwrap());
    db.backtest(Whose::Everyone, BacktestId(id)).await.unwrap()
}

async fn a_backtest_runs_its_course(bench: Bench) {
    let db = bench.db(AURORA);
    let user = 1;
    let mut running = taken(&db, 7, user).await;
    assert_eq!((running.status, running.started_at), (Status::Running, Some(NOW)));
    assert_eq!(db.backtest_report(Whose::Everyone, running.id).await.unwrap(), None);
    assert!(!db.note_backtest(running.id, 250, 4, NOW.plus(1)).await.unwrap());
    let noted = db.backtest(Whose::User(UserId(user)), running.id).await.unwrap();
    assert_eq!((noted.done, noted.runs), (250, 4));
    running.status = Status::Done;
    (running.done, running.runs, running.summary) = (1_000, 4, Some("{}".to_owned()));
    running.finished_at = Some(NOW.plus(2));
    db.finish_backtest(&running, Some(&report())).await.unwrap();
    assert_eq!(db.backtest(Whose::Everyone, running.id).await.unwrap(), running);
    assert_eq!(db.backtest_report(Whose::Everyone, running.id).await.unwrap(), Some(report()));
    // Ended is ended: neither taken nor ended again.
    assert!(!db.claim_backtest(running.id, NOW, NOW.plus(1_000_000)).await.unwrap());
    db.finish_backtest(&Backtest { status: Status::Failed, ..running.clone() }, None).await.unwrap();
    assert_eq!(db.backtest(Whose::Everyone, running.id).await.unwrap().status, Status::Done);
}

async fn one_of_many_takes_it(bench: Bench) {
    let db = bench.db(AURORA);
    let user = 1;
    assert!(db.add_backtest(&backtest(7, user), 10).await.unwrap());
    let tries = (0..8).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.claim_backtest(BacktestId(7), NOW, SILENT).await.unwrap() })
    });
    let mut taken = 0;
    for one in tries.collect::<Vec<_>>() {
        taken += u32::from(one.await.unwrap());
    }
    assert_eq!(taken, 1);
}

async fn a_silent_runner_loses_it(bench: Bench) {
    let db = bench.db(AURORA);
    let user = 1;
    let running = taken(&db, 7, user).await;
    assert_eq!(db.waiting_backtests(NOW).await.unwrap(), [], "it was heard of");
    assert!(!db.claim_backtest(running.id, NOW, NOW).await.unwrap());
    let later = NOW.plus(60_000);
    assert_eq!(db.waiting_backtests(later).await.unwrap().len(), 1);
    assert!(db.claim_backtest(running.id, later, later).await.unwrap());
    db.give_backtest_back(running.id).await.unwrap();
    assert_eq!(db.backtest(Whose::Everyone, running.id).await.unwrap().status, Status::Queued);
    assert_eq!(db.waiting_backtests(SILENT).await.unwrap().len(), 1);
}

async fn what_ends_every_runner_fails(bench: Bench) {
    let db = bench.db(AURORA);
    let user = 1;
    let id = taken(&db, 7, user).await.id;
    // Who closes in order gives it back: that is no attempt.
    for _ in 0..3 {
        db.give_backtest_back(id).await.unwrap();
        assert!(db.claim_backtest(id, NOW, SILENT).await.unwrap());
    }
    let second = NOW.plus(60_000);
    assert!(db.claim_backtest(id, second, second).await.unwrap());
    let third = second.plus(60_000);
    assert!(!db.claim_backtest(id, third, third).await.unwrap());
    let failed = db.backtest(Whose::User(UserId(user)), id).await.unwrap();
    assert_eq!((failed.status, failed.finished_at), (Status::Failed, Some(third)));
    assert!(failed.fault.is_some_and(|fault| fault.contains("begun twice")));
    assert_eq!(db.waiting_backtests(third.plus(60_000)).await.unwrap(), [], "nobody waits for it any more");
}

async fn a_cancelled_one_ends(bench: Bench) {
    let db = bench.db(AURORA);
    let user = 1;
    assert!(db.add_backtest(&backtest(6, user), 10).await.unwrap());
    let cancel = async |id| db.cancel_backtest(Whose::User(UserId(user)), id, NOW).await.unwrap();
    let (waiting, first) = cancel(BacktestId(6)).await;
    assert_eq!((waiting.status, waiting.finished_at, first), (Status::Cancelled, Some(NOW), true));
    assert!(!cancel(BacktestId(6)).await.1, "it was cancelled before");
    assert!(!db.claim_backtest(BacktestId(6), NOW, NOW.plus(1_000_000)).await.unwrap());
    let running = taken(&db, 7, user).await;
    let (asked, first) = cancel(running.id).await;
    assert_eq!((asked.status, asked.cancel_asked, first), (Status::Running, true, true));
    assert!(!cancel(running.id).await.1, "its end was asked for before");
    assert!(db.note_backtest(running.id, 1, 1, NOW).await.unwrap(), "its runner hears of it");
}

async fn room_is_limited(bench: Bench) {
    let db = bench.db(AURORA);
    let (ann, bob) = (1, 2);
    for id in 1..=3 {
        assert!(db.add_backtest(&backtest(id, ann), 3).await.unwrap());
    }
    assert!(!db.add_backtest(&backtest(4, ann), 3).await.unwrap());
    assert!(!db.add_backtest(&backtest(4, bob), 0).await.unwrap());
    assert!(db.add_backtest(&backtest(4, bob), 3).await.unwrap(), "another's do not count");
    db.cancel_backtest(Whose::Everyone, BacktestId(1), NOW).await.unwrap();
    assert!(db.add_backtest(&backtest(5, ann), 3).await.unwrap(), "what has ended does not count");
    assert!(matches!(db.add_backtest(&backtest(6, 999), 3).await, Err(StoreError::BrokenReference(_))));
}

async fn old_ones_are_forgotten(bench: Bench) {
    let db = bench.db(AURORA);
    let user = 1;
    for id in 1..=5 {
        let mut ended = taken(&db, id, user).await;
        ended.status = Status::Done;
        db.finish_backtest(&ended, Some(&report())).await.unwrap();
    }
    taken(&db, 6, user).await;
    assert_eq!(db.forget_backtests(UserId(user), 2).await.unwrap(), 3);
    let left = db.backtests(Whose::Everyone, Page::first(10)).await.unwrap();
    assert_eq!(left.items.iter().map(|b| b.id.0).collect::<Vec<_>>(), [6, 5, 4]);
    let page = db.backtests(Whose::User(UserId(user)), Page::first(2)).await.unwrap();
    assert_eq!((page.items.len(), page.next), (2, Some(5)));
}

async fn anothers_are_not_there(bench: Bench) {
    let (aurora, borealis) = (bench.db(AURORA), bench.db(BOREALIS));
    let (ann, bob) = (1, 2);
    let mut mine = taken(&aurora, 7, ann).await;
    mine.status = Status::Done;
    aurora.finish_backtest(&mine, Some(&report())).await.unwrap();
    for (db, whose) in
        [(&borealis, Whose::Everyone), (&borealis, Whose::User(UserId(ann))), (&aurora, Whose::User(UserId(bob)))]
    {
        assert!(matches!(db.backtest(whose, mine.id).await, Err(StoreError::NotFound(_))));
        assert!(matches!(db.backtest_report(whose, mine.id).await, Err(StoreError::NotFound(_))));
        assert!(matches!(db.cancel_backtest(whose, mine.id, NOW).await, Err(StoreError::NotFound(_))));
        assert_eq!(db.backtests(whose, Page::first(10)).await.unwrap().items, []);
    }
    assert!(!borealis.claim_backtest(mine.id, NOW, NOW.plus(1_000_000)).await.unwrap());
    borealis.forget_backtests(UserId(ann), 0).await.unwrap();
    assert_eq!(aurora.backtest(Whose::User(UserId(ann)), mine.id).await.unwrap().status, Status::Done);
}

async fn what_they_use_adds_up(bench: Bench) {
    let (aurora, borealis) = (bench.db(AURORA), bench.db(BOREALIS));
    let (ann, bob) = (UserId(1), UserId(2));
    let hour = |number: i64| Millis(number * HOUR_MS);
    for (user, number, fuel) in [(ann, 1, 100), (ann, 1, 20), (ann, 2, 3), (bob, 2, 7)] {
        aurora.meter_backtest(user, hour(number), fuel).await.unwrap();
    }
    for (db, user, from, sum) in [
        (&aurora, ann, 0, 123),
        (&aurora, ann, 2, 3),
        (&aurora, ann, 3, 0),
        (&aurora, bob, 0, 7),
        (&borealis, ann, 0, 0),
    ] {
        assert_eq!(db.fuel_of_backtests(user, hour(from)).await.unwrap(), sum, "{user:?} from {from}");
    }
    let stranger = aurora.meter_backtest(UserId(999), hour(1), 1).await;
    assert!(matches!(stranger, Err(StoreError::BrokenReference(_))));
    assert_eq!(aurora.forget_usage(hour(2)).await.unwrap(), 1);
    assert_eq!(aurora.fuel_of_backtests(ann, hour(0)).await.unwrap(), 3);
}

async fn a_first_key_is_kept(bench: Bench) {
    let key = |id: i64, byte: u8| SigningKey {
        id: SigningKeyId(id),
        public: vec![byte; 32],
        secret: vec![9; 60],
        created_at: NOW,
        retired_at: None,
    };
    let (aurora, borealis) = (bench.db(AURORA), bench.db(BOREALIS));
    aurora.add_first_signing_key(&key(1, 1)).await.unwrap();
    aurora.add_first_signing_key(&key(2, 2)).await.unwrap();
    assert_eq!(aurora.signing_keys().await.unwrap(), [key(1, 1)]);
    assert_eq!(borealis.signing_keys().await.unwrap(), []);
}
