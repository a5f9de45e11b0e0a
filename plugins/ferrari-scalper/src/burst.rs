//! How far the price has moved within a window of time, from single quotes.

use marque_plugin::{Price, Tick};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Quotes kept; more within the window are thinned out by leaving every other one out.
const QUOTES_MAX: usize = 256;

/// The quotes of the window, oldest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct Window {
    length_ms: i64,
    quotes: VecDeque<(i64, Price)>,
}

impl Window {
    pub fn new(length_ms: u32) -> Self {
        Self { length_ms: i64::from(length_ms), quotes: VecDeque::new() }
    }

    pub fn clear(&mut self) {
        self.quotes.clear();
    }

    /// Takes a quote; answers how far the middle is from that of the oldest quote within the window.
    pub fn take(&mut self, tick: &Tick) -> Price {
        let middle = tick.bid + (tick.ask - tick.bid).times(1, 2);
        while self.quotes.front().is_some_and(|(at, _)| tick.at.saturating_sub(*at) > self.length_ms) {
            self.quotes.pop_front();
        }
        if self.quotes.len() >= QUOTES_MAX {
            let mut odd = false;
            self.quotes.retain(|_| {
                odd = !odd;
                odd
            });
        }
        self.quotes.push_back((tick.at, middle));
        self.quotes.front().map_or(Price::ZERO, |(_, oldest)| middle - *oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(at: i64, pips: i64) -> Tick {
        let bid = Price::from_units(110_000_000 + pips * 10_000);
        Tick { at, bid, ask: bid }
    }

    #[test]
    fn a_move_is_from_the_oldest_quote_within_the_window() {
        let mut window = Window::new(1_000);
        let moves: Vec<i64> = [(0, 0), (500, 2), (1_000, 5), (1_001, 5), (1_600, 6), (9_000, 60)]
            .map(|(at, pips)| window.take(&tick(at, pips)).units() / 10_000)
            .to_vec();
        assert_eq!(moves, [0, 2, 5, 3, 1, 0], "after a gap there is nothing to compare with");
    }

    #[test]
    fn a_flood_of_quotes_is_thinned_out_and_its_beginning_kept() {
        let mut window = Window::new(60_000);
        for at in 0..10_000 {
            assert_eq!(window.take(&tick(at, at)).units() / 10_000, at);
            assert!(window.quotes.len() <= QUOTES_MAX);
        }
    }
}
