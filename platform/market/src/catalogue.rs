//! The instruments of the platform. Owns the embedded list, its reading and its checks; refuses to know who
//! may trade them.

use marque_domain::{
    calendar::CalendarId,
    fixed::{FixedError, Price, SCALE, mul_div},
    id::InstrumentId,
    instrument::{Currency, Instrument, InvalidInstrument},
    swap::{SwapTerms, TripleDay},
    time::Zone,
};
use serde::Deserialize;
use std::{collections::HashMap, str::FromStr};

/// The list that is compiled in.
const EMBEDDED: &str = include_str!("../instruments.toml");

/// Why a list of instruments cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is not TOML of the right shape; the text names line and column.
    #[error("the list of instruments cannot be read: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A number is not a decimal.
    #[error("instrument {symbol}: {field} = \"{text}\" is wrong: {fault}")]
    Number {
        /// Which instrument.
        symbol: String,
        /// Which entry.
        field: &'static str,
        /// What it says.
        text: String,
        /// Why that is wrong.
        fault: FixedError,
    },
    /// An instrument cannot be traded exactly.
    #[error("instrument {0}")]
    Invalid(#[from] InvalidInstrument),
    /// Two instruments have one symbol.
    #[error("instrument {0} stands in the list twice: remove one")]
    Twice(String),
    /// The synthetic market of an instrument makes no sense.
    #[error("instrument {symbol}: {fault}")]
    Synthetic {
        /// Which instrument.
        symbol: String,
        /// Why.
        fault: &'static str,
    },
    /// The list is empty.
    #[error("the list of instruments is empty: add at least one [[instrument]]")]
    Empty,
}

/// Shape of an instrument's made-up market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticProfile {
    /// The price around which it moves.
    pub level: Price,
    /// About how far it moves in a day, in basis points of the level.
    pub daily_move_bp: u32,
    /// Usual spread, in ticks.
    pub spread_ticks: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    instrument: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    symbol: String,
    name: String,
    tick_size: String,
    pip: String,
    lot_step: String,
    lot_max: String,
    contract_size: i64,
    quote: Currency,
    calendar: CalendarId,
    swap: Option<SwapEntry>,
    synthetic: SyntheticEntry,
}

/// Points that a lot earns for a night; paid, below zero.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwapEntry {
    long: String,
    short: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SyntheticEntry {
    level: String,
    daily_move_bp: u32,
    spread_ticks: u32,
}

/// The instruments, by number and by symbol.
#[derive(Debug, Clone)]
pub struct Catalogue {
    instruments: Vec<Instrument>,
    profiles: Vec<SyntheticProfile>,
    by_symbol: HashMap<String, InstrumentId>,
}

impl Catalogue {
    /// The instruments compiled into the program.
    ///
    /// # Errors
    /// Never in a build that passed its tests.
    pub fn embedded() -> Result<Self, CatalogueError> {
        Self::parse(EMBEDDED)
    }

    /// Reads a list of instruments; their numbers are their places in it.
    ///
    /// # Errors
    /// [`CatalogueError`] names the instrument and the fault.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let list: List = toml::from_str(text)?;
        if list.instrument.is_empty() {
            return Err(CatalogueError::Empty);
        }
        let mut catalogue = Self { instruments: vec![], profiles: vec![], by_symbol: HashMap::new() };
        for (number, entry) in (0_u32..).zip(&list.instrument) {
            let instrument = entry.instrument(InstrumentId(number))?;
            instrument.validate()?;
            if catalogue.by_symbol.insert(instrument.symbol.clone(), instrument.id).is_some() {
                return Err(CatalogueError::Twice(instrument.symbol));
            }
            catalogue.profiles.push(entry.profile(&instrument)?);
            catalogue.instruments.push(instrument);
        }
        Ok(catalogue)
    }

    /// All instruments; the place of each is its number.
    #[must_use]
    pub fn all(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The instrument with this number.
    #[must_use]
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.get(usize::try_from(id.0).ok()?)
    }

    /// The instrument with this symbol, such as `EURUSD`.
    #[must_use]
    pub fn by_symbol(&self, symbol: &str) -> Option<&Instrument> {
        self.get(*self.by_symbol.get(symbol)?)
    }

    /// The shape of its made-up market.
    #[must_use]
    pub fn profile(&self, id: InstrumentId) -> Option<&SyntheticProfile> {
        self.profiles.get(usize::try_from(id.0).ok()?)
    }
}

impl Entry {
    fn number<T: FromStr<Err = FixedError>>(&self, field: &'static str, text: &str) -> Result<T, CatalogueError> {
        text.parse().map_err(|fault| CatalogueError::Number {
            symbol: self.symbol.clone(),
            field,
            text: text.to_owned(),
            fault,
        })
    }

    fn instrument(&self, id: InstrumentId) -> Result<Instrument, CatalogueError> {
        Ok(Instrument {
            id,
            symbol: self.symbol.clone(),
            name: self.name.clone(),
            tick_size: self.number("tick_size", &self.tick_size)?,
            pip: self.number("pip", &self.pip)?,
            lot_step: self.number("lot_step", &self.lot_step)?,
            lot_max: self.number("lot_max", &self.lot_max)?,
            contract_size: self.contract_size,
            quote: self.quote,
            calendar: self.calendar,
            swap: self.swap.as_ref().map(|swap| self.swap(swap)).transpose()?,
        })
    }

    /// When positions roll follows from when the instrument trades.
    fn swap(&self, swap: &SwapEntry) -> Result<SwapTerms, CatalogueError> {
        let tick: Price = self.number("tick_size", &self.tick_size)?;
        let points = |field, text: &str| {
            let points: Price = self.number(field, text)?;
            let fault =
                |fault| CatalogueError::Number { symbol: self.symbol.clone(), field, text: text.to_owned(), fault };
            mul_div(points.units(), tick.units(), SCALE).map(Price::from_units).map_err(fault)
        };
        let (long, short) = (points("swap.long", &swap.long)?, points("swap.short", &swap.short)?);
        let new_york = || "America/New_York".parse().unwrap_or_else(|_| Zone::utc());
        Ok(match self.calendar {
            CalendarId::Forex | CalendarId::Metals => SwapTerms {
                long,
                short,
                zone: new_york(),
                minute: 17 * 60,
                triple: TripleDay::Wednesday,
                holidays: vec![(12, 25), (1, 1)],
            },
            CalendarId::Continuous => {
                SwapTerms { long, short, zone: Zone::utc(), minute: 0, triple: TripleDay::None, holidays: Vec::new() }
            }
        })
    }

    fn profile(&self, instrument: &Instrument) -> Result<SyntheticProfile, CatalogueError> {
        let SyntheticEntry { ref level, daily_move_bp, spread_ticks } = self.synthetic;
        let level: Price = self.number("synthetic.level", level)?;
        // The walk strays at most about 35 daily moves from its level; the price must stay positive.
        let fault = if level.units() / 1_000 < instrument.tick_size.units() {
            "synthetic.level must be at least a thousand ticks"
        } else if !(1..=280).contains(&daily_move_bp) {
            "synthetic.daily_move_bp must lie between 1 and 280"
        } else if !(1..=100_000).contains(&spread_ticks) {
            "synthetic.spread_ticks must lie between 1 and 100000"
        } else {
            return Ok(SyntheticProfile { level, daily_move_bp, spread_ticks });
        };
        Err(CatalogueError::Synthetic { symbol: self.symbol.clone(), fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::fixed::{Lots, Money, move_value};

    #[test]
    fn the_embedded_list_is_sound() {
        let catalogue = Catalogue::embedded().unwrap();
        for (place, instrument) in catalogue.all().iter().enumerate() {
            assert_eq!(instrument.id.0 as usize, place);
            assert_eq!(catalogue.get(instrument.id), Some(instrument));
            assert_eq!(catalogue.by_symbol(&instrument.symbol), Some(instrument));
            assert!(catalogue.profile(instrument.id).unwrap().level.is_multiple_of(instrument.tick_size));
        }
        let order: Vec<_> = catalogue.all().iter().map(|i| i.symbol.as_str()).collect();
        assert_eq!(order, ["EURUSD", "GBPUSD", "AUDUSD", "XAUUSD", "BTCUSD"], "journals store these numbers");
        assert_eq!(catalogue.get(InstrumentId(5)), None);
        assert_eq!(catalogue.by_symbol("USDJPY"), None);
    }

    #[test]
    fn a_pip_is_worth_what_traders_expect() {
        let catalogue = Catalogue::embedded().unwrap();
        for (symbol, worth) in [("EURUSD", "10"), ("GBPUSD", "10"), ("AUDUSD", "10"), ("XAUUSD", "1"), ("BTCUSD", "1")]
        {
            let instrument = catalogue.by_symbol(symbol).unwrap();
            let lot = Lots::whole(1);
            let value = move_value(Price::ZERO, instrument.pip, lot, instrument.contract_size).unwrap();
            assert_eq!(value, worth.parse::<Money>().unwrap(), "{symbol}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, want) in [
            ("\"GBPUSD\"", "\"EURUSD\"", "EURUSD stands in the list twice"),
            ("\"GBPUSD\"", "\"gbpusd\"", "a symbol has only capital letters"),
            ("pip = \"0.0001\"", "pip = \"0.000015\"", "pip must be a whole number of ticks"),
            ("lot_step = \"0.01\"", "lot_step = \"a\"", "EURUSD: lot_step = \"a\" is wrong: not a decimal number"),
            ("contract_size = 100_000", "contract_size = 0", "contract_size must be above zero"),
            ("calendar = \"metals\"", "calendar = \"lunar\"", "line"),
            ("quote = \"USD\"", "quote = \"usd\"", "three capital letters"),
            ("daily_move_bp = 55", "daily_move_bp = 9000", "daily_move_bp must lie between"),
            ("level = \"1.17000\"", "level = \"0.00100\"", "at least a thousand ticks"),
            ("name = \"Euro", "nickname = \"Euro", "unknown field `nickname`"),
        ] {
            let text = EMBEDDED.replacen(from, to, 1);
            assert_ne!(text, EMBEDDED, "{from}");
            let error = Catalogue::parse(&text).unwrap_err().to_string();
            assert!(error.contains(want), "{from} -> {to}: {error}");
        }
        assert!(matches!(Catalogue::parse(""), Err(CatalogueError::Empty)));
    }
}
