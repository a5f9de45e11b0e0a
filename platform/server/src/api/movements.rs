//! An account's statement, and money that people of the brand move into and out of accounts.

use super::{
    Tag,
    caller::{Caller, invalid},
    idempotency::once,
    number,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    text::{Decimal, Text},
};
use crate::{identity::Operation, trading::movements};
use marque_domain::ledger::{
    self, TransactionKind,
    movement::{self, Memo},
};
use marque_store::{StatementLine, Whose};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};

pub(super) struct Movements;

/// Why money moved.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "TransactionKind")]
enum Kind {
    /// The account was funded.
    Deposit,
    /// A position was closed.
    Profit,
    /// A trade was charged for.
    Commission,
    /// Money was taken out.
    Withdrawal,
    /// The brand charged something that is not a trade.
    Fee,
    /// The brand gave a credit or corrected something.
    Adjustment,
    /// A share of the profit was paid out.
    Payout,
    /// A position was held over the rollover.
    Swap,
}

impl From<TransactionKind> for Kind {
    fn from(kind: TransactionKind) -> Self {
        match kind {
            TransactionKind::Deposit => Self::Deposit,
            TransactionKind::Profit => Self::Profit,
            TransactionKind::Commission => Self::Commission,
            TransactionKind::Withdrawal => Self::Withdrawal,
            TransactionKind::Fee => Self::Fee,
            TransactionKind::Adjustment => Self::Adjustment,
            TransactionKind::Payout => Self::Payout,
            TransactionKind::Swap => Self::Swap,
        }
    }
}

/// Money that moved: a line of an account's statement.
#[derive(Object)]
#[oai(rename = "Transaction", skip_serializing_if_is_none)]
struct Line {
    /// Its id.
    id: String,
    /// Whose.
    account: String,
    /// When, in market time.
    at: String,
    /// Why.
    kind: Kind,
    /// What it added to the account's cash; below zero when it took.
    amount: String,
    /// The account's closed balance after it.
    balance: String,
    /// The book on the other side.
    book: String,
    /// What whoever asked for it called it.
    reference: Option<String>,
    /// What they wrote to it.
    note: Option<String>,
}

impl From<StatementLine> for Line {
    fn from(StatementLine { moved, balance }: StatementLine) -> Self {
        let other = moved.postings().iter().map(|posting| posting.book).find(|book| *book != ledger::Book::Cash);
        Self {
            id: moved.id().to_string(),
            account: moved.account().to_string(),
            at: moved.at().to_rfc3339(),
            kind: moved.kind().into(),
            amount: number::money(moved.cash()),
            balance: number::money(balance),
            book: other.map_or("cash", ledger::Book::name).to_owned(),
            reference: moved.memo().map(|memo| memo.reference.clone()),
            note: moved.memo().map(|memo| memo.note.clone()).filter(|note| !note.is_empty()),
        }
    }
}

/// What can be asked for.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum MovementKind {
    /// Money comes in.
    Deposit,
    /// Money goes out.
    Withdrawal,
    /// The brand charges for something that is not a trade.
    Fee,
    /// The brand gives (above zero) or takes back (below zero).
    Adjustment,
    /// A share of the profit goes out.
    Payout,
}

impl From<MovementKind> for movement::MovementKind {
    fn from(kind: MovementKind) -> Self {
        match kind {
            MovementKind::Deposit => Self::Deposit,
            MovementKind::Withdrawal => Self::Withdrawal,
            MovementKind::Fee => Self::Fee,
            MovementKind::Adjustment => Self::Adjustment,
            MovementKind::Payout => Self::Payout,
        }
    }
}

/// Money that somebody wants to move.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct NewMovement {
    /// What it is.
    kind: MovementKind,
    /// How much, in whole hundredths. Above zero; only an adjustment may be below.
    amount: Decimal,
    /// Your own name for it, 1 to 64 visible characters without spaces. An account takes each reference once: sent again
    /// with the same kind and amount, nothing is done twice.
    reference: Text,
    /// Why, for the statement: at most 200 characters.
    #[oai(skip_serializing_if_is_none)]
    note: Option<Text>,
}

impl Example for NewMovement {
    fn example() -> Self {
        Self {
            kind: MovementKind::Deposit,
            amount: "250.00".into(),
            reference: "wire-2014-05-02-17".into(),
            note: Some("By wire".into()),
        }
    }
}

impl NewMovement {
    fn movement(self) -> Result<movement::Movement, Refused> {
        let movement = movement::Movement {
            kind: self.kind.into(),
            amount: number::decimal("/amount", &self.amount.0)?,
            memo: Memo { reference: self.reference.0, note: self.note.map(|note| note.0).unwrap_or_default() },
        };
        let field = |denial: &movement::MovementDenial| match denial {
            movement::MovementDenial::Memo => "/reference",
            _ => "/amount",
        };
        movement.validate().map_err(|denial| invalid(field(&denial), denial.to_string()))?;
        Ok(movement)
    }
}

#[OpenApi(tag = "Tag::Accounts")]
impl Movements {
    /// Statement
    ///
    /// Everything that moved the account's balance, newest first, with what each line left.
    #[oai(path = "/accounts/:account/transactions", method = "get", operation_id = "list_transactions")]
    async fn list_transactions(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Line>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadAccounts)?, &account.0).await?.terms.id;
        let list = List::new(caller.db().tenant(), format!("/accounts/{id}/transactions"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        Ok(list.answer(page, caller.db().statement(Whose::Account(id), id, page).await?, Line::from))
    }

    /// Move money
    ///
    /// A deposit, withdrawal, fee, adjustment or payout on an account, by who runs the brand. Nothing leaves an account
    /// that is not in its balance or that its open positions need as margin; a payout is of profit, when nothing is open.
    /// In a browser it needs a proof of the last minutes; a program needs a token for `manage`.
    #[oai(path = "/accounts/:account/transactions", method = "post", operation_id = "move_money", transform = "once")]
    async fn move_money(
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
        wanted: Json<NewMovement>,
    ) -> Result<Json<Line>, Refused> {
        let id = caller.account(caller.who.may(Operation::MoveMoney)?, &account.0).await?.terms.id;
        let movement = wanted.0.movement()?;
        caller.who.recently_proved_in_browser(caller.app.0.clock.now())?;
        let made = movements::make(caller.asked(), caller.db(), id, movement).await?;
        Ok(Json(made.into()))
    }
}
