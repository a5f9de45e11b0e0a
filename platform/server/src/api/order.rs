//! An order as programs read it.

use super::{
    App,
    ticket::{OrderKind, TimeInForce, Trail},
};
use marque_domain::{order, time::Millis};
use poem_openapi::{Enum, Object};

/// Which way.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
pub(super) enum Side {
    /// Pays the ask, gains when the price rises.
    Buy,
    /// Gets the bid, gains when the price falls.
    Sell,
}

impl From<order::Side> for Side {
    fn from(side: order::Side) -> Self {
        match side {
            order::Side::Buy => Self::Buy,
            order::Side::Sell => Self::Sell,
        }
    }
}

impl From<Side> for order::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Buy => Self::Buy,
            Side::Sell => Self::Sell,
        }
    }
}

/// Who asked.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum Origin {
    /// A running strategy.
    Strategy,
    /// A person, by page or API.
    Trader,
    /// A risk rule that flattens the account.
    Rule,
    /// The venue, at the attached stop-loss.
    StopLoss,
    /// The venue, at the attached take-profit.
    TakeProfit,
    /// The kill switch.
    KillSwitch,
    /// The venue, because the margin did not suffice any more.
    StopOut,
}

impl From<order::Origin> for Origin {
    fn from(origin: order::Origin) -> Self {
        match origin {
            order::Origin::Strategy => Self::Strategy,
            order::Origin::Trader => Self::Trader,
            order::Origin::Rule => Self::Rule,
            order::Origin::StopLoss => Self::StopLoss,
            order::Origin::TakeProfit => Self::TakeProfit,
            order::Origin::KillSwitch => Self::KillSwitch,
            order::Origin::StopOut => Self::StopOut,
        }
    }
}

/// Where an order is in its life.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum OrderState {
    /// Committed; the venue has not heard of it.
    Intent,
    /// On its way.
    Sending,
    /// The venue has it.
    Acked,
    /// The venue refused it. Final.
    Rejected,
    /// Sent, and no answer: the account takes no new orders until a query settles it.
    Unknown,
    /// Part of it traded.
    Partial,
    /// All of it traded. Final.
    Filled,
    /// Withdrawn or expired. Final.
    Cancelled,
}

impl From<order::OrderState> for OrderState {
    fn from(state: order::OrderState) -> Self {
        match state {
            order::OrderState::Intent => Self::Intent,
            order::OrderState::Sending => Self::Sending,
            order::OrderState::Acked => Self::Acked,
            order::OrderState::Rejected => Self::Rejected,
            order::OrderState::Unknown => Self::Unknown,
            order::OrderState::Partial => Self::Partial,
            order::OrderState::Filled => Self::Filled,
            order::OrderState::Cancelled => Self::Cancelled,
        }
    }
}

/// An order.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Order {
    /// Its id, and the client order id at the venue: `ord_…`.
    id: String,
    /// The account it trades for.
    account: String,
    /// The deployed strategy it came from.
    deployment: Option<String>,
    /// What it trades, such as `EURUSD`.
    instrument: String,
    /// Which way.
    side: Side,
    /// How much.
    lots: String,
    /// The position that it closes; absent when it opens one.
    closes: Option<String>,
    /// The opposite position that it closes it against.
    closes_by: Option<String>,
    /// Who asked for it.
    origin: Origin,
    /// At which price it may trade.
    kind: OrderKind,
    /// The worst price it may trade at.
    limit_price: Option<String>,
    /// The price that triggers it, as things stand.
    stop_price: Option<String>,
    /// How that price follows the market.
    stop_trail: Option<Trail>,
    /// How long it is good for.
    time_in_force: TimeInForce,
    /// From when on it is no longer good, in market time.
    expires_at: Option<String>,
    /// The first order of the group of which only one may trade.
    oco: Option<String>,
    /// Closes the position at this price against it.
    stop_loss: Option<String>,
    /// Closes the position at this price with it.
    take_profit: Option<String>,
    /// How the position's stop-loss follows the price.
    trail: Option<Trail>,
    /// Whether its stop was reached.
    triggered: bool,
    /// Where it is in its life.
    state: OrderState,
    /// How much of it traded.
    filled: String,
    /// The price it traded at; of several fills the average by lots.
    fill_price: Option<String>,
    /// Why it ended without trading.
    reason: Option<String>,
    /// When it was approved, in market time.
    created_at: String,
    /// When its state last changed.
    updated_at: String,
}

impl Order {
    pub fn of(found: &order::Order, app: &App) -> Self {
        Self {
            id: found.id.to_string(),
            account: found.account.to_string(),
            deployment: found.deployment.map(|id| id.to_string()),
            instrument: app.symbol(found.instrument),
            side: found.side.into(),
            lots: found.lots.to_string(),
            closes: match found.purpose {
                order::Purpose::Close(position) | order::Purpose::CloseBy { position, .. } => {
                    Some(position.to_string())
                }
                order::Purpose::Open => None,
            },
            closes_by: match found.purpose {
                order::Purpose::CloseBy { by, .. } => Some(by.to_string()),
                order::Purpose::Close(_) | order::Purpose::Open => None,
            },
            origin: found.origin.into(),
            kind: found.kind.into(),
            limit_price: found.kind.limit().map(|price| price.to_string()),
            stop_price: found.kind.stop().map(|price| price.to_string()),
            stop_trail: found.kind.trail().map(Trail::from),
            time_in_force: found.time_in_force.into(),
            expires_at: found.expires_at.map(Millis::to_rfc3339),
            oco: found.oco.map(|id| id.to_string()),
            stop_loss: found.stop_loss.map(|price| price.to_string()),
            take_profit: found.take_profit.map(|price| price.to_string()),
            trail: found.trail.map(Trail::from),
            triggered: found.triggered,
            state: found.state.into(),
            filled: found.filled.to_string(),
            fill_price: found.fill_price.map(|price| price.to_string()),
            reason: found.reason.clone(),
            created_at: found.created_at.to_rfc3339(),
            updated_at: found.updated_at.to_rfc3339(),
        }
    }
}
