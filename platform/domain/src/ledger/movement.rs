//! Movements of money that a person asks for, and what is allowed of them.
//!
//! Profits, commission and swaps are no movements: they follow from trading and are never asked for.

use super::{Book, TransactionKind};
use crate::fixed::{Money, SCALE};
use serde::{Deserialize, Serialize};

/// The largest amount of one movement: a billion.
pub const AMOUNT_MAX: Money = Money::whole(1_000_000_000);
/// The smallest step of an amount: a hundredth.
pub const AMOUNT_STEP: Money = Money::from_units(SCALE / 100);
/// Characters of a reference at most.
pub const REFERENCE_CHARS_MAX: usize = 64;
/// Characters of a note at most.
pub const NOTE_CHARS_MAX: usize = 200;
/// Movements that an account takes in its life.
pub const MOVEMENTS_MAX: usize = 10_000;

/// What a person may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MovementKind {
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

impl MovementKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Deposit, Self::Withdrawal, Self::Fee, Self::Adjustment, Self::Payout];

    /// What it is in the ledger.
    #[must_use]
    pub const fn transaction(self) -> TransactionKind {
        match self {
            Self::Deposit => TransactionKind::Deposit,
            Self::Withdrawal => TransactionKind::Withdrawal,
            Self::Fee => TransactionKind::Fee,
            Self::Adjustment => TransactionKind::Adjustment,
            Self::Payout => TransactionKind::Payout,
        }
    }

    /// The book on its other side.
    #[must_use]
    pub const fn other_book(self) -> Book {
        match self {
            Self::Deposit | Self::Withdrawal | Self::Payout => Book::External,
            Self::Fee => Book::Fees,
            Self::Adjustment => Book::House,
        }
    }

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.transaction().name()
    }
}

/// What a person wrote to a movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// Their own name for it. An account takes each reference once.
    pub reference: String,
    /// Why; may be empty.
    pub note: String,
}

/// A movement that a person asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// What it is.
    pub kind: MovementKind,
    /// How much. Above zero; only an adjustment may be below.
    pub amount: Money,
    /// What they wrote to it.
    pub memo: Memo,
}

/// What an account has when a movement is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funds {
    /// Closed balance.
    pub balance: Money,
    /// Equity less the margin that positions bind.
    pub free: Money,
}

impl Funds {
    /// What may leave the account: no more than its balance, so that a profit which is not taken yet stays, and no more
    /// than is free, so that open positions keep their margin.
    #[must_use]
    pub fn available(self) -> Money {
        self.balance.min(self.free).max(Money::ZERO)
    }
}

/// Why a movement was not made, with the numbers that decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MovementDenial {
    /// The amount is zero, of the wrong sign, too large or too fine.
    #[error("a {} needs an amount in whole hundredths, above zero and at most {AMOUNT_MAX:.2}; {amount} is not", kind.name())]
    Amount {
        /// What was asked for.
        kind: MovementKind,
        /// How much.
        amount: Money,
    },
    /// The reference or the note cannot be kept.
    #[error(
        "write a reference of 1 to {REFERENCE_CHARS_MAX} visible characters without spaces, and a note of at most {NOTE_CHARS_MAX} characters"
    )]
    Memo,
    /// The account does not have it.
    #[error(
        "{asked:.2} is more than the {available:.2} that may leave this account: its balance is {balance:.2}, and {free:.2} is free of margin. Ask for less, or close a position"
    )]
    NotAvailable {
        /// How much was asked for.
        asked: Money,
        /// How much may leave.
        available: Money,
        /// Closed balance.
        balance: Money,
        /// Equity less margin.
        free: Money,
    },
    /// The reference names another movement of this account.
    #[error(
        "the reference {reference} already names a {} of {amount:.2} on this account. Choose another reference for another movement", kind.name()
    )]
    ReferenceTaken {
        /// Which.
        reference: String,
        /// What it names.
        kind: TransactionKind,
        /// How much that moved.
        amount: Money,
    },
    /// The fate of an order is not known, so neither is what is free.
    #[error(
        "the fate of an order is being checked with the venue; money leaves this account once that is known. Try again in a moment"
    )]
    Uncertain,
    /// The account took as many as it takes.
    #[error(
        "an account takes {MOVEMENTS_MAX} movements in its life, and this one has taken them. Open another account"
    )]
    TooMany,
    /// A payout while something is open: what the profit is, is not settled.
    #[error("a payout is of profit that is taken, and this account has open positions. Close them first")]
    PositionsOpen,
    /// A payout of more than the profit.
    #[error(
        "{asked:.2} is more than the profit of this account, which is {profit:.2}. Ask for less, or for a withdrawal"
    )]
    AboveProfit {
        /// How much was asked for.
        asked: Money,
        /// Balance less what the account was given.
        profit: Money,
    },
    /// A rule of the account would fail it at once.
    #[error(
        "this would leave an equity of {equity:.2}, and {rule} ends this account at {floor:.2}, which does not move with what leaves. Ask for less"
    )]
    BelowFloor {
        /// Which rule.
        rule: String,
        /// Its floor, as it would be then.
        floor: Money,
        /// What the account would be worth.
        equity: Money,
    },
    /// A rule could not say whether the account lives on after it; rules fail closed.
    #[error(
        "the rule {rule} could not be asked whether this account lives on after it, and money leaves only when every rule was. Try again in a minute"
    )]
    RuleFailed {
        /// Which rule.
        rule: String,
    },
    /// The balance would not fit.
    #[error("the balance would be larger than can be kept: the limit is about 92 billion")]
    TooLarge,
}

impl MovementDenial {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Amount { .. } => "amount_not_allowed",
            Self::Memo => "memo_not_allowed",
            Self::NotAvailable { .. } => "not_available",
            Self::ReferenceTaken { .. } => "reference_taken",
            Self::Uncertain => "account_uncertain",
            Self::TooMany => "too_many_movements",
            Self::PositionsOpen => "positions_open",
            Self::AboveProfit { .. } => "above_profit",
            Self::BelowFloor { .. } => "below_floor",
            Self::RuleFailed { .. } => "rule_failed",
            Self::TooLarge => "number_too_large",
        }
    }
}

impl Movement {
    /// What it adds to the account's cash.
    #[must_use]
    pub const fn cash(&self) -> Money {
        match self.kind {
            MovementKind::Deposit | MovementKind::Adjustment => self.amount,
            MovementKind::Withdrawal | MovementKind::Fee | MovementKind::Payout => self.amount.negated(),
        }
    }

    /// Whether it can be asked for at all, whatever the account has.
    ///
    /// # Errors
    /// [`MovementDenial::Amount`] or [`MovementDenial::Memo`].
    pub fn validate(&self) -> Result<(), MovementDenial> {
        let Self { kind, amount, memo } = self;
        let signed = *kind == MovementKind::Adjustment;
        let good = !amount.is_zero()
            && (signed || *amount > Money::ZERO)
            && amount.abs() <= AMOUNT_MAX
            && amount.is_multiple_of(AMOUNT_STEP);
        if !good {
            return Err(MovementDenial::Amount { kind: *kind, amount: *amount });
        }
        let reference = !memo.reference.is_empty()
            && memo.reference.len() <= REFERENCE_CHARS_MAX
            && memo.reference.bytes().all(|b| b.is_ascii_graphic());
        let note = memo.note.chars().count() <= NOTE_CHARS_MAX && !memo.note.chars().any(char::is_control);
        if reference && note { Ok(()) } else { Err(MovementDenial::Memo) }
    }

    /// Whether an account with these funds may make it.
    ///
    /// # Errors
    /// [`MovementDenial`] with the numbers that decided.
    pub fn permit(&self, funds: Funds) -> Result<(), MovementDenial> {
        self.validate()?;
        let cash = self.cash();
        funds.balance.checked_add(cash).ok_or(MovementDenial::TooLarge)?;
        let available = funds.available();
        if cash < Money::ZERO && cash.abs() > available {
            let Funds { balance, free } = funds;
            return Err(MovementDenial::NotAvailable { asked: cash.abs(), available, balance, free });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::select};

    fn movement(kind: MovementKind, amount: &str) -> Movement {
        let memo = Memo { reference: "wire-1".to_owned(), note: String::new() };
        Movement { kind, amount: amount.parse().unwrap(), memo }
    }

    #[test]
    fn what_may_leave_an_account_is_this_table() {
        use MovementKind::{Adjustment, Deposit, Fee, Payout, Withdrawal};
        for (kind, amount, balance, free, want) in [
            (Deposit, "100", 0, 0, Ok(())),
            (Deposit, "100", -50, -50, Ok(())),
            (Withdrawal, "100", 100, 100, Ok(())),
            (Withdrawal, "100.01", 100, 100, Err("not_available")),
            // Half of it binds margin.
            (Withdrawal, "51", 100, 50, Err("not_available")),
            // A profit that is not taken yet does not leave.
            (Withdrawal, "101", 100, 300, Err("not_available")),
            (Payout, "100", 99, 200, Err("not_available")),
            (Fee, "1", 0, 0, Err("not_available")),
            (Fee, "1", 1, 1, Ok(())),
            (Adjustment, "-5", 4, 4, Err("not_available")),
            (Adjustment, "-5", 5, 5, Ok(())),
            (Adjustment, "5", -100, -100, Ok(())),
            (Withdrawal, "1", -5, -5, Err("not_available")),
            (Withdrawal, "-1", 100, 100, Err("amount_not_allowed")),
            (Deposit, "0", 100, 100, Err("amount_not_allowed")),
            (Deposit, "0.001", 100, 100, Err("amount_not_allowed")),
            (Deposit, "1000000000.01", 100, 100, Err("amount_not_allowed")),
        ] {
            let funds = Funds { balance: Money::whole(balance), free: Money::whole(free) };
            let answer = movement(kind, amount).permit(funds).map_err(|denial| denial.code());
            assert_eq!(answer, want, "{kind:?} {amount} of {balance}, {free} free");
        }
    }

    #[test]
    fn a_denial_has_the_numbers() {
        let funds = Funds { balance: Money::whole(100), free: Money::whole(40) };
        let denial = movement(MovementKind::Withdrawal, "41").permit(funds).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "41.00 is more than the 40.00 that may leave this account: its balance is 100.00, and 40.00 is free of margin. \
             Ask for less, or close a position"
        );
    }

    #[test]
    fn a_memo_is_kept_as_it_is_or_refused() {
        let with = |reference: &str, note: &str| {
            let memo = Memo { reference: reference.to_owned(), note: note.to_owned() };
            Movement { memo, ..movement(MovementKind::Deposit, "1") }.validate()
        };
        for (reference, note) in
            [("a", ""), ("wire-2014/05#7", "Überweisung vom 3. Mai"), (&"x".repeat(64), &"y".repeat(200))]
        {
            assert_eq!(with(reference, note), Ok(()), "{reference} {note}");
        }
        for (reference, note) in
            [("", ""), ("a b", ""), ("ä", ""), (&"x".repeat(65), ""), ("a", "line\nline"), ("a", &"y".repeat(201))]
        {
            assert_eq!(with(reference, note), Err(MovementDenial::Memo), "{reference} {note}");
        }
    }

    proptest! {
        /// No permitted movement that takes leaves a negative balance or less than nothing free.
        #[test]
        fn nothing_permitted_overdraws(
            kind in select(MovementKind::ALL.to_vec()), cents in -1_000_000_i64..1_000_000,
            balance in -1_000_000_i64..1_000_000, free in -1_000_000_i64..1_000_000,
        ) {
            let cent = |n: i64| Money::from_units(n * AMOUNT_STEP.units());
            let memo = Memo { reference: "r".to_owned(), note: String::new() };
            let asked = Movement { kind, amount: cent(cents), memo };
            let funds = Funds { balance: cent(balance), free: cent(free) };
            if asked.permit(funds).is_ok() && asked.cash() < Money::ZERO {
                prop_assert!(funds.balance.saturating_add(asked.cash()) >= Money::ZERO);
                prop_assert!(funds.free.saturating_add(asked.cash()) >= Money::ZERO);
            }
        }
    }
}
