use super::*;
use marque_plugin::{
    DayAnchor, Facts, Lots, Price, Side,
    testing::{Known, set_known},
};

const DAY_MS: i64 = 86_400_000;

fn rule(settings: &str) -> MaxLoss {
    marque_plugin::run::start_rule(settings).unwrap()
}

fn money(amount: i64) -> Money {
    Money::whole(amount)
}

fn told(text: &str) -> Money {
    text.parse().unwrap()
}

/// An account funded with this, whose equity and best equity are these.
fn account(initial: i64, equity: Money, peak_equity: i64) -> Account {
    let day = DayAnchor {
        began_at: 0,
        next_at: DAY_MS,
        balance: money(initial),
        equity: money(initial),
        peak_equity: money(peak_equity),
    };
    Account { now: 5, initial_balance: money(initial), balance: equity, equity, day, positions: Vec::new() }
}

/// The marks of balances.
fn marks(peak_balance: i64, peak_day_balance: i64) {
    let (peak_balance, peak_day_balance) = (money(peak_balance), money(peak_day_balance));
    let facts = Facts { peak_balance, peak_day_balance, ..Facts::default() };
    set_known(Known { facts, ..Known::default() });
}

fn floor(rule: &MaxLoss, account: &Account) -> Money {
    rule.assess(account).floor.unwrap()
}

/// Trailing by 6% of the initial balance, locking there.
const FXIFY: &str = r#"{"model":"trailing","amount":6,"amount_basis":"percent_of_initial","mark":"balance",
    "lock_offset":0,"breach":"at_or_below"}"#;
/// A percentage trail of 6% that stops at the initial balance.
const PERCENT_TRAIL: &str = r#"{"model":"trailing_percent","amount":6,"amount_basis":"percent_of_initial",
    "mark":"balance","lock_offset":0,"breach":"below"}"#;
/// Topstep 50k: 2,000 below the balance at the end of the day.
const TOPSTEP: &str = r#"{"model":"trailing","amount":2000,"amount_basis":"fixed","mark":"end_of_day_balance",
    "lock_offset":0,"breach":"at_or_below","reset_time":"17:00","zone":"America/Chicago"}"#;

#[test]
fn ftmo_two_step_static_ten_percent() {
    let rule = rule(r#"{"model":"static","amount":10,"amount_basis":"percent_of_initial","breach":"below"}"#);
    marks(120_000, 120_000);
    for (equity, standing) in [
        (money(130_000), Standing::Ok),
        (money(92_001), Standing::Ok),
        (money(92_000), Standing::Warn),
        (money(90_000), Standing::Warn),
        (money(90_000) - STEP, Standing::Fail),
    ] {
        let told = rule.assess(&account(100_000, equity, 130_000));
        assert_eq!((told.standing, told.floor), (standing, Some(money(90_000))), "{equity}");
    }
    assert_eq!(rule.day_reset(), None);
}

#[test]
fn ftmo_one_step_end_of_day_trail_104k_then_103k_gives_94k() {
    let rule = rule(
        r#"{"model":"trailing","amount":10,"amount_basis":"percent_of_initial","mark":"end_of_day_balance",
            "breach":"below","reset_time":"00:00","zone":"Europe/Prague"}"#,
    );
    marks(106_000, 100_000);
    assert_eq!(
        floor(&rule, &account(100_000, money(104_000), 106_000)),
        money(90_000),
        "a high within the day is none"
    );
    marks(106_000, 104_000);
    assert_eq!(floor(&rule, &account(100_000, money(104_000), 106_000)), money(94_000));
    // The day after ends at 103,000: the mark stays, the floor never falls.
    assert_eq!(floor(&rule, &account(100_000, money(103_000), 106_000)), money(94_000));
    // Below the initial balance the mark is the initial balance.
    marks(100_000, 98_000);
    assert_eq!(floor(&rule, &account(100_000, money(98_000), 100_000)), money(90_000));
    assert_eq!(rule.day_reset(), Some(DayReset { zone: "Europe/Prague".to_owned(), minute: 0 }));
    assert_eq!(rule.assess(&account(100_000, money(98_000), 100_000)).wake_at, Some(DAY_MS));
}

#[test]
fn fxify_six_percent_trail_locks_at_the_initial_balance() {
    let rule = rule(FXIFY);
    for (peak, wanted) in [(100_000, 94_000), (105_000, 99_000), (106_000, 100_000), (120_000, 100_000)] {
        marks(peak, 100_000);
        assert_eq!(floor(&rule, &account(100_000, money(peak), peak)), money(wanted), "{peak}");
    }
    marks(105_000, 100_000);
    assert_eq!(rule.assess(&account(100_000, money(99_000), 105_000)).standing, Standing::Fail, "at the floor");
    assert_eq!(rule.assess(&account(100_000, money(99_000) + STEP, 105_000)).standing, Standing::Warn);
}

#[test]
fn percentage_trail_102k_gives_95_880_and_locks_at_106_383() {
    let rule = rule(PERCENT_TRAIL);
    marks(102_000, 100_000);
    assert_eq!(floor(&rule, &account(100_000, money(102_000), 102_000)), money(95_880));
    // I / (1 − p) = 106,382.98: the whole amount above it is the published 106,383.
    marks(106_382, 100_000);
    assert_eq!(floor(&rule, &account(100_000, money(106_382), 106_382)), told("99999.08"));
    for peak in [106_383, 150_000] {
        marks(peak, 100_000);
        assert_eq!(floor(&rule, &account(100_000, money(peak), peak)), money(100_000));
    }
}

#[test]
fn topstep_end_of_day_trail_checked_in_real_time_50_500_gives_48_500_and_locks_at_50k() {
    let rule = rule(TOPSTEP);
    marks(50_500, 50_500);
    assert_eq!(floor(&rule, &account(50_000, money(50_500), 50_500)), money(48_500));
    // In real time: equity within the day reaches it.
    assert_eq!(rule.assess(&account(50_000, money(48_500), 50_500)).standing, Standing::Fail);
    for mark in [52_000, 60_000] {
        marks(mark, mark);
        assert_eq!(floor(&rule, &account(50_000, money(mark), mark)), money(50_000));
    }
}

#[test]
fn apex_locks_a_hundred_above_the_initial_balance() {
    let rule = rule(
        r#"{"model":"trailing","amount":2500,"amount_basis":"fixed","mark":"equity","lock_offset":100,"breach":"at_or_below"}"#,
    );
    assert_eq!(floor(&rule, &account(50_000, money(51_000), 52_000)), money(49_500));
    assert_eq!(floor(&rule, &account(50_000, money(52_000), 52_600)), money(50_100));
    assert_eq!(floor(&rule, &account(50_000, money(52_000), 59_000)), money(50_100));
}

#[test]
fn a_floor_that_follows_equity_wakes_at_each_new_high_until_it_is_locked() {
    let rule = rule(
        r#"{"model":"trailing","amount":2500,"amount_basis":"fixed","mark":"equity","lock_offset":100,"breach":"at_or_below"}"#,
    );
    assert_eq!(rule.assess(&account(50_000, money(51_900), 52_000)).wake_above, Some(money(52_000) + STEP));
    assert_eq!(rule.assess(&account(50_000, money(55_000), 55_000)).wake_above, None);
    // Close to the floor the end of the warning comes first.
    let near = rule.assess(&account(50_000, money(49_600), 52_000));
    assert_eq!((near.standing, near.wake_above), (Standing::Warn, Some(money(50_000) + STEP)));
}

#[test]
fn between_wake_levels_the_answer_never_changes() {
    let variants = [
        FXIFY,
        PERCENT_TRAIL,
        TOPSTEP,
        r#"{"model":"trailing","amount":3,"amount_basis":"percent_of_initial","mark":"equity","breach":"below"}"#,
        r#"{"model":"static","amount":10,"amount_basis":"percent_of_initial","breach":"below","warn_percent":100}"#,
    ];
    marks(101_500, 101_000);
    for rule in variants.map(rule) {
        for equity in (90_000..104_000).step_by(53) {
            // The path so far has made its peak; nothing between the levels makes another.
            let peak = equity.max(102_000);
            let at = |equity: Money| account(100_000, equity, peak);
            let said = rule.assess(&at(money(equity)));
            let same = |equity: Money| {
                let again = rule.assess(&at(equity));
                (again.standing, again.floor) == (said.standing, said.floor)
            };
            assert!(said.wake_below.is_none_or(|level| level < money(equity) && same(level + STEP)), "{equity}");
            assert!(said.wake_above.is_none_or(|level| level > money(equity) && same(level - STEP)), "{equity}");
        }
    }
}

#[test]
fn orders_whose_stop_would_reach_the_floor_are_refused() {
    marks(105_000, 100_000);
    let order = |risk| Order {
        instrument: 0,
        side: Side::Buy,
        lots: Lots::whole(1),
        price: Price::whole(1),
        stop_loss: None,
        risk: Some(risk),
        value_per_point: Money::ZERO,
    };
    let now = account(100_000, money(101_000), 105_000);
    assert_eq!(rule(FXIFY).check(&order(money(1_999)), &now), Verdict::Allow);
    let refused = rule(FXIFY).check(&order(money(2_000)), &now);
    assert!(matches!(&refused, Verdict::Refuse(why) if why.contains("stay above 99000.00")), "{refused:?}");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_a_reason() {
    for (from, to, wanted) in [
        ("\"amount\":6", "\"amount\":101", "100 percent"),
        ("percent_of_initial", "fixed", "takes a percentage"),
        ("\"lock_offset\":0", "\"reset_time\":\"24:00\"", "HH:MM"),
    ] {
        let told = marque_plugin::run::start_rule::<MaxLoss>(&PERCENT_TRAIL.replace(from, to)).map(drop);
        assert!(told.as_ref().is_err_and(|why| why.contains(wanted)), "{to}: {told:?}");
    }
}

#[test]
fn the_most_extreme_accounts_do_not_panic() {
    for units in [i64::MIN, -1, 0, 1, i64::MAX] {
        let facts = Facts {
            peak_balance: Money::from_units(units),
            peak_day_balance: Money::from_units(units),
            ..Facts::default()
        };
        set_known(Known { facts, ..Known::default() });
        for settings in [FXIFY, PERCENT_TRAIL, TOPSTEP] {
            rule(settings).assess(&account(100_000, Money::from_units(units), 100_000));
        }
    }
}
