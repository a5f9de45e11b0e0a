//! The daily-loss rule that we ship, and rules that misbehave, through the real sandbox.

use crate::{
    fixture::{Bars, component, sandbox, start_rule, start_strategy},
    guests,
};
use marque_domain::{
    decision::Verdict,
    fixed::{Lots, Money, Price},
    id::InstrumentId,
    order::Side,
    plugin::PluginKind,
    ticket::{OrderKind, TimeInForce},
    time::Millis,
};
use marque_engine::{
    facts::Facts,
    port::{AccountView, DayAnchor, ExposureView, Fault, OrderView, Room, Standing, Unit},
};

const FTMO: &str = r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below",
    "reset_time":"00:00","zone":"Europe/Prague"}"#;
const HYROTRADER: &str = r#"{"reference":"peak","amount":5,"amount_basis":"percent_of_initial",
    "breach":"at_or_below","reset_time":"00:00","zone":"UTC"}"#;

fn money(amount: i64) -> Money {
    Money::whole(amount)
}

fn account(day_balance: i64, peak: i64, equity: Money, positions: &[ExposureView]) -> AccountView<'_> {
    let day = DayAnchor {
        began_at: Millis(0),
        next_at: Millis(86_400_000),
        balance: money(day_balance),
        equity: money(day_balance),
        peak_equity: money(peak),
    };
    let initial_balance = money(100_000);
    AccountView { now: Millis(5_000), initial_balance, balance: equity, equity, day, positions, facts: Facts::NONE }
}

fn order(lots: Lots, risk: Option<Money>) -> OrderView {
    OrderView {
        instrument: InstrumentId(3),
        side: Side::Sell,
        lots,
        price: Price::whole(1),
        stop_loss: Some(Price::whole(2)),
        risk,
        value_per_point: money(100_000),
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Gtc,
        group: None,
    }
}

#[test]
fn daily_loss_holds_the_published_examples() {
    let told = sandbox().inspect(component("daily-loss")).unwrap();
    assert_eq!((told.kind, told.name.as_str()), (PluginKind::RiskRule, "daily-loss"));
    let mut ftmo = start_rule(component("daily-loss"), FTMO).unwrap();
    let reset = ftmo.day_reset().unwrap();
    assert_eq!((reset.zone.name(), reset.minute), ("Europe/Prague", 0));
    let held =
        [ExposureView { instrument: InstrumentId(3), side: Side::Buy, lots: Lots::whole(1), profit: money(-2_001) }];
    // Published: 92,000 with 2,001 floating loss breaches a floor of 90,000.
    let breached = ftmo.assess(&account(95_000, 95_000, money(89_999), &held)).unwrap();
    assert_eq!((breached.standing, breached.floor), (Standing::Fail, Some(money(90_000))));
    assert!(breached.reason.contains("89999.00") && breached.reason.contains("90000.00"), "{}", breached.reason);
    let calm = ftmo.assess(&account(100_000, 100_000, money(100_000), &[])).unwrap();
    assert_eq!((calm.standing, calm.reason.as_str()), (Standing::Ok, ""));
    assert_eq!((calm.wake_below, calm.wake_at), (Some(money(96_000)), Some(Millis(86_400_000))));
    // Published: a peak of 110,000 gives a floor of 105,000, breached at it.
    let mut hyro = start_rule(component("daily-loss"), HYROTRADER).unwrap();
    let breached = hyro.assess(&account(100_000, 110_000, money(105_000), &[])).unwrap();
    assert_eq!((breached.standing, breached.floor), (Standing::Fail, Some(money(105_000))));
}

#[test]
fn daily_loss_refuses_what_could_reach_the_floor() {
    let mut rule = start_rule(component("daily-loss"), FTMO).unwrap();
    let calm = account(100_000, 100_000, money(98_000), &[]);
    let lot = Lots::whole(1);
    assert_eq!(rule.check(&order(lot, Some(money(3_000))), &calm), Ok(Verdict::Allow));
    let refused = rule.check(&order(lot, Some(money(3_001))), &calm).unwrap();
    assert!(matches!(&refused, Verdict::Refuse(why) if why.contains("fewer lots")), "{refused:?}");
    assert!(matches!(rule.check(&order(lot, None), &account(100_000, 100_000, money(1), &[])), Ok(Verdict::Refuse(_))));
}

#[test]
fn daily_loss_refuses_settings_and_zones_that_do_not_exist() {
    for (from, to, wanted) in [
        ("Europe/Prague", "Mars/Olympus", "no such time zone: Mars/Olympus"),
        ("00:00", "25:00", "HH:MM"),
        ("balance", "hope", "is not one of"),
        ("\"amount\":5", "\"amount\":101", "100 percent"),
    ] {
        let fault = start_rule(component("daily-loss"), &FTMO.replace(from, to)).map(drop).unwrap_err();
        assert!(matches!(&fault, Fault::Plugin(text) if text.contains(wanted)), "{to} -> {fault:?}");
    }
}

#[test]
fn a_check_that_never_ends_is_a_fault() {
    let forever = "(loop $again (br $again)) (unreachable)";
    let mut rule = start_rule(&guests::rule(&[("check", forever)]), "{}").unwrap();
    let view = account(1, 1, money(1), &[]);
    let fault = rule.check(&order(Lots::whole(1), None), &view).unwrap_err();
    assert!(matches!(&fault, Fault::Plugin(text) if text.contains("instructions")), "{fault:?}");
    assert_eq!(rule.assess(&view), Err(fault), "it is not entered again");
}

/// A rule whose verdict has this discriminant and number.
fn verdict(kind: u8, number: i64) -> Result<Verdict, Fault> {
    let body = format!(
        "(i32.store8 (i32.const 128) (i32.const {kind})) (i64.store (i32.const 136) (i64.const {number})) (i32.const 128)"
    );
    start_rule(&guests::rule(&[("check", &body)]), "{}")
        .unwrap()
        .check(&order(Lots::whole(2), None), &account(1, 1, money(1), &[]))
}

#[test]
fn sizes_only_shrink() {
    let lots = |n| Lots::whole(n).units();
    assert_eq!(verdict(0, 0), Ok(Verdict::Allow));
    assert_eq!(verdict(1, lots(1)), Ok(Verdict::Shrink(Lots::whole(1))));
    assert_eq!(verdict(1, lots(9)), Ok(Verdict::Shrink(Lots::whole(2))));
    assert_eq!(verdict(2, 0), Ok(Verdict::Refuse("The rule gave no reason.".to_owned())));
    for nonsense in [verdict(1, 0), verdict(1, -5), verdict(3, 0), verdict(2, i64::MAX)] {
        assert!(matches!(nonsense, Err(Fault::Plugin(_))), "{nonsense:?}");
    }
}

#[test]
fn wake_levels_that_are_already_reached_are_nonsense() {
    let equity = money(1_000);
    let woken = |place: u32, level: i64| {
        let body = format!(
            "(i32.store8 (i32.const {}) (i32.const 1)) (i64.store (i32.const {}) (i64.const {level})) (i32.const 192)",
            192 + place,
            200 + place
        );
        start_rule(&guests::rule(&[("assess", &body)]), "{}").unwrap().assess(&account(1, 1, equity, &[]))
    };
    let (below, above, at) = (32, 48, 64);
    for (place, level) in [(below, equity.units() - 1), (above, equity.units() + 1), (at, 5_001)] {
        assert!(woken(place, level).is_ok(), "{place} {level}");
    }
    for (place, level) in [(below, equity.units()), (above, equity.units()), (at, 5_000), (above, i64::MIN)] {
        let fault = woken(place, level).unwrap_err();
        assert!(matches!(&fault, Fault::Plugin(text) if text.contains("already reached")), "{fault:?}");
    }
}

#[test]
fn plugins_of_earlier_contracts_still_load_and_answer() {
    // Built against the frozen files: other import names, and nothing that came later.
    for version in ["1.0", "1.1"] {
        let old = guests::old_rule(version, &[]);
        assert_eq!(sandbox().inspect(&old).unwrap().kind, PluginKind::RiskRule);
        let mut rule = start_rule(&old, "{}").unwrap();
        assert!(!rule.wants_days(), "what it does not import is not prepared for it");
        let view = account(1, 1, money(1), &[]);
        assert_eq!(rule.check(&order(Lots::whole(1), None), &view), Ok(Verdict::Allow));
        assert_eq!(rule.assess(&view).unwrap().standing, Standing::Ok);
        let old = guests::old_strategy(version, &[("on-history", "(drop (call $random))")]);
        let mut strategy = start_strategy(&old, "{}", None).unwrap();
        strategy.set_room(Room { floor: Some(money(1)), ..Room::default() });
        assert_eq!(strategy.on_bars(Bars::of_closes([110_000, 110_010]).run(0..2), &mut Vec::new()), Ok(1));
        assert!(strategy.snapshot().is_ok());
    }
}

#[test]
fn a_rule_of_1_1_is_told_its_facts_under_their_old_name() {
    let import = r#"(import "marque:plugin/account-facts@1.2.0" "get-days" (func $days (param i32)))"#;
    let body = "(call $days (i32.const 2048)) (i32.const 192)";
    let old = guests::old_rule_with("1.1", import, &[("assess", body)]);
    let mut rule = start_rule(&old, "{}").unwrap();
    assert!(rule.wants_days());
    assert_eq!(rule.assess(&account(1, 1, money(1), &[])).unwrap().standing, Standing::Ok);
}

/// A guest that reports a goal with this name, so many times, whenever it is asked.
fn reporter(name: &str, times: u32) -> Vec<u8> {
    let import = r#"(import "marque:plugin/objectives@1.2.0" "report"
        (func $report (param i32 i32 i32 i32 i32 i64 i64 i32)))"#;
    let body = format!(
        "(local $n i32) (loop $again
            (call $report (i32.const 2048) (i32.const {}) (i32.const 1056) (i32.const 21) (i32.const 0)
                (i64.const 7) (i64.const 9) (i32.const 0))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
        (i32.const 192)",
        name.len()
    );
    guests::rule_with(import, &[("extra", &format!(r#"(data (i32.const 2048) "{name}")"#)), ("assess", &body)])
}

#[test]
fn goals_are_part_of_an_assessment_bounded_and_named() {
    let view = account(1, 1, money(1), &[]);
    let told = start_rule(&reporter("profit-target", 2), "{}").unwrap().assess(&view).unwrap();
    let goal = &told.objectives[0];
    assert_eq!((told.objectives.len(), goal.name.as_str(), goal.unit), (2, "profit-target", Unit::Money));
    assert_eq!((goal.have, goal.want, goal.reached), (7, 9, false));
    assert_eq!(start_rule(&reporter("days", 1_000), "{}").unwrap().assess(&view).unwrap().objectives.len(), 8);
    let fault = start_rule(&reporter("Days!", 1), "{}").unwrap().assess(&view).unwrap_err();
    assert!(matches!(&fault, Fault::Plugin(text) if text.contains("small letters")), "{fault:?}");
}
