//! Which market a desk follows, and where it goes on.

use crate::{
    clock::Clock,
    config::{Feed, FeedKind},
};
use marque_domain::{
    id::InstrumentId,
    time::{DAY_MS, Millis},
};
use marque_market::{
    catalogue::Catalogue,
    feed::{Cursor, FeedError, Pace, Replay, ReplayOptions, ReplayTrack, Source, Speed, Synthetic},
    history::{History, Kind},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// Nights and weekends of a recording pass in this much of our time.
const WAIT_MAX: Duration = Duration::from_secs(2);
const WEEK_MS: i64 = 7 * DAY_MS;

/// The feed as configured, understood.
#[derive(Debug, Clone)]
pub struct FeedPlan {
    pub(super) synthetic: bool,
    pub(super) seed: u64,
    instruments: Vec<ReplayTrack>,
    pace: Pace,
    repeat: bool,
}

/// A feed that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A symbol that is not in the catalogue.
    #[error(
        "setting `feed.symbols` names {0}, which is not in the catalogue of instruments; `marque data list` shows what is"
    )]
    UnknownSymbol(String),
    /// A speed that is no whole number.
    #[error("setting `feed.speed` is {0}: write 0 for as fast as possible, or a whole number from 1 to 1000000")]
    Speed(f64),
}

impl FeedPlan {
    /// Understands the settings.
    ///
    /// # Errors
    /// [`PlanError`] names the setting.
    pub fn new(feed: &Feed, catalogue: &Catalogue) -> Result<Self, PlanError> {
        let track = |symbol: &String| {
            let found = catalogue.by_symbol(symbol).ok_or_else(|| PlanError::UnknownSymbol(symbol.clone()))?;
            Ok(ReplayTrack { instrument: found.id, symbol: symbol.clone() })
        };
        Ok(Self {
            synthetic: feed.kind == FeedKind::Synthetic,
            seed: feed.seed,
            instruments: feed.symbols.iter().map(track).collect::<Result<_, PlanError>>()?,
            pace: Pace { speed: speed(feed.speed)?, wait_max: WAIT_MAX },
            repeat: feed.repeat,
        })
    }

    /// How fast the market runs.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether the market is made up.
    #[must_use]
    pub const fn is_synthetic(&self) -> bool {
        self.synthetic
    }

    /// What the market shows.
    #[must_use]
    pub fn instruments(&self) -> Vec<InstrumentId> {
        self.instruments.iter().map(|t| t.instrument).collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "checked to be a whole number in range"
)]
fn speed(times: f64) -> Result<Speed, PlanError> {
    if times == 0.0 {
        return Ok(Speed::Unlimited);
    }
    let whole = times.trunc() == times && (1.0..=1_000_000.0).contains(&times);
    whole.then(|| NonZeroU32::new(times as u32).map(Speed::Times)).flatten().ok_or(PlanError::Speed(times))
}

/// Makes a desk's source of quotes.
pub(super) struct Maker {
    plan: FeedPlan,
    catalogue: Arc<Catalogue>,
    history: Arc<History>,
    clock: Clock,
}

impl Maker {
    pub const fn new(plan: FeedPlan, catalogue: Arc<Catalogue>, history: Arc<History>, clock: Clock) -> Self {
        Self { plan, catalogue, history, clock }
    }

    pub const fn pace(&self) -> Pace {
        self.plan.pace
    }

    /// The source where a desk goes on. A cursor of another feed or recording is of no use: the new one
    /// begins after `now`, because market time never goes back.
    pub fn make(&self, cursor: Option<&Cursor>, now: Millis) -> Result<Source, FeedError> {
        if let Some(cursor) = cursor {
            let mut source = self.fresh(Millis(0))?;
            match source.resume(cursor) {
                Ok(()) => {
                    self.catch_up(&mut source, now);
                    return Ok(source);
                }
                Err(error) => tracing::warn!(%error, "the feed has changed; the market goes on with the new one"),
            }
        }
        self.fresh(now)
    }

    fn fresh(&self, after: Millis) -> Result<Source, FeedError> {
        if self.plan.synthetic {
            let from = self.clock.now().max(after.plus(1));
            return Synthetic::new(self.plan.seed, &self.catalogue, &self.plan.instruments(), from)
                .map(Source::Synthetic);
        }
        let mut shift_weeks = 0;
        for track in &self.plan.instruments {
            for kind in [Kind::Ticks, Kind::Minutes] {
                if let Some(holding) = self.history.holding(&track.symbol, kind)? {
                    let weeks = after.plus(1).since(holding.first).max(0).div_euclid(WEEK_MS)
                        + i64::from(after > holding.first);
                    shift_weeks = shift_weeks.max(i32::try_from(weeks).unwrap_or(0));
                    break;
                }
            }
        }
        let options = ReplayOptions { shift_weeks, looping: self.plan.repeat, ..ReplayOptions::default() };
        Replay::open(&self.history, &self.plan.instruments, options).map(Source::Replay)
    }

    /// A market that runs with the wall clock does not show what it missed while the server was down.
    fn catch_up(&self, source: &mut Source, now: Millis) {
        if let Source::Synthetic(synthetic) = source
            && self.plan.pace.speed == Speed::REAL
        {
            synthetic.skip_to(self.clock.now().max(now.plus(1)));
        }
    }
}
