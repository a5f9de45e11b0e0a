//! Recorded history as a live market, once or over and over.
//!
//! Owns merging several recordings by time, the loop and the cursor. Refuses to wait.

use super::{
    FeedError,
    track::{Recording, Track},
};
use crate::{columns::TickColumns, history::History};
use marque_domain::{
    bar::Quote,
    id::InstrumentId,
    time::{DAY_MS, Millis},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A week. Loops are shifted by whole weeks, so every quote keeps its weekday and its time of day (UTC).
const WEEK_MS: i64 = 7 * DAY_MS;

/// What to replay of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayTrack {
    /// Its number.
    pub instrument: InstrumentId,
    /// Whose history.
    pub symbol: String,
}

/// How to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayOptions {
    /// Recorded times below are left out.
    pub from: Millis,
    /// Recorded times from here on are left out.
    pub to: Millis,
    /// Weeks by which all times are shifted from the start.
    pub shift_weeks: i32,
    /// Whether to begin again at the end.
    pub looping: bool,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { from: Millis(i64::MIN), to: Millis(i64::MAX), shift_weeks: 0, looping: true }
    }
}

/// Where a replay stands: after this quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayCursor {
    /// Recorded time of the quote that came last; none before the first.
    pub recorded_at: Option<Millis>,
    /// What is added to recorded times now.
    pub shift_ms: i64,
    /// Of each track, the row that comes next.
    pub rows: Vec<u64>,
    /// Which recordings these rows are of.
    pub fingerprint: u64,
}

/// A replay of one or more recordings, merged by time; of quotes of one millisecond, the earlier track's
/// comes first.
pub struct Replay {
    tracks: Vec<Track>,
    looping: bool,
    fingerprint: u64,
    shift_ms: i64,
    recorded_at: Option<i64>,
}

impl Replay {
    /// Replays what is in `history`: quotes where there are any, else minutes as four quotes each.
    ///
    /// # Errors
    /// [`FeedError::NoHistory`] names a symbol with nothing to replay.
    pub fn open(history: &History, tracks: &[ReplayTrack], options: ReplayOptions) -> Result<Self, FeedError> {
        let mut opened = vec![];
        for track in tracks {
            let found = Track::open(history, &track.symbol, track.instrument, (options.from, options.to))?;
            opened.push(found.ok_or_else(|| FeedError::NoHistory(track.symbol.clone()))?);
        }
        Self::of(opened, options)
    }

    /// Replays quotes from memory, which several replays may share.
    ///
    /// # Errors
    /// [`FeedError::NoHistory`] names an instrument without quotes.
    pub fn of_ticks(
        recordings: Vec<(InstrumentId, Arc<TickColumns>)>,
        options: ReplayOptions,
    ) -> Result<Self, FeedError> {
        let mut opened = vec![];
        for (instrument, ticks) in recordings {
            let found = Track::new(instrument, Recording::Memory(ticks), (options.from, options.to))?;
            opened.push(found.ok_or_else(|| FeedError::NoHistory(format!("instrument {}", instrument.0)))?);
        }
        Self::of(opened, options)
    }

    fn of(tracks: Vec<Track>, options: ReplayOptions) -> Result<Self, FeedError> {
        if tracks.is_empty() {
            return Err(FeedError::NoInstruments);
        }
        let fingerprint = tracks.iter().fold(0, |sum, track| super::noise::mix(sum ^ track.fingerprint(), 2));
        let shift_ms = i64::from(options.shift_weeks) * WEEK_MS;
        Ok(Self { tracks, looping: options.looping, fingerprint, shift_ms, recorded_at: None })
    }

    /// The next quote; none at the end when it does not loop.
    ///
    /// # Errors
    /// [`FeedError::History`] when history cannot be read; the replay stays where it is.
    #[expect(clippy::should_implement_trait, reason = "a source can fail, be resumed and go on after an end")]
    pub fn next(&mut self) -> Result<Option<Quote>, FeedError> {
        let Some((place, tick)) = self.earliest() else {
            if !self.looping || !self.begin_again()? {
                return Ok(None);
            }
            return self.next();
        };
        let Some(track) = self.tracks.get_mut(place) else { return Ok(None) };
        track.advance()?;
        self.recorded_at = Some(tick.at);
        let mut quote = tick.quote(track.instrument);
        quote.at = quote.at.plus(self.shift_ms);
        Ok(Some(quote))
    }

    fn earliest(&self) -> Option<(usize, crate::columns::Tick)> {
        let heads = self.tracks.iter().enumerate().filter_map(|(place, track)| Some((place, track.head()?)));
        heads.min_by_key(|(_, tick)| tick.at)
    }

    /// Goes to the first quotes, later by the fewest whole weeks that keep time moving on. False when nothing
    /// was played since the last time, so that a replay of nothing ends.
    fn begin_again(&mut self) -> Result<bool, FeedError> {
        let Some(last) = self.recorded_at else { return Ok(false) };
        let mut first = i64::MAX;
        for track in &mut self.tracks {
            first = first.min(track.first_at()?.unwrap_or(i64::MAX));
        }
        for track in &mut self.tracks {
            track.rewind()?;
        }
        let span_ms = last.saturating_sub(first).saturating_add(1);
        self.shift_ms = self.shift_ms.saturating_add(weeks_above(span_ms));
        self.recorded_at = None;
        Ok(true)
    }

    /// Where it stands.
    #[must_use]
    pub fn cursor(&self) -> ReplayCursor {
        ReplayCursor {
            recorded_at: self.recorded_at.map(Millis),
            shift_ms: self.shift_ms,
            rows: self.tracks.iter().map(Track::next_row).collect(),
            fingerprint: self.fingerprint,
        }
    }

    /// Goes to where `cursor` stands. When the recordings are others than then (an import added to them), the
    /// replay goes on with the first quotes after the time it had reached.
    ///
    /// # Errors
    /// [`FeedError::History`] when history cannot be read.
    pub fn resume(&mut self, cursor: &ReplayCursor) -> Result<(), FeedError> {
        let same = cursor.fingerprint == self.fingerprint && cursor.rows.len() == self.tracks.len();
        for (place, track) in self.tracks.iter_mut().enumerate() {
            match (cursor.rows.get(place), cursor.recorded_at) {
                (Some(row), _) if same => track.seek(*row)?,
                (_, Some(at)) => track.seek_time(at.plus(1))?,
                _ => track.rewind()?,
            }
        }
        self.shift_ms = cursor.shift_ms;
        self.recorded_at = cursor.recorded_at.map(|at| at.0);
        Ok(())
    }
}

/// The least number of whole weeks that is at least `ms`, in milliseconds.
const fn weeks_above(ms: i64) -> i64 {
    let weeks = ms.saturating_add(WEEK_MS - 1).div_euclid(WEEK_MS);
    weeks.saturating_mul(WEEK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_whole_weeks() {
        for (ms, weeks) in [(1, 1), (WEEK_MS - 1, 1), (WEEK_MS, 1), (WEEK_MS + 1, 2), (0, 0)] {
            assert_eq!(weeks_above(ms), weeks * WEEK_MS, "{ms}");
        }
    }
}
