//! The laws of a shard: equal events give equal bytes, the state is the fold of the records, and a restart
//! at any commit goes on as if nothing had happened.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountStatus, Deployment},
    bar::{Quote, Timeframe},
    decision::{Denial, Intent, Outcome},
    fixed::{Lots, Money},
    id::{AccountId, InstrumentId, PositionId},
    order::Side,
    plugin::PluginRef,
    tenant::Quotas,
};
use marque_engine::{
    Command, Desk, Effects, Event, Record, Refusal, Shard,
    desk::Commit,
    state::State,
    venue::{SimulatedVenue, VenueModel},
};
use proptest::prelude::*;
use std::{convert::Infallible, sync::Arc};
use support::{
    Journal, NativeHost, NoHistory, deployment, instrument,
    mortal::{self, Mortal, feed, outcome, revive},
    plugin, quote, terms,
};

fn shard() -> Shard {
    Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory))
}

fn model() -> VenueModel {
    VenueModel { commission_per_lot: Money::whole(3), ..VenueModel::default() }
}

fn desk() -> Desk<SimulatedVenue> {
    mortal::desk(model())
}

fn open(desk: &mut Desk<SimulatedVenue>, rules: Vec<PluginRef>, journal: &mut impl Commit<Error = Infallible>) {
    desk.quote(&quote(0, 0, 1), journal).unwrap();
    desk.command(Command::OpenAccount(terms(rules)), journal).unwrap().unwrap();
}

fn want(side: Side, lots: &str) -> Command {
    let intent = Intent::Open {
        instrument: InstrumentId(1),
        side,
        lots: lots.parse().unwrap(),
        stop_loss: None,
        take_profit: None,
    };
    Command::Want { account: AccountId(1), intent }
}

fn walk(steps: &[(i64, i64)]) -> Vec<Quote> {
    let (mut at, mut bid) = (1, 0);
    steps
        .iter()
        .map(|(gap, step)| {
            at += gap;
            bid += step;
            quote(at, bid, 1)
        })
        .collect()
}

fn steps() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((1..30_000_i64, -12..=12_i64), 20..300)
}

fn begin(desk: &mut Desk<SimulatedVenue>, journal: &mut Mortal, settings: &str, rule: &str) -> Result<(), ()> {
    desk.quote(&quote(0, 0, 1), journal)?;
    desk.command(Command::OpenAccount(terms(vec![plugin("floor", rule)])), journal)?.unwrap();
    desk.command(deploy(deployment(plugin("dice-both", settings), Timeframe::M1)), journal)?.unwrap();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn equal_events_give_equal_bytes(steps in steps(), seed: u32, every in 1..20_u64) {
        let run = || {
            let (mut shard, mut fx, mut bytes) = (shard(), Effects::default(), Vec::new());
            let mut events: Vec<(i64, Event)> = vec![
                (0, Event::Quote(quote(0, 0, 1), vec![])),
                (0, Event::Command(Command::OpenAccount(terms(vec![plugin("daily-floor", "9990")])))),
                (0, Event::Command(deploy(deployment(plugin("dice-both", &format!("{seed} {every}!")), Timeframe::M1)))),
            ];
            events.extend(walk(&steps).into_iter().map(|q| (q.at.0, Event::Quote(q, vec![]))));
            for (at, event) in events {
                let _ = shard.step(marque_domain::time::Millis(at), event, &mut fx);
                // The venue's side of the log: every order is sent and filled at the last price.
                for approved in std::mem::take(&mut fx.orders) {
                    let order = approved.order().clone();
                    let price = shard.market().last(order.instrument).unwrap().bid;
                    let now = shard.market().now();
                    let filled = marque_engine::port::VenueReport::Filled { order: order.id, execution: None, lots: order.lots, price, commission: Money::ZERO };
                    shard.step(now, Event::Sent(order.id), &mut fx).unwrap();
                    shard.step(now, Event::Report(filled), &mut fx).unwrap();
                }
                bytes.extend(postcard::to_stdvec(&fx).unwrap());
                fx.clear();
            }
            bytes
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn the_state_is_the_fold_of_the_records(steps in steps(), seed: u32, every in 1..20_u64) {
        let mut journal = Mortal::default();
        let mut desk = desk();
        begin(&mut desk, &mut journal, &format!("{seed} {every}!"), "9990").unwrap();
        feed(&mut desk, &mut journal, &walk(&steps)).unwrap();
        let mut state = State::default();
        journal.records.iter().for_each(|r| state.apply(r));
        prop_assert_eq!(&state, desk.shard().state());
        // A checkpoint is that state as bytes.
        let bytes = postcard::to_stdvec(&state).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<State>(&bytes).unwrap(), &state);
    }

    /// Killed at any commit and started again, the desk ends with the same orders, positions and ledger.
    #[test]
    fn a_kill_loses_and_doubles_nothing(steps in steps(), seed: u32, every in 1..20_u64, kills in prop::collection::vec(1..25_usize, 1..6)) {
        let settings = format!("{seed} {every}");
        let quotes = walk(&steps);
        let mut calm = Mortal::default();
        let mut undisturbed = desk();
        begin(&mut undisturbed, &mut calm, &settings, "9990").unwrap();
        feed(&mut undisturbed, &mut calm, &quotes).unwrap();

        let mut journal = Mortal::default();
        let mut killed = desk();
        begin(&mut killed, &mut journal, &settings, "9990").unwrap();
        for kill in kills {
            journal.dies_at = journal.commits + kill;
            if feed(&mut killed, &mut journal, &quotes).is_err() {
                killed = revive(model(), &mut journal);
            }
        }
        journal.dies_at = 0;
        feed(&mut killed, &mut journal, &quotes).unwrap();
        let (left, right) = (outcome(&journal.records), outcome(&calm.records));
        for (index, (a, b)) in left.iter().zip(&right).enumerate() {
            prop_assert_eq!(a, b, "record {} of {} and {}", index, left.len(), right.len());
        }
        prop_assert_eq!(left.len(), right.len());
        prop_assert_eq!(killed.shard().equity(AccountId(1)), undisturbed.shard().equity(AccountId(1)));
    }
}

#[test]
fn a_mute_rule_denies_and_holds_but_closes_nothing() {
    let (mut desk, mut journal) = (desk(), Journal::default());
    open(&mut desk, vec![plugin("mute", "")], &mut journal);
    assert!(matches!(desk.shard().state().accounts[&AccountId(1)].status, AccountStatus::Held(_)));
    desk.command(want(Side::Buy, "1"), &mut journal).unwrap().unwrap();
    let Some(Record::Decided(decision)) = journal.records.last() else { panic!("no decision") };
    assert!(matches!(&decision.outcome, Outcome::Denied(Denial::AccountHeld { .. })));
    assert!(desk.shard().state().accounts[&AccountId(1)].positions.is_empty());
}

#[test]
fn a_rule_that_answers_does_not_speak_for_one_that_does_not() {
    for rules in [["mute", "floor"], ["floor", "mute"]] {
        let (mut desk, mut journal) = (desk(), Journal::default());
        open(&mut desk, rules.map(|name| plugin(name, "9900")).to_vec(), &mut journal);
        for n in 0..4 {
            let status = &desk.shard().state().accounts[&AccountId(1)].status;
            assert!(matches!(status, AccountStatus::Held(_)), "{rules:?} {n}: {status:?}");
            // The floor is asked with every new peak, the mute one again after a minute.
            desk.quote(&quote((n + 1) * 61_000, n, 1), &mut journal).unwrap();
        }
    }
}

#[test]
fn a_breach_latches_and_flattens() {
    let (mut desk, mut journal) = (desk(), Journal::default());
    open(&mut desk, vec![plugin("floor", "9900")], &mut journal);
    desk.command(want(Side::Buy, "10"), &mut journal).unwrap().unwrap();
    desk.quote(&quote(1_000, -120, 1), &mut journal).unwrap();
    let account = &desk.shard().state().accounts[&AccountId(1)];
    assert!(matches!(account.status, AccountStatus::Failed(_)), "{:?}", account.status);
    assert!(account.positions.is_empty(), "a breach closes everything");
    desk.quote(&quote(2_000, 900, 1), &mut journal).unwrap();
    desk.command(want(Side::Buy, "1"), &mut journal).unwrap().unwrap();
    let Some(Record::Decided(decision)) = journal.records.last() else { panic!("no decision") };
    assert!(
        matches!(&decision.outcome, Outcome::Denied(Denial::AccountFailed { .. })),
        "equity that recovers does not undo it"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn limits_name_the_numbers_that_decided() {
    let (mut desk, mut journal) = (desk(), Journal::default());
    open(&mut desk, vec![], &mut journal);
    let lots = |text: &str| text.parse::<Lots>().unwrap();
    let stopped = |stop: i64| Intent::Open {
        instrument: InstrumentId(1),
        side: Side::Buy,
        lots: lots("1"),
        stop_loss: Some(quote(0, stop, 0).bid),
        take_profit: None,
    };
    let cases: Vec<(Intent, &str)> = vec![
        (
            Intent::Open {
                instrument: InstrumentId(9),
                side: Side::Buy,
                lots: lots("1"),
                stop_loss: None,
                take_profit: None,
            },
            "unknown_instrument",
        ),
        (
            Intent::Open {
                instrument: InstrumentId(1),
                side: Side::Buy,
                lots: lots("0.009"),
                stop_loss: None,
                take_profit: None,
            },
            "lots_too_small",
        ),
        (
            Intent::Open {
                instrument: InstrumentId(1),
                side: Side::Buy,
                lots: lots("-1"),
                stop_loss: None,
                take_profit: None,
            },
            "lots_too_small",
        ),
        (
            Intent::Open {
                instrument: InstrumentId(1),
                side: Side::Buy,
                lots: lots("101"),
                stop_loss: None,
                take_profit: None,
            },
            "lots_too_large",
        ),
        (
            Intent::Open {
                instrument: InstrumentId(1),
                side: Side::Buy,
                lots: lots("90"),
                stop_loss: None,
                take_profit: None,
            },
            "margin_too_small",
        ),
        (stopped(0), "stop_on_wrong_side"),
        (stopped(50), "stop_on_wrong_side"),
        (Intent::Close { position: PositionId(77) }, "position_not_open"),
    ];
    for (intent, code) in cases {
        desk.command(Command::Want { account: AccountId(1), intent }, &mut journal).unwrap().unwrap();
        let Some(Record::Decided(decision)) = journal.records.last() else { panic!("no decision for {intent:?}") };
        let Outcome::Denied(denial) = &decision.outcome else { panic!("{intent:?} was approved") };
        assert_eq!(denial.code(), code, "{denial}");
    }
}

#[test]
fn the_plan_limits_opening_orders_by_utc_day() {
    let (mut desk, mut journal) = (desk(), Journal::default());
    desk.quote(&quote(0, 0, 1), &mut journal).unwrap();
    let terms = marque_domain::account::AccountTerms { trades_per_day: Some(2), ..terms(vec![]) };
    desk.command(Command::OpenAccount(terms), &mut journal).unwrap().unwrap();
    let outcomes =
        |journal: &Journal| journal.records.iter().filter(|r| matches!(r, Record::PositionOpened(_))).count();
    for _ in 0..3 {
        desk.command(want(Side::Buy, "0.1"), &mut journal).unwrap().unwrap();
    }
    assert_eq!(outcomes(&journal), 2);
    desk.quote(&quote(marque_domain::time::DAY_MS, 0, 1), &mut journal).unwrap();
    desk.command(want(Side::Buy, "0.1"), &mut journal).unwrap().unwrap();
    assert_eq!(outcomes(&journal), 3);
}

/// Whatever its owner's plan.
fn deploy(deployment: Deployment) -> Command {
    Command::Deploy(deployment, Quotas::default())
}

#[test]
fn commands_for_what_is_not_there_change_nothing() {
    let (mut desk, mut journal) = (desk(), Journal::default());
    open(&mut desk, vec![], &mut journal);
    let before = desk.shard().state().clone();
    let stranger = deployment(plugin("nobody", ""), Timeframe::M1);
    for (command, refusal) in [
        (Command::OpenAccount(terms(vec![])), Refusal::Duplicate),
        (Command::Start(marque_domain::id::DeploymentId(9), Quotas::default()), Refusal::NoSuchDeployment),
        (deploy(stranger), Refusal::Plugin("no plugin named nobody".into())),
        (
            Command::Want { account: AccountId(2), intent: Intent::Close { position: PositionId(1) } },
            Refusal::NoSuchAccount,
        ),
    ] {
        assert_eq!(desk.command(command, &mut journal).unwrap(), Err(refusal));
    }
    assert_eq!(desk.shard().state(), &before);
}

#[test]
fn three_faults_in_ten_minutes_quarantine() {
    let (mut desk, mut journal) = (desk(), Journal::default());
    open(&mut desk, vec![], &mut journal);
    desk.command(deploy(deployment(plugin("dice-ticks", "1 1000000!"), Timeframe::M1)), &mut journal).unwrap().unwrap();
    for index in 1..3_000 {
        desk.quote(&quote(index * 50, index % 17, 1), &mut journal).unwrap();
    }
    let faults = journal.records.iter().filter(|r| matches!(r, Record::Faulted { .. })).count();
    assert_eq!(faults, 3);
    assert_eq!(desk.shard().state().deployments[&marque_domain::id::DeploymentId(5)].status.name(), "quarantined");
}
