//! Requests that may be sent twice and must count once.

use super::TenantDb;
use crate::{entity::idempotency, error::StoreError, keys::KeyWrite, together};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{ColumnTrait, QueryFilter};

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
        self.write_key(KeyWrite::Begin { user, key: key.to_owned(), request, at }).await
    }

    /// Keeps the answer to the request that took the key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the key is not taken or has an answer; [`StoreError::Unavailable`].
    pub async fn finish_key(&self, user: UserId, key: &str, status: u16, body: &[u8]) -> Result<(), StoreError> {
        self.write_key(KeyWrite::Finish { user, key: key.to_owned(), status, body: body.to_vec() }).await.map(drop)
    }

    /// Gives a key back when its request changed nothing, so that it may be tried again. An answered key stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_key(&self, user: UserId, key: &str) -> Result<(), StoreError> {
        self.write_key(KeyWrite::Release { user, key: key.to_owned() }).await.map(drop)
    }

    async fn write_key(&self, write: KeyWrite) -> Result<KeyUse, StoreError> {
        together::write(&self.pools, |pools| &pools.keys, self.tenant, write).await
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
