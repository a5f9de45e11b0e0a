//! An order may lose at most a fixed amount at its stop-loss; one without a stop-loss is refused.
//!
//! A rule is a pure function of its settings and the account: it keeps nothing between calls.

use marque_plugin::{About, Account, Assessment, Money, Order, RiskRule, Verdict};
use serde::Deserialize;

/// What a broker sets. `settings.json` beside this file is its form.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    most: Money,
}

/// The rule.
#[derive(Debug)]
pub struct {{type}} {
    settings: Settings,
}

impl RiskRule for {{type}} {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Refuses an order that could lose more than a fixed amount at its stop-loss.";
        About::rule("{{name}}", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { settings })
    }

    fn check(&self, order: &Order, _account: &Account) -> Verdict {
        let most = self.settings.most;
        match order.risk {
            None => Verdict::Refuse("This account takes no order without a stop-loss. Add one.".to_owned()),
            Some(risk) if risk > most => Verdict::Refuse(format!(
                "At its stop-loss this order loses {risk:.2} and {most:.2} is allowed. Use a closer stop or fewer lots."
            )),
            Some(_) => Verdict::Allow,
        }
    }

    fn assess(&self, _account: &Account) -> Assessment {
        Assessment::OK
    }
}

marque_plugin::export_rule!({{type}});
