//! What can be traded, and in what steps.

use crate::{
    calendar::CalendarId,
    fixed::{Lots, Price, SCALE},
    id::InstrumentId,
    swap::SwapTerms,
};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// An ISO 4217 code or another code of three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("???")
    }
}

/// Text that is not three capital letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a currency: write three capital letters such as USD")]
pub struct NotACurrency;

impl FromStr for Currency {
    type Err = NotACurrency;
    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|l| l.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(NotACurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A tradable instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its number in the catalogue.
    pub id: InstrumentId,
    /// Its name at the platform, such as `EURUSD`.
    pub symbol: String,
    /// What a person calls it.
    pub name: String,
    /// The smallest price change.
    pub tick_size: Price,
    /// The move that traders count in.
    pub pip: Price,
    /// The smallest change of quantity, and the smallest order.
    pub lot_step: Lots,
    /// The largest order.
    pub lot_max: Lots,
    /// Units of the base in one lot.
    pub contract_size: i64,
    /// The currency of its price and of its profit.
    pub quote: Currency,
    /// When it trades.
    pub calendar: CalendarId,
    /// What holding it overnight earns and costs; nothing when there is none.
    #[serde(default)]
    pub swap: Option<SwapTerms>,
}

/// An instrument that cannot be traded exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{symbol}: {fault}")]
pub struct InvalidInstrument {
    symbol: String,
    fault: &'static str,
}

impl Instrument {
    /// The currency (or metal) that is bought and sold, where the symbol is a pair: the first three of six letters, when
    /// the last three are the quote currency.
    #[must_use]
    pub fn base(&self) -> Option<Currency> {
        let base = self.symbol.strip_suffix(self.quote.code())?;
        base.parse().ok().filter(|base| *base != self.quote)
    }

    /// Digits after the point in a price.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.tick_size.to_text(0).split_once('.').map_or(0, |(_, fraction)| fraction.len())
    }

    /// How near to the market a pending price may be: one pip.
    #[must_use]
    pub const fn price_distance_min(&self) -> Price {
        self.pip
    }

    /// Checks that every order is exact: steps are positive, a pip is whole ticks, and one lot step times
    /// the contract size is a whole number of 1e-8 units and does not overflow.
    ///
    /// # Errors
    /// [`InvalidInstrument`] names the symbol and the fault.
    pub fn validate(&self) -> Result<(), InvalidInstrument> {
        let fault = if self.symbol.is_empty()
            || !self.symbol.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.')
        {
            "a symbol has only capital letters, digits and points"
        } else if self.tick_size <= Price::ZERO {
            "tick_size must be above zero"
        } else if !self.pip.is_multiple_of(self.tick_size) || self.pip <= Price::ZERO {
            "pip must be a whole number of ticks"
        } else if self.lot_step <= Lots::ZERO || self.lot_step.units() > SCALE * 1_000 {
            "lot_step must be above zero and at most 1000"
        } else if self.lot_max < self.lot_step {
            "lot_max must be at least lot_step"
        } else if self.contract_size <= 0 || self.lot_max.units().checked_mul(self.contract_size).is_none() {
            "contract_size must be above zero, and lot_max times contract_size below 92 billion"
        } else {
            return Ok(());
        };
        Err(InvalidInstrument { symbol: self.symbol.clone(), fault })
    }
}
