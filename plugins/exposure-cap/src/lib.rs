//! Exposure: how many lots and positions an account may hold at once.
//!
//! Long and short lots add up: a hedge binds margin and swaps of both sides. An order above what is left is shrunk to it.

use marque_plugin::{About, Account, Assessment, Lots, Order, RiskRule, Verdict};
use serde::Deserialize;

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    max_lots: Option<Lots>,
    max_lots_per_instrument: Option<Lots>,
    max_positions: Option<u32>,
}

/// The rule.
#[derive(Debug)]
pub struct ExposureCap {
    settings: Settings,
}

fn held(account: &Account, counts: impl Fn(u32) -> bool) -> Lots {
    let counted = account.positions.iter().filter(|p| counts(p.instrument));
    counted.fold(Lots::ZERO, |sum, p| sum + p.lots)
}

impl RiskRule for ExposureCap {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str =
            "Limits the lots and positions that an account holds at once; shrinks orders to what is left.";
        About::rule("exposure-cap", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let Settings { max_lots, max_lots_per_instrument, max_positions } = settings;
        if max_lots.is_none() && max_lots_per_instrument.is_none() && max_positions.is_none() {
            return Err("Set at least one limit: lots in all, lots of one instrument, or positions.".to_owned());
        }
        Ok(Self { settings })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        let Settings { max_lots, max_lots_per_instrument, max_positions } = self.settings;
        let open = account.positions.len();
        if let Some(most) = max_positions.filter(|most| open >= *most as usize) {
            return Verdict::Refuse(format!("{open} positions are open and {most} are allowed. Close one first."));
        }
        let caps = [
            (max_lots, held(account, |_| true), "in all"),
            (max_lots_per_instrument, held(account, |instrument| instrument == order.instrument), "of this instrument"),
        ];
        let mut left = order.lots;
        for (most, open, of) in caps {
            let Some(most) = most else { continue };
            if open >= most {
                return Verdict::Refuse(format!("{open} lots {of} are open and {most} are allowed. Close some first."));
            }
            left = left.min(most - open);
        }
        if left < order.lots { Verdict::Shrink(left) } else { Verdict::Allow }
    }

    fn assess(&self, _account: &Account) -> Assessment {
        Assessment::OK
    }
}

marque_plugin::export_rule!(ExposureCap);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{DayAnchor, Exposure, Money, Price, Side};

    fn lots(text: &str) -> Lots {
        text.parse().unwrap()
    }

    fn account(held: &[(u32, &str)]) -> Account {
        let balance = Money::whole(100_000);
        let day = DayAnchor { began_at: 0, next_at: 1, balance, equity: balance, peak_equity: balance };
        let exposure = |(instrument, size): &(u32, &str)| {
            let side = if instrument % 2 == 0 { Side::Buy } else { Side::Sell };
            Exposure { instrument: *instrument, side, lots: lots(size), profit: Money::ZERO }
        };
        let positions = held.iter().map(exposure).collect();
        Account { now: 0, initial_balance: balance, balance, equity: balance, day, positions }
    }

    fn asked(settings: &str, size: &str, held: &[(u32, &str)]) -> Verdict {
        let order = Order {
            instrument: 1,
            side: Side::Buy,
            lots: lots(size),
            price: Price::whole(1),
            stop_loss: None,
            risk: None,
            value_per_point: Money::ZERO,
        };
        marque_plugin::run::start_rule::<ExposureCap>(settings).unwrap().check(&order, &account(held))
    }

    #[test]
    fn orders_shrink_to_what_is_left_of_the_nearest_cap() {
        let both = r#"{"max_lots":10,"max_lots_per_instrument":4}"#;
        for (size, held, wanted) in [
            ("4", &[][..], Verdict::Allow),
            ("4.01", &[], Verdict::Shrink(lots("4"))),
            ("4", &[(1, "1.5")], Verdict::Shrink(lots("2.5"))),
            ("4", &[(2, "8")], Verdict::Shrink(lots("2"))),
            ("1", &[(2, "8"), (1, "1")], Verdict::Allow),
        ] {
            assert_eq!(asked(both, size, held), wanted, "{size} with {held:?}");
        }
        for held in [&[(1, "4")][..], &[(2, "10")]] {
            let refused = asked(both, "0.01", held);
            assert!(matches!(&refused, Verdict::Refuse(why) if why.contains("are allowed. Close some")), "{refused:?}");
        }
    }

    #[test]
    fn positions_are_counted() {
        assert_eq!(asked(r#"{"max_positions":2}"#, "9", &[(1, "1")]), Verdict::Allow);
        let refused = asked(r#"{"max_positions":2}"#, "9", &[(1, "1"), (2, "1")]);
        assert!(matches!(&refused, Verdict::Refuse(why) if why.starts_with("2 positions are open")), "{refused:?}");
    }

    #[test]
    fn a_cap_on_nothing_is_refused() {
        assert!(marque_plugin::run::start_rule::<ExposureCap>("{}").unwrap_err().contains("at least one"));
    }
}
