use super::*;
use marque_plugin::{Action, testing, testing::Trial};

const SETTINGS: &str = r#"{"lots":1,"swing_bars":1,"tolerance_pips":1,"buffer_pips":1,"min_stop_pips":2}"#;

fn price(pips: i64) -> Price {
    Price::from_units(110_000_000 + pips * 10_000)
}

/// A minute from its open, high, low and close in pips above 1.1, with half a pip of spread.
fn minute(at: i64, [open, high, low, close]: [i64; 4]) -> Bar {
    let [open, high, low, close] = [open, high, low, close].map(price);
    Bar { open_at: at * MINUTE_MS, open, high, low, close, spread: Price::from_units(5_000), volume: 1 }
}

/// Seven M5 bars that break a swing high at +20 by a close at +21; their origin is a swing low at +8. Each is one minute
/// with its range and then its close.
fn broken(trial: &mut Trial<BosRetest>) -> i64 {
    let bars = [(15, 10, 14), (20, 12, 15), (16, 11, 12), (13, 8, 10), (15, 9, 14), (22, 12, 19), (23, 18, 21)];
    for (five, (high, low, close)) in (0..).zip(bars) {
        trial.bar(&minute(five * 5, [close, high, low, close]));
        trial.bar(&minute(five * 5 + 4, [close; 4]));
    }
    assert_eq!(trial.take_wishes(), []);
    35
}

fn trial(settings: &str) -> Trial<BosRetest> {
    Trial::start(settings, testing::instrument(), MINUTE_MS).unwrap()
}

#[test]
fn the_confirmed_retest_of_a_broken_level_is_entered() {
    let mut trial = trial(SETTINGS);
    let at = broken(&mut trial);
    // Away, back to the level without a rising close, and then with one.
    trial.bar(&minute(at, [22, 26, 22, 25]));
    trial.bar(&minute(at + 1, [25, 25, 20, 21]));
    assert_eq!(trial.take_wishes(), []);
    trial.bar(&minute(at + 2, [21, 24, 20, 23]));
    // It would buy at 23.5 with the stop a pip below 8: 16.5 pips, and twice that to the target.
    let half = Price::from_units(5_000);
    let (stop_loss, take_profit) = (Some(price(7)), Some(price(56) + half));
    assert_eq!(trial.take_wishes(), [Action::Open { side: Side::Buy, lots: Lots::whole(1), stop_loss, take_profit }]);
    // One entry for a break, also when its position is closed at once.
    let id = trial.positions()[0].id;
    trial.exit(id, marque_plugin::Origin::StopLoss, price(7));
    trial.bar(&minute(at + 3, [21, 24, 20, 23]));
    assert_eq!(trial.take_wishes(), []);
}

#[test]
fn no_retest_no_confirmation_or_a_broken_structure_is_no_trade() {
    let late = 61;
    /// A name, and minutes with open, high, low and close.
    type Case<'a> = (&'a str, &'a [(i64, [i64; 4])]);
    let cases: &[Case<'_>] = &[
        ("it never comes back", &[(0, [21, 30, 22, 29]), (1, [29, 31, 23, 30])]),
        ("it closes below the level", &[(0, [21, 22, 15, 17]), (1, [17, 19, 16, 18])]),
        ("it comes too late", &[(late, [20, 24, 20, 23])]),
        ("the structure broke first", &[(0, [21, 21, 5, 6]), (1, [20, 24, 20, 23])]),
    ];
    for (case, bars) in cases {
        let mut trial = trial(SETTINGS);
        let at = broken(&mut trial);
        for (minutes, bar) in *bars {
            trial.bar(&minute(at + minutes, *bar));
        }
        assert_eq!(trial.take_wishes(), [], "{case}");
    }
}

#[test]
fn costs_and_distances_that_do_not_fit_are_no_trade() {
    for (setting, value) in [("max_stop_pips", "10"), ("min_stop_pips", "20"), ("max_spread_pips", "0.4")] {
        let settings =
            SETTINGS.replace(r#","min_stop_pips":2"#, "").replace('}', &format!(r#","{setting}":{value}}}"#));
        let mut trial = trial(&settings);
        let at = broken(&mut trial);
        trial.bar(&minute(at, [21, 24, 20, 23]));
        assert_eq!(trial.take_wishes(), [], "{setting}");
    }
}

#[test]
fn it_risks_no_more_than_its_share() {
    let mut trial = trial(&SETTINGS.replace("\"lots\":1", "\"lots\":9,\"risk_percent\":1"));
    let room = marque_plugin::Room { balance: Money::whole(100_000), ..Default::default() };
    testing::set_known(testing::Known { room, ..Default::default() });
    let at = broken(&mut trial);
    trial.bar(&minute(at, [21, 24, 20, 23]));
    testing::set_known(testing::Known::default());
    // 1,000 over 165 a lot.
    let [Action::Open { lots, .. }] = trial.take_wishes()[..] else { panic!("it did not open") };
    assert_eq!(lots, "6.06".parse().unwrap());
}

#[test]
fn it_says_where_it_cannot_run() {
    let start = |settings: &str, timeframe_ms| {
        Trial::<BosRetest>::start(settings, testing::instrument(), timeframe_ms).map(drop).unwrap_err()
    };
    assert!(start(SETTINGS, 300_000).contains("Deploy it on M1"));
    assert!(start(&SETTINGS.replace(":2}", ":200}"), MINUTE_MS).contains("nearest stop-loss"));
}
