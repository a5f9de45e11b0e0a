//! The audit log's chain: each entry's MAC covers the one before, and the head says how many there are.

use crate::{
    entity::{audit_entries, audit_heads},
    error::StoreError,
    record::{AuditBatch, AuditEntry, AuditHead, AuditRow, AuditSeal},
    scope::TenantTx,
};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{
    QuerySelect as _,
    sea_query::{Expr, OnConflict},
};

/// The MAC before the first entry.
const GENESIS: [u8; 32] = [0; 32];

/// Entries in one transaction at most. A step of a shard has a handful, and one on which ten thousand strategies
/// act two for each.
const ENTRIES_MAX: usize = 100_000;

/// Entries that are sealed at a time, while those before them are being written.
const SEALED_TOGETHER: usize = 64;

/// Writes the head of an empty log, once.
pub(crate) async fn begin(tx: &TenantTx, seal: &dyn AuditSeal) -> Result<(), StoreError> {
    use audit_heads::{Column as C, Entity, Model};
    let head_mac = seal.head(0, &GENESIS).to_vec();
    let row = Model { tenant_id: tx.tenant_id(), seq: 0, mac: GENESIS.to_vec(), head_mac };
    let keep = OnConflict::column(C::TenantId).do_nothing().to_owned();
    tx.insert::<Entity>(vec![row], Some(keep)).await?;
    Ok(())
}

/// The head, if the log was begun.
pub(crate) async fn head(tx: &TenantTx) -> Result<Option<AuditHead>, StoreError> {
    Ok(tx.one(tx.find::<audit_heads::Entity>()).await?.map(head_of))
}

fn head_of(row: audit_heads::Model) -> AuditHead {
    AuditHead { seq: row.seq, mac: row.mac, head_mac: row.head_mac }
}

/// Appends to the log. Whoever else appends waits until this transaction ends.
pub(crate) async fn append(tx: &TenantTx, batch: &AuditBatch) -> Result<(), StoreError> {
    use audit_heads::{Column as C, Entity};
    if batch.entries.is_empty() {
        return Ok(());
    }
    if batch.entries.len() > ENTRIES_MAX {
        return Err(StoreError::corrupt("audit log", format!("a step of more than {ENTRIES_MAX} entries")));
    }
    // The lock is PostgreSQL's; SQLite has one writer.
    let head = tx.one(tx.find::<Entity>().lock_exclusive()).await?.map(head_of);
    let seal = batch.seal.as_ref();
    // Going on from a head that somebody else wrote would make it ours, and hide what was cut off.
    let head = head.filter(|head| seal.is_genuine(head)).ok_or_else(|| {
        StoreError::corrupt("audit log", "its head is missing or was changed; `marque audit verify` says more")
    })?;
    let (mut seq, mut mac) = (head.seq, head.mac);
    let mut parts = batch.entries.chunks(SEALED_TOGETHER);
    let mut sealed = || {
        let rows = parts.next()?.iter().map(|entry| {
            seq += 1;
            mac = seal.entry(seq, &mac, entry).to_vec();
            row(tx.tenant_id(), seq, entry, mac.clone())
        });
        Some(rows.collect::<Vec<_>>())
    };
    let mut made = sealed();
    while let Some(rows) = made {
        let (written, following) = tokio::join!(tx.insert::<audit_entries::Entity>(rows, None), async { sealed() });
        written?;
        made = following;
    }
    let head_mac = seal.head(seq, &mac).to_vec();
    let update = tx
        .update::<Entity>()
        .col_expr(C::Seq, Expr::val(seq))
        .col_expr(C::Mac, Expr::val(mac))
        .col_expr(C::HeadMac, Expr::val(head_mac));
    tx.run_update(update).await?;
    Ok(())
}

fn row(tenant_id: i64, seq: i64, entry: &AuditEntry, mac: Vec<u8>) -> audit_entries::Model {
    audit_entries::Model {
        tenant_id,
        seq,
        at: entry.at.0,
        actor_kind: entry.actor_kind.clone(),
        actor_id: entry.actor.map(|user| user.0),
        actor_name: entry.actor_name.clone(),
        act: entry.act.clone(),
        target: entry.target.clone(),
        details: entry.details.clone(),
        address: entry.address.clone(),
        agent: entry.agent.clone(),
        mac,
    }
}

/// An entry as it was written.
pub(crate) fn decode(row: audit_entries::Model) -> AuditRow {
    AuditRow {
        seq: row.seq,
        entry: AuditEntry {
            at: Millis(row.at),
            actor_kind: row.actor_kind,
            actor: row.actor_id.map(UserId),
            actor_name: row.actor_name,
            act: row.act,
            target: row.target,
            details: row.details,
            address: row.address,
            agent: row.agent,
        },
        mac: row.mac,
    }
}
