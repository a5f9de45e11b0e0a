//! Rows to columns in order. Owns the rules for crossed quotes, order and duplicates; refuses to know how
//! rows were written.

use super::report::Report;
use crate::{
    columns::{BarColumns, Tick, TickColumns},
    history::{merge_minutes, merge_ticks},
};
use marque_domain::{
    bar::{Bar, Timeframe},
    fixed::Price,
};

/// What a file holds, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Quotes.
    Ticks(TickColumns),
    /// Bars of one minute.
    Minutes(BarColumns),
}

impl Rows {
    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Ticks(ticks) => ticks.len(),
            Self::Minutes(bars) => bars.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Two recordings together, as the history merges them; none when one holds quotes and the other bars.
    pub(super) fn joined(before: Self, after: Self) -> Option<Self> {
        match (before, after) {
            (Self::Ticks(old), Self::Ticks(new)) => Some(Self::Ticks(merge_ticks(&old, &new))),
            (Self::Minutes(old), Self::Minutes(new)) => Some(Self::Minutes(merge_minutes(&old, &new))),
            _ => None,
        }
    }

    pub(super) fn keep_tick(&mut self, tick: Tick, report: &mut Report) {
        let Self::Ticks(ticks) = self else { return };
        if tick.bid > tick.ask {
            report.crossed += 1;
            return;
        }
        report.locked += u64::from(tick.bid == tick.ask);
        report.out_of_order += u64::from(ticks.at.last().is_some_and(|last| tick.at < *last));
        ticks.push(tick);
    }

    pub(super) fn keep_bar(&mut self, mut bar: Bar, report: &mut Report) {
        let Self::Minutes(bars) = self else { return };
        if bar.spread < Price::ZERO {
            report.crossed += 1;
            bar.spread = Price::ZERO;
        }
        report.out_of_order += u64::from(bars.open_at.last().is_some_and(|last| bar.open_at.0 < *last));
        bars.push(&bar);
    }

    /// Puts the rows in order and drops duplicates, counting both.
    pub(super) fn settle(self, report: &mut Report) -> Self {
        let before = self.len();
        let settled = match self {
            Self::Ticks(ticks) => {
                let ticks = if report.out_of_order > 0 { sorted_ticks(&ticks) } else { ticks };
                Self::Ticks(without_repeats(ticks))
            }
            Self::Minutes(bars) => {
                let bars = if report.out_of_order > 0 { sorted_bars(&bars) } else { bars };
                Self::Minutes(last_of_each_minute(bars))
            }
        };
        report.duplicates += (before - settled.len()) as u64;
        settled
    }

    /// The shortest distance between two bars when it is longer than a minute: these are other bars. Few bars
    /// may be minutes with gaps, so they pass.
    pub(super) fn other_timeframe_ms(&self) -> Option<i64> {
        let Self::Minutes(bars) = self else { return None };
        let neighbours = bars.open_at.iter().zip(bars.open_at.iter().skip(1));
        let shortest = neighbours.map(|(a, b)| b - a).min()?;
        (bars.len() >= 10 && shortest > Timeframe::M1.length_ms()).then_some(shortest)
    }
}

/// A stable order by time.
fn sorted_ticks(ticks: &TickColumns) -> TickColumns {
    let mut rows: Vec<Tick> = ticks.iter().collect();
    rows.sort_by_key(|tick| tick.at);
    rows.into_iter().collect()
}

fn sorted_bars(bars: &BarColumns) -> BarColumns {
    let mut rows: Vec<Bar> = bars.iter().collect();
    rows.sort_by_key(|bar| bar.open_at);
    rows.into_iter().collect()
}

/// Drops a tick that says what the tick before it said at the same millisecond. A price that returns within
/// the millisecond is no duplicate.
fn without_repeats(ticks: TickColumns) -> TickColumns {
    let repeats = |(a, b): (Tick, Tick)| a == b;
    if !ticks.iter().zip(ticks.iter().skip(1)).any(repeats) {
        return ticks;
    }
    let mut last = None;
    ticks.iter().filter(|tick| last.replace(*tick) != Some(*tick)).collect()
}

/// Of bars with one start, the last stands.
fn last_of_each_minute(bars: BarColumns) -> BarColumns {
    if bars.open_at.iter().zip(bars.open_at.iter().skip(1)).all(|(a, b)| a < b) {
        return bars;
    }
    let nexts = bars.open_at.iter().skip(1).map(Some).chain([None]);
    bars.iter().zip(nexts).filter(|(bar, next)| *next != Some(&bar.open_at.0)).map(|(bar, _)| bar).collect()
}
