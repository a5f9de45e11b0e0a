//! Bars of the past for strategies that warm up and for charts: what the desk's market has shown so far.

use super::feed::FeedPlan;
use marque_domain::{
    bar::{Bar, BarBuilder, Timeframe},
    fixed::Price,
    id::InstrumentId,
    time::{DAY_MS, Millis},
};
use marque_engine::port::HistorySource;
use marque_market::{
    catalogue::Catalogue,
    columns::BarColumns,
    feed::{Cursor, synthetic_history},
    history::History,
};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Most bars that are made up at once from the synthetic market.
const SYNTHETIC_BARS_MAX: u32 = 2_000;
/// How far back it is made up at once.
const SYNTHETIC_SPAN_MS_MAX: i64 = 14 * DAY_MS;
/// Longer than any market is closed in a week.
const WEEKEND_MS: i64 = 3 * DAY_MS;

/// The past of one desk. A replay shows recorded times moved by whole weeks; so does this.
pub struct Past {
    history: Arc<History>,
    catalogue: Arc<Catalogue>,
    plan: FeedPlan,
    shift_ms: AtomicI64,
}

impl Past {
    pub(super) fn new(history: Arc<History>, catalogue: Arc<Catalogue>, plan: FeedPlan) -> Self {
        Self { history, catalogue, plan, shift_ms: AtomicI64::new(0) }
    }

    /// Follows the feed into its next loop.
    pub(super) fn follow(&self, cursor: &Cursor) {
        if let Cursor::Replay(replay) = cursor {
            self.shift_ms.store(replay.shift_ms, Ordering::Relaxed);
        }
    }

    /// The last `count` bars that were closed at `before`, oldest first; fewer, or none, where the past is
    /// shorter or cannot be read.
    #[must_use]
    pub fn bars(&self, instrument: InstrumentId, timeframe: Timeframe, before: Millis, count: u32) -> BarColumns {
        if self.plan.synthetic {
            return self.synthetic(instrument, timeframe, before, count.min(SYNTHETIC_BARS_MAX));
        }
        let Some(symbol) = self.catalogue.get(instrument).map(|i| i.symbol.as_str()) else {
            return BarColumns::default();
        };
        let shift = self.shift_ms.load(Ordering::Relaxed);
        let found = self.history.bars(symbol, timeframe, before.plus(-shift), count as usize);
        let mut bars = found.unwrap_or_else(|error| {
            tracing::error!(%error, symbol, "the past cannot be read");
            BarColumns::default()
        });
        bars.open_at.iter_mut().for_each(|at| *at += shift);
        bars
    }

    fn synthetic(&self, instrument: InstrumentId, timeframe: Timeframe, before: Millis, count: u32) -> BarColumns {
        let end = timeframe.open_of(before);
        let span = (timeframe.length_ms() * i64::from(count)).min(SYNTHETIC_SPAN_MS_MAX);
        let mut bars = self.made_up(instrument, timeframe, end.plus(-span), end);
        if bars.len() < count as usize && span < SYNTHETIC_SPAN_MS_MAX {
            // The market was closed for a part of it: look over a weekend.
            bars = self.made_up(instrument, timeframe, end.plus(-span - WEEKEND_MS), end);
        }
        let mut columns = BarColumns::default();
        bars.iter().skip(bars.len().saturating_sub(count as usize)).for_each(|bar| columns.push(bar));
        columns
    }

    fn made_up(&self, instrument: InstrumentId, timeframe: Timeframe, from: Millis, end: Millis) -> Vec<Bar> {
        let ticks = synthetic_history(self.plan.seed, &self.catalogue, instrument, from, end).unwrap_or_default();
        let mut builder = BarBuilder::new(timeframe);
        let price = Price::from_units;
        let rows = ticks.at.iter().zip(&ticks.bid).zip(&ticks.ask);
        let taken = rows.filter_map(|((at, bid), ask)| builder.take(Millis(*at), price(*bid), price(*ask)));
        let mut bars: Vec<_> = taken.collect();
        bars.extend(builder.current().copied());
        bars
    }
}

/// The past as a shard asks for it.
pub(super) struct ForShard(pub Arc<Past>);

impl HistorySource for ForShard {
    fn bars(&self, instrument: InstrumentId, timeframe: Timeframe, before: Millis, count: u32) -> [Vec<i64>; 7] {
        let bars = self.0.bars(instrument, timeframe, before, count);
        [bars.open_at, bars.open, bars.high, bars.low, bars.close, bars.spread, bars.volume]
    }
}
