use super::*;
use marque_plugin::{
    DayAnchor, Exposure, Instrument, Lots, Money, Price, Side,
    testing::{Known, set_known},
};

/// Friday 2014-05-02, 12:30 UTC.
const PAYROLLS: i64 = 1_399_033_800_000;
const SECOND: i64 = 1_000;

/// FTMO on funded accounts: two minutes on each side.
fn ftmo() -> NewsWindow {
    rule("fail", true)
}

fn rule(on_breach: &str, closing_counts: bool) -> NewsWindow {
    let settings = format!(
        r#"{{"events":"2014-05-02T12:30Z USD Non-farm payrolls\n\n2014-05-08T11:45Z EUR ECB rate decision",
            "minutes_before":2,"minutes_after":2,"closing_counts":{closing_counts},"on_breach":"{on_breach}"}}"#
    );
    marque_plugin::run::start_rule(&settings).unwrap()
}

fn instrument(symbol: &str) -> Instrument {
    Instrument {
        symbol: symbol.to_owned(),
        tick_size: Price::from_units(1_000),
        pip: Price::from_units(10_000),
        lot_step: Lots::from_units(1_000_000),
        lot_max: Lots::whole(50),
        contract_size: 100_000,
        quote_currency: "JPY".to_owned(),
    }
}

/// An account with a position in EURUSD (1), and these fills; 2 is EURJPY.
fn account(now: i64, fills: &[(i64, u32, bool)]) -> Account {
    let fill = |(at, instrument, opening): &(i64, u32, bool)| Execution {
        at: *at,
        instrument: *instrument,
        opening: *opening,
    };
    set_known(Known {
        executions: fills.iter().map(fill).collect(),
        instruments: vec![(1, instrument("EURUSD")), (2, instrument("EURJPY"))],
        ..Known::default()
    });
    let balance = Money::whole(100_000);
    let day = DayAnchor { began_at: 0, next_at: i64::MAX, balance, equity: balance, peak_equity: balance };
    let held = Exposure { instrument: 1, side: Side::Buy, lots: Lots::whole(1), profit: Money::ZERO };
    Account { now, initial_balance: balance, balance, equity: balance, day, positions: vec![held] }
}

fn order(instrument: u32) -> Order {
    Order {
        instrument,
        side: Side::Buy,
        lots: Lots::whole(1),
        price: Price::whole(1),
        stop_loss: None,
        risk: None,
        value_per_point: Money::ZERO,
    }
}

#[test]
fn ftmo_funded_refuses_orders_two_minutes_on_each_side_of_targeted_instruments() {
    for (at, instrument, refused) in [
        (PAYROLLS - 120 * SECOND - 1, 1, false),
        (PAYROLLS - 120 * SECOND, 1, true),
        (PAYROLLS, 1, true),
        (PAYROLLS + 120 * SECOND, 1, true),
        (PAYROLLS + 120 * SECOND + 1, 1, false),
        // The dollar's news does not target EURJPY; an instrument that nobody knows is refused.
        (PAYROLLS, 2, false),
        (PAYROLLS, 9, true),
    ] {
        let told = ftmo().check(&order(instrument), &account(at, &[]));
        assert_eq!(matches!(told, Verdict::Refuse(_)), refused, "{at} {instrument}: {told:?}");
    }
    let told = ftmo().check(&order(1), &account(PAYROLLS, &[]));
    assert_eq!(told, Verdict::Refuse("Non-farm payrolls is due now. Try again in 3 min.".to_owned()));
}

#[test]
fn opening_or_closing_within_the_window_breaches_including_stops_and_triggered_orders() {
    for (at, opening) in [(PAYROLLS - 119 * SECOND, true), (PAYROLLS, false), (PAYROLLS + 120 * SECOND, false)] {
        let told = ftmo().assess(&account(PAYROLLS + 300 * SECOND, &[(at, 1, opening)]));
        assert_eq!(told.standing, Standing::Fail, "{at} {opening}");
        assert!(told.reason.contains("Non-farm payrolls"), "{}", told.reason);
    }
    let elsewhere = [(PAYROLLS, 2, true), (PAYROLLS - 121 * SECOND, 1, true), (PAYROLLS + 121 * SECOND, 1, false)];
    assert_eq!(ftmo().assess(&account(PAYROLLS + 300 * SECOND, &elsewhere)), Assessment::OK);
}

#[test]
fn holding_an_older_position_through_the_news_is_fine() {
    assert_eq!(ftmo().assess(&account(PAYROLLS, &[(PAYROLLS - 3_600 * SECOND, 1, true)])), Assessment::OK);
}

#[test]
fn closing_may_be_allowed_and_a_breach_may_be_a_warning() {
    let closed = [(PAYROLLS, 1, false)];
    assert_eq!(rule("fail", false).assess(&account(PAYROLLS, &closed)), Assessment::OK);
    assert_eq!(rule("warn", true).assess(&account(PAYROLLS, &closed)).standing, Standing::Warn);
}
