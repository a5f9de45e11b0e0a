//! The cases of MONEY.md that are about conversion and swap, each by its name. Those about margin are in `venue_margin.rs`.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountStatus, AccountTerms},
    decision::{Denial, Outcome},
    fixed::{Lots, Money, Price, SCALE, round_div},
    id::InstrumentId,
    instrument::Currency,
    ledger::TransactionKind,
    order::Side,
    time::Millis,
};
use marque_engine::{Desk, Shard, venue::SimulatedVenue};
use proptest::{collection::vec, prelude::*, sample::select};
use std::sync::Arc;
use support::{
    NativeHost, NoHistory,
    exchange::{ACCOUNT, Bench, EURUSD, HOUR, TUESDAY, USDJPY, audit, instruments, money},
    terms,
};

#[test]
fn profit_is_converted_at_the_middle_of_the_cross_rate() {
    let mut bench = Bench::new(Currency::EUR, &instruments(0, 0));
    bench.quote(EURUSD, "1.38000", "1.38002");
    assert!(matches!(bench.trade(EURUSD, Side::Buy, "1"), Outcome::Approved { .. }));
    bench.quote(EURUSD, "1.39000", "1.39002");
    // 998 USD at 1.39001, rounded once.
    let earned = money("717.98044618");
    let floating = bench.desk.shard().equity(ACCOUNT).unwrap().saturating_sub(bench.account().balance);
    assert_eq!(floating, earned);
    bench.close_all();
    assert_eq!(bench.account().balance, Money::whole(100_000).saturating_add(earned));

    // Yen become euros through the dollar: 100,000 JPY at 102.01 and 1.39001.
    bench.quote(USDJPY, "102.000", "102.020");
    bench.trade(USDJPY, Side::Buy, "1");
    bench.quote(USDJPY, "103.020", "103.040");
    let before = bench.account().balance;
    bench.close_all();
    // 100,000 JPY, and both rates of the close: 103.03 and 1.39001.
    assert_eq!(bench.account().balance.saturating_sub(before), money("698.26194774"));
}

#[test]
fn without_a_rate_nothing_is_opened() {
    let mut bench = Bench::new(Currency::EUR, &instruments(0, 0));
    bench.quote(USDJPY, "102.000", "102.020");
    let Outcome::Denied(denial) = bench.trade(USDJPY, Side::Buy, "1") else { panic!("without EURUSD") };
    assert_eq!(denial, Denial::NoConversionRate { from: "JPY".parse().unwrap(), to: Currency::EUR });
    bench.quote(EURUSD, "1.38000", "1.38002");
    assert!(matches!(bench.trade(USDJPY, Side::Buy, "1"), Outcome::Approved { .. }));
    // Old rates open nothing; what is open keeps them.
    bench.at += 120_000;
    bench.quote(USDJPY, "102.500", "102.520");
    assert!(matches!(bench.trade(USDJPY, Side::Buy, "1"), Outcome::Denied(Denial::NoConversionRate { .. })));
    assert!(bench.desk.shard().equity(ACCOUNT).unwrap() > bench.account().balance);
    bench.close_all();
    assert!(bench.account().positions.is_empty());
    // In dollars yen need no euro.
    let mut bench = Bench::new(Currency::USD, &instruments(0, 0));
    bench.quote(USDJPY, "102.000", "102.020");
    assert!(matches!(bench.trade(USDJPY, Side::Buy, "1"), Outcome::Approved { .. }));
}

#[test]
fn a_bad_tick_of_a_cross_rate_fails_nobody() {
    for (bid, ask, fails) in [("1.38000", "1.38002", false), ("0.69000", "0.69002", true)] {
        // It fails at 90 % of its best equity.
        let rules = vec![support::plugin("floor", "9000")];
        let mut bench = Bench::of(AccountTerms { currency: Currency::EUR, ..terms(rules) }, &instruments(0, 0));
        for _ in 0..70 {
            bench.quote(EURUSD, "1.38000", "1.38002");
            bench.quote(USDJPY, "102.000", "102.020");
        }
        assert!(matches!(bench.trade(USDJPY, Side::Buy, "10"), Outcome::Approved { .. }));
        // 820,000 yen are lost: 5,871 euros, and twice as many where the euro is worth half.
        bench.quote(USDJPY, "101.200", "101.220");
        bench.quote(USDJPY, "101.200", "101.220");
        assert_eq!(bench.account().status, AccountStatus::Active);
        bench.quote(EURUSD, "0.69000", "0.69002");
        let status = bench.account().status.clone();
        assert!(matches!(&status, AccountStatus::Held(reason) if reason.contains("confirmed")), "{status:?}");
        bench.quote(EURUSD, bid, ask);
        let status = bench.account().status.clone();
        assert_eq!(matches!(&status, AccountStatus::Failed(_)), fails, "{status:?}");
        assert_eq!(status == AccountStatus::Active, !fails, "{status:?}");
    }
}

/// The market that jumped may not quote again before Monday: what the others do to the account meanwhile counts.
#[test]
fn a_breach_that_other_prices_make_does_not_wait_for_the_one_that_jumped() {
    let rules = vec![support::plugin("floor", "9000")];
    let mut bench = Bench::of(AccountTerms { currency: Currency::EUR, ..terms(rules) }, &instruments(0, 0));
    for _ in 0..70 {
        bench.quote(EURUSD, "1.38000", "1.38002");
        bench.quote(USDJPY, "102.000", "102.020");
    }
    assert!(matches!(bench.trade(USDJPY, Side::Buy, "10"), Outcome::Approved { .. }));
    bench.quote(USDJPY, "101.200", "101.220");
    bench.quote(USDJPY, "101.200", "101.220");
    bench.quote(EURUSD, "0.69000", "0.69002");
    // At 1.38 these are 6,945 euros, 8,032, 9,133 and 10,228.
    for (bid, ask, fails) in [
        ("101.050", "101.070", false),
        ("100.900", "100.920", false),
        ("100.750", "100.770", false),
        ("100.600", "100.620", true),
    ] {
        bench.quote(USDJPY, bid, ask);
        let status = bench.account().status.clone();
        assert_eq!(matches!(&status, AccountStatus::Failed(_)), fails, "at {bid}: {status:?}");
        assert_eq!(matches!(&status, AccountStatus::Held(_)), !fails, "at {bid}: {status:?}");
    }
    assert!(bench.account().positions.is_empty());
}

#[test]
fn a_night_is_charged_at_the_rollover_to_what_was_open() {
    // -6.5 points and 1.2 points a night.
    let mut bench = Bench::new(Currency::USD, &instruments(-6_500, 1_200));
    bench.quote(EURUSD, "1.38000", "1.38000");
    bench.trade(EURUSD, Side::Buy, "2");
    bench.trade(EURUSD, Side::Sell, "1");
    // Tuesday 16:59:59 in New York; then past 17:00.
    bench.at = TUESDAY + 9 * HOUR - 2_000;
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 0);
    bench.quote(EURUSD, "1.38000", "1.38000");
    let swaps: Vec<_> = bench.moved(TransactionKind::Swap).iter().map(|m| (m.at(), m.cash())).collect();
    let at = Millis(TUESDAY + 9 * HOUR);
    assert_eq!(swaps, [(at, money("-13.00")), (at, money("1.20"))]);
    // Wednesday: three nights.
    bench.at += 24 * HOUR;
    bench.quote(EURUSD, "1.38000", "1.38000");
    let swaps: Vec<_> = bench.moved(TransactionKind::Swap).iter().skip(2).map(|m| m.cash()).collect();
    assert_eq!(swaps, [money("-39.00"), money("3.60")]);
    // A desk that was away for the weekend charges each night that passed.
    bench.at += 5 * 24 * HOUR;
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 4 + 2 * 3, "Thursday, Friday and Monday");
    assert_eq!(audit(&bench).faults, []);
}

#[test]
fn what_is_closed_before_the_rollover_pays_nothing() {
    let mut bench = Bench::new(Currency::USD, &instruments(-6_500, 1_200));
    bench.quote(EURUSD, "1.38000", "1.38000");
    bench.trade(EURUSD, Side::Buy, "2");
    bench.at = TUESDAY + 9 * HOUR - 2_000;
    bench.quote(EURUSD, "1.38000", "1.38000");
    bench.close_all();
    bench.quote(EURUSD, "1.38000", "1.38000");
    bench.trade(EURUSD, Side::Buy, "2");
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 0);
    bench.at += 24 * HOUR;
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 1);
}

#[test]
fn a_restart_charges_nothing_twice() {
    let mut bench = Bench::new(Currency::USD, &instruments(-6_500, 1_200));
    bench.quote(EURUSD, "1.38000", "1.38000");
    bench.trade(EURUSD, Side::Buy, "2");
    bench.at = TUESDAY + 9 * HOUR;
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 1);
    let (state, mark) = (bench.desk.shard().state().clone(), bench.desk.shard_mut().mark());
    let mut shard = Shard::new(&instruments(-6_500, 1_200), Arc::new(NativeHost), Box::new(NoHistory));
    shard.restore(state, mark);
    bench.desk = Desk::new(shard, SimulatedVenue::new(Money::ZERO));
    bench.desk.recover(&mut bench.journal).unwrap();
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 1, "what was charged");
    bench.at += 24 * HOUR;
    bench.quote(EURUSD, "1.38000", "1.38000");
    assert_eq!(bench.moved(TransactionKind::Swap).len(), 2, "and what was not");
}

#[derive(Debug, Clone)]
enum Step {
    Quote(InstrumentId, i64),
    Trade(InstrumentId, Side, i64),
    CloseAll,
    Hours(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let instrument = || select(vec![EURUSD, USDJPY]);
    prop_oneof![
        4 => (instrument(), -900_i64..900).prop_map(|(id, move_by)| Step::Quote(id, move_by)),
        3 => (instrument(), select(vec![Side::Buy, Side::Sell]), 1_i64..4_000).prop_map(|(id, side, lots)| Step::Trade(id, side, lots)),
        1 => Just(Step::CloseAll),
        1 => (1_i64..60).prop_map(Step::Hours),
    ]
}

proptest! {
    /// At every quote equity is the balance and what each position would bring, converted one by one from first
    /// principles; books balance through swaps, calls and stop-outs; the state is the fold of its records.
    #[test]
    fn equity_is_balance_and_floating_after_conversion(
        currency in select(vec!["EUR", "USD", "JPY"]), steps in vec(step(), 1..60),
    ) {
        let mut bench = Bench::new(currency.parse().unwrap(), &instruments(-6_500, 1_200));
        let (mut euro, mut yen) = (138_000_i64, 102_000_i64);
        bench.quote(EURUSD, "1.38", "1.38002");
        bench.quote(USDJPY, "102.00", "102.02");
        for step in &steps {
            match step {
                Step::Quote(EURUSD, by) => euro += by,
                Step::Quote(_, by) => yen += by,
                Step::Trade(id, side, lots) => {
                    bench.trade(*id, *side, &Lots::from_units(lots * 1_000_000).to_string());
                }
                Step::CloseAll => bench.close_all(),
                Step::Hours(hours) => bench.at += hours * HOUR,
            }
            let text = |units: i64, scale: i64| Price::from_units(units * scale).to_string();
            bench.quote(EURUSD, &text(euro, 1_000), &text(euro + 2, 1_000));
            bench.quote(USDJPY, &text(yen, 100_000), &text(yen + 20, 100_000));
            // (numerator, denominator) of each quote currency in the account's, from the middles.
            let (twice, mid_euro, mid_yen) =
                (2 * i128::from(SCALE), i128::from((2 * euro + 2) * 1_000), i128::from((2 * yen + 20) * 100_000));
            let rate = |quote: &str| match (quote, currency) {
                ("USD", "USD") | ("JPY", "JPY") => (1, 1),
                ("USD", "EUR") => (twice, mid_euro),
                ("USD", _) => (mid_yen, twice),
                ("JPY", "USD") => (twice, mid_yen),
                _ => (twice * twice, mid_yen * mid_euro),
            };
            let expected: i64 = bench.account().positions.iter().map(|p| {
                let (bid, ask, quote) = if p.instrument == EURUSD {
                    (euro * 1_000, (euro + 2) * 1_000, "USD")
                } else {
                    (yen * 100_000, (yen + 20) * 100_000, "JPY")
                };
                let open = p.open_price.units();
                let moved = if p.side == Side::Buy { bid - open } else { open - ask };
                let (numerator, denominator): (i128, i128) = rate(quote);
                let (mut common, mut rest) = (numerator, denominator);
                while rest != 0 {
                    (common, rest) = (rest, common % rest);
                }
                let (numerator, denominator) = (numerator / common, denominator / common);
                let product = i128::from(moved) * i128::from(p.lots.units()) * 100_000 * numerator;
                round_div(product, i128::from(SCALE) * denominator).unwrap()
            }).sum();
            let equity = bench.desk.shard().equity(ACCOUNT).unwrap();
            prop_assert_eq!(equity.units(), bench.account().balance.units() + expected, "in {}", currency);
        }
        prop_assert_eq!(audit(&bench).faults, vec![]);
        let mut folded = marque_engine::state::State::default();
        bench.journal.records.iter().for_each(|record| folded.apply(record));
        prop_assert_eq!(&folded, bench.desk.shard().state());
    }
}
