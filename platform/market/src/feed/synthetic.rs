//! The made-up market: a pure function of (seed, instrument, time).
//!
//! Owns its prices, spreads and the times of its quotes. There is no state to lose: any window can be made
//! alone, a restart goes on seamlessly, and all machines with one seed see one market.

use super::{
    FeedError,
    noise::{Octave, Walk, mix, unit},
};
use crate::{
    catalogue::{Catalogue, SyntheticProfile},
    columns::{TIME_MAX, TIME_MIN, Tick, TickColumns},
};
use marque_domain::{
    bar::Quote,
    calendar::Calendar,
    id::InstrumentId,
    instrument::Instrument,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
};
use serde::{Deserialize, Serialize};

/// Time is cut into slots of this length; a slot has at most one quote.
const SLOT_MS: i64 = 125;
const SLOTS_A_MINUTE: i64 = MINUTE_MS / SLOT_MS;
/// How long a closed market is searched for its opening before the feed ends: no calendar is closed so long.
const CLOSED_MAX_MS: i64 = 30 * DAY_MS;

/// Liveliness of each UTC hour in percent: quiet after New York closes, busy while London and New York
/// overlap. The mean is about 50, which makes 4 quotes a second.
const HOURS: [u8; 24] =
    [34, 36, 38, 36, 36, 40, 50, 62, 66, 62, 56, 54, 66, 78, 80, 74, 66, 54, 46, 42, 36, 26, 28, 32];

/// Streams of random numbers, kept apart by these.
const SALT_SLOT: i64 = 1;
const SALT_SPREAD: i64 = 2;
const SALT_WALK: i64 = 3;
const SALT_MOOD: i64 = 4;

/// What holds for a minute. The slow parts of the market are computed at full minutes and run straight between
/// them, which is still a function of time alone and costs a fraction.
#[derive(Clone, Copy)]
struct Minute {
    number: i64,
    is_open: bool,
    activity: f64,
    tide: f64,
    tide_step: f64,
    liveliness: f64,
    liveliness_step: f64,
}

/// One instrument's market, asked for one slot after another or at random.
struct Market {
    instrument: InstrumentId,
    tick_size: i64,
    level_ticks: f64,
    spread_ticks: f64,
    calendar: Calendar,
    slot_seed: u64,
    spread_seed: u64,
    walk: Walk,
    moods: [Octave; 2],
    minute: Minute,
}

impl Market {
    fn new(seed: u64, instrument: &Instrument, profile: &SyntheticProfile) -> Self {
        // The symbol and not the number, so that a longer catalogue leaves every market as it was.
        let seed = instrument.symbol.bytes().fold(mix(seed, 0), |seed, byte| mix(seed, i64::from(byte)));
        let mood = mix(seed, SALT_MOOD);
        let mut market = Self {
            instrument: instrument.id,
            tick_size: instrument.tick_size.units(),
            level_ticks: profile.level.units() as f64 / instrument.tick_size.units() as f64,
            spread_ticks: f64::from(profile.spread_ticks),
            calendar: Calendar::of(instrument.calendar),
            slot_seed: mix(seed, SALT_SLOT),
            spread_seed: mix(seed, SALT_SPREAD),
            walk: Walk::new(mix(seed, SALT_WALK), f64::from(profile.daily_move_bp) / 10_000.0),
            moods: [Octave::new(mix(mood, 0), 45 * MINUTE_MS), Octave::new(mix(mood, 1), 7 * HOUR_MS)],
            minute: Minute {
                number: 0,
                is_open: false,
                activity: 0.0,
                tide: 0.0,
                tide_step: 0.0,
                liveliness: 0.0,
                liveliness_step: 0.0,
            },
        };
        market.minute = market.work_out(0);
        market
    }

    /// The quote of a slot, if the market is open and has one in it.
    fn quote_in(&mut self, slot: i64) -> Option<Tick> {
        let from = slot * SLOT_MS;
        let minute = self.minute_of(from);
        if !minute.is_open {
            return None;
        }
        let bits = mix(self.slot_seed, slot);
        // Upper bits decide whether there is a quote, lower ones when, those between a last bit of noise.
        if unit(bits) >= 2.0 * minute.activity - 1.0 {
            return None;
        }
        let at = from + ((bits & 0x7FF) % SLOT_MS.unsigned_abs()).cast_signed();
        let part = (at - minute.number * MINUTE_MS) as f64 * (1.0 / MINUTE_MS as f64);
        let tide = minute.tide + minute.tide_step * part;
        let liveliness = minute.liveliness + minute.liveliness_step * part;
        let middle = self.level_ticks * (1.0 + tide + self.walk.ripples(at) * liveliness);
        // Every two seconds another spread, wider when little happens.
        let moment = unit(mix(self.spread_seed, at.div_euclid(2_000)));
        let spread = self.spread_ticks * (1.35 - 0.6 * minute.activity) * (1.0 + 0.3 * moment);
        let spread_ticks = (spread as i64).max(1);
        let bid = middle - spread * (0.5 + 0.15 * unit(bits << 29));
        let bid = (bid as i64).max(1) * self.tick_size;
        Some(Tick { at, bid, ask: bid + spread_ticks * self.tick_size })
    }

    /// What holds at `at`; the minute asked for last is remembered.
    fn minute_of(&mut self, at: i64) -> Minute {
        let number = at.div_euclid(MINUTE_MS);
        if self.minute.number != number {
            self.minute = self.work_out(number);
        }
        self.minute
    }

    fn work_out(&mut self, number: i64) -> Minute {
        let (from, to) = (number * MINUTE_MS, (number + 1) * MINUTE_MS);
        let (tide, liveliness) = (self.walk.tide(from), self.liveliness(from));
        Minute {
            number,
            is_open: self.calendar.is_open(Millis(from)),
            activity: activity(from),
            tide,
            tide_step: self.walk.tide(to) - tide,
            liveliness,
            liveliness_step: self.liveliness(to) - liveliness,
        }
    }

    /// How much the market of the moment moves: by the hour of the day, and by moods that come and go.
    fn liveliness(&mut self, at: i64) -> f64 {
        let [quick, long] = &mut self.moods;
        (0.55 + 0.9 * activity(at)) * (1.0 + 0.45 * quick.at(at) + 0.35 * long.at(at))
    }

    /// The first quote at or after `from`; none beyond the years that history knows.
    fn first_from(&mut self, from: i64) -> Option<Tick> {
        let from = from.max(TIME_MIN.0);
        let mut slot = from.div_euclid(SLOT_MS);
        let end = from.saturating_add(CLOSED_MAX_MS).min(TIME_MAX.0) / SLOT_MS;
        while slot < end {
            if let Some(tick) = self.quote_in(slot).filter(|tick| tick.at >= from) {
                return Some(tick);
            }
            // A closed market is skipped by minutes.
            let minute = self.minute_of(slot * SLOT_MS);
            slot = if minute.is_open { slot + 1 } else { (minute.number + 1) * SLOTS_A_MINUTE };
        }
        None
    }
}

/// How lively the market is at an instant, 0 to 1: between the hours' figures in a straight line.
fn activity(at: i64) -> f64 {
    let in_day = at.rem_euclid(DAY_MS);
    let hour = usize::try_from(in_day / HOUR_MS).unwrap_or(0);
    let figure = |hour: usize| f64::from(HOURS.get(hour % 24).copied().unwrap_or(50));
    let part = (in_day % HOUR_MS) as f64 / HOUR_MS as f64;
    (figure(hour) + (figure(hour + 1) - figure(hour)) * part) / 100.0
}

/// Where the made-up market stands: after this quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntheticCursor {
    /// Time of the quote that came last; before the first quote, the instant before the start.
    pub at: Millis,
    /// Its instrument: of quotes of one millisecond, the lower number comes first.
    pub instrument: InstrumentId,
}

/// The made-up market of some instruments, endless.
pub struct Synthetic {
    markets: Vec<(Market, Option<Tick>)>,
    cursor: SyntheticCursor,
}

impl Synthetic {
    /// The market of `instruments` under `seed`, from `from` on.
    ///
    /// # Errors
    /// [`FeedError::NoInstruments`] or [`FeedError::UnknownInstrument`].
    pub fn new(
        seed: u64,
        catalogue: &Catalogue,
        instruments: &[InstrumentId],
        from: Millis,
    ) -> Result<Self, FeedError> {
        let mut ids = instruments.to_vec();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Err(FeedError::NoInstruments);
        }
        let market = |id: InstrumentId| market_of(seed, catalogue, id).map(|market| (market, None));
        let markets = ids.into_iter().map(market).collect::<Result<Vec<_>, _>>()?;
        let cursor = SyntheticCursor { at: from.plus(-1), instrument: InstrumentId(u32::MAX) };
        let mut synthetic = Self { markets, cursor };
        synthetic.resume(cursor);
        Ok(synthetic)
    }

    /// The next quote; none only at the end of time.
    #[expect(clippy::should_implement_trait, reason = "a source can fail, be resumed and go on after an end")]
    pub fn next(&mut self) -> Option<Quote> {
        // The first of the least: instruments stand in order of their numbers.
        let (market, head) = self
            .markets
            .iter_mut()
            .filter(|(_, head)| head.is_some())
            .min_by_key(|(_, head)| head.map_or(i64::MAX, |tick| tick.at))?;
        let tick = head.take()?;
        *head = market.first_from(tick.at + 1);
        self.cursor = SyntheticCursor { at: Millis(tick.at), instrument: market.instrument };
        Some(tick.quote(market.instrument))
    }

    /// Where it stands.
    #[must_use]
    pub const fn cursor(&self) -> SyntheticCursor {
        self.cursor
    }

    /// Goes to where `cursor` stands.
    pub fn resume(&mut self, cursor: SyntheticCursor) {
        self.cursor = cursor;
        for (market, head) in &mut self.markets {
            let from = if market.instrument <= cursor.instrument { cursor.at.plus(1) } else { cursor.at };
            *head = market.first_from(from.0);
        }
    }

    /// Leaves out everything before `at`, for a runtime that comes back after a pause and wants the market of
    /// now. Never goes back.
    pub fn skip_to(&mut self, at: Millis) {
        if at > self.cursor.at.plus(1) {
            self.resume(SyntheticCursor { at: at.plus(-1), instrument: InstrumentId(u32::MAX) });
        }
    }
}

fn market_of(seed: u64, catalogue: &Catalogue, id: InstrumentId) -> Result<Market, FeedError> {
    let found = catalogue.get(id).zip(catalogue.profile(id));
    let (instrument, profile) = found.ok_or(FeedError::UnknownInstrument(id))?;
    Ok(Market::new(seed, instrument, profile))
}

/// What the made-up market of one instrument quotes in `[from, to)`: a recording for demos and tests, the
/// same quotes that [`Synthetic`] gives out live.
///
/// # Errors
/// [`FeedError::UnknownInstrument`].
pub fn synthetic_history(
    seed: u64,
    catalogue: &Catalogue,
    instrument: InstrumentId,
    from: Millis,
    to: Millis,
) -> Result<TickColumns, FeedError> {
    let mut market = market_of(seed, catalogue, instrument)?;
    let mut ticks = TickColumns::default();
    let mut next = market.first_from(from.0);
    while let Some(tick) = next.filter(|tick| tick.at < to.0) {
        ticks.push(tick);
        next = market.first_from(tick.at + 1);
    }
    Ok(ticks)
}
