//! Times as exports write them. Owns their spellings and the local clocks of trading servers; refuses to
//! know what stands beside the time in a row.

use jiff::civil::DateTime;
use marque_domain::time::{HOUR_MS, MINUTE_MS, Millis, Zone};
use std::{fmt, str::FromStr};

/// The clock of a trading server: a time zone, and hours that the server runs ahead of it.
///
/// Most MetaTrader brokers run seven hours ahead of New York, so that their days end with New York's at
/// 17:00; no IANA zone does that, so it is written `America/New_York+7h`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalClock {
    zone: Zone,
    ahead_hours: i8,
}

/// Text that is not the clock of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such clock: {0}; write an IANA time zone such as Europe/Athens, or one with whole hours added such as America/New_York+7h"
)]
pub struct NotAClock(String);

impl LocalClock {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: Zone::utc(), ahead_hours: 0 }
    }

    /// The instant at which this clock shows `local`; the earlier one where it shows it twice.
    #[must_use]
    pub fn instant(&self, local: DateTime) -> Option<Millis> {
        let ahead = jiff::SignedDuration::from_hours(i64::from(self.ahead_hours));
        let local = local.checked_sub(ahead).ok()?;
        Some(self.zone.instant(local)).filter(|at| at.0 < i64::MAX)
    }
}

impl FromStr for LocalClock {
    type Err = NotAClock;
    fn from_str(text: &str) -> Result<Self, NotAClock> {
        let fault = || NotAClock(text.to_owned());
        // Zone names hold signs themselves (Etc/GMT+5), so only a trailing `h` makes it an offset.
        let (zone, ahead_hours) =
            match text.strip_suffix('h').and_then(|t| t.rfind(['+', '-']).map(|at| t.split_at(at))) {
                Some((zone, hours)) => (zone, hours.parse().map_err(|_| fault())?),
                None => (text, 0),
            };
        let zone = zone.parse().map_err(|_| fault())?;
        if (-14..=14).contains(&ahead_hours) { Ok(Self { zone, ahead_hours }) } else { Err(fault()) }
    }
}

impl fmt::Display for LocalClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ahead_hours {
            0 => f.write_str(self.zone.name()),
            hours => write!(f, "{}{hours:+}h", self.zone.name()),
        }
    }
}

/// How a format writes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `2014.05.01` and `00:00[:00[.123]]` in two columns.
    DateAndTime,
    /// `01.05.2014 00:00:00.123`, with an optional ` GMT+0100`.
    DayFirst,
    /// `20140501 000000[123]`.
    Compact,
    /// Seconds, milliseconds or microseconds since 1970, or `2014-05-01T00:00:00.123Z` and its relatives.
    Plain,
}

/// A time as read: certain, or by a clock that still has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Instant(Millis),
    Local(DateTime),
}

impl Spelling {
    /// Reads the time; `clock` is the second column where there are two.
    pub(super) fn read(self, text: &[u8], clock: &[u8]) -> Option<Read> {
        match self {
            Self::DateAndTime => {
                let mut date = Cut(text);
                let day = date.year_first()?;
                let mut rest = Cut(clock);
                let local = rest.clock(day)?;
                (date.0.is_empty() && rest.0.is_empty()).then_some(Read::Local(local))
            }
            Self::DayFirst => {
                let mut cut = Cut(text);
                let (day, month) = (cut.number(2)?, cut.after(b".", 2)?);
                let date = (cut.after(b".", 4)?, month, day);
                cut.one_of(b" ")?;
                let local = cut.clock(date)?;
                cut.with_offset(local)
            }
            Self::Compact => Cut(text).compact().map(Read::Local),
            Self::Plain if text.iter().all(u8::is_ascii_digit) => since_1970(text).map(Read::Instant),
            Self::Plain => {
                let mut cut = Cut(text);
                let day = cut.year_first()?;
                if cut.0.is_empty() {
                    return local(day, [0, 0, 0, 0]).map(Read::Local);
                }
                cut.one_of(b" T")?;
                let local = cut.clock(day)?;
                cut.with_offset(local)
            }
        }
    }
}

/// A count since 1970 by its size: seconds from 1973 (10^8) to the year 5138 (10^11), from where milliseconds
/// begin in 1973, and so on. Smaller numbers are refused: they are dates such as 20140501 more often than not.
fn since_1970(text: &[u8]) -> Option<Millis> {
    let count: i64 = core::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Millis(match count {
        100_000_000..100_000_000_000 => count * 1_000,
        100_000_000_000..100_000_000_000_000 => count,
        100_000_000_000_000..100_000_000_000_000_000 => count / 1_000,
        _ => return None,
    }))
}

/// The instant of a UTC date and time.
pub(super) fn utc(local: DateTime) -> Option<Millis> {
    Some(Millis(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

fn local((year, month, day): (i64, i64, i64), [hour, minute, second, ms]: [i64; 4]) -> Option<DateTime> {
    DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        i32::try_from(ms * 1_000_000).ok()?,
    )
    .ok()
}

/// The unread rest of a time.
struct Cut<'a>(&'a [u8]);

impl Cut<'_> {
    /// Exactly `digits` digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let value = head.iter().try_fold(0_i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !allowed.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    fn after(&mut self, separators: &[u8], digits: usize) -> Option<i64> {
        self.one_of(separators)?;
        self.number(digits)
    }

    /// `2014.05.01`, `2014-05-01`, `2014/05/01` or `20140501`.
    fn year_first(&mut self) -> Option<(i64, i64, i64)> {
        let year = self.number(4)?;
        if self.0.first().is_some_and(u8::is_ascii_digit) {
            return Some((year, self.number(2)?, self.number(2)?));
        }
        Some((year, self.after(b".-/", 2)?, self.after(b".-/", 2)?))
    }

    /// `00:00`, `00:00:00` or `00:00:00.123456`; what is finer than a millisecond is dropped.
    fn clock(&mut self, date: (i64, i64, i64)) -> Option<DateTime> {
        let (hour, minute) = (self.number(2)?, self.after(b":", 2)?);
        let second = if self.0.first() == Some(&b':') { self.after(b":", 2)? } else { 0 };
        let ms = if self.one_of(b".").is_some() { self.fraction()? } else { 0 };
        local(date, [hour, minute, second, ms])
    }

    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        let value = self.number(digits)?;
        let power = 10_i64.pow(u32::try_from(digits).ok()?);
        Some(value * 1_000 / power)
    }

    fn compact(&mut self) -> Option<DateTime> {
        let date = (self.number(4)?, self.number(2)?, self.number(2)?);
        self.one_of(b" ")?;
        let clock = (self.number(2)?, self.number(2)?, self.number(2)?);
        let ms = if self.0.is_empty() { 0 } else { self.number(3)? };
        if self.0.is_empty() { local(date, [clock.0, clock.1, clock.2, ms]) } else { None }
    }

    /// Nothing more, or `Z`, `UTC`, `GMT`, `+01:00`, ` GMT+0100`.
    fn with_offset(mut self, local: DateTime) -> Option<Read> {
        if self.0.is_empty() {
            return Some(Read::Local(local));
        }
        self.0 = self.0.trim_ascii_start();
        let named = [&b"GMT"[..], b"UTC", b"Z"].into_iter().find_map(|name| self.0.strip_prefix(name));
        self.0 = named.unwrap_or(self.0);
        let offset_ms = match self.one_of(b"+-") {
            Some(sign) => {
                let hours = self.number(2)?;
                self.one_of(b":");
                let minutes = if self.0.is_empty() { 0 } else { self.number(2)? };
                let east = hours * HOUR_MS + minutes * MINUTE_MS;
                if sign == b'-' { -east } else { east }
            }
            None => named.map(|_| 0)?,
        };
        if !self.0.is_empty() || offset_ms.abs() > 24 * HOUR_MS {
            return None;
        }
        Some(Read::Instant(utc(local)?.plus(-offset_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(spelling: Spelling, text: &str, clock: &str) -> String {
        match spelling.read(text.as_bytes(), clock.as_bytes()) {
            Some(Read::Instant(at)) => at.to_rfc3339(),
            Some(Read::Local(local)) => format!("{local:.3}"),
            None => "?".to_owned(),
        }
    }

    #[test]
    fn every_spelling_is_this_table() {
        use Spelling::{Compact, DateAndTime, DayFirst, Plain};
        for (spelling, text, clock, want) in [
            (DateAndTime, "2014.05.01", "00:01", "2014-05-01T00:01:00.000"),
            (DateAndTime, "2014.05.01", "23:59:58", "2014-05-01T23:59:58.000"),
            (DateAndTime, "2014.05.01", "23:59:58.123", "2014-05-01T23:59:58.123"),
            (DateAndTime, "2014-05-01", "00:01", "2014-05-01T00:01:00.000"),
            (DateAndTime, "2014.05.01", "24:00", "?"),
            (DateAndTime, "2014.02.30", "00:00", "?"),
            (DateAndTime, "2014.05.01x", "00:00", "?"),
            (DateAndTime, "2014.05.01", "", "?"),
            (DayFirst, "01.05.2014 00:00:00.123", "", "2014-05-01T00:00:00.123"),
            (DayFirst, "01.12.2017 00:30:00.192 GMT+0100", "", "2017-11-30T23:30:00.192Z"),
            (DayFirst, "01.12.2017 00:30:00.192 GMT", "", "2017-12-01T00:30:00.192Z"),
            (DayFirst, "2014.05.01 00:00:00.123", "", "?"),
            (DayFirst, "01.13.2014 00:00:00.123", "", "?"),
            (Compact, "20140501 000102", "", "2014-05-01T00:01:02.000"),
            (Compact, "20140501 000102345", "", "2014-05-01T00:01:02.345"),
            (Compact, "20140501 00010", "", "?"),
            (Compact, "20140501000102", "", "?"),
            (Plain, "1398902401787", "", "2014-05-01T00:00:01.787Z"),
            (Plain, "1398902401", "", "2014-05-01T00:00:01.000Z"),
            (Plain, "1398902401787123", "", "2014-05-01T00:00:01.787Z"),
            (Plain, "13989024017871239999", "", "?"),
            (Plain, "20140501", "", "?"),
            (Plain, "2014-05-01T00:00:01.787Z", "", "2014-05-01T00:00:01.787Z"),
            (Plain, "2014-05-01 02:00:01+02:00", "", "2014-05-01T00:00:01.000Z"),
            (Plain, "2014-05-01 00:00:01.787123", "", "2014-05-01T00:00:01.787"),
            (Plain, "2014-05-01", "", "2014-05-01T00:00:00.000"),
            (Plain, "2014-05-01T", "", "?"),
            (Plain, "2014-05-01T00:00:01 CEST", "", "?"),
            (Plain, "", "", "?"),
        ] {
            assert_eq!(shown(spelling, text, clock), want, "{spelling:?} {text} {clock}");
        }
    }

    #[test]
    fn server_clocks_follow_their_zone() {
        let at = |clock: &str, text: &str| {
            let Some(Read::Local(local)) = Spelling::Plain.read(text.as_bytes(), b"") else { panic!("{text}") };
            clock.parse::<LocalClock>().unwrap().instant(local).unwrap().to_rfc3339()
        };
        // The server's midnight is 17:00 in New York, in summer and in winter.
        assert_eq!(at("America/New_York+7h", "2014-05-02 00:00:00"), "2014-05-01T21:00:00.000Z");
        assert_eq!(at("America/New_York+7h", "2014-12-02 00:00:00"), "2014-12-01T22:00:00.000Z");
        // Europe's clocks change three weeks after America's.
        assert_eq!(at("America/New_York+7h", "2014-03-12 00:00:00"), "2014-03-11T21:00:00.000Z");
        assert_eq!(at("Europe/Athens", "2014-03-12 00:00:00"), "2014-03-11T22:00:00.000Z");
        assert_eq!(at("Etc/GMT+5", "2014-05-01 00:00:00"), "2014-05-01T05:00:00.000Z");
        for bad in ["", "Mars", "Europe/Athens+", "Europe/Athens+7", "Europe/Athens+99h", "+7h"] {
            assert!(bad.parse::<LocalClock>().is_err(), "{bad}");
        }
        assert_eq!("America/New_York+7h".parse::<LocalClock>().unwrap().to_string(), "America/New_York+7h");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_not_a_panic(text in prop::collection::vec(any::<u8>(), 0..40), clock in "[0-9:.]{0,12}") {
            for spelling in [Spelling::DateAndTime, Spelling::DayFirst, Spelling::Compact, Spelling::Plain] {
                let _ = spelling.read(&text, clock.as_bytes());
            }
        }

        #[test]
        fn nearly_times_are_an_answer_not_a_panic(text in "[0-9]{1,4}[.-][0-9]{2}[.-][0-9]{2,4}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{0,10})?( ?GMT)?([+-][0-9]{2}:?[0-9]{0,3})?") {
            for spelling in [Spelling::DayFirst, Spelling::Plain] {
                let _ = spelling.read(text.as_bytes(), b"");
            }
        }
    }
}
