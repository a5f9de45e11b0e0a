//! The part of a step that takes no look at the database: its rows, as statements that are ready to run.

use super::{CommitBatch, LogLine, running};
use crate::{
    codec,
    entity::{
        TenantEntity, accounts, decisions, deployments, equity_points, journal, ledger_postings, ledger_transactions,
        orders, positions, shard_checkpoints,
    },
    error::StoreError,
    record::{Account, AuditBatch, RunningBatch},
    scope::{Preparation, PreparedRows, TenantTx},
};
use marque_domain::{
    account::{Deployment, EquityPoint},
    id::AccountId,
    ledger::Transaction,
    order::{Order, Position},
    time::Millis,
};
use sea_orm::{
    ActiveModelTrait, ExprTrait, IntoActiveModel,
    sea_query::{Alias, Expr, OnConflict},
};
use std::collections::BTreeMap;

/// A step that is ready to be written, for the tenant that it was made for. It comes from
/// [`TenantDb::prepare`](crate::TenantDb::prepare).
#[derive(Debug)]
pub struct PreparedCommit {
    pub(super) shard: u32,
    pub(super) seq: i64,
    pub(super) at: Millis,
    pub(super) mark: Vec<u8>,
    pub(super) journal: PreparedRows,
    pub(super) checkpoint: PreparedRows,
    pub(super) balances: Balances,
    pub(super) accounts: Upsert,
    pub(super) limits: Vec<(AccountId, Option<u32>)>,
    pub(super) deployments: Upsert,
    pub(super) positions: Upsert,
    pub(super) orders: Upsert,
    pub(super) decisions: PreparedRows,
    pub(super) ledger: Ledger,
    pub(super) equity: PreparedRows,
    pub(super) logs: Vec<LogLine>,
    /// Without what was used up, which is in `usage`.
    pub(super) running: RunningBatch,
    pub(super) usage: PreparedRows,
    pub(super) audit: Option<AuditBatch>,
}

/// What the balances of accounts are to be, and what was booked to them.
#[derive(Debug)]
pub(super) struct Balances {
    pub cash: BTreeMap<AccountId, i128>,
    pub new: BTreeMap<AccountId, i64>,
}

/// Movements of money, and their ids.
#[derive(Debug)]
pub(super) struct Ledger {
    pub ids: Vec<i64>,
    pub heads: PreparedRows,
    pub lines: PreparedRows,
}

/// Rows that may be there already. A row never changes hands: one with the same id and another owner is refused, so two
/// shards whose ids collide cannot overwrite each other.
#[derive(Debug)]
pub(super) struct Upsert {
    table: &'static str,
    wanted: u64,
    rows: PreparedRows,
}

impl Upsert {
    /// Of rows that are there already only `changing` is replaced.
    fn of<E>(
        to: &Preparation,
        rows: Vec<E::Model>,
        (id, owner): (E::Column, E::Column),
        changing: impl IntoIterator<Item = E::Column>,
    ) -> Result<Self, StoreError>
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
        Ok(Self { table: E::default().table_name(), wanted, rows: to.insert::<E>(rows, Some(replace))? })
    }

    pub(super) async fn write(self, tx: &TenantTx) -> Result<(), StoreError> {
        if tx.insert_prepared(self.rows).await? == self.wanted {
            return Ok(());
        }
        let table = self.table;
        Err(StoreError::Conflict(format!("an id in {table} is already taken by another owner; nothing was committed")))
    }
}

/// Makes a step ready.
pub(crate) fn prepare(to: &Preparation, mut batch: CommitBatch) -> Result<PreparedCommit, StoreError> {
    let usage = core::mem::take(&mut batch.running.usage);
    let balances = balances(&batch.accounts, &batch.transactions);
    let (tenant_id, shard, seq, at) = (to.tenant_id(), i64::from(batch.shard), batch.seq, batch.at);
    let entry = journal::Model { tenant_id, shard, seq, at: at.0, payload: batch.records };
    let decided = batch.decisions.iter().map(|decision| codec::decision_row(tenant_id, decision));
    Ok(PreparedCommit {
        shard: batch.shard,
        seq,
        at,
        mark: batch.mark,
        journal: to.insert::<journal::Entity>(vec![entry], None)?,
        checkpoint: checkpoint(to, shard, seq, batch.checkpoint)?,
        balances,
        accounts: accounts(to, &batch.accounts, at)?,
        limits: batch.limits,
        deployments: deployments(to, &batch.deployments, at)?,
        positions: positions(to, &batch.positions)?,
        orders: orders(to, &batch.orders)?,
        decisions: to.insert::<decisions::Entity>(decided.collect::<Result<_, _>>()?, None)?,
        ledger: ledger(to, &batch.transactions)?,
        equity: equity(to, &batch.equity)?,
        logs: batch.logs,
        running: batch.running,
        usage: running::usage(to, &usage)?,
        audit: batch.audit,
    })
}

/// Of things with the same key the last one, because one statement may not write a row twice.
fn last_of_each<K: Ord, V>(things: impl IntoIterator<Item = V>, key: impl Fn(&V) -> K) -> Vec<V> {
    things.into_iter().map(|thing| (key(&thing), thing)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn balances(accounts: &[Account], transactions: &[Transaction]) -> Balances {
    let mut cash: BTreeMap<AccountId, i128> = accounts.iter().map(|a| (a.terms.id, 0)).collect();
    for transaction in transactions {
        *cash.entry(transaction.account()).or_default() += i128::from(transaction.cash().units());
    }
    Balances { cash, new: accounts.iter().map(|a| (a.terms.id, a.balance.units())).collect() }
}

fn checkpoint(to: &Preparation, shard: i64, seq: i64, state: Option<Vec<u8>>) -> Result<PreparedRows, StoreError> {
    use shard_checkpoints::{Column as C, Entity, Model};
    let row = state.map(|state| Model { tenant_id: to.tenant_id(), shard, seq, state });
    let replace = OnConflict::columns([C::TenantId, C::Shard]).update_columns([C::Seq, C::State]).to_owned();
    to.insert::<Entity>(row.into_iter().collect(), Some(replace))
}

/// An account's terms are pinned: only its balance and status change.
fn accounts(to: &Preparation, accounts: &[Account], at: Millis) -> Result<Upsert, StoreError> {
    use accounts::{Column as C, Entity};
    let latest = last_of_each(accounts, |account| account.terms.id);
    let rows = latest.into_iter().map(|account| codec::account_row(to.tenant_id(), account, at));
    let changing = [C::Balance, C::Status, C::StatusReason, C::UpdatedAt];
    Upsert::of::<Entity>(to, rows.collect::<Result<_, _>>()?, (C::Id, C::UserId), changing)
}

fn deployments(to: &Preparation, deployments: &[Deployment], at: Millis) -> Result<Upsert, StoreError> {
    use deployments::{Column as C, Entity};
    let latest = last_of_each(deployments, |deployment| deployment.id);
    let rows = latest.into_iter().map(|d| codec::deployment_row(to.tenant_id(), d, at)).collect();
    let changing = [C::PluginName, C::Digest, C::Settings, C::Status, C::StatusReason, C::UpdatedAt];
    Upsert::of::<Entity>(to, rows, (C::Id, C::AccountId), changing)
}

fn positions(to: &Preparation, positions: &[Position]) -> Result<Upsert, StoreError> {
    use positions::{Column as C, Entity};
    let latest = last_of_each(positions, |position| position.id);
    let rows = latest.into_iter().map(|p| codec::position_row(to.tenant_id(), p)).collect();
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
    Upsert::of::<Entity>(to, rows, (C::Id, C::AccountId), changing)
}

fn orders(to: &Preparation, orders: &[Order]) -> Result<Upsert, StoreError> {
    use orders::{Column as C, Entity};
    let latest = last_of_each(orders, |order| order.id);
    let rows = latest.into_iter().map(|o| codec::order_row(to.tenant_id(), o)).collect();
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
    Upsert::of::<Entity>(to, rows, (C::Id, C::AccountId), changing)
}

fn ledger(to: &Preparation, transactions: &[Transaction]) -> Result<Ledger, StoreError> {
    let heads = transactions.iter().map(|t| codec::transaction_row(to.tenant_id(), t)).collect();
    let lines = transactions.iter().flat_map(|t| codec::posting_rows(to.tenant_id(), t)).collect();
    Ok(Ledger {
        ids: transactions.iter().map(|t| t.id().0).collect(),
        heads: to.insert::<ledger_transactions::Entity>(heads, None)?,
        lines: to.insert::<ledger_postings::Entity>(lines, None)?,
    })
}

fn equity(to: &Preparation, points: &[EquityPoint]) -> Result<PreparedRows, StoreError> {
    use equity_points::{Column as C, Entity};
    let latest = last_of_each(points, |point| (point.account, point.at));
    let rows = latest.into_iter().map(|point| codec::equity_row(to.tenant_id(), point)).collect();
    let replace =
        OnConflict::columns([C::TenantId, C::AccountId, C::At]).update_columns([C::Balance, C::Equity]).to_owned();
    to.insert::<Entity>(rows, Some(replace))
}

#[cfg(test)]
mod tests {
    use super::last_of_each;

    #[test]
    fn the_later_of_two_stands() {
        assert_eq!(last_of_each([(1, 'a'), (2, 'b'), (1, 'c')], |(id, _)| *id), [(1, 'c'), (2, 'b')]);
    }
}
