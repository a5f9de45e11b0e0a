//! Time as a value. Nothing here reads a clock: the caller says what time it is.

use core::{fmt, str::FromStr};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Milliseconds in a second, minute, hour and (UTC) day.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day of 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant, in milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// The instant `ms` later (earlier when negative), held at the ends of time.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How many milliseconds have passed since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant as RFC 3339 in UTC, such as `2014-05-01T00:00:00.123Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.timestamp().map_or_else(|| self.0.to_string(), |t| format!("{t:.3}"))
    }

    /// The instant that a text of RFC 3339 names, cut to milliseconds.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.0).ok()
    }
}

/// A zone name that the IANA database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such time zone: {0}; use an IANA name such as Europe/Prague")]
pub struct UnknownZone(pub String);

/// An IANA time zone from the database compiled into the program, so every machine agrees.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The wall clock in this zone.
    #[must_use]
    pub fn local(&self, at: Millis) -> civil::DateTime {
        at.timestamp().map_or(civil::DateTime::MIN, |t| t.to_zoned(self.zone.clone()).datetime())
    }

    /// The instant at which the local clock shows `local`; where the clock skips it, the first instant
    /// after the gap; where it shows it twice, the earlier.
    #[must_use]
    pub fn instant(&self, local: civil::DateTime) -> Millis {
        self.zone
            .to_ambiguous_zoned(local)
            .compatible()
            .map_or(Millis(i64::MAX), |zoned| Millis(zoned.timestamp().as_millisecond()))
    }

    /// The last instant at or before `at` at which the local clock showed `minute` of a day.
    #[must_use]
    pub fn last_daily(&self, at: Millis, minute: u16) -> Millis {
        let today = self.local(at).date();
        let mut day = today.tomorrow().unwrap_or(today);
        // At most three days back: the clock shows every minute of a day within two days.
        for _ in 0..4 {
            let instant = self.daily_on(day, minute);
            if instant <= at {
                return instant;
            }
            day = day.yesterday().unwrap_or(day);
        }
        at
    }

    /// The first instant after `at` at which the local clock shows `minute` of a day.
    #[must_use]
    pub fn next_daily(&self, at: Millis, minute: u16) -> Millis {
        let today = self.local(at).date();
        let mut day = today.yesterday().unwrap_or(today);
        for _ in 0..4 {
            let instant = self.daily_on(day, minute);
            if instant > at {
                return instant;
            }
            day = day.tomorrow().unwrap_or(day);
        }
        at.plus(DAY_MS)
    }

    fn daily_on(&self, day: civil::Date, minute: u16) -> Millis {
        let hour = i8::try_from(minute / 60 % 24).unwrap_or(0);
        let minute = i8::try_from(minute % 60).unwrap_or(0);
        self.instant(day.at(hour, minute, 0, 0))
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(name).map_err(|_| UnknownZone(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), zone })
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_day_resets_once_by_the_local_clock() {
        let prague: Zone = "Europe/Prague".parse().unwrap();
        // Spring forward on 2014-03-30: that local day has 23 hours.
        let midnight = prague.next_daily(at("2014-03-29T12:00:00Z"), 0);
        assert_eq!(midnight, at("2014-03-29T23:00:00Z"));
        let next = prague.next_daily(midnight, 0);
        assert_eq!(next.since(midnight), 23 * HOUR_MS);
        // Fall back on 2014-10-26: 25 hours.
        let midnight = prague.next_daily(at("2014-10-25T12:00:00Z"), 0);
        assert_eq!(prague.next_daily(midnight, 0).since(midnight), 25 * HOUR_MS);
    }

    #[test]
    fn midnight_that_does_not_exist_is_the_first_instant_after() {
        // Santiago jumps from 00:00 to 01:00 on 2022-09-11, Beirut on 2023-03-26 or 30: one reset per local day.
        for (zone, from) in [
            ("America/Santiago", "2014-01-01T00:00:00Z"),
            ("Asia/Beirut", "2014-01-01T00:00:00Z"),
            ("Europe/Berlin", "2014-01-01T00:00:00Z"),
            ("America/New_York", "2014-01-01T00:00:00Z"),
        ] {
            let zone: Zone = zone.parse().unwrap();
            let mut now = at(from);
            let mut day = zone.local(zone.next_daily(now, 0)).date();
            for _ in 0..3_652 {
                let reset = zone.next_daily(now, 0);
                assert!(reset > now);
                assert_eq!(zone.local(reset).date(), day, "{} one reset per local day", zone.name());
                assert_eq!(zone.last_daily(reset, 0), reset);
                day = day.tomorrow().unwrap();
                now = reset;
            }
        }
    }

    #[test]
    fn unknown_zones_are_named() {
        assert_eq!("Mars/Olympus".parse::<Zone>().unwrap_err(), UnknownZone("Mars/Olympus".into()));
    }
}
