//! Position sizing by risk: an order is shrunk to the size that loses no more than a share of the account at its
//! stop-loss.

use marque_plugin::{About, Account, Assessment, Decimal, Lots, Money, Order, RiskRule, Verdict, limit::percent};

/// What the risk is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, marque_plugin::Settings)]
pub enum Basis {
    /// Closed balance.
    Balance,
    /// Equity.
    Equity,
    /// What the account was funded with.
    Initial,
}

/// What a broker sets.
#[derive(Debug, Clone, marque_plugin::Settings)]
pub struct Settings {
    /// Percent that an order may lose at its stop-loss.
    #[setting(title = "Risk of one order", above = 0, max = 100, suggest = 1)]
    risk_percent: Decimal,
    /// What the percentage is taken of.
    #[setting(title = "Percent of", suggest = Basis::Equity)]
    basis: Basis,
    /// Refuse orders without a stop-loss: nobody can say what they risk.
    #[setting(title = "Stop-loss required", default = true)]
    require_stop: bool,
}

/// The rule.
#[derive(Debug)]
pub struct PositionSize {
    settings: Settings,
}

/// The most lots of `order` that lose no more than `allowed`. The division rounds to the nearest unit of 1e-8, so the
/// result may be one too many, which is taken back.
fn fitting(order: &Order, risk: Money, allowed: Money) -> Lots {
    let lots = order.lots.times(allowed.units(), risk.units());
    let loses = risk.times(lots.units(), order.lots.units());
    if loses > allowed { lots - Lots::from_units(1) } else { lots }
}

impl RiskRule for PositionSize {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str =
            "Shrinks an order to the size that loses at most a share of the account at its stop-loss.";
        About::rule("position-size", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
    }

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { settings })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        let Settings { risk_percent, basis, require_stop } = self.settings;
        let Some(risk) = order.risk else {
            return if require_stop {
                Verdict::Refuse("This account takes no order without a stop-loss. Add one.".to_owned())
            } else {
                Verdict::Allow
            };
        };
        let of = match basis {
            Basis::Balance => account.balance,
            Basis::Equity => account.equity,
            Basis::Initial => account.initial_balance,
        };
        let allowed = percent(of, risk_percent).max(Money::ZERO);
        if risk <= allowed {
            return Verdict::Allow;
        }
        let lots = fitting(order, risk, allowed);
        if lots <= Lots::ZERO {
            return Verdict::Refuse(format!(
                "At its stop-loss this order loses {risk:.2} and {allowed:.2} is allowed. Use a closer stop."
            ));
        }
        Verdict::Shrink(lots)
    }

    fn assess(&self, _account: &Account) -> Assessment {
        Assessment::OK
    }
}

marque_plugin::export_rule!(PositionSize);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{DayAnchor, Price, Side};

    const ONE_PERCENT: &str = r#"{"risk_percent":1,"basis":"equity"}"#;

    fn asked(settings: &str, size: &str, risk: Option<Money>, equity: i64) -> Verdict {
        let (initial_balance, balance) = (Money::whole(100_000), Money::whole(110_000));
        let day = DayAnchor { began_at: 0, next_at: 1, balance, equity: balance, peak_equity: balance };
        let equity = Money::whole(equity);
        let account = Account { now: 0, initial_balance, balance, equity, day, positions: Vec::new() };
        let order = Order {
            instrument: 1,
            side: Side::Buy,
            lots: size.parse().unwrap(),
            price: Price::whole(1),
            stop_loss: None,
            risk,
            value_per_point: Money::ZERO,
        };
        marque_plugin::run::start_rule::<PositionSize>(settings).unwrap().check(&order, &account)
    }

    #[test]
    fn its_form_is_the_one_that_brokers_know() {
        let form = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(form(Settings::SCHEMA), form(include_str!("settings.json")));
    }

    #[test]
    fn an_order_is_shrunk_to_the_size_its_stop_allows() {
        let money = |amount| Some(Money::whole(amount));
        for (settings, size, risk, wanted) in [
            (ONE_PERCENT, "2", money(1_000), Verdict::Allow),
            (ONE_PERCENT, "2", money(4_000), Verdict::Shrink("0.5".parse().unwrap())),
            // 1,000 of 3,000 is a third: never rounded up.
            (ONE_PERCENT, "1", money(3_000), Verdict::Shrink("0.33333333".parse().unwrap())),
            (r#"{"risk_percent":1,"basis":"balance"}"#, "2", money(1_100), Verdict::Allow),
            (r#"{"risk_percent":2.5,"basis":"initial"}"#, "1", money(5_000), Verdict::Shrink("0.5".parse().unwrap())),
        ] {
            assert_eq!(asked(settings, size, risk, 100_000), wanted, "{settings} {size} {risk:?}");
        }
    }

    #[test]
    fn an_order_without_a_stop_is_refused_unless_it_need_not_have_one() {
        assert!(matches!(asked(ONE_PERCENT, "1", None, 100_000), Verdict::Refuse(why) if why.contains("stop-loss")));
        let free = r#"{"risk_percent":1,"basis":"equity","require_stop":false}"#;
        assert_eq!(asked(free, "1", None, 100_000), Verdict::Allow);
    }

    #[test]
    fn an_account_without_equity_risks_nothing() {
        for equity in [0, -5_000] {
            let refused = asked(ONE_PERCENT, "1", Some(Money::whole(1)), equity);
            assert!(matches!(&refused, Verdict::Refuse(why) if why.contains("0.00 is allowed")), "{refused:?}");
        }
    }
}
