//! Orders: what was approved and sent to the venue.

use super::{
    Tag,
    caller::{Caller, invalid},
    decisions::Decision,
    idempotency::once,
    number,
    order::{Order, Side},
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
};
use marque_engine::{Command, Record};
use marque_store::Whose;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};

pub(super) struct Orders;

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
        let found = caller.order(Operation::ReadOrders, &order.0).await?;
        Ok(Json(Order::of(&found, &caller.app)))
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
        let found = caller.order(Operation::AmendOrder, &order.0).await?;
        let to = wanted.0.amendment(&found)?;
        want(&caller, found.account, Intent::Amend { order: found.id, to }).await
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
        let found = caller.order(Operation::CancelOrder, &order.0).await?;
        want(&caller, found.account, Intent::Cancel { order: found.id }).await
    }
}
