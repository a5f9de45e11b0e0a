//! The cases of MONEY.md that are about margin, each by its name: what it binds, the call, the stop-out.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountTerms, MarginLevels},
    calendar::CalendarId,
    decision::{Denial, Intent, Outcome},
    fixed::Money,
    id::InstrumentId,
    instrument::{Currency, Instrument},
    kill::{Authority, Kill, KillMode, KillScope},
    order::{Origin, Side},
    time::Millis,
};
use marque_engine::{Command, event::Record};
use support::{
    exchange::{ACCOUNT, Bench, EURUSD, HOUR, TUESDAY, USDJPY, audit, instruments},
    instrument, terms,
};

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
