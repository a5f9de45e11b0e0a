//! What an SMA cross must come to, by a loop over the columns in integers: every program that is compared must have done
//! exactly this work.
//!
//! Programs differ in one thing only, where a wish that arises at the close of a bar is filled, and each is held to its own
//! rule: see [`Fill`].

use marque_domain::fixed::{Money, SCALE};

use crate::{
    columns::Columns,
    shipped::{FAST, FEE, SLOW, UNITS},
};

/// The quote at which a wish from the close of a bar is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// The first after the close. A minute's quotes have the spread of its close.
    Next,
    /// The last that had come when the bar closed, one at that very millisecond included. Minutes have no spread there.
    Last,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Closed trades.
    pub trades: u64,
    balance: i64,
    held: Option<Held>,
    last: Quote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    long: bool,
    entry: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Quote {
    bid: i64,
    ask: i64,
}

/// A bar that closed, and the quotes on both sides of its close.
struct Closed {
    close: i64,
    last: Quote,
    next: Option<Quote>,
}

impl Expected {
    /// Goes through a market; the account begins with `cash`.
    pub fn of(columns: &Columns, fill: Fill, cash: Money) -> Self {
        let (closed, last) = match columns {
            Columns::Ticks(t) => of_quotes(&t.at, &t.bid, &t.ask),
            Columns::Minutes(b) => of_minutes(&b.open, &b.close, &b.spread),
        };
        let mut came = Self { trades: 0, balance: cash.units(), held: None, last };
        let mut above = None;
        for (index, bar) in closed.iter().enumerate() {
            let at = match fill {
                Fill::Next => bar.next,
                Fill::Last => Some(bar.last),
            };
            let (Some(rises), Some(at)) = (rises(&closed, index), at) else { continue };
            if above.replace(rises).is_some_and(|before| before != rises) {
                came.turn(rises, at);
            }
        }
        came
    }

    /// Equity at the last quote: longs at the bid, shorts at the ask.
    pub fn equity(&self) -> Money {
        self.equity_at(self.last)
    }

    /// Equity where both count at the bid.
    pub fn equity_at_bid(&self) -> Money {
        self.equity_at(Quote { bid: self.last.bid, ask: self.last.bid })
    }

    fn equity_at(&self, quote: Quote) -> Money {
        Money::from_units(self.balance + self.held.map_or(0, |held| held.profit(quote)))
    }

    fn turn(&mut self, long: bool, at: Quote) {
        if let Some(held) = self.held {
            self.balance += held.profit(at) - FEE.units();
            self.trades += 1;
        }
        self.balance -= FEE.units();
        self.held = Some(Held { long, entry: if long { at.ask } else { at.bid } });
    }
}

impl Held {
    /// Prices and money have the same scale: a position of whole units earns whole units of 1e-8.
    const fn profit(&self, at: Quote) -> i64 {
        let change = if self.long { at.bid - self.entry } else { self.entry - at.ask };
        change * UNITS
    }
}

/// Whether the fast average is above the slow one at a bar; none while they are equal or there are too few bars.
fn rises(closed: &[Closed], index: usize) -> Option<bool> {
    let (fast, slow) = (i64::from(FAST), i64::from(SLOW));
    let sum = |bars: i64| {
        let first = (index + 1).checked_sub(usize::try_from(bars).ok()?)?;
        Some(closed.get(first..=index)?.iter().map(|bar| bar.close).sum::<i64>())
    };
    // As products, for averages have remainders.
    let (fast, slow) = (sum(fast)? * slow, sum(slow)? * fast);
    (fast != slow).then_some(fast > slow)
}

fn of_quotes(at: &[i64], bid: &[i64], ask: &[i64]) -> (Vec<Closed>, Quote) {
    const MINUTE_MS: i64 = 60_000;
    let quotes = || bid.iter().zip(ask).map(|(bid, ask)| Quote { bid: *bid, ask: *ask });
    let pairs = quotes().zip(quotes().skip(1)).zip(at.windows(2));
    let closed = pairs.filter_map(|((last, next), times)| {
        let [before, now] = times else { return None };
        let is_over = before.div_euclid(MINUTE_MS) != now.div_euclid(MINUTE_MS);
        let seen = if now.rem_euclid(MINUTE_MS) == 0 { next } else { last };
        is_over.then_some(Closed { close: last.bid, last: seen, next: Some(next) })
    });
    (closed.collect(), quotes().next_back().unwrap_or_default())
}

fn of_minutes(open: &[i64], close: &[i64], spread: &[i64]) -> (Vec<Closed>, Quote) {
    let next = open.iter().zip(spread).map(|(bid, spread)| Some(Quote { bid: *bid, ask: bid + spread }));
    let next = next.skip(1).chain(core::iter::once(None));
    let closed = close.iter().zip(next).map(|(close, next)| {
        let last = Quote { bid: *close, ask: *close };
        Closed { close: *close, last, next }
    });
    let last = close.last().zip(spread.last()).map(|(bid, spread)| Quote { bid: *bid, ask: bid + spread });
    (closed.collect(), last.unwrap_or_default())
}

/// Money as a float, for programs that count in floats.
pub fn float(money: Money) -> f64 {
    money.units() as f64 / SCALE as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_market::columns::BarColumns;

    #[test]
    fn it_turns_where_the_averages_cross_and_pays_for_it() {
        // Falls by a point a minute for thirty minutes, rises for thirty, falls for thirty.
        let point = |step: i64| 140_000_000 + 1_000 * step;
        let close: Vec<i64> =
            (0..30).map(|m| -m).chain((0..30).map(|m| m - 30)).chain((0..30).map(|m| -m)).map(point).collect();
        let bars = BarColumns {
            open_at: (0..90).map(|m| m * 60_000).collect(),
            open: close.clone(),
            high: close.clone(),
            low: close.clone(),
            spread: vec![2_000; 90],
            volume: vec![1; 90],
            close,
        };
        let columns = Columns::Minutes(bars);
        let cash = Money::whole(1_000);
        let next = Expected::of(&columns, Fill::Next, cash);
        let last = Expected::of(&columns, Fill::Last, cash);
        // Up and down again: one trade is over, one is open, and three fills were charged.
        assert_eq!((next.trades, last.trades), (1, 1));
        assert!(next.held.is_some_and(|held| !held.long));
        // A short that is open counts for two points less at the ask than at the bid.
        let spread = next.equity_at_bid().saturating_sub(next.equity());
        assert_eq!(spread, Money::from_units(2_000 * UNITS));
        // The rules differ by a bar's move and the spreads: here by no more than five points a fill.
        let apart = (next.equity_at_bid().units() - last.equity_at_bid().units()).abs();
        assert!(apart > 0 && apart <= 3 * 5_000 * UNITS, "{apart}");
        assert_eq!(float(Money::from_units(SCALE / 4)), 0.25);
    }
}
