//! The market that the path is measured on: one random walk, the same in every run.

use marque_domain::{
    bar::Quote,
    fixed::Price,
    id::InstrumentId,
    time::{MINUTE_MS, Millis},
};
use marque_engine::{
    backtest::Recording,
    port::{BarRun, TickRun},
};
use marque_market::columns::{BarColumns, TickColumns};

use crate::{fixture::START, plain::Quotes};

/// A random walk of minute bars: the averages cross about every forty bars.
pub struct Walk {
    columns: [Vec<i64>; 7],
}

impl Walk {
    /// So many bars.
    pub fn new(count: usize) -> Self {
        let (mut price, mut state) = (138_000_000_i64, 7_u64);
        let mut columns: [Vec<i64>; 7] = std::array::from_fn(|_| Vec::with_capacity(count));
        for minute in (0_i64..).take(count) {
            let mut roll = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                i64::try_from(state >> 40).unwrap_or(0) % 21 - 10
            };
            let open = price;
            price = (price + roll() * 1_000).clamp(100_000_000, 180_000_000);
            let (up, down) = (roll().abs() * 1_000, roll().abs() * 1_000);
            let row =
                [START.0 + minute * MINUTE_MS, open, open.max(price) + up, open.min(price) - down, price, 1_000, 4];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        Self { columns }
    }

    /// All of them, as a recording is read.
    pub fn columns(self) -> BarColumns {
        let [open_at, open, high, low, close, spread, volume] = self.columns;
        BarColumns { open_at, open, high, low, close, spread, volume }
    }

    /// The first `count` of them.
    pub fn bars(&self, count: usize) -> Recording<'_> {
        let [open_at, open, high, low, close, spread, volume] =
            self.columns.each_ref().map(|c| c.get(..count).unwrap_or(c));
        Recording::Minutes(BarRun { open_at, open, high, low, close, spread, volume })
    }
}

impl Walk {
    /// Its closes as quotes, one each minute.
    pub fn quotes(&self, instrument: InstrumentId) -> impl Iterator<Item = Quote> + '_ {
        let [at, _, _, _, close, ..] = &self.columns;
        at.iter().zip(close).map(move |(at, bid)| Quote {
            instrument,
            at: Millis(*at),
            bid: Price::from_units(*bid),
            ask: Price::from_units(bid + 1_000),
        })
    }
}

/// The same walk as quotes, one each second.
pub struct Ticks {
    at: Vec<i64>,
    bid: Vec<i64>,
    ask: Vec<i64>,
}

impl Ticks {
    /// The closes of a walk.
    pub fn new(walk: &Walk) -> Self {
        let [_, _, _, _, close, ..] = &walk.columns;
        let at = (0_i64..).take(close.len()).map(|second| START.0 + second * 1_000).collect();
        Self { at, bid: close.clone(), ask: close.iter().map(|bid| bid + 1_000).collect() }
    }

    /// All of them, as a recording is read.
    pub fn columns(self) -> TickColumns {
        TickColumns { at: self.at, bid: self.bid, ask: self.ask }
    }

    /// All of them, for a loop without an engine.
    pub fn plain(&self) -> Quotes<'_> {
        Quotes { at: &self.at, bid: &self.bid, ask: &self.ask }
    }

    /// The first `count` of them.
    pub fn recording(&self, count: usize) -> Recording<'_> {
        let [at, bid, ask] = [&self.at, &self.bid, &self.ask].map(|column| column.get(..count).unwrap_or(column));
        Recording::Ticks(TickRun { at, bid, ask })
    }
}
