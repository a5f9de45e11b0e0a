//! The daily-loss rule of challenge programs: equity must stay above `reference − amount`, both fixed once a day.
//!
//! The published variants differ in what the loss is measured from, in what the amount is a share of, in whether equity
//! at the floor is still allowed, and in when the day begins; each is a setting. Tests hold the examples that the firms
//! publish.

use marque_plugin::{About, Account, Assessment, DayReset, Decimal, Money, Order, RiskRule, SCALE, Standing, Verdict};
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

/// Whether equity at the floor is a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// It is not: only equity below it.
    Below,
    /// It is.
    AtOrBelow,
}

/// What a breach does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// Ends the account.
    #[default]
    Fail,
    /// Closes its positions; it trades again the next day.
    Flatten,
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

/// The smallest step of equity.
const STEP: Money = Money::from_units(1);

/// The rule.
#[derive(Debug)]
pub struct DailyLoss {
    settings: Settings,
    reset_minute: u16,
}

/// Where an account's limits lie today.
struct Levels {
    floor: Money,
    /// The highest equity that breaches.
    breach: Money,
    /// The highest equity that warns.
    warn: Money,
}

fn percent(of: Money, percent: Decimal) -> Money {
    of.times(percent.units(), 100 * SCALE)
}

/// Minutes since midnight of `HH:MM`.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

impl DailyLoss {
    fn levels(&self, account: &Account) -> Levels {
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
        let floor = reference - amount;
        let breach = match self.settings.breach {
            Breach::Below => floor - STEP,
            Breach::AtOrBelow => floor,
        };
        let left_at_warning = percent(amount, Decimal::whole(100) - self.settings.warn_percent);
        Levels { floor, breach, warn: floor + left_at_warning }
    }

    /// What the reason of a breach, a warning and a refusal share.
    fn limit_text(&self, floor: Money) -> String {
        let how = if self.settings.breach == Breach::Below { "not fall below" } else { "stay above" };
        format!(
            "equity must {how} {floor:.2} until the day ends at {} {}",
            self.settings.reset_time, self.settings.zone
        )
    }

    fn breached(&self, account: &Account, levels: &Levels) -> Assessment {
        let limit = self.limit_text(levels.floor);
        let reason = format!("Daily loss limit: equity is {:.2}; {limit}.", account.equity);
        let floor = Some(levels.floor);
        match self.settings.on_breach {
            OnBreach::Fail => Assessment { standing: Standing::Fail, reason, floor, ..Assessment::OK },
            OnBreach::Flatten => {
                let wake_above = Some(levels.breach + STEP);
                Assessment { standing: Standing::Flatten, reason, floor, wake_above, ..Assessment::OK }
            }
        }
    }

    fn standing(&self, account: &Account, levels: &Levels) -> Assessment {
        let (equity, floor) = (account.equity, Some(levels.floor));
        if equity <= levels.breach {
            return self.breached(account, levels);
        }
        if equity > levels.warn {
            return Assessment { floor, wake_below: Some(levels.warn.max(levels.breach)), ..Assessment::OK };
        }
        let left = equity - levels.floor;
        let reason = format!("{left:.2} left of today's loss limit: {}.", self.limit_text(levels.floor));
        let (wake_below, wake_above) = (Some(levels.breach), Some(levels.warn + STEP));
        Assessment { standing: Standing::Warn, reason, floor, wake_below, wake_above, wake_at: None }
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
        Ok(Self { settings, reset_minute })
    }

    fn day_reset(&self) -> Option<DayReset> {
        Some(DayReset { zone: self.settings.zone.clone(), minute: self.reset_minute })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        let levels = self.levels(account);
        let limit = self.limit_text(levels.floor);
        if account.equity <= levels.breach {
            return Verdict::Refuse(format!("Equity is {:.2}; {limit}. Trade again tomorrow.", account.equity));
        }
        match order.risk {
            Some(risk) if account.equity - risk <= levels.breach => Verdict::Refuse(format!(
                "At its stop-loss this order loses {risk:.2} of equity {:.2}; {limit}. Use fewer lots or a closer stop.",
                account.equity
            )),
            _ => Verdict::Allow,
        }
    }

    fn assess(&self, account: &Account) -> Assessment {
        let levels = self.levels(account);
        let mut assessment = self.standing(account, &levels);
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
