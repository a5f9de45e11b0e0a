//! Weekend: flat before the session ends, by each instrument's own calendar.
//!
//! What is still open some minutes before a long closure is closed, or fails the account; and no new position is opened
//! from then on until the market opens again. Positions in other instruments, which go on trading, stay.

use marque_plugin::{About, Account, Assessment, Closure, Order, RiskRule, Standing, Verdict};
use serde::Deserialize;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What happens to positions that are still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// They are closed.
    #[default]
    Flatten,
    /// The account ends.
    Fail,
}

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    minutes_before: i64,
    #[serde(default = "a_day")]
    closure_hours: i64,
    #[serde(default)]
    on_breach: OnBreach,
}

const fn a_day() -> i64 {
    24
}

/// The rule.
#[derive(Debug)]
pub struct Weekend {
    settings: Settings,
}

impl Weekend {
    /// When an instrument must be flat, and the closure it must be flat for.
    fn deadline(&self, account: &Account, instrument: u32) -> Option<(i64, Closure)> {
        let closure = account.next_closure(instrument, self.settings.closure_hours * HOUR_MS)?;
        Some((closure.begins_at - self.settings.minutes_before * MINUTE_MS, closure))
    }

    fn symbol(account: &Account, instrument: u32) -> String {
        account.instrument(instrument).map_or_else(|| "This instrument".to_owned(), |known| known.symbol)
    }
}

impl RiskRule for Weekend {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Closes what is still open before its market closes for the weekend or a holiday.";
        About::rule("weekend", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { settings })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        match self.deadline(account, order.instrument) {
            Some((deadline, _)) if account.now >= deadline => Verdict::Refuse(format!(
                "{} closes for the weekend and takes no new position in the last {} minutes. Wait for the next session.",
                Self::symbol(account, order.instrument),
                self.settings.minutes_before
            )),
            _ => Verdict::Allow,
        }
    }

    fn assess(&self, account: &Account) -> Assessment {
        let mut held: Vec<u32> = account.positions.iter().map(|p| p.instrument).collect();
        held.sort_unstable();
        held.dedup();
        let (mut late, mut next) = (Vec::new(), None::<i64>);
        for instrument in held {
            match self.deadline(account, instrument) {
                Some((deadline, closure)) if account.now >= deadline => {
                    late.push(instrument);
                    // Asked again when it opens, should it not have been possible to close it before.
                    next = Some(next.map_or(closure.ends_at, |at| at.min(closure.ends_at)));
                }
                Some((deadline, _)) => next = Some(next.map_or(deadline, |at| at.min(deadline))),
                None => {}
            }
        }
        let wake_at = next.filter(|at| *at > account.now);
        if late.is_empty() {
            return Assessment { wake_at, ..Assessment::OK };
        }
        let symbols: Vec<String> = late.iter().map(|instrument| Self::symbol(account, *instrument)).collect();
        let reason = format!(
            "Weekend: {} must be flat {} minutes before its session ends.",
            symbols.join(", "),
            self.settings.minutes_before
        );
        match self.settings.on_breach {
            OnBreach::Fail => Assessment { standing: Standing::Fail, reason, ..Assessment::OK },
            OnBreach::Flatten => {
                late.truncate(32);
                Assessment { standing: Standing::Flatten, reason, wake_at, only: late, ..Assessment::OK }
            }
        }
    }
}

marque_plugin::export_rule!(Weekend);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{
        DayAnchor, Exposure, Instrument, Lots, Money, Price, Side,
        testing::{Known, set_known},
    };

    /// Friday's end for 1, and a week without end for 2.
    const CLOSE: i64 = 100 * HOUR_MS;
    const OPEN: i64 = CLOSE + 48 * HOUR_MS;

    fn account(now: i64, held: &[u32]) -> Account {
        let known = |id: u32, symbol: &str| {
            let instrument = Instrument {
                symbol: symbol.to_owned(),
                tick_size: Price::from_units(1_000),
                pip: Price::from_units(10_000),
                lot_step: Lots::from_units(1_000_000),
                lot_max: Lots::whole(50),
                contract_size: 100_000,
                quote_currency: "USD".to_owned(),
            };
            (id, instrument)
        };
        set_known(Known {
            instruments: vec![known(1, "EURUSD"), known(2, "BTCUSD")],
            closures: vec![(1, Closure { begins_at: CLOSE, ends_at: OPEN })],
            ..Known::default()
        });
        let balance = Money::whole(100_000);
        let day = DayAnchor { began_at: 0, next_at: i64::MAX, balance, equity: balance, peak_equity: balance };
        let exposure =
            |id: &u32| Exposure { instrument: *id, side: Side::Buy, lots: Lots::whole(1), profit: Money::ZERO };
        let positions = held.iter().map(exposure).collect();
        Account { now, initial_balance: balance, balance, equity: balance, day, positions }
    }

    fn rule(settings: &str) -> Weekend {
        marque_plugin::run::start_rule(settings).unwrap()
    }

    #[test]
    fn flat_before_the_sessions_end_by_each_symbols_calendar() {
        let rule = rule(r#"{"minutes_before":15}"#);
        let deadline = CLOSE - 15 * MINUTE_MS;
        let calm = rule.assess(&account(deadline - 1, &[1, 2]));
        assert_eq!((calm.standing, calm.wake_at), (Standing::Ok, Some(deadline)));
        let late = rule.assess(&account(deadline, &[2, 1, 1]));
        assert_eq!((late.standing, late.only, late.wake_at), (Standing::Flatten, vec![1], Some(OPEN)));
        assert!(late.reason.contains("EURUSD must be flat 15 minutes"), "{}", late.reason);
        // What never closes is held over the weekend.
        assert_eq!(rule.assess(&account(deadline, &[2])), Assessment::OK);
    }

    #[test]
    fn a_program_may_fail_the_account_instead() {
        let rule = rule(r#"{"minutes_before":15,"on_breach":"fail"}"#);
        assert_eq!(rule.assess(&account(CLOSE - 1, &[1])).standing, Standing::Fail);
        assert_eq!(rule.assess(&account(CLOSE - 1, &[])).standing, Standing::Ok);
    }

    #[test]
    fn new_positions_wait_for_the_next_session() {
        let order = |instrument| Order {
            instrument,
            side: Side::Buy,
            lots: Lots::whole(1),
            price: Price::whole(1),
            stop_loss: None,
            risk: None,
            value_per_point: Money::ZERO,
        };
        let rule = rule(r#"{"minutes_before":15}"#);
        let now = account(CLOSE - MINUTE_MS, &[]);
        assert!(matches!(rule.check(&order(1), &now), Verdict::Refuse(why) if why.contains("EURUSD closes")));
        assert_eq!(rule.check(&order(2), &now), Verdict::Allow);
        assert_eq!(rule.check(&order(1), &account(CLOSE - HOUR_MS, &[])), Verdict::Allow);
    }

    #[test]
    fn closures_that_are_too_short_do_not_count() {
        let rule = rule(r#"{"minutes_before":15,"closure_hours":49}"#);
        assert_eq!(rule.assess(&account(CLOSE - 1, &[1])), Assessment::OK);
    }
}
