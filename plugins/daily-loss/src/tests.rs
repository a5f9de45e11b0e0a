use super::*;
use marque_plugin::{DayAnchor, Lots, Price, Side};

const DAY_MS: i64 = 86_400_000;

fn rule(settings: &str) -> DailyLoss {
    marque_plugin::run::start_rule(settings).unwrap()
}

/// FTMO 2-Step: B0 − 5%·I, midnight in Prague, breach strictly below.
fn ftmo() -> DailyLoss {
    rule(
        r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below",
            "reset_time":"00:00","zone":"Europe/Prague"}"#,
    )
}

fn money(amount: i64) -> Money {
    Money::whole(amount)
}

/// An account of 100,000 whose day began flat with this balance and whose equity is now this.
fn account(day_balance: i64, equity: Money) -> Account {
    Account {
        now: 0,
        initial_balance: money(100_000),
        balance: equity,
        equity,
        day: DayAnchor {
            began_at: 0,
            next_at: DAY_MS,
            balance: money(day_balance),
            equity: money(day_balance),
            peak_equity: money(day_balance).max(equity),
        },
        positions: Vec::new(),
    }
}

fn order(risk: Option<Money>) -> Order {
    Order {
        instrument: 0,
        side: Side::Buy,
        lots: Lots::whole(1),
        price: Price::whole(1),
        stop_loss: None,
        risk,
        value_per_point: Money::ZERO,
    }
}

fn floor(rule: &DailyLoss, account: &Account) -> Money {
    rule.assess(account).floor.unwrap()
}

fn standing(rule: &DailyLoss, account: &Account) -> Standing {
    rule.assess(account).standing
}

#[test]
fn ftmo_two_step_measures_from_the_balance_at_midnight() {
    // Day 1: B0 = I.
    assert_eq!(floor(&ftmo(), &account(100_000, money(100_000))), money(95_000));
    // Published: balance 92,000 with 2,001 floating loss breaches a floor of 90,000.
    let mut breached = account(95_000, money(92_000 - 2_001));
    breached.balance = money(92_000);
    assert_eq!(floor(&ftmo(), &breached), money(90_000));
    assert_eq!(standing(&ftmo(), &breached), Standing::Fail);
    // Exactly at the floor is still allowed; one step below is not.
    assert_eq!(standing(&ftmo(), &account(95_000, money(90_000))), Standing::Warn);
    assert_eq!(standing(&ftmo(), &account(95_000, money(90_000) - STEP)), Standing::Fail);
    assert_eq!(ftmo().day_reset(), Some(DayReset { zone: "Europe/Prague".to_owned(), minute: 0 }));
}

#[test]
fn breakout_takes_a_share_of_the_balance_at_half_past_midnight_utc() {
    let rule = rule(
        r#"{"reference":"balance","amount":4,"amount_basis":"percent_of_reference","breach":"below",
            "reset_time":"00:30","zone":"UTC"}"#,
    );
    assert_eq!(floor(&rule, &account(105_000, money(105_000))), money(100_800));
    assert_eq!(rule.day_reset().unwrap().minute, 30);
}

#[test]
fn fxify_breaches_at_the_floor() {
    let rule = rule(
        r#"{"reference":"balance","amount":4,"amount_basis":"percent_of_reference","breach":"at_or_below",
            "reset_time":"17:00","zone":"America/New_York"}"#,
    );
    assert_eq!(floor(&rule, &account(100_000, money(100_000))), money(96_000));
    assert_eq!(standing(&rule, &account(100_000, money(96_000))), Standing::Fail);
    assert_eq!(standing(&rule, &account(100_000, money(96_000) + STEP)), Standing::Warn);
    assert_eq!(rule.day_reset().unwrap().minute, 1_020);
}

#[test]
fn fintokei_protrader_measures_from_equity() {
    let rule = rule(
        r#"{"reference":"equity","amount":5,"amount_basis":"percent_of_reference","breach":"below",
            "reset_time":"00:00","zone":"UTC"}"#,
    );
    let mut account = account(100_000, money(103_000));
    account.day.equity = money(103_000);
    assert_eq!(floor(&rule, &account), money(97_850));
}

#[test]
fn the5ers_measure_from_the_higher_of_balance_and_equity() {
    let rule = rule(
        r#"{"reference":"balance_or_equity","amount":5,"amount_basis":"percent_of_reference","breach":"below",
            "reset_time":"00:00","zone":"Etc/GMT-3"}"#,
    );
    let mut account = account(100_000, money(100_000));
    account.day.equity = money(102_000);
    assert_eq!(floor(&rule, &account), money(96_900));
    account.day.equity = money(98_000);
    assert_eq!(floor(&rule, &account), money(95_000));
}

#[test]
fn hyrotrader_measures_from_the_peak_of_the_day() {
    let rule = rule(
        r#"{"reference":"peak","amount":5,"amount_basis":"percent_of_initial","breach":"at_or_below",
            "reset_time":"00:00","zone":"UTC"}"#,
    );
    let mut account = account(100_000, money(108_000));
    account.day.peak_equity = money(110_000);
    let assessment = rule.assess(&account);
    assert_eq!(assessment.floor, Some(money(105_000)));
    // Any new peak moves the floor, so it must be asked again there.
    assert_eq!(assessment.wake_above, Some(money(110_000) + STEP));
    account.equity = money(105_000);
    assert_eq!(standing(&rule, &account), Standing::Fail);
}

#[test]
fn initial_and_fixed_amounts() {
    let rule = rule(
        r#"{"reference":"initial","amount":"2500.50","amount_basis":"fixed","breach":"below",
            "reset_time":"00:00","zone":"UTC"}"#,
    );
    assert_eq!(floor(&rule, &account(120_000, money(120_000))), "97499.5".parse().unwrap());
}

#[test]
fn a_loss_that_was_legal_before_midnight_can_breach_after() {
    let rule = ftmo();
    // Balance 104,000 with 6,000 floating loss: the floor is still yesterday's 95,000.
    let mut account = account(100_000, money(98_000));
    account.balance = money(104_000);
    assert_eq!(standing(&rule, &account), Standing::Ok);
    // The day rolls: the reference is now 104,000 and the floor 99,000.
    account.day.balance = money(104_000);
    assert_eq!(floor(&rule, &account), money(99_000));
    assert_eq!(standing(&rule, &account), Standing::Fail);
}

#[test]
fn wakes_at_the_warning_then_at_the_breach_then_at_the_reset() {
    let rule = ftmo();
    let calm = rule.assess(&account(100_000, money(100_000)));
    // 80% of 5,000 used up is 96,000.
    assert_eq!(calm.standing, Standing::Ok);
    assert_eq!((calm.wake_below, calm.wake_above, calm.wake_at), (Some(money(96_000)), None, Some(DAY_MS)));
    let warned = rule.assess(&account(100_000, money(96_000)));
    assert_eq!(warned.standing, Standing::Warn);
    assert_eq!(warned.wake_below, Some(money(95_000) - STEP));
    assert_eq!(warned.wake_above, Some(money(96_000) + STEP));
    assert_eq!(
        warned.reason,
        "1000.00 left of today's loss limit: equity must not fall below 95000.00 until the day ends at 00:00 Europe/Prague."
    );
    let failed = rule.assess(&account(100_000, money(94_000)));
    assert_eq!((failed.wake_below, failed.wake_above, failed.wake_at), (None, None, None));
}

#[test]
fn between_wake_levels_the_answer_never_changes() {
    let variants = [
        r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below","reset_time":"00:00","zone":"UTC"}"#,
        r#"{"reference":"equity","amount":4,"amount_basis":"percent_of_reference","breach":"at_or_below","reset_time":"00:00","zone":"UTC"}"#,
        r#"{"reference":"peak","amount":700,"amount_basis":"fixed","breach":"at_or_below","reset_time":"00:00","zone":"UTC","warn_percent":100}"#,
        r#"{"reference":"initial","amount":1,"amount_basis":"percent_of_initial","breach":"below","reset_time":"00:00","zone":"UTC","on_breach":"flatten"}"#,
    ];
    for rule in variants.map(rule) {
        for equity in (90_000..102_000).step_by(37) {
            let at = |equity| account(100_000, equity);
            let told = rule.assess(&at(money(equity)));
            assert!(told.wake_below.is_none_or(|level| level < money(equity)));
            assert!(told.wake_above.is_none_or(|level| level > money(equity)));
            if let Some(level) = told.wake_below {
                assert_eq!(standing(&rule, &at(level + STEP)), told.standing, "just above {level}");
            }
            if let Some(level) = told.wake_above {
                assert_eq!(standing(&rule, &at(level - STEP)), told.standing, "just below {level}");
            }
        }
    }
}

#[test]
fn orders_are_refused_at_the_floor_and_when_their_stop_would_reach_it() {
    let rule = ftmo();
    let calm = account(100_000, money(98_000));
    assert_eq!(rule.check(&order(None), &calm), Verdict::Allow);
    assert_eq!(rule.check(&order(Some(money(3_000))), &calm), Verdict::Allow);
    let refused = rule.check(&order(Some(money(3_000) + STEP)), &calm);
    assert!(
        matches!(&refused, Verdict::Refuse(why) if why.contains("95000.00") && why.contains("fewer lots")),
        "{refused:?}"
    );
    let refused = rule.check(&order(None), &account(100_000, money(94_999)));
    assert!(matches!(&refused, Verdict::Refuse(why) if why.contains("94999.00")), "{refused:?}");
}

#[test]
fn flattening_waits_for_the_next_day() {
    let rule = rule(
        r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below",
            "reset_time":"00:00","zone":"UTC","on_breach":"flatten"}"#,
    );
    let told = rule.assess(&account(100_000, money(94_000)));
    assert_eq!((told.standing, told.wake_at), (Standing::Flatten, Some(DAY_MS)));
}

#[test]
fn settings_that_make_no_sense_are_refused_with_a_reason() {
    let start = |amount: &str, time: &str| {
        let json = format!(
            r#"{{"reference":"balance","amount":{amount},"amount_basis":"percent_of_initial","breach":"below",
                "reset_time":"{time}","zone":"UTC"}}"#
        );
        marque_plugin::run::start_rule::<DailyLoss>(&json).map(|_| ())
    };
    assert_eq!(start("5", "23:59"), Ok(()));
    for time in ["24:00", "00:60", "7:00", "+1:00", "0a:00", "00:000"] {
        assert!(start("5", time).unwrap_err().contains("HH:MM"), "{time}");
    }
    assert!(start("101", "00:00").unwrap_err().contains("100 percent"));
}

#[test]
fn the_most_extreme_accounts_do_not_panic() {
    for rule in [
        ftmo(),
        rule(
            r#"{"reference":"peak","amount":100,"amount_basis":"percent_of_reference","breach":"at_or_below","reset_time":"00:00","zone":"UTC"}"#,
        ),
    ] {
        for units in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
            let account = account(100_000, Money::from_units(units));
            rule.assess(&account);
            rule.check(&order(Some(Money::from_units(units))), &account);
        }
    }
}
