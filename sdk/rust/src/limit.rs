//! What all rules with a floor share: where they warn, where they breach, when they want to be asked again, and which
//! orders could reach the floor.
//!
//! A rule says where its floor is and why; this says what follows.

use crate::{Account, Assessment, Decimal, Money, Order, SCALE, Standing, Verdict};

/// The smallest step of equity.
pub const STEP: Money = Money::from_units(1);

/// Whether equity at the floor is a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, crate::Settings)]
pub enum Breach {
    /// It is not: only equity below it.
    Below,
    /// It is.
    AtOrBelow,
}

/// What a breach does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, crate::Settings, Default)]
pub enum OnBreach {
    /// Ends the account.
    #[default]
    Fail,
    /// Closes its positions; it trades again when the floor allows it.
    Flatten,
}

/// A share of an amount, rounded once.
#[must_use]
pub fn percent(of: Money, percent: Decimal) -> Money {
    of.times(percent.units(), 100 * SCALE)
}

/// Minutes since midnight of `HH:MM`.
#[must_use]
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// A floor under an account's equity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Where it is.
    pub floor: Money,
    /// What may be lost above it before it is reached, for the warning.
    pub amount: Money,
    /// Whether equity at the floor is a breach.
    pub breach: Breach,
    /// The share of the amount, in percent, from which the trader is warned.
    pub warn_percent: Decimal,
}

/// How the rule speaks of its floor.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// The limit's name at the start of a sentence: `Daily loss limit`.
    pub name: &'a str,
    /// What is left of it: `of today's loss limit`.
    pub of: &'a str,
    /// How long it holds: ` until the day ends at 00:00 UTC`; may be empty.
    pub until: &'a str,
    /// What to do once it is reached: `Trade again tomorrow.`
    pub next: &'a str,
}

impl Limit {
    /// The highest equity that breaches.
    #[must_use]
    pub fn breach_at(&self) -> Money {
        match self.breach {
            Breach::Below => self.floor - STEP,
            Breach::AtOrBelow => self.floor,
        }
    }

    /// The highest equity that warns.
    #[must_use]
    pub fn warn_at(&self) -> Money {
        self.floor + percent(self.amount, Decimal::whole(100) - self.warn_percent)
    }

    /// What the reasons of a breach, a warning and a refusal share.
    fn text(&self, words: &Words<'_>) -> String {
        let how = if self.breach == Breach::Below { "not fall below" } else { "stay above" };
        format!("equity must {how} {:.2}{}", self.floor, words.until)
    }

    /// Where an account stands against it, with the levels at which that changes.
    #[must_use]
    pub fn assess(&self, account: &Account, words: &Words<'_>, on_breach: OnBreach) -> Assessment {
        let (equity, floor, breach, warn) = (account.equity, Some(self.floor), self.breach_at(), self.warn_at());
        if equity <= breach {
            let reason = format!("{}: equity is {equity:.2}; {}.", words.name, self.text(words));
            return match on_breach {
                OnBreach::Fail => Assessment { standing: Standing::Fail, reason, floor, ..Assessment::OK },
                OnBreach::Flatten => {
                    let wake_above = Some(breach + STEP);
                    Assessment { standing: Standing::Flatten, reason, floor, wake_above, ..Assessment::OK }
                }
            };
        }
        if equity > warn {
            return Assessment { floor, wake_below: Some(warn.max(breach)), ..Assessment::OK };
        }
        let left = equity - self.floor;
        let reason = format!("{left:.2} left {}: {}.", words.of, self.text(words));
        let (wake_below, wake_above) = (Some(breach), Some(warn + STEP));
        Assessment { standing: Standing::Warn, reason, floor, wake_below, wake_above, ..Assessment::OK }
    }

    /// Refuses an order once the floor is reached, and one whose stop-loss would reach it.
    #[must_use]
    pub fn check(&self, order: &Order, account: &Account, words: &Words<'_>) -> Verdict {
        let (limit, breach) = (self.text(words), self.breach_at());
        if account.equity <= breach {
            return Verdict::Refuse(format!("Equity is {:.2}; {limit}. {}", account.equity, words.next));
        }
        match order.risk {
            Some(risk) if account.equity - risk <= breach => Verdict::Refuse(format!(
                "At its stop-loss this order loses {risk:.2} of equity {:.2}; {limit}. Use fewer lots or a closer stop.",
                account.equity
            )),
            _ => Verdict::Allow,
        }
    }
}
