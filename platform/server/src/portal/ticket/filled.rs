//! What was filled in on a form of a trader's hand, and the ticket that it says. A mistake names its field as the page does.

use crate::problem::{Problem, ProblemCode};
use core::str::FromStr;
use marque_domain::{
    fixed::{FixedError, Lots, Price},
    id::{OrderId, PositionId},
    instrument::Instrument,
    order::{Order, Side},
    ticket::{Amendment, Levels, OrderKind, Ticket, TimeInForce, Trail},
    time::Millis,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// As much of an answer as is shown again.
const SHOWN_CHARS_MAX: usize = 40;

/// What was filled in, by field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Filled(BTreeMap<String, String>);

pub(super) fn wrong(label: &str, what: &str) -> Problem {
    Problem::new(ProblemCode::Invalid, format!("{label}: {what}"))
}

impl Filled {
    /// What an order is now, as it would be filled in.
    pub fn of_order(order: &Order) -> Self {
        let price = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
        let until = if let TimeInForce::Gtd(at) = order.time_in_force { at.to_rfc3339() } else { String::new() };
        Self::from([
            ("limit_price", price(order.kind.limit())),
            ("stop_price", price(order.kind.stop())),
            ("stop_distance", price(order.kind.trail().map(|t| t.distance))),
            ("stop_loss", price(order.stop_loss)),
            ("take_profit", price(order.take_profit)),
            ("trail_distance", price(order.trail.map(|t| t.distance))),
            ("time_in_force", order.time_in_force.name().to_owned()),
            ("expires_at", until),
        ])
    }

    /// Answers by the names of their fields.
    pub fn from<const N: usize>(answers: [(&str, String); N]) -> Self {
        Self(answers.into_iter().map(|(name, text)| (name.to_owned(), text)).collect())
    }

    /// An answer, as much of it as is shown again.
    pub fn shown(&self, name: &str) -> String {
        self.0.get(name).map(|text| text.chars().take(SHOWN_CHARS_MAX).collect()).unwrap_or_default()
    }

    pub fn answer(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    fn decimal<T: FromStr<Err = FixedError>>(&self, name: &str, label: &str) -> Result<Option<T>, Problem> {
        self.answer(name)
            .map(|text| text.parse().map_err(|fault: FixedError| wrong(label, &fault.to_string())))
            .transpose()
    }

    fn above_zero(&self, name: &str, label: &str) -> Result<Option<Price>, Problem> {
        match self.decimal::<Price>(name, label)? {
            Some(price) if price <= Price::ZERO => Err(wrong(label, "write a price above zero.")),
            price => Ok(price),
        }
    }

    /// A trail that moves tick by tick.
    fn trail(&self, name: &str, label: &str) -> Result<Option<Trail>, Problem> {
        Ok(self.above_zero(name, label)?.map(|distance| Trail { distance, step: Price::from_units(1) }))
    }

    /// What guards a position.
    pub fn levels(&self) -> Result<Levels, Problem> {
        Ok(Levels {
            stop_loss: self.above_zero("stop_loss", "Stop-loss")?,
            take_profit: self.above_zero("take_profit", "Take-profit")?,
            trail: self.trail("trail_distance", "Trailing stop-loss")?,
        })
    }

    /// How much of a position is to be closed.
    pub fn part(&self) -> Result<Lots, Problem> {
        let lots = self.decimal("lots", "Lots to close")?;
        lots.ok_or_else(|| wrong("Lots to close", "say how much, such as 0.10."))
    }

    /// Which position another is closed against.
    pub fn opposite(&self) -> Result<PositionId, Problem> {
        let by = self.answer("by").and_then(|id| id.parse().ok());
        by.ok_or_else(|| wrong("Opposite position", "choose one of the list."))
    }

    /// The kind with its prices. A price that the kind does not have is refused: somebody meant something by it.
    fn kind(&self, name: &str) -> Result<OrderKind, Problem> {
        let limit = self.above_zero("limit_price", "Limit price")?;
        let stop = self.above_zero("stop_price", "Stop price")?;
        let follow = self.trail("stop_distance", "Trailing distance")?;
        match (name, limit, stop, follow) {
            ("market", None, None, None) => Ok(OrderKind::Market),
            ("limit", Some(price), None, None) => Ok(OrderKind::Limit { price }),
            ("stop", None, Some(price), None) => Ok(OrderKind::Stop { price }),
            ("stop_limit", Some(limit), Some(stop), None) => Ok(OrderKind::StopLimit { stop, limit }),
            ("trailing_stop", None, Some(stop), Some(trail)) => Ok(OrderKind::TrailingStop { stop, trail }),
            ("market", ..) => {
                Err(wrong("Kind", "a market order has no price of its own. Empty the prices, or choose another kind."))
            }
            ("limit", ..) => Err(wrong("Limit price", "a limit order needs this price and no other.")),
            ("stop", ..) => Err(wrong("Stop price", "a stop order needs this price and no other.")),
            ("stop_limit", ..) => Err(wrong("Stop price", "a stop-limit order needs a stop price and a limit price.")),
            ("trailing_stop", ..) => {
                Err(wrong("Stop price", "a trailing stop needs a stop price and a trailing distance."))
            }
            _ => Err(wrong("Kind", "choose one of the list.")),
        }
    }

    fn time_in_force(&self) -> Result<TimeInForce, Problem> {
        let at = self.answer("expires_at").map(|text| {
            Millis::from_rfc3339(text).ok_or_else(|| wrong("Good until", "write a time such as 2014-05-01T17:00:00Z."))
        });
        match (self.answer("time_in_force").unwrap_or("gtc"), at.transpose()?) {
            ("gtd", Some(at)) => Ok(TimeInForce::Gtd(at)),
            ("gtd", None) => Err(wrong("Good until", "say until when.")),
            (_, Some(_)) => Err(wrong("Good until", "empty it, or choose “until a time”.")),
            ("gtc", None) => Ok(TimeInForce::Gtc),
            ("day", None) => Ok(TimeInForce::Day),
            ("ioc", None) => Ok(TimeInForce::Ioc),
            ("fok", None) => Ok(TimeInForce::Fok),
            _ => Err(wrong("Good for", "choose one of the list.")),
        }
    }

    /// A new order in one of these instruments.
    pub fn ticket(&self, instruments: &[Instrument]) -> Result<Ticket, Problem> {
        let symbol = self.answer("instrument").unwrap_or_default();
        let instrument = instruments.iter().find(|i| i.symbol == symbol);
        let instrument = instrument.ok_or_else(|| wrong("Instrument", "choose one of the list."))?;
        let side = match self.answer("side") {
            Some("buy") => Side::Buy,
            Some("sell") => Side::Sell,
            _ => return Err(wrong("Side", "choose buy or sell.")),
        };
        let lots = self.decimal::<Lots>("lots", "Lots")?;
        let lots = lots.ok_or_else(|| wrong("Lots", "say how much, such as 0.10."))?;
        let other = |id: &str| id.parse::<OrderId>().map_err(|_| wrong("Paired with", "choose one of the list."));
        Ok(Ticket {
            instrument: instrument.id,
            side,
            lots,
            kind: self.kind(self.answer("kind").unwrap_or("market"))?,
            time_in_force: self.time_in_force()?,
            levels: self.levels()?,
            oco: self.answer("oco").map(other).transpose()?,
        })
    }

    /// What is to be different about a working order.
    pub fn amendment(&self, order: &Order) -> Result<Amendment, Problem> {
        Ok(Amendment {
            kind: self.kind(order.kind.name())?,
            time_in_force: self.time_in_force()?,
            levels: self.levels()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Filled;
    use marque_domain::{fixed::Price, ticket::OrderKind};
    use marque_market::catalogue::Catalogue;

    #[test]
    fn a_form_says_a_ticket_or_which_field_is_wrong() {
        let catalogue = Catalogue::embedded().unwrap();
        let told = |more: &[(&str, &str)]| {
            let mut filled = Filled::from([
                ("instrument", "EURUSD".to_owned()),
                ("side", "buy".to_owned()),
                ("lots", "0.10".to_owned()),
            ]);
            filled.0.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
            filled.ticket(catalogue.all()).map(|ticket| ticket.kind).map_err(|problem| problem.detail)
        };
        let price = |text: &str| text.parse::<Price>().unwrap();
        assert_eq!(told(&[]), Ok(OrderKind::Market));
        assert_eq!(told(&[("kind", "limit"), ("limit_price", " 1.1 ")]), Ok(OrderKind::Limit { price: price("1.1") }));
        for (more, what) in [
            (&[("kind", "limit")][..], "Limit price: a limit order needs this price and no other."),
            (&[("kind", "stop"), ("stop_price", "-1")], "Stop price: write a price above zero."),
            (&[("kind", "iceberg")], "Kind: choose one of the list."),
            (
                &[("limit_price", "1.1")],
                "Kind: a market order has no price of its own. Empty the prices, or choose another kind.",
            ),
            (&[("time_in_force", "gtd")], "Good until: say until when."),
            (&[("expires_at", "2014-05-01T17:00:00Z")], "Good until: empty it, or choose “until a time”."),
            (&[("side", "up")], "Side: choose buy or sell."),
            (&[("lots", "")], "Lots: say how much, such as 0.10."),
            (&[("instrument", "NOPE")], "Instrument: choose one of the list."),
            (&[("oco", "x")], "Paired with: choose one of the list."),
        ] {
            assert_eq!(told(more), Err(what.to_owned()), "{more:?}");
        }
    }
}
