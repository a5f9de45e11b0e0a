//! Makes what a shard decided durable: records, mark and projections in one transaction, then shows it.

use super::{acts, group::Group, meter::Meter, view::Live};
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
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};
use tokio::{
    runtime::Handle,
    sync::{broadcast, oneshot},
    task::JoinHandle,
};

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
    #[error("a commit was broken off, or the one before it failed; the journal says what is durable")]
    Lost,
}

/// What the audit log of a desk needs.
#[derive(Clone)]
pub(super) struct Witness {
    pub vault: Vault,
    pub clock: Clock,
}

/// An entry that is being written.
struct UnderWay {
    writing: JoinHandle<Result<(), CommitError>>,
    /// Says that it is durable, or closes. The entry after it waits for that.
    durable: Option<oneshot::Receiver<()>>,
    entry: Entered,
}

/// What is known of an entry before it is written.
struct Entered {
    seq: i64,
    records: Arc<Vec<Record>>,
}

/// Makes an entry ready while the one before it is being written, and writes it once that is durable. When that fails, the
/// database never hears of this one. Where none is, nothing is gained by making it ready first.
async fn write(
    db: TenantDb,
    batch: CommitBatch,
    before: Option<oneshot::Receiver<()>>,
    durable: oneshot::Sender<()>,
) -> Result<(), CommitError> {
    let prepared = match before {
        None => db.prepare_at_once(batch)?,
        Some(before) => {
            let prepared = db.prepare(batch)?;
            before.await.map_err(|_| CommitError::Lost)?;
            prepared
        }
    };
    db.commit_prepared(prepared).await?;
    // No entry may follow.
    let _ = durable.send(());
    Ok(())
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
    pub group: Group,
    /// What was begun, oldest first; where effects needed no entry, none.
    under_way: VecDeque<Option<UnderWay>>,
    witness: Witness,
    points: Vec<EquityPoint>,
    logs: Vec<LogLine>,
    differences: Vec<Difference>,
    meter: Meter,
    /// Bytes of the entries since the last checkpoint, and of that, when all that was begun is durable.
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
            group: Group::default(),
            under_way: VecDeque::new(),
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
        self.commit_now(shard, &[], true)
    }

    /// Answers the commands of which all that came is durable, of a shard where these records are in no entry yet.
    pub fn answer(&mut self, ahead: &[Record], shard: &Shard) {
        self.group.answer(self.seq, ahead, shard.state());
    }

    /// Makes an entry durable, when nothing is under way.
    fn commit_now(&mut self, shard: &mut Shard, records: &[Record], flushed: bool) -> Result<(), CommitError> {
        debug_assert!(self.under_way.is_empty(), "entries become durable in their order");
        let (batch, entry) = self.next_entry(shard, records, flushed)?;
        let prepared = self.db.prepare_at_once(batch)?;
        self.runtime.block_on(self.db.commit_prepared(prepared))?;
        self.entered(entry);
        Ok(())
    }

    /// The last entry that was begun.
    fn begun(&self) -> i64 {
        self.under_way.iter().flatten().next_back().map_or(self.seq, |last| last.entry.seq)
    }

    /// What is to be written next of a shard in which these records happened.
    fn next_entry(
        &mut self,
        shard: &mut Shard,
        records: &[Record],
        flushed: bool,
    ) -> Result<(CommitBatch, Entered), CommitError> {
        let (seq, now) = (self.begun() + 1, self.witness.clock.now());
        let running = RunningBatch {
            compared: shard.take_compared().into_iter().collect(),
            differences: core::mem::take(&mut self.differences),
            usage: self.meter.take(shard, now, flushed),
            ..RunningBatch::default()
        };
        // Whoever stops everybody does not wait for it, but right after a start: a later entry has it.
        let waits = self.group.is_alone() && self.tail_bytes < usize::MAX;
        let due = self.tail_bytes > self.checkpoint_bytes.max(CHECKPOINT_BYTES_MIN) && !waits;
        let checkpoint = if due {
            let mark = shard.mark();
            Some(postcard::to_stdvec(&(shard.state(), mark))?)
        } else {
            None
        };
        // After a whole mark this is nothing.
        let entry = postcard::to_stdvec(&(records, shard.mark_change()))?;
        match &checkpoint {
            Some(whole) => (self.tail_bytes, self.checkpoint_bytes) = (0, whole.len()),
            None => self.tail_bytes = self.tail_bytes.saturating_add(entry.len()),
        }
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
        let asker = |record: &Record| self.group.asker(record, shard.state());
        let acts = acts::entries(records, asker, shard.state(), now);
        if !acts.is_empty() {
            // In the same transaction: no trade without its entry, no entry without its trade.
            let keys = self.runtime.block_on(self.witness.vault.of(&self.db))?;
            batch.audit = Some(audit::batch(&keys, acts));
        }
        self.group.take(seq, records, shard.state());
        Ok((batch, Entered { seq, records: Arc::new(records.to_vec()) }))
    }

    /// An entry is durable: whoever watches may see it.
    fn entered(&mut self, entry: Entered) {
        self.seq = entry.seq;
        entry.records.iter().for_each(|record| self.alert(record));
        // Nobody watching is no fault.
        let _ = self.live.send(Live::Committed(entry.records));
    }

    /// Keeps what only people see for the next commit; answers whether there is reason for one.
    fn is_worth_it(&mut self, effects: &Effects) -> bool {
        self.points.extend_from_slice(&effects.points);
        self.logs.extend(effects.logs.iter().map(|(deployment, at, text)| line(*deployment, *at, text.clone())));
        self.differences.extend_from_slice(&effects.differences);
        let waiting = self.points.len() + self.logs.len() + self.differences.len();
        !effects.records.is_empty() || waiting >= WAITING_MAX
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
        if self.is_worth_it(effects) { self.commit_now(shard, &effects.records, false) } else { Ok(()) }
    }

    fn begin(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), CommitError> {
        let begun = if self.is_worth_it(effects) {
            let (batch, entry) = self.next_entry(shard, &effects.records, false)?;
            let before = self.under_way.iter_mut().flatten().next_back().and_then(|before| before.durable.take());
            let (said, durable) = oneshot::channel();
            let writing = self.runtime.spawn(write(self.db.clone(), batch, before, said));
            Some(UnderWay { writing, durable: Some(durable), entry })
        } else {
            None
        };
        self.under_way.push_back(begun);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CommitError> {
        let Some(Some(UnderWay { writing, entry, .. })) = self.under_way.pop_front() else { return Ok(()) };
        self.runtime.block_on(writing).map_err(|_| CommitError::Lost)??;
        self.entered(entry);
        Ok(())
    }
}

impl Drop for Journal {
    /// What was begun comes to its end before the next session reads the journal: it finds all of an entry there, or none
    /// of it, and nothing is written behind its back.
    fn drop(&mut self) {
        for UnderWay { writing, .. } in self.under_way.drain(..).flatten() {
            let _ = self.runtime.block_on(writing);
        }
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
    use crate::testing::TestStore;

    fn step(seq: i64) -> CommitBatch {
        CommitBatch { shard: SHARD, seq, ..CommitBatch::default() }
    }

    async fn bench() -> (TestStore, TenantDb) {
        let test = TestStore::with_demo(&[]).await;
        let tenant = test.system().tenants().await.unwrap().remove(0).id;
        let db = test.system().tenant_db(tenant);
        (test, db)
    }

    #[tokio::test]
    async fn an_entry_waits_for_the_one_before_it() {
        let (_test, db) = bench().await;
        let (said, first) = oneshot::channel();
        let (said_too, second) = oneshot::channel();
        let later = tokio::spawn(write(db.clone(), step(2), Some(first), said_too));
        write(db.clone(), step(1), None, said).await.unwrap();
        later.await.unwrap().unwrap();
        second.await.unwrap();
        assert_eq!(db.load_shard(SHARD).await.unwrap().seq, 2);
    }

    #[tokio::test]
    async fn an_entry_after_one_that_failed_is_not_written() {
        let (_test, db) = bench().await;
        write(db.clone(), step(1), None, oneshot::channel().0).await.unwrap();
        let (said, failed) = oneshot::channel();
        let gap = write(db.clone(), step(5), None, said).await;
        assert!(matches!(gap, Err(CommitError::Store(StoreError::JournalConflict { .. }))), "{gap:?}");
        // Its number would fit.
        let (said, lost) = oneshot::channel();
        let next = write(db.clone(), step(2), Some(failed), said).await;
        assert!(matches!(next, Err(CommitError::Lost)), "{next:?}");
        assert!(lost.await.is_err(), "what would come after it is lost, too");
        assert_eq!(db.load_shard(SHARD).await.unwrap().seq, 1);
    }
}
