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

/// Weekly sessions in minutes since Sunday 00:00, local wall clock: half-open spans in order.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: Zone,
    sessions: Vec<(u16, u16)>,
}

impl Calendar {
    /// The calendar with this id. Session hours follow the venues' published weekly hours.
    #[must_use]
    pub fn of(id: CalendarId) -> Self {
        let new_york = || "America/New_York".parse().unwrap_or_else(|_| Zone::utc());
        match id {
            CalendarId::Continuous => Self { zone: Zone::utc(), sessions: vec![(0, WEEK)] },
            CalendarId::Forex => Self { zone: new_york(), sessions: vec![(17 * 60, 5 * DAY + 17 * 60)] },
            CalendarId::Metals => {
                let sessions = (0..5).map(|day| (day * DAY + 18 * 60, (day + 1) * DAY + 17 * 60)).collect();
                Self { zone: new_york(), sessions }
            }
        }
    }

    /// Whether the market is open at `at`.
    #[must_use]
    pub fn is_open(&self, at: Millis) -> bool {
        let minute = self.minute_of_week(at);
        self.sessions.iter().any(|(from, to)| (*from..*to).contains(&minute))
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
}
