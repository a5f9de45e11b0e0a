//! Typed settings: what a field of them may be, and how it is checked. [`crate::Settings`] derives the rest.

use crate::{Decimal, Lots, Money, Price, SCALE};

#[doc(hidden)]
pub use serde;

/// A type that a setting can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a setting",
    label = "not a setting",
    note = "use a whole number, `bool`, `String`, `Decimal`, `Lots`, `Price`, `Money`, an enum with `#[derive(marque_plugin::Settings)]`, or an `Option` of one of them"
)]
pub trait SettingValue: Sized {
    /// The members of its JSON Schema that say what it is.
    const JSON: &'static str;
    /// Its smallest and largest value as such members, for numbers that have them.
    const LOW: &'static str = "";
    /// As [`SettingValue::LOW`].
    const HIGH: &'static str = "";
}

/// A number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number",
    label = "this needs a setting that is a number",
    note = "`min`, `max`, `above`, `below`, `step` and a number as `default` are for whole numbers, `Decimal`, `Lots`, `Price` and `Money`"
)]
pub trait SettingNumber: SettingValue {
    /// From units of 1e-8.
    fn from_units(units: i64) -> Self;
    /// In units of 1e-8.
    fn units(&self) -> i128;
}

/// A text, or one of an enum's choices.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a text",
    label = "this needs a setting that is a `String`",
    note = "the default of an enum is one of its variants: `default = Side::Buy`"
)]
pub trait SettingText: SettingValue {
    /// From a text.
    fn from_text(text: &str) -> Self;
    /// As a text.
    fn as_text(&self) -> &str;
}

/// Yes or no.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a `bool`", label = "this needs a setting that is a `bool`")]
pub trait SettingFlag: SettingValue {
    /// From an answer.
    fn from_flag(flag: bool) -> Self;
}

/// An enum of choices.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of choices",
    label = "this needs a setting that is an enum with `#[derive(marque_plugin::Settings)]`"
)]
pub trait SettingChoice: SettingValue {
    /// The names of its variants, in their order.
    const NAMES: &'static [&'static str];
}

macro_rules! whole_numbers {
    ($($number:ident $low:literal $high:literal),* $(,)?) => {$(
        impl SettingValue for $number {
            const JSON: &'static str = "\"type\":\"integer\"";
            const LOW: &'static str = $low;
            const HIGH: &'static str = $high;
        }
        impl SettingNumber for $number {
            fn from_units(units: i64) -> Self {
                Self::try_from(units / SCALE).unwrap_or_default()
            }
            fn units(&self) -> i128 {
                i128::from(*self) * i128::from(SCALE)
            }
        }
    )*};
}

whole_numbers! {
    u8 ",\"minimum\":0" ",\"maximum\":255",
    u16 ",\"minimum\":0" ",\"maximum\":65535",
    u32 ",\"minimum\":0" ",\"maximum\":4294967295",
    u64 ",\"minimum\":0" "",
    i8 ",\"minimum\":-128" ",\"maximum\":127",
    i16 ",\"minimum\":-32768" ",\"maximum\":32767",
    i32 ",\"minimum\":-2147483648" ",\"maximum\":2147483647",
    i64 "" "",
}

macro_rules! fixed_point {
    ($($number:ident),*) => {$(
        impl SettingValue for $number {
            const JSON: &'static str = "\"type\":\"number\"";
        }
        impl SettingNumber for $number {
            fn from_units(units: i64) -> Self {
                Self::from_units(units)
            }
            fn units(&self) -> i128 {
                i128::from((*self).units())
            }
        }
    )*};
}

fixed_point!(Decimal, Lots, Money, Price);

impl SettingValue for String {
    const JSON: &'static str = "\"type\":\"string\"";
}

impl SettingText for String {
    fn from_text(text: &str) -> Self {
        text.to_owned()
    }
    fn as_text(&self) -> &str {
        self
    }
}

impl SettingValue for bool {
    const JSON: &'static str = "\"type\":\"boolean\"";
}

impl SettingFlag for bool {
    fn from_flag(flag: bool) -> Self {
        flag
    }
}

/// What a number must satisfy, in units of 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberLimits {
    /// No less than this.
    pub min: Option<i64>,
    /// No more than this.
    pub max: Option<i64>,
    /// More than this.
    pub above: Option<i64>,
    /// Less than this.
    pub below: Option<i64>,
    /// A multiple of this.
    pub step: Option<i64>,
}

impl NumberLimits {
    /// Checks a number.
    ///
    /// # Errors
    /// A sentence that names the setting and what it must be.
    pub fn check(&self, name: &str, units: i128) -> Result<(), String> {
        let limits = [
            (self.min, "at least ", self.min.is_none_or(|n| units >= i128::from(n))),
            (self.max, "at most ", self.max.is_none_or(|n| units <= i128::from(n))),
            (self.above, "above ", self.above.is_none_or(|n| units > i128::from(n))),
            (self.below, "below ", self.below.is_none_or(|n| units < i128::from(n))),
            (self.step, "a multiple of ", self.step.is_none_or(|n| n > 0 && units % i128::from(n) == 0)),
        ];
        match limits.into_iter().find(|(.., holds)| !holds) {
            Some((Some(limit), words, _)) => Err(format!("{name} must be {words}{}", Decimal::from_units(limit))),
            _ => Ok(()),
        }
    }
}

/// Checks how many characters a text has.
///
/// # Errors
/// A sentence that names the setting and what it must be.
pub fn check_length(name: &str, text: &str, min: usize, max: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length < min {
        return Err(format!("{name} must have at least {min} characters"));
    }
    if length > max {
        return Err(format!("{name} must have at most {max} characters"));
    }
    Ok(())
}

/// How long some texts are together.
#[doc(hidden)]
#[must_use]
pub const fn length(parts: &[&str]) -> usize {
    let (mut sum, mut part) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// Some texts, one after the other.
#[doc(hidden)]
#[must_use]
pub const fn join<const N: usize>(parts: &[&str]) -> [u8; N] {
    let (mut joined, mut at, mut part) = ([0; N], 0, 0);
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut byte = 0;
        while byte < bytes.len() {
            joined[at] = bytes[byte];
            (at, byte) = (at + 1, byte + 1);
        }
        part += 1;
    }
    joined
}

/// What [`join`] made, which is text.
#[doc(hidden)]
#[must_use]
pub const fn text(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}
