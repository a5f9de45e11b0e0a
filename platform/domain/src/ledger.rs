//! Double entry. Money moves only as a set of postings that sums to nothing; balances are sums.

use crate::{
    fixed::Money,
    id::{AccountId, TransactionId},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// A place that holds money in the tenant's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Book {
    /// What the account owns. Its sum is the account's closed balance.
    Cash,
    /// Money from and to the outside: deposits and withdrawals.
    External,
    /// The venue, which pays profits and takes losses.
    Venue,
    /// Commission and fees taken.
    Fees,
}

impl Book {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::External => "external",
            Self::Venue => "venue",
            Self::Fees => "fees",
        }
    }
}

/// One line of a transaction: positive is credited to the book, negative debited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Where.
    pub book: Book,
    /// How much.
    pub amount: Money,
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionKind {
    /// The account was funded.
    Deposit,
    /// A position was closed.
    Profit,
    /// A trade was charged for.
    Commission,
}

impl TransactionKind {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Profit => "profit",
            Self::Commission => "commission",
        }
    }
}

/// A balanced movement of money for one account. It can only be made by [`Transaction::transfer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    id: TransactionId,
    account: AccountId,
    at: Millis,
    kind: TransactionKind,
    reference: i64,
    postings: [Posting; 2],
}

impl Transaction {
    /// Moves `amount` into the account's cash from `other` (out of it when negative). `reference` is the
    /// id of what caused it: an order, or zero.
    #[must_use]
    pub const fn transfer(
        id: TransactionId,
        account: AccountId,
        at: Millis,
        kind: TransactionKind,
        reference: i64,
        other: Book,
        amount: Money,
    ) -> Self {
        let postings = [Posting { book: Book::Cash, amount }, Posting { book: other, amount: amount.negated() }];
        Self { id, account, at, kind, reference, postings }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// Whose books.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> Millis {
        self.at
    }

    /// Why.
    #[must_use]
    pub const fn kind(&self) -> TransactionKind {
        self.kind
    }

    /// The id of the order that caused it, or zero.
    #[must_use]
    pub const fn reference(&self) -> i64 {
        self.reference
    }

    /// The lines; their amounts sum to nothing.
    #[must_use]
    pub const fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// What it adds to the account's cash.
    #[must_use]
    pub fn cash(&self) -> Money {
        self.postings.iter().filter(|p| p.book == Book::Cash).fold(Money::ZERO, |sum, p| sum.saturating_add(p.amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_transaction_balances(amount in (i64::MIN + 1)..i64::MAX) {
            let amount = Money::from_units(amount);
            let moved = Transaction::transfer(TransactionId(1), AccountId(1), Millis(0), TransactionKind::Profit, 0, Book::Venue, amount);
            let sum: i128 = moved.postings().iter().map(|p| i128::from(p.amount.units())).sum();
            prop_assert_eq!(sum, 0);
            prop_assert_eq!(moved.cash(), amount);
        }
    }
}
