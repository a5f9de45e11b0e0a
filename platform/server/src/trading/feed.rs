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
            && self.follows_the_clock()
        {
            synthetic.skip_to(self.clock.now().max(now.plus(1)));
        }
    }

    /// From which time on the wait for the first quote counts, at a desk whose market time is `now`. Where the market runs
    /// with the wall clock it went on while the server was down: nobody waits for that time again.
    pub fn waits_from(&self, now: Millis) -> Millis {
        if self.follows_the_clock() { self.clock.now().max(now) } else { now }
    }

    fn follows_the_clock(&self) -> bool {
        self.plan.synthetic && self.plan.pace.speed == Speed::REAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::time::HOUR_MS;

    const STOPPED: Millis = Millis(1_796_000_000_000);

    /// The made-up market at a speed, in a server that starts an hour after its last quote.
    fn an_hour_later(speed: f64) -> (Maker, Source) {
        let catalogue = Arc::new(Catalogue::embedded().unwrap());
        let symbols = vec!["EURUSD".to_owned()];
        let feed = Feed { kind: FeedKind::Synthetic, symbols, speed, repeat: false, seed: 7 };
        // The made-up market has no need of one.
        let history = Arc::new(History::at(""));
        let plan = FeedPlan::new(&feed, &catalogue).unwrap();
        let before = Maker::new(plan.clone(), Arc::clone(&catalogue), Arc::clone(&history), Clock::from_fn(|| STOPPED));
        let cursor = before.make(None, Millis(0)).unwrap().cursor();
        let maker = Maker::new(plan, catalogue, history, Clock::from_fn(|| STOPPED.plus(HOUR_MS)));
        let source = maker.make(Some(&cursor), STOPPED).unwrap();
        (maker, source)
    }

    fn first_wait(maker: &Maker, source: &mut Source) -> (Millis, Duration) {
        let first = source.next().unwrap().unwrap().at;
        (first, maker.pace().wait(maker.waits_from(STOPPED), first))
    }

    #[test]
    fn a_market_of_the_wall_clock_went_on_while_the_server_was_down() {
        let (maker, mut source) = an_hour_later(1.0);
        let (first, wait) = first_wait(&maker, &mut source);
        let into = first.since(STOPPED.plus(HOUR_MS));
        assert!((0..10_000).contains(&into), "{into}");
        assert_eq!(wait, Duration::from_millis(into.unsigned_abs()).min(WAIT_MAX));
    }

    #[test]
    fn a_faster_market_goes_on_where_it_was() {
        let (maker, mut source) = an_hour_later(60.0);
        let (first, wait) = first_wait(&maker, &mut source);
        let into = first.since(STOPPED);
        assert!((0..10_000).contains(&into), "{into}");
        assert_eq!(wait, Duration::from_millis(into.unsigned_abs()) / 60);
    }
}
