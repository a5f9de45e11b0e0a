use super::*;
use marque_plugin::{Action, Instrument, Origin, testing, testing::Trial};

const SETTINGS: &str = r#"{"lots":1,"from_hour":8,"session_hours":2,"range_minutes":15,"buffer_pips":1,"fast_atr":2,
    "slow_atr":10,"stop_atr":2,"reward":2}"#;

fn gold() -> Instrument {
    Instrument {
        symbol: "XAUUSD".to_owned(),
        tick_size: "0.01".parse().unwrap(),
        pip: "0.1".parse().unwrap(),
        lot_max: Lots::whole(50),
        contract_size: 100,
        ..testing::instrument()
    }
}

/// A five-minute bar whose range is so many tenths, around so many tenths above 1300.
fn bar(at: i64, middle: i64, range: i64) -> Bar {
    let price = |tenths: i64| Price::from_units(130_000_000_000 + tenths * 10_000_000);
    let (high, low, close) = (price(middle + range / 2), price(middle - range / 2), price(middle));
    Bar { open_at: at, open: close, high, low, close, spread: Price::from_units(20_000_000), volume: 1 }
}

/// It has seen an hour and a half of bars with a range of ten, and then the first quarter of an hour of the session with
/// this range.
fn at_the_end_of_the_range(settings: &str, range: i64) -> (Trial<SubmarineGold>, i64) {
    let mut trial = Trial::start(settings, gold(), 5 * MINUTE_MS).unwrap();
    let began = 8 * HOUR_MS;
    (-18..0).for_each(|n| trial.bar(&bar(began + n * 5 * MINUTE_MS, 0, 10)));
    assert_eq!(trial.take_wishes(), []);
    (0..3).for_each(|n| trial.bar(&bar(began + n * 5 * MINUTE_MS, 0, range)));
    (trial, began + 15 * MINUTE_MS)
}

#[test]
fn it_places_a_pair_around_the_opening_range() {
    let (mut trial, _) = at_the_end_of_the_range(SETTINGS, 10);
    let wishes = trial.take_wishes();
    let [Action::Place(buy), Action::Place(sell)] = wishes[..] else { panic!("{wishes:?}") };
    let price = |text: &str| text.parse::<Price>().unwrap();
    // The range is 1299.5 to 1300.5, a buffer of a tenth and a spread of two on the buying side; the average range is 1.
    assert_eq!((buy.side, buy.kind), (Side::Buy, OrderKind::Stop { price: price("1300.8") }));
    assert_eq!((buy.levels.stop_loss, buy.levels.take_profit), (Some(price("1298.8")), Some(price("1304.8"))));
    assert_eq!((sell.side, sell.kind), (Side::Sell, OrderKind::Stop { price: price("1299.4") }));
    assert_eq!(sell.oco, Some(trial.orders()[0].id));
    assert_eq!(buy.time_in_force, TimeInForce::Gtd(10 * HOUR_MS));
}

#[test]
fn it_stays_below_when_the_market_is_dead_or_wild_or_the_range_too_wide() {
    for (range, wider) in [(2, ""), (200, ""), (10, r#","range_atr":0.5"#), (10, r#","max_spread_pips":1"#)] {
        let settings = SETTINGS.replace('}', &format!("{wider}}}"));
        let (mut trial, at) = at_the_end_of_the_range(&settings, range);
        assert_eq!(trial.take_wishes(), [], "{range} {wider}");
        // One range a session: later it does not try again.
        trial.bar(&bar(at, 0, 10));
        assert_eq!(trial.take_wishes(), []);
    }
}

#[test]
fn a_storm_withdraws_what_waits() {
    let (mut trial, at) = at_the_end_of_the_range(SETTINGS, 10);
    trial.take_wishes();
    trial.bar(&bar(at, 0, 200));
    let ids: Vec<i64> =
        trial.take_wishes().iter().map(|w| if let Action::Cancel { order } = w { *order } else { 0 }).collect();
    assert_eq!((ids.len(), trial.orders().len()), (2, 0));
}

#[test]
fn a_position_that_is_ahead_is_followed_once_and_closed_at_the_end() {
    let (mut trial, at) = at_the_end_of_the_range(SETTINGS, 10);
    let first = trial.orders()[0].id;
    trial.fill(first);
    trial.expire(trial.orders()[0].id);
    trial.take_wishes();
    // Two above its entry at 1300.8 is its risk.
    trial.bar(&bar(at, 27, 10));
    assert_eq!(trial.take_wishes(), []);
    trial.bar(&bar(at + 5 * MINUTE_MS, 28, 10));
    let risk: Price = "2".parse().unwrap();
    let levels = Levels { stop_loss: None, take_profit: Some("1304.8".parse().unwrap()), trail: Some(Trail::by(risk)) };
    assert_eq!(trial.take_wishes(), [Action::Protect { position: first, levels }]);
    trial.bar(&bar(at + 10 * MINUTE_MS, 30, 10));
    assert_eq!(trial.take_wishes(), []);
    trial.bar(&bar(10 * HOUR_MS, 30, 10));
    assert_eq!(trial.take_wishes(), [Action::Close { position: first }]);
    // A stopped one is nothing to close.
    let (mut trial, _) = at_the_end_of_the_range(SETTINGS, 10);
    let first = trial.orders()[0].id;
    trial.fill(first);
    trial.exit(first, Origin::StopLoss, "1298.8".parse().unwrap());
    trial.expire(trial.orders()[0].id);
    trial.take_wishes();
    trial.bar(&bar(10 * HOUR_MS, 30, 10));
    assert_eq!(trial.take_wishes(), []);
}

#[test]
fn a_session_may_go_past_midnight_and_is_not_entered_in_the_middle() {
    let settings = SETTINGS.replace("\"from_hour\":8", "\"from_hour\":23");
    let trial: Trial<SubmarineGold> = Trial::start(&settings, gold(), 5 * MINUTE_MS).unwrap();
    let strategy = trial.runner().strategy();
    let hours = [22, 23, 24, 25].map(|hour| strategy.session_of(hour * HOUR_MS));
    assert_eq!(hours, [None, Some(23 * HOUR_MS), Some(23 * HOUR_MS), None]);

    let mut late = Trial::<SubmarineGold>::start(SETTINGS, gold(), 5 * MINUTE_MS).unwrap();
    (4..40).for_each(|n| late.bar(&bar(8 * HOUR_MS + n * 5 * MINUTE_MS, 0, 10)));
    assert_eq!(late.take_wishes(), []);
}

#[test]
fn settings_that_contradict_each_other_are_told() {
    let refused = |from: &str, to: &str, timeframe_ms| {
        let settings = SETTINGS.replace(from, to);
        Trial::<SubmarineGold>::start(&settings, gold(), timeframe_ms).map(drop).unwrap_err()
    };
    assert!(refused("\"slow_atr\":10", "\"slow_atr\":5,\"fast_atr\":5", MINUTE_MS).contains("duplicate field"));
    assert!(refused("\"fast_atr\":2", "\"fast_atr\":10", MINUTE_MS).contains("fewer bars"));
    assert!(refused("\"lots\":1", "\"lots\":1,\"calm\":3", MINUTE_MS).contains("Calm must end"));
    assert!(refused("", "", 4 * HOUR_MS).contains("at most an hour"));
}
