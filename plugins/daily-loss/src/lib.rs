//! The daily-loss rule of challenge programs: equity must stay above `reference − amount`, both fixed once a day.
//!
//! The published variants differ in what the loss is measured from, in what the amount is a share of, in whether equity
//! at the floor is still allowed, and in when the day begins; each is a setting. Tests hold the examples that the firms
//! publish.

use marque_plugin::{
    About, Account, Assessment, DayReset, Decimal, Money, Order, RiskRule, Standing, Verdict,
    limit::{Breach, Limit, OnBreach, STEP, Words, minute_of_day, percent},
};
use serde::Deserialize;

/// What the loss is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Closed balance when the day began.
    Balance,
    /// Equity when the day began.
    Equity,
    /// The higher of both.
    BalanceOrEquity,
    /// What the account was funded with.
    Initial,
    /// Highest equity since the day began.
    Peak,
}

/// What the amount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountBasis {
    /// A percentage of what the account was funded with.
    PercentOfInitial,
    /// A percentage of what the loss is measured from.
    PercentOfReference,
    /// Money.
    Fixed,
}

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    reference: Reference,
    amount: Decimal,
    amount_basis: AmountBasis,
    breach: Breach,
    reset_time: String,
    zone: String,
    #[serde(default = "usual_warning")]
    warn_percent: Decimal,
    #[serde(default)]
    on_breach: OnBreach,
}

const fn usual_warning() -> Decimal {
    Decimal::whole(80)
}

/// The rule.
#[derive(Debug)]
pub struct DailyLoss {
    settings: Settings,
    reset_minute: u16,
    /// ` until the day ends at 00:00 Europe/Prague`
    until: String,
}

impl DailyLoss {
    fn limit(&self, account: &Account) -> Limit {
        let day = &account.day;
        let reference = match self.settings.reference {
            Reference::Balance => day.balance,
            Reference::Equity => day.equity,
            Reference::BalanceOrEquity => day.balance.max(day.equity),
            Reference::Initial => account.initial_balance,
            Reference::Peak => day.peak_equity.max(account.equity),
        };
        let amount = match self.settings.amount_basis {
            AmountBasis::PercentOfInitial => percent(account.initial_balance, self.settings.amount),
            AmountBasis::PercentOfReference => percent(reference, self.settings.amount),
            AmountBasis::Fixed => Money::from_units(self.settings.amount.units()),
        };
        let Settings { breach, warn_percent, .. } = self.settings;
        Limit { floor: reference - amount, amount, breach, warn_percent }
    }

    fn words(&self) -> Words<'_> {
        Words {
            name: "Daily loss limit",
            of: "of today's loss limit",
            until: &self.until,
            next: "Trade again tomorrow.",
        }
    }
}

impl RiskRule for DailyLoss {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Ends or pauses an account whose equity falls further in a day than its program allows.";
        About::rule("daily-loss", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let Some(reset_minute) = minute_of_day(&settings.reset_time) else {
            return Err("The day must begin at a time from 00:00 to 23:59, written as HH:MM.".to_owned());
        };
        if settings.amount_basis != AmountBasis::Fixed && settings.amount > Decimal::whole(100) {
            return Err("The allowed loss cannot be more than 100 percent.".to_owned());
        }
        let until = format!(" until the day ends at {} {}", settings.reset_time, settings.zone);
        Ok(Self { settings, reset_minute, until })
    }

    fn day_reset(&self) -> Option<DayReset> {
        Some(DayReset { zone: self.settings.zone.clone(), minute: self.reset_minute })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        self.limit(account).check(order, account, &self.words())
    }

    fn assess(&self, account: &Account) -> Assessment {
        let mut assessment = self.limit(account).assess(account, &self.words(), self.settings.on_breach);
        if assessment.standing == Standing::Fail {
            return assessment;
        }
        // The floor moves when the day does, and with a peak also at every new one.
        assessment.wake_at = Some(account.day.next_at).filter(|at| *at > account.now);
        if self.settings.reference == Reference::Peak {
            let next_peak = account.day.peak_equity.max(account.equity) + STEP;
            assessment.wake_above = Some(assessment.wake_above.map_or(next_peak, |level| level.min(next_peak)));
        }
        assessment
    }
}

marque_plugin::export_rule!(DailyLoss);

#[cfg(test)]
mod tests;
