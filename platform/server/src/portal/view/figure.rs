//! How numbers and times are written. The only place that decides it.

use jiff::{Timestamp, tz::TimeZone};
use marque_domain::{
    fixed::{Lots, Money, Price, round_div},
    instrument::{Currency, Instrument},
    time::{Millis, Zone},
};
use serde::Serialize;

/// Places after the point in money, whatever the currency: enough for every one that the platform trades.
const MONEY_PLACES: u32 = 2;

/// Whether a figure is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It says a gain.
    Up,
    /// It says a loss.
    Down,
    /// It says no change.
    Flat,
    /// It is an amount, not a change.
    Plain,
}

/// A number as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// `+`, `−` or nothing.
    pub sign: &'static str,
    /// The magnitude, with thousands set apart.
    pub digits: String,
    /// What it counts, such as `USD`.
    pub unit: String,
    /// Whether it is good news.
    pub direction: Direction,
    /// A mark that says the direction without colour.
    pub mark: &'static str,
}

impl Figure {
    /// An amount of money, such as `12,345.60 USD`.
    #[must_use]
    pub fn money(amount: Money, currency: Currency) -> Self {
        let (negative, digits) = rounded(amount.units(), MONEY_PLACES);
        let sign = if negative { "−" } else { "" };
        Self { sign, digits, unit: currency.code().to_owned(), direction: Direction::Plain, mark: "" }
    }

    /// A gain or loss, such as `▲ +12.00 USD`.
    #[must_use]
    pub fn change(amount: Money, currency: Currency) -> Self {
        Self::signed(amount.units(), MONEY_PLACES, currency.code())
    }

    /// A change in percent of `base`, such as `▼ −0.52 %`; none when the base is not positive.
    #[must_use]
    pub fn percent(change: Money, base: Money) -> Option<Self> {
        if base <= Money::ZERO {
            return None;
        }
        let percent = i128::from(change.units()) * 100 * i128::from(marque_domain::fixed::SCALE);
        round_div(percent, i128::from(base.units())).ok().map(|units| Self::signed(units, 2, "%"))
    }

    /// The figure as text, for a label or a title.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{} {}", self.sign, self.digits, self.unit).trim_end().to_owned()
    }

    fn signed(units: i64, places: u32, unit: &str) -> Self {
        let (negative, digits) = rounded(units, places);
        let zero = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
        let (sign, direction, mark) = match (zero, negative) {
            (true, _) => ("", Direction::Flat, ""),
            (_, true) => ("−", Direction::Down, "▼"),
            (_, false) => ("+", Direction::Up, "▲"),
        };
        Self { sign, digits, unit: unit.to_owned(), direction, mark }
    }
}

/// Units of 1e-8 at `places` after the point: whether it is below zero as shown, and the magnitude.
fn rounded(units: i64, places: u32) -> (bool, String) {
    let step = 10_i128.pow(8_u32.saturating_sub(places));
    let shown = round_div(i128::from(units), step).unwrap_or(0);
    let (whole, part) = (shown.unsigned_abs() / 10_u64.pow(places), shown.unsigned_abs() % 10_u64.pow(places));
    let width = usize::try_from(places).unwrap_or(0);
    let fraction = if places == 0 { String::new() } else { format!(".{part:0width$}") };
    (shown < 0, format!("{}{fraction}", grouped(&whole.to_string())))
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A price with as many digits as its instrument has.
#[must_use]
pub fn price_text(price: Price, digits: usize) -> String {
    price.to_text(digits)
}

/// Digits after the point in an instrument's price; five when the instrument is not known.
#[must_use]
pub fn digits_of(instrument: Option<&Instrument>) -> usize {
    instrument.map_or(5, Instrument::digits)
}

/// Lots, with at least two digits after the point.
pub(super) fn lots_text(lots: Lots) -> String {
    lots.to_text(2)
}

/// A number with its noun: `1 strategy`, `2 strategies`.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(&number.to_string()), if number == 1 { one } else { many })
}

/// How large a file is: `812 bytes`, `12 KiB`, `1.2 MiB`.
#[must_use]
pub fn bytes_words(bytes: i64) -> String {
    const KIB: i64 = 1 << 10;
    const MIB: i64 = 1 << 20;
    match bytes {
        ..KIB => format!("{bytes} bytes"),
        KIB..MIB => format!("{} KiB", bytes / KIB),
        _ => format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB),
    }
}

/// An instant as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct When {
    /// For programs: RFC 3339 in UTC.
    pub iso: String,
    /// `1 May 2014`.
    pub date: String,
    /// `1 May`.
    pub day: String,
    /// `14:03:12`.
    pub time: String,
    /// What the local clock is called then: `UTC`, `CEST`.
    pub zone: String,
}

/// A local clock that writes instants.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: Zone,
    abbreviations: TimeZone,
}

impl Clock {
    /// The clock of a zone.
    #[must_use]
    pub fn new(zone: Zone) -> Self {
        let abbreviations = TimeZone::get(zone.name()).unwrap_or(TimeZone::UTC);
        Self { zone, abbreviations }
    }

    /// The zone's name, for the head of a column of times.
    #[must_use]
    pub fn name(&self) -> &str {
        self.zone.name()
    }

    /// Writes an instant.
    #[must_use]
    pub fn show(&self, at: Millis) -> When {
        let local = self.zone.local(at);
        When {
            iso: at.to_rfc3339(),
            date: local.strftime("%-d %b %Y").to_string(),
            day: local.strftime("%-d %b").to_string(),
            time: local.strftime("%H:%M:%S").to_string(),
            zone: self.abbreviation(at),
        }
    }

    fn abbreviation(&self, at: Millis) -> String {
        let Ok(instant) = Timestamp::from_millisecond(at.0) else { return self.zone.name().to_owned() };
        let info = self.abbreviations.to_offset_info(instant);
        // Zones without a name of their own are called by their offset, such as `+03`.
        match info.abbreviation() {
            offset if offset.starts_with(['+', '-']) => format!("UTC{offset}"),
            name => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn money_reads_like_a_statement() {
        for (amount, plain, change) in [
            ("0", "0.00 USD", "0.00 USD"),
            ("1234567.891", "1,234,567.89 USD", "+1,234,567.89 USD"),
            ("-999.995", "−1,000.00 USD", "−1,000.00 USD"),
            ("-0.004", "0.00 USD", "0.00 USD"),
            ("100", "100.00 USD", "+100.00 USD"),
        ] {
            assert_eq!(Figure::money(money(amount), Currency::USD).text(), plain);
            assert_eq!(Figure::change(money(amount), Currency::USD).text(), change);
        }
    }

    #[test]
    fn a_change_says_its_direction_without_colour() {
        let mark = |amount| Figure::change(money(amount), Currency::USD).mark;
        assert_eq!([mark("1"), mark("-1"), mark("0.001")], ["▲", "▼", ""]);
        assert_eq!(Figure::percent(money("-520"), money("100000")).unwrap().text(), "−0.52 %");
        assert_eq!(Figure::percent(money("1"), Money::ZERO), None);
    }

    #[test]
    fn times_name_their_zone() {
        let at = Millis(1_398_952_992_000);
        for (zone, want) in [
            ("UTC", "1 May 2014 14:03:12 UTC"),
            ("Europe/Prague", "1 May 2014 16:03:12 CEST"),
            ("Asia/Dubai", "1 May 2014 18:03:12 UTC+04"),
        ] {
            let when = Clock::new(zone.parse().unwrap()).show(at);
            assert_eq!(format!("{} {} {}", when.date, when.time, when.zone), want);
            assert_eq!(when.iso, "2014-05-01T14:03:12.000Z");
        }
    }

    proptest! {
        #[test]
        fn any_amount_and_time_can_be_shown(units: i64, at: i64) {
            let shown = Figure::money(Money::from_units(units), Currency::EUR);
            prop_assert!(shown.digits.bytes().all(|b| b.is_ascii_digit() || b == b',' || b == b'.'));
            let _ = Clock::new(Zone::utc()).show(Millis(at));
        }
    }
}
