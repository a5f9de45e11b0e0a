//! The best prices since any moment: what lets a high-water mark be worked out when somebody asks for it, instead of at
//! every quote.
//!
//! Two monotonic stacks. A price stays only as long as no later one is at least as extreme, so the first entry
//! after a moment is the extreme since then.

use marque_domain::{bar::Quote, fixed::Price, order::Side};

/// Prices kept of one side at most. They are distinct and sorted, so a market would have to fall through this many
/// different prices without ever coming back up.
const KEPT_MAX: usize = 65_536;

/// Highest bids and lowest asks since each moment that is asked for. Moments are counted in quotes.
#[derive(Debug, Default)]
pub(super) struct Extremes {
    count: u64,
    bids: Vec<(u64, Price)>,
    asks: Vec<(u64, Price)>,
    forget_until: u64,
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
            self.bids.retain(|(at, _)| *at > until);
            self.asks.retain(|(at, _)| *at > until);
        }
        self.count += 1;
        while self.bids.pop_if(|(_, bid)| *bid <= quote.bid).is_some() {}
        self.bids.push((self.count, quote.bid));
        while self.asks.pop_if(|(_, ask)| *ask >= quote.ask).is_some() {}
        self.asks.push((self.count, quote.ask));
    }

    /// The best price since `moment` at which a position of this side could have been closed.
    pub fn best_exit(&self, side: Side, moment: u64) -> Option<Price> {
        let stack = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        stack.get(stack.partition_point(|(at, _)| *at <= moment)).map(|(_, price)| *price)
    }

    /// Whether so much is kept that everybody should take what is theirs and start from now.
    pub fn is_full(&self) -> bool {
        self.bids.len().max(self.asks.len()) >= KEPT_MAX
    }

    /// Nobody will ask for moments before this one any more.
    pub const fn forget(&mut self) {
        self.forget_until = self.count;
    }
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
                let since = &quotes[moment..];
                let bid = since.iter().map(|(bid, _)| Price::from_units(*bid)).max();
                let ask = since.iter().map(|(bid, spread)| Price::from_units(bid + spread)).min();
                prop_assert_eq!(seen.best_exit(Side::Buy, moment as u64), bid);
                prop_assert_eq!(seen.best_exit(Side::Sell, moment as u64), ask);
            }
        }
    }

    #[test]
    fn a_market_that_only_falls_fills_it_and_forgetting_empties_it() {
        let mut seen = Extremes::default();
        for step in 0..KEPT_MAX as i64 {
            assert!(!seen.is_full());
            seen.push(&quote(1_000_000 - step, 2_000_000));
        }
        assert!(seen.is_full());
        seen.forget();
        seen.push(&quote(5, 6));
        assert!(!seen.is_full());
    }
}
