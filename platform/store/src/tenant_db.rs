//! One tenant's rows: the only way to them.

mod access;
mod audit;
mod backtests;
mod catalogue;
mod credentials;
mod devices;
mod ea_files;
mod factors;
mod idempotency;
mod ledger;
mod licences;
mod linked;
mod lists;
mod mail;
mod offered;
mod one_time;
mod passkeys;
mod people;
mod registry;
mod roster;
mod running;
mod seats;
mod sso;
mod vault;

use crate::{
    commit::{self, CommitBatch, PreparedCommit},
    entity::{TenantEntity, shard_marks},
    error::StoreError,
    scope::{Access, Pools, TenantTx},
    shard::{self, ShardImage},
};
pub use audit::AUDIT_PAGE_MAX;
pub use backtests::{BACKTEST_ATTEMPTS_MAX, BACKTESTS_UNFINISHED_MAX};
pub use credentials::Registered;
pub use ea_files::EA_FILES_MAX;
pub use idempotency::KeyUse;
pub use ledger::{STATEMENT_PAGE_MAX, StatementLine};
pub use licences::LicenceFilter;
pub use linked::{SSO_IDENTITIES_MAX, Unlinked};
pub use lists::EQUITY_PAGE_MAX;
pub use mail::MAILS_QUEUED_MAX;
use marque_domain::id::TenantId;
pub use one_time::TOKENS_OF_A_KIND_MAX;
pub use passkeys::PASSKEYS_MAX;
pub use people::SESSIONS_MAX;
pub use registry::{AUTHOR_KEYS_MAX, RELEASES_MAX, RELEASES_PENDING_MAX};
pub use roster::{PeopleFilter, Standing};
pub use running::USAGE_LIST_MAX;
use sea_orm::{QueryOrder, QuerySelect as _, Select};
pub use seats::{EVENTS_PAGE_MAX, SEATS_KEPT_MAX};
pub use sso::SSO_LIST_MAX;
use std::sync::Arc;

/// The rows of one tenant. Nothing it does can see or touch another's. Cloning is cheap.
///
/// It comes only from [`crate::SystemDb::tenant_db`].
#[derive(Debug, Clone)]
pub struct TenantDb {
    pools: Arc<Pools>,
    tenant: TenantId,
}

impl TenantDb {
    pub(crate) const fn new(pools: Arc<Pools>, tenant: TenantId) -> Self {
        Self { pools, tenant }
    }

    /// Whose rows these are.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The first of the rows that `choose` picks, in a transaction of its own.
    async fn first<E: TenantEntity>(
        &self,
        choose: impl FnOnce(&TenantTx) -> Select<E> + Send,
    ) -> Result<Option<E::Model>, StoreError> {
        let tx = self.read().await?;
        let row = tx.one(choose(&tx)).await?;
        tx.end().await;
        Ok(row)
    }

    /// Every row that `choose` picks, in a transaction of its own.
    async fn every<E: TenantEntity>(
        &self,
        choose: impl FnOnce(&TenantTx) -> Select<E> + Send,
    ) -> Result<Vec<E::Model>, StoreError> {
        let tx = self.read().await?;
        let rows = tx.all(choose(&tx)).await?;
        tx.end().await;
        Ok(rows)
    }

    async fn read(&self) -> Result<TenantTx, StoreError> {
        self.pools.tenant(self.tenant, Access::Read).await
    }

    async fn snapshot(&self) -> Result<TenantTx, StoreError> {
        self.pools.tenant(self.tenant, Access::Snapshot).await
    }

    async fn write(&self) -> Result<TenantTx, StoreError> {
        self.pools.tenant(self.tenant, Access::Write).await
    }

    /// Makes one step of a shard last: its journal entry, its mark, and every projection, or none of it. When this
    /// answers `Ok` the step survives a crash. One who has another step to think of meanwhile makes it ready with
    /// [`Self::prepare`] and then calls [`Self::commit_prepared`].
    ///
    /// # Errors
    /// Those of [`Self::prepare`] and [`Self::commit_prepared`].
    pub async fn commit(&self, batch: &CommitBatch) -> Result<(), StoreError> {
        self.commit_prepared(self.prepare_at_once(batch.clone())?).await
    }

    /// Makes a step ready to be written: its rows become statements. The database is not asked, so this can be done while
    /// the step before is being written.
    ///
    /// # Errors
    /// When something in it has no stored form.
    pub fn prepare(&self, batch: CommitBatch) -> Result<PreparedCommit, StoreError> {
        commit::prepare(&self.pools.preparation(self.tenant), batch)
    }

    /// As [`Self::prepare`], for a step that is written at once, since none before it is being written: its rows become
    /// statements while the database works on those before them.
    ///
    /// # Errors
    /// When something in it has no stored form.
    pub fn prepare_at_once(&self, batch: CommitBatch) -> Result<PreparedCommit, StoreError> {
        commit::prepare(&self.pools.preparation(self.tenant).at_once(), batch)
    }

    /// As [`Self::commit`], of a step that this tenant's [`Self::prepare`] made ready.
    ///
    /// # Errors
    /// [`StoreError::JournalConflict`] when its number does not follow the last entry: another process writes to the
    /// shard, and this one must stop. [`StoreError::Unbalanced`] and [`StoreError::BalanceMismatch`] when the books
    /// would not add up, [`StoreError::BrokenReference`], also for a step of another tenant, [`StoreError::Conflict`],
    /// [`StoreError::Unavailable`]. After [`StoreError::Uncertain`] the shard must be loaded again: the step may have
    /// lasted.
    pub async fn commit_prepared(&self, prepared: PreparedCommit) -> Result<(), StoreError> {
        let tx = self.write().await?;
        commit::write(&tx, prepared).await?;
        tx.commit().await
    }

    /// What a shard recovers from; of a shard that never committed, an empty image.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when an entry is missing, [`StoreError::Unavailable`].
    pub async fn load_shard(&self, shard: u32) -> Result<ShardImage, StoreError> {
        let tx = self.snapshot().await?;
        let image = shard::load(&tx, shard).await?;
        tx.end().await;
        Ok(image)
    }

    /// The shards that ever committed, in order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn shards(&self) -> Result<Vec<u32>, StoreError> {
        let tx = self.read().await?;
        let marks = tx.find::<shard_marks::Entity>().order_by_asc(shard_marks::Column::Shard);
        let shards = tx.tuples::<_, (i64,)>(marks.select_only().column(shard_marks::Column::Shard)).await?;
        tx.end().await;
        let shards = shards.into_iter().map(|(shard,)| u32::try_from(shard));
        shards.collect::<Result<_, _>>().map_err(|fault| StoreError::corrupt("shard", fault))
    }
}
