use super::*;
use marque_plugin::{Action, Origin, Price, testing, testing::Trial};

const SETTINGS: &str = r#"{"lots":1,"burst_pips":2,"window_ms":1000,"pullback_pips":1,"life_ms":2000,"stop_pips":3,
    "target_pips":4,"trail_pips":2,"hold_ms":10000,"max_spread_pips":1,"cooldown_ms":5000,"max_trades":2}"#;

fn trial() -> Trial<FerrariScalper> {
    Trial::start(SETTINGS, testing::instrument(), 60_000).unwrap()
}

/// A quote this many tenths of a pip above 1.1, with this spread in tenths.
fn quote(at: i64, tenths: i64, spread: i64) -> Tick {
    let price = |tenths: i64| Price::from_units(110_000_000 + tenths * 1_000);
    Tick { at, bid: price(tenths), ask: price(tenths + spread) }
}

/// A burst of two pips that ends at this time.
fn burst(trial: &mut Trial<FerrariScalper>, at: i64, up: bool) {
    let to = if up { 20 } else { -20 };
    trial.tick(&quote(at - 500, 0, 5));
    trial.tick(&quote(at, to, 5));
}

#[test]
fn a_burst_is_gone_with_at_a_better_price() {
    let price = |text: &str| text.parse::<Price>().unwrap();
    // Up to 1.1002 by 1.10025: a pip below the ask. Down to 1.0998: a pip above the bid.
    for (up, side, at, stop, target) in
        [(true, Side::Buy, "1.10015", "1.09985", "1.10055"), (false, Side::Sell, "1.0999", "1.1002", "1.0995")]
    {
        let mut trial = trial();
        burst(&mut trial, 1_000, up);
        let levels = Levels {
            stop_loss: Some(price(stop)),
            take_profit: Some(price(target)),
            trail: Some(Trail::by(price("0.0002"))),
        };
        let ticket = Ticket::new(side, Lots::whole(1), OrderKind::Limit { price: price(at) });
        let ticket = ticket.good(TimeInForce::Gtd(3_000)).guarded(levels);
        assert_eq!(trial.take_wishes(), [Action::Place(ticket)]);
    }
}

#[test]
fn slow_moves_wide_spreads_and_gaps_are_left_alone() {
    let cases: [(&str, [Tick; 3]); 3] = [
        ("slow", [quote(0, 0, 5), quote(1_001, 10, 5), quote(2_002, 20, 5)]),
        ("wide", [quote(0, 0, 11), quote(200, 10, 11), quote(400, 20, 11)]),
        ("gap", [quote(0, 0, 5), quote(60_000, 50, 5), quote(120_000, 90, 5)]),
    ];
    for (case, ticks) in cases {
        let mut trial = trial();
        ticks.iter().for_each(|tick| trial.tick(tick));
        assert_eq!(trial.take_wishes(), [], "{case}");
    }
}

#[test]
fn one_at_a_time_with_a_rest_between_and_so_many_a_day() {
    let mut trial = trial();
    burst(&mut trial, 1_000, true);
    burst(&mut trial, 2_000, true);
    assert_eq!(trial.take_wishes().len(), 1, "an order waits");
    let order = trial.orders()[0].id;
    trial.expire(order);
    burst(&mut trial, 4_000, true);
    assert_eq!(trial.take_wishes().len(), 0, "it rests");
    let mut at = 10_000;
    for trade in 1..=3 {
        burst(&mut trial, at, true);
        assert_eq!(trial.take_wishes().len(), usize::from(trade <= 2), "trade {trade}");
        if let Some(order) = trial.orders().first().map(|order| order.id) {
            trial.fill(order);
            burst(&mut trial, at + 1_000, true);
            assert_eq!(trial.take_wishes(), [], "a position is open");
            trial.exit(order, Origin::TakeProfit, Price::whole(1));
        }
        at += 20_000;
    }
    burst(&mut trial, DAY_MS + 1_000, true);
    assert_eq!(trial.take_wishes().len(), 1, "another day");
}

#[test]
fn a_position_is_not_held_for_longer_than_said() {
    let mut trial = trial();
    burst(&mut trial, 1_000, true);
    let order = trial.orders()[0].id;
    trial.fill(order);
    trial.take_wishes();
    trial.tick(&quote(10_999, 20, 5));
    assert_eq!(trial.take_wishes(), []);
    trial.tick(&quote(11_000, 20, 5));
    assert_eq!(trial.take_wishes(), [Action::Close { position: order }]);
}

#[test]
fn a_trail_beyond_the_stop_is_refused() {
    let settings = SETTINGS.replace("\"trail_pips\":2", "\"trail_pips\":4");
    let refused = Trial::<FerrariScalper>::start(&settings, testing::instrument(), 60_000).map(drop);
    assert!(refused.is_err_and(|text| text.contains("trailing distance")));
}
