//! Requests that may be sent twice and must count once.

use super::TenantDb;
use crate::{entity::idempotency, error::StoreError};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{
    ColumnTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};

/// What is known of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyUse {
    /// Nothing: it is now taken by this request, which must end with [`TenantDb::finish_key`] or
    /// [`TenantDb::release_key`].
    Fresh,
    /// The same request has taken it and has no answer yet, or was cut off by a crash.
    Pending {
        /// Since when.
        since: Millis,
    },
    /// The same request was answered like this.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: Vec<u8>,
    },
    /// Another request has taken it.
    Mismatch,
}

impl TenantDb {
    /// Takes a key for a request, known by a hash of its method, path and body. Of many at once, one gets
    /// [`KeyUse::Fresh`].
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Unavailable`].
    pub async fn begin_key(
        &self,
        user: UserId,
        key: &str,
        request: [u8; 32],
        at: Millis,
    ) -> Result<KeyUse, StoreError> {
        use idempotency::{Column as C, Entity, Model};
        let tx = self.write().await?;
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
            tx.commit().await?;
            return Ok(KeyUse::Fresh);
        }
        let held = tx.find::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Key.eq(key));
        let held = tx.one(held).await?.ok_or(StoreError::NotFound("idempotency key"))?;
        tx.end().await;
        if held.request_hash != request {
            return Ok(KeyUse::Mismatch);
        }
        let Some(status) = held.status else { return Ok(KeyUse::Pending { since: Millis(held.created_at) }) };
        let status = u16::try_from(status).map_err(|fault| StoreError::corrupt("idempotency key", fault))?;
        Ok(KeyUse::Answered { status, body: held.body.unwrap_or_default() })
    }

    /// Keeps the answer to the request that took the key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the key is not taken or has an answer; [`StoreError::Unavailable`].
    pub async fn finish_key(&self, user: UserId, key: &str, status: u16, body: &[u8]) -> Result<(), StoreError> {
        use idempotency::{Column as C, Entity};
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(C::UserId.eq(user.0))
            .filter(C::Key.eq(key))
            .filter(C::Status.is_null())
            .col_expr(C::Status, Expr::val(i64::from(status)))
            .col_expr(C::Body, Expr::val(body.to_vec()));
        if tx.run_update(update).await? == 0 {
            return Err(StoreError::NotFound("idempotency key"));
        }
        tx.commit().await
    }

    /// Gives a key back when its request changed nothing, so that it may be tried again. An answered key stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_key(&self, user: UserId, key: &str) -> Result<(), StoreError> {
        use idempotency::{Column as C, Entity};
        let tx = self.write().await?;
        let mine = tx.delete::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Key.eq(key));
        tx.run_delete(mine.filter(C::Status.is_null())).await?;
        tx.commit().await
    }

    /// Forgets keys taken before `before`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_keys(&self, before: Millis) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let old = tx.delete::<idempotency::Entity>().filter(idempotency::Column::CreatedAt.lt(before.0));
        let gone = tx.run_delete(old).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
