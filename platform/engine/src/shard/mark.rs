//! What a restart must find again beyond the records, whole or as what changed since the last time.

use crate::{
    market::Tape,
    monitor::{PeakMarks, Peaks, Ranges},
    runner::RunnerMark,
};
use marque_domain::{id::InstrumentId, time::Millis};
use serde::{Deserialize, Serialize};

/// What a restart must find again beyond the records: the market's tapes, the day's peaks and the
/// strategies' states, all of the same moment as the last committed record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Market time: it does not go back by a restart, whatever the last quotes say.
    pub(crate) now: Millis,
    pub(crate) tapes: Vec<(InstrumentId, Tape)>,
    pub(crate) peaks: PeakMarks,
    pub(crate) runners: Vec<RunnerMark>,
    pub(crate) shadows: Vec<RunnerMark>,
}

/// What of a mark changed since the one before: of all that a shard holds, what recent events concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkChange {
    pub(crate) now: Millis,
    pub(crate) tapes: Vec<(InstrumentId, Tape)>,
    pub(crate) peaks: Peaks,
    pub(crate) ranges: Ranges,
    pub(crate) runners: Vec<RunnerMark>,
    pub(crate) shadows: Vec<RunnerMark>,
}

impl Mark {
    /// The mark after a change. Changes must be given in the order in which they were taken.
    pub fn apply(&mut self, change: MarkChange) {
        self.now = self.now.max(change.now);
        merge(&mut self.tapes, change.tapes, |(id, _)| *id);
        merge(&mut self.runners, change.runners, |runner| runner.deployment);
        merge(&mut self.shadows, change.shadows, |runner| runner.deployment);
        self.peaks.apply(change.peaks, change.ranges);
    }
}

/// Puts things in the place of those with the same key; both are sorted by it.
fn merge<T, K: Ord>(kept: &mut Vec<T>, newer: Vec<T>, key: impl Fn(&T) -> K) {
    for thing in newer {
        match kept.binary_search_by_key(&key(&thing), &key) {
            Ok(at) => kept[at] = thing,
            Err(at) => kept.insert(at, thing),
        }
    }
}
