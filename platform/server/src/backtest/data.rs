//! The quotes of a test, in memory, with the digest that names them.

use super::spec::Spec;
use marque_domain::{
    bar::{BarBuilder, Quote, Timeframe},
    id::InstrumentId,
    time::{DAY_MS, Millis},
};
use marque_engine::{
    backtest::Recording,
    port::{BarRun, TickRun},
};
use marque_market::{
    catalogue::Catalogue,
    columns::{BarColumns, TickColumns},
    feed::{FeedError, synthetic_history},
    history::{History, HistoryError, Kind},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Rows that one test reads, at most: about 200 MB.
pub const ROWS_MAX: usize = 4_000_000;
/// Rows that the file they come from may have, at most: it is read as a whole.
const FILE_ROWS_MAX: u64 = 20_000_000;

/// Which recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Imported quotes.
    Ticks,
    /// Imported bars of one minute.
    Minutes,
    /// Minutes of the made-up market, by its seed.
    Synthetic,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ticks, Self::Minutes, Self::Synthetic];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticks => "ticks",
            Self::Minutes => "minutes",
            Self::Synthetic => "synthetic",
        }
    }

    /// Days that one test may span.
    #[must_use]
    pub const fn days_max(self) -> i64 {
        match self {
            Self::Ticks | Self::Minutes => 3_660,
            // It is made anew for each test, in a fifth of a second for a day.
            Self::Synthetic => 92,
        }
    }
}

/// Why there are no quotes.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// History cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The made-up market has no such instrument.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Nothing was recorded there.
    #[error("no {kind} of {symbol} are recorded between these times; {held}")]
    Empty {
        /// What was asked for.
        kind: &'static str,
        /// Of what.
        symbol: String,
        /// What there is.
        held: String,
    },
    /// More than fits.
    #[error("this is too much at once: {rows} rows, and the limit is {limit}. Choose a shorter time")]
    TooMuch {
        /// How many.
        rows: u64,
        /// How many there may be.
        limit: u64,
    },
}

/// Where quotes come from.
#[derive(Clone)]
pub struct Market {
    /// Instruments and the shape of the made-up market.
    pub catalogue: Arc<Catalogue>,
    /// Imported recordings.
    pub history: Arc<History>,
}

/// Quotes of one instrument in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    rows: Rows,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rows {
    Ticks(TickColumns),
    Minutes(BarColumns),
}

impl Market {
    /// Reads the quotes of a test; those of the made-up market follow from its seed, the venue's.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn read(&self, spec: &Spec) -> Result<Recorded, DataError> {
        let (symbol, source, from, to) = (spec.symbol.as_str(), spec.source, spec.from, spec.to);
        let rows = match source {
            Source::Ticks => {
                self.check_size(symbol, Kind::Ticks)?;
                let all = self.history.ticks(symbol)?;
                let (from, to) = span_of(&all.at, from, to);
                let cut = |column: &[i64]| part(column, from, to).to_vec();
                Rows::Ticks(TickColumns { at: cut(&all.at), bid: cut(&all.bid), ask: cut(&all.ask) })
            }
            Source::Minutes => {
                self.check_size(symbol, Kind::Minutes)?;
                let all = self.history.minutes(symbol)?;
                let (from, to) = span_of(&all.open_at, from, to);
                Rows::Minutes(cut_bars(&all, from, to))
            }
            Source::Synthetic => Rows::Minutes(self.made_up(spec.venue.seed, symbol, from, to)?),
        };
        let recorded = Recorded { rows };
        match recorded.len() {
            0 => Err(self.nothing(symbol, source)),
            rows if rows > ROWS_MAX => Err(DataError::TooMuch { rows: rows as u64, limit: ROWS_MAX as u64 }),
            _ => Ok(recorded),
        }
    }

    fn check_size(&self, symbol: &str, kind: Kind) -> Result<(), DataError> {
        let rows = self.history.holding(symbol, kind)?.map_or(0, |held| held.rows);
        if rows > FILE_ROWS_MAX { Err(DataError::TooMuch { rows, limit: FILE_ROWS_MAX }) } else { Ok(()) }
    }

    /// Minutes of the made-up market, a day at a time so that its quotes are never in memory together.
    fn made_up(&self, seed: u64, symbol: &str, from: Millis, to: Millis) -> Result<BarColumns, DataError> {
        let Some(instrument) = self.catalogue.by_symbol(symbol) else { return Ok(BarColumns::default()) };
        let (mut builder, mut bars) = (BarBuilder::new(Timeframe::M1), BarColumns::default());
        let mut begins = Timeframe::M1.open_of(from.plus(Timeframe::M1.length_ms() - 1));
        let to = Timeframe::M1.open_of(to);
        while begins < to {
            let ends = begins.plus(DAY_MS).min(to);
            let day = synthetic_history(seed, &self.catalogue, instrument.id, begins, ends)?;
            for tick in day.iter() {
                let Quote { at, bid, ask, .. } = tick.quote(instrument.id);
                builder.take(at, bid, ask).iter().for_each(|bar| bars.push(bar));
            }
            begins = ends;
        }
        builder.current().iter().for_each(|bar| bars.push(bar));
        Ok(bars)
    }

    fn nothing(&self, symbol: &str, source: Source) -> DataError {
        let kind = match source {
            Source::Ticks => Some(Kind::Ticks),
            Source::Minutes => Some(Kind::Minutes),
            Source::Synthetic => None,
        };
        let held = kind.and_then(|kind| self.history.holding(symbol, kind).ok().flatten());
        let held = match (held, source) {
            (Some(held), _) => format!("there are some from {} to {}", held.first.to_rfc3339(), held.last.to_rfc3339()),
            (None, Source::Synthetic) => "the market is closed then".to_owned(),
            (None, _) => "import a recording with `marque data import`, or choose another source".to_owned(),
        };
        DataError::Empty { kind: source.name(), symbol: symbol.to_owned(), held }
    }
}

impl Recorded {
    /// Of quotes.
    #[must_use]
    pub const fn ticks(ticks: TickColumns) -> Self {
        Self { rows: Rows::Ticks(ticks) }
    }

    /// Of minutes.
    #[must_use]
    pub const fn minutes(bars: BarColumns) -> Self {
        Self { rows: Rows::Minutes(bars) }
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Times of the first and the last row.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        Some((Millis(*self.times().first()?), Millis(*self.times().last()?)))
    }

    /// What the engine goes through: all rows in `[from, to)`.
    #[must_use]
    pub fn between(&self, from: Millis, to: Millis) -> Recording<'_> {
        let (first, end) = span_of(self.times(), from, to);
        match &self.rows {
            Rows::Ticks(t) => Recording::Ticks(TickRun {
                at: part(&t.at, first, end),
                bid: part(&t.bid, first, end),
                ask: part(&t.ask, first, end),
            }),
            Rows::Minutes(b) => Recording::Minutes(BarRun {
                open_at: part(&b.open_at, first, end),
                open: part(&b.open, first, end),
                high: part(&b.high, first, end),
                low: part(&b.low, first, end),
                close: part(&b.close, first, end),
                spread: part(&b.spread, first, end),
                volume: part(&b.volume, first, end),
            }),
        }
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Recording<'_> {
        self.between(Millis(i64::MIN), Millis(i64::MAX))
    }

    /// Bars of a timeframe, for a chart.
    #[must_use]
    pub fn bars(&self, timeframe: Timeframe) -> BarColumns {
        let (mut builder, mut bars) = (BarBuilder::new(timeframe), BarColumns::default());
        match &self.rows {
            Rows::Ticks(ticks) => ticks.iter().for_each(|tick| {
                let Quote { at, bid, ask, .. } = tick.quote(InstrumentId(0));
                builder.take(at, bid, ask).iter().for_each(|bar| bars.push(bar));
            }),
            Rows::Minutes(minutes) => {
                minutes.iter().for_each(|minute| builder.take_bar(&minute).iter().for_each(|bar| bars.push(bar)));
            }
        }
        builder.current().iter().for_each(|bar| bars.push(bar));
        bars
    }

    fn times(&self) -> &[i64] {
        match &self.rows {
            Rows::Ticks(ticks) => &ticks.at,
            Rows::Minutes(bars) => &bars.open_at,
        }
    }

    fn columns(&self) -> Vec<&[i64]> {
        match &self.rows {
            Rows::Ticks(t) => vec![&t.at, &t.bid, &t.ask],
            Rows::Minutes(b) => vec![&b.open_at, &b.open, &b.high, &b.low, &b.close, &b.spread, &b.volume],
        }
    }
}

/// SHA-256 of the canonical bytes of quotes: the line `marque quotes 1`, the line `ticks` or `minutes`, the number of rows,
/// then column after column in the order of the history's files; numbers as big-endian 64-bit integers, times in
/// milliseconds, prices and spreads in units of 1e-8.
#[must_use]
pub fn quotes_digest(recorded: &Recorded) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"marque quotes 1\n");
    hash.update(match &recorded.rows {
        Rows::Ticks(_) => b"ticks\n".as_slice(),
        Rows::Minutes(_) => b"minutes\n",
    });
    hash.update((recorded.len() as u64).to_be_bytes());
    let mut block = Vec::with_capacity(8 * 1_024);
    for chunk in recorded.columns().into_iter().flat_map(|column| column.chunks(1_024)) {
        block.clear();
        chunk.iter().for_each(|value| block.extend_from_slice(&value.to_be_bytes()));
        hash.update(&block);
    }
    hash.finalize().into()
}

/// The rows in `[from, to)` of times in order.
fn span_of(times: &[i64], from: Millis, to: Millis) -> (usize, usize) {
    let first = times.partition_point(|at| *at < from.0);
    (first, times.partition_point(|at| *at < to.0).max(first))
}

fn part(column: &[i64], from: usize, end: usize) -> &[i64] {
    column.get(from..end).unwrap_or_default()
}

fn cut_bars(all: &BarColumns, from: usize, end: usize) -> BarColumns {
    let cut = |column: &[i64]| part(column, from, end).to_vec();
    BarColumns {
        open_at: cut(&all.open_at),
        open: cut(&all.open),
        high: cut(&all.high),
        low: cut(&all.low),
        close: cut(&all.close),
        spread: cut(&all.spread),
        volume: cut(&all.volume),
    }
}
