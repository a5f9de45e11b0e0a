//! The market that the monitor is measured on: recorded EURUSD quotes, or a seeded walk where there is no recording.

use std::path::PathBuf;

use anyhow::{Result, bail};
use marque_domain::{
    bar::Quote,
    fixed::Price,
    id::InstrumentId,
    instrument::Instrument,
    time::{DAY_MS, Millis},
};
use marque_market::import::{ImportOptions, Rows, read_file};

use crate::fixture::START;

/// Quotes of the walk: about as many as the recording has.
const WALKED: usize = 1_000_000;

/// Quotes with what they are called.
pub struct Recorded {
    /// For the table.
    pub name: &'static str,
    /// Oldest first; none has its bid above its ask.
    pub quotes: Vec<Quote>,
}

impl Recorded {
    /// The recording that `XTASK_RECORDING` names, or the walk.
    ///
    /// # Errors
    /// When the recording cannot be read.
    pub fn load(instrument: &Instrument) -> Result<Self> {
        let Some(path) = std::env::var_os("XTASK_RECORDING").map(PathBuf::from) else {
            return Ok(Self { name: "synthetic", quotes: walk(instrument.id) });
        };
        let (rows, _) = read_file(&path, instrument, &ImportOptions::default())?;
        let Rows::Ticks(ticks) = rows else { bail!("{} holds no ticks", path.display()) };
        Ok(Self { name: "recorded EURUSD", quotes: ticks.iter().map(|tick| tick.quote(instrument.id)).collect() })
    }
}

/// A walk of one point at a time with spreads of zero to three points, gaps, and weekends.
fn walk(instrument: InstrumentId) -> Vec<Quote> {
    let (mut at, mut bid, mut state) = (START.0, 138_000_000_i64, 7_u64);
    let mut roll = move |sides: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap_or(0) % sides
    };
    let quote = |_| {
        let gap = roll(100_000) == 0;
        at += if gap { 2 * DAY_MS } else { roll(2_400) };
        bid = (bid + (roll(3) - 1) * if gap { 300_000 } else { 1_000 }).clamp(130_000_000, 146_000_000);
        let ask = bid + roll(4) * 1_000;
        Quote { instrument, at: Millis(at), bid: Price::from_units(bid), ask: Price::from_units(ask) }
    };
    (0..WALKED).map(quote).collect()
}
