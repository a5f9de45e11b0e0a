//! An account's money over time, its books, and how far its limits are.

use super::{
    Tag,
    caller::Caller,
    number,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
};
use crate::identity::Operation;
use marque_domain::{account, ledger};
use marque_engine::shard;
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

/// How far the limits of an account are.
#[derive(Object)]
struct Distances {
    /// By rule, nearest first: the first is the one that binds. Empty while the desk recovers.
    items: Vec<Distance>,
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
    /// How much the account may lose before each of its rules fails it.
    #[oai(path = "/accounts/:account/distances", method = "get", operation_id = "list_distances")]
    async fn list_distances(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
    ) -> Result<Json<Distances>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadAccounts)?, &account.0).await?.terms.id;
        let view = caller.desk().await?.view();
        let items = view.accounts.get(&id).into_iter().flat_map(|now| &now.distances).map(Distance::from).collect();
        Ok(Json(Distances { items }))
    }
}
