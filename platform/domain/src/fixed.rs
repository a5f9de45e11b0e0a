//! Fixed-point numbers: `i64` counted in units of 1e-8.
//!
//! Money, prices and lots never touch floating point on their way from a quote to the ledger. A
//! product of two such numbers goes through `i128` and exactly one rounding function,
//! [`round_div`], so a figure can be reproduced on any machine.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// How many units make one: 10^8.
pub const SCALE: i64 = 100_000_000;
/// Digits after the decimal point.
pub const DECIMALS: usize = 8;

/// A number that does not fit, or text that is not a decimal of at most eight places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FixedError {
    /// The result is outside ±92,233,720,368.54775807.
    #[error("the number is too large: the limit is about 92 billion")]
    Overflow,
    /// The text is not a plain decimal number.
    #[error("not a decimal number: write digits with an optional sign and point, such as -12.5")]
    Malformed,
    /// More than eight digits after the point.
    #[error("too many digits after the point: at most 8 are kept exactly")]
    TooPrecise,
}

/// Divides and rounds half to even, the one rounding rule of the platform.
///
/// # Errors
/// [`FixedError::Overflow`] when the quotient does not fit or the divisor is zero.
pub fn round_div(numerator: i128, denominator: i128) -> Result<i64, FixedError> {
    // Almost always both fit: a division of twice the width takes several times as long.
    if let (Ok(n), Ok(d @ 1..)) = (i64::try_from(numerator), i64::try_from(denominator)) {
        let (quotient, below) = (n.div_euclid(d), n.rem_euclid(d));
        let up = below > d - below || (below == d - below && quotient % 2 != 0);
        // No overflow: what divides by 1 has no remainder.
        return Ok(quotient + i64::from(up));
    }
    round_div_wide(numerator, denominator)
}

fn round_div_wide(numerator: i128, denominator: i128) -> Result<i64, FixedError> {
    if denominator == 0 {
        return Err(FixedError::Overflow);
    }
    // A divisor of i128::MIN cannot come from two i64 factors, so negation is safe.
    let (n, d) = if denominator < 0 { (-numerator, -denominator) } else { (numerator, denominator) };
    let quotient = n.div_euclid(d);
    let twice = n.rem_euclid(d) * 2;
    let up = twice > d || (twice == d && quotient % 2 != 0);
    i64::try_from(quotient + i128::from(up)).map_err(|_| FixedError::Overflow)
}

/// `a · b / c` with one rounding at the end.
///
/// # Errors
/// [`FixedError::Overflow`] when the result does not fit or `c` is zero.
pub fn mul_div(a: i64, b: i64, c: i64) -> Result<i64, FixedError> {
    round_div(i128::from(a) * i128::from(b), i128::from(c))
}

/// Parses a decimal of at most eight places into units of 1e-8, exactly.
///
/// # Errors
/// [`FixedError::Malformed`], [`FixedError::TooPrecise`] or [`FixedError::Overflow`].
pub fn parse_units(text: &str) -> Result<i64, FixedError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (mut units, mut places, mut seen_digit, mut seen_point) = (0_i64, 0_usize, false, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen_digit = true;
                if seen_point {
                    places += 1;
                    if places > DECIMALS {
                        // Trailing zeros carry no information; anything else would be lost.
                        if *byte == b'0' {
                            continue;
                        }
                        return Err(FixedError::TooPrecise);
                    }
                }
                let digit = i64::from(byte - b'0');
                units = units.checked_mul(10).and_then(|u| u.checked_sub(digit)).ok_or(FixedError::Overflow)?;
            }
            b'.' if !seen_point => seen_point = true,
            _ => return Err(FixedError::Malformed),
        }
    }
    if !seen_digit {
        return Err(FixedError::Malformed);
    }
    for _ in places.min(DECIMALS)..DECIMALS {
        units = units.checked_mul(10).ok_or(FixedError::Overflow)?;
    }
    // Accumulated as a negative number, because i64 reaches one further on that side.
    if negative { Ok(units) } else { units.checked_neg().ok_or(FixedError::Overflow) }
}

/// Writes units of 1e-8 as a decimal with at least `min_places` and no other trailing zeros.
#[must_use]
pub fn format_units(units: i64, min_places: usize) -> String {
    let magnitude = units.unsigned_abs();
    let scale = SCALE.unsigned_abs();
    let mut fraction = format!("{:08}", magnitude % scale);
    let keep = fraction.trim_end_matches('0').len().max(min_places.min(DECIMALS));
    fraction.truncate(keep);
    let sign = if units < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", magnitude / scale)
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(i64::MAX);
            /// The smallest value.
            pub const MIN: Self = Self(i64::MIN);

            /// From units of 1e-8.
            #[must_use]
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// From a whole number; meant for constants.
            ///
            /// # Panics
            /// When the number is beyond ±92 billion.
            #[must_use]
            pub const fn whole(number: i64) -> Self {
                Self(number * SCALE)
            }

            /// In units of 1e-8.
            #[must_use]
            pub const fn units(self) -> i64 {
                self.0
            }

            /// Whether this is exactly nothing.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum, or `None` when it does not fit.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// The difference, or `None` when it does not fit.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// The sum, held at the limits of the type. For comparisons, never for the ledger.
            #[must_use]
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference, held at the limits of the type. For comparisons, never for the ledger.
            #[must_use]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// The magnitude.
            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }

            /// The opposite sign.
            #[must_use]
            pub const fn negated(self) -> Self {
                Self(self.0.saturating_neg())
            }

            /// The nearest multiple of `step` that is not further from zero.
            #[must_use]
            pub const fn round_down_to(self, step: Self) -> Self {
                if step.0 <= 0 { self } else { Self(self.0 - self.0 % step.0) }
            }

            /// Whether this is a whole number of `step`s.
            #[must_use]
            pub const fn is_multiple_of(self, step: Self) -> bool {
                step.0 > 0 && self.0 % step.0 == 0
            }

            /// With at least `places` digits after the point.
            #[must_use]
            pub fn to_text(self, places: usize) -> String {
                format_units(self.0, places)
            }
        }

        impl FromStr for $name {
            type Err = FixedError;
            fn from_str(text: &str) -> Result<Self, FixedError> {
                parse_units(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Not `pad`: to it a precision is the most characters of a text, and a number would lose its end.
                let text = format_units(self.0, f.precision().unwrap_or(0));
                f.pad_integral(self.0 >= 0, "", text.trim_start_matches('-'))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), format_units(self.0, 0))
            }
        }
    };
}

fixed!(
    /// A price in the instrument's quote currency.
    Price
);
fixed!(
    /// A quantity in lots; the instrument's contract size says how many units one lot is.
    Lots
);
fixed!(
    /// An amount in the account's currency.
    Money
);

impl Money {
    /// The part of this amount given in basis points (1/10,000), rounded once.
    ///
    /// # Errors
    /// [`FixedError::Overflow`] when the result does not fit.
    pub fn basis_points(self, bp: i64) -> Result<Self, FixedError> {
        mul_div(self.0, bp, 10_000).map(Self)
    }
}

/// What a price move is worth: `(to − from) · lots · contract_size`, for a long; rounded once.
///
/// Units = lots · contract size is exact by [`crate::instrument::Instrument::validate`].
///
/// # Errors
/// [`FixedError::Overflow`] when the result does not fit.
pub fn move_value(from: Price, to: Price, lots: Lots, contract_size: i64) -> Result<Money, FixedError> {
    let moved = i128::from(to.0) - i128::from(from.0);
    let quantity = i128::from(lots.0) * i128::from(contract_size);
    let product = moved.checked_mul(quantity).ok_or(FixedError::Overflow)?;
    round_div(product, i128::from(SCALE)).map(Money)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounds_half_to_even() {
        for (n, d, want) in
            [(5, 10, 0), (15, 10, 2), (25, 10, 2), (-5, 10, 0), (-15, 10, -2), (-25, 10, -2), (7, -2, -4), (26, 10, 3)]
        {
            assert_eq!(round_div(n, d), Ok(want), "{n}/{d}");
        }
        assert_eq!(round_div(1, 0), Err(FixedError::Overflow));
    }

    #[test]
    fn reads_and_writes_decimals() {
        for (text, units) in [
            ("1", 100_000_000),
            ("-0.5", -50_000_000),
            (".5", 50_000_000),
            ("1.38727", 138_727_000),
            ("+3.", 300_000_000),
            ("0.000000010", 1),
        ] {
            assert_eq!(parse_units(text), Ok(units), "{text}");
        }
        for (text, error) in [
            ("", FixedError::Malformed),
            ("-", FixedError::Malformed),
            ("1e5", FixedError::Malformed),
            ("1,5", FixedError::Malformed),
            ("1.2.3", FixedError::Malformed),
            ("0.000000001", FixedError::TooPrecise),
            ("92233720369", FixedError::Overflow),
        ] {
            assert_eq!(parse_units(text), Err(error), "{text}");
        }
        assert_eq!(Money::whole(1200).to_text(2), "1200.00");
        assert_eq!(format!("{}", Price::from_units(138_727_000)), "1.38727");
        let shown = |units| format!("{0:.2}|{0}|{0:9.2}|{0:<9.2}|", Money::from_units(units));
        assert_eq!(shown(123_450_000_000), "1234.50|1234.5|  1234.50|1234.50  |");
        assert_eq!(shown(-123_450_000_000), "-1234.50|-1234.5| -1234.50|-1234.50 |");
    }

    #[test]
    fn values_a_move() {
        let from: Price = "1.38727".parse().unwrap();
        let to: Price = "1.38627".parse().unwrap();
        let lots: Lots = "0.5".parse().unwrap();
        assert_eq!(move_value(from, to, lots, 100_000), Ok(Money::whole(-50)));
    }

    proptest! {
        #[test]
        fn both_widths_divide_alike(n in any::<i64>(), d in 1..=i64::MAX, small in 1..1_000_i64) {
            for (n, d) in [(n, d), (n, small), (n % 10_000, small), (i64::MAX, d), (i64::MIN, d)] {
                let (n, d) = (i128::from(n), i128::from(d));
                prop_assert_eq!(round_div(n, d), round_div_wide(n, d));
            }
        }

        #[test]
        fn text_round_trips(units: i64) {
            prop_assert_eq!(parse_units(&format_units(units, 0)), Ok(units));
            prop_assert_eq!(parse_units(&format_units(units, 2)), Ok(units));
        }

        #[test]
        fn any_text_is_an_answer_not_a_panic(text in ".{0,40}") {
            let _ = parse_units(&text);
        }

        #[test]
        fn a_move_there_and_back_is_nothing(a in 1..200_000_000_000_i64, b in 1..200_000_000_000_i64, lots in 1..1_000_000_000_i64) {
            let (a, b, lots) = (Price::from_units(a), Price::from_units(b), Lots::from_units(lots));
            if let (Ok(there), Ok(back)) = (move_value(a, b, lots, 100), move_value(b, a, lots, 100)) {
                prop_assert_eq!(there, back.negated());
            }
        }
    }
}
