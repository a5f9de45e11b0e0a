//! A rule's scenario: orders and accounts that it is asked about, in the real sandbox.

use super::{
    market::{Number, START_MS},
    scenario::{AccountText, Assess, Check, OrderText},
};
use marque_domain::{
    decision::Verdict,
    fixed::{Lots, Money, Price, move_value},
    id::InstrumentId,
    order::Side,
    ticket::{OrderKind, TimeInForce},
    time::Millis,
};
use marque_engine::{
    facts::Facts,
    port::{AccountView, DayAnchor, OrderView, RiskRule, Standing},
};

/// Units of the base in one lot of every scenario's instrument.
const CONTRACT_SIZE: i64 = 100_000;
const DAY_MS: i64 = 86_400_000;

/// Asks a started rule all that a scenario asks; answers its faults, and the story.
pub(super) fn ask(
    rule: &mut dyn RiskRule,
    account: &AccountText,
    checks: &[Check],
    assessments: &[Assess],
) -> (Vec<String>, Vec<String>) {
    let (mut faults, mut told) = (Vec::new(), Vec::new());
    for (number, check) in (1..).zip(checks) {
        let answer = rule.check(&order(&check.order), &view(account, None));
        let (verdict, reason) = match answer {
            Ok(Verdict::Allow) => ("allow".to_owned(), String::new()),
            Ok(Verdict::Shrink(lots)) => (format!("shrink {lots}"), String::new()),
            Ok(Verdict::Refuse(reason)) => ("refuse".to_owned(), reason),
            Ok(Verdict::Fault(fault)) => ("fault".to_owned(), fault),
            Err(fault) => ("fault".to_owned(), fault.to_string()),
        };
        told.push(line(&format!("check {number}"), &verdict, &reason));
        compare(
            &format!("[[check]] {number}"),
            (&check.verdict, check.reason.as_deref()),
            (&verdict, &reason),
            &mut faults,
        );
    }
    for (number, assess) in (1..).zip(assessments) {
        let answer = rule.assess(&view(account, Some(assess)));
        let (standing, reason) = match answer {
            Ok(told) => (words(told.standing).to_owned(), told.reason),
            Err(fault) => ("fault".to_owned(), fault.to_string()),
        };
        told.push(line(&format!("assess {number}"), &standing, &reason));
        let place = format!("[[assess]] {number}");
        compare(&place, (&assess.standing, assess.reason.as_deref()), (&standing, &reason), &mut faults);
    }
    (faults, told)
}

fn line(what: &str, answer: &str, reason: &str) -> String {
    if reason.is_empty() { format!("{what}: {answer}") } else { format!("{what}: {answer} ({reason})") }
}

fn compare(place: &str, wanted: (&str, Option<&str>), got: (&str, &str), faults: &mut Vec<String>) {
    if wanted.0.trim() != got.0 {
        faults.push(format!("{place}: expected \"{}\", but it said {}.", wanted.0, line("", got.0, got.1)));
    } else if let Some(part) = wanted.1.filter(|part| !got.1.contains(part)) {
        faults.push(format!("{place}: expected a reason with \"{part}\", but it gave \"{}\".", got.1));
    }
}

const fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Ok => "ok",
        Standing::Warn => "warn",
        Standing::Flatten => "flatten",
        Standing::Fail => "fail",
    }
}

fn money(number: Option<Number>, otherwise: Money) -> Money {
    number.map_or(otherwise, |number| Money::from_units(number.0))
}

fn view(text: &AccountText, now: Option<&Assess>) -> AccountView<'static> {
    let initial_balance = money(text.initial_balance, Money::whole(100_000));
    let balance = money(now.and_then(|now| now.balance), money(text.balance, initial_balance));
    let equity = money(now.and_then(|now| now.equity), money(text.equity, balance));
    let day_balance = money(text.day_balance, initial_balance);
    let day = DayAnchor {
        began_at: Millis(START_MS),
        next_at: Millis(START_MS + DAY_MS),
        balance: day_balance,
        equity: day_balance,
        peak_equity: money(text.day_peak, day_balance.max(equity)),
    };
    let now = Millis(START_MS + DAY_MS / 2);
    AccountView { now, initial_balance, balance, equity, day, positions: &[], facts: Facts::NONE }
}

fn order(text: &OrderText) -> OrderView {
    let (price, lots) = (Price::from_units(text.price.0), Lots::from_units(text.lots.0));
    let stop_loss = text.stop_loss.map(|stop| Price::from_units(stop.0));
    let side = if text.side.is_buy() { Side::Buy } else { Side::Sell };
    let loses = |stop: Price| {
        let moved = move_value(stop, price, lots, CONTRACT_SIZE).unwrap_or(Money::MAX);
        if side == Side::Buy { moved } else { moved.negated() }
    };
    OrderView {
        instrument: InstrumentId(1),
        side,
        lots,
        price,
        stop_loss,
        risk: stop_loss.map(loses),
        value_per_point: Money::whole(CONTRACT_SIZE),
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Gtc,
        group: None,
    }
}
