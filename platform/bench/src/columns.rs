//! A market in columns: a recording beside the repository, or a walk as long where there is none.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use marque_domain::instrument::Instrument;
use marque_engine::{
    backtest::Recording,
    port::{BarRun, TickRun},
};
use marque_market::{
    columns::{BarColumns, TickColumns},
    import::{ImportOptions, Rows, read_file},
};

use crate::walk::{Ticks, Walk};

/// Bars and quotes of the walk: about as many as the recordings have.
const WALKED_MINUTES: usize = 21_592;
const WALKED_QUOTES: usize = 1_000_000;

/// What a market is made of.
#[derive(Debug, Clone)]
pub enum Columns {
    /// Quotes, none with its bid above its ask.
    Ticks(TickColumns),
    /// Bars of a minute.
    Minutes(BarColumns),
}

/// A market with what it is called.
#[derive(Debug, Clone)]
pub struct Market {
    /// For the table.
    pub name: String,
    /// Its rows.
    pub columns: Columns,
}

impl Market {
    /// The quotes that `XTASK_RECORDING` names, or the walk's.
    ///
    /// # Errors
    /// When the recording cannot be read or holds something else.
    pub fn quotes(instrument: &Instrument) -> Result<Self> {
        let Some(path) = std::env::var_os("XTASK_RECORDING").map(PathBuf::from) else {
            let ticks = Ticks::new(&Walk::new(WALKED_QUOTES)).columns();
            return Ok(Self::named("synthetic quotes", Columns::Ticks(ticks)));
        };
        Ok(Self::named("recorded quotes", read(&path, instrument, "ticks")?))
    }

    /// The minutes that `XTASK_MINUTES` names, or the walk's.
    ///
    /// # Errors
    /// When the recording cannot be read or holds something else.
    pub fn minutes(instrument: &Instrument) -> Result<Self> {
        let Some(path) = std::env::var_os("XTASK_MINUTES").map(PathBuf::from) else {
            return Ok(Self::named("synthetic minutes", Columns::Minutes(Walk::new(WALKED_MINUTES).columns())));
        };
        Ok(Self::named("recorded minutes", read(&path, instrument, "minutes")?))
    }

    fn named(kind: &str, columns: Columns) -> Self {
        let mut market = Self { name: String::new(), columns };
        market.name = format!("{} {kind}", market.rows());
        market
    }

    /// How many rows.
    pub const fn rows(&self) -> usize {
        match &self.columns {
            Columns::Ticks(ticks) => ticks.len(),
            Columns::Minutes(bars) => bars.len(),
        }
    }

    /// As the engine goes through it.
    pub fn recording(&self) -> Recording<'_> {
        match &self.columns {
            Columns::Ticks(t) => Recording::Ticks(TickRun { at: &t.at, bid: &t.bid, ask: &t.ask }),
            Columns::Minutes(b) => Recording::Minutes(BarRun {
                open_at: &b.open_at,
                open: &b.open,
                high: &b.high,
                low: &b.low,
                close: &b.close,
                spread: &b.spread,
                volume: &b.volume,
            }),
        }
    }
}

fn read(path: &Path, instrument: &Instrument, kind: &str) -> Result<Columns> {
    let (rows, _) = read_file(path, instrument, &ImportOptions::default())?;
    Ok(match (rows, kind) {
        (Rows::Ticks(ticks), "ticks") => Columns::Ticks(ticks),
        (Rows::Minutes(bars), "minutes") => Columns::Minutes(bars),
        _ => bail!("{} holds no {kind}", path.display()),
    })
}
