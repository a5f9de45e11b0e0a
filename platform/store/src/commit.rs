//! One step of a shard, made to last: journal, mark and projections in one transaction, or none of it.

mod running;

pub use running::{DIFFERENCES_KEPT, SWITCHES_KEPT};

use crate::{
    audit, codec,
    entity::{
        TenantEntity, accounts, decisions, deployment_logs, deployments, equity_points, journal, ledger_postings,
        ledger_transactions, orders, positions, shard_checkpoints, shard_marks,
    },
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
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ExprTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{Alias, Expr, OnConflict},
};
use std::collections::BTreeMap;

/// How many log lines are kept of each deployment; older ones are deleted.
pub const LOG_LINES_KEPT: i64 = 2_000;

/// Ids named in one query at most.
const IDS_MAX: usize = 10_000;

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

/// Writes the batch in `tx`, in the order in which rows refer to each other.
pub(crate) async fn write(tx: &TenantTx, batch: &CommitBatch) -> Result<(), StoreError> {
    advance(tx, batch).await?;
    check_balances(tx, batch).await?;
    write_accounts(tx, batch).await?;
    write_deployments(tx, batch).await?;
    write_trading(tx, batch).await?;
    write_ledger(tx, &batch.transactions).await?;
    write_equity(tx, &batch.equity).await?;
    write_logs(tx, &batch.logs).await?;
    running::write(tx, &batch.running).await?;
    // Last, because it makes other writers of the tenant's log wait.
    match &batch.audit {
        Some(audit) => audit::append(tx, audit).await,
        None => Ok(()),
    }
}

/// Moves the mark from the entry before to this one and appends to the journal. The conditional update is what keeps
/// two writers apart: it locks the mark, and only the writer that knows the last entry can move it.
async fn advance(tx: &TenantTx, batch: &CommitBatch) -> Result<(), StoreError> {
    use shard_marks::{Column as C, Entity, Model};
    let (tenant_id, shard, seq) = (tx.tenant_id(), i64::from(batch.shard), batch.seq);
    let moved = if seq == 1 {
        let row = Model { tenant_id, shard, seq, mark: batch.mark.clone() };
        let keep = OnConflict::columns([C::TenantId, C::Shard]).do_nothing().to_owned();
        tx.insert::<Entity>(vec![row], Some(keep)).await?
    } else {
        let before = tx.update::<Entity>().filter(C::Shard.eq(shard)).filter(C::Seq.eq(seq.saturating_sub(1)));
        let update = before.col_expr(C::Seq, Expr::val(seq)).col_expr(C::Mark, Expr::val(batch.mark.clone()));
        tx.run_update(update).await?
    };
    if moved != 1 {
        let stored = tx.one(tx.find::<Entity>().filter(C::Shard.eq(shard))).await?.map_or(0, |mark| mark.seq);
        return Err(StoreError::JournalConflict { shard: batch.shard, wrote: seq, stored });
    }
    let entry = journal::Model { tenant_id, shard, seq, at: batch.at.0, payload: batch.records.clone() };
    tx.insert::<journal::Entity>(vec![entry], None).await?;
    if let Some(state) = &batch.checkpoint {
        use shard_checkpoints::{Column as C, Entity, Model};
        let row = Model { tenant_id, shard, seq, state: state.clone() };
        let replace = OnConflict::columns([C::TenantId, C::Shard]).update_columns([C::Seq, C::State]).to_owned();
        tx.insert::<Entity>(vec![row], Some(replace)).await?;
    }
    Ok(())
}

/// Each touched account's new balance must be its old one plus the batch's cash postings, so by induction a balance is
/// always the sum of its cash.
async fn check_balances(tx: &TenantTx, batch: &CommitBatch) -> Result<(), StoreError> {
    let mut cash: BTreeMap<AccountId, i128> = batch.accounts.iter().map(|a| (a.terms.id, 0)).collect();
    for transaction in &batch.transactions {
        *cash.entry(transaction.account()).or_default() += i128::from(transaction.cash().units());
    }
    let old = balances(tx, cash.keys().copied().collect()).await?;
    let new: BTreeMap<AccountId, i64> = batch.accounts.iter().map(|a| (a.terms.id, a.balance.units())).collect();
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

async fn balances(tx: &TenantTx, ids: Vec<AccountId>) -> Result<BTreeMap<AccountId, i64>, StoreError> {
    use accounts::{Column as C, Entity};
    let mut found = BTreeMap::new();
    for ids in ids.chunks(IDS_MAX) {
        let rows = tx.find::<Entity>().filter(C::Id.is_in(ids.iter().map(|id| id.0)));
        let rows = rows.select_only().columns([C::Id, C::Balance]);
        found.extend(tx.tuples::<_, (i64, i64)>(rows).await?.into_iter().map(|(id, b)| (AccountId(id), b)));
    }
    Ok(found)
}

/// Of things with the same key the last one, because one statement may not write a row twice.
fn last_of_each<K: Ord, V>(things: impl IntoIterator<Item = V>, key: impl Fn(&V) -> K) -> Vec<V> {
    things.into_iter().map(|thing| (key(&thing), thing)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Writes rows; of those that are there already it replaces only `changing`. A row never changes hands: one with the
/// same id and another `owner` is refused, so two shards whose ids collide cannot overwrite each other.
async fn upsert<E>(
    tx: &TenantTx,
    rows: Vec<E::Model>,
    (id, owner): (E::Column, E::Column),
    changing: impl IntoIterator<Item = E::Column>,
) -> Result<(), StoreError>
where
    E: TenantEntity,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let wanted = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let replace = OnConflict::columns([E::TENANT, id])
        .update_columns(changing)
        .action_and_where(Expr::col((E::default(), owner)).equals((Alias::new("excluded"), owner)))
        .to_owned();
    if tx.insert::<E>(rows, Some(replace)).await? == wanted {
        return Ok(());
    }
    let table = E::default().table_name().to_owned();
    Err(StoreError::Conflict(format!("an id in {table} is already taken by another owner; nothing was committed")))
}

/// An account's terms are pinned: only its balance and status change.
async fn write_accounts(tx: &TenantTx, batch: &CommitBatch) -> Result<(), StoreError> {
    use accounts::{Column as C, Entity};
    let latest = last_of_each(&batch.accounts, |account| account.terms.id);
    let rows = latest.into_iter().map(|account| codec::account_row(tx.tenant_id(), account, batch.at));
    let changing = [C::Balance, C::Status, C::StatusReason, C::UpdatedAt];
    upsert::<Entity>(tx, rows.collect::<Result<_, _>>()?, (C::Id, C::UserId), changing).await?;
    for (account, per_day) in &batch.limits {
        limit_trades(tx, *account, *per_day, batch.at).await?;
    }
    Ok(())
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

async fn write_deployments(tx: &TenantTx, batch: &CommitBatch) -> Result<(), StoreError> {
    use deployments::{Column as C, Entity};
    let latest = last_of_each(&batch.deployments, |deployment| deployment.id);
    let rows = latest.into_iter().map(|d| codec::deployment_row(tx.tenant_id(), d, batch.at)).collect();
    let changing = [C::PluginName, C::Digest, C::Settings, C::Status, C::StatusReason, C::UpdatedAt];
    upsert::<Entity>(tx, rows, (C::Id, C::AccountId), changing).await
}

async fn write_trading(tx: &TenantTx, batch: &CommitBatch) -> Result<(), StoreError> {
    {
        use positions::{Column as C, Entity};
        let latest = last_of_each(&batch.positions, |position| position.id);
        let rows = latest.into_iter().map(|p| codec::position_row(tx.tenant_id(), p)).collect();
        let changing = [
            C::Lots,
            C::ClosedLots,
            C::Realised,
            C::OpenPrice,
            C::StopLoss,
            C::TakeProfit,
            C::TrailDistance,
            C::TrailStep,
            C::ClosedAt,
            C::ClosePrice,
            C::Profit,
            C::CloseOrigin,
        ];
        upsert::<Entity>(tx, rows, (C::Id, C::AccountId), changing).await?;
    }
    {
        use orders::{Column as C, Entity};
        let latest = last_of_each(&batch.orders, |order| order.id);
        let rows = latest.into_iter().map(|o| codec::order_row(tx.tenant_id(), o)).collect();
        let changing = [
            C::State,
            C::FillPrice,
            C::Filled,
            C::Reason,
            C::UpdatedAt,
            C::LimitPrice,
            C::StopPrice,
            C::StopDistance,
            C::StopStep,
            C::TimeInForce,
            C::ExpiresAt,
            C::StopLoss,
            C::TakeProfit,
            C::TrailDistance,
            C::TrailStep,
            C::Triggered,
        ];
        upsert::<Entity>(tx, rows, (C::Id, C::AccountId), changing).await?;
    }
    let rows = batch.decisions.iter().map(|decision| codec::decision_row(tx.tenant_id(), decision));
    tx.insert::<decisions::Entity>(rows.collect::<Result<_, _>>()?, None).await?;
    Ok(())
}

/// Writes the transactions and lets the database add up what it now holds.
async fn write_ledger(tx: &TenantTx, transactions: &[Transaction]) -> Result<(), StoreError> {
    use ledger_postings::{Column as C, Entity};
    let heads = transactions.iter().map(|t| codec::transaction_row(tx.tenant_id(), t)).collect();
    tx.insert::<ledger_transactions::Entity>(heads, None).await?;
    let lines = transactions.iter().flat_map(|t| codec::posting_rows(tx.tenant_id(), t)).collect();
    tx.insert::<Entity>(lines, None).await?;
    for chunk in transactions.chunks(IDS_MAX) {
        let unbalanced = tx
            .find::<Entity>()
            .filter(C::TransactionId.is_in(chunk.iter().map(|t| t.id().0)))
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

async fn write_equity(tx: &TenantTx, points: &[EquityPoint]) -> Result<(), StoreError> {
    use equity_points::{Column as C, Entity};
    let latest = last_of_each(points, |point| (point.account, point.at));
    let rows = latest.into_iter().map(|point| codec::equity_row(tx.tenant_id(), point)).collect();
    let replace =
        OnConflict::columns([C::TenantId, C::AccountId, C::At]).update_columns([C::Balance, C::Equity]).to_owned();
    tx.insert::<Entity>(rows, Some(replace)).await?;
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
    use super::last_of_each;

    #[test]
    fn the_later_of_two_stands() {
        assert_eq!(last_of_each([(1, 'a'), (2, 'b'), (1, 'c')], |(id, _)| *id), [(1, 'c'), (2, 'b')]);
    }
}
