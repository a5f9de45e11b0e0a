//! What a rule may ask of an account beyond what it is worth now: marks, days and fills, as a fold over the records, so
//! that a restart finds them again.
//!
//! Money from and to the outside moves every mark by its amount and is never profit.

use crate::{
    event::Record,
    market::Market,
    state::{AccountState, RuleState, State},
};
use marque_domain::{
    calendar::{Calendar, Closure},
    fixed::{Lots, Money},
    id::{AccountId, InstrumentId, PositionId},
    instrument::Instrument,
    kill::{Authority, Kill, KillMode},
    ledger::{Transaction, TransactionKind},
    order::{Order, Origin, Position, Purpose},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// Days that are kept for a rule; older ones are forgotten.
pub const DAYS_MAX: usize = 400;
/// Fills that are kept.
pub const EXECUTIONS_MAX: usize = 16;

/// Marks and fills of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccountFacts {
    /// What it was funded with: deposits, less what was withdrawn beyond its profit.
    pub capital: Money,
    /// All deposits, the opening one included.
    pub deposited: Money,
    /// All withdrawals, as a positive amount.
    pub withdrawn: Money,
    /// Highest closed balance.
    pub peak_balance: Money,
    /// The last fills, oldest first, but those that rules asked for.
    pub executions: Vec<Execution>,
    /// When the position of the last fill was opened: what that fill earns and costs, which moves next, is credited to that day.
    credited_to: Millis,
}

/// A fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// When.
    pub at: Millis,
    /// In what.
    pub instrument: InstrumentId,
    /// Whether it opened a position or added to one; else it closed one, or a part of it.
    pub opening: bool,
}

/// The fill that is being folded in: when, and who asked for it. What it does to positions comes in the records right after it, and
/// of these one that changes a position says neither. It follows from records of the same commit, so it is neither kept nor
/// compared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filling(Option<(Millis, Origin)>);

impl PartialEq for Filling {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Filling {}

/// What happened on one of a rule's days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DayTally {
    /// When the day began.
    pub began_at: Millis,
    /// Opening orders approved.
    pub ordered: u32,
    /// Positions opened.
    pub opened: u32,
    /// What positions opened on this day have earned, less their charges.
    pub opened_profit: Money,
    /// What was earned by closing on this day, less its charges.
    pub closed_profit: Money,
}

/// A rule's view of the facts. Nothing is computed before it is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    known: Option<(&'a AccountState, usize, &'a Market)>,
}

/// Marks and counts, as a rule gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactSummary {
    /// When the account was opened.
    pub opened_at: Millis,
    /// Highest closed balance.
    pub peak_balance: Money,
    /// Highest closed balance at which one of the rule's days began.
    pub peak_day_balance: Money,
    /// Deposits since the opening.
    pub deposited: Money,
    /// Withdrawals since the opening.
    pub withdrawn: Money,
    /// Opening orders approved on the rule's day.
    pub trades_today: u32,
    /// How many the plan allows in a UTC day.
    pub trades_allowed: Option<u32>,
}

impl<'a> Facts<'a> {
    /// Of an account without history in a market without instruments.
    pub const NONE: Self = Self { known: None };

    pub(crate) const fn of(account: &'a AccountState, rule: usize, market: &'a Market) -> Self {
        Self { known: Some((account, rule, market)) }
    }

    fn rule(&self) -> Option<&'a RuleState> {
        self.known.and_then(|(account, rule, _)| account.rules.get(rule))
    }

    /// Marks and counts.
    #[must_use]
    pub fn summary(&self) -> FactSummary {
        let Some((account, _, _)) = self.known else { return FactSummary::default() };
        let began_at = self.rule().and_then(|r| r.day).map_or(account.opened_at, |d| d.began_at);
        let today = self.days().last().filter(|d| d.began_at == began_at);
        FactSummary {
            opened_at: account.opened_at,
            peak_balance: account.facts.peak_balance,
            peak_day_balance: self.rule().map_or(Money::ZERO, |r| r.peak_day_balance),
            deposited: account.facts.deposited.saturating_sub(account.terms.initial_balance),
            withdrawn: account.facts.withdrawn,
            trades_today: today.map_or(0, |d| d.ordered),
            trades_allowed: account.terms.trades_per_day,
        }
    }

    /// The rule's days with orders or fills, oldest first.
    #[must_use]
    pub fn days(&self) -> &'a [DayTally] {
        self.rule().and_then(|r| r.days.as_deref()).unwrap_or_default()
    }

    /// The last fills, oldest first.
    #[must_use]
    pub fn executions(&self) -> &'a [Execution] {
        self.known.map_or(&[], |(account, _, _)| &account.facts.executions)
    }

    /// The account's orders that would open a position and have not traded, oldest first: they stand at the venue, or are on
    /// their way.
    pub fn waiting(&self) -> impl Iterator<Item = &'a Order> {
        let orders = self.known.map_or(&[][..], |(account, _, _)| &account.orders);
        orders.iter().filter(|o| o.purpose == Purpose::Open && o.remaining() > Lots::ZERO)
    }

    /// An instrument of the catalogue.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&'a Instrument> {
        self.known.and_then(|(_, _, market)| market.instrument(id))
    }
}

/// The closure of an instrument at `now` or the next one after, of at least this length.
#[must_use]
pub fn next_closure(instrument: &Instrument, now: Millis, least_ms: i64) -> Option<Closure> {
    Calendar::of(instrument.calendar).next_closure(now, least_ms)
}

impl RuleState {
    /// The tally of the day that began at `began_at`, made when it is new; none for a rule that keeps no days.
    fn tally(&mut self, began_at: Millis) -> Option<&mut DayTally> {
        let days = self.days.as_mut()?;
        if days.last().is_none_or(|d| d.began_at < began_at) {
            if days.len() >= DAYS_MAX {
                days.remove(0);
            }
            days.push(DayTally { began_at, ..DayTally::default() });
        }
        days.last_mut()
    }

    /// The tally of the day on which `at` lay, if it is still kept.
    fn tally_of(&mut self, at: Millis) -> Option<&mut DayTally> {
        self.days.as_mut()?.iter_mut().rfind(|d| d.began_at <= at)
    }
}

impl AccountState {
    fn today(&mut self, change: impl Fn(&mut DayTally)) {
        let opened_at = self.opened_at;
        for rule in &mut self.rules {
            let began_at = rule.day.map_or(opened_at, |d| d.began_at);
            if let Some(tally) = rule.tally(began_at) {
                change(tally);
            }
        }
    }

    pub(crate) fn filled(&mut self, execution: Option<Execution>, opened_at: Millis) {
        self.facts.credited_to = opened_at;
        let Some(execution) = execution else { return };
        if self.facts.executions.len() >= EXECUTIONS_MAX {
            self.facts.executions.remove(0);
        }
        self.facts.executions.push(execution);
    }

    /// Takes money that trading moved, after the balance has.
    fn earned(&mut self, transaction: &Transaction) {
        let cash = transaction.cash();
        self.today(|day| day.closed_profit = day.closed_profit.saturating_add(cash));
        let opened_at = match transaction.kind() {
            // A night is of the position that was held over it, whatever traded last.
            TransactionKind::Swap => self.position(PositionId(transaction.reference())).map(|p| p.opened_at),
            // What is no trade is of no position.
            TransactionKind::Fee => None,
            _ => Some(self.facts.credited_to),
        };
        let Some(opened_at) = opened_at else { return };
        for day in self.rules.iter_mut().filter_map(|r| r.tally_of(opened_at)) {
            day.opened_profit = day.opened_profit.saturating_add(cash);
        }
    }

    /// Takes money from or to the outside, after the balance has: every mark moves with it.
    fn funded(&mut self, cash: Money) {
        let before = self.balance.saturating_sub(cash);
        let facts = &mut self.facts;
        if cash >= Money::ZERO {
            facts.deposited = facts.deposited.saturating_add(cash);
            facts.capital = facts.capital.saturating_add(cash);
        } else {
            let profit = before.saturating_sub(facts.capital).max(Money::ZERO);
            let beyond = cash.negated().saturating_sub(profit).max(Money::ZERO);
            facts.withdrawn = facts.withdrawn.saturating_add(cash.negated());
            facts.capital = facts.capital.saturating_sub(beyond);
        }
        facts.peak_balance = facts.peak_balance.saturating_add(cash);
        for rule in &mut self.rules {
            rule.peak_day_balance = rule.peak_day_balance.saturating_add(cash);
            if let Some(day) = &mut rule.day {
                for mark in [&mut day.balance, &mut day.equity, &mut day.peak_equity] {
                    *mark = mark.saturating_add(cash);
                }
            }
        }
    }

    pub(crate) fn moved_money(&mut self, transaction: &Transaction) {
        if transaction.kind().is_funding() {
            self.funded(transaction.cash());
        } else {
            self.earned(transaction);
        }
        self.facts.peak_balance = self.facts.peak_balance.max(self.balance);
    }
}

impl State {
    /// Folds one record into the facts, after the rest of the state.
    pub(crate) fn apply_to_facts(&mut self, record: &Record) {
        let origin = |p: &Position| p.closed.map_or(Origin::Rule, |closed| closed.origin);
        let spared = matches!(record, Record::PositionClosed(p) if self.is_closed_by_others(p, origin(p)));
        let mut of = |id: AccountId, change: &mut dyn FnMut(&mut AccountState)| {
            if let Some(account) = self.accounts.get_mut(&id) {
                change(account);
            }
        };
        match record {
            Record::DaysKept { account, rule } => of(*account, &mut |a| {
                if let Some(rule) = a.rules.get_mut(usize::from(*rule)) {
                    rule.days.get_or_insert_default();
                }
            }),
            Record::DayBegan { account, rule, anchor } => of(*account, &mut |a| {
                if let Some(rule) = a.rules.get_mut(usize::from(*rule)) {
                    rule.peak_day_balance = rule.peak_day_balance.max(anchor.balance);
                }
            }),
            Record::OrderPlaced(order) if order.purpose == Purpose::Open => {
                of(order.account, &mut |a| a.today(|day| day.ordered = day.ordered.saturating_add(1)));
            }
            Record::PositionOpened(p) => of(p.account, &mut |a| {
                let execution = Execution { at: p.opened_at, instrument: p.instrument, opening: true };
                a.filled(Some(execution), p.opened_at);
                a.today(|day| day.opened = day.opened.saturating_add(1));
            }),
            Record::PositionClosed(p) => of(p.account, &mut |a| {
                let at = p.closed.map_or(p.opened_at, |closed| closed.at);
                let execution = Execution { at, instrument: p.instrument, opening: false };
                a.filled(Some(execution).filter(|_| !spared), p.opened_at);
            }),
            Record::Moved(transaction) => of(transaction.account(), &mut |a| a.moved_money(transaction)),
            _ => {}
        }
    }

    /// Takes note of a fill, before the rest of the state does.
    pub(crate) fn note_fill(&mut self, record: &Record) {
        let known = |order: &Order| self.remembered(order.id).map_or(Lots::ZERO, |known| known.filled);
        let fill = match record {
            // The order of a level that the venue carried out.
            Record::OrderPlaced(order) if order.filled > Lots::ZERO => Some((order.updated_at, order.origin)),
            Record::OrderMoved(order) if order.filled > known(order) => Some((order.updated_at, order.origin)),
            // Of what is beyond an order nothing else is told.
            Record::Executed { order, at, .. } => self.remembered(*order).map(|order| (*at, order.origin)),
            _ => None,
        };
        if fill.is_some() {
            self.filling = Filling(fill);
        }
    }

    /// What the fill that is being folded in does to a position that stays open: adds to it, or closes a part. None when its
    /// lots stay, and when others than its owner close the part.
    pub(crate) fn traded_part(&self, position: &Position) -> Option<Execution> {
        let (known, (at, origin)) = (self.position(position.id)?, self.filling.0?);
        let (opening, closing) = (position.lots > known.lots, position.lots < known.lots);
        let counts = opening || (closing && !self.is_closed_by_others(position, origin));
        counts.then_some(Execution { at, instrument: position.instrument, opening })
    }

    /// Whether a position, or a part of it, was closed by no act of its owner's: by a rule, or by a switch of those who run the brand
    /// or the platform. By their own switch they closed it themselves.
    fn is_closed_by_others(&self, position: &Position, origin: Origin) -> bool {
        let covers = |kill: &Kill| {
            kill.mode == KillMode::Close
                && kill.authority > Authority::Trader
                && kill.scope.covers(position.account, position.instrument, position.deployment)
        };
        match origin {
            Origin::Rule => true,
            Origin::KillSwitch => self.kills.values().any(covers),
            Origin::Strategy | Origin::Trader | Origin::StopLoss | Origin::TakeProfit | Origin::StopOut => false,
        }
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
