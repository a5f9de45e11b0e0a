//! One step of a shard, made to last: journal, mark and projections in one transaction, or none of it.
//!
//! What takes no look at the database is made ready before the transaction begins (`prepared.rs`), so that the next step
//! can be while this one is being written.

mod prepared;
mod running;

pub use prepared::PreparedCommit;
pub(crate) use prepared::prepare;
pub use running::{DIFFERENCES_KEPT, SWITCHES_KEPT};

use crate::{
    audit, codec,
    entity::{accounts, deployment_logs, ledger_postings, shard_marks},
    error::StoreError,
    record::{Account, AuditBatch, RunningBatch},
    scope::TenantTx,
};
use marque_domain::{
    account::{Deployment, EquityPoint},
    decision::Decision,
    fixed::Money,
    id::{AccountId, DeploymentId, TransactionId},
    ledger::Transaction,
    order::{Order, Position},
    time::Millis,
};
use prepared::{Balances, Ledger};
use sea_orm::{
    ColumnTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use std::collections::BTreeMap;

/// How many log lines are kept of each deployment; older ones are deleted.
pub const LOG_LINES_KEPT: i64 = 2_000;

/// Ids named in one query at most.
const IDS_MAX: usize = 8_192;

/// A line that a deployed strategy logged. Its number is given when it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// By which.
    pub deployment: DeploymentId,
    /// When, in market time.
    pub at: Millis,
    /// What it said.
    pub text: String,
}

/// What a shard's step leaves behind. Where a list holds the same thing twice, the later one stands.
#[derive(Debug, Clone, Default)]
pub struct CommitBatch {
    /// Which shard of the tenant.
    pub shard: u32,
    /// The journal entry's number: one more than the last, beginning with 1.
    pub seq: i64,
    /// When, in market time.
    pub at: Millis,
    /// The step's records, encoded by the caller.
    pub records: Vec<u8>,
    /// Where the shard's market source stands after the step, encoded by the caller.
    pub mark: Vec<u8>,
    /// The shard's whole state after the step; recovery begins with it.
    pub checkpoint: Option<Vec<u8>>,
    /// Accounts opened or changed. Those with transactions must be here with their new balance.
    pub accounts: Vec<Account>,
    /// Accounts whose orders a day were changed, with the new number.
    pub limits: Vec<(AccountId, Option<u32>)>,
    /// Deployments made or changed.
    pub deployments: Vec<Deployment>,
    /// Positions opened or closed.
    pub positions: Vec<Position>,
    /// Orders made or changed.
    pub orders: Vec<Order>,
    /// Decisions taken.
    pub decisions: Vec<Decision>,
    /// Movements of money.
    pub transactions: Vec<Transaction>,
    /// Points of equity curves.
    pub equity: Vec<EquityPoint>,
    /// What strategies logged.
    pub logs: Vec<LogLine>,
    /// How deployments run.
    pub running: RunningBatch,
    /// What of it belongs into the audit log.
    pub audit: Option<AuditBatch>,
}

/// Writes the step in `tx`, in the order in which rows refer to each other.
pub(crate) async fn write(tx: &TenantTx, step: PreparedCommit) -> Result<(), StoreError> {
    advance(tx, step.shard, step.seq, step.mark).await?;
    tx.insert_prepared(step.journal).await?;
    tx.insert_prepared(step.checkpoint).await?;
    check_balances(tx, step.balances).await?;
    step.accounts.write(tx).await?;
    for (account, per_day) in step.limits {
        limit_trades(tx, account, per_day, step.at).await?;
    }
    step.deployments.write(tx).await?;
    step.positions.write(tx).await?;
    step.orders.write(tx).await?;
    tx.insert_prepared(step.decisions).await?;
    write_ledger(tx, step.ledger).await?;
    tx.insert_prepared(step.equity).await?;
    write_logs(tx, &step.logs).await?;
    running::write(tx, &step.running).await?;
    tx.insert_prepared(step.usage).await?;
    // Last, because it makes other writers of the tenant's log wait.
    match &step.audit {
        Some(audit) => audit::append(tx, audit).await,
        None => Ok(()),
    }
}

/// Moves the mark from the entry before to this one. The conditional update is what keeps two writers apart: it locks the
/// mark, and only the writer that knows the last entry can move it.
async fn advance(tx: &TenantTx, of_shard: u32, seq: i64, mark: Vec<u8>) -> Result<(), StoreError> {
    use shard_marks::{Column as C, Entity, Model};
    let shard = i64::from(of_shard);
    let moved = if seq == 1 {
        let row = Model { tenant_id: tx.tenant_id(), shard, seq, mark };
        let keep = OnConflict::columns([C::TenantId, C::Shard]).do_nothing().to_owned();
        tx.insert::<Entity>(vec![row], Some(keep)).await?
    } else {
        let before = tx.update::<Entity>().filter(C::Shard.eq(shard)).filter(C::Seq.eq(seq.saturating_sub(1)));
        tx.run_update(before.col_expr(C::Seq, Expr::val(seq)).col_expr(C::Mark, Expr::val(mark))).await?
    };
    if moved == 1 {
        return Ok(());
    }
    let stored = tx.one(tx.find::<Entity>().filter(C::Shard.eq(shard))).await?.map_or(0, |mark| mark.seq);
    Err(StoreError::JournalConflict { shard: of_shard, wrote: seq, stored })
}

/// Each touched account's new balance must be its old one plus the batch's cash postings, so by induction a balance is
/// always the sum of its cash.
async fn check_balances(tx: &TenantTx, Balances { cash, new }: Balances) -> Result<(), StoreError> {
    let old = balances(tx, cash.keys().map(|account| account.0).collect()).await?;
    for (account, cash) in cash {
        let old = old.get(&account).copied().unwrap_or_default();
        let new = new.get(&account).copied().unwrap_or(old);
        let booked = i128::from(old) + cash;
        if booked != i128::from(new) {
            let booked =
                Money::from_units(i64::try_from(booked).unwrap_or(if booked < 0 { i64::MIN } else { i64::MAX }));
            return Err(StoreError::BalanceMismatch { account, claimed: Money::from_units(new), booked });
        }
    }
    Ok(())
}

/// The ids, the last of them so often that there are as many as one of few numbers: the database keeps the queries that
/// name them prepared.
fn repeated(ids: &[i64]) -> impl Iterator<Item = i64> {
    let more = ids.len().next_power_of_two() - ids.len();
    ids.iter().copied().chain(ids.last().copied().into_iter().cycle().take(more))
}

async fn balances(tx: &TenantTx, ids: Vec<i64>) -> Result<BTreeMap<AccountId, i64>, StoreError> {
    use accounts::{Column as C, Entity};
    let mut found = BTreeMap::new();
    for ids in ids.chunks(IDS_MAX) {
        let rows = tx.find::<Entity>().filter(C::Id.is_in(repeated(ids)));
        let rows = rows.select_only().columns([C::Id, C::Balance]);
        found.extend(tx.tuples::<_, (i64, i64)>(rows).await?.into_iter().map(|(id, b)| (AccountId(id), b)));
    }
    Ok(found)
}

/// The one term that changes: the others stay what they were when the account was opened, whatever a batch says.
async fn limit_trades(tx: &TenantTx, id: AccountId, per_day: Option<u32>, at: Millis) -> Result<(), StoreError> {
    use accounts::{Column as C, Entity};
    let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id.0))).await?.ok_or(StoreError::NotFound("account"))?;
    let mut account = codec::account(row)?;
    account.terms.trades_per_day = per_day;
    let terms = codec::account_row(tx.tenant_id(), &account, at)?.terms;
    let update = tx.update::<Entity>().filter(C::Id.eq(id.0)).col_expr(C::Terms, Expr::val(terms));
    tx.run_update(update).await?;
    Ok(())
}

/// Writes the transactions and lets the database add up what it now holds.
async fn write_ledger(tx: &TenantTx, Ledger { ids, heads, lines }: Ledger) -> Result<(), StoreError> {
    use ledger_postings::{Column as C, Entity};
    tx.insert_prepared(heads).await?;
    tx.insert_prepared(lines).await?;
    for ids in ids.chunks(IDS_MAX) {
        let unbalanced = tx
            .find::<Entity>()
            .filter(C::TransactionId.is_in(repeated(ids)))
            .select_only()
            .column(C::TransactionId)
            .group_by(C::TransactionId)
            .having(C::Amount.sum().ne(0))
            .limit(1);
        if let Some(id) = tx.tuples::<_, (i64,)>(unbalanced).await?.first() {
            return Err(StoreError::Unbalanced(TransactionId(id.0)));
        }
    }
    Ok(())
}

/// Numbers the lines after the deployment's last and drops what is too old to keep.
async fn write_logs(tx: &TenantTx, lines: &[LogLine]) -> Result<(), StoreError> {
    use deployment_logs::{Column as C, Entity, Model};
    let mut by_deployment: BTreeMap<DeploymentId, Vec<&LogLine>> = BTreeMap::new();
    for line in lines {
        by_deployment.entry(line.deployment).or_default().push(line);
    }
    for (deployment, lines) in by_deployment {
        let mine = C::DeploymentId.eq(deployment.0);
        let last = tx.find::<Entity>().filter(mine.clone()).select_only().column_as(C::Seq.max(), "last");
        let last = tx.tuples::<_, (Option<i64>,)>(last).await?.first().and_then(|row| row.0).unwrap_or(0);
        let numbered = (last + 1..).zip(lines).map(|(seq, line)| Model {
            tenant_id: tx.tenant_id(),
            deployment_id: deployment.0,
            seq,
            at: line.at.0,
            text: line.text.clone(),
        });
        let rows: Vec<Model> = numbered.collect();
        let newest = rows.last().map_or(last, |row| row.seq);
        tx.insert::<Entity>(rows, None).await?;
        tx.run_delete(tx.delete::<Entity>().filter(mine).filter(C::Seq.lte(newest - LOG_LINES_KEPT))).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{IDS_MAX, repeated};

    #[test]
    fn queries_name_few_numbers_of_ids() {
        for (ids, named) in [(0, 0), (1, 1), (2, 2), (3, 4), (130, 256), (IDS_MAX, IDS_MAX)] {
            let ids: Vec<i64> = (1..).take(ids).collect();
            assert_eq!(repeated(&ids).count(), named);
            assert!(repeated(&ids).take(ids.len()).eq(ids.iter().copied()), "all are there, in their order");
            assert!(repeated(&ids).skip(ids.len()).all(|id| ids.last() == Some(&id)), "and nothing else");
        }
    }
}
