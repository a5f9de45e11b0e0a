//! One instrument's recording as a row of quotes that can be read from any place. Owns reading it by groups
//! and turning bars into quotes; refuses to know other instruments and loops.

use crate::{
    columns::{BarColumns, Tick, TickColumns},
    history::{History, HistoryError, Kind, Table},
};
use marque_domain::{bar::Bar, id::InstrumentId, time::Millis};
use std::sync::Arc;

/// Quotes made of a bar: open, the two extremes, close.
const QUOTES_A_BAR: u64 = 4;
/// When they come, in milliseconds after the bar opens. The last is still within the minute.
const QUOTE_TIMES_MS: [i64; 4] = [0, 20_000, 40_000, 59_999];

/// Where the quotes come from.
pub(super) enum Recording {
    /// From memory, shared.
    Memory(Arc<TickColumns>),
    /// From a file, a group at a time.
    File(Table, Kind),
}

/// A recording and a place in it.
pub(super) struct Track {
    pub instrument: InstrumentId,
    recording: Recording,
    /// Rows outside are not played.
    rows: (u64, u64),
    /// The group in memory, and the number of its first quote.
    loaded: Option<(u64, Arc<TickColumns>)>,
    next_row: u64,
    head: Option<Tick>,
}

impl Track {
    /// Recorded quotes of `symbol` in `[from, to)`, or its recorded minutes as quotes when there are no quotes.
    pub(super) fn open(
        history: &History,
        symbol: &str,
        instrument: InstrumentId,
        window: (Millis, Millis),
    ) -> Result<Option<Self>, HistoryError> {
        for kind in [Kind::Ticks, Kind::Minutes] {
            if let Some(table) = history.table(symbol, kind)?
                && let Some(track) = Self::new(instrument, Recording::File(table, kind), window)?
            {
                return Ok(Some(track));
            }
        }
        Ok(None)
    }

    /// A track at its first row; none when nothing lies in the window.
    pub(super) fn new(
        instrument: InstrumentId,
        recording: Recording,
        (from, to): (Millis, Millis),
    ) -> Result<Option<Self>, HistoryError> {
        let mut track = Self { instrument, recording, rows: (0, u64::MAX), loaded: None, next_row: 0, head: None };
        let last = track.row_at(to)?;
        let first = track.row_at(from)?;
        track.rows = (first, last);
        track.seek(first)?;
        Ok(track.head.is_some().then_some(track))
    }

    /// The quote to be played next.
    pub(super) const fn head(&self) -> Option<Tick> {
        self.head
    }

    /// Number of the quote to be played next.
    pub(super) const fn next_row(&self) -> u64 {
        self.next_row
    }

    pub(super) fn advance(&mut self) -> Result<(), HistoryError> {
        self.seek(self.next_row + 1)
    }

    pub(super) fn rewind(&mut self) -> Result<(), HistoryError> {
        self.seek(self.rows.0)
    }

    /// Goes to a row; the end has no head. On an error it stays where it is.
    pub(super) fn seek(&mut self, row: u64) -> Result<(), HistoryError> {
        let row = row.max(self.rows.0);
        let head = if row < self.rows.1 { self.tick(row)? } else { None };
        (self.next_row, self.head) = (row, head);
        Ok(())
    }

    /// Goes to the first quote at or after `at`.
    pub(super) fn seek_time(&mut self, at: Millis) -> Result<(), HistoryError> {
        let row = self.row_at(at)?;
        self.seek(row)
    }

    /// Time of the first row played. Leaves the track where it is.
    pub(super) fn first_at(&mut self) -> Result<Option<i64>, HistoryError> {
        Ok(self.tick(self.rows.0)?.map(|tick| tick.at))
    }

    /// A number that another recording or window has not.
    pub(super) fn fingerprint(&self) -> u64 {
        let content = match &self.recording {
            // In memory there is only what the process itself put there.
            Recording::Memory(ticks) => ticks.len() as u64,
            Recording::File(table, _) => table.fingerprint(),
        };
        [content, self.rows.0, self.rows.1, u64::from(self.instrument.0)]
            .into_iter()
            .fold(0, |sum: u64, part| super::noise::mix(sum ^ part, 1))
    }

    fn tick(&mut self, row: u64) -> Result<Option<Tick>, HistoryError> {
        if let Some((first, ticks)) = &self.loaded {
            let place = row.checked_sub(*first).and_then(|place| usize::try_from(place).ok());
            if let Some(tick) = place.and_then(|place| ticks.get(place)) {
                return Ok(Some(tick));
            }
        }
        let Some((first, ticks)) = self.recording.load(row)? else { return Ok(None) };
        let tick = usize::try_from(row - first).ok().and_then(|place| ticks.get(place));
        self.loaded = Some((first, ticks));
        Ok(tick)
    }

    /// Number of the first quote at or after `at`.
    fn row_at(&mut self, at: Millis) -> Result<u64, HistoryError> {
        let first = self.recording.group_first_row(at.0);
        let Some(mut row) = first else { return Ok(self.recording.rows()) };
        if self.tick(row)?.is_none() {
            return Ok(row);
        }
        if let Some((first, ticks)) = &self.loaded {
            row = first + ticks.at.partition_point(|t| *t < at.0) as u64;
        }
        Ok(row)
    }
}

impl Recording {
    fn rows(&self) -> u64 {
        match self {
            Self::Memory(ticks) => ticks.len() as u64,
            Self::File(table, kind) => table.rows() * quotes_a_row(*kind),
        }
    }

    /// Number of the first quote of the first group that ends at or after `at`.
    fn group_first_row(&self, at: i64) -> Option<u64> {
        match self {
            Self::Memory(_) => Some(0),
            Self::File(table, kind) => {
                let tail_ms = if *kind == Kind::Minutes { 59_999 } else { 0 };
                let index = table.groups().partition_point(|group| group.last_at.saturating_add(tail_ms) < at);
                table.groups().get(index).map(|group| group.first_row * quotes_a_row(*kind))
            }
        }
    }

    /// The group that holds a quote, with the number of its first quote.
    fn load(&self, row: u64) -> Result<Option<(u64, Arc<TickColumns>)>, HistoryError> {
        match self {
            Self::Memory(ticks) => Ok(Some((0, Arc::clone(ticks)))),
            Self::File(table, kind) => {
                let a_row = quotes_a_row(*kind);
                let Some(index) = table.group_of(row / a_row) else { return Ok(None) };
                let columns = table.read_group(index)?;
                let ticks = match kind {
                    Kind::Ticks => TickColumns::from_parts(columns),
                    Kind::Minutes => BarColumns::from_parts(columns).iter().flat_map(quotes_of).collect(),
                };
                let first = table.groups().get(index).map_or(0, |group| group.first_row);
                Ok(Some((first * a_row, Arc::new(ticks))))
            }
        }
    }
}

const fn quotes_a_row(kind: Kind) -> u64 {
    match kind {
        Kind::Ticks => 1,
        Kind::Minutes => QUOTES_A_BAR,
    }
}

/// A minute as four quotes: the extreme nearer to how it began comes first, so a rising minute dips before it
/// climbs. All carry the spread of its close.
fn quotes_of(bar: Bar) -> impl Iterator<Item = Tick> {
    let extremes = if bar.close >= bar.open { [bar.low, bar.high] } else { [bar.high, bar.low] };
    let [second, third] = extremes;
    let bids = [bar.open, second, third, bar.close];
    QUOTE_TIMES_MS.into_iter().zip(bids).map(move |(ms, bid)| Tick {
        at: bar.open_at.0.saturating_add(ms),
        bid: bid.units(),
        ask: bid.units().saturating_add(bar.spread.units()),
    })
}
