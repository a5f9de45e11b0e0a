//! Orders: what was approved and sent to the venue.

use super::{
    App, Tag,
    caller::{Caller, invalid},
    decisions::Decision,
    idempotency::once,
    number,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    text::{Decimal, Text},
    ticket::{self, OrderKind, TimeInForce, Trail},
};
use crate::{identity::Operation, problem::Problem, trading::requests};
use marque_domain::{
    decision::Intent,
    fixed::Lots,
    id::OrderId,
    order,
    ticket::{Amendment, Ticket},
    time::Millis,
};
use marque_engine::{Command, Record};
use marque_store::Whose;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};

pub(super) struct Orders;

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

/// An order that somebody wants.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct NewOrder {
    /// What to trade, such as `EURUSD`.
    instrument: Text,
    /// Which way.
    side: Side,
    /// How much: a decimal above zero. It is rounded down to the instrument's lot step.
    lots: Decimal,
    /// At which price; a market order when absent.
    #[oai(skip_serializing_if_is_none)]
    kind: Option<OrderKind>,
    /// The worst price: of `limit` and `stop_limit`.
    #[oai(skip_serializing_if_is_none)]
    limit_price: Option<Decimal>,
    /// Where it triggers: of `stop`, `stop_limit` and `trailing_stop`.
    #[oai(skip_serializing_if_is_none)]
    stop_price: Option<Decimal>,
    /// How the trigger follows the price: of `trailing_stop`.
    #[oai(skip_serializing_if_is_none)]
    stop_trail: Option<Trail>,
    /// For how long; `gtc` when absent.
    #[oai(skip_serializing_if_is_none)]
    time_in_force: Option<TimeInForce>,
    /// Until when, in market time: of `gtd`.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<Text>,
    /// A working order of the account: when either trades, the other is cancelled.
    #[oai(skip_serializing_if_is_none)]
    oco: Option<Text>,
    /// Let the position's stop-loss follow the price.
    #[oai(skip_serializing_if_is_none)]
    trail: Option<Trail>,
    /// Close the position at this price against it.
    #[oai(skip_serializing_if_is_none)]
    stop_loss: Option<Decimal>,
    /// Close the position at this price with it.
    #[oai(skip_serializing_if_is_none)]
    take_profit: Option<Decimal>,
}

impl Example for NewOrder {
    fn example() -> Self {
        Self {
            instrument: "EURUSD".into(),
            side: Side::Buy,
            lots: "0.10".into(),
            kind: None,
            limit_price: None,
            stop_price: None,
            stop_trail: None,
            time_in_force: None,
            expires_at: None,
            oco: None,
            trail: None,
            stop_loss: None,
            take_profit: None,
        }
    }
}

impl NewOrder {
    fn intent(&self, caller: &Caller) -> Result<Intent, Problem> {
        let instruments = requests::tradable(caller.floor());
        let instrument = instruments
            .iter()
            .find(|i| i.symbol == self.instrument.0)
            .ok_or_else(|| invalid("/instrument", "is not offered here; choose one from the list of instruments"))?;
        let lots: Lots = number::decimal("/lots", &self.lots.0)?;
        if lots <= Lots::ZERO {
            return Err(invalid("/lots", "must be above zero"));
        }
        let asked = ticket::Asked {
            kind: self.kind.unwrap_or(OrderKind::Market),
            limit_price: self.limit_price.as_ref(),
            stop_price: self.stop_price.as_ref(),
            stop_trail: self.stop_trail.as_ref(),
        };
        let time = self.time_in_force.unwrap_or(TimeInForce::Gtc);
        let other = |id: &Text| id.0.parse::<OrderId>().map_err(|_| invalid("/oco", "is not the id of an order"));
        Ok(Intent::Place(Ticket {
            instrument: instrument.id,
            side: self.side.into(),
            lots,
            kind: asked.kind()?,
            time_in_force: ticket::time_in_force(time, self.expires_at.as_ref().map(|at| at.0.as_str()))?,
            levels: ticket::levels(self.stop_loss.as_ref(), self.take_profit.as_ref(), self.trail.as_ref())?,
            oco: self.oco.as_ref().map(other).transpose()?,
        }))
    }
}

/// What is to be different about a working order.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct ChangedOrder {
    /// The worst price: of `limit` and `stop_limit`.
    #[oai(skip_serializing_if_is_none)]
    limit_price: Option<Decimal>,
    /// Where it triggers: of `stop`, `stop_limit` and `trailing_stop`.
    #[oai(skip_serializing_if_is_none)]
    stop_price: Option<Decimal>,
    /// How the trigger follows the price: of `trailing_stop`.
    #[oai(skip_serializing_if_is_none)]
    stop_trail: Option<Trail>,
    /// For how long: `gtc`, `gtd` or `day`.
    #[oai(skip_serializing_if_is_none)]
    time_in_force: Option<TimeInForce>,
    /// Until when, in market time: of `gtd`.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<Text>,
    /// Close the position at this price against it.
    #[oai(skip_serializing_if_is_none)]
    stop_loss: Option<Decimal>,
    /// Close the position at this price with it.
    #[oai(skip_serializing_if_is_none)]
    take_profit: Option<Decimal>,
    /// Let the position's stop-loss follow the price.
    #[oai(skip_serializing_if_is_none)]
    trail: Option<Trail>,
}

impl Example for ChangedOrder {
    fn example() -> Self {
        Self {
            limit_price: Some("1.38500".into()),
            stop_price: None,
            stop_trail: None,
            time_in_force: None,
            expires_at: None,
            stop_loss: None,
            take_profit: None,
            trail: None,
        }
    }
}

impl ChangedOrder {
    fn amendment(&self, order: &order::Order) -> Result<Amendment, Problem> {
        let decimal = |price: marque_domain::fixed::Price| Decimal::from(price.to_string().as_str());
        let (limit, stop) = (order.kind.limit().map(decimal), order.kind.stop().map(decimal));
        let trail = order.kind.trail().map(Trail::from);
        let asked = ticket::Asked {
            kind: order.kind.into(),
            limit_price: self.limit_price.as_ref().or(limit.as_ref()),
            stop_price: self.stop_price.as_ref().or(stop.as_ref()),
            stop_trail: self.stop_trail.as_ref().or(trail.as_ref()),
        };
        let expires_at = self.expires_at.as_ref().map(|at| at.0.as_str());
        let time_in_force = match (self.time_in_force, expires_at) {
            (None, None) => order.time_in_force,
            (time, at) => ticket::time_in_force(time.unwrap_or(TimeInForce::Gtd), at)?,
        };
        let levels = ticket::levels(self.stop_loss.as_ref(), self.take_profit.as_ref(), self.trail.as_ref())?;
        Ok(Amendment { kind: asked.kind()?, time_in_force, levels })
    }
}

/// Wants something done on an account, and answers what was decided.
pub(super) async fn want(
    caller: &Caller,
    account: marque_domain::id::AccountId,
    intent: Intent,
) -> Result<Json<Decision>, Refused> {
    let records = caller.command(Command::Want { account, intent }).await?;
    let decided = records.iter().find_map(|record| match record {
        Record::Decided(decision) if decision.account == account && decision.intent == intent => Some(decision),
        _ => None,
    });
    let decision = decided.ok_or_else(|| Problem::internal(&Undecided))?;
    Ok(Json(Decision::of(decision, &caller.app)))
}

#[derive(Debug, thiserror::Error)]
#[error("a desk carried out a wish without deciding it")]
struct Undecided;

#[OpenApi(tag = "Tag::Orders")]
impl Orders {
    /// List orders
    ///
    /// The orders of an account.
    #[oai(path = "/accounts/:account/orders", method = "get", operation_id = "list_orders")]
    async fn list_orders(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Order>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadOrders)?, &account.0).await?.terms.id;
        let list = List::new(caller.db().tenant(), format!("/accounts/{id}/orders"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().orders(Whose::Account(id), page).await?;
        Ok(list.answer(page, found, |order| Order::of(&order, &caller.app)))
    }

    /// Get an order
    #[oai(path = "/orders/:order", method = "get", operation_id = "get_order")]
    async fn get_order(
        &self,
        caller: Caller,
        /// The order's id.
        order: Path<String>,
    ) -> Result<Json<Order>, Refused> {
        let whose = caller.who.may(Operation::ReadOrders)?;
        let id: OrderId = order.0.parse().map_err(|_| Problem::not_found())?;
        Ok(Json(Order::of(&caller.db().order(whose, id).await?, &caller.app)))
    }

    /// Place an order
    ///
    /// An order by hand, of any kind; with a stop-loss and a take-profit it is a bracket. It passes the built-in limits
    /// and the account's rules like an order of a strategy; the answer is the decision. A denied wish is a decision too: look at `outcome`, and at `denial` for why.
    #[oai(path = "/accounts/:account/orders", method = "post", operation_id = "place_order", transform = "once")]
    async fn place_order(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<NewOrder>,
    ) -> Result<Json<Decision>, Refused> {
        let id = caller.account(caller.who.may(Operation::PlaceOrder)?, &account.0).await?.terms.id;
        want(&caller, id, wanted.0.intent(&caller)?).await
    }

    /// Change a working order
    ///
    /// Its price, its time and its levels; its kind, side and lots stay. Prices and time that are left out stay too; levels
    /// are as they shall be, and one that is left out is taken away. The changed order passes limits and rules as a new one
    /// would; the answer is the decision.
    #[oai(path = "/orders/:order/amend", method = "post", operation_id = "amend_order", transform = "once")]
    async fn amend_order(
        &self,
        caller: Caller,
        /// The order's id.
        order: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<ChangedOrder>,
    ) -> Result<Json<Decision>, Refused> {
        let whose = caller.who.may(Operation::AmendOrder)?;
        let id: OrderId = order.0.parse().map_err(|_| Problem::not_found())?;
        let found = caller.db().order(whose, id).await?;
        let to = wanted.0.amendment(&found)?;
        want(&caller, found.account, Intent::Amend { order: id, to }).await
    }

    /// Cancel a working order
    ///
    /// What of it traded stays. The answer is the decision; it is denied when the order is not working any more.
    #[oai(path = "/orders/:order/cancel", method = "post", operation_id = "cancel_order", transform = "once")]
    async fn cancel_order(
        &self,
        caller: Caller,
        /// The order's id.
        order: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<Decision>, Refused> {
        let whose = caller.who.may(Operation::CancelOrder)?;
        let id: OrderId = order.0.parse().map_err(|_| Problem::not_found())?;
        let found = caller.db().order(whose, id).await?;
        want(&caller, found.account, Intent::Cancel { order: id }).await
    }
}
