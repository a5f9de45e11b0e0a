//! Positions, open and closed.

use super::{
    App, Tag,
    caller::Caller,
    decisions::Decision,
    idempotency::once,
    number,
    order::{Origin, Side},
    orders::want,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    text::{Decimal, Text},
    ticket::{self, Trail},
};
use crate::{identity::Operation, trading::View};
use marque_domain::{decision::Intent, fixed::Lots, order};
use marque_store::Whose;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};

pub(super) struct Positions;

/// How a position ended.
#[derive(Object)]
struct Closed {
    /// When, in market time.
    at: String,
    /// At what price.
    price: String,
    /// What it earned, in the account's currency.
    profit: String,
    /// Who closed it.
    origin: Origin,
}

/// A position in one instrument; each order that opens makes its own.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Position {
    /// Its id: `pos_…`.
    id: String,
    /// Whose.
    account: String,
    /// The deployed strategy that holds it.
    deployment: Option<String>,
    /// In what, such as `EURUSD`.
    instrument: String,
    /// Which way.
    side: Side,
    /// How much is open; of a closed position, how much was closed last.
    lots: String,
    /// How much was closed before that.
    closed_lots: String,
    /// What those parts earned.
    realised: String,
    /// At what price it was opened; of several fills the average by lots.
    open_price: String,
    /// When, in market time.
    opened_at: String,
    /// The venue closes it at this price against it.
    stop_loss: Option<String>,
    /// The venue closes it at this price with it.
    take_profit: Option<String>,
    /// How the stop-loss follows the price.
    trail: Option<Trail>,
    /// What it would bring now, while it is open and the desk runs.
    floating: Option<String>,
    /// How it ended, once it has.
    closed: Option<Closed>,
}

impl Position {
    pub fn of(found: &order::Position, app: &App, view: &View) -> Self {
        let floating = view.accounts.get(&found.account).and_then(|now| now.floating.get(&found.id));
        Self {
            id: found.id.to_string(),
            account: found.account.to_string(),
            deployment: found.deployment.map(|id| id.to_string()),
            instrument: app.symbol(found.instrument),
            side: found.side.into(),
            lots: found.lots.to_string(),
            closed_lots: found.closed_lots.to_string(),
            realised: number::money(found.realised),
            open_price: found.open_price.to_string(),
            opened_at: found.opened_at.to_rfc3339(),
            stop_loss: found.stop_loss.map(|price| price.to_string()),
            take_profit: found.take_profit.map(|price| price.to_string()),
            trail: found.trail.map(Trail::from),
            floating: floating.filter(|_| found.closed.is_none()).map(|worth| number::money(*worth)),
            closed: found.closed.map(|closed| Closed {
                at: closed.at.to_rfc3339(),
                price: closed.price.to_string(),
                profit: number::money(closed.profit),
                origin: closed.origin.into(),
            }),
        }
    }
}

/// How much of a position is to be closed.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct Part {
    /// A decimal above zero, rounded down to the instrument's lot step.
    lots: Decimal,
}

impl Example for Part {
    fn example() -> Self {
        Self { lots: "0.05".into() }
    }
}

/// The position that another is closed against.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct Opposite {
    /// Its id.
    position: Text,
}

/// What is to guard a position.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct Guard {
    /// Close it at this price against it.
    #[oai(skip_serializing_if_is_none)]
    stop_loss: Option<Decimal>,
    /// Close it at this price with it.
    #[oai(skip_serializing_if_is_none)]
    take_profit: Option<Decimal>,
    /// Let the stop-loss follow the price.
    #[oai(skip_serializing_if_is_none)]
    trail: Option<Trail>,
}

impl Example for Guard {
    fn example() -> Self {
        Self { stop_loss: Some("1.38200".into()), take_profit: None, trail: None }
    }
}

/// Which positions.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum PositionState {
    /// Those that are open.
    Open,
    /// Those that were closed.
    Closed,
}

#[OpenApi(tag = "Tag::Positions")]
impl Positions {
    /// List positions
    ///
    /// The positions of an account.
    #[oai(path = "/accounts/:account/positions", method = "get", operation_id = "list_positions")]
    async fn list_positions(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// Only the open, or only the closed.
        state: Query<Option<PositionState>>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Position>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadPositions)?, &account.0).await?.terms.id;
        let (open, filter) = match state.0 {
            None => (None, ""),
            Some(PositionState::Open) => (Some(true), "?state=open"),
            Some(PositionState::Closed) => (Some(false), "?state=closed"),
        };
        let list = List::new(caller.db().tenant(), format!("/accounts/{id}/positions{filter}"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let view = caller.desk().await?.view();
        let found = caller.db().positions(Whose::Account(id), open, page).await?;
        Ok(list.answer(page, found, |position| Position::of(&position, &caller.app, &view)))
    }

    /// Get a position
    #[oai(path = "/positions/:position", method = "get", operation_id = "get_position")]
    async fn get_position(
        &self,
        caller: Caller,
        /// The position's id.
        position: Path<String>,
    ) -> Result<Json<Position>, Refused> {
        let found = caller.position(Operation::ReadPositions, &position.0).await?;
        Ok(Json(Position::of(&found, &caller.app, &caller.desk().await?.view())))
    }

    /// Close a position
    ///
    /// Wholly, at the market. The answer is the decision; closing is allowed where opening is held.
    #[oai(path = "/positions/:position/close", method = "post", operation_id = "close_position", transform = "once")]
    async fn close_position(
        &self,
        caller: Caller,
        /// The position's id.
        position: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<Decision>, Refused> {
        let found = caller.position(Operation::ClosePosition, &position.0).await?;
        want(&caller, found.account, Intent::Close { position: found.id }).await
    }

    /// Close a part of a position
    ///
    /// At the market. What the part earned is booked at once; the rest keeps its levels. The answer is the decision.
    #[oai(path = "/positions/:position/reduce", method = "post", operation_id = "reduce_position", transform = "once")]
    async fn reduce_position(
        &self,
        caller: Caller,
        /// The position's id.
        position: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        part: Json<Part>,
    ) -> Result<Json<Decision>, Refused> {
        let found = caller.position(Operation::ClosePosition, &position.0).await?;
        let lots: Lots = number::decimal("/lots", &part.0.lots.0)?;
        want(&caller, found.account, Intent::Reduce { position: found.id, lots }).await
    }

    /// Close two positions by each other
    ///
    /// An opposite position in the same instrument on the same account, as far as the smaller one goes: at each other's
    /// opening prices and without a charge. The answer is the decision.
    #[oai(
        path = "/positions/:position/close-by",
        method = "post",
        operation_id = "close_position_by",
        transform = "once"
    )]
    async fn close_position_by(
        &self,
        caller: Caller,
        /// The position's id.
        position: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        other: Json<Opposite>,
    ) -> Result<Json<Decision>, Refused> {
        let found = caller.position(Operation::ClosePosition, &position.0).await?;
        // Another's is not told apart from none.
        let by = caller.position(Operation::ClosePosition, &other.0.position.0).await?.id;
        want(&caller, found.account, Intent::CloseBy { position: found.id, by }).await
    }

    /// Change what guards a position
    ///
    /// Its levels as they shall be: one that is left out is taken away. A trail without a stop-loss begins at its distance
    /// from the price of now. The answer is the decision.
    #[oai(path = "/positions/:position/guard", method = "post", operation_id = "guard_position", transform = "once")]
    async fn guard_position(
        &self,
        caller: Caller,
        /// The position's id.
        position: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        levels: Json<Guard>,
    ) -> Result<Json<Decision>, Refused> {
        let found = caller.position(Operation::GuardPosition, &position.0).await?;
        let wanted = &levels.0;
        let levels = ticket::levels(wanted.stop_loss.as_ref(), wanted.take_profit.as_ref(), wanted.trail.as_ref())?;
        want(&caller, found.account, Intent::Protect { position: found.id, levels }).await
    }
}
