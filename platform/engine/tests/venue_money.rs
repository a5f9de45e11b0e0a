//! The cases of MONEY.md: conversion, margin and swap, each by its name.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountStatus, AccountTerms, MarginLevels},
    bar::Quote,
    calendar::CalendarId,
    decision::{Denial, Intent, Outcome},
    fixed::{Lots, Money, Price, SCALE, round_div},
    id::{AccountId, InstrumentId},
    instrument::{Currency, Instrument},
    kill::{Authority, Kill, KillMode, KillScope},
    ledger::{
        Transaction, TransactionKind,
        reconcile::{Claim, Reconciliation},
    },
    order::{Origin, Side},
    swap::{SwapTerms, TripleDay},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Shard,
    event::Record,
    venue::{SimulatedVenue, VenueModel},
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::sync::Arc;
use support::{Journal, NativeHost, NoHistory, instrument, terms};

const EURUSD: InstrumentId = InstrumentId(1);
const USDJPY: InstrumentId = InstrumentId(2);
const ACCOUNT: AccountId = AccountId(1);

/// 6 May 2014, 12:00 UTC: a Tuesday.
const TUESDAY: i64 = 1_399_377_600_000;
const HOUR: i64 = 3_600_000;

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// `EURUSD` with these points a night, and `USDJPY` without swap.
fn instruments(long: i64, short: i64) -> [Instrument; 2] {
    let swap = SwapTerms {
        long: Price::from_units(long),
        short: Price::from_units(short),
        zone: "America/New_York".parse().unwrap(),
        minute: 17 * 60,
        triple: TripleDay::Wednesday,
        holidays: vec![(12, 25), (1, 1)],
    };
    let euro = Instrument { swap: (long != 0 || short != 0).then_some(swap), ..instrument() };
    let yen = Instrument {
        id: USDJPY,
        symbol: "USDJPY".into(),
        quote: "JPY".parse().unwrap(),
        tick_size: price("0.001"),
        pip: price("0.01"),
        ..instrument()
    };
    [euro, yen]
}

struct Bench {
    desk: Desk<SimulatedVenue>,
    journal: Journal,
    at: i64,
}

impl Bench {
    fn new(currency: Currency, instruments: &[Instrument]) -> Self {
        Self::of(AccountTerms { currency, ..terms(vec![]) }, instruments)
    }

    fn of(terms: AccountTerms, instruments: &[Instrument]) -> Self {
        let shard = Shard::new(instruments, Arc::new(NativeHost), Box::new(NoHistory));
        let desk = Desk::new(shard, SimulatedVenue::with_model(VenueModel::default(), instruments));
        let mut bench = Self { desk, journal: Journal::default(), at: TUESDAY };
        bench.desk.command(Command::OpenAccount(terms), &mut bench.journal).unwrap().unwrap();
        bench
    }

    fn quote(&mut self, instrument: InstrumentId, bid: &str, ask: &str) {
        self.at += 1_000;
        let (at, bid, ask) = (Millis(self.at), price(bid), price(ask));
        self.desk.quote(&Quote { instrument, at, bid, ask }, &mut self.journal).unwrap();
    }

    fn trade(&mut self, instrument: InstrumentId, side: Side, lots: &str) -> Outcome {
        self.want(support::open(instrument, side, lots.parse().unwrap()))
    }

    fn want(&mut self, intent: Intent) -> Outcome {
        self.desk.command(Command::Want { account: ACCOUNT, intent }, &mut self.journal).unwrap().unwrap();
        let decided =
            self.journal.records.iter().rev().find_map(|r| if let Record::Decided(d) = r { Some(d) } else { None });
        decided.unwrap().outcome.clone()
    }

    fn close_all(&mut self) {
        let open: Vec<_> = self.account().positions.iter().map(|p| p.id).collect();
        for position in open {
            let intent = support::close(position);
            self.desk.command(Command::Want { account: ACCOUNT, intent }, &mut self.journal).unwrap().unwrap();
        }
    }

    fn account(&self) -> &marque_engine::state::AccountState {
        &self.desk.shard().state().accounts[&ACCOUNT]
    }

    fn moved(&self, kind: TransactionKind) -> Vec<&Transaction> {
        let moved = self.journal.records.iter().filter_map(|r| if let Record::Moved(m) = r { Some(m) } else { None });
        moved.filter(|m| m.kind() == kind).collect()
    }

    fn calls(&self) -> Vec<bool> {
        let called = self.journal.records.iter().filter_map(|r| match r {
            Record::MarginCalled { called, .. } => Some(*called),
            _ => None,
        });
        called.collect()
    }
}

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
fn margin_binds_in_the_accounts_currency() {
    let mut bench = Bench::new(Currency::USD, &instruments(0, 0));
    bench.quote(USDJPY, "100.000", "100.000");
    // 60 lots are 6 million dollars, whatever the yen is worth: at leverage 100 that binds 60,000.
    assert!(matches!(bench.trade(USDJPY, Side::Buy, "60"), Outcome::Approved { .. }));
    assert_eq!(bench.desk.shard().free(ACCOUNT), Some(Money::whole(40_000)));
    let denied = Outcome::Denied(Denial::MarginTooSmall { needed: Money::whole(50_000), free: Money::whole(40_000) });
    assert_eq!(bench.trade(USDJPY, Side::Buy, "50"), denied);
    assert!(matches!(bench.trade(USDJPY, Side::Buy, "40"), Outcome::Approved { .. }));
    assert_eq!(bench.desk.shard().free(ACCOUNT), Some(Money::ZERO));
}

#[test]
fn a_margin_call_comes_once_until_the_level_recovers() {
    let mut bench = Bench::new(Currency::USD, &instruments(0, 0));
    bench.quote(EURUSD, "1.00000", "1.00000");
    // 90 lots bind 90,000 of 100,000.
    bench.trade(EURUSD, Side::Buy, "90");
    for (bid, calls) in [
        ("0.99900", &[][..]), // 91,000: 101 %
        ("0.99880", &[true]), // 89,200
        ("0.99870", &[true]),
        ("0.99900", &[true]), // above 100 %, not yet calm
        ("0.99880", &[true]),
        ("0.99990", &[true, false]), // 99,100: 110 %
        ("0.99800", &[true, false, true]),
    ] {
        bench.quote(EURUSD, bid, bid);
        assert_eq!(bench.calls(), calls, "at {bid}");
    }
    assert_eq!(bench.account().positions.len(), 1, "a call closes nothing");
}

#[test]
fn a_stop_out_closes_the_largest_loser_first_until_above_the_level() {
    let mut bench = Bench::new(Currency::USD, &instruments(0, 0));
    bench.quote(EURUSD, "1.00000", "1.00000");
    bench.trade(EURUSD, Side::Buy, "20");
    bench.trade(EURUSD, Side::Buy, "50");
    bench.trade(EURUSD, Side::Buy, "10");
    let [small, large, least] = [0, 1, 2].map(|n| bench.account().positions[n].id);
    // 80,000 bind; at 40,000 of equity the large one goes, and what is left is above half.
    bench.quote(EURUSD, "0.99300", "0.99300");
    assert_eq!(bench.account().positions.len(), 3, "44,000 is above half of 80,000");
    bench.quote(EURUSD, "0.99250", "0.99250");
    let open: Vec<_> = bench.account().positions.iter().map(|p| p.id).collect();
    assert_eq!(open, [small, least], "40,000 is not");
    let closed = bench.journal.records.iter().find_map(|r| match r {
        Record::PositionClosed(p) => Some((p.id, p.closed.unwrap().origin)),
        _ => None,
    });
    assert_eq!(closed, Some((large, Origin::StopOut)));
    // On it goes: 30,000 bind now and 40,000 is there; at 15,000 the next.
    bench.quote(EURUSD, "0.98400", "0.98400");
    assert_eq!(bench.account().positions.iter().map(|p| p.id).collect::<Vec<_>>(), [least]);
}

const BTCUSD: InstrumentId = InstrumentId(3);

/// One lot of each market: `EURUSD` closes for the weekend, `BTCUSD` does not. 2,300 of 10,000 are bound.
fn over_a_weekend() -> Bench {
    let euro = Instrument { calendar: CalendarId::Forex, ..instrument() };
    let coin = Instrument { id: BTCUSD, symbol: "BTCUSD".into(), contract_size: 1, ..instrument() };
    let terms = AccountTerms { initial_balance: Money::whole(10_000), ..terms(vec![]) };
    let mut bench = Bench::of(terms, &[euro, coin]);
    bench.quote(EURUSD, "1.10000", "1.10000");
    bench.quote(BTCUSD, "60000", "60000");
    assert!(matches!(bench.trade(EURUSD, Side::Buy, "1"), Outcome::Approved { .. }));
    assert!(matches!(bench.trade(BTCUSD, Side::Buy, "2"), Outcome::Approved { .. }));
    bench
}

/// What waits for a market to open brings no money back today: it must not keep the venue from closing what it can. Nor must
/// what waits for the next quote of a market in which nobody quotes.
#[test]
fn a_market_that_does_not_trade_holds_up_no_stop_out() {
    let weekend = 4 * 24 * HOUR;
    for (friday, saturday, later, reduces) in [
        ("1.10000", "55500", weekend, true),
        ("1.03500", "58700", weekend, false),
        ("1.10000", "55500", 61_000, true),
        ("1.03500", "58700", 61_000, false),
    ] {
        let mut bench = over_a_weekend();
        let [euro, coin] = [0, 1].map(|n| bench.account().positions[n].id);
        bench.quote(EURUSD, friday, friday);
        bench.at += later;
        bench.quote(BTCUSD, "60000", "60000");
        if reduces {
            let intent = Intent::Reduce { position: euro, lots: "0.01".parse().unwrap() };
            assert!(matches!(bench.want(intent), Outcome::Approved { .. }), "it waits for the next quote");
        }
        // Half of 2,300 is 1,150: 1,000 and 900 are left.
        bench.quote(BTCUSD, saturday, saturday);
        let closed = bench.journal.records.iter().find_map(|r| match r {
            Record::PositionClosed(p) => Some((p.id, p.closed.unwrap().origin)),
            _ => None,
        });
        assert_eq!(closed, Some((coin, Origin::StopOut)), "{friday} {later}");
        assert_eq!(bench.account().positions.len(), 1, "and what is left is above the level");
    }
}

/// What a switch wants closed waits for the market only; its owner cannot call it off meanwhile. Their own close they can.
#[test]
fn a_close_that_was_not_asked_for_by_its_owner_is_not_theirs_to_cancel() {
    let mut bench = over_a_weekend();
    let euro = bench.account().positions[0].id;
    bench.at = TUESDAY + 4 * 24 * HOUR;
    bench.quote(BTCUSD, "60000", "60000");
    let waiting = |bench: &Bench| bench.account().orders.iter().find(|o| o.purpose.closes(euro)).map(|o| o.id);
    assert!(matches!(bench.want(Intent::Close { position: euro }), Outcome::Approved { .. }));
    let order = waiting(&bench).unwrap();
    assert!(matches!(bench.want(Intent::Cancel { order }), Outcome::Approved { .. }));
    let (by, reason) = ("risk@x.example".to_owned(), "a test".to_owned());
    let (scope, mode, authority) = (KillScope::Tenant, KillMode::Close, Authority::Broker);
    let kill = Kill { scope, mode, authority, by, reason, at: Millis(0) };
    bench.desk.command(Command::Kill(kill), &mut bench.journal).unwrap().unwrap();
    let order = waiting(&bench).unwrap();
    let Outcome::Denied(denial) = bench.want(Intent::Cancel { order }) else { panic!("it was called off") };
    assert_eq!(denial.code(), "close_required");
    // Sunday evening.
    bench.at = TUESDAY + 6 * 24 * HOUR;
    bench.quote(EURUSD, "1.10000", "1.10000");
    assert_eq!(bench.account().positions.len(), 0);
}

#[test]
fn margin_levels_are_the_accounts_own() {
    let margin = MarginLevels { call_bp: 8_000, calm_bp: 9_000, stop_out_bp: 2_000 };
    let mut bench = Bench::of(AccountTerms { margin, ..terms(vec![]) }, &instruments(0, 0));
    bench.quote(EURUSD, "1.00000", "1.00000");
    // 90 lots bind 90,000 of 100,000.
    bench.trade(EURUSD, Side::Buy, "90");
    for (bid, calls, open) in [
        ("0.99700", &[][..], 1), // 73,000: 81 %
        ("0.99680", &[true], 1), // 71,200: 79 %
        ("0.99700", &[true], 1),
        ("0.99800", &[true, false], 1),       // 82,000: 91 %
        ("0.99101", &[true, false, true], 1), // 19,090: 21 %
        ("0.99089", &[true, false, true], 1), // 18,010: above 20 %
    ] {
        bench.quote(EURUSD, bid, bid);
        assert_eq!((bench.calls().as_slice(), bench.account().positions.len()), (calls, open), "at {bid}");
    }
    bench.quote(EURUSD, "0.99088", "0.99088");
    assert_eq!(bench.account().positions.len(), 0, "17,920 is less than a fifth");
}

#[test]
fn a_gap_may_leave_a_negative_balance() {
    let mut bench = Bench::new(Currency::USD, &instruments(0, 0));
    bench.quote(EURUSD, "1.00000", "1.00000");
    bench.trade(EURUSD, Side::Buy, "90");
    bench.quote(EURUSD, "0.98000", "0.98000");
    assert!(bench.account().positions.is_empty());
    assert_eq!(bench.account().balance, Money::whole(-80_000));
    assert_eq!(audit(&bench).faults, []);
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

fn audit(bench: &Bench) -> marque_domain::ledger::reconcile::LedgerAudit {
    let mut sum = Reconciliation::default();
    for record in &bench.journal.records {
        if let Record::Moved(moved) = record {
            sum.take_transaction(moved);
        }
    }
    let account = bench.account();
    sum.finish([Claim { account: ACCOUNT, currency: account.terms.currency, balance: account.balance }])
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
