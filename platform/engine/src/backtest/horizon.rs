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
/// ask for shorts, so each level is one price, searched with the very sum that the monitor uses.
fn wake(equity: impl Fn(i64) -> Money, top: i64, side: Side, below: Money, above: Money, triggers: &mut Triggers) {
    let ends = (equity(1), equity(top));
    let near = |level| near(ends, top, level);
    match side {
        Side::Buy => {
            // The highest bid that is still at or below the level; the lowest that is at or above it.
            let low = first_where(top, near(below), |bid| equity(bid) > below) - 1;
            let high = first_where(top, near(above), |bid| equity(bid) >= above);
            triggers.bid_low = triggers.bid_low.max(low);
            triggers.bid_high = triggers.bid_high.min(high);
        }
        Side::Sell => {
            let high = first_where(top, near(below), |ask| equity(ask) <= below);
            let low = first_where(top, near(above), |ask| equity(ask) < above) - 1;
            triggers.ask_high = triggers.ask_high.min(high);
            triggers.ask_low = triggers.ask_low.max(low);
        }
    }
}

/// Where about equity passes a level, were it one straight line from price 1 to `top`: all but its rounding is.
fn near((from, to): (Money, Money), top: i64, level: Money) -> i64 {
    let (from, to, level) = (i128::from(from.units()), i128::from(to.units()), i128::from(level.units()));
    let share = (level - from) * i128::from(top - 1);
    let place = share.checked_div(to - from).unwrap_or(0) + 1;
    i64::try_from(place.clamp(1, i128::from(top.max(1)))).unwrap_or(top)
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
/// never does. It is looked for from `near` in growing steps, and then between the last two: `near` decides how long that
/// takes and nothing else.
fn first_where(top: i64, near: i64, holds: impl Fn(i64) -> bool) -> i64 {
    // It holds nowhere below `low`, and from `high` on.
    let (mut low, mut high) = (1, top.saturating_add(1));
    let (mut step, mut at) = (1_i64, near.clamp(1, top.max(1)));
    while low < high {
        if holds(at) {
            high = at;
            at = at.saturating_sub(step);
        } else {
            low = at + 1;
            at = at.saturating_add(step);
        }
        step = step.saturating_mul(4);
        if at < low || at >= high {
            // Both sides are known, or an end was reached.
            at = low + (high - low) / 2;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_found_from_wherever_the_search_begins() {
        for top in [1, 2, 7, 1_000] {
            for first in 1..=top + 1 {
                for near in [i64::MIN, 0, 1, first - 1, first, first + 1, top, i64::MAX] {
                    assert_eq!(first_where(top, near, |price| price >= first), first, "{top} {first} {near}");
                }
            }
        }
    }

    #[test]
    fn a_search_that_begins_nearby_is_short() {
        let asked = core::cell::Cell::new(0);
        let first = 138_123_456;
        let found = first_where(600_000_000, first + 3, |price| {
            asked.set(asked.get() + 1);
            price >= first
        });
        assert_eq!(found, first);
        assert!(asked.get() <= 8, "{}", asked.get());
    }

    #[test]
    fn levels_lie_where_a_straight_line_has_them() {
        let ends = (Money::from_units(-1_000), Money::from_units(1_000));
        for (level, want) in [(-1_000, 1), (0, 501), (1_000, 1_001), (i64::MIN, 1), (i64::MAX, 1_001)] {
            assert_eq!(near(ends, 1_001, Money::from_units(level)), want, "{level}");
        }
        assert_eq!(near((Money::ZERO, Money::ZERO), 9, Money::MAX), 1, "a flat line passes nothing");
    }
}
