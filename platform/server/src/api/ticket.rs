//! What an order asks of the venue, as programs read and write it.

use super::{caller::invalid, number, text::Decimal};
use crate::problem::Problem;
use marque_domain::{
    fixed::Price,
    ticket::{self, Levels},
    time::Millis,
};
use poem_openapi::{Enum, Object};

/// At which price an order may trade.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum OrderKind {
    /// At the first price there is.
    Market,
    /// At `limit_price` or a better one.
    Limit,
    /// At the market once the price has reached `stop_price`.
    Stop,
    /// At `limit_price` or better once the price has reached `stop_price`.
    StopLimit,
    /// A stop whose level follows the price at a distance.
    TrailingStop,
}

impl From<ticket::OrderKind> for OrderKind {
    fn from(kind: ticket::OrderKind) -> Self {
        match kind {
            ticket::OrderKind::Market => Self::Market,
            ticket::OrderKind::Limit { .. } => Self::Limit,
            ticket::OrderKind::Stop { .. } => Self::Stop,
            ticket::OrderKind::StopLimit { .. } => Self::StopLimit,
            ticket::OrderKind::TrailingStop { .. } => Self::TrailingStop,
        }
    }
}

/// How long an order is good for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum TimeInForce {
    /// Until it is cancelled.
    Gtc,
    /// Until `expires_at`.
    Gtd,
    /// What trades at once trades; the rest is cancelled.
    Ioc,
    /// All of it trades at once, or none.
    Fok,
    /// To the end of the instrument's trading day.
    Day,
}

impl From<ticket::TimeInForce> for TimeInForce {
    fn from(time: ticket::TimeInForce) -> Self {
        match time {
            ticket::TimeInForce::Gtc => Self::Gtc,
            ticket::TimeInForce::Gtd(_) => Self::Gtd,
            ticket::TimeInForce::Ioc => Self::Ioc,
            ticket::TimeInForce::Fok => Self::Fok,
            ticket::TimeInForce::Day => Self::Day,
        }
    }
}

/// A level that follows the price at a distance and never goes back.
#[derive(Object)]
pub(super) struct Trail {
    /// How far it stays behind the best price.
    distance: Decimal,
    /// How far it moves at least when it moves; one tick when absent.
    #[oai(skip_serializing_if_is_none)]
    step: Option<Decimal>,
}

impl From<ticket::Trail> for Trail {
    fn from(trail: ticket::Trail) -> Self {
        Self {
            distance: trail.distance.to_string().as_str().into(),
            step: Some(trail.step.to_string().as_str().into()),
        }
    }
}

/// A price of a request: absent, or a decimal above zero.
pub(super) fn level(field: &str, text: Option<&Decimal>) -> Result<Option<Price>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let price: Price = number::decimal(field, &text.0)?;
    if price <= Price::ZERO { Err(invalid(field, "must be above zero")) } else { Ok(Some(price)) }
}

/// A trail of a request. Distance and step are rounded to ticks later, where the instrument is known.
pub(super) fn trail(field: &str, wanted: Option<&Trail>) -> Result<Option<ticket::Trail>, Problem> {
    let Some(wanted) = wanted else { return Ok(None) };
    let missing = || invalid(field, "must have a distance above zero");
    let distance = level(&format!("{field}/distance"), Some(&wanted.distance))?.ok_or_else(missing)?;
    let step = level(&format!("{field}/step"), wanted.step.as_ref())?.unwrap_or(Price::from_units(1));
    Ok(Some(ticket::Trail { distance, step }))
}

/// The price part of a request.
pub(super) struct Asked<'a> {
    pub kind: OrderKind,
    pub limit_price: Option<&'a Decimal>,
    pub stop_price: Option<&'a Decimal>,
    pub stop_trail: Option<&'a Trail>,
}

impl Asked<'_> {
    /// The kind with its prices; what the kind does not have is refused rather than ignored.
    pub fn kind(&self) -> Result<ticket::OrderKind, Problem> {
        let limit = level("/limit_price", self.limit_price)?;
        let stop = level("/stop_price", self.stop_price)?;
        let trail = trail("/stop_trail", self.stop_trail)?;
        let needs = |field: &str| invalid(field, "is needed for an order of this kind");
        let (wants_limit, wants_stop, wants_trail) = match self.kind {
            OrderKind::Market => (false, false, false),
            OrderKind::Limit => (true, false, false),
            OrderKind::Stop => (false, true, false),
            OrderKind::StopLimit => (true, true, false),
            OrderKind::TrailingStop => (false, true, true),
        };
        for (field, wanted, given) in [
            ("/limit_price", wants_limit, limit.is_some()),
            ("/stop_price", wants_stop, stop.is_some()),
            ("/stop_trail", wants_trail, trail.is_some()),
        ] {
            if given && !wanted {
                return Err(invalid(field, "is not for an order of this kind; leave it out"));
            }
        }
        let limit = || limit.ok_or_else(|| needs("/limit_price"));
        let stop = || stop.ok_or_else(|| needs("/stop_price"));
        Ok(match self.kind {
            OrderKind::Market => ticket::OrderKind::Market,
            OrderKind::Limit => ticket::OrderKind::Limit { price: limit()? },
            OrderKind::Stop => ticket::OrderKind::Stop { price: stop()? },
            OrderKind::StopLimit => ticket::OrderKind::StopLimit { stop: stop()?, limit: limit()? },
            OrderKind::TrailingStop => {
                ticket::OrderKind::TrailingStop { stop: stop()?, trail: trail.ok_or_else(|| needs("/stop_trail"))? }
            }
        })
    }
}

/// The time part of a request.
pub(super) fn time_in_force(time: TimeInForce, expires_at: Option<&str>) -> Result<ticket::TimeInForce, Problem> {
    let at = expires_at
        .map(|text| {
            Millis::from_rfc3339(text)
                .ok_or_else(|| invalid("/expires_at", "must be a time of RFC 3339 such as 2014-05-01T17:00:00Z"))
        })
        .transpose()?;
    match (time, at) {
        (TimeInForce::Gtd, None) => Err(invalid("/expires_at", "is needed for an order that is good until a time")),
        (TimeInForce::Gtd, Some(at)) => Ok(ticket::TimeInForce::Gtd(at)),
        (_, Some(_)) => Err(invalid("/expires_at", "is only for `gtd`; leave it out")),
        (TimeInForce::Gtc, None) => Ok(ticket::TimeInForce::Gtc),
        (TimeInForce::Ioc, None) => Ok(ticket::TimeInForce::Ioc),
        (TimeInForce::Fok, None) => Ok(ticket::TimeInForce::Fok),
        (TimeInForce::Day, None) => Ok(ticket::TimeInForce::Day),
    }
}

/// The levels of a request.
pub(super) fn levels(
    stop_loss: Option<&Decimal>,
    take_profit: Option<&Decimal>,
    follow: Option<&Trail>,
) -> Result<Levels, Problem> {
    Ok(Levels {
        stop_loss: level("/stop_loss", stop_loss)?,
        take_profit: level("/take_profit", take_profit)?,
        trail: trail("/trail", follow)?,
    })
}
