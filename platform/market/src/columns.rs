//! Quotes and bars in columns: the form in which history is stored, loaded and handed to the engine.
//!
//! Times in milliseconds, prices and spreads in units of 1e-8. Columns of one set have equal length; only
//! the methods here add rows.

use marque_domain::{
    bar::{Bar, Quote},
    fixed::Price,
    id::InstrumentId,
    time::Millis,
};

/// History and feeds reach from the year 1 to the year 9999, so that arithmetic on their times cannot overflow.
pub(crate) const TIME_MIN: Millis = Millis(-62_135_596_800_000);
/// See [`TIME_MIN`].
pub(crate) const TIME_MAX: Millis = Millis(253_402_300_799_999);

/// Whether times lie within what history knows, in order.
pub(crate) fn in_time(span: Option<(Millis, Millis)>) -> bool {
    span.is_none_or(|(first, last)| TIME_MIN <= first && last <= TIME_MAX)
}

/// One quote without its instrument: time, bid, ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When, in milliseconds.
    pub at: i64,
    /// What a seller gets, in units of 1e-8.
    pub bid: i64,
    /// What a buyer pays, in units of 1e-8.
    pub ask: i64,
}

impl Tick {
    /// As a quote of `instrument`.
    #[must_use]
    pub const fn quote(self, instrument: InstrumentId) -> Quote {
        Quote { instrument, at: Millis(self.at), bid: Price::from_units(self.bid), ask: Price::from_units(self.ask) }
    }
}

/// Quotes of one instrument, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickColumns {
    /// Times.
    pub at: Vec<i64>,
    /// Bids.
    pub bid: Vec<i64>,
    /// Asks.
    pub ask: Vec<i64>,
}

impl TickColumns {
    /// How many quotes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Adds a quote at the end.
    pub fn push(&mut self, tick: Tick) {
        self.at.push(tick.at);
        self.bid.push(tick.bid);
        self.ask.push(tick.ask);
    }

    /// The quote in a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Tick> {
        Some(Tick { at: *self.at.get(row)?, bid: *self.bid.get(row)?, ask: *self.ask.get(row)? })
    }

    /// All quotes in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Tick> + '_ {
        let prices = self.bid.iter().zip(&self.ask);
        self.at.iter().zip(prices).map(|(at, (bid, ask))| Tick { at: *at, bid: *bid, ask: *ask })
    }

    /// Times of the first and the last quote.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        Some((Millis(*self.at.first()?), Millis(*self.at.last()?)))
    }

    /// As columns in the order of the file; the reverse of [`Self::from_parts`].
    pub(crate) fn into_parts(self) -> Vec<Vec<i64>> {
        vec![self.at, self.bid, self.ask]
    }

    pub(crate) fn from_parts(parts: Vec<Vec<i64>>) -> Self {
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        Self { at: next(), bid: next(), ask: next() }
    }
}

impl FromIterator<Tick> for TickColumns {
    fn from_iter<I: IntoIterator<Item = Tick>>(ticks: I) -> Self {
        let mut columns = Self::default();
        columns.extend(ticks);
        columns
    }
}

impl Extend<Tick> for TickColumns {
    fn extend<I: IntoIterator<Item = Tick>>(&mut self, ticks: I) {
        ticks.into_iter().for_each(|tick| self.push(tick));
    }
}

/// Bars of one instrument and timeframe, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BarColumns {
    /// Starts of the bars.
    pub open_at: Vec<i64>,
    /// First bids.
    pub open: Vec<i64>,
    /// Highest bids.
    pub high: Vec<i64>,
    /// Lowest bids.
    pub low: Vec<i64>,
    /// Last bids.
    pub close: Vec<i64>,
    /// Ask less bid at the close.
    pub spread: Vec<i64>,
    /// Volumes.
    pub volume: Vec<i64>,
}

impl BarColumns {
    /// How many bars.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.open_at.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open_at.is_empty()
    }

    /// Adds a bar at the end.
    pub fn push(&mut self, bar: &Bar) {
        self.open_at.push(bar.open_at.0);
        self.open.push(bar.open.units());
        self.high.push(bar.high.units());
        self.low.push(bar.low.units());
        self.close.push(bar.close.units());
        self.spread.push(bar.spread.units());
        self.volume.push(bar.volume);
    }

    /// The bar in a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Bar> {
        Some(Bar {
            open_at: Millis(*self.open_at.get(row)?),
            open: Price::from_units(*self.open.get(row)?),
            high: Price::from_units(*self.high.get(row)?),
            low: Price::from_units(*self.low.get(row)?),
            close: Price::from_units(*self.close.get(row)?),
            spread: Price::from_units(*self.spread.get(row)?),
            volume: *self.volume.get(row)?,
        })
    }

    /// All bars in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Bar> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// Starts of the first and the last bar.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        Some((Millis(*self.open_at.first()?), Millis(*self.open_at.last()?)))
    }

    /// As columns in the order of the file; the reverse of [`Self::from_parts`].
    pub(crate) fn into_parts(self) -> Vec<Vec<i64>> {
        vec![self.open_at, self.open, self.high, self.low, self.close, self.spread, self.volume]
    }

    pub(crate) fn from_parts(parts: Vec<Vec<i64>>) -> Self {
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        Self { open_at: next(), open: next(), high: next(), low: next(), close: next(), spread: next(), volume: next() }
    }
}

impl FromIterator<Bar> for BarColumns {
    fn from_iter<I: IntoIterator<Item = Bar>>(bars: I) -> Self {
        let mut columns = Self::default();
        columns.extend(bars);
        columns
    }
}

impl Extend<Bar> for BarColumns {
    fn extend<I: IntoIterator<Item = Bar>>(&mut self, bars: I) {
        bars.into_iter().for_each(|bar| self.push(&bar));
    }
}
