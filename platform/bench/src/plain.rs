//! The least that a backtest of quotes could cost: one loop over the columns, with nothing between the numbers.
//!
//! No order, no gate, no ledger, no plugin: bars are built, averages moved and a position's stops compared. What the
//! engine takes beside it is the price of everything that makes a trade explainable.

/// The columns of quotes.
#[derive(Debug, Clone, Copy)]
pub struct Quotes<'a> {
    /// Times in milliseconds.
    pub at: &'a [i64],
    /// Bids in units of 1e-8.
    pub bid: &'a [i64],
    /// Asks in units of 1e-8.
    pub ask: &'a [i64],
}

/// An exponential moving average.
struct Average {
    weight: f64,
    value: Option<f64>,
}

impl Average {
    fn over(bars: u32) -> Self {
        Self { weight: 2.0 / (f64::from(bars) + 1.0), value: None }
    }

    fn next(&mut self, value: f64) -> f64 {
        let moved = self.value.map_or(value, |before| before + (value - before) * self.weight);
        self.value = Some(moved);
        moved
    }
}

/// A position: which way, and the prices that end it.
struct Held {
    long: bool,
    stop: i64,
    target: i64,
}

/// The EMA cross with stops over quotes, bars of a minute; answers how many positions it opened.
pub fn ema_cross(quotes: Quotes<'_>, stop: i64, target: i64) -> usize {
    const MINUTE_MS: i64 = 60_000;
    let (mut fast, mut slow) = (Average::over(12), Average::over(26));
    let (mut minute, mut close, mut opened) = (i64::MIN, 0_i64, 0_usize);
    let (mut high, mut low) = (i64::MIN, i64::MAX);
    let (mut above, mut held) = (None, None::<Held>);
    for ((at, bid), ask) in quotes.at.iter().zip(quotes.bid).zip(quotes.ask) {
        let ended = held.as_ref().is_some_and(|held| {
            let price = if held.long { *bid } else { *ask };
            if held.long {
                price <= held.stop || price >= held.target
            } else {
                price >= held.stop || price <= held.target
            }
        });
        if ended {
            held = None;
        }
        let now = at.div_euclid(MINUTE_MS);
        if now != minute && minute != i64::MIN {
            let rises = fast.next(close as f64) > slow.next(close as f64);
            if above.replace(rises).is_some_and(|before| before != rises) {
                let (entry, way) = if rises { (*ask, 1) } else { (*bid, -1) };
                held = Some(Held { long: rises, stop: entry - way * stop, target: entry + way * target });
                opened += 1;
            }
            // Read, so that no compiler leaves the bar out.
            opened += usize::from(high < low);
            (high, low) = (i64::MIN, i64::MAX);
        }
        minute = now;
        (high, low, close) = (high.max(*bid), low.min(*bid), *bid);
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_trades_each_cross_of_the_averages() {
        // Minutes that fall for an hour, rise for an hour, and fall again: two crosses.
        let bid: Vec<i64> = (0..180_i64).map(|m| if (60..120).contains(&m) { m } else { 120 - m % 120 }).collect();
        let at: Vec<i64> = (0..180_i64).map(|m| m * 60_000).collect();
        let ask: Vec<i64> = bid.iter().map(|bid| bid + 1).collect();
        let opened = ema_cross(Quotes { at: &at, bid: &bid, ask: &ask }, 5, 10);
        assert!((2..=3).contains(&opened), "{opened}");
        assert_eq!(ema_cross(Quotes { at: &at, bid: &[7; 180], ask: &[8; 180] }, 5, 10), 0);
    }
}
