//! When an instrument trades: weekly sessions on a local clock.

use crate::time::{MINUTE_MS, Millis, Zone};
use serde::{Deserialize, Serialize};

/// The calendars that the platform knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CalendarId {
    /// Sunday 17:00 to Friday 17:00, New York.
    Forex,
    /// As forex, with a break from 17:00 to 18:00 each day.
    Metals,
    /// Always open.
    Continuous,
}

/// Minutes in a day and a week of local wall-clock time.
const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;

/// A time in which a market is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// The end of a session.
    pub begins_at: Millis,
    /// The beginning of the next.
    pub ends_at: Millis,
}

/// Weekly sessions in minutes since Sunday 00:00, local wall clock: half-open spans in order.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: Zone,
    sessions: Vec<(u16, u16)>,
    /// Minute of the local day at which a trading day ends and the next begins.
    day_ends: u16,
    /// Month and day of the trading days on which it stays closed, every year.
    holidays: &'static [(i8, i8)],
}

/// Christmas Day and New Year's Day: the trading day that ends on them is left out, worldwide.
const HOLIDAYS: &[(i8, i8)] = &[(12, 25), (1, 1)];

impl Calendar {
    /// The calendar with this id. Session hours follow the venues' published weekly hours; early closes before
    /// holidays are not in it.
    #[must_use]
    pub fn of(id: CalendarId) -> Self {
        let new_york = || "America/New_York".parse().unwrap_or_else(|_| Zone::utc());
        match id {
            CalendarId::Continuous => Self { zone: Zone::utc(), sessions: vec![(0, WEEK)], day_ends: 0, holidays: &[] },
            CalendarId::Forex => {
                let sessions = vec![(17 * 60, 5 * DAY + 17 * 60)];
                Self { zone: new_york(), sessions, day_ends: 17 * 60, holidays: HOLIDAYS }
            }
            CalendarId::Metals => {
                let sessions = (0..5).map(|day| (day * DAY + 18 * 60, (day + 1) * DAY + 17 * 60)).collect();
                Self { zone: new_york(), sessions, day_ends: 17 * 60, holidays: HOLIDAYS }
            }
        }
    }

    /// Whether the market is open at `at`.
    #[must_use]
    pub fn is_open(&self, at: Millis) -> bool {
        let minute = self.minute_of_week(at);
        self.sessions.iter().any(|(from, to)| (*from..*to).contains(&minute)) && !self.is_holiday(at)
    }

    /// When the trading day that holds `at` ends: for currencies and metals 17:00 in New York, daylight saving
    /// included; for what trades always, midnight UTC.
    #[must_use]
    pub fn day_end(&self, at: Millis) -> Millis {
        self.zone.next_daily(at, self.day_ends)
    }

    fn is_holiday(&self, at: Millis) -> bool {
        if self.holidays.is_empty() {
            return false;
        }
        let end = self.zone.local(self.day_end(at));
        self.holidays.contains(&(end.month(), end.day()))
    }

    /// The closure that holds at `at`, or else the next one after, that lasts at least `least_ms`; none within three
    /// weeks for a market that does not close that long.
    #[must_use]
    pub fn next_closure(&self, at: Millis, least_ms: i64) -> Option<Closure> {
        let today = self.zone.local(at).date();
        let since_sunday = i64::from(today.weekday().to_sunday_zero_offset());
        let sunday = today.saturating_sub(jiff::Span::new().days(since_sunday));
        let instant = |week: i64, minute: u16| {
            let day = sunday.saturating_add(jiff::Span::new().days(7 * week + i64::from(minute / DAY)));
            let (hour, minute) = (minute % DAY / 60, minute % 60);
            self.zone.instant(day.at(i8::try_from(hour).unwrap_or(0), i8::try_from(minute).unwrap_or(0), 0, 0))
        };
        let sessions = (-1..3)
            .flat_map(|week| self.sessions.iter().map(move |(from, to)| (instant(week, *from), instant(week, *to))));
        let sessions = self.without_holidays(sessions.collect());
        let gaps = sessions.windows(2).filter_map(|pair| match pair {
            [(_, closes), (opens, _)] => Some(Closure { begins_at: *closes, ends_at: *opens }),
            _ => None,
        });
        let long = |gap: &Closure| gap.ends_at.since(gap.begins_at) >= least_ms.max(1);
        gaps.filter(long).find(|gap| gap.ends_at > at)
    }

    /// These sessions less the trading days that end on a holiday: a session of several days falls into two there.
    fn without_holidays(&self, sessions: Vec<(Millis, Millis)>) -> Vec<(Millis, Millis)> {
        if self.holidays.is_empty() {
            return sessions;
        }
        let mut open: Vec<(Millis, Millis)> = Vec::new();
        for (from, to) in sessions {
            let mut begins = from;
            while begins < to {
                let ends = self.day_end(begins).min(to);
                match open.last_mut().filter(|last| last.1 == begins) {
                    _ if self.is_holiday(begins) => {}
                    Some(last) => last.1 = ends,
                    None => open.push((begins, ends)),
                }
                begins = ends;
            }
        }
        open
    }

    /// How long an answer of [`Calendar::is_open`] at `at` surely stays true: to the end of the wall-clock minute.
    #[must_use]
    pub const fn answer_holds_until(at: Millis) -> Millis {
        Millis(at.0 - at.0.rem_euclid(MINUTE_MS) + MINUTE_MS)
    }

    fn minute_of_week(&self, at: Millis) -> u16 {
        let local = self.zone.local(at);
        let day = u16::from(local.weekday().to_sunday_zero_offset().unsigned_abs());
        let hour = u16::from(local.hour().unsigned_abs());
        day * DAY + hour * 60 + u16::from(local.minute().unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: CalendarId, text: &str) -> bool {
        let at = text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        Calendar::of(id).is_open(Millis(at))
    }

    #[test]
    fn holidays_close_the_trading_day_that_ends_on_them() {
        for (calendar, at, want) in [
            (CalendarId::Forex, "2014-12-24T21:59:59Z", true), // Wednesday 16:59 EST
            (CalendarId::Forex, "2014-12-24T22:00:00Z", false), // Christmas begins
            (CalendarId::Forex, "2014-12-25T21:59:59Z", false),
            (CalendarId::Forex, "2014-12-25T22:00:00Z", true),
            (CalendarId::Metals, "2015-01-01T15:00:00Z", false),
            (CalendarId::Continuous, "2014-12-25T12:00:00Z", true),
        ] {
            assert_eq!(open(calendar, at), want, "{calendar:?} {at}");
        }
    }

    #[test]
    fn a_trading_day_ends_by_its_own_clock() {
        let ends = |id, text: &str| {
            let at = Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
            Calendar::of(id).day_end(at).to_rfc3339()
        };
        for (calendar, at, want) in [
            (CalendarId::Forex, "2014-05-16T20:59:59Z", "2014-05-16T21:00:00.000Z"), // EDT
            (CalendarId::Forex, "2014-05-15T21:00:00Z", "2014-05-16T21:00:00.000Z"),
            (CalendarId::Forex, "2014-01-17T21:30:00Z", "2014-01-17T22:00:00.000Z"), // EST
            (CalendarId::Continuous, "2014-05-17T12:00:00Z", "2014-05-18T00:00:00.000Z"),
        ] {
            assert_eq!(ends(calendar, at), want, "{calendar:?} {at}");
        }
    }

    #[test]
    fn sessions_follow_new_york_through_daylight_saving() {
        for (calendar, at, want) in [
            (CalendarId::Forex, "2014-05-16T20:59:59Z", true),  // Friday 16:59 EDT
            (CalendarId::Forex, "2014-05-16T21:00:00Z", false), // Friday 17:00 EDT
            (CalendarId::Forex, "2014-05-18T20:59:59Z", false), // Sunday 16:59 EDT
            (CalendarId::Forex, "2014-05-18T21:00:00Z", true),
            (CalendarId::Forex, "2014-01-17T21:30:00Z", true), // Friday 16:30 EST
            (CalendarId::Forex, "2014-01-17T22:00:00Z", false),
            (CalendarId::Metals, "2014-05-14T21:30:00Z", false), // the daily break
            (CalendarId::Metals, "2014-05-14T22:00:00Z", true),
            (CalendarId::Metals, "2014-05-18T21:30:00Z", false), // opens 18:00 on Sunday
            (CalendarId::Continuous, "2014-05-17T12:00:00Z", true),
        ] {
            assert_eq!(open(calendar, at), want, "{calendar:?} {at}");
        }
    }

    #[test]
    fn closures_are_found_by_their_length_and_follow_new_york() {
        const HOUR_MS: i64 = 3_600_000;
        let instant = |text: &str| Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        for (calendar, at, least_hours, from, to) in [
            (CalendarId::Forex, "2014-05-14T12:00:00Z", 0, "2014-05-16T21:00:00Z", "2014-05-18T21:00:00Z"),
            // Within the closure it is that one, at its end the next.
            (CalendarId::Forex, "2014-05-17T12:00:00Z", 24, "2014-05-16T21:00:00Z", "2014-05-18T21:00:00Z"),
            (CalendarId::Forex, "2014-05-18T21:00:00Z", 24, "2014-05-23T21:00:00Z", "2014-05-25T21:00:00Z"),
            // New York springs forward on 2014-03-09: that weekend has 47 hours.
            (CalendarId::Forex, "2014-03-07T12:00:00Z", 47, "2014-03-07T22:00:00Z", "2014-03-09T21:00:00Z"),
            (CalendarId::Forex, "2014-03-07T12:00:00Z", 48, "2014-03-14T21:00:00Z", "2014-03-16T21:00:00Z"),
            (CalendarId::Metals, "2014-05-14T12:00:00Z", 0, "2014-05-14T21:00:00Z", "2014-05-14T22:00:00Z"),
            // Christmas of 2026 is a Friday, of 2014 a Thursday; New Year's Day of 2023 a Sunday, on which no trading day ends.
            (CalendarId::Forex, "2026-12-24T12:00:00Z", 24, "2026-12-24T22:00:00Z", "2026-12-27T22:00:00Z"),
            (CalendarId::Metals, "2026-12-24T12:00:00Z", 24, "2026-12-24T22:00:00Z", "2026-12-27T23:00:00Z"),
            (CalendarId::Forex, "2014-12-24T12:00:00Z", 24, "2014-12-24T22:00:00Z", "2014-12-25T22:00:00Z"),
            (CalendarId::Forex, "2014-12-24T12:00:00Z", 25, "2014-12-26T22:00:00Z", "2014-12-28T22:00:00Z"),
            (CalendarId::Forex, "2022-12-30T12:00:00Z", 24, "2022-12-30T22:00:00Z", "2023-01-01T22:00:00Z"),
            (CalendarId::Metals, "2014-05-14T12:00:00Z", 24, "2014-05-16T21:00:00Z", "2014-05-18T22:00:00Z"),
        ] {
            let found = Calendar::of(calendar).next_closure(instant(at), least_hours * HOUR_MS).unwrap();
            assert_eq!(found, Closure { begins_at: instant(from), ends_at: instant(to) }, "{calendar:?} {at}");
        }
        assert_eq!(Calendar::of(CalendarId::Continuous).next_closure(Millis(0), 0), None);
        assert_eq!(Calendar::of(CalendarId::Forex).next_closure(Millis(0), 60 * HOUR_MS), None);
    }
}
