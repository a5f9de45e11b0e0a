//! Whether books add up: the one check that start-up, `marque ledger verify`, tests and simulations share.
//!
//! It derives everything anew from single postings and believes no sum that anybody else made.

use super::{Book, Transaction, TransactionKind};
use crate::{
    fixed::Money,
    id::{AccountId, TransactionId},
    instrument::Currency,
};
use core::fmt;
use std::collections::BTreeMap;

/// Faults that are listed; more are counted.
pub const FAULTS_MAX: usize = 100;

/// One posting with what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The transaction.
    pub transaction: TransactionId,
    /// Whose books.
    pub account: AccountId,
    /// Why money moved.
    pub kind: TransactionKind,
    /// Where.
    pub book: Book,
    /// How much.
    pub amount: Money,
}

/// An account as somebody claims it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub account: AccountId,
    /// The currency of its money.
    pub currency: Currency,
    /// Its closed balance.
    pub balance: Money,
}

/// What is wrong with the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFault {
    /// A transaction's postings do not sum to nothing.
    Unbalanced {
        /// Which.
        transaction: TransactionId,
        /// What they sum to.
        sum: Money,
    },
    /// The lines of a transaction belong to several accounts, or a movement moves nothing out of or into cash.
    Crooked {
        /// Which.
        transaction: TransactionId,
    },
    /// Somebody took out more than there was.
    Overdrawn {
        /// By which transaction.
        transaction: TransactionId,
        /// From which account.
        account: AccountId,
        /// What it left.
        balance: Money,
    },
    /// All books of a currency together are not nothing.
    Uneven {
        /// Which.
        currency: Currency,
        /// What they sum to.
        sum: Money,
    },
    /// An account's balance is not the sum of its cash.
    BalanceMismatch {
        /// Which.
        account: AccountId,
        /// The balance it shows.
        balance: Money,
        /// The sum of its cash postings.
        cash: Money,
    },
    /// There are postings of an account that is not there.
    NoSuchAccount {
        /// Which.
        account: AccountId,
        /// The sum of its cash postings.
        cash: Money,
    },
}

impl fmt::Display for LedgerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbalanced { transaction, sum } => {
                write!(f, "transaction {transaction} does not balance: its postings sum to {sum}")
            }
            Self::Crooked { transaction } => {
                write!(f, "transaction {transaction} is of several accounts or moves no cash")
            }
            Self::Overdrawn { transaction, account, balance } => {
                write!(f, "transaction {transaction} took more than account {account} had: it left {balance}")
            }
            Self::Uneven { currency, sum } => write!(f, "all books in {currency} sum to {sum} and not to nothing"),
            Self::BalanceMismatch { account, balance, cash } => {
                write!(f, "account {account} shows {balance} and its postings sum to {cash}")
            }
            Self::NoSuchAccount { account, cash } => {
                write!(f, "there are postings of {cash} for account {account}, which is not there")
            }
        }
    }
}

/// The outcome of adding up books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerAudit {
    /// How many transactions there are.
    pub transactions: u64,
    /// How many accounts were compared with their cash.
    pub accounts: u64,
    /// What is wrong, up to [`FAULTS_MAX`]; empty when debits equal credits and balances equal cash.
    pub faults: Vec<LedgerFault>,
    /// How many things are wrong.
    pub faults_total: u64,
    /// What each account has by its postings.
    pub cash: BTreeMap<AccountId, Money>,
}

impl LedgerAudit {
    /// Compares other balances with the same postings: those that a shard remembers.
    #[must_use]
    pub fn against(&self, balances: impl IntoIterator<Item = (AccountId, Money)>) -> Vec<LedgerFault> {
        let mut left = self.cash.clone();
        let mut faults: Vec<LedgerFault> = balances
            .into_iter()
            .filter_map(|(account, balance)| {
                let cash = left.remove(&account).unwrap_or(Money::ZERO);
                (cash != balance).then_some(LedgerFault::BalanceMismatch { account, balance, cash })
            })
            .collect();
        faults.extend(left.into_iter().map(|(account, cash)| LedgerFault::NoSuchAccount { account, cash }));
        faults.truncate(FAULTS_MAX);
        faults
    }
}

/// A transaction whose lines are still coming.
#[derive(Debug)]
struct Open {
    first: Line,
    sum: i128,
    cash: i128,
    moves_cash: bool,
    one_account: bool,
}

/// Adds books up, line by line. Lines come in the order of their transactions.
#[derive(Debug, Default)]
pub struct Reconciliation {
    open: Option<Open>,
    cash: BTreeMap<AccountId, i128>,
    all: BTreeMap<AccountId, i128>,
    audit: LedgerAudit,
}

/// A sum as money, held at the limits: a fault is shown, not computed with.
fn shown(sum: i128) -> Money {
    Money::from_units(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

impl Reconciliation {
    /// Takes the next line.
    pub fn take(&mut self, line: &Line) {
        if self.open.as_ref().is_some_and(|open| open.first.transaction != line.transaction) {
            self.close();
        }
        let open =
            self.open.get_or_insert(Open { first: *line, sum: 0, cash: 0, moves_cash: false, one_account: true });
        let amount = i128::from(line.amount.units());
        open.sum += amount;
        open.one_account &= open.first.account == line.account;
        *self.all.entry(line.account).or_default() += amount;
        if line.book == Book::Cash {
            open.cash += amount;
            open.moves_cash = true;
            *self.cash.entry(line.account).or_default() += amount;
        }
    }

    /// Takes the lines of a transaction.
    pub fn take_transaction(&mut self, moved: &Transaction) {
        for posting in moved.postings() {
            let (transaction, account, kind) = (moved.id(), moved.account(), moved.kind());
            self.take(&Line { transaction, account, kind, book: posting.book, amount: posting.amount });
        }
    }

    /// Takes a transaction that has no lines at all.
    pub fn take_empty(&mut self, transaction: TransactionId) {
        self.close();
        self.audit.transactions += 1;
        self.fault(LedgerFault::Crooked { transaction });
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let (transaction, account) = (open.first.transaction, open.first.account);
        self.audit.transactions += 1;
        if open.sum != 0 {
            self.fault(LedgerFault::Unbalanced { transaction, sum: shown(open.sum) });
        }
        if !open.one_account || !open.moves_cash {
            self.fault(LedgerFault::Crooked { transaction });
        }
        let balance = self.cash.get(&account).copied().unwrap_or_default();
        if open.cash < 0 && balance < 0 && !open.first.kind.may_overdraw() {
            self.fault(LedgerFault::Overdrawn { transaction, account, balance: shown(balance) });
        }
    }

    fn fault(&mut self, fault: LedgerFault) {
        self.audit.faults_total += 1;
        if self.audit.faults.len() < FAULTS_MAX {
            self.audit.faults.push(fault);
        }
    }

    /// Compares what was added up with what accounts claim to have.
    #[must_use]
    pub fn finish(mut self, claims: impl IntoIterator<Item = Claim>) -> LedgerAudit {
        self.close();
        let mut cash = core::mem::take(&mut self.cash);
        let mut by_currency: BTreeMap<Currency, i128> = BTreeMap::new();
        self.audit.cash = cash.iter().map(|(account, sum)| (*account, shown(*sum))).collect();
        for claim in claims {
            self.audit.accounts += 1;
            let booked = cash.remove(&claim.account).unwrap_or_default();
            *by_currency.entry(claim.currency).or_default() +=
                self.all.get(&claim.account).copied().unwrap_or_default();
            if booked != i128::from(claim.balance.units()) {
                let (account, balance, cash) = (claim.account, claim.balance, shown(booked));
                self.fault(LedgerFault::BalanceMismatch { account, balance, cash });
            }
        }
        for (currency, sum) in by_currency {
            if sum != 0 {
                self.fault(LedgerFault::Uneven { currency, sum: shown(sum) });
            }
        }
        for (account, sum) in cash {
            self.fault(LedgerFault::NoSuchAccount { account, cash: shown(sum) });
        }
        self.audit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;
    use proptest::{collection::vec, prelude::*, sample::select};

    fn line(transaction: i64, account: i64, kind: TransactionKind, book: Book, amount: i64) -> Line {
        let (transaction, account) = (TransactionId(transaction), AccountId(account));
        Line { transaction, account, kind, book, amount: Money::whole(amount) }
    }

    fn claim(account: i64, balance: i64) -> Claim {
        Claim { account: AccountId(account), currency: Currency::USD, balance: Money::whole(balance) }
    }

    fn audit(lines: &[Line], claims: &[Claim]) -> LedgerAudit {
        let mut sum = Reconciliation::default();
        lines.iter().for_each(|line| sum.take(line));
        sum.finish(claims.iter().copied())
    }

    #[test]
    fn each_fault_is_named() {
        use Book::{Cash, External, Fees, Venue};
        use TransactionKind::{Deposit, Fee, Profit, Withdrawal};
        let funded = [line(1, 1, Deposit, Cash, 100), line(1, 1, Deposit, External, -100)];
        let and = |more: &[Line]| [&funded[..], more].concat();
        let (transaction, account) = (TransactionId(2), AccountId(1));
        let whole = Money::whole;
        for (what, lines, balance, want) in [
            ("whole", and(&[]), 100, vec![]),
            (
                "a loss may overdraw",
                and(&[line(2, 1, Profit, Cash, -130), line(2, 1, Profit, Venue, 130)]),
                -30,
                vec![],
            ),
            (
                "a withdrawal may not",
                and(&[line(2, 1, Withdrawal, Cash, -130), line(2, 1, Withdrawal, External, 130)]),
                -30,
                vec![LedgerFault::Overdrawn { transaction, account, balance: whole(-30) }],
            ),
            (
                "one side only",
                and(&[line(2, 1, Fee, Cash, -10)]),
                90,
                vec![
                    LedgerFault::Unbalanced { transaction, sum: whole(-10) },
                    LedgerFault::Uneven { currency: Currency::USD, sum: whole(-10) },
                ],
            ),
            (
                "no cash",
                and(&[line(2, 1, Fee, Fees, -10), line(2, 1, Fee, External, 10)]),
                100,
                vec![LedgerFault::Crooked { transaction }],
            ),
            (
                "a balance of its own",
                and(&[]),
                101,
                vec![LedgerFault::BalanceMismatch { account, balance: whole(101), cash: whole(100) }],
            ),
            (
                "nobody's",
                and(&[line(2, 9, Deposit, Cash, 5), line(2, 9, Deposit, External, -5)]),
                100,
                vec![LedgerFault::NoSuchAccount { account: AccountId(9), cash: whole(5) }],
            ),
        ] {
            let audit = audit(&lines, &[claim(1, balance)]);
            assert_eq!(audit.faults, want, "{what}");
            assert_eq!(audit.faults_total, want.len() as u64, "{what}");
        }
    }

    #[test]
    fn a_shards_balances_are_compared_too() {
        let lines = [
            line(1, 1, TransactionKind::Deposit, Book::Cash, 100),
            line(1, 1, TransactionKind::Deposit, Book::External, -100),
        ];
        let audit = audit(&lines, &[claim(1, 100)]);
        assert_eq!(audit.against([(AccountId(1), Money::whole(100)), (AccountId(2), Money::ZERO)]), []);
        let off = audit.against([(AccountId(1), Money::whole(99))]);
        assert_eq!(
            off,
            [LedgerFault::BalanceMismatch {
                account: AccountId(1),
                balance: Money::whole(99),
                cash: Money::whole(100)
            }]
        );
        let gone = audit.against([]);
        assert_eq!(gone, [LedgerFault::NoSuchAccount { account: AccountId(1), cash: Money::whole(100) }]);
    }

    #[test]
    fn a_flood_of_faults_is_counted_and_cut() {
        let lines: Vec<Line> = (1..=500).map(|id| line(id, 1, TransactionKind::Fee, Book::Cash, 1)).collect();
        let audit = audit(&lines, &[claim(1, 500)]);
        assert_eq!((audit.faults.len(), audit.faults_total), (FAULTS_MAX, 501));
    }

    proptest! {
        /// Whatever is moved by transfers adds up, and one unit anywhere is found.
        #[test]
        fn one_unit_is_found(moves in vec((1_i64..5, select(Book::ALL[1..].to_vec()), -1_000_000_i64..1_000_000), 1..40), spoil in any::<prop::sample::Index>()) {
            let mut balances: BTreeMap<i64, i64> = BTreeMap::new();
            let moved: Vec<Transaction> = (1..).zip(&moves).map(|(id, (account, book, amount))| {
                *balances.entry(*account).or_default() += amount;
                let (account, amount) = (AccountId(*account), Money::from_units(*amount));
                Transaction::transfer(TransactionId(id), account, Millis(0), TransactionKind::Profit, 0, *book, amount)
            }).collect();
            let claims = |off: Option<i64>| balances.iter().map(move |(id, b)| Claim {
                account: AccountId(*id), currency: Currency::USD, balance: Money::from_units(b + i64::from(off == Some(*id))),
            }).collect::<Vec<_>>();
            let sum = |claims: Vec<Claim>| {
                let mut sum = Reconciliation::default();
                moved.iter().for_each(|t| sum.take_transaction(t));
                sum.finish(claims)
            };
            prop_assert_eq!(sum(claims(None)).faults, vec![]);
            let victim = moves[spoil.index(moves.len())].0;
            prop_assert_eq!(sum(claims(Some(victim))).faults.len(), 1);
        }
    }
}
