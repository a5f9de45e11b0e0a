//! Double entry. Money moves only as a set of postings that sums to nothing; balances are sums.
//!
//! Owns: what a transaction is, which movements a person may ask for ([`movement`]), and the check that books add up
//! ([`reconcile`]). Refuses to know: who asks, and where books are kept.

pub mod movement;
pub mod reconcile;

use crate::{
    fixed::Money,
    id::{AccountId, TransactionId},
    time::Millis,
};
use movement::Memo;
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
    /// The brand's own: credits given and corrections made.
    House,
}

impl Book {
    /// Every book.
    pub const ALL: [Self; 5] = [Self::Cash, Self::External, Self::Venue, Self::Fees, Self::House];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::External => "external",
            Self::Venue => "venue",
            Self::Fees => "fees",
            Self::House => "house",
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
    /// Money was taken out.
    Withdrawal,
    /// The brand charged something that is not a trade.
    Fee,
    /// The brand gave a credit or corrected something, in either direction.
    Adjustment,
    /// A share of the profit was paid out.
    Payout,
    /// A position was held over the rollover.
    Swap,
}

impl TransactionKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Deposit,
        Self::Profit,
        Self::Commission,
        Self::Withdrawal,
        Self::Fee,
        Self::Adjustment,
        Self::Payout,
        Self::Swap,
    ];

    /// Whether money comes from or goes to the owner's own pocket: such movements are neither earned nor lost.
    #[must_use]
    pub const fn is_funding(self) -> bool {
        matches!(self, Self::Deposit | Self::Withdrawal | Self::Payout | Self::Adjustment)
    }

    /// Whether this kind may leave a negative balance behind. A loss may, when a price gaps; what a person asks for never.
    #[must_use]
    pub const fn may_overdraw(self) -> bool {
        matches!(self, Self::Profit | Self::Commission | Self::Swap)
    }

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Profit => "profit",
            Self::Commission => "commission",
            Self::Withdrawal => "withdrawal",
            Self::Fee => "fee",
            Self::Adjustment => "adjustment",
            Self::Payout => "payout",
            Self::Swap => "swap",
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
    memo: Option<Memo>,
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
        Self { id, account, at, kind, reference, postings, memo: None }
    }

    /// With what a person wrote to it.
    #[must_use]
    pub fn with_memo(self, memo: Option<Memo>) -> Self {
        Self { memo, ..self }
    }

    /// What a person wrote to it, when one asked for it.
    #[must_use]
    pub const fn memo(&self) -> Option<&Memo> {
        self.memo.as_ref()
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

    /// The id of the order that caused it (of the position for a swap), or zero.
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
