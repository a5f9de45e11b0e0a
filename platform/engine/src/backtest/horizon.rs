//! The next quote that could change what a strategy sees: where a run must end.

use super::{Test, recording::Triggers};
use marque_domain::{
    bar::Quote,
    fixed::{Money, Price},
    order::{Position, Side},
};

use crate::{book, convert::Rate, state::AccountState};

impl Test<'_> {
    /// The first quote from `next` to before `limit` that triggers a stop, reaches a rule's wake level or a
    /// due time; `limit` when there is none.
    pub(super) fn horizon(&mut self, limit: usize) -> usize {
        let due = self.desk.shard().next_due().min(self.desk.venue().next_expiry());
        let end = self.quotes.first_at(self.next, limit, due.0);
        match self.triggers() {
            Some(triggers) => self.bars.first_hit(self.quotes, self.bar, self.next, end, &triggers),
            None => self.next,
        }
    }

    /// Lets rules know the best equity among quotes that are passed over, up to `end`.
    pub(super) fn raise_peaks(&mut self, end: usize) {
        let id = self.setup.terms.id;
        let watched =
            self.desk.shard().state().accounts.get(&id).is_some_and(|a| !a.rules.is_empty() && !a.positions.is_empty());
        if !watched {
            return;
        }
        let Some(extremes) = self.quotes.extremes(self.next, end) else { return };
        for quote in extremes {
            self.desk.glance(&quote);
            let equity = self.desk.shard().equity(id).unwrap_or(Money::MIN);
            let mut woken = Vec::new();
            self.desk.shard_mut().monitor().touch(id, equity, &mut woken);
            debug_assert!(woken.is_empty(), "a quote that wakes a rule was passed over");
        }
    }

    /// The prices at which something happens; none when every quote must be looked at.
    fn triggers(&mut self) -> Option<Triggers> {
        let nearest = self.desk.venue().nearest(self.setup.instrument.id)?;
        let or = |level: Option<Price>, none: i64| level.map_or(none, Price::units);
        let mut triggers = Triggers {
            bid_low: or(nearest.bid_low, i64::MIN),
            bid_high: or(nearest.bid_high, i64::MAX),
            ask_low: or(nearest.ask_low, i64::MIN),
            ask_high: or(nearest.ask_high, i64::MAX),
        };
        let top = self.quotes.get(self.next).map_or(i64::MAX / 4, |q: Quote| q.ask.units().saturating_mul(4));
        let shard = self.desk.shard_mut();
        let mut levels: Vec<(Money, Money)> =
            shard.monitor().levels(self.setup.terms.id).iter().map(|l| (l.below, l.above)).collect();
        let account = shard.state().accounts.get(&self.setup.terms.id)?;
        levels.push(crate::margin::levels(account, shard.market()));
        if self.setup.instrument.quote != account.terms.currency && !account.positions.is_empty() {
            // What is converted does not rise and fall with one price.
            return None;
        }
        let first = account.positions.first();
        for (below, above) in levels {
            let Some(first) = first else { continue };
            if account.positions.iter().any(|p| p.side != first.side) {
                return None;
            }
            let equity = account_equity(account, &self.setup.instrument);
            wake(equity, top, first.side, below, above, &mut triggers);
        }
        Some(triggers)
    }
}

/// Turns two equity levels into prices up to `top`. Equity rises with the bid for longs and falls with the
/// ask for shorts, so each level is one price, found by bisection of the very sum that the monitor uses.
fn wake(equity: impl Fn(i64) -> Money, top: i64, side: Side, below: Money, above: Money, triggers: &mut Triggers) {
    match side {
        Side::Buy => {
            // The highest bid that is still at or below the level; the lowest that is at or above it.
            let low = first_where(top, |bid| equity(bid) > below) - 1;
            let high = first_where(top, |bid| equity(bid) >= above);
            triggers.bid_low = triggers.bid_low.max(low);
            triggers.bid_high = triggers.bid_high.min(high);
        }
        Side::Sell => {
            let high = first_where(top, |ask| equity(ask) <= below);
            let low = first_where(top, |ask| equity(ask) < above) - 1;
            triggers.ask_high = triggers.ask_high.min(high);
            triggers.ask_low = triggers.ask_low.max(low);
        }
    }
}

/// Equity as a function of the one price that its positions are closed at.
fn account_equity<'a>(
    account: &'a AccountState,
    instrument: &'a marque_domain::instrument::Instrument,
) -> impl Fn(i64) -> Money + 'a {
    move |price| {
        let profit = |p: &Position| {
            let to = Price::from_units(price);
            book::profit(p.side, p.open_price, to, p.lots, instrument, Rate::ONE)
                .unwrap_or_else(|_| book::overflowed(p.side, p.open_price, to))
        };
        account.positions.iter().fold(account.balance, |sum, p| sum.saturating_add(profit(p)))
    }
}

/// The lowest price in `1..=top` where a condition that stays true once it is true holds; `top + 1` when it
/// never does.
fn first_where(top: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (1, top.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
