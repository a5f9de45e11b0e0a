//! Quotes and bars: what a market says, once and in sum.

use crate::{
    fixed::Price,
    id::InstrumentId,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// The best bid and ask of an instrument at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// When the venue said so.
    pub at: Millis,
    /// What a seller gets.
    pub bid: Price,
    /// What a buyer pays.
    pub ask: Price,
}

impl Quote {
    /// Whether a venue could trade on it: both prices positive and the bid not above the ask. A crossed
    /// quote (bid above ask) is an artefact of the recording; a locked one (bid = ask) is tradable.
    #[must_use]
    pub fn is_tradable(&self) -> bool {
        self.bid > Price::ZERO && self.bid <= self.ask
    }
}

/// The length of a bar. Days follow UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timeframe {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
    /// One day.
    D1,
}

impl Timeframe {
    /// Every length, shortest first.
    pub const ALL: [Self; 7] = [Self::M1, Self::M5, Self::M15, Self::M30, Self::H1, Self::H4, Self::D1];

    /// The length in milliseconds.
    #[must_use]
    pub const fn length_ms(self) -> i64 {
        match self {
            Self::M1 => MINUTE_MS,
            Self::M5 => 5 * MINUTE_MS,
            Self::M15 => 15 * MINUTE_MS,
            Self::M30 => 30 * MINUTE_MS,
            Self::H1 => HOUR_MS,
            Self::H4 => 4 * HOUR_MS,
            Self::D1 => DAY_MS,
        }
    }

    /// The start of the bar that holds `at`.
    #[must_use]
    pub const fn open_of(self, at: Millis) -> Millis {
        Millis(at.0 - at.0.rem_euclid(self.length_ms()))
    }

    /// The usual name, such as `M5`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::M1 => "M1",
            Self::M5 => "M5",
            Self::M15 => "M15",
            Self::M30 => "M30",
            Self::H1 => "H1",
            Self::H4 => "H4",
            Self::D1 => "D1",
        }
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such timeframe: use one of M1, M5, M15, M30, H1, H4, D1")]
pub struct UnknownTimeframe;

impl FromStr for Timeframe {
    type Err = UnknownTimeframe;
    fn from_str(text: &str) -> Result<Self, UnknownTimeframe> {
        Self::ALL.into_iter().find(|t| t.name() == text).ok_or(UnknownTimeframe)
    }
}

/// A span of quotes of one instrument in sum. Prices are bids; the spread of the last quote is kept so
/// that a bar can be traded on its close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The start of the span.
    pub open_at: Millis,
    /// First bid.
    pub open: Price,
    /// Highest bid.
    pub high: Price,
    /// Lowest bid.
    pub low: Price,
    /// Last bid.
    pub close: Price,
    /// Ask less bid of the last quote.
    pub spread: Price,
    /// Number of quotes, or the recording's own volume where it has one.
    pub volume: i64,
}

impl Bar {
    /// The bar that a first quote opens.
    #[must_use]
    pub const fn first(timeframe: Timeframe, at: Millis, bid: Price, ask: Price) -> Self {
        Self {
            open_at: timeframe.open_of(at),
            open: bid,
            high: bid,
            low: bid,
            close: bid,
            spread: ask.saturating_sub(bid),
            volume: 1,
        }
    }

    /// Takes one more quote of the same span.
    pub fn take(&mut self, bid: Price, ask: Price) {
        self.high = self.high.max(bid);
        self.low = self.low.min(bid);
        self.close = bid;
        self.spread = ask.saturating_sub(bid);
        self.volume = self.volume.saturating_add(1);
    }

    /// Takes a later, shorter bar of the same span.
    pub fn merge(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.spread = later.spread;
        self.volume = self.volume.saturating_add(later.volume);
    }

    /// Whether the four prices fit together and are positive.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.low > Price::ZERO
            && self.low <= self.open.min(self.close)
            && self.high >= self.open.max(self.close)
            && self.spread >= Price::ZERO
    }
}

/// Builds bars of one timeframe from quotes in time order. A bar closes when the first quote of a later
/// span arrives; a span without quotes has no bar, so weekends and gaps stay gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarBuilder {
    timeframe: Timeframe,
    open: Option<Bar>,
}

impl BarBuilder {
    /// With no quote yet.
    #[must_use]
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, open: None }
    }

    /// The bar still being built.
    #[must_use]
    pub const fn current(&self) -> Option<&Bar> {
        self.open.as_ref()
    }

    /// Takes a quote; answers the bar it closes, if it does. A quote older than the open bar is folded
    /// into it, because a closed bar never changes.
    pub fn take(&mut self, at: Millis, bid: Price, ask: Price) -> Option<Bar> {
        match &mut self.open {
            Some(bar) if at.since(bar.open_at) < self.timeframe.length_ms() => {
                bar.take(bid, ask);
                None
            }
            open => open.replace(Bar::first(self.timeframe, at, bid, ask)),
        }
    }

    /// Takes a closed bar of a shorter timeframe; answers the bar it closes, if it does.
    pub fn take_bar(&mut self, shorter: &Bar) -> Option<Bar> {
        match &mut self.open {
            Some(bar) if shorter.open_at.since(bar.open_at) < self.timeframe.length_ms() => {
                bar.merge(shorter);
                None
            }
            open => open.replace(Bar { open_at: self.timeframe.open_of(shorter.open_at), ..*shorter }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(units: i64) -> Price {
        Price::from_units(units)
    }

    #[test]
    fn a_weekend_is_a_gap() {
        let friday = Millis(1_400_278_740_000); // 2014-05-16 22:19 UTC
        let sunday = Millis(1_400_446_800_000); // 2014-05-18 21:00 UTC
        let mut builder = BarBuilder::new(Timeframe::M1);
        assert_eq!(builder.take(friday, price(10), price(12)), None);
        assert_eq!(builder.take(friday.plus(59_999), price(8), price(9)), None);
        let closed = builder.take(sunday, price(20), price(21)).unwrap();
        assert_eq!(
            (closed.open_at, closed.open, closed.high, closed.low, closed.close, closed.spread, closed.volume),
            (friday, price(10), price(10), price(8), price(8), price(1), 2)
        );
        assert_eq!(builder.current().unwrap().open_at, sunday);
    }

    proptest! {
        /// Bars built from quotes and bars merged from M1 bars are the same.
        #[test]
        fn longer_bars_agree_with_their_minutes(ticks in prop::collection::vec((0..200_000_i64, 1..1_000_i64, 0..5_i64), 1..400)) {
            let mut at = 1_400_000_000_000_i64;
            let (mut minutes, mut direct, mut merged) = (BarBuilder::new(Timeframe::M1), BarBuilder::new(Timeframe::M15), BarBuilder::new(Timeframe::M15));
            let (mut from_ticks, mut from_minutes) = (vec![], vec![]);
            for (gap, bid, spread) in ticks {
                at += gap;
                let (bid, ask) = (price(bid), price(bid + spread));
                from_ticks.extend(direct.take(Millis(at), bid, ask));
                if let Some(minute) = minutes.take(Millis(at), bid, ask) {
                    prop_assert!(minute.is_consistent());
                    from_minutes.extend(merged.take_bar(&minute));
                }
            }
            if let Some(minute) = minutes.current() {
                from_minutes.extend(merged.take_bar(minute));
            }
            prop_assert_eq!(from_ticks, from_minutes);
            prop_assert_eq!(direct.current(), merged.current());
        }
    }
}
