//! Trades per day: how many orders may open a position on one of the rule's days.
//!
//! The number is the program's, the plan's, or the smaller of both. The platform itself counts a plan's orders by UTC day
//! and over all accounts of a person; this rule counts by its own day and account.

use marque_plugin::{About, Account, Assessment, DayReset, Order, RiskRule, Verdict, limit::minute_of_day};
use serde::Deserialize;

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    per_day: Option<u32>,
    #[serde(default = "yes")]
    by_plan: bool,
    reset_time: String,
    zone: String,
}

const fn yes() -> bool {
    true
}

/// The rule.
#[derive(Debug)]
pub struct TradeLimit {
    settings: Settings,
    reset_minute: u16,
}

impl RiskRule for TradeLimit {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Limits how many orders may open a position in a day, by program and by plan.";
        About::rule("trade-limit", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let Some(reset_minute) = minute_of_day(&settings.reset_time) else {
            return Err("The day must begin at a time from 00:00 to 23:59, written as HH:MM.".to_owned());
        };
        if settings.per_day.is_none() && !settings.by_plan {
            return Err("Set how many orders a day are allowed, or follow the plan.".to_owned());
        }
        Ok(Self { settings, reset_minute })
    }

    fn day_reset(&self) -> Option<DayReset> {
        Some(DayReset { zone: self.settings.zone.clone(), minute: self.reset_minute })
    }

    fn check(&self, _order: &Order, account: &Account) -> Verdict {
        let facts = account.facts();
        let plan = facts.trades_allowed.filter(|_| self.settings.by_plan);
        let limits = [(self.settings.per_day, "this account's program"), (plan, "your plan")];
        let nearest =
            limits.into_iter().filter_map(|(limit, whose)| Some((limit?, whose))).min_by_key(|(limit, _)| *limit);
        match nearest {
            Some((limit, whose)) if facts.trades_today >= limit => Verdict::Refuse(format!(
                "{} opening orders today and {whose} allows {limit}. The day ends at {} {}.",
                facts.trades_today, self.settings.reset_time, self.settings.zone
            )),
            _ => Verdict::Allow,
        }
    }

    fn assess(&self, _account: &Account) -> Assessment {
        Assessment::OK
    }
}

marque_plugin::export_rule!(TradeLimit);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{
        DayAnchor, Facts, Lots, Money, Price, Side,
        testing::{Known, set_known},
    };

    fn asked(settings: &str, trades_today: u32, trades_allowed: Option<u32>) -> Verdict {
        set_known(Known { facts: Facts { trades_today, trades_allowed, ..Facts::default() }, ..Known::default() });
        let balance = Money::whole(100_000);
        let day = DayAnchor { began_at: 0, next_at: 1, balance, equity: balance, peak_equity: balance };
        let account =
            Account { now: 0, initial_balance: balance, balance, equity: balance, day, positions: Vec::new() };
        let order = Order {
            instrument: 1,
            side: Side::Buy,
            lots: Lots::whole(1),
            price: Price::whole(1),
            stop_loss: None,
            risk: None,
            value_per_point: Money::ZERO,
        };
        marque_plugin::run::start_rule::<TradeLimit>(settings).unwrap().check(&order, &account)
    }

    #[test]
    fn the_smaller_of_program_and_plan_binds() {
        const FIVE: &str = r#"{"per_day":5,"reset_time":"17:00","zone":"America/New_York"}"#;
        for (settings, today, plan, whose) in [
            (FIVE, 4, None, None),
            (FIVE, 5, None, Some("program")),
            (FIVE, 3, Some(3), Some("plan")),
            (FIVE, 5, Some(10), Some("program")),
            (r#"{"reset_time":"00:00","zone":"UTC"}"#, 9, None, None),
            (r#"{"reset_time":"00:00","zone":"UTC"}"#, 9, Some(9), Some("plan")),
            (r#"{"per_day":5,"by_plan":false,"reset_time":"00:00","zone":"UTC"}"#, 4, Some(1), None),
        ] {
            let told = asked(settings, today, plan);
            match whose {
                None => assert_eq!(told, Verdict::Allow, "{settings} {today} {plan:?}"),
                Some(whose) => assert!(matches!(&told, Verdict::Refuse(why) if why.contains(whose)), "{told:?}"),
            }
        }
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let nothing = r#"{"by_plan":false,"reset_time":"00:00","zone":"UTC"}"#;
        assert!(marque_plugin::run::start_rule::<TradeLimit>(nothing).unwrap_err().contains("follow the plan"));
    }
}
