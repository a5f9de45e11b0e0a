//! Exposure: how many lots and positions an account may hold at once.
//!
//! Long and short lots add up: a hedge binds margin and swaps of both sides. An order above what is left is shrunk to it.
//!
//! By default only what is open counts, so orders that wait may together fill beyond a cap. With `count_waiting` they count
//! as if they had traded, market orders on their way included.

use marque_plugin::{About, Account, Assessment, Lots, Order, RiskRule, Verdict, WaitingOrder};
use std::collections::BTreeMap;

/// What a broker sets.
#[derive(Debug, Clone, marque_plugin::Settings)]
pub struct Settings {
    /// Most lots that may be open at once, on all instruments.
    #[setting(title = "Lots in all", above = 0, max = 100000)]
    max_lots: Option<Lots>,
    /// Most lots that may be open at once of one instrument.
    #[setting(title = "Lots of one instrument", above = 0, max = 100000)]
    max_lots_per_instrument: Option<Lots>,
    /// Most positions that may be open at once.
    #[setting(title = "Positions", min = 1, max = 200, suggest = 10)]
    max_positions: Option<u32>,
    /// Count orders that would open a position and have not traded yet as if they had. Of a pair of which only one can
    /// trade, the larger counts.
    #[setting(title = "Waiting orders count", default = false)]
    count_waiting: bool,
}

/// The rule.
#[derive(Debug)]
pub struct ExposureCap {
    settings: Settings,
}

fn held(account: &Account, waiting: &[WaitingOrder], counts: impl Fn(u32) -> bool) -> Lots {
    let open = account.positions.iter().filter(|p| counts(p.instrument)).fold(Lots::ZERO, |sum, p| sum + p.lots);
    let waiting = waiting.iter().filter(|order| counts(order.instrument));
    largest_of_groups(waiting).values().fold(open, |sum, lots| sum + *lots)
}

/// Of a group only one order can trade, so it counts with its largest.
fn largest_of_groups<'a>(orders: impl Iterator<Item = &'a WaitingOrder>) -> BTreeMap<i64, Lots> {
    orders.fold(BTreeMap::new(), |mut groups, order| {
        let largest = groups.entry(order.group).or_insert(Lots::ZERO);
        *largest = order.lots.max(*largest);
        groups
    })
}

impl RiskRule for ExposureCap {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str =
            "Limits the lots and positions that an account holds at once; shrinks orders to what is left.";
        About::rule("exposure-cap", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let Settings { max_lots, max_lots_per_instrument, max_positions, .. } = settings;
        if max_lots.is_none() && max_lots_per_instrument.is_none() && max_positions.is_none() {
            return Err("Set at least one limit: lots in all, lots of one instrument, or positions.".to_owned());
        }
        Ok(Self { settings })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        let Settings { max_lots, max_lots_per_instrument, max_positions, count_waiting } = self.settings;
        let waiting = if count_waiting { account.waiting() } else { Vec::new() };
        let are = if waiting.is_empty() { "open" } else { "open or waiting" };
        let open = account.positions.len() + largest_of_groups(waiting.iter()).len();
        if let Some(most) = max_positions.filter(|most| open >= *most as usize) {
            return Verdict::Refuse(format!("{open} positions are {are} and {most} are allowed. Close one first."));
        }
        let this = |instrument| instrument == order.instrument;
        let caps = [
            (max_lots, held(account, &waiting, |_| true), "in all"),
            (max_lots_per_instrument, held(account, &waiting, this), "of this instrument"),
        ];
        let mut left = order.lots;
        for (most, open, of) in caps {
            let Some(most) = most else { continue };
            if open >= most {
                return Verdict::Refuse(format!(
                    "{open} lots {of} are {are} and {most} are allowed. Close some first."
                ));
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
    use marque_plugin::{DayAnchor, Exposure, Money, OrderKind, Price, Side, testing};

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
    fn its_form_is_the_one_that_brokers_know() {
        let form = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(form(Settings::SCHEMA), form(include_str!("settings.json")));
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
    fn waiting_orders_count_only_when_asked_to() {
        let order = |group, size| WaitingOrder {
            instrument: 1,
            side: Side::Buy,
            lots: lots(size),
            kind: OrderKind::Limit { price: Price::whole(1) },
            stop_loss: None,
            group,
        };
        // Two of a pair, of which the larger counts, and one alone: four lots in two places.
        let waiting = vec![order(7, "3"), order(7, "2"), order(9, "1")];
        testing::set_known(testing::Known { waiting, ..testing::Known::default() });
        let counting = |rest: &str| format!(r#"{{"count_waiting":true,{rest}}}"#);
        for (settings, wanted) in [
            (r#"{"max_lots":6}"#.to_owned(), Verdict::Allow),
            (counting(r#""max_lots":6"#), Verdict::Shrink(lots("1"))),
            (counting(r#""max_lots_per_instrument":7"#), Verdict::Allow),
            (counting(r#""max_positions":4"#), Verdict::Allow),
        ] {
            assert_eq!(asked(&settings, "2", &[(1, "1")]), wanted, "{settings}");
        }
        let refused = asked(&counting(r#""max_positions":3"#), "2", &[(1, "1")]);
        assert!(matches!(&refused, Verdict::Refuse(why) if why.starts_with("3 positions are open or waiting")));
        testing::set_known(testing::Known::default());
    }

    #[test]
    fn a_cap_on_nothing_is_refused() {
        assert!(marque_plugin::run::start_rule::<ExposureCap>("{}").unwrap_err().contains("at least one"));
    }
}
