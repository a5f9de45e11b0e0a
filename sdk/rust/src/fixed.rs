//! Fixed-point numbers for guests: `i64` counted in units of 1e-8, as the contract carries them.
//!
//! Nothing here panics on large numbers: sums are held at the limits of the type, because a plugin that traps on a
//! strange price loses its instance, and the host checks every figure again.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Units in one.
pub const SCALE: i64 = 100_000_000;
const DECIMALS: usize = 8;

/// Text that is not a decimal number of at most eight places within ±92 billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberError;

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a number of at most eight decimal places within 92 billion")
    }
}

impl core::error::Error for NumberError {}

/// `a · b / c`, rounded half to even once and held at the limits of `i64`. Nothing when `c` is zero.
pub(crate) fn mul_div(a: i64, b: i64, c: i64) -> i64 {
    let (product, divisor) = (i128::from(a) * i128::from(b), i128::from(c));
    if divisor == 0 {
        return 0;
    }
    let (n, d) = if divisor < 0 { (-product, -divisor) } else { (product, divisor) };
    let (quotient, twice) = (n.div_euclid(d), n.rem_euclid(d) * 2);
    let up = twice > d || (twice == d && quotient % 2 != 0);
    let rounded = quotient + i128::from(up);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

fn parse(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > DECIMALS {
        return Err(NumberError);
    }
    let padding = core::iter::repeat_n(b'0', DECIMALS - fraction.len());
    let mut units = 0_i64;
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        let digit = i64::from(digit - b'0');
        units = units.checked_mul(10).and_then(|u| u.checked_add(digit)).ok_or(NumberError)?;
    }
    Ok(if negative { -units } else { units })
}

fn write(units: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (magnitude, scale) = (units.unsigned_abs(), SCALE.unsigned_abs());
    let mut fraction = format!("{:08}", magnitude % scale);
    let keep = fraction.trim_end_matches('0').len().max(f.precision().unwrap_or(0).min(DECIMALS));
    fraction.truncate(keep);
    let (sign, point) = (if units < 0 { "-" } else { "" }, if keep == 0 { "" } else { "." });
    write!(f, "{sign}{}{point}{fraction}", magnitude / scale)
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of at most eight decimal places, or such a number as text")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        number.checked_mul(SCALE).ok_or_else(|| E::custom(NumberError))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::custom(NumberError)).and_then(|n| self.visit_i64(n))
    }

    // The shortest decimal that reads back as this float is the one that was written in the settings.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        parse(text).map_err(E::custom)
    }
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// From units of 1e-8.
            #[must_use]
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// From a whole number, held at the limits of the type.
            #[must_use]
            pub const fn whole(number: i64) -> Self {
                Self(number.saturating_mul(SCALE))
            }

            /// In units of 1e-8.
            #[must_use]
            pub const fn units(self) -> i64 {
                self.0
            }

            /// As a float, for indicators. What is traded or compared with a limit stays fixed point.
            #[must_use]
            pub const fn to_f64(self) -> f64 {
                self.0 as f64 / SCALE as f64
            }

            /// The nearest to a float, which an indicator made: held at the limits of the type, and nothing for no number.
            #[must_use]
            pub fn from_f64(value: f64) -> Self {
                Self((value * SCALE as f64).round_ties_even() as i64)
            }

            /// `self · part / whole`, rounded once; nothing when `whole` is zero.
            #[must_use]
            pub fn times(self, part: i64, whole: i64) -> Self {
                Self(mul_div(self.0, part, whole))
            }
        }

        impl core::ops::Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl core::ops::Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl core::ops::Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(self.0.saturating_neg())
            }
        }

        impl FromStr for $name {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        // For people and settings a decimal, for snapshots the units.
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_i64(self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_any(Visitor).map(Self)
                } else {
                    i64::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

fixed!(
    /// A price in the instrument's quote currency, or a distance between two.
    Price
);
fixed!(
    /// A quantity in lots.
    Lots
);
fixed!(
    /// An amount in the account's currency.
    Money
);
fixed!(
    /// A plain number, such as a percentage or a count of pips.
    Decimal
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn settings_numbers_are_read_exactly() {
        for (json, units) in [
            ("1", SCALE),
            ("0.1", 10_000_000),
            ("1.38727", 138_727_000),
            ("\"0.01\"", 1_000_000),
            ("-2.5", -250_000_000),
            ("1e-7", 10),
            ("0.30000000", 30_000_000),
        ] {
            assert_eq!(serde_json::from_str::<Lots>(json).unwrap().units(), units, "{json}");
        }
        for bad in ["\"\"", "\".5\"", "\"1.\u{0}\"", "\"1e5\"", "0.000000001", "1e20", "true", "\"--1\""] {
            assert!(serde_json::from_str::<Lots>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rounds_half_to_even_and_holds_at_the_limits() {
        for (a, b, c, want) in [(5, 1, 10, 0), (15, 1, 10, 2), (-25, 1, 10, -2), (7, 1, -2, -4), (1, 1, 0, 0)] {
            assert_eq!(mul_div(a, b, c), want, "{a}*{b}/{c}");
        }
        assert_eq!(Money::whole(i64::MAX), Money::from_units(i64::MAX));
        assert_eq!(Money::from_units(i64::MAX).times(3, 2), Money::from_units(i64::MAX));
        assert_eq!(Money::from_units(i64::MIN) - Money::whole(1), Money::from_units(i64::MIN));
    }

    #[test]
    fn is_shown_with_the_wanted_places() {
        assert_eq!(format!("{:.2} {}", Money::whole(1200), Price::from_units(138_727_000)), "1200.00 1.38727");
    }

    proptest! {
        #[test]
        fn text_round_trips(units in (i64::MIN + 1)..=i64::MAX) {
            prop_assert_eq!(Price::from_units(units).to_string().parse(), Ok(Price::from_units(units)));
        }

        #[test]
        fn any_text_is_an_answer_not_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Price>();
        }
    }
}
