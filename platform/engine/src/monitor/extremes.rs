//! The best prices since any moment: what lets a high-water mark be worked out when somebody asks for it, instead of at
//! every quote.
//!
//! For each spread that was quoted, two monotonic stacks of bids. A bid stays only as long as no later one of the same
//! spread is at least as extreme, so the first entry after a moment is the extreme since then. Among quotes of one spread
//! what a book in one instrument is worth rises with the price or falls with it, hedged or not: so its best is at one of
//! these, and markets have few spreads. A book of one side alone looks at one price, whatever the spread: two stacks more.

use marque_domain::{bar::Quote, fixed::Price};
use std::collections::BTreeMap;

/// Prices kept of one side and spread at most. They are distinct and sorted, so a market would have to fall through this
/// many different prices without ever coming back up.
const KEPT_MAX: usize = 65_536;
/// Spreads kept at most.
const SPREADS_MAX: usize = 256;

/// Highest and lowest bids of one spread, by the moment at which they came.
#[derive(Debug, Default)]
struct Stacks {
    highs: Vec<(u64, Price)>,
    lows: Vec<(u64, Price)>,
}

/// The range of bids that came with a spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// Ask less bid, in units of 1e-8.
    pub spread: i64,
    /// The lowest bid.
    pub low: Price,
    /// The highest bid.
    pub high: Price,
}

impl Range {
    /// Bid and ask of its better end, for who gains when the price rises, or when it falls.
    pub const fn better(&self, rises: bool) -> (Price, Price) {
        let bid = if rises { self.high } else { self.low };
        (bid, bid.saturating_add(Price::from_units(self.spread)))
    }
}

/// Highest and lowest bids of each spread since each moment that is asked for. Moments are counted in quotes.
#[derive(Debug, Default)]
pub(super) struct Extremes {
    count: u64,
    spreads: BTreeMap<i64, Stacks>,
    /// The highest bids and the lowest asks, whatever the spread: all that matters to who holds one side.
    bids: Vec<(u64, Price)>,
    asks: Vec<(u64, Price)>,
    forget_until: u64,
    full: bool,
}

impl Extremes {
    /// The present moment: what comes from now on is after it.
    pub const fn now(&self) -> u64 {
        self.count
    }

    /// Takes a quote.
    pub fn push(&mut self, quote: &Quote) {
        if self.forget_until > 0 {
            let until = core::mem::take(&mut self.forget_until);
            self.full = false;
            self.spreads.retain(|_, stacks| {
                stacks.highs.retain(|(at, _)| *at > until);
                stacks.lows.retain(|(at, _)| *at > until);
                !stacks.highs.is_empty()
            });
            self.bids.retain(|(at, _)| *at > until);
            self.asks.retain(|(at, _)| *at > until);
        }
        self.count += 1;
        while self.bids.pop_if(|(_, bid)| *bid <= quote.bid).is_some() {}
        self.bids.push((self.count, quote.bid));
        while self.asks.pop_if(|(_, ask)| *ask >= quote.ask).is_some() {}
        self.asks.push((self.count, quote.ask));
        let stacks = self.spreads.entry(quote.ask.units() - quote.bid.units()).or_default();
        while stacks.highs.pop_if(|(_, bid)| *bid <= quote.bid).is_some() {}
        stacks.highs.push((self.count, quote.bid));
        while stacks.lows.pop_if(|(_, bid)| *bid >= quote.bid).is_some() {}
        stacks.lows.push((self.count, quote.bid));
        self.full |= stacks.highs.len().max(stacks.lows.len()) >= KEPT_MAX;
        self.full |= self.bids.len().max(self.asks.len()) >= KEPT_MAX;
        self.full |= self.spreads.len() > SPREADS_MAX;
    }

    /// The range of bids of each spread since `moment`.
    pub fn since(&self, moment: u64) -> impl Iterator<Item = Range> + '_ {
        self.spreads.iter().filter_map(move |(spread, stacks)| {
            let (low, high) = (first_after(&stacks.lows, moment)?, first_after(&stacks.highs, moment)?);
            Some(Range { spread: *spread, low, high })
        })
    }

    /// The highest bid since `moment`.
    pub fn highest_bid(&self, moment: u64) -> Option<Price> {
        first_after(&self.bids, moment)
    }

    /// The lowest ask since `moment`.
    pub fn lowest_ask(&self, moment: u64) -> Option<Price> {
        first_after(&self.asks, moment)
    }

    /// Whether so much is kept that everybody should take what is theirs and start from now.
    pub const fn is_full(&self) -> bool {
        self.full
    }

    /// Nobody will ask for moments before this one any more.
    pub const fn forget(&mut self) {
        self.forget_until = self.count;
    }
}

fn first_after(stack: &[(u64, Price)], moment: u64) -> Option<Price> {
    stack.get(stack.partition_point(|(at, _)| *at <= moment)).map(|(_, price)| *price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::{id::InstrumentId, time::Millis};
    use proptest::prelude::*;

    fn quote(bid: i64, ask: i64) -> Quote {
        let price = Price::from_units;
        Quote { instrument: InstrumentId(1), at: Millis(0), bid: price(bid), ask: price(ask) }
    }

    proptest! {
        #[test]
        fn the_first_entry_after_a_moment_is_the_extreme_since(
            quotes in prop::collection::vec((1..40_i64, 0..5_i64), 1..200),
            forgotten in 0..100_usize,
        ) {
            let mut seen = Extremes::default();
            for (index, (bid, spread)) in quotes.iter().enumerate() {
                if index == forgotten {
                    seen.forget();
                }
                seen.push(&quote(*bid, bid + spread));
            }
            let first = if forgotten < quotes.len() { forgotten } else { 0 };
            for moment in first..=quotes.len() {
                let mut wanted: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
                for (bid, spread) in &quotes[moment..] {
                    let (low, high) = wanted.entry(*spread).or_insert((*bid, *bid));
                    (*low, *high) = ((*low).min(*bid), (*high).max(*bid));
                }
                let found: Vec<_> = seen.since(moment as u64).map(|r| (r.spread, (r.low.units(), r.high.units()))).collect();
                prop_assert_eq!(found, wanted.into_iter().collect::<Vec<_>>());
                let bid = quotes[moment..].iter().map(|(bid, _)| *bid).max();
                prop_assert_eq!(seen.highest_bid(moment as u64).map(Price::units), bid);
                let ask = quotes[moment..].iter().map(|(bid, spread)| bid + spread).min();
                prop_assert_eq!(seen.lowest_ask(moment as u64).map(Price::units), ask);
            }
        }
    }

    #[test]
    fn a_market_that_only_falls_fills_it_and_forgetting_empties_it() {
        let mut seen = Extremes::default();
        for step in 0..KEPT_MAX as i64 {
            assert!(!seen.is_full());
            seen.push(&quote(1_000_000 - step, 1_000_003 - step));
        }
        assert!(seen.is_full());
        seen.forget();
        seen.push(&quote(5, 6));
        assert!(!seen.is_full());
        (0..=SPREADS_MAX as i64).for_each(|spread| seen.push(&quote(5, 6 + spread)));
        assert!(seen.is_full(), "as many spreads as that are no market");
    }
}
