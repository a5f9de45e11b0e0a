//! The profit target of challenge programs: closed balance at least `I · (1 + t)`, with no position open.
//!
//! It is a goal: it never fails an account. Floating profit does not count, and neither do deposits.

use marque_plugin::{
    About, Account, Assessment, Decimal, Money, Objective, Order, RiskRule, Unit, Verdict, limit::percent,
};

/// What the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, marque_plugin::Settings)]
pub enum TargetBasis {
    /// A percentage of what the account was funded with.
    PercentOfInitial,
    /// Money.
    Fixed,
}

/// What a broker sets.
#[derive(Debug, Clone, marque_plugin::Settings)]
pub struct Settings {
    /// A percentage of the initial balance, or an amount when fixed.
    #[setting(title = "Profit target", above = 0, max = 1000000000, suggest = 10)]
    target: Decimal,
    /// Whether the target is a percentage of the initial balance or a fixed amount.
    #[setting(title = "The target is", suggest = TargetBasis::PercentOfInitial)]
    target_basis: TargetBasis,
}

/// The rule.
#[derive(Debug)]
pub struct ProfitTarget {
    settings: Settings,
}

impl RiskRule for ProfitTarget {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Shows how far closed profit is from the target; it is met with no position open.";
        About::rule("profit-target", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
    }

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { settings })
    }

    fn check(&self, _order: &Order, _account: &Account) -> Verdict {
        Verdict::Allow
    }

    fn assess(&self, account: &Account) -> Assessment {
        let profit = account.balance - account.initial_balance;
        let target = match self.settings.target_basis {
            TargetBasis::PercentOfInitial => percent(account.initial_balance, self.settings.target),
            TargetBasis::Fixed => Money::from_units(self.settings.target.units()),
        };
        let open = account.positions.len();
        let summary = if profit < target {
            format!("{profit:.2} of {target:.2} profit closed; {:.2} to go.", target - profit)
        } else if open > 0 {
            format!(
                "{profit:.2} of {target:.2} profit closed. Close your open positions to meet the target: {open} left."
            )
        } else {
            format!("The target of {target:.2} is met with {profit:.2} of closed profit.")
        };
        let goal = Objective {
            name: "profit-target",
            summary,
            unit: Unit::Money,
            have: Decimal::from_units(profit.units()),
            want: Decimal::from_units(target.units()),
            reached: profit >= target && open == 0,
        };
        Assessment { objectives: vec![goal], ..Assessment::OK }
    }
}

marque_plugin::export_rule!(ProfitTarget);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{DayAnchor, Exposure, Lots, Side, Standing};

    fn money(amount: i64) -> Money {
        Money::whole(amount)
    }

    fn account(balance: i64, equity: i64, open: usize) -> Account {
        let initial_balance = money(100_000);
        let held = Exposure { instrument: 0, side: Side::Buy, lots: Lots::whole(1), profit: money(1) };
        Account {
            now: 0,
            initial_balance,
            balance: money(balance),
            equity: money(equity),
            day: DayAnchor {
                began_at: 0,
                next_at: i64::MAX,
                balance: initial_balance,
                equity: initial_balance,
                peak_equity: initial_balance,
            },
            positions: vec![held; open],
        }
    }

    #[test]
    fn its_form_is_the_one_that_brokers_know() {
        let form = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(form(Settings::SCHEMA), form(include_str!("settings.json")));
    }

    #[test]
    fn the_target_is_closed_balance_of_i_times_one_plus_t_with_no_open_position() {
        let rule: ProfitTarget =
            marque_plugin::run::start_rule(r#"{"target":10,"target_basis":"percent_of_initial"}"#).unwrap();
        for (balance, equity, open, reached, words) in [
            (109_999, 109_999, 0, false, "1.00 to go"),
            (110_000, 110_000, 0, true, "is met"),
            (110_000, 109_000, 1, false, "Close your open positions"),
            // Floating profit is no profit yet.
            (100_000, 120_000, 1, false, "10000.00 to go"),
            (99_000, 99_000, 0, false, "11000.00 to go"),
        ] {
            let told = rule.assess(&account(balance, equity, open));
            let goal = &told.objectives[0];
            assert_eq!((told.standing, goal.reached), (Standing::Ok, reached), "{balance} {equity} {open}");
            assert!(goal.summary.contains(words), "{}", goal.summary);
            assert_eq!((goal.have, goal.want), (Decimal::whole(balance - 100_000), Decimal::whole(10_000)));
        }
    }

    #[test]
    fn a_deposit_raises_the_target_and_is_no_profit() {
        let rule: ProfitTarget =
            marque_plugin::run::start_rule(r#"{"target":10,"target_basis":"percent_of_initial"}"#).unwrap();
        let mut funded = account(120_000, 120_000, 0);
        funded.initial_balance = money(120_000);
        let goal = &rule.assess(&funded).objectives[0];
        assert_eq!((goal.have, goal.want, goal.reached), (Decimal::ZERO, Decimal::whole(12_000), false));
    }
}
