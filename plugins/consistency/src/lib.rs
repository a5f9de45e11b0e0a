//! Consistency: the best day may have made at most a share of the profit.
//!
//! `share = best day / total`, and the total that is required is `best day / limit`. It gates what comes next and never
//! fails an account. While the total is not above zero the share is undefined, and the goal is not met. What was paid out was
//! made all the same: a payout changes no day, and so not the total.

use marque_plugin::{
    About, Account, Assessment, DayReset, Decimal, Money, Objective, Order, RiskRule, SCALE, Unit, Verdict,
    limit::{minute_of_day, percent},
};
use serde::Deserialize;

/// Days that the host keeps at most.
const DAYS_KEPT: usize = 400;

/// What the share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// All days together.
    NetProfit,
    /// The days that earned something.
    PositiveDays,
    /// The profit target.
    Target,
}

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    limit_percent: Decimal,
    denominator: Denominator,
    #[serde(default = "ten_percent")]
    target_percent: Decimal,
    reset_time: String,
    zone: String,
}

const fn ten_percent() -> Decimal {
    Decimal::whole(10)
}

/// The rule.
#[derive(Debug)]
pub struct Consistency {
    settings: Settings,
    reset_minute: u16,
}

/// The best day and what it is compared with.
struct Share {
    best: Money,
    total: Money,
}

impl Consistency {
    fn share(&self, account: &Account) -> Share {
        let profits: Vec<Money> = account.days().iter().map(|day| day.closed_profit).collect();
        let best = profits.iter().copied().max().unwrap_or(Money::ZERO).max(Money::ZERO);
        let sum = |from: Money| profits.iter().filter(|p| **p >= from).fold(Money::ZERO, |sum, p| sum + *p);
        let total = match self.settings.denominator {
            Denominator::NetProfit => {
                let made = profits.iter().fold(Money::ZERO, |sum, p| sum + *p);
                // The account's own figure also holds days that are so old that they were forgotten, but nothing that left it.
                let left = account.balance - account.initial_balance;
                if profits.len() < DAYS_KEPT { made } else { made.max(left) }
            }
            Denominator::PositiveDays => sum(Money::ZERO),
            Denominator::Target => percent(account.initial_balance, self.settings.target_percent),
        };
        Share { best, total }
    }

    fn goal(&self, Share { best, total }: &Share) -> Objective {
        let limit = self.settings.limit_percent;
        let required = best.times(100 * SCALE, limit.units());
        let defined = *total > Money::ZERO;
        let share =
            if defined { Decimal::from_units(best.times(100 * SCALE, total.units()).units()) } else { Decimal::ZERO };
        // Compared as products, so that no rounding decides.
        let (left, right) =
            (i128::from(best.units()) * 100 * i128::from(SCALE), i128::from(total.units()) * i128::from(limit.units()));
        let reached = defined && left <= right;
        let summary = if !defined {
            "There is no profit yet to compare the best day with.".to_owned()
        } else if reached {
            format!("The best day made {best:.2}, {share:.2}% of {total:.2}; at most {limit:.0}% is allowed.")
        } else {
            format!(
                "The best day made {best:.2}, {share:.2}% of {total:.2}; at most {limit:.0}% is allowed, so {required:.2} in all is required."
            )
        };
        Objective { name: "consistency", summary, unit: Unit::Percent, have: share, want: limit, reached }
    }
}

impl RiskRule for Consistency {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Shows whether one day made a larger share of the profit than the program allows.";
        About::rule("consistency", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
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
        Assessment { objectives: vec![self.goal(&self.share(account))], ..Assessment::OK }
    }
}

marque_plugin::export_rule!(Consistency);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{
        DayAnchor, DayTally, Standing,
        testing::{Known, set_known},
    };

    fn goal(settings: &str, days: &[i64]) -> Objective {
        goal_after(settings, days, 0)
    }

    /// With so much of it paid out.
    fn goal_after(settings: &str, days: &[i64], paid: i64) -> Objective {
        let tally = |profit: &i64| DayTally { closed_profit: Money::whole(*profit), ..DayTally::default() };
        set_known(Known { days: days.iter().map(tally).collect(), ..Known::default() });
        let (initial, balance) = (Money::whole(100_000), Money::whole(100_000 - paid + days.iter().sum::<i64>()));
        let day = DayAnchor { began_at: 0, next_at: 1, balance, equity: balance, peak_equity: balance };
        let account =
            Account { now: 0, initial_balance: initial, balance, equity: balance, day, positions: Vec::new() };
        let told = marque_plugin::run::start_rule::<Consistency>(settings).unwrap().assess(&account);
        assert_eq!(told.standing, Standing::Ok, "it gates, it never fails an account");
        told.objectives.into_iter().next().unwrap()
    }

    fn settings(limit: u32, denominator: &str) -> String {
        format!(r#"{{"limit_percent":{limit},"denominator":"{denominator}","reset_time":"00:00","zone":"UTC"}}"#)
    }

    #[test]
    fn ftmo_fifty_percent_of_net_profit() {
        for (days, share, reached) in
            [(&[5_000, 5_000][..], 50, true), (&[5_001, 4_999], 50, false), (&[3_000, 4_000, -2_000], 80, false)]
        {
            let goal = goal(&settings(50, "net_profit"), days);
            assert_eq!((goal.have.units() / SCALE, goal.reached), (share, reached), "{days:?}");
        }
    }

    #[test]
    fn a_best_day_of_1500_at_30_percent_requires_5000() {
        let short = goal(&settings(30, "net_profit"), &[1_500, 1_500, 1_000]);
        assert!(!short.reached && short.summary.contains("5000.00 in all is required"), "{}", short.summary);
        assert!(goal(&settings(30, "net_profit"), &[1_500, 1_500, 1_500, 500]).reached);
    }

    #[test]
    fn a_payout_takes_nothing_away_from_what_was_made() {
        for denominator in ["net_profit", "positive_days", "target"] {
            let days = [3_000, 3_000, 500];
            let (before, after) =
                (goal(&settings(50, denominator), &days), goal_after(&settings(50, denominator), &days, 6_000));
            assert_eq!((after.have, after.reached), (before.have, true), "{denominator}");
        }
        // Of days that were forgotten only the balance knows.
        let days = [100; DAYS_KEPT];
        assert_eq!(goal_after(&settings(50, "net_profit"), &days, -40_000).have, "0.125".parse().unwrap());
    }

    #[test]
    fn it_is_undefined_while_the_total_is_not_above_zero() {
        for days in [&[][..], &[1_000, -1_000], &[1_000, -3_000]] {
            let goal = goal(&settings(50, "net_profit"), days);
            assert_eq!((goal.have, goal.reached), (Decimal::ZERO, false));
            assert!(goal.summary.contains("no profit yet"));
        }
    }

    #[test]
    fn the_denominator_is_a_parameter() {
        let days = [3_000, 4_000, -2_000, 1_000];
        for (denominator, percent) in [("net_profit", "66.66666667"), ("positive_days", "50"), ("target", "40")] {
            assert_eq!(goal(&settings(50, denominator), &days).have, percent.parse().unwrap(), "{denominator}");
        }
    }
}
