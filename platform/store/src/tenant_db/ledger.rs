//! The books, added up.

use super::{TenantDb, lists::cut};
use crate::{
    codec,
    entity::{accounts, ledger_postings, ledger_transactions},
    error::StoreError,
    page::{PAGE_MAX, Page, Paged, Whose},
    scope::TenantTx,
    shard::{self, ShardImage},
};
use marque_domain::{
    fixed::Money,
    id::{AccountId, TransactionId},
    ledger::{
        Book, Transaction,
        reconcile::{Claim, LedgerAudit, Line, Reconciliation},
    },
};
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::SimpleExpr};

/// Transactions that are added up at once.
const AUDITED_AT_ONCE: u64 = 5_000;
/// Lines of a statement at most on one page.
pub const STATEMENT_PAGE_MAX: u32 = 1_000;

/// A transaction and what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// What moved.
    pub moved: Transaction,
    /// The account's closed balance after it.
    pub balance: Money,
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

    /// Adds up every book of the tenant at one instant, from single postings: debits against credits in each transaction
    /// and each currency, each account's balance against its cash, and nobody took out more than there was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn audit_ledger(&self) -> Result<LedgerAudit, StoreError> {
        let tx = self.snapshot().await?;
        let audit = audit(&tx).await?;
        tx.end().await;
        Ok(audit)
    }

    /// As [`TenantDb::audit_ledger`], with what a shard recovers from at the same instant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn audit_books(&self, shard: u32) -> Result<(LedgerAudit, ShardImage), StoreError> {
        let tx = self.snapshot().await?;
        let found = (audit(&tx).await?, shard::load(&tx, shard).await?);
        tx.end().await;
        Ok(found)
    }
    /// A page of what moved on accounts of `whose`, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn transactions(&self, whose: Whose, wanted: Page) -> Result<Paged<Transaction>, StoreError> {
        let tx = self.snapshot().await?;
        let found = transactions(&tx, whose, wanted, PAGE_MAX).await?;
        tx.end().await;
        Ok(found)
    }

    /// The movement that somebody made on an account under this reference.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn movement(&self, account: AccountId, reference: &str) -> Result<StatementLine, StoreError> {
        use ledger_transactions::{Column as C, Entity};
        let found = self
            .first(|tx| tx.find::<Entity>().filter(C::AccountId.eq(account.0)).filter(C::MemoReference.eq(reference)));
        let id = found.await?.ok_or(StoreError::NotFound("movement"))?.id;
        let page = Page { after: id.checked_add(1), limit: 1 };
        let found = self.statement(Whose::Account(account), account, page).await?;
        found.items.into_iter().next().ok_or(StoreError::NotFound("movement"))
    }

    /// A page of an account's statement, newest first; up to [`STATEMENT_PAGE_MAX`] lines.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has no such account, [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn statement(
        &self,
        whose: Whose,
        account: AccountId,
        wanted: Page,
    ) -> Result<Paged<StatementLine>, StoreError> {
        use ledger_postings::{Column as C, Entity};
        let tx = self.snapshot().await?;
        let known = tx.find_of::<accounts::Entity>(whose).filter(accounts::Column::Id.eq(account.0));
        tx.one(known).await?.ok_or(StoreError::NotFound("account"))?;
        let found = transactions(&tx, Whose::Account(account), wanted, STATEMENT_PAGE_MAX).await?;
        let newest = found.items.first().map_or(0, |moved| moved.id().0);
        let until = tx.find::<Entity>().filter(C::AccountId.eq(account.0)).filter(C::Book.eq(Book::Cash.name()));
        let until = until.filter(C::TransactionId.lte(newest)).select_only().column_as(amount_sum(), "total");
        let until = tx.tuples::<_, (Option<i64>,)>(until).await?;
        tx.end().await;
        let mut balance = Money::from_units(until.first().and_then(|row| row.0).unwrap_or_default());
        let items = found.items.into_iter().map(|moved| {
            let line = StatementLine { balance, moved };
            balance = balance.saturating_sub(line.moved.cash());
            line
        });
        Ok(Paged { items: items.collect(), next: found.next })
    }
}

/// Adds every posting up.
async fn audit(tx: &TenantTx) -> Result<LedgerAudit, StoreError> {
    use ledger_transactions::{Column as C, Entity};
    let (mut sum, mut last) = (Reconciliation::default(), i64::MIN);
    loop {
        let heads = tx.find::<Entity>().filter(C::Id.gt(last)).order_by_asc(C::Id).limit(AUDITED_AT_ONCE);
        let heads = tx.tuples::<_, (i64, String)>(heads.select_only().columns([C::Id, C::Kind])).await?;
        let Some((until, _)) = heads.last() else { break };
        add_up(tx, &mut sum, (last, *until), &heads).await?;
        last = *until;
    }
    let shown = tx.find::<accounts::Entity>().order_by_asc(accounts::Column::Id).select_only();
    let shown = shown.columns([accounts::Column::Id, accounts::Column::Currency, accounts::Column::Balance]);
    let shown = tx.tuples::<_, (i64, String, i64)>(shown).await?;
    let claims = shown.into_iter().map(|(id, currency, balance)| {
        let currency = currency.parse().map_err(|fault| StoreError::corrupt("account", fault))?;
        Ok(Claim { account: AccountId(id), currency, balance: Money::from_units(balance) })
    });
    Ok(sum.finish(claims.collect::<Result<Vec<_>, StoreError>>()?))
}

/// Adds up the transactions of `heads`: those after `after` up to `until`.
async fn add_up(
    tx: &TenantTx,
    sum: &mut Reconciliation,
    (after, until): (i64, i64),
    heads: &[(i64, String)],
) -> Result<(), StoreError> {
    use ledger_postings::{Column as C, Entity, Model};
    let lines = tx.find::<Entity>().filter(C::TransactionId.gt(after)).filter(C::TransactionId.lte(until));
    let lines = tx.all(lines.order_by_asc(C::TransactionId).order_by_asc(C::Line)).await?;
    let mut lines: &[Model] = &lines;
    for (id, kind) in heads {
        let (mine, rest) = lines.split_at(lines.partition_point(|line| line.transaction_id <= *id));
        lines = rest;
        let (transaction, kind) = (TransactionId(*id), codec::transaction_kind(kind)?);
        if mine.is_empty() {
            sum.take_empty(transaction);
        }
        for line in mine {
            let (account, book) = (AccountId(line.account_id), codec::book(&line.book)?);
            sum.take(&Line { transaction, account, kind, book, amount: Money::from_units(line.amount) });
        }
    }
    Ok(())
}

async fn transactions(tx: &TenantTx, whose: Whose, wanted: Page, max: u32) -> Result<Paged<Transaction>, StoreError> {
    use ledger_postings::{Column as C, Entity, Model};
    use ledger_transactions as head;
    let rows = cut(tx.find_of::<head::Entity>(whose), head::Column::Id, wanted, max);
    let rows = tx.all(rows).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let lines = tx.find::<Entity>().filter(C::TransactionId.is_in(ids)).order_by_asc(C::TransactionId);
    let lines: Vec<Model> = tx.all(lines.order_by_asc(C::Line)).await?;
    let of = |id: i64| {
        let from = lines.partition_point(|line| line.transaction_id < id);
        let until = lines.partition_point(|line| line.transaction_id <= id);
        lines.get(from..until).unwrap_or_default()
    };
    Paged::cut(
        rows,
        wanted.bounded(max),
        |row| row.id,
        |row| {
            let lines = of(row.id);
            codec::transaction(row, lines)
        },
    )
}
