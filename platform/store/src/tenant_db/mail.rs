//! The queue of mail: what is to be sent, was sent, or cannot be.

use super::{TenantDb, one_time};
use crate::{
    codec,
    entity::mails::{Column, Entity},
    error::StoreError,
    page::{PAGE_MAX, Page, Paged},
    record::{MailStatus, OneTimeToken, QueuedMail},
};
use marque_domain::time::Millis;
use sea_orm::{
    ColumnTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{self, Expr},
};

/// Mails that may wait in one tenant's queue.
pub const MAILS_QUEUED_MAX: u64 = 10_000;

impl TenantDb {
    /// Puts a mail into the queue, together with the token that its link carries: both or neither. Answers whether
    /// there was room; a full queue takes nothing.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no user of the token; [`StoreError::Unavailable`].
    pub async fn queue_mail(&self, mail: &QueuedMail, token: Option<&OneTimeToken>) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let queued = tx.find::<Entity>().filter(Column::Status.eq(MailStatus::Queued.name()));
        if tx.one(queued.offset(MAILS_QUEUED_MAX.saturating_sub(1)).limit(1)).await?.is_some() {
            tx.end().await;
            return Ok(false);
        }
        match token {
            Some(token) => one_time::insert(&tx, token).await?,
            None => one_time::insert_nothing(&tx, mail.created_at).await?,
        }
        tx.insert::<Entity>(vec![codec::mail_row(mail, tx.tenant_id())], None).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// When the next mail is to be tried; none when none waits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_mail_at(&self) -> Result<Option<Millis>, StoreError> {
        let next = self.first(|tx| {
            tx.find::<Entity>()
                .filter(Column::Status.eq(MailStatus::Queued.name()))
                .order_by_asc(Column::NextAttemptAt)
                .limit(1)
        });
        Ok(next.await?.map(|row| Millis(row.next_attempt_at)))
    }

    /// Takes mails whose time has come, the longest due first, and counts the try. Until `lease_until` nobody else
    /// takes them; who dies meanwhile leaves them to be tried again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn take_due_mails(
        &self,
        now: Millis,
        lease_until: Millis,
        limit: u64,
    ) -> Result<Vec<QueuedMail>, StoreError> {
        let tx = self.write().await?;
        let due = tx
            .find::<Entity>()
            .filter(Column::Status.eq(MailStatus::Queued.name()))
            .filter(Column::NextAttemptAt.lte(now.0))
            .order_by_asc(Column::NextAttemptAt)
            .order_by_asc(Column::Id)
            .limit(limit);
        let mut taken = Vec::new();
        for row in tx.all(due).await? {
            // Another node may have read the same row; only one changes it.
            let claim = tx
                .update::<Entity>()
                .filter(Column::Id.eq(row.id))
                .filter(Column::Status.eq(MailStatus::Queued.name()))
                .filter(Column::NextAttemptAt.eq(row.next_attempt_at))
                .col_expr(Column::NextAttemptAt, Expr::val(lease_until.0))
                .col_expr(Column::Attempts, sea_query::ExprTrait::add(Expr::col(Column::Attempts), 1_i64));
            if tx.run_update(claim).await? == 1 {
                let mut mail = codec::mail(row)?;
                mail.attempts = mail.attempts.saturating_add(1);
                mail.next_attempt_at = lease_until;
                taken.push(mail);
            }
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Notes that a mail server took a mail, and forgets what it said.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn mail_sent(&self, id: i64, at: Millis) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(id))
            .col_expr(Column::Status, Expr::val(MailStatus::Sent.name()))
            .col_expr(Column::SentAt, Expr::val(Some(at.0)))
            .col_expr(Column::LastError, Expr::val(None::<String>))
            .col_expr(Column::Content, Expr::val(Vec::<u8>::new()));
        tx.run_update(update).await?;
        tx.commit().await
    }

    /// Notes that a try failed, and when the next one is; none is no next one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn mail_failed(&self, id: i64, error: &str, next: Option<Millis>) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let mut update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(id))
            .filter(Column::Status.eq(MailStatus::Queued.name()))
            .col_expr(Column::LastError, Expr::val(Some(error.to_owned())));
        update = match next {
            Some(at) => update.col_expr(Column::NextAttemptAt, Expr::val(at.0)),
            None => update.col_expr(Column::Status, Expr::val(MailStatus::Dead.name())),
        };
        tx.run_update(update).await?;
        tx.commit().await
    }

    /// Puts a dead mail back into the queue, to be tried at once. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn retry_mail(&self, id: i64, now: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(id))
            .filter(Column::Status.eq(MailStatus::Dead.name()))
            .col_expr(Column::Status, Expr::val(MailStatus::Queued.name()))
            .col_expr(Column::Attempts, Expr::val(0_i64))
            .col_expr(Column::NextAttemptAt, Expr::val(now.0));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(found)
    }

    /// Mails of one status, newest first, without what they say.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn mails(&self, status: MailStatus, page: Page) -> Result<Paged<QueuedMail>, StoreError> {
        let limit = page.bounded(PAGE_MAX);
        let found = self.every(|tx| {
            let rows = tx.find::<Entity>().filter(Column::Status.eq(status.name())).order_by_desc(Column::Id);
            let rows = match page.after {
                Some(after) => rows.filter(Column::Id.lt(after)),
                None => rows,
            };
            rows.limit(u64::try_from(limit).unwrap_or_default().saturating_add(1))
        });
        let open = |row| codec::mail(row).map(|mail| QueuedMail { content: Vec::new(), ..mail });
        Paged::cut(found.await?, limit, |row| row.id, open)
    }

    /// Removes mails that were sent before `before`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_sent_mails(&self, before: Millis) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let old = tx
            .delete::<Entity>()
            .filter(Column::Status.eq(MailStatus::Sent.name()))
            .filter(Column::SentAt.lt(before.0));
        let gone = tx.run_delete(old).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
