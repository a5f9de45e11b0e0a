//! What a rule may ask beyond the account it is given. A rule that asks for nothing costs its host nothing more.

use crate::{Account, Instrument, Lots, Money, OrderKind, Price, Side, TimeInForce, host};

/// Marks and counts. Deposits and withdrawals move every mark by their amount and are never profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// When the account was opened, in milliseconds.
    pub opened_at: i64,
    /// Highest closed balance so far.
    pub peak_balance: Money,
    /// Highest closed balance at which one of the rule's days began; what it was funded with before the first.
    pub peak_day_balance: Money,
    /// Deposits since the opening.
    pub deposited: Money,
    /// Withdrawals and payouts since the opening, as a positive amount.
    pub withdrawn: Money,
    /// Orders that may open a position, approved on the rule's day.
    pub trades_today: u32,
    /// How many the owner's plan allows in a UTC day, on all accounts together; none means no limit.
    pub trades_allowed: Option<u32>,
}

/// What happened on one of the rule's days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayTally {
    /// When the day began.
    pub began_at: i64,
    /// Orders that may open a position, approved.
    pub ordered: u32,
    /// Positions opened.
    pub opened: u32,
    /// What positions opened on this day have earned since, less their charges.
    pub opened_profit: Money,
    /// What was earned by closing positions on this day, less all charges of the day.
    pub closed_profit: Money,
}

/// A fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// When, in milliseconds.
    pub at: i64,
    /// In what.
    pub instrument: u32,
    /// Whether it opened a position; else it closed one, whoever asked for it but a rule.
    pub opening: bool,
}

/// A time in which an instrument does not trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// The end of a session, in milliseconds.
    pub begins_at: i64,
    /// The beginning of the next.
    pub ends_at: i64,
}

/// How the order at hand would trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTerms {
    /// At which price.
    pub kind: OrderKind,
    /// For how long.
    pub time_in_force: TimeInForce,
}

/// What is left of an order that would open a position and has not traded: it stands at the venue, or is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingOrder {
    /// In what.
    pub instrument: u32,
    /// Which way.
    pub side: Side,
    /// How much of it has not traded.
    pub lots: Lots,
    /// At which price.
    pub kind: OrderKind,
    /// Attached stop-loss.
    pub stop_loss: Option<Price>,
    /// Of the orders of a group only one can trade; an order alone has a group of its own.
    pub group: i64,
}

/// What binds a strategy's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// The highest equity at which a rule ends or pauses the account.
    pub floor: Option<Money>,
    /// When that rule's day begins anew, in milliseconds.
    pub resets_at: Option<i64>,
    /// Closed balance.
    pub balance: Money,
}

impl Account {
    /// Marks and counts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        host::facts()
    }

    /// The rule's days with orders or fills, oldest first, at most the last 400.
    #[must_use]
    pub fn days(&self) -> Vec<DayTally> {
        host::days()
    }

    /// The last fills, oldest first, at most 16.
    #[must_use]
    pub fn executions(&self) -> Vec<Execution> {
        host::executions()
    }

    /// How the order at hand would trade; none outside `check`.
    #[must_use]
    pub fn terms(&self) -> Option<OrderTerms> {
        host::terms()
    }

    /// The account's orders that wait, oldest first, at most 200. In a `check` without those that the order at hand would
    /// replace: the one that it changes, and those of its group.
    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingOrder> {
        host::waiting()
    }

    /// What an instrument is, of those that the account holds, has just traded, or is about to.
    #[must_use]
    pub fn instrument(&self, id: u32) -> Option<Instrument> {
        host::instrument(id)
    }

    /// The closure of such an instrument that holds now or comes next and lasts at least this long.
    #[must_use]
    pub fn next_closure(&self, id: u32, least_ms: i64) -> Option<Closure> {
        host::next_closure(self.now, id, least_ms)
    }
}
