//! Minimum trading days: a day counts by a position that was opened on it, or by its profit.
//!
//! It is a goal: it never fails an account. To which day profit belongs is a setting, because firms differ: the day on
//! which a position was opened or the day on which it was closed.

use marque_plugin::{
    About, Account, Assessment, DayReset, DayTally, Decimal, Objective, Order, RiskRule, Unit, Verdict,
    limit::{minute_of_day, percent},
};
use serde::Deserialize;

/// What makes a day count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// A position was opened.
    Opened,
    /// It earned enough.
    Profitable,
}

/// Which day a profit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum CreditedTo {
    /// The day on which the position was opened.
    #[default]
    OpeningDay,
    /// The day on which it was closed.
    ClosingDay,
}

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    days: u32,
    counts: Counts,
    #[serde(default = "half_a_percent")]
    profit_percent: Decimal,
    #[serde(default)]
    credited_to: CreditedTo,
    reset_time: String,
    zone: String,
}

const fn half_a_percent() -> Decimal {
    Decimal::from_units(50_000_000)
}

/// The rule.
#[derive(Debug)]
pub struct MinDays {
    settings: Settings,
    reset_minute: u16,
}

impl MinDays {
    fn counts(&self, day: &DayTally, account: &Account) -> bool {
        let profit = match self.settings.credited_to {
            CreditedTo::OpeningDay => day.opened_profit,
            CreditedTo::ClosingDay => day.closed_profit,
        };
        match self.settings.counts {
            Counts::Opened => day.opened > 0,
            Counts::Profitable => profit >= percent(account.initial_balance, self.settings.profit_percent),
        }
    }
}

impl RiskRule for MinDays {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Shows how many of the trading days that a program asks for are done.";
        About::rule("min-days", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let Some(reset_minute) = minute_of_day(&settings.reset_time) else {
            return Err("The day must begin at a time from 00:00 to 23:59, written as HH:MM.".to_owned());
        };
        Ok(Self { settings, reset_minute })
    }

    fn day_reset(&self) -> Option<DayReset> {
        Some(DayReset { zone: self.settings.zone.clone(), minute: self.reset_minute })
    }

    fn check(&self, _order: &Order, _account: &Account) -> Verdict {
        Verdict::Allow
    }

    fn assess(&self, account: &Account) -> Assessment {
        let done = account.days().iter().filter(|day| self.counts(day, account)).count();
        let (done, wanted) = (u32::try_from(done).unwrap_or(u32::MAX), self.settings.days);
        let what = match self.settings.counts {
            Counts::Opened => "a position opened".to_owned(),
            Counts::Profitable => {
                let least = percent(account.initial_balance, self.settings.profit_percent);
                format!("a profit of at least {least:.2}")
            }
        };
        let goal = Objective {
            name: "min-days",
            summary: format!("{done} of {wanted} trading days done; a day counts with {what}."),
            unit: Unit::Days,
            have: Decimal::whole(i64::from(done)),
            want: Decimal::whole(i64::from(wanted)),
            reached: done >= wanted,
        };
        Assessment { objectives: vec![goal], ..Assessment::OK }
    }
}

marque_plugin::export_rule!(MinDays);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{
        DayAnchor, Money, Standing,
        testing::{Known, set_known},
    };

    fn account() -> Account {
        let balance = Money::whole(100_000);
        let day = DayAnchor { began_at: 0, next_at: 1, balance, equity: balance, peak_equity: balance };
        Account { now: 0, initial_balance: balance, balance, equity: balance, day, positions: Vec::new() }
    }

    /// Days with positions opened, profit by opening and by closing.
    fn done(settings: &str, days: &[(u32, i64, i64)]) -> (i64, bool) {
        let tally = |(opened, opened_profit, closed_profit): &(u32, i64, i64)| DayTally {
            opened: *opened,
            opened_profit: Money::whole(*opened_profit),
            closed_profit: Money::whole(*closed_profit),
            ..DayTally::default()
        };
        set_known(Known { days: days.iter().map(tally).collect(), ..Known::default() });
        let told = marque_plugin::run::start_rule::<MinDays>(settings).unwrap().assess(&account());
        assert_eq!(told.standing, Standing::Ok, "a goal never fails an account");
        (told.objectives[0].have.units() / marque_plugin::SCALE, told.objectives[0].reached)
    }

    #[test]
    fn ftmo_two_step_phase_one_needs_four_days_with_an_opened_position() {
        const FTMO: &str = r#"{"days":4,"counts":"opened","reset_time":"00:00","zone":"Europe/Prague"}"#;
        assert_eq!(done(FTMO, &[]), (0, false));
        // A day on which one was only closed does not count, however much it earned.
        assert_eq!(done(FTMO, &[(1, -50, -50), (3, 9, 9), (0, 0, 5_000), (1, 0, 0)]), (3, false));
        assert_eq!(done(FTMO, &[(1, 0, 0), (3, 0, 0), (1, 0, 0), (1, 0, 0)]), (4, true));
    }

    #[test]
    fn atfunded_needs_three_days_of_half_a_percent_credited_to_the_opening_day() {
        const ATFUNDED: &str = r#"{"days":3,"counts":"profitable","profit_percent":0.5,"credited_to":"opening_day",
            "reset_time":"00:00","zone":"UTC"}"#;
        let days = [(1, 500, 0), (1, 499, 999), (0, 0, 500), (2, 2_000, 0)];
        assert_eq!(done(ATFUNDED, &days), (2, false));
        assert_eq!(done(&ATFUNDED.replace("opening", "closing"), &days), (2, false));
        assert_eq!(done(ATFUNDED, &[(1, 500, 0), (1, 500, 0), (1, 501, 0)]), (3, true));
    }
}
