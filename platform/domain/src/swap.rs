//! Swap: what holding a position over the rollover earns or costs.
//!
//! A night is charged once, at the rollover, by the local clock of the venue. Weekends are charged in one go: three nights
//! at the rollover of the triple day, because what trades then settles after the weekend. On a holiday nothing rolls; its
//! nights are charged at the last rollover before it. So every night is charged exactly once.

use crate::{
    fixed::Price,
    time::{Millis, Zone},
};
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

/// Rollovers that are caught up with at once, at most: more than ten years of days.
const CAUGHT_UP_MAX: usize = 4_000;

/// The day of the week at whose rollover the weekend is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TripleDay {
    /// What settles in two days, as most currencies and metals do.
    Wednesday,
    /// What settles in one day.
    Thursday,
    /// What settles at once.
    Friday,
    /// It trades every day, so every day is charged once.
    None,
}

/// What an instrument charges and pays for a night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapTerms {
    /// What a long earns for a night (pays, below zero), as a move of the price: points times tick size.
    pub long: Price,
    /// The same for a short.
    pub short: Price,
    /// Whose clock says when positions roll.
    pub zone: Zone,
    /// The minute of its day at which they do.
    pub minute: u16,
    /// When the weekend is charged.
    pub triple: TripleDay,
    /// Month and day of the days, every year, on which nothing rolls.
    pub holidays: Vec<(i8, i8)>,
}

impl SwapTerms {
    /// Nights that are charged at the rollover of a local day.
    #[must_use]
    pub fn nights(&self, day: Date) -> u8 {
        if self.triple == TripleDay::None {
            return 1;
        }
        if !self.rolls(day) {
            return 0;
        }
        let mut nights = self.regular(day);
        let mut next = day.tomorrow();
        while let Ok(after) = next
            && !self.rolls(after)
        {
            nights = nights.saturating_add(self.regular(after));
            next = after.tomorrow();
        }
        nights
    }

    /// The rollovers after `after` up to `until` that charge anything, with their nights, oldest first.
    pub fn rollovers(&self, after: Millis, until: Millis) -> impl Iterator<Item = (Millis, u8)> + '_ {
        let first = self.zone.next_daily(after, self.minute);
        let instants = core::iter::successors(Some(first), |at| Some(self.zone.next_daily(*at, self.minute)));
        let due = instants.take_while(move |at| *at <= until).take(CAUGHT_UP_MAX);
        due.map(|at| (at, self.nights(self.zone.local(at).date()))).filter(|(_, nights)| *nights > 0)
    }

    /// The first rollover after `at`, charged or not.
    #[must_use]
    pub fn next(&self, at: Millis) -> Millis {
        self.zone.next_daily(at, self.minute)
    }

    fn rolls(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
            && !self.holidays.contains(&(day.month(), day.day()))
    }

    /// The nights of a day that is no holiday.
    fn regular(&self, day: Date) -> u8 {
        let triple = match self.triple {
            TripleDay::Wednesday => Weekday::Wednesday,
            TripleDay::Thursday => Weekday::Thursday,
            TripleDay::Friday => Weekday::Friday,
            TripleDay::None => return 1,
        };
        match day.weekday() {
            Weekday::Saturday | Weekday::Sunday => 0,
            weekday if weekday == triple => 3,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY_MS;
    use proptest::{prelude::*, sample::select};

    fn terms(triple: TripleDay, holidays: &[(i8, i8)]) -> SwapTerms {
        SwapTerms {
            long: Price::from_units(-650),
            short: Price::from_units(120),
            zone: "America/New_York".parse().unwrap(),
            minute: 17 * 60,
            triple,
            holidays: holidays.to_vec(),
        }
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn the_weekend_is_charged_on_the_triple_day() {
        let week = ["2014-05-05", "2014-05-06", "2014-05-07", "2014-05-08", "2014-05-09", "2014-05-10", "2014-05-11"];
        for (triple, nights) in [
            (TripleDay::Wednesday, [1, 1, 3, 1, 1, 0, 0]),
            (TripleDay::Thursday, [1, 1, 1, 3, 1, 0, 0]),
            (TripleDay::Friday, [1, 1, 1, 1, 3, 0, 0]),
            (TripleDay::None, [1; 7]),
        ] {
            assert_eq!(week.map(|text| terms(triple, &[]).nights(day(text))), nights, "{triple:?}");
        }
    }

    #[test]
    fn a_holidays_nights_are_charged_before_it() {
        let terms = terms(TripleDay::Wednesday, &[(12, 25), (1, 1)]);
        for (text, nights) in [
            ("2014-12-24", 4), // Wednesday: three, and Thursday's
            ("2014-12-25", 0),
            ("2014-12-26", 1),
            ("2015-12-24", 2), // Thursday, before a Friday
            ("2015-12-25", 0),
            ("2017-12-22", 2), // Friday, before a Monday
            ("2017-12-25", 0),
            ("2024-12-24", 4), // Tuesday, before a Wednesday: its own and the triple
            ("2024-12-25", 0),
        ] {
            assert_eq!(terms.nights(day(text)), nights, "{text}");
        }
    }

    proptest! {
        /// In every week, daylight saving or not, exactly one rollover is triple and seven nights are charged.
        #[test]
        fn every_week_has_one_triple_and_seven_nights(
            weeks in 0_i64..1_200, zone in select(vec!["America/New_York", "Europe/Berlin", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "UTC"]),
            minute in select(vec![0_u16, 150, 17 * 60, 1_439]), triple in select(vec![TripleDay::Wednesday, TripleDay::Thursday, TripleDay::Friday]),
        ) {
            let terms = SwapTerms { zone: zone.parse().unwrap(), minute, ..terms(triple, &[]) };
            // A Saturday noon in UTC: in every zone within the weekend, so that the week is whole.
            let from = Millis(1_262_433_600_000 + weeks * 7 * DAY_MS);
            let nights: Vec<u8> = terms.rollovers(from, from.plus(7 * DAY_MS)).map(|(_, nights)| nights).collect();
            prop_assert_eq!(nights.iter().filter(|n| **n == 3).count(), 1, "{:?}", nights);
            prop_assert_eq!(nights.len(), 5);
            prop_assert_eq!(nights.iter().map(|n| i64::from(*n)).sum::<i64>(), 7);
        }

        /// With holidays too every night is charged once: over years, as many as there are days.
        #[test]
        fn no_night_is_lost_to_a_holiday(start in 0_i64..3_000, years in 1_i64..6) {
            let terms = terms(TripleDay::Wednesday, &[(12, 25), (1, 1)]);
            // From a Saturday to a Saturday in summer, away from holidays.
            let from = Millis(1_276_948_800_000 + start / 365 * 364 * DAY_MS);
            let until = from.plus(years * 364 * DAY_MS);
            let sum: i64 = terms.rollovers(from, until).map(|(_, nights)| i64::from(nights)).sum();
            prop_assert_eq!(sum, years * 364);
        }
    }
}
