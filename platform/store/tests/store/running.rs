//! How deployments run: changes of release, shadows, meters.

use crate::harness::*;
use marque_domain::{
    id::{AccountId, DeploymentId, UserId},
    plugin::{PluginDigest, PluginRef},
    succession::{Difference, Moment, Shadow, ShadowEnd, StateKept, Switch, Way},
    time::{DAY_MS, HOUR_MS, Millis},
    usage::Usage,
};
use marque_store::{
    CommitBatch, DIFFERENCES_KEPT, DeploymentUsage, MeteredHour, Page, PlanUsage, RunningBatch, ShadowStep, StoreError,
    Whose,
};

on_both!(
    what_followed_what_is_kept_in_order,
    a_shadow_is_reported_until_the_next_begins,
    differences_are_numbered_counted_and_trimmed,
    what_is_used_adds_up_by_hours_and_every_sum_is_the_same,
    nobody_sees_what_is_anothers,
);

const DEPLOYED: DeploymentId = DeploymentId(30);

fn release(digest: u8) -> PluginRef {
    PluginRef { digest: PluginDigest([digest; 32]), name: "ema-cross".to_owned(), settings: "{}".to_owned() }
}

/// Two deployments, of account 10 (user 1) and of account 20 (user 2).
fn deployed() -> CommitBatch {
    CommitBatch { deployments: vec![deployment(30, 10), deployment(31, 20)], ..opening() }
}

fn next(seq: i64, running: RunningBatch) -> CommitBatch {
    CommitBatch { running, ..step(seq) }
}

async fn what_followed_what_is_kept_in_order(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&deployed()).await.unwrap();
    let switch = |at, way, state, from, to| Switch {
        deployment: DEPLOYED,
        at: Millis(at),
        way,
        from: release(from),
        to: release(to),
        state,
    };
    let all = vec![
        switch(1, Way::Upgrade, StateKept::Carried, 1, 2),
        switch(2, Way::RollBack, StateKept::Fresh, 2, 1),
        switch(3, Way::Promotion, StateKept::Own, 1, 3),
    ];
    let (first, rest) = (all[..1].to_vec(), all[1..].to_vec());
    db.commit(&next(2, RunningBatch { switches: first, ..RunningBatch::default() })).await.unwrap();
    db.commit(&next(3, RunningBatch { switches: rest, ..RunningBatch::default() })).await.unwrap();
    let found = db.switches(Whose::User(UserId(1)), DEPLOYED).await.unwrap();
    assert_eq!(found, all.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(db.switches(Whose::Everyone, DeploymentId(31)).await.unwrap(), []);
}

fn differs(at: i64, failed: bool) -> Difference {
    let (live, shadow) = ("buy 1 at the market".to_owned(), String::new());
    Difference { deployment: DEPLOYED, at: Millis(at), moment: Moment::Bar, live, shadow, failed }
}

async fn a_shadow_is_reported_until_the_next_begins(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&deployed()).await.unwrap();
    assert_eq!(db.shadow(Whose::Everyone, DEPLOYED).await.unwrap(), None);
    let shadow = |digest, since| Shadow { plugin: release(digest), since: Millis(since) };
    let started = vec![ShadowStep::Started(DEPLOYED, shadow(2, 5))];
    db.commit(&next(2, RunningBatch { shadows: started, ..RunningBatch::default() })).await.unwrap();
    // The last differences come with the end, and are of the one that ends.
    let last = RunningBatch {
        compared: vec![(DEPLOYED, 7)],
        differences: vec![differs(6, false), differs(7, true)],
        shadows: vec![ShadowStep::Ended(DEPLOYED, ShadowEnd::Failed("it trapped".to_owned()), Millis(7))],
        ..RunningBatch::default()
    };
    db.commit(&next(3, last)).await.unwrap();
    let report = db.shadow(Whose::Everyone, DEPLOYED).await.unwrap().unwrap();
    assert_eq!(report.shadow, shadow(2, 5));
    assert_eq!((report.compared, report.differing, report.failed), (7, 2, 1));
    assert_eq!(report.ended, Some((Millis(7), ShadowEnd::Failed("it trapped".to_owned()))));
    let listed = db.differences(Whose::Everyone, DEPLOYED, Page::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|d| d.seq).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(listed[1].difference, differs(6, false));

    let again = RunningBatch { shadows: vec![ShadowStep::Started(DEPLOYED, shadow(3, 9))], ..RunningBatch::default() };
    db.commit(&next(4, again)).await.unwrap();
    let report = db.shadow(Whose::Everyone, DEPLOYED).await.unwrap().unwrap();
    assert_eq!((report.shadow, report.compared, report.ended), (shadow(3, 9), 0, None));
    assert_eq!(db.differences(Whose::Everyone, DEPLOYED, Page::default()).await.unwrap().items, []);
    let ended = vec![ShadowStep::Ended(DEPLOYED, ShadowEnd::Promoted, Millis(10))];
    db.commit(&next(5, RunningBatch { shadows: ended, ..RunningBatch::default() })).await.unwrap();
    let report = db.shadow(Whose::Everyone, DEPLOYED).await.unwrap().unwrap();
    assert_eq!(report.ended, Some((Millis(10), ShadowEnd::Promoted)));
}

async fn differences_are_numbered_counted_and_trimmed(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&deployed()).await.unwrap();
    let started = vec![ShadowStep::Started(DEPLOYED, Shadow { plugin: release(2), since: Millis(0) })];
    db.commit(&next(2, RunningBatch { shadows: started, ..RunningBatch::default() })).await.unwrap();
    let (half, mut seq) = (DIFFERENCES_KEPT / 2 + 10, 2);
    for part in 0..2 {
        seq += 1;
        let differences = (part * half..(part + 1) * half).map(|at| differs(at, false)).collect();
        db.commit(&next(seq, RunningBatch { differences, ..RunningBatch::default() })).await.unwrap();
    }
    let all = 2 * half;
    let report = db.shadow(Whose::Everyone, DEPLOYED).await.unwrap().unwrap();
    assert_eq!(i64::try_from(report.differing).unwrap(), all);
    let (mut after, mut numbers) = (None, Vec::new());
    loop {
        let page = db.differences(Whose::Everyone, DEPLOYED, Page { after, limit: 200 }).await.unwrap();
        numbers.extend(page.items.iter().map(|d| d.seq));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(numbers, (all - DIFFERENCES_KEPT + 1..=all).rev().collect::<Vec<_>>());
}

fn used(calls: u64, fuel: u64, memory: u64) -> Usage {
    Usage { calls, fuel, time_ns: fuel * 3, memory_bytes_peak: memory }
}

fn hour(deployment: i64, at: i64, usage: Usage) -> MeteredHour {
    let (account, user) = if deployment == 30 { (AccountId(10), UserId(1)) } else { (AccountId(20), UserId(2)) };
    MeteredHour { deployment: DeploymentId(deployment), account, user, hour: Millis(at * HOUR_MS), usage }
}

async fn what_is_used_adds_up_by_hours_and_every_sum_is_the_same(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&deployed()).await.unwrap();
    let metered = |usage| RunningBatch { usage, ..RunningBatch::default() };
    let first = vec![hour(30, 1, used(1, 100, 500)), hour(30, 1, used(1, 10, 900)), hour(31, 1, used(5, 7, 64))];
    let second = vec![hour(30, 1, used(2, 1, 300)), hour(30, 25, used(1, 1_000, 100)), hour(31, 26, used(1, 3, 128))];
    db.commit(&next(2, metered(first))).await.unwrap();
    db.commit(&next(3, metered(second))).await.unwrap();

    let (from, until) = (Millis(0), Millis(2 * DAY_MS));
    let all = db.usage_by_deployment(Whose::Everyone, from, until).await.unwrap();
    let mine =
        DeploymentUsage { deployment: DEPLOYED, account: AccountId(10), user: UserId(1), usage: used(5, 1_111, 900) };
    let theirs = DeploymentUsage {
        deployment: DeploymentId(31),
        account: AccountId(20),
        user: UserId(2),
        usage: used(6, 10, 128),
    };
    assert_eq!(all, [mine, theirs]);
    let total = db.usage_total(Whose::Everyone, from, until).await.unwrap();
    assert_eq!(total, used(11, 1_121, 900));
    let days = db.usage_by_day(Whose::Everyone, from, until).await.unwrap();
    assert_eq!(days, [(Millis(DAY_MS), used(2, 1_003, 128)), (Millis(0), used(9, 118, 900))]);
    let one = db.usage_of_deployment(DEPLOYED, from, until).await.unwrap();
    assert_eq!(one, [(Millis(DAY_MS), used(1, 1_000, 100)), (Millis(0), used(4, 111, 900))]);
    db.set_plan(UserId(2), Some("pro")).await.unwrap();
    let mut plans = db.usage_by_plan(from, until).await.unwrap();
    plans.sort_by_key(|row| row.plan.clone());
    let row = |plan: Option<&str>, usage| PlanUsage { plan: plan.map(str::to_owned), people: 1, usage };
    assert_eq!(plans, [row(None, mine.usage), row(Some("pro"), theirs.usage)]);
    assert_eq!(db.heavy_users(from, 11).await.unwrap(), [(UserId(1), 1_111)]);
    assert_eq!(db.heavy_users(Millis(DAY_MS), 1).await.unwrap(), [(UserId(1), 1_000), (UserId(2), 3)]);
    let hers = db.usage_total(Whose::User(UserId(2)), from, until).await.unwrap();
    assert_eq!(hers, theirs.usage);

    assert_eq!(db.forget_usage(Millis(25 * HOUR_MS)).await.unwrap(), 2);
    assert_eq!(db.usage_total(Whose::Everyone, from, until).await.unwrap(), used(2, 1_003, 128));
}

async fn nobody_sees_what_is_anothers(bench: Bench) {
    let (here, there) = (bench.db(AURORA), bench.db(BOREALIS));
    here.commit(&deployed()).await.unwrap();
    let batch = RunningBatch {
        usage: vec![hour(30, 1, used(1, 1, 1))],
        shadows: vec![ShadowStep::Started(DEPLOYED, Shadow { plugin: release(2), since: Millis(0) })],
        ..RunningBatch::default()
    };
    here.commit(&next(2, batch)).await.unwrap();
    let missing = |fault: StoreError| matches!(fault, StoreError::NotFound("deployment"));
    for (db, whose) in [(&there, Whose::Everyone), (&here, Whose::User(UserId(2)))] {
        assert!(missing(db.switches(whose, DEPLOYED).await.unwrap_err()));
        assert!(missing(db.shadow(whose, DEPLOYED).await.unwrap_err()));
        assert!(missing(db.differences(whose, DEPLOYED, Page::default()).await.unwrap_err()));
        assert!(missing(db.decisions_of(whose, DEPLOYED, Page::default()).await.unwrap_err()));
        let (from, until) = (Millis(0), Millis(DAY_MS));
        assert_eq!(db.usage_total(whose, from, until).await.unwrap(), Usage::default());
        assert_eq!(db.usage_by_deployment(whose, from, until).await.unwrap(), []);
    }
    assert_eq!(there.usage_of_deployment(DEPLOYED, Millis(0), Millis(DAY_MS)).await.unwrap(), []);
    assert_eq!(there.usage_by_plan(Millis(0), Millis(DAY_MS)).await.unwrap(), []);
}
