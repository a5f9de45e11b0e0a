//! Small writes of many requests, in one transaction.
//!
//! A write alone costs a transaction, and on SQLite writers follow one another. While one group is written the next gathers, so
//! groups grow with the load and nobody waits for a clock. No write is answered before it lasts, and one that fails does not
//! fail the others, whoever's they are.

use crate::{
    error::StoreError,
    scope::{Access, Pools, TenantTx},
};
use marque_domain::id::TenantId;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Writes in one transaction at most.
const TOGETHER_MAX: usize = 256;

/// Something to be written for a tenant.
pub(crate) trait Write: core::fmt::Debug + Send + Sync + 'static {
    /// What comes of it.
    type Done: core::fmt::Debug + Send + 'static;

    /// Its place among others of its tenant that are written with it: two servers that write the same rows in the same
    /// order do not wait for each other.
    fn place(&self) -> (i64, i64) {
        (0, 0)
    }

    /// Writes. [`StoreError::NotFound`] is an answer, before which nothing was written.
    fn write(&self, tx: &TenantTx) -> impl Future<Output = Result<Self::Done, StoreError>> + Send;
}

type Answer<W> = Result<<W as Write>::Done, StoreError>;

#[derive(Debug)]
struct Waiting<W: Write> {
    tenant: TenantId,
    write: W,
    answer: oneshot::Sender<Answer<W>>,
}

/// Writes that wait for the next transaction.
#[derive(Debug)]
pub(crate) struct Queue<W: Write> {
    waiting: Mutex<Vec<Waiting<W>>>,
    /// Who writes for all.
    turn: tokio::sync::Mutex<()>,
}

impl<W: Write> Default for Queue<W> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<W: Write> Queue<W> {
    fn join(&self, waiting: Waiting<W>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
    }

    fn take(&self) -> Vec<Waiting<W>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(TOGETHER_MAX);
        waiting.drain(..count).collect()
    }
}

/// Writes with whatever else waits in the queue; answers when it lasts.
pub(crate) async fn write<W: Write>(
    pools: &Arc<Pools>,
    queue: fn(&Pools) -> &Queue<W>,
    tenant: TenantId,
    write: W,
) -> Answer<W> {
    let (answer, answered) = oneshot::channel();
    queue(pools).join(Waiting { tenant, write, answer });
    let pools = Arc::clone(pools);
    // A task of its own: who takes the turn writes for others too, and may go away meanwhile.
    tokio::spawn(async move {
        let queue = queue(&pools);
        let _turn = queue.turn.lock().await;
        let mut group = queue.take();
        group.sort_by_key(|waiting| (waiting.tenant, waiting.write.place()));
        if !group.is_empty() {
            write_together(&pools, group).await;
        }
    });
    answered.await.unwrap_or_else(|gone| {
        let detail = "the task that wrote was ended".to_owned();
        Err(StoreError::Uncertain { detail, source: Box::new(gone) })
    })
}

async fn write_together<W: Write>(pools: &Pools, group: Vec<Waiting<W>>) {
    let (writes, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|w| ((w.tenant, w.write), w.answer)).unzip();
    match all(pools, &writes).await {
        // Who asked may have gone away.
        Ok(done) => done.into_iter().zip(answers).for_each(|(done, answer)| drop(answer.send(done))),
        // One of them cannot be written, which is nothing to the others.
        Err(error) if writes.len() > 1 && !is_of_all(&error) => {
            for (write, answer) in writes.iter().zip(answers) {
                let alone = all(pools, core::slice::from_ref(write)).await;
                let alone = alone.and_then(|mut done| done.pop().unwrap_or_else(|| Err(again(&error))));
                let _ = answer.send(alone);
            }
        }
        Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(again(&error))))),
    }
}

/// Whether it would meet each of them alone.
const fn is_of_all(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. } | StoreError::Uncertain { .. })
}

/// The same error for another who waited.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::BrokenReference(what) => StoreError::BrokenReference(what.clone()),
        StoreError::Conflict(what) => StoreError::Conflict(what.clone()),
        StoreError::Unavailable { detail, .. } => {
            StoreError::Unavailable { detail: detail.clone(), source: detail.clone().into() }
        }
        StoreError::Uncertain { detail, .. } => {
            StoreError::Uncertain { detail: detail.clone(), source: detail.clone().into() }
        }
        other => StoreError::Refused { detail: other.to_string(), source: other.to_string().into() },
    }
}

/// Writes all or nothing, for each tenant in its own name.
async fn all<W: Write>(pools: &Pools, writes: &[(TenantId, W)]) -> Result<Vec<Answer<W>>, StoreError> {
    let Some((first, _)) = writes.first() else { return Ok(Vec::new()) };
    let mut tx = pools.tenant(*first, Access::Write).await?;
    let mut done = Vec::with_capacity(writes.len());
    for (tenant, write) in writes {
        tx = tx.turned_to(*tenant).await?;
        done.push(match write.write(&tx).await {
            Err(error @ StoreError::NotFound(_)) => Err(error),
            other => Ok(other?),
        });
    }
    tx.commit().await?;
    Ok(done)
}
