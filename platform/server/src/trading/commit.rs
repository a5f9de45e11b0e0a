//! Makes what a shard decided durable: records, mark and projections in one transaction, then shows it.

use super::{
    acts::{self, Asker},
    meter::Meter,
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
    succession::{Difference, Shadow},
    time::Millis,
};
use marque_engine::{
    Effects, Record, Shard,
    desk::Commit,
    shard::{Mark, MarkChange},
    state::State,
};
use marque_market::feed::Cursor;
use marque_store::{Account, CommitBatch, LogLine, RunningBatch, ShadowStep, ShardImage, StoreError, TenantDb};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::{runtime::Handle, sync::broadcast};

/// The tenant's only shard, for now.
pub(super) const SHARD: u32 = 0;
/// The whole state is written when the entries since the last time have this many bytes, and as many as it had itself: a
/// restart folds little, and writing it costs as much as the entries at most, however large it is.
const CHECKPOINT_BYTES_MIN: usize = 1 << 20;
/// Points, log lines and differences that wait for the next commit at most.
const WAITING_MAX: usize = 2_000;

/// Where the market's source stood after an entry.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    cursor: Option<Cursor>,
}

/// What one entry of the journal holds: facts, and what of the mark changed with them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    records: Vec<Record>,
    change: MarkChange,
}

/// A desk as it was committed last.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// The fold of all records.
    pub state: State,
    /// What a shard needs beyond them.
    pub mark: Mark,
    /// Where its market goes on.
    pub cursor: Option<Cursor>,
}

impl Recovered {
    /// Folds what is stored of a shard.
    pub fn from(image: &ShardImage) -> Result<Self, postcard::Error> {
        let (mut state, mut mark): (State, Mark) = match &image.checkpoint {
            Some((_, bytes)) => postcard::from_bytes(bytes)?,
            None => Default::default(),
        };
        for entry in &image.tail {
            let entry: Entry = postcard::from_bytes(&entry.records)?;
            entry.records.iter().for_each(|record| state.apply(record));
            mark.apply(entry.change);
        }
        let place: Option<Place> = image.mark.as_deref().map(postcard::from_bytes).transpose()?;
        Ok(Self { state, mark, cursor: place.and_then(|place| place.cursor) })
    }
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

/// Commands that are carried out together: who asked for each, and what came of it. Each is about another account, or
/// there is only one.
#[derive(Default)]
pub(super) struct Group {
    askers: Vec<Asker>,
    members: BTreeMap<AccountId, usize>,
    records: Vec<Vec<Record>>,
}

impl Group {
    /// A command joins, about this account.
    pub fn join(&mut self, asker: Asker, account: Option<AccountId>) {
        self.members.extend(account.map(|account| (account, self.askers.len())));
        self.askers.push(asker);
        self.records.push(Vec::new());
    }

    /// Whether a command about this account may join: it finds its account as it would alone.
    pub fn admits(&self, account: Option<AccountId>) -> bool {
        let every_other_names_one = self.members.len() == self.askers.len();
        self.askers.is_empty() || every_other_names_one && account.is_some_and(|a| !self.members.contains_key(&a))
    }

    /// What came of each command, in their order.
    pub fn into_records(self) -> Vec<Vec<Record>> {
        self.records
    }

    fn member(&self, record: &Record, state: &State) -> Option<usize> {
        // What follows from one command alone is all its own.
        if self.askers.len() == 1 {
            return Some(0);
        }
        self.members.get(&record.account(state)?).copied()
    }

    fn asker(&self, record: &Record, state: &State) -> Option<&Asker> {
        self.askers.get(self.member(record, state)?)
    }

    fn take(&mut self, records: &[Record], state: &State) {
        for record in records {
            let member = self.member(record, state);
            if let Some(records) = member.and_then(|index| self.records.get_mut(index)) {
                records.push(record.clone());
            }
        }
    }
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
    /// The commands under way.
    pub group: Option<Group>,
    witness: Witness,
    points: Vec<EquityPoint>,
    logs: Vec<LogLine>,
    differences: Vec<Difference>,
    meter: Meter,
    /// Bytes of the entries since the last checkpoint, and of that.
    tail_bytes: usize,
    checkpoint_bytes: usize,
}

impl Journal {
    pub fn new(
        witness: Witness,
        db: TenantDb,
        runtime: Handle,
        live: broadcast::Sender<Live>,
        image: &ShardImage,
        cursor: Option<Cursor>,
    ) -> Self {
        Self {
            db,
            runtime,
            live,
            seq: image.seq,
            cursor,
            group: None,
            witness,
            points: Vec::new(),
            logs: Vec::new(),
            differences: Vec::new(),
            meter: Meter::default(),
            // The first entry after a start is a checkpoint: a process that is killed again and again folds no more
            // each time.
            tail_bytes: usize::MAX,
            checkpoint_bytes: 0,
        }
    }

    /// Commits what waits and where the desk stands, without new facts.
    pub fn flush(&mut self, shard: &mut Shard) -> Result<(), CommitError> {
        self.write(shard, &[], true)
    }

    fn write(&mut self, shard: &mut Shard, records: &[Record], flushed: bool) -> Result<(), CommitError> {
        let (seq, now) = (self.seq + 1, self.witness.clock.now());
        let running = RunningBatch {
            compared: shard.take_compared().into_iter().collect(),
            differences: core::mem::take(&mut self.differences),
            usage: self.meter.take(shard, now, flushed),
            ..RunningBatch::default()
        };
        let checkpoint = if self.tail_bytes > self.checkpoint_bytes.max(CHECKPOINT_BYTES_MIN) {
            let mark = shard.mark();
            Some(postcard::to_stdvec(&(shard.state(), mark))?)
        } else {
            None
        };
        // After a whole mark this is nothing.
        let entry = postcard::to_stdvec(&(records, shard.mark_change()))?;
        let entry_bytes = entry.len();
        let mut batch = CommitBatch {
            shard: SHARD,
            seq,
            at: shard.market().now(),
            records: entry,
            mark: postcard::to_stdvec(&Place { cursor: self.cursor.clone() })?,
            checkpoint,
            equity: core::mem::take(&mut self.points),
            logs: core::mem::take(&mut self.logs),
            running,
            ..CommitBatch::default()
        };
        project(records, shard, &mut batch);
        let asker = |record: &Record| self.group.as_ref()?.asker(record, shard.state());
        let acts = acts::entries(records, asker, shard.state(), now);
        if !acts.is_empty() {
            // In the same transaction: no trade without its entry, no entry without its trade.
            let keys = self.runtime.block_on(self.witness.vault.of(&self.db))?;
            batch.audit = Some(audit::batch(&keys, acts));
        }
        self.runtime.block_on(self.db.commit(&batch))?;
        self.seq = seq;
        match &batch.checkpoint {
            Some(whole) => (self.tail_bytes, self.checkpoint_bytes) = (0, whole.len()),
            None => self.tail_bytes = self.tail_bytes.saturating_add(entry_bytes),
        }
        Ok(())
    }
}

impl Journal {
    /// What a person has to look at is said aloud, beside the audit log that has it too.
    fn alert(&self, record: &Record) {
        let tenant = self.db.tenant().0;
        match record {
            Record::Disputed(dispute) => tracing::error!(
                tenant, kind = dispute.kind.name(), order = %dispute.order, execution = %dispute.execution,
                lots = %dispute.lots, price = %dispute.price, booked = dispute.kind.is_booked(),
                "a venue did something other than it was asked to: compare its statement with the account's"
            ),
            Record::Asked { account, order, asking, .. } if asking.is_given_up() => tracing::error!(
                tenant, %account, %order, tries = asking.tries,
                "a venue does not say what became of an order: the account takes no new orders until it does"
            ),
            _ => {}
        }
    }
}

impl Commit for Journal {
    type Error = CommitError;

    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), CommitError> {
        self.points.extend_from_slice(&effects.points);
        self.logs.extend(effects.logs.iter().map(|(deployment, at, text)| line(*deployment, *at, text.clone())));
        self.differences.extend_from_slice(&effects.differences);
        let waiting = self.points.len() + self.logs.len() + self.differences.len();
        if effects.records.is_empty() && waiting < WAITING_MAX {
            return Ok(());
        }
        self.write(shard, &effects.records, false)?;
        effects.records.iter().for_each(|record| self.alert(record));
        if let Some(group) = &mut self.group {
            group.take(&effects.records, shard.state());
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
            Record::PositionOpened(position) | Record::PositionChanged(position) | Record::PositionClosed(position) => {
                batch.positions.push(position.clone())
            }
            Record::Moved(transaction) => {
                accounts.insert(transaction.account());
                batch.transactions.push(transaction.clone());
            }
            Record::DayBegan { .. }
            | Record::DaysKept { .. }
            | Record::Assessed { .. }
            | Record::MarginCalled { .. }
            | Record::KillPressed(_)
            | Record::KillReleased { .. }
            | Record::Routed { .. }
            | Record::Executed { .. }
            | Record::Asked { .. }
            | Record::Answered { .. }
            | Record::Disputed(_) => {}
            Record::Switched(switch) => {
                deployments.insert(switch.deployment);
                batch.running.switches.push(switch.clone());
            }
            Record::ShadowStarted { deployment, plugin, at } => {
                let shadow = Shadow { plugin: plugin.clone(), since: *at };
                batch.running.shadows.push(ShadowStep::Started(*deployment, shadow));
            }
            Record::ShadowEnded { deployment, end, at } => {
                batch.running.shadows.push(ShadowStep::Ended(*deployment, end.clone(), *at));
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::account::AccountStatus;

    fn changed(account: i64) -> Record {
        Record::AccountChanged { account: AccountId(account), status: AccountStatus::Active, at: Millis(0) }
    }

    #[test]
    fn a_group_holds_one_command_an_account() {
        let asker = || Asker::system("test");
        let mut group = Group::default();
        assert!(group.admits(None) && group.admits(Some(AccountId(1))));
        group.join(asker(), Some(AccountId(1)));
        assert!(group.admits(Some(AccountId(2))));
        assert!(!group.admits(Some(AccountId(1))), "it must find its account as it would alone");
        assert!(!group.admits(None), "what concerns no single account goes alone");
        let mut alone = Group::default();
        alone.join(asker(), None);
        assert!(!alone.admits(Some(AccountId(1))) && !alone.admits(None));
    }

    #[test]
    fn each_asker_is_told_what_came_of_their_own_command() {
        let mut group = Group::default();
        group.join(Asker::system("first"), Some(AccountId(1)));
        group.join(Asker::system("second"), Some(AccountId(2)));
        let state = State::default();
        group.take(&[changed(2), changed(1), changed(3)], &state);
        assert_eq!(group.asker(&changed(2), &state), Some(&Asker::system("second")));
        assert_eq!(group.asker(&changed(3), &state), None, "nobody asked for what happened elsewhere");
        assert_eq!(group.into_records(), [vec![changed(1)], vec![changed(2)]]);
        let mut alone = Group::default();
        alone.join(Asker::system("kill"), None);
        alone.take(&[changed(7)], &state);
        assert_eq!(alone.into_records(), [vec![changed(7)]], "all that follows from one command is its own");
    }
}
