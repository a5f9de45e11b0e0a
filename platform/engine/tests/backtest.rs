//! Runs and steps are one engine: whatever the strategy, the market and the rules, the records are equal.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::PositionMode,
    bar::Timeframe,
    fixed::{Money, Price},
    order::{OrderState, Origin, Position},
};
use marque_engine::{
    backtest::{self, Pace, Recording, Setup, Summary},
    event::Record,
    port::{BarRun, TickRun},
    venue::{Slippage, Spread, VenueModel},
};
use proptest::prelude::*;
use std::{ops::ControlFlow, sync::Arc};
use support::{Journal, NativeHost, START, deployment, instrument, plugin, terms};

fn any_setup() -> impl Strategy<Value = (VenueModel, PositionMode)> {
    let points = |points: i64| Price::from_units(points * 1_000);
    let terms = (
        prop::sample::select(vec![Spread::Quoted, Spread::Markup(points(2)), Spread::Minimum(points(3))]),
        prop::sample::select(vec![Slippage::None, Slippage::Random(points(4))]),
        prop::sample::select(vec![0, 0, 2_500]),
        prop::sample::select(vec![None, Some("0.4")]),
        any::<u64>(),
        prop::sample::select(vec![PositionMode::Hedging, PositionMode::Netting]),
    );
    terms.prop_map(|(spread, slippage, latency_ms, liquidity, seed, mode)| {
        let (liquidity, commission_per_lot) = (liquidity.map(|l| l.parse().unwrap()), "3.5".parse().unwrap());
        (VenueModel { commission_per_lot, spread, slippage, latency_ms, liquidity, seed }, mode)
    })
}

fn setup(strategy: &str, settings: &str, timeframe: Timeframe, rule: Option<(&str, &str)>) -> Setup {
    Setup {
        instrument: instrument(),
        terms: terms(rule.map(|(name, settings)| plugin(name, settings)).into_iter().collect()),
        deployment: deployment(plugin(strategy, settings), timeframe),
        venue: VenueModel { commission_per_lot: "3.5".parse().unwrap(), ..VenueModel::default() },
    }
}

fn go(setup: &Setup, recording: Recording<'_>, pace: Pace) -> (Vec<Record>, Summary) {
    let mut journal = Journal::default();
    let summary = backtest::run(setup, recording, pace, Arc::new(NativeHost), &mut journal).unwrap();
    (journal.records, summary)
}

/// Without keeping states until one is needed.
fn go_quick(setup: &Setup, recording: Recording<'_>, pace: Pace) -> (Vec<Record>, Summary) {
    let mut watch = |_| ControlFlow::Continue(());
    let ran = backtest::run_quick::<Journal>(setup, recording, pace, Arc::new(NativeHost), &mut watch);
    let (journal, summary) = ran.unwrap();
    (journal.records, summary)
}

/// A walk of quotes: some crossed, some far apart.
fn ticks() -> impl Strategy<Value = [Vec<i64>; 3]> {
    prop::collection::vec((0..9_000_i64, -6..=6_i64, -1..4_i64), 50..1_500).prop_map(|steps| {
        let (mut at, mut bid) = (START.0, 138_000_000);
        let mut columns: [Vec<i64>; 3] = Default::default();
        for (gap, step, spread) in steps {
            at += if gap > 8_990 { 3_600_000 * 7 } else { gap };
            bid += step * 1_000 * if step.abs() == 6 { 5 } else { 1 };
            columns[0].push(at);
            columns[1].push(bid);
            columns[2].push(bid + spread * 1_000);
        }
        columns
    })
}

fn rules() -> impl Strategy<Value = Option<(&'static str, &'static str)>> {
    prop::sample::select(vec![
        None,
        Some(("floor", "9990")),
        Some(("daily-floor", "9995")),
        Some(("daily-floor", "9999")),
        Some(("mute", "")),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn runs_and_steps_agree_on_ticks(
        columns in ticks(),
        seed: u32,
        every in 1..40_u64,
        faulty: bool,
        name in prop::sample::select(vec!["dice-bars", "dice-ticks", "dice-both"]),
        timeframe in prop::sample::select(vec![Timeframe::M1, Timeframe::M5]),
        rule in rules(),
    ) {
        let [at, bid, ask] = &columns;
        let recording = Recording::Ticks(TickRun { at, bid, ask });
        let setup = setup(name, &format!("{seed} {every}{}", if faulty { "!" } else { "" }), timeframe, rule);
        let (stepped, a) = go(&setup, recording, Pace::Steps);
        let (ran, b) = go(&setup, recording, Pace::Runs);
        prop_assert_eq!(&stepped, &ran);
        prop_assert_eq!(&a, &b);
        for pace in [Pace::Runs, Pace::Steps] {
            let (quick, c) = go_quick(&setup, recording, pace);
            prop_assert_eq!(&stepped, &quick);
            prop_assert_eq!(&a, &c);
        }
        books_balance(&ran);
    }

    #[test]
    fn runs_and_steps_agree_on_orders_of_every_kind(
        columns in ticks(),
        seed: u32,
        every in 1..12_u64,
        name in prop::sample::select(vec!["clerk-bars", "clerk-ticks", "clerk-both"]),
        timeframe in prop::sample::select(vec![Timeframe::M1, Timeframe::M5]),
        rule in rules(),
        (venue, mode) in any_setup(),
    ) {
        let [at, bid, ask] = &columns;
        let recording = Recording::Ticks(TickRun { at, bid, ask });
        let mut setup = setup(name, &format!("{seed} {every}"), timeframe, rule);
        (setup.venue, setup.terms.mode) = (venue, mode);
        let (stepped, a) = go(&setup, recording, Pace::Steps);
        let (ran, b) = go(&setup, recording, Pace::Runs);
        prop_assert_eq!(&stepped, &ran);
        prop_assert_eq!(&a, &b);
        for pace in [Pace::Runs, Pace::Steps] {
            let (quick, c) = go_quick(&setup, recording, pace);
            prop_assert_eq!(&stepped, &quick);
            prop_assert_eq!(&a, &c);
        }
    }

    #[test]
    fn runs_and_steps_agree_on_minutes(columns in ticks(), seed: u32, every in 1..10_u64, rule in rules(), timeframe in prop::sample::select(vec![Timeframe::M1, Timeframe::M15])) {
        let bars = minutes(&columns);
        let [open_at, open, high, low, close, spread, volume] = &bars;
        let recording = Recording::Minutes(BarRun { open_at, open, high, low, close, spread, volume });
        let setup = setup("dice-bars", &format!("{seed} {every}"), timeframe, rule);
        let (stepped, a) = go(&setup, recording, Pace::Steps);
        let (ran, b) = go(&setup, recording, Pace::Runs);
        prop_assert_eq!(&stepped, &ran);
        prop_assert_eq!(&a, &b);
        prop_assert_eq!((stepped, a), go_quick(&setup, recording, Pace::Runs));
    }
}

/// Four ticks at a time as a minute bar.
fn minutes(ticks: &[Vec<i64>; 3]) -> [Vec<i64>; 7] {
    let mut bars: [Vec<i64>; 7] = Default::default();
    for (index, bids) in ticks[1].chunks_exact(4).enumerate() {
        let gap = if index % 50 == 49 { 5 } else { 0 };
        let at = START.0 + (index as i64 + gap) * 60_000;
        let row = [at, bids[0], *bids.iter().max().unwrap(), *bids.iter().min().unwrap(), bids[3], 1_000, 4];
        if bars[0].last().is_none_or(|last| at > *last) {
            bars.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
    }
    bars
}

/// Debits equal credits, and each fill's money is there once.
fn books_balance(records: &[Record]) {
    let (mut opened, mut closed, mut profits) = (0, 0, 0);
    for record in records {
        match record {
            Record::Moved(moved) => {
                let sum: i128 = moved.postings().iter().map(|p| i128::from(p.amount.units())).sum();
                assert_eq!(sum, 0);
                profits += usize::from(moved.kind() == marque_domain::ledger::TransactionKind::Profit);
            }
            Record::PositionOpened(_) => opened += 1,
            Record::PositionClosed(_) => closed += 1,
            _ => {}
        }
    }
    assert!(closed <= opened);
    assert_eq!(profits, closed);
}

#[test]
fn a_gap_through_the_stop_fills_at_the_first_price() {
    // A strategy that opens at its first bar, and a market that then falls off a cliff.
    let mut found = false;
    for seed in 0..200 {
        let mut columns: [Vec<i64>; 3] = Default::default();
        for index in 0..40_i64 {
            let bid = if index < 20 { 138_000_000 } else { 137_000_000 };
            columns[0].push(START.0 + index * 20_000);
            columns[1].push(bid);
            columns[2].push(bid + 1_000);
        }
        let [at, bid, ask] = &columns;
        let (records, _) = go(
            &setup("dice-bars", &format!("{seed} 1"), Timeframe::M1, None),
            Recording::Ticks(TickRun { at, bid, ask }),
            Pace::Runs,
        );
        for record in &records {
            let Record::PositionClosed(position) = record else { continue };
            let closed = position.closed.unwrap();
            if closed.origin == Origin::StopLoss {
                assert_eq!(closed.price.units(), 137_000_000, "not at the stop's own price");
                assert!(closed.profit < Money::ZERO);
                found = true;
            }
        }
        let exits =
            records.iter().filter(|r| matches!(r, Record::OrderPlaced(o) if o.state == OrderState::Filled)).count();
        let by_venue =
            |p: &Position| p.closed.is_some_and(|c| matches!(c.origin, Origin::StopLoss | Origin::TakeProfit));
        let stopped = records.iter().filter(|r| matches!(r, Record::PositionClosed(p) if by_venue(p))).count();
        assert_eq!(exits, stopped, "each exit has its order");
    }
    assert!(found, "no seed had a long position with a stop: the test tests nothing");
}

/// Quotes of four days that rise and fall, a quote a minute.
fn waves() -> [Vec<i64>; 3] {
    let mut columns: [Vec<i64>; 3] = Default::default();
    for minute in 0..4 * 24 * 60_i64 {
        let bid = 138_000_000 + (minute * 37 % 101) * 1_000 - (minute * 11 % 263) * 1_000;
        columns[0].push(START.0 + minute * 60_000);
        columns[1].push(bid);
        columns[2].push(bid + 2_000);
    }
    columns
}

#[test]
fn who_watches_hears_how_far_it_is_and_can_end_it() {
    let [at, bid, ask] = &waves();
    let recording = || Recording::Ticks(TickRun { at, bid, ask });
    let setup = setup("dice-bars", "7 3", Timeframe::M5, None);
    for pace in [Pace::Steps, Pace::Runs] {
        let mut heard = Vec::new();
        let mut watch = |progress: backtest::Progress| {
            heard.push(progress.done);
            if heard.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let host = Arc::new(NativeHost);
        let ended =
            backtest::run_watched(&setup, recording(), pace, host, &mut Journal::default(), &mut watch).unwrap_err();
        assert!(matches!(ended, backtest::BacktestError::Cancelled), "{pace:?}: {ended}");
        assert!(heard.len() == 2 && heard[0] == 0 && heard[1] > 0, "{pace:?}: {heard:?}");
        // However long a strategy takes, whoever does not want the rest need not wait for thousands of its calls.
        assert!(pace == Pace::Runs || heard[1] <= 256, "{pace:?}: {heard:?}");
    }
}

#[test]
fn what_is_kept_of_a_test_adds_up() {
    let [at, bid, ask] = &waves();
    let recording = || Recording::Ticks(TickRun { at, bid, ask });
    for (name, mode) in [("clerk-bars", PositionMode::Hedging), ("clerk-bars", PositionMode::Netting)] {
        let mut setup = setup(name, "11 4", Timeframe::M5, None);
        setup.terms.mode = mode;
        let mut recorder = backtest::Recorder::default();
        let host = Arc::new(NativeHost);
        let summary = backtest::run(&setup, recording(), Pace::Runs, host, &mut recorder).unwrap();
        let outcome = recorder.outcome(setup.terms.initial_balance, summary.clone());
        // The balance is what was put in, what closed trades earned, and what open ones have cost so far.
        let open = |t: &backtest::Trade| t.swap.saturating_sub(t.commission);
        let earned = outcome.trades.iter().map(|t| t.net().unwrap_or_else(|| open(t)));
        let partly = go(&setup, recording(), Pace::Runs).0.iter().fold(Money::ZERO, |sum, record| match record {
            Record::Moved(moved) => sum.saturating_add(moved.cash()),
            _ => sum,
        });
        assert_eq!(partly, outcome.balance, "the records say the same");
        let whole = earned.fold(outcome.initial, Money::saturating_add);
        let still: Money = outcome.trades.iter().filter(|t| t.closed.is_none()).fold(Money::ZERO, |sum, t| {
            let parts = go(&setup, recording(), Pace::Runs).0.into_iter().rev().find_map(|record| match record {
                Record::PositionChanged(p) | Record::PositionOpened(p) if p.id == t.position => Some(p.realised),
                _ => None,
            });
            sum.saturating_add(parts.unwrap_or(Money::ZERO))
        });
        assert_eq!(whole.saturating_add(still), outcome.balance, "{mode:?}");
        assert!(outcome.trades.len() > 5, "the test tests nothing: {}", outcome.trades.len());
        let days: Vec<_> = summary.days.iter().map(|(at, _)| (at.0 - START.0) / 86_400_000).collect();
        assert_eq!(days, [0, 1, 2, 3]);
        assert!(summary.days.iter().all(|(at, _)| (at.0 - START.0) % 86_400_000 == 86_340_000));
        assert_eq!(summary.days.last().map(|d| d.1), Some(outcome.equity));
    }
}

/// What a fixed test comes to, as numbers. When this differs, results differ: raise [`backtest::ENGINE_VERSION`] with it, or
/// certificates of the version before would be checked against other arithmetic.
#[test]
fn results_change_only_with_the_engines_version() {
    let [at, bid, ask] = &waves();
    let mut told = format!("engine {}\n", backtest::ENGINE_VERSION);
    let rule = Some(("daily-floor", "9990"));
    for (name, settings, rule) in
        [("dice-bars", "5 3", None), ("dice-ticks", "5 40", rule), ("clerk-bars", "11 4", None)]
    {
        let setup = setup(name, settings, Timeframe::M5, rule);
        let mut recorder = backtest::Recorder::default();
        let host = Arc::new(NativeHost);
        let recording = Recording::Ticks(TickRun { at, bid, ask });
        let summary = backtest::run(&setup, recording, Pace::Runs, host, &mut recorder).unwrap();
        let outcome = recorder.outcome(setup.terms.initial_balance, summary);
        // FNV-1a, 64 bits: a name for many bytes.
        let mut sum = 0xCBF2_9CE4_8422_2325_u64;
        outcome.canonical(|bytes| {
            bytes.iter().for_each(|b| sum = (sum ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01B3));
        });
        told += &format!("{name}: {} trades, equity {}, {sum:016x}\n", outcome.trades.len(), outcome.equity);
    }
    insta::assert_snapshot!(told);
}
