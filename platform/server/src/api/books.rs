//! An account's money over time, its books, and how far its limits are.

use super::{
    Tag,
    caller::Caller,
    number,
    order::Side,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
};
use crate::{
    identity::Operation,
    problem::{Problem, ProblemCode},
    trading::requests,
};
use marque_domain::{
    account,
    decision::Denial,
    fixed::{Money, Price},
    instrument::Instrument,
    ledger,
};
use marque_engine::{port, shard};
use marque_store::Whose;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};

pub(super) struct Books;

/// What an account was worth at an instant.
#[derive(Object)]
struct EquityPoint {
    /// When, in market time.
    at: String,
    /// Closed balance.
    balance: String,
    /// Balance plus what open positions would have brought.
    equity: String,
}

impl From<account::EquityPoint> for EquityPoint {
    fn from(point: account::EquityPoint) -> Self {
        Self { at: point.at.to_rfc3339(), balance: number::money(point.balance), equity: number::money(point.equity) }
    }
}

/// A place that holds money in the brand's books.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Book {
    /// What the account owns: its closed balance.
    Cash,
    /// Deposits and withdrawals.
    External,
    /// The venue, which pays profits and takes losses.
    Venue,
    /// Commission and fees taken.
    Fees,
    /// The brand's own: credits given and corrections made.
    House,
}

/// What stands in one book for an account.
#[derive(Object)]
struct BookBalance {
    /// Which.
    book: Book,
    /// How much: credits less debits. All books of an account sum to nothing.
    balance: String,
}

/// An account's books.
#[derive(Object)]
struct Balances {
    /// The currency of all of them.
    currency: String,
    /// Every book that was ever used.
    items: Vec<BookBalance>,
}

/// How far a rule's limit is.
#[derive(Object)]
pub(super) struct Distance {
    /// The rule's name.
    rule: String,
    /// The equity at which it breaches.
    floor: String,
    /// Equity less the floor.
    left: String,
    /// When the rule's next day begins.
    #[oai(skip_serializing_if_is_none)]
    resets_at: Option<String>,
}

impl From<&shard::Distance> for Distance {
    fn from(distance: &shard::Distance) -> Self {
        Self {
            rule: distance.rule.clone(),
            floor: number::money(distance.floor),
            left: number::money(distance.left),
            resets_at: distance.resets_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// What the numbers of a goal count.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Unit {
    /// The account's currency.
    Money,
    /// Hundredths of a whole.
    Percent,
    /// Trading days.
    Days,
}

/// A goal of the account's program. It never fails an account.
#[derive(Object)]
struct Objective {
    /// Its name, such as `profit-target`.
    name: String,
    /// Where it stands, in words.
    summary: String,
    /// What the numbers count.
    unit: Unit,
    /// Where it stands.
    have: String,
    /// What is wanted.
    want: String,
    /// Whether it is met.
    reached: bool,
}

impl From<&port::Objective> for Objective {
    fn from(goal: &port::Objective) -> Self {
        let number = |units| Money::from_units(units).to_text(0);
        Self {
            name: goal.name.clone(),
            summary: goal.summary.clone(),
            unit: match goal.unit {
                port::Unit::Money => Unit::Money,
                port::Unit::Percent => Unit::Percent,
                port::Unit::Days => Unit::Days,
            },
            have: number(goal.have),
            want: number(goal.want),
            reached: goal.reached,
        }
    }
}

/// What stands in the way of a larger order.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct Bound {
    /// The rule, when it is one.
    rule: Option<String>,
    /// A stable code, such as `rule_refused`, `margin_too_small` or `rule_shrinks`.
    code: String,
    /// Why, in words.
    detail: String,
}

/// The largest next order.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct LargestOrder {
    /// The instrument's symbol.
    instrument: String,
    /// Which way.
    side: Side,
    /// The most lots that would be approved now; 0 when none would.
    lots: String,
    /// What stands in the way of a larger one; absent when nothing but the instrument's own limit does.
    bound_by: Option<Bound>,
}

impl LargestOrder {
    fn of(found: &shard::LargestOrder, instrument: String, side: Side) -> Self {
        let denied = found.bound_by.as_ref().map(|denial| Bound {
            rule: match denial {
                Denial::RuleRefused { rule, .. } | Denial::RuleFailed { rule } => Some(rule.clone()),
                _ => None,
            },
            code: denial.code().to_owned(),
            detail: denial.to_string(),
        });
        let shrunk = found.shrunk_by.as_ref().map(|rule| Bound {
            rule: Some(rule.clone()),
            code: "rule_shrinks".to_owned(),
            detail: format!("{rule} shrinks larger orders to this size."),
        });
        Self { instrument, side, lots: found.lots.to_string(), bound_by: shrunk.or(denied) }
    }
}

/// How far the limits and goals of an account are.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct Distances {
    /// By rule, nearest first: the first is the one that binds. Empty while the desk recovers.
    items: Vec<Distance>,
    /// The goals of the account's program, in the order of its rules.
    objectives: Vec<Objective>,
    /// The largest next order, when an instrument was asked for.
    largest_order: Option<LargestOrder>,
}

/// What the largest next order is asked for.
struct Next {
    instrument: Instrument,
    side: Side,
    stop_loss: Option<Price>,
}

impl Next {
    fn read(
        caller: &Caller,
        symbol: Option<String>,
        side: Option<Side>,
        stop_loss: Option<String>,
    ) -> Result<Option<Self>, Problem> {
        let wrong = |name: &str, what: &str| {
            Problem::new(ProblemCode::Invalid, "Correct the parameters that `errors` names.").field(name, what)
        };
        let Some(symbol) = symbol else {
            let alone = side.is_some() || stop_loss.is_some();
            return if alone { Err(wrong("instrument", "say which instrument")) } else { Ok(None) };
        };
        let known = requests::tradable(caller.floor()).into_iter().find(|i| i.symbol == symbol);
        let instrument =
            known.ok_or_else(|| wrong("instrument", "is not offered here; choose one from the list of instruments"))?;
        let stop_loss = match stop_loss.map(|text| text.parse::<Price>()) {
            None => None,
            Some(Ok(price)) if price > Price::ZERO => Some(price),
            Some(_) => return Err(wrong("stop_loss", "must be a price above zero")),
        };
        Ok(Some(Self { instrument, side: side.unwrap_or(Side::Buy), stop_loss }))
    }
}

#[OpenApi(tag = "Tag::Accounts")]
impl Books {
    /// The equity curve
    ///
    /// What the account was worth over time, newest first.
    #[oai(path = "/accounts/:account/equity", method = "get", operation_id = "list_equity")]
    async fn list_equity(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Points of a page.
        limit: Query<Option<Limit<1_000>>>,
    ) -> Result<Listed<EquityPoint>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadAccounts)?, &account.0).await?.terms.id;
        let list = List::new(caller.db().tenant(), format!("/accounts/{id}/equity"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        Ok(list.answer(page, caller.db().equity(Whose::Account(id), id, page).await?, EquityPoint::from))
    }

    /// Ledger balances
    ///
    /// What stands in each book of the double-entry ledger for this account.
    #[oai(path = "/accounts/:account/balances", method = "get", operation_id = "list_balances")]
    async fn list_balances(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
    ) -> Result<Json<Balances>, Refused> {
        let terms = caller.account(caller.who.may(Operation::ReadAccounts)?, &account.0).await?.terms;
        let books = caller.db().balances(Whose::Account(terms.id), terms.id).await?;
        let items = books.into_iter().map(|(book, balance)| BookBalance {
            book: match book {
                ledger::Book::Cash => Book::Cash,
                ledger::Book::External => Book::External,
                ledger::Book::Venue => Book::Venue,
                ledger::Book::Fees => Book::Fees,
                ledger::Book::House => Book::House,
            },
            balance: number::money(balance),
        });
        Ok(Json(Balances { currency: terms.currency.to_string(), items: items.collect() }))
    }

    /// Distance to breach
    ///
    /// How much the account may lose before each of its rules stops it, how far its goals are, and for an instrument the
    /// largest order that its limits and rules would approve now.
    #[oai(path = "/accounts/:account/distances", method = "get", operation_id = "list_distances")]
    async fn list_distances(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// A symbol, such as `EURUSD`: the answer has the largest next order in it.
        instrument: Query<Option<String>>,
        /// Which way that order goes; `buy` when left out.
        side: Query<Option<Side>>,
        /// The price of its stop-loss: rules that size by risk need one.
        stop_loss: Query<Option<String>>,
    ) -> Result<Json<Distances>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadAccounts)?, &account.0).await?.terms.id;
        let next = Next::read(&caller, instrument.0, side.0, stop_loss.0)?;
        let desk = caller.desk().await?;
        let largest_order = match next {
            None => None,
            Some(Next { instrument, side, stop_loss }) => {
                let way = side.into();
                let found = desk.look(move |shard| shard.largest_order(id, instrument.id, way, stop_loss)).await;
                found.map_err(Problem::from)?.map(|found| LargestOrder::of(&found, instrument.symbol.clone(), side))
            }
        };
        let view = desk.view();
        let now = view.accounts.get(&id);
        let items = now.into_iter().flat_map(|now| &now.distances).map(Distance::from).collect();
        let objectives = now.into_iter().flat_map(|now| &now.objectives).map(Objective::from).collect();
        Ok(Json(Distances { items, objectives, largest_order }))
    }
}
