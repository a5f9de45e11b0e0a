//! The books, added up.

use super::TenantDb;
use crate::{
    codec,
    entity::{accounts, ledger_postings, ledger_transactions},
    error::StoreError,
    page::Whose,
};
use marque_domain::{
    fixed::Money,
    id::{AccountId, TransactionId},
    ledger::Book,
};
use sea_orm::{
    ColumnTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, SimpleExpr},
};
use std::collections::BTreeMap;

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
    /// An account's balance is not the sum of its cash.
    BalanceMismatch {
        /// Which.
        account: AccountId,
        /// The balance it shows.
        balance: Money,
        /// The sum of its cash postings.
        cash: Money,
    },
}

/// The outcome of adding up a tenant's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerAudit {
    /// How many transactions there are.
    pub transactions: u64,
    /// How many accounts were compared with their cash.
    pub accounts: u64,
    /// Everything that is wrong; empty when debits equal credits and balances equal cash.
    pub faults: Vec<LedgerFault>,
}

/// The sum of the postings' amounts. PostgreSQL would answer with a decimal.
fn amount_sum() -> SimpleExpr {
    ledger_postings::Column::Amount.sum().cast_as("BIGINT")
}

impl TenantDb {
    /// What an account has in each book it ever used.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has no such account, [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn balances(&self, whose: Whose, account: AccountId) -> Result<Vec<(Book, Money)>, StoreError> {
        use ledger_postings::{Column as C, Entity};
        let tx = self.snapshot().await?;
        let known = tx.find_of::<accounts::Entity>(whose).filter(accounts::Column::Id.eq(account.0));
        tx.one(known).await?.ok_or(StoreError::NotFound("account"))?;
        let sums = tx
            .find::<Entity>()
            .filter(C::AccountId.eq(account.0))
            .select_only()
            .column(C::Book)
            .column_as(amount_sum(), "total")
            .group_by(C::Book)
            .order_by_asc(C::Book);
        let sums = tx.tuples::<_, (String, i64)>(sums).await?;
        tx.end().await;
        sums.into_iter().map(|(book, sum)| Ok((codec::book(&book)?, Money::from_units(sum)))).collect()
    }

    /// Adds up every book of the tenant at one instant: debits against credits in each transaction, and each account's
    /// balance against its cash.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit_ledger(&self) -> Result<LedgerAudit, StoreError> {
        use ledger_postings::{Column as C, Entity};
        let tx = self.snapshot().await?;
        let unbalanced = tx
            .find::<Entity>()
            .select_only()
            .column(C::TransactionId)
            .column_as(amount_sum(), "total")
            .group_by(C::TransactionId)
            .having(C::Amount.sum().ne(0))
            .order_by_asc(C::TransactionId);
        let unbalanced = tx
            .tuples::<_, (i64, i64)>(unbalanced)
            .await?
            .into_iter()
            .map(|(id, sum)| LedgerFault::Unbalanced { transaction: TransactionId(id), sum: Money::from_units(sum) });
        let mut faults: Vec<LedgerFault> = unbalanced.collect();

        let cash = tx.find::<Entity>().filter(C::Book.eq(Book::Cash.name())).select_only();
        let cash = cash.column(C::AccountId).column_as(amount_sum(), "total").group_by(C::AccountId);
        let cash: BTreeMap<i64, i64> = tx.tuples::<_, (i64, i64)>(cash).await?.into_iter().collect();
        let shown = tx.find::<accounts::Entity>().order_by_asc(accounts::Column::Id).select_only();
        let shown = shown.columns([accounts::Column::Id, accounts::Column::Balance]);
        let shown = tx.tuples::<_, (i64, i64)>(shown).await?;
        faults.extend(shown.iter().filter_map(|(id, balance)| {
            let cash = cash.get(id).copied().unwrap_or_default();
            (cash != *balance).then_some(LedgerFault::BalanceMismatch {
                account: AccountId(*id),
                balance: Money::from_units(*balance),
                cash: Money::from_units(cash),
            })
        }));
        let transactions = tx.find::<ledger_transactions::Entity>().select_only();
        let transactions = transactions.column_as(Expr::col(ledger_transactions::Column::Id).count(), "many");
        let transactions = tx.tuples::<_, (i64,)>(transactions).await?.first().map_or(0, |row| row.0);
        tx.end().await;
        Ok(LedgerAudit {
            transactions: u64::try_from(transactions).unwrap_or_default(),
            accounts: u64::try_from(shown.len()).unwrap_or_default(),
            faults,
        })
    }
}
