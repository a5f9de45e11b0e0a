use super::*;
use crate::port::DayAnchor;
use marque_domain::{
    account::{AccountTerms, MarginLevels, PositionMode},
    fixed::Lots,
    id::{OrderId, PositionId, TransactionId, UserId},
    instrument::Currency,
    kill::KillScope,
    ledger::{Book, TransactionKind},
    order::{Closed, Order, OrderState, Origin, Position, Side},
    plugin::{PluginDigest, PluginRef},
    ticket::{OrderKind, TimeInForce},
};

const ACCOUNT: AccountId = AccountId(1);

fn money(amount: i64) -> Money {
    Money::whole(amount)
}

/// An account with two rules, of which the first keeps its days, opened with 100,000 at 0.
fn opened() -> State {
    let rule = PluginRef { digest: PluginDigest([1; 32]), name: "rule".into(), settings: "{}".into() };
    let terms = AccountTerms {
        id: ACCOUNT,
        user: UserId(1),
        name: "Test".into(),
        currency: Currency::USD,
        initial_balance: money(100_000),
        leverage: 30,
        mode: PositionMode::Hedging,
        margin: MarginLevels::default(),
        trades_per_day: Some(5),
        rules: vec![rule.clone(), rule],
    };
    let mut state = State::default();
    state.apply(&Record::AccountOpened { terms, at: Millis(0) });
    state.apply(&funding(0, 100_000));
    state.apply(&Record::DaysKept { account: ACCOUNT, rule: 0 });
    day(&mut state, 0, 100_000);
    state
}

fn moved(at: i64, kind: TransactionKind, amount: i64) -> Record {
    let book = if kind.is_funding() { Book::External } else { Book::Venue };
    Record::Moved(Transaction::transfer(TransactionId(1), ACCOUNT, Millis(at), kind, 0, book, money(amount)))
}

fn funding(at: i64, amount: i64) -> Record {
    moved(at, TransactionKind::Deposit, amount)
}

fn day(state: &mut State, began_at: i64, balance: i64) {
    let balance = money(balance);
    let (began_at, next_at) = (Millis(began_at), Millis(began_at + 100));
    let anchor = DayAnchor { began_at, next_at, balance, equity: balance, peak_equity: balance };
    state.apply(&Record::DayBegan { account: ACCOUNT, rule: 0, anchor });
}

fn position(id: i64, opened_at: i64, closed: Option<(i64, i64)>) -> Position {
    let price = "1.1".parse().unwrap();
    let closed =
        closed.map(|(at, profit)| Closed { at: Millis(at), price, profit: money(profit), origin: Origin::StopLoss });
    Position {
        id: PositionId(id),
        account: ACCOUNT,
        deployment: None,
        instrument: InstrumentId(3),
        side: Side::Buy,
        lots: Lots::whole(1),
        closed_lots: Lots::ZERO,
        realised: Money::ZERO,
        open_price: price,
        opened_at: Millis(opened_at),
        stop_loss: None,
        take_profit: None,
        trail: None,
        closed,
    }
}

fn order(at: i64) -> Record {
    Record::OrderPlaced(Order {
        id: OrderId(1),
        account: ACCOUNT,
        deployment: None,
        instrument: InstrumentId(3),
        side: Side::Buy,
        lots: Lots::whole(1),
        purpose: Purpose::Open,
        origin: Origin::Trader,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Gtc,
        expires_at: None,
        stop_loss: None,
        take_profit: None,
        trail: None,
        oco: None,
        triggered: false,
        filled: Lots::whole(1),
        state: OrderState::Filled,
        fill_price: None,
        reason: None,
        created_at: Millis(at),
        updated_at: Millis(at),
    })
}

fn trade(state: &mut State, id: i64, opened_at: i64) {
    state.apply(&order(opened_at));
    state.apply(&Record::PositionOpened(position(id, opened_at, None)));
    state.apply(&moved(opened_at, TransactionKind::Commission, -3));
}

fn close(state: &mut State, id: i64, opened_at: i64, at: i64, profit: i64) {
    state.apply(&Record::PositionClosed(position(id, opened_at, Some((at, profit)))));
    state.apply(&moved(at, TransactionKind::Profit, profit));
    state.apply(&moved(at, TransactionKind::Commission, -3));
}

#[test]
fn days_are_tallied_by_opening_and_by_closing_for_rules_that_ask() {
    let mut state = opened();
    trade(&mut state, 1, 10);
    day(&mut state, 100, 99_997);
    // A day on which nothing happens leaves no tally.
    day(&mut state, 200, 99_997);
    day(&mut state, 300, 99_997);
    trade(&mut state, 2, 310);
    close(&mut state, 1, 10, 320, 500);
    close(&mut state, 2, 310, 330, -40);
    let account = &state.accounts[&ACCOUNT];
    let tally = |began_at, trades, opened_profit, closed_profit| DayTally {
        began_at: Millis(began_at),
        ordered: trades,
        opened: trades,
        opened_profit: money(opened_profit),
        closed_profit: money(closed_profit),
    };
    let market = Market::new(&[]);
    let facts = Facts::of(account, 0, &market);
    assert_eq!(facts.days(), [tally(0, 1, 494, -3), tally(300, 1, -46, 451)]);
    assert_eq!((facts.summary().trades_today, facts.summary().trades_allowed), (1, Some(5)));
    assert_eq!(Facts::of(account, 1, &market).days(), []);
    let fills: Vec<(i64, bool)> = facts.executions().iter().map(|e| (e.at.0, e.opening)).collect();
    assert_eq!(fills, [(10, true), (310, true), (320, false), (330, false)]);
}

/// A news window counts what its owner did, not what was done to protect them.
#[test]
fn what_others_close_is_no_act_of_the_owners() {
    for (authority, mode, origin, counts) in [
        (Some(Authority::Broker), KillMode::Close, Origin::KillSwitch, false),
        (Some(Authority::Operator), KillMode::Close, Origin::KillSwitch, false),
        (Some(Authority::Trader), KillMode::Close, Origin::KillSwitch, true),
        (Some(Authority::Broker), KillMode::Close, Origin::Trader, true),
        (Some(Authority::Broker), KillMode::Stop, Origin::KillSwitch, true),
        (None, KillMode::Close, Origin::Rule, false),
        (None, KillMode::Close, Origin::StopOut, true),
    ] {
        let mut state = opened();
        trade(&mut state, 1, 10);
        if let Some(authority) = authority {
            let (by, reason) = ("risk@x.example".to_owned(), "a test".to_owned());
            let kill = Kill { scope: KillScope::Tenant, mode, authority, by, reason, at: Millis(15) };
            state.apply(&Record::KillPressed(kill));
        }
        let mut closed = position(1, 10, Some((20, -5)));
        closed.closed = closed.closed.map(|closed| Closed { origin, ..closed });
        state.apply(&Record::PositionClosed(closed));
        let market = Market::new(&[]);
        let executions = Facts::of(&state.accounts[&ACCOUNT], 0, &market).executions().len();
        assert_eq!(executions, if counts { 2 } else { 1 }, "{authority:?} {mode:?} {origin:?}");
    }
}

/// A hundredth less than all of a position is closed as much as all of it, and what is added to one is opened.
#[test]
fn a_part_is_a_fill_too_at_the_time_of_its_order() {
    for (units, origin, fill) in [
        (600_000_000, Origin::Trader, Some((20, true))),
        (1_000_000, Origin::Trader, Some((20, false))),
        (1_000_000, Origin::StopOut, Some((20, false))),
        (1_000_000, Origin::KillSwitch, Some((20, false))),
        (1_000_000, Origin::Rule, None),
        (100_000_000, Origin::Trader, None),
    ] {
        let mut state = opened();
        trade(&mut state, 1, 10);
        let Record::OrderPlaced(placed) = order(20) else { unreachable!() };
        state.apply(&Record::OrderMoved(Order { id: OrderId(9), origin, ..placed }));
        let changed = Position { lots: Lots::from_units(units), ..position(1, 10, None) };
        state.apply(&Record::PositionChanged(changed.clone()));
        // Its levels move later: that is no fill.
        state.apply(&Record::PositionChanged(Position { stop_loss: Some(changed.open_price), ..changed }));
        let market = Market::new(&[]);
        let facts = Facts::of(&state.accounts[&ACCOUNT], 0, &market);
        let fills: Vec<(i64, bool)> = facts.executions().iter().map(|e| (e.at.0, e.opening)).collect();
        let want: Vec<(i64, bool)> = core::iter::once((10, true)).chain(fill).collect();
        assert_eq!(fills, want, "{units} {origin:?}");
        assert_eq!(facts.days()[0].opened, 1, "what is added opens no position");
    }
}

#[test]
fn a_part_that_is_closed_counts_for_the_day_its_position_was_opened_on() {
    let mut state = opened();
    trade(&mut state, 1, 10);
    day(&mut state, 100, 99_997);
    trade(&mut state, 2, 110);
    let rest = Position { lots: Lots::from_units(40_000_000), ..position(1, 10, None) };
    state.apply(&Record::PositionChanged(rest));
    state.apply(&moved(120, TransactionKind::Profit, 70));
    let market = Market::new(&[]);
    let days = Facts::of(&state.accounts[&ACCOUNT], 0, &market).days();
    assert_eq!(days.iter().map(|d| d.opened_profit).collect::<Vec<_>>(), [money(67), money(-3)]);
    assert_eq!(days.iter().map(|d| d.closed_profit).collect::<Vec<_>>(), [money(-3), money(67)]);
}

#[test]
fn a_night_counts_for_the_day_its_own_position_was_opened_on_and_a_fee_for_none() {
    let mut state = opened();
    trade(&mut state, 1, 10);
    day(&mut state, 100, 99_997);
    trade(&mut state, 2, 110);
    let night = |position, amount| {
        let (id, at, kind) = (TransactionId(1), Millis(120), TransactionKind::Swap);
        Record::Moved(Transaction::transfer(id, ACCOUNT, at, kind, position, Book::Venue, money(amount)))
    };
    state.apply(&night(1, -7));
    state.apply(&night(2, 2));
    state.apply(&moved(130, TransactionKind::Fee, -50));
    let market = Market::new(&[]);
    let days = Facts::of(&state.accounts[&ACCOUNT], 0, &market).days();
    assert_eq!(days.iter().map(|d| d.opened_profit).collect::<Vec<_>>(), [money(-10), money(-1)]);
    assert_eq!(days.iter().map(|d| d.closed_profit).collect::<Vec<_>>(), [money(-3), money(-58)]);
}

#[test]
fn marks_are_the_highest_so_far_and_at_the_ends_of_days() {
    let mut state = opened();
    trade(&mut state, 1, 10);
    close(&mut state, 1, 10, 20, 5_000);
    trade(&mut state, 2, 30);
    close(&mut state, 2, 30, 40, -1_000);
    let market = Market::new(&[]);
    let summary = |state: &State| Facts::of(&state.accounts[&ACCOUNT], 0, &market).summary();
    // 100,000 − 3 + 5,000 at its best; the day has not ended.
    assert_eq!((summary(&state).peak_balance, summary(&state).peak_day_balance), (money(104_997), money(100_000)));
    day(&mut state, 100, 103_988);
    day(&mut state, 200, 103_000);
    assert_eq!(summary(&state).peak_day_balance, money(103_988));
}

#[test]
fn deposits_and_withdrawals_move_every_mark_and_are_no_profit() {
    let mut state = opened();
    trade(&mut state, 1, 10);
    close(&mut state, 1, 10, 20, 8_006);
    day(&mut state, 100, 108_000);
    state.apply(&funding(110, 2_000));
    let market = Market::new(&[]);
    let summary = |state: &State| Facts::of(&state.accounts[&ACCOUNT], 0, &market).summary();
    assert_eq!((summary(&state).peak_balance, summary(&state).peak_day_balance), (money(110_003), money(110_000)));
    assert_eq!((summary(&state).deposited, summary(&state).withdrawn), (money(2_000), Money::ZERO));
    assert_eq!(state.accounts[&ACCOUNT].rules[0].day.unwrap().balance, money(110_000));
    assert_eq!(state.accounts[&ACCOUNT].facts.capital, money(102_000));
    // Taking out the profit of 8,000 leaves the capital; 500 more come out of it.
    state.apply(&funding(120, -8_500));
    assert_eq!((summary(&state).withdrawn, summary(&state).peak_balance), (money(8_500), money(101_503)));
    assert_eq!(state.accounts[&ACCOUNT].facts.capital, money(101_500));
    assert_eq!(state.accounts[&ACCOUNT].rules[0].day.unwrap().equity, money(101_500));
    let days = Facts::of(&state.accounts[&ACCOUNT], 0, &market).days();
    assert_eq!(days.iter().map(|d| d.closed_profit).collect::<Vec<_>>(), [money(8_000)]);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut state = opened();
    for number in 0..1_000 {
        day(&mut state, number * 100, 100_000);
        trade(&mut state, number, number * 100 + 1);
    }
    let account = &state.accounts[&ACCOUNT];
    let market = Market::new(&[]);
    let facts = Facts::of(account, 0, &market);
    assert_eq!((facts.days().len(), facts.executions().len()), (DAYS_MAX, EXECUTIONS_MAX));
    assert_eq!(facts.days().last().map(|d| d.began_at), Some(Millis(99_900)));
}
