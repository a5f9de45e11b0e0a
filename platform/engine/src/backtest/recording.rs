//! A recording as quotes and as bars, in columns.

use crate::{
    port::{BarRun, TickRun},
    venue::{Spread, VenueModel},
};
use marque_domain::{
    bar::{Bar, BarBuilder, Quote, Timeframe},
    fixed::Price,
    id::InstrumentId,
    time::{DAY_MS, Millis},
};
use std::borrow::Cow;

/// What was recorded.
#[derive(Debug, Clone, Copy)]
pub enum Recording<'a> {
    /// Quotes, oldest first.
    Ticks(TickRun<'a>),
    /// Minute bars, oldest first. Each is gone through as four quotes: the open; then the low and the high,
    /// the one further from the close first; then the close, one millisecond before the minute ends.
    Minutes(BarRun<'a>),
}

impl<'a> Recording<'a> {
    /// As the venue makes its quotes of the market's: `column` takes the one column that differs. Every quote of a minute
    /// bar has the spread of its close, and so has what the venue makes of it.
    pub(super) fn priced(self, model: &VenueModel, column: &'a mut Vec<i64>) -> Self {
        let ask = |bid: i64, ask: i64| {
            let (bid, ask) = (Price::from_units(bid), Price::from_units(ask));
            model.price(&Quote { instrument: InstrumentId(0), at: Millis(0), bid, ask }).ask.units()
        };
        match self {
            _ if model.spread == Spread::Quoted => self,
            Self::Ticks(ticks) => {
                column.extend(ticks.bid.iter().zip(ticks.ask).map(|(b, a)| ask(*b, *a)));
                Self::Ticks(TickRun { ask: column, ..ticks })
            }
            Self::Minutes(bars) => {
                column.extend(bars.close.iter().zip(bars.spread).map(|(b, s)| ask(*b, b + s) - b));
                Self::Minutes(BarRun { spread: column, ..bars })
            }
        }
    }
}

/// Quotes in one minute bar, and when in the minute they stand.
const LEGS: usize = 4;
const LEG_MS: [i64; LEGS] = [0, 15_000, 30_000, 59_999];

/// Prices at or beyond which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Triggers {
    pub bid_low: i64,
    pub bid_high: i64,
    pub ask_low: i64,
    pub ask_high: i64,
}

impl Triggers {
    pub const NONE: Self = Self { bid_low: i64::MIN, bid_high: i64::MAX, ask_low: i64::MIN, ask_high: i64::MAX };

    const fn hit(&self, bid: i64, ask: i64) -> bool {
        bid <= self.bid_low || bid >= self.bid_high || ask <= self.ask_low || ask >= self.ask_high
    }
}

/// Tradable quotes with random access.
pub(super) struct Quotes<'a> {
    instrument: InstrumentId,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Ticks { at: Cow<'a, [i64]>, bid: Cow<'a, [i64]>, ask: Cow<'a, [i64]> },
    Minutes(BarRun<'a>),
}

/// As [`Quote::is_tradable`], on columns.
const fn is_tradable(bid: i64, ask: i64) -> bool {
    bid > 0 && bid <= ask
}

/// Columns of quotes, borrowed or made.
pub(super) struct Columns<'a> {
    at: Cow<'a, [i64]>,
    bid: Cow<'a, [i64]>,
    ask: Cow<'a, [i64]>,
}

impl Columns<'_> {
    pub fn run(&self) -> TickRun<'_> {
        TickRun { at: &self.at, bid: &self.bid, ask: &self.ask }
    }
}

impl<'a> Quotes<'a> {
    /// The recording as it is. Building bars tells whether all of it can be traded on.
    pub fn new(instrument: InstrumentId, recording: Recording<'a>) -> Self {
        let kind = match recording {
            Recording::Minutes(bars) => Kind::Minutes(bars),
            Recording::Ticks(ticks) => {
                Kind::Ticks { at: ticks.at.into(), bid: ticks.bid.into(), ask: ticks.ask.into() }
            }
        };
        Self { instrument, kind }
    }

    /// Without the quotes that cannot be traded on, as a shard leaves them out.
    pub fn tradable(self) -> Self {
        let Kind::Ticks { at, bid, ask } = &self.kind else { return self };
        let keep: Vec<bool> = bid.iter().zip(&**ask).map(|(bid, ask)| is_tradable(*bid, *ask)).collect();
        let filter = |column: &[i64]| {
            column.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(value, _)| *value).collect::<Vec<_>>()
        };
        let kind = Kind::Ticks { at: filter(at).into(), bid: filter(bid).into(), ask: filter(ask).into() };
        Self { kind, ..self }
    }

    pub fn len(&self) -> usize {
        match &self.kind {
            Kind::Ticks { at, .. } => at.len(),
            Kind::Minutes(bars) => bars.len() * LEGS,
        }
    }

    pub fn get(&self, index: usize) -> Option<Quote> {
        let (at, bid, ask) = self.raw(index)?;
        Some(Quote {
            instrument: self.instrument,
            at: Millis(at),
            bid: Price::from_units(bid),
            ask: Price::from_units(ask),
        })
    }

    fn raw(&self, index: usize) -> Option<(i64, i64, i64)> {
        match &self.kind {
            Kind::Ticks { at, bid, ask } => Some((*at.get(index)?, *bid.get(index)?, *ask.get(index)?)),
            Kind::Minutes(bars) => {
                let (row, leg) = (index / LEGS, index % LEGS);
                let at = *bars.open_at.get(row)?;
                let (open, high, low, close) = (bars.open[row], bars.high[row], bars.low[row], bars.close[row]);
                let inner = if close >= open { [low, high] } else { [high, low] };
                let bid = [open, inner[0], inner[1], close][leg];
                Some((at + LEG_MS[leg], bid, bid + bars.spread[row]))
            }
        }
    }

    /// The first quote at or after `at`, at most `end`.
    pub fn first_at(&self, from: usize, end: usize, at: i64) -> usize {
        let (mut low, mut high) = (from, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.raw(middle).is_some_and(|(t, ..)| t < at) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The last quote of each UTC day that has one.
    pub fn day_closes(&self) -> Vec<usize> {
        let mut closes = Vec::new();
        let mut next = 0;
        while let Some((at, ..)) = self.raw(next) {
            next = self.first_at(next, self.len(), at - at.rem_euclid(DAY_MS) + DAY_MS);
            closes.push(next - 1);
        }
        closes
    }

    /// The first quote in `from..end` that hits a trigger, or `end`.
    pub fn first_hit(&self, from: usize, end: usize, triggers: &Triggers) -> usize {
        if *triggers == Triggers::NONE || from >= end {
            return end;
        }
        match &self.kind {
            Kind::Ticks { bid, ask, .. } => {
                let hit = bid[from..end].iter().zip(&ask[from..end]).position(|(b, a)| triggers.hit(*b, *a));
                hit.map_or(end, |offset| from + offset)
            }
            Kind::Minutes(bars) => {
                for row in from / LEGS..end.div_ceil(LEGS) {
                    let (low, high, spread) = (bars.low[row], bars.high[row], bars.spread[row]);
                    if !triggers.hit(low, low + spread) && !triggers.hit(high, high + spread) {
                        continue;
                    }
                    let legs = (row * LEGS).max(from)..((row + 1) * LEGS).min(end);
                    let hit = legs.into_iter().find(|i| self.raw(*i).is_some_and(|(_, b, a)| triggers.hit(b, a)));
                    if let Some(index) = hit {
                        return index;
                    }
                }
                end
            }
        }
    }

    /// The quotes with the highest bid and the lowest ask in `from..end`.
    pub fn extremes(&self, from: usize, end: usize) -> Option<[Quote; 2]> {
        let (mut top, mut bottom) = (from, from);
        let (mut high, mut low) = (i64::MIN, i64::MAX);
        for index in from..end {
            let (_, bid, ask) = self.raw(index)?;
            if bid > high {
                (top, high) = (index, bid);
            }
            if ask < low {
                (bottom, low) = (index, ask);
            }
        }
        Some([self.get(top)?, self.get(bottom)?])
    }

    /// The quotes of `from..end` in columns.
    pub fn columns(&self, from: usize, end: usize) -> Columns<'_> {
        match &self.kind {
            Kind::Ticks { at, bid, ask } => {
                Columns { at: at[from..end].into(), bid: bid[from..end].into(), ask: ask[from..end].into() }
            }
            Kind::Minutes(_) => {
                let rows: Vec<_> = (from..end).filter_map(|i| self.raw(i)).collect();
                let column = |pick: fn(&(i64, i64, i64)) -> i64| rows.iter().map(pick).collect::<Vec<_>>().into();
                Columns { at: column(|r| r.0), bid: column(|r| r.1), ask: column(|r| r.2) }
            }
        }
    }
}

/// All bars of a timeframe in a recording, with the quote that closes each.
pub(super) struct BarTable {
    pub timeframe: Timeframe,
    columns: [Vec<i64>; 7],
    closed_by: Vec<usize>,
    /// Of bars built from quotes: the lowest and the highest ask.
    asks: Vec<(i64, i64)>,
}

impl BarTable {
    /// No bars.
    pub fn empty(timeframe: Timeframe) -> Self {
        Self { timeframe, columns: Default::default(), closed_by: Vec::new(), asks: Vec::new() }
    }

    /// Builds all bars in one pass; none when there is a quote that cannot be traded on.
    pub fn build(timeframe: Timeframe, quotes: &Quotes<'_>) -> Option<Self> {
        let mut table = Self::empty(timeframe);
        match &quotes.kind {
            Kind::Minutes(bars) if timeframe == Timeframe::M1 => {
                table.columns = [bars.open_at, bars.open, bars.high, bars.low, bars.close, bars.spread, bars.volume]
                    .map(<[i64]>::to_vec);
                table.closed_by = (1..bars.len()).map(|row| row * LEGS).collect();
            }
            Kind::Minutes(bars) => {
                let mut builder = BarBuilder::new(timeframe);
                for row in 0..bars.len() {
                    let price = |column: &[i64]| Price::from_units(column[row]);
                    let bar = Bar {
                        open_at: Millis(bars.open_at[row]),
                        open: price(bars.open),
                        high: price(bars.high),
                        low: price(bars.low),
                        close: price(bars.close),
                        spread: price(bars.spread),
                        volume: bars.volume[row],
                    };
                    table.push(builder.take_bar(&bar), row * LEGS);
                }
                table.last(builder.current());
            }
            Kind::Ticks { at, bid, ask } => {
                let mut builder = BarBuilder::new(timeframe);
                let mut extremes = (i64::MAX, i64::MIN);
                for (index, ((at, bid), ask)) in at.iter().zip(&**bid).zip(&**ask).enumerate() {
                    if !is_tradable(*bid, *ask) {
                        return None;
                    }
                    let closed = builder.take(Millis(*at), Price::from_units(*bid), Price::from_units(*ask));
                    if closed.is_some() {
                        table.asks.push(core::mem::replace(&mut extremes, (i64::MAX, i64::MIN)));
                        table.push(closed, index);
                    }
                    extremes = (extremes.0.min(*ask), extremes.1.max(*ask));
                }
                table.asks.push(extremes);
                table.last(builder.current());
            }
        }
        Some(table)
    }

    /// As [`Quotes::first_hit`]; `bar` is the first bar that quote `from` does not lie behind. Bars that no
    /// trigger lies in are passed over whole.
    pub fn first_hit(&self, quotes: &Quotes<'_>, bar: usize, from: usize, end: usize, triggers: &Triggers) -> usize {
        if self.asks.is_empty() || *triggers == Triggers::NONE {
            return quotes.first_hit(from, end, triggers);
        }
        let [_, _, highs, lows, ..] = &self.columns;
        for index in bar..self.asks.len() {
            let begins = if index == 0 { 0 } else { self.closed_by[index - 1] };
            if begins >= end {
                break;
            }
            let ends = self.closed_by.get(index).copied().unwrap_or(end).min(end);
            let (ask_low, ask_high) = self.asks[index];
            if triggers.hit(lows[index], ask_low) || triggers.hit(highs[index], ask_high) {
                let hit = quotes.first_hit(begins.max(from), ends, triggers);
                if hit < ends {
                    return hit;
                }
            }
        }
        end
    }

    fn push(&mut self, closed: Option<Bar>, by: usize) {
        if let Some(bar) = closed {
            self.append(&bar);
            self.closed_by.push(by);
        }
    }

    /// The bar that no quote closes any more is kept for history only.
    fn last(&mut self, open: Option<&Bar>) {
        if let Some(bar) = open {
            self.append(&bar.clone());
        }
    }

    fn append(&mut self, bar: &Bar) {
        let row = [
            bar.open_at.0,
            bar.open.units(),
            bar.high.units(),
            bar.low.units(),
            bar.close.units(),
            bar.spread.units(),
            bar.volume,
        ];
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// How many bars close within the recording.
    pub const fn closing(&self) -> usize {
        self.closed_by.len()
    }

    /// The quote that closes this bar.
    pub fn closed_by(&self, bar: usize) -> Option<usize> {
        self.closed_by.get(bar).copied()
    }

    /// The first bar of `from..end` that the quote `horizon` or a later one closes, or `end`.
    pub fn closing_before(&self, from: usize, end: usize, horizon: usize) -> usize {
        self.closed_by.get(from..end).map_or(from, |bars| from + bars.partition_point(|by| *by < horizon))
    }

    pub fn get(&self, bar: usize) -> Option<Bar> {
        let value = |column: usize| self.columns[column].get(bar).copied();
        let price = |column: usize| value(column).map(Price::from_units);
        Some(Bar {
            open_at: Millis(value(0)?),
            open: price(1)?,
            high: price(2)?,
            low: price(3)?,
            close: price(4)?,
            spread: price(5)?,
            volume: value(6)?,
        })
    }

    /// The bars `from..end` as a run.
    pub fn run(&self, from: usize, end: usize) -> BarRun<'_> {
        let [open_at, open, high, low, close, spread, volume] = &self.columns;
        BarRun {
            open_at: &open_at[from..end],
            open: &open[from..end],
            high: &high[from..end],
            low: &low[from..end],
            close: &close[from..end],
            spread: &spread[from..end],
            volume: &volume[from..end],
        }
    }

    /// The last `count` bars that opened before `before`.
    pub fn last_before(&self, before: Millis, count: usize) -> [Vec<i64>; 7] {
        let end = self.columns[0].partition_point(|at| *at < before.0);
        let from = end.saturating_sub(count);
        self.columns.each_ref().map(|column| column[from..end].to_vec())
    }
}
