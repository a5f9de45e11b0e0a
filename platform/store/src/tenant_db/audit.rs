//! The audit log: appended to, read, walked through from its beginning.

use super::TenantDb;
use crate::{
    audit::{append, decode, head},
    entity::audit_entries::{self, Column as C, Entity},
    error::StoreError,
    page::{Page, Paged},
    record::{AuditBatch, AuditFilter, AuditHead, AuditRow},
};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Select};

/// The largest page of the audit log: an export reads it in these.
pub const AUDIT_PAGE_MAX: u32 = 1_000;

impl TenantDb {
    /// Appends to the audit log, in a transaction of its own.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the log's head is not genuine, [`StoreError::Unavailable`].
    pub async fn append_audit(&self, batch: &AuditBatch) -> Result<(), StoreError> {
        let tx = self.write().await?;
        append(&tx, batch).await?;
        tx.commit().await
    }

    /// The entries that a filter chooses, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit(&self, filter: &AuditFilter, page: Page) -> Result<Paged<AuditRow>, StoreError> {
        let limit = page.bounded(AUDIT_PAGE_MAX);
        let rows = self.every(|tx| {
            let mut rows = chosen(tx.find::<Entity>(), filter);
            if let Some(after) = page.after {
                rows = rows.filter(C::Seq.lt(after));
            }
            rows.order_by_desc(C::Seq).limit(u64::try_from(limit + 1).unwrap_or(u64::MAX))
        });
        Paged::cut(rows.await?, limit, |row| row.seq, |row| Ok(decode(row)))
    }

    /// Shows every entry to `visit`, oldest first, and answers the head: all at one instant.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn walk_audit(&self, mut visit: impl FnMut(AuditRow) + Send) -> Result<Option<AuditHead>, StoreError> {
        let tx = self.snapshot().await?;
        let found = head(&tx).await?;
        let mut last = None;
        loop {
            let mut page = tx.find::<Entity>().order_by_asc(C::Seq).limit(u64::from(AUDIT_PAGE_MAX));
            if let Some(last) = last {
                page = page.filter(C::Seq.gt(last));
            }
            let rows: Vec<audit_entries::Model> = tx.all(page).await?;
            let Some(end) = rows.last().map(|row| row.seq) else { break };
            last = Some(end);
            rows.into_iter().for_each(|row| visit(decode(row)));
        }
        tx.end().await;
        Ok(found)
    }

    /// How far the audit log goes; none when it was never begun.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        let tx = self.read().await?;
        let found = head(&tx).await?;
        tx.end().await;
        Ok(found)
    }
}

fn chosen(mut rows: Select<Entity>, filter: &AuditFilter) -> Select<Entity> {
    if let Some(act) = &filter.act {
        rows = rows.filter(C::Act.eq(act));
    }
    if let Some(actor) = &filter.actor {
        let mut any = Condition::any().add(C::ActorName.eq(&actor.name));
        if let Some(id) = actor.id {
            any = any.add(C::ActorId.eq(id.0));
        }
        rows = rows.filter(any);
    }
    if let Some(from) = filter.from {
        rows = rows.filter(C::At.gte(from.0));
    }
    if let Some(until) = filter.until {
        rows = rows.filter(C::At.lt(until.0));
    }
    rows
}
