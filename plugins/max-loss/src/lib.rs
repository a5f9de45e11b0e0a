//! The maximum-loss rule of challenge programs: equity must stay above a floor for the account's whole life.
//!
//! With `I` the initial balance, `HWM` the highest mark so far (never below `I`) and `p` the allowed loss:
//!
//! | model | floor |
//! |---|---|
//! | static | `I − p` |
//! | trailing | `HWM − p`, at most `I + lock_offset` |
//! | trailing percent | `HWM · (1 − p)`, at most `I + lock_offset` |
//!
//! The published variants differ in what the mark is taken from and where the floor stops; each is a setting. Tests hold
//! the examples that the firms publish.

use marque_plugin::{
    About, Account, Assessment, DayReset, Decimal, Money, Order, RiskRule, Standing, Verdict,
    limit::{Breach, Limit, OnBreach, STEP, Words, minute_of_day, percent},
};
use serde::Deserialize;

/// How the floor moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Never.
    Static,
    /// With the highest mark, an amount below it.
    Trailing,
    /// With the highest mark, a share below it.
    TrailingPercent,
}

/// What the allowed loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountBasis {
    /// A percentage of what the account was funded with.
    PercentOfInitial,
    /// Money.
    Fixed,
}

/// What the highest mark is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Closed balance at any time.
    #[default]
    Balance,
    /// Equity at any time.
    Equity,
    /// Closed balance when a day ends.
    EndOfDayBalance,
}

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    model: Model,
    amount: Decimal,
    amount_basis: AmountBasis,
    #[serde(default)]
    mark: Mark,
    lock_offset: Option<Money>,
    breach: Breach,
    #[serde(default = "midnight")]
    reset_time: String,
    #[serde(default = "prague")]
    zone: String,
    #[serde(default = "usual_warning")]
    warn_percent: Decimal,
}

fn midnight() -> String {
    "00:00".to_owned()
}

fn prague() -> String {
    "Europe/Prague".to_owned()
}

const fn usual_warning() -> Decimal {
    Decimal::whole(80)
}

const WORDS: Words<'_> = Words {
    name: "Maximum loss limit",
    of: "of the maximum loss limit",
    until: "",
    next: "This account cannot open positions any more.",
};

/// The rule.
#[derive(Debug)]
pub struct MaxLoss {
    settings: Settings,
    reset_minute: u16,
}

impl MaxLoss {
    /// Whether the floor follows equity, so that each new high moves it.
    fn follows_equity(&self) -> bool {
        self.settings.model != Model::Static && self.settings.mark == Mark::Equity
    }

    fn mark(&self, account: &Account) -> Money {
        let mark = match self.settings.mark {
            _ if self.settings.model == Model::Static => account.initial_balance,
            Mark::Balance => account.facts().peak_balance,
            // Without a day's reset the whole life is one day, and its peak the highest equity.
            Mark::Equity => account.day.peak_equity.max(account.equity),
            Mark::EndOfDayBalance => account.facts().peak_day_balance,
        };
        mark.max(account.initial_balance)
    }

    /// The highest floor there can be.
    fn lock(&self, account: &Account) -> Option<Money> {
        let offset = self.settings.lock_offset.filter(|_| self.settings.model != Model::Static)?;
        Some(account.initial_balance + offset)
    }

    fn limit(&self, account: &Account) -> Limit {
        let Settings { model, amount, amount_basis, breach, warn_percent, .. } = self.settings;
        let mark = self.mark(account);
        let amount = match (model, amount_basis) {
            (Model::TrailingPercent, _) => percent(mark, amount),
            (_, AmountBasis::PercentOfInitial) => percent(account.initial_balance, amount),
            (_, AmountBasis::Fixed) => Money::from_units(amount.units()),
        };
        let trailing = mark - amount;
        let floor = self.lock(account).map_or(trailing, |lock| trailing.min(lock));
        Limit { floor, amount, breach, warn_percent }
    }
}

impl RiskRule for MaxLoss {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Ends an account whose equity falls below a floor, fixed or trailing its highest mark.";
        About::rule("max-loss", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let Some(reset_minute) = minute_of_day(&settings.reset_time) else {
            return Err("The day must end at a time from 00:00 to 23:59, written as HH:MM.".to_owned());
        };
        let is_percent =
            settings.amount_basis == AmountBasis::PercentOfInitial || settings.model == Model::TrailingPercent;
        if is_percent && settings.amount > Decimal::whole(100) {
            return Err("The allowed loss cannot be more than 100 percent.".to_owned());
        }
        if settings.model == Model::TrailingPercent && settings.amount_basis == AmountBasis::Fixed {
            return Err("A floor that trails by percent takes a percentage, not a fixed amount.".to_owned());
        }
        Ok(Self { settings, reset_minute })
    }

    fn day_reset(&self) -> Option<DayReset> {
        let has_days = self.settings.model != Model::Static && self.settings.mark == Mark::EndOfDayBalance;
        has_days.then(|| DayReset { zone: self.settings.zone.clone(), minute: self.reset_minute })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        self.limit(account).check(order, account, &WORDS)
    }

    fn assess(&self, account: &Account) -> Assessment {
        let limit = self.limit(account);
        let mut assessment = limit.assess(account, &WORDS, OnBreach::Fail);
        if assessment.standing == Standing::Fail {
            return assessment;
        }
        if self.day_reset().is_some() {
            assessment.wake_at = Some(account.day.next_at).filter(|at| *at > account.now);
        }
        let is_locked = self.lock(account) == Some(limit.floor);
        if self.follows_equity() && !is_locked {
            let next_mark = self.mark(account) + STEP;
            assessment.wake_above = Some(assessment.wake_above.map_or(next_mark, |level| level.min(next_mark)));
        }
        assessment
    }
}

marque_plugin::export_rule!(MaxLoss);

#[cfg(test)]
mod tests;
