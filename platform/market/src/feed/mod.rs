//! Feeds: where quotes come from while the platform runs.
//!
//! Owns two sources, `replay` of imported history and the `synthetic` market, their cursors and their pace.
//! Refuses to know clocks and threads: a runtime pulls one quote at a time, stores the cursor with what the
//! quote caused, and waits as long as [`Pace`] says.

mod noise;
mod replay;
mod synthetic;
#[cfg(test)]
mod tests;
mod track;

pub use replay::{Replay, ReplayCursor, ReplayOptions, ReplayTrack};
pub use synthetic::{Synthetic, SyntheticCursor, synthetic_history};

use crate::history::HistoryError;
use marque_domain::{bar::Quote, id::InstrumentId, time::Millis};
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

/// Why a feed cannot go on or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// History cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// There is nothing to replay.
    #[error(
        "there is no history of {0} to replay: import a recording with `marque data import`, or choose another feed"
    )]
    NoHistory(String),
    /// A feed of nothing.
    #[error("the feed has no instruments: name at least one")]
    NoInstruments,
    /// The catalogue does not have this instrument.
    #[error("instrument number {} is not in the catalogue", .0.0)]
    UnknownInstrument(InstrumentId),
    /// The cursor belongs to another kind of feed.
    #[error(
        "the stored cursor belongs to a {stored} feed, but the feed is {configured}: choose the former, or start afresh"
    )]
    OtherFeed {
        /// Whose cursor it is.
        stored: &'static str,
        /// What the feed is.
        configured: &'static str,
    },
}

/// Where a feed stands: after which quote. Small, and stored with the effects of that quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// In recorded history.
    Replay(ReplayCursor),
    /// In the made-up market.
    Synthetic(SyntheticCursor),
}

impl Cursor {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Replay(_) => "replay",
            Self::Synthetic(_) => "synthetic",
        }
    }
}

/// A source of quotes in order of time.
pub enum Source {
    /// Recorded history.
    Replay(Replay),
    /// The made-up market.
    Synthetic(Synthetic),
}

impl Source {
    /// The next quote; `None` at the end of a replay that does not loop.
    ///
    /// # Errors
    /// [`FeedError`] when history cannot be read. The feed stays where it is.
    #[expect(clippy::should_implement_trait, reason = "a source can fail, be resumed and go on after an end")]
    pub fn next(&mut self) -> Result<Option<Quote>, FeedError> {
        match self {
            Self::Replay(replay) => replay.next(),
            Self::Synthetic(synthetic) => Ok(synthetic.next()),
        }
    }

    /// Where it stands: after the quote that came last.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        match self {
            Self::Replay(replay) => Cursor::Replay(replay.cursor()),
            Self::Synthetic(synthetic) => Cursor::Synthetic(synthetic.cursor()),
        }
    }

    /// Goes to where `cursor` stands: the next quote is the one that would have come next then.
    ///
    /// # Errors
    /// [`FeedError`] when the cursor is of another kind of feed or history cannot be read.
    pub fn resume(&mut self, cursor: &Cursor) -> Result<(), FeedError> {
        match (self, cursor) {
            (Self::Replay(replay), Cursor::Replay(cursor)) => replay.resume(cursor),
            (Self::Synthetic(synthetic), Cursor::Synthetic(cursor)) => {
                synthetic.resume(*cursor);
                Ok(())
            }
            (Self::Replay(_), other) => Err(FeedError::OtherFeed { stored: other.kind(), configured: "replay" }),
            (Self::Synthetic(_), other) => Err(FeedError::OtherFeed { stored: other.kind(), configured: "synthetic" }),
        }
    }
}

/// How many times faster than the market a feed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Speed {
    /// So many market milliseconds in one of ours.
    Times(NonZeroU32),
    /// As fast as the platform takes quotes.
    Unlimited,
}

impl Speed {
    /// As the market ran.
    pub const REAL: Self = Self::Times(NonZeroU32::MIN);
}

/// Text that is no speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such speed: {0}; write 1x, 60x and so on, or max")]
pub struct NotASpeed(String);

impl FromStr for Speed {
    type Err = NotASpeed;
    fn from_str(text: &str) -> Result<Self, NotASpeed> {
        if text == "max" {
            return Ok(Self::Unlimited);
        }
        let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
        times.map(Self::Times).ok_or_else(|| NotASpeed(text.to_owned()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}x"),
            Self::Unlimited => f.write_str("max"),
        }
    }
}

impl TryFrom<String> for Speed {
    type Error = NotASpeed;
    fn try_from(text: String) -> Result<Self, NotASpeed> {
        text.parse()
    }
}

impl From<Speed> for String {
    fn from(speed: Speed) -> Self {
        speed.to_string()
    }
}

/// How long to wait between quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How fast.
    pub speed: Speed,
    /// The longest wait: a night or a weekend of a recording passes in this much of our time.
    pub wait_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { speed: Speed::REAL, wait_max: Duration::from_secs(5) }
    }
}

impl Pace {
    /// How long to wait after the quote at `previous` before giving out the one at `next`. Exact to the
    /// nanosecond, so that waits add up also where thousands of quotes come in a millisecond.
    #[must_use]
    pub fn wait(&self, previous: Millis, next: Millis) -> Duration {
        let gap = Duration::from_millis(u64::try_from(next.since(previous)).unwrap_or(0));
        match self.speed {
            Speed::Times(times) => (gap / times.get()).min(self.wait_max),
            Speed::Unlimited => Duration::ZERO,
        }
    }
}
