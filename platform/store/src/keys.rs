//! The writes of idempotency keys, those of many requests in one transaction.
//!
//! Each request that counts once writes its key twice, and each write waits for the disk. Requests that come while
//! another's write is under way would wait in a row; here they are written together by the next transaction. None is
//! answered before it lasts, and one that fails does not fail the others.

use crate::{
    entity::idempotency,
    error::StoreError,
    scope::{Access, Pools, TenantTx},
    tenant_db::KeyUse,
};
use marque_domain::{
    id::{TenantId, UserId},
    time::Millis,
};
use sea_orm::{
    ColumnTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Writes in one transaction at most.
const TOGETHER_MAX: usize = 256;

/// What is written of a key.
#[derive(Debug, Clone)]
pub(crate) enum KeyWrite {
    /// It is taken by a request.
    Begin { user: UserId, key: String, request: [u8; 32], at: Millis },
    /// Its request was answered.
    Finish { user: UserId, key: String, status: u16, body: Vec<u8> },
    /// Its request changed nothing.
    Release { user: UserId, key: String },
}

type Answer = Result<KeyUse, StoreError>;

#[derive(Debug)]
struct Waiting {
    tenant: TenantId,
    write: KeyWrite,
    answer: oneshot::Sender<Answer>,
}

/// Writes that wait for the next transaction.
#[derive(Debug, Default)]
pub(crate) struct KeyQueue {
    waiting: Mutex<Vec<Waiting>>,
    /// Who writes for all.
    turn: tokio::sync::Mutex<()>,
}

impl KeyQueue {
    fn join(&self, waiting: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
    }

    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(TOGETHER_MAX);
        waiting.drain(..count).collect()
    }
}

/// Writes with whatever else waits; answers when it lasts.
pub(crate) async fn write(pools: &Arc<Pools>, tenant: TenantId, write: KeyWrite) -> Answer {
    let (answer, answered) = oneshot::channel();
    pools.keys.join(Waiting { tenant, write, answer });
    let pools = Arc::clone(pools);
    // A task of its own: who takes the turn writes for others too, and may go away meanwhile.
    tokio::spawn(async move {
        let _turn = pools.keys.turn.lock().await;
        let mut tenants: BTreeMap<TenantId, Vec<Waiting>> = BTreeMap::new();
        for waiting in pools.keys.take() {
            tenants.entry(waiting.tenant).or_default().push(waiting);
        }
        for (tenant, waiting) in tenants {
            write_together(&pools, tenant, waiting).await;
        }
    });
    answered.await.unwrap_or_else(|gone| {
        let detail = "the task that wrote was ended".to_owned();
        Err(StoreError::Uncertain { detail, source: Box::new(gone) })
    })
}

async fn write_together(pools: &Pools, tenant: TenantId, waiting: Vec<Waiting>) {
    let (writes, answers): (Vec<KeyWrite>, Vec<_>) = waiting.into_iter().map(|w| (w.write, w.answer)).unzip();
    let outcome = match all(pools, tenant, &writes).await {
        // One of them cannot be written, which is nothing to the others.
        Err(error) if writes.len() > 1 && !is_of_all(&error) => {
            for (write, answer) in writes.iter().zip(answers) {
                let alone = all(pools, tenant, core::slice::from_ref(write)).await;
                // Who asked may have gone away.
                let _ = answer.send(alone.and_then(|mut done| done.pop().unwrap_or(Ok(KeyUse::Fresh))));
            }
            return;
        }
        outcome => outcome,
    };
    match outcome {
        Ok(done) => done.into_iter().zip(answers).for_each(|(done, answer)| drop(answer.send(done))),
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

/// Writes all or nothing. That a key is not there is an answer, and no reason to undo the others.
async fn all(pools: &Pools, tenant: TenantId, writes: &[KeyWrite]) -> Result<Vec<Answer>, StoreError> {
    let tx = pools.tenant(tenant, Access::Write).await?;
    let mut done = Vec::with_capacity(writes.len());
    for write in writes {
        done.push(match one(&tx, write).await {
            Err(error @ StoreError::NotFound(_)) => Err(error),
            other => Ok(other?),
        });
    }
    tx.commit().await?;
    Ok(done)
}

async fn one(tx: &TenantTx, write: &KeyWrite) -> Answer {
    use idempotency::{Column as C, Entity};
    match write {
        KeyWrite::Begin { user, key, request, at } => begin(tx, *user, key, request, *at).await,
        KeyWrite::Finish { user, key, status, body } => {
            let update = tx
                .update::<Entity>()
                .filter(C::UserId.eq(user.0))
                .filter(C::Key.eq(key))
                .filter(C::Status.is_null())
                .col_expr(C::Status, Expr::val(i64::from(*status)))
                .col_expr(C::Body, Expr::val(body.clone()));
            if tx.run_update(update).await? == 0 {
                return Err(StoreError::NotFound("idempotency key"));
            }
            Ok(KeyUse::Fresh)
        }
        KeyWrite::Release { user, key } => {
            let mine = tx.delete::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Key.eq(key));
            tx.run_delete(mine.filter(C::Status.is_null())).await?;
            Ok(KeyUse::Fresh)
        }
    }
}

async fn begin(tx: &TenantTx, user: UserId, key: &str, request: &[u8; 32], at: Millis) -> Answer {
    use idempotency::{Column as C, Entity, Model};
    let row = Model {
        tenant_id: tx.tenant_id(),
        user_id: user.0,
        key: key.to_owned(),
        request_hash: request.to_vec(),
        status: None,
        body: None,
        created_at: at.0,
    };
    let keep = OnConflict::columns([C::TenantId, C::UserId, C::Key]).do_nothing().to_owned();
    if tx.insert::<Entity>(vec![row], Some(keep)).await? == 1 {
        return Ok(KeyUse::Fresh);
    }
    let held = tx.find::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Key.eq(key));
    let held = tx.one(held).await?.ok_or(StoreError::NotFound("idempotency key"))?;
    if held.request_hash != request {
        return Ok(KeyUse::Mismatch);
    }
    let Some(status) = held.status else { return Ok(KeyUse::Pending { since: Millis(held.created_at) }) };
    let status = u16::try_from(status).map_err(|fault| StoreError::corrupt("idempotency key", fault))?;
    Ok(KeyUse::Answered { status, body: held.body.unwrap_or_default() })
}
