//! Makes what a shard decided durable: records, mark and projections in one transaction, then shows it.

use super::{
    acts::{self, Asker},
    view::Live,
};
use crate::{
    audit,
    clock::Clock,
    secrets::{Vault, VaultError},
};
use marque_domain::{
    account::EquityPoint,
    id::{AccountId, DeploymentId},
    time::Millis,
};
use marque_engine::{Effects, Record, Shard, desk::Commit, shard::Mark};
use marque_market::feed::Cursor;
use marque_store::{Account, CommitBatch, LogLine, StoreError, TenantDb};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{runtime::Handle, sync::broadcast};

/// The tenant's only shard, for now.
pub(super) const SHARD: u32 = 0;
/// Commits after which the whole state is written, so that a restart has little to fold.
const CHECKPOINT_EVERY: i64 = 500;
/// Points and log lines that wait for the next commit at most.
const WAITING_MAX: usize = 2_000;

/// What a restart needs beyond the records: the shard's mark and the feed's cursor, of the same moment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub cursor: Option<Cursor>,
    pub mark: Mark,
}

/// Why something could not be made durable.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the journal cannot be encoded or decoded: {0}")]
    Encoding(#[from] postcard::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What the audit log of a desk needs.
#[derive(Clone)]
pub(super) struct Witness {
    pub vault: Vault,
    pub clock: Clock,
}

/// Commits for one desk.
pub(super) struct Journal {
    pub db: TenantDb,
    pub runtime: Handle,
    pub live: broadcast::Sender<Live>,
    /// The last committed entry.
    pub seq: i64,
    /// After the quote that is being worked on.
    pub cursor: Option<Cursor>,
    /// Records of the command under way, for its answer.
    pub answer: Option<Vec<Record>>,
    /// Who asked for the command under way.
    pub asker: Option<Asker>,
    witness: Witness,
    points: Vec<EquityPoint>,
    logs: Vec<LogLine>,
}

impl Journal {
    pub const fn new(
        witness: Witness,
        db: TenantDb,
        runtime: Handle,
        live: broadcast::Sender<Live>,
        seq: i64,
        cursor: Option<Cursor>,
    ) -> Self {
        Self {
            db,
            runtime,
            live,
            seq,
            cursor,
            answer: None,
            asker: None,
            witness,
            points: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Commits what waits and where the desk stands, without new facts.
    pub fn flush(&mut self, shard: &mut Shard) -> Result<(), CommitError> {
        self.write(shard, &[])
    }

    fn write(&mut self, shard: &mut Shard, records: &[Record]) -> Result<(), CommitError> {
        let seq = self.seq + 1;
        let place = Place { cursor: self.cursor.clone(), mark: shard.mark() };
        let checkpoint = if seq % CHECKPOINT_EVERY == 0 { Some(postcard::to_stdvec(shard.state())?) } else { None };
        let mut batch = CommitBatch {
            shard: SHARD,
            seq,
            at: shard.market().now(),
            records: postcard::to_stdvec(records)?,
            mark: postcard::to_stdvec(&place)?,
            checkpoint,
            equity: core::mem::take(&mut self.points),
            logs: core::mem::take(&mut self.logs),
            ..CommitBatch::default()
        };
        project(records, shard, &mut batch);
        let acts = acts::entries(records, self.asker.as_ref(), shard.state(), self.witness.clock.now());
        if !acts.is_empty() {
            // In the same transaction: no trade without its entry, no entry without its trade.
            let keys = self.runtime.block_on(self.witness.vault.of(&self.db))?;
            batch.audit = Some(audit::batch(&keys, acts));
        }
        self.runtime.block_on(self.db.commit(&batch))?;
        self.seq = seq;
        Ok(())
    }
}

impl Commit for Journal {
    type Error = CommitError;

    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), CommitError> {
        self.points.extend_from_slice(&effects.points);
        self.logs.extend(effects.logs.iter().map(|(deployment, at, text)| line(*deployment, *at, text.clone())));
        if effects.records.is_empty() && self.points.len() + self.logs.len() < WAITING_MAX {
            return Ok(());
        }
        self.write(shard, &effects.records)?;
        if let Some(answer) = &mut self.answer {
            answer.extend(effects.records.iter().cloned());
        }
        // Nobody watching is no fault.
        let _ = self.live.send(Live::Committed(Arc::new(effects.records.clone())));
        Ok(())
    }
}

const fn line(deployment: DeploymentId, at: Millis, text: String) -> LogLine {
    LogLine { deployment, at, text }
}

/// The rows that people and programs query, from the facts.
fn project(records: &[Record], shard: &Shard, batch: &mut CommitBatch) {
    let (mut accounts, mut deployments): (BTreeSet<AccountId>, BTreeSet<DeploymentId>) = Default::default();
    for record in records {
        match record {
            Record::AccountOpened { terms, .. } => drop(accounts.insert(terms.id)),
            Record::AccountChanged { account, .. } => drop(accounts.insert(*account)),
            Record::TradesLimited { account, per_day } => batch.limits.push((*account, *per_day)),
            Record::Deployed(deployment) => drop(deployments.insert(deployment.id)),
            Record::DeploymentChanged { deployment, .. } => drop(deployments.insert(*deployment)),
            Record::Faulted { deployment, at, fault } => {
                batch.logs.push(line(*deployment, *at, format!("failed: {fault}")))
            }
            Record::Decided(decision) => batch.decisions.push(decision.clone()),
            Record::OrderPlaced(order) | Record::OrderMoved(order) => batch.orders.push(order.clone()),
            Record::PositionOpened(position) | Record::PositionClosed(position) => {
                batch.positions.push(position.clone())
            }
            Record::Moved(transaction) => {
                accounts.insert(transaction.account());
                batch.transactions.push(transaction.clone());
            }
            Record::DayBegan { .. }
            | Record::DaysKept { .. }
            | Record::Assessed { .. }
            | Record::KillPressed(_)
            | Record::KillReleased { .. } => {}
        }
    }
    let state = shard.state();
    batch.accounts.extend(accounts.iter().filter_map(|id| state.accounts.get(id)).map(|a| Account {
        terms: a.terms.clone(),
        balance: a.balance,
        status: a.status.clone(),
        opened_at: a.opened_at,
    }));
    batch.deployments.extend(deployments.iter().filter_map(|id| state.deployments.get(id)).cloned());
}
