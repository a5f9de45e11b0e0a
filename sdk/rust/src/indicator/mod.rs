//! Indicators that authors need again and again, over prices.
//!
//! The moving windows and averages are those of the library `yata`; this is a thin layer that takes and gives prices,
//! says nothing before it has seen enough, and is part of a snapshot. Floats are safe in indicators: the sandbox
//! canonicalises NaN and has no relaxed instructions, so a value is the same on any machine. What comes of it is a
//! decision, never an amount.
//!
//! ```
//! use marque_plugin::{Price, indicator::Sma};
//!
//! let mut average = Sma::new(3);
//! let values: Vec<Option<Price>> = [1, 2, 6, 7].map(|n| average.next(Price::whole(n))).to_vec();
//! assert_eq!(values, [None, None, Some(Price::whole(3)), Some(Price::whole(5))]);
//! ```

mod ema;

use crate::{Bar, Decimal, Price};
use serde::{Deserialize, Serialize};
use yata::{
    core::{Method, PeriodType},
    methods::{Highest, Lowest, RMA, SMA, StDev},
};

pub use ema::Ema;

/// The longest period of an indicator: as many bars as a strategy may see of history.
pub const PERIOD_MAX: u32 = 10_000;

/// A method of the library that begins with the first value it sees, and the values it still wants before it says
/// something.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Warm<M> {
    period: PeriodType,
    wanted: PeriodType,
    method: Option<M>,
}

impl<M: Method<Params = PeriodType, Input = f64>> Warm<M> {
    /// Over so many values, at least `least`.
    fn new(period: u32, least: PeriodType) -> Self {
        let period = PeriodType::try_from(period.min(PERIOD_MAX)).unwrap_or(PeriodType::MAX).max(least);
        Self { period, wanted: period, method: None }
    }

    fn next(&mut self, value: f64) -> Option<M::Output> {
        self.wanted = self.wanted.saturating_sub(1);
        if self.method.is_none() {
            // Its window begins full of the first value, which then leaves it value by value.
            self.method = M::new(self.period, &value).ok();
        }
        self.method.as_mut().map(|method| method.next(&value)).filter(|_| self.wanted == 0)
    }
}

/// A simple moving average.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sma(Warm<SMA>);

impl Sma {
    /// Over this many values, 1 to [`PERIOD_MAX`].
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self(Warm::new(period, 1))
    }

    /// Takes the next price and answers the average, once it has seen enough.
    pub fn next(&mut self, price: Price) -> Option<Price> {
        self.0.next(price.to_f64()).map(Price::from_f64)
    }
}

/// The relative strength index. J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978: 100 less 100 / (1 +
/// average gain / average loss), with Wilder's smoothing. The averages begin with the first change and not with the mean of
/// the first ones, so give it some periods of history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rsi {
    last: Option<Price>,
    gains: Warm<RMA>,
    losses: Warm<RMA>,
}

impl Rsi {
    /// Over this many changes, 1 to [`PERIOD_MAX`].
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { last: None, gains: Warm::new(period, 1), losses: Warm::new(period, 1) }
    }

    /// Takes the next price and answers a number from 0 to 100, once it has seen enough. Without any change it is 50.
    pub fn next(&mut self, price: Price) -> Option<Decimal> {
        let change = price - self.last.replace(price)?;
        let gain = self.gains.next(change.max(Price::ZERO).to_f64());
        let loss = self.losses.next((-change).max(Price::ZERO).to_f64());
        let (gain, loss) = (gain?, loss?);
        Some(if gain + loss > 0.0 { Decimal::from_f64(100.0 * gain / (gain + loss)) } else { Decimal::whole(50) })
    }
}

/// The average true range. Wilder, as [`Rsi`]: the average of the largest of high less low and the distances of both
/// from the close before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Atr {
    close: Option<Price>,
    range: Warm<RMA>,
}

impl Atr {
    /// Over this many bars, 1 to [`PERIOD_MAX`].
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { close: None, range: Warm::new(period, 1) }
    }

    /// Takes the next bar and answers the average, once it has seen enough.
    pub fn next(&mut self, bar: &Bar) -> Option<Price> {
        let close = self.close.replace(bar.close).unwrap_or(bar.close);
        let range = bar.high.max(close) - bar.low.min(close);
        self.range.next(range.to_f64()).map(Price::from_f64)
    }
}

/// Bands around an average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bands {
    /// The average.
    pub middle: Price,
    /// So many deviations above it.
    pub upper: Price,
    /// So many deviations below it.
    pub lower: Price,
}

/// Bollinger bands: a simple average, and bands at a multiple of the standard deviation of the same values. John Bollinger,
/// *Bollinger on Bollinger Bands*, 2001: the deviation is that of the population.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bollinger {
    average: Warm<SMA>,
    deviation: Warm<StDev>,
    width: f64,
}

impl Bollinger {
    /// Over this many values, 2 to [`PERIOD_MAX`], with bands this many deviations away.
    #[must_use]
    pub fn new(period: u32, deviations: Decimal) -> Self {
        let deviation = Warm::new(period, 2);
        let values = f64::from(deviation.period);
        // The library's deviation is that of a sample.
        let width = deviations.to_f64() * ((values - 1.0) / values).sqrt();
        Self { average: Warm::new(period, 2), deviation, width }
    }

    /// Takes the next price and answers the bands, once it has seen enough.
    pub fn next(&mut self, price: Price) -> Option<Bands> {
        let (average, deviation) = (self.average.next(price.to_f64()), self.deviation.next(price.to_f64()));
        let (middle, away) = (average?, deviation? * self.width);
        let price = Price::from_f64;
        Some(Bands { middle: price(middle), upper: price(middle + away), lower: price(middle - away) })
    }
}

/// What MACD says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacdValue {
    /// Fast average less slow average.
    pub line: Price,
    /// Average of the line.
    pub signal: Price,
    /// Line less signal.
    pub histogram: Price,
}

/// Moving average convergence/divergence: the distance between two exponential averages, and its own average. Gerald
/// Appel, *Technical Analysis: Power Tools for Active Investors*, 2005; usually 12, 26 and 9.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
    wanted: u32,
}

impl Macd {
    /// Over these periods.
    #[must_use]
    pub fn new(fast: u32, slow: u32, signal: u32) -> Self {
        let wanted = fast.max(slow).saturating_add(signal);
        Self { fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal), wanted }
    }

    /// Takes the next price and answers once it has seen the longer average's period and the signal's.
    pub fn next(&mut self, price: Price) -> Option<MacdValue> {
        self.wanted = self.wanted.saturating_sub(1);
        let line = self.fast.next(price.to_f64()) - self.slow.next(price.to_f64());
        let signal = self.signal.next(line);
        let (line, signal) = (Price::from_f64(line), Price::from_f64(signal));
        let value = MacdValue { line, signal, histogram: line - signal };
        (self.wanted == 0).then_some(value)
    }
}

/// The highest high and the lowest low of some bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// The highest high.
    pub high: Price,
    /// The lowest low.
    pub low: Price,
}

impl Channel {
    /// What lies halfway.
    #[must_use]
    pub fn middle(&self) -> Price {
        self.low + (self.high - self.low).times(1, 2)
    }
}

/// The Donchian channel: the highest high and the lowest low of the last bars, this one included.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Donchian {
    high: Warm<Highest>,
    low: Warm<Lowest>,
}

impl Donchian {
    /// Over this many bars, 1 to [`PERIOD_MAX`].
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { high: Warm::new(period, 1), low: Warm::new(period, 1) }
    }

    /// Takes the next bar and answers the channel, once it has seen enough.
    pub fn next(&mut self, bar: &Bar) -> Option<Channel> {
        let (high, low) = (self.high.next(bar.high.to_f64()), self.low.next(bar.low.to_f64()));
        Some(Channel { high: Price::from_f64(high?), low: Price::from_f64(low?) })
    }
}

#[cfg(test)]
mod tests;
