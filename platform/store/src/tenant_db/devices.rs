//! Browsers that people have signed in with, and from where.

use super::TenantDb;
use crate::{
    entity::{devices, sessions},
    error::StoreError,
    record::{MetDevice, SeenDevice, TokenHash},
};
use devices::{Column as C, Entity};
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use sea_orm::{
    ColumnTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

/// Browsers that are remembered of one person; of more the one that was used longest ago is forgotten.
const DEVICES_MAX: u64 = 50;

impl TenantDb {
    /// Notes that somebody signed in with a browser in this session.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Unavailable`].
    pub async fn meet_device(
        &self,
        seen: &SeenDevice,
        session: SessionId,
        now: Millis,
    ) -> Result<MetDevice, StoreError> {
        let tx = self.write().await?;
        let mine = || tx.find::<Entity>().filter(C::UserId.eq(seen.user.0));
        let is_first = tx.one(mine().limit(1)).await?.is_none();
        let row = devices::Model {
            tenant_id: tx.tenant_id(),
            id: seen.id,
            user_id: seen.user.0,
            digest: seen.hash.0.to_vec(),
            agent: seen.agent.clone(),
            address: seen.address.clone(),
            country: seen.country.clone(),
            first_seen_at: now.0,
            last_seen_at: now.0,
        };
        let known = OnConflict::columns([C::TenantId, C::UserId, C::Digest])
            .update_columns([C::Agent, C::Address, C::Country, C::LastSeenAt])
            .to_owned();
        tx.insert::<Entity>(vec![row], Some(known)).await?;
        let met = tx.one(mine().filter(C::Digest.eq(seen.hash.0.to_vec()))).await?;
        let id = met.ok_or(StoreError::NotFound("device"))?.id;
        let note = tx.update::<sessions::Entity>().filter(sessions::Column::Id.eq(session.0));
        let note = note.filter(sessions::Column::UserId.eq(seen.user.0));
        tx.run_update(note.col_expr(sessions::Column::DeviceId, Expr::val(id))).await?;
        let surplus = mine().order_by_desc(C::LastSeenAt).order_by_desc(C::Id).select_only().column(C::Id);
        let surplus = tx.tuples::<_, (i64,)>(surplus.offset(DEVICES_MAX).limit(DEVICES_MAX)).await?;
        let surplus: Vec<i64> = surplus.into_iter().map(|(id,)| id).collect();
        if !surplus.is_empty() {
            tx.run_delete(tx.delete::<Entity>().filter(C::Id.is_in(surplus))).await?;
        }
        tx.commit().await?;
        Ok(MetDevice { id, is_new: id == seen.id, is_first })
    }

    /// Whether somebody signed in with this browser before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn knows_device(&self, user: UserId, hash: TokenHash) -> Result<bool, StoreError> {
        let found =
            self.first(|tx| tx.find::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Digest.eq(hash.0.to_vec())));
        Ok(found.await?.is_some())
    }

    /// The countries that somebody's browsers were last seen in, and those of their sessions.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn countries_of(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let tx = self.read().await?;
        let of_devices = tx.find::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Country.is_not_null());
        let of_devices = of_devices.select_only().column(C::Country).distinct();
        let of_sessions = tx.find::<sessions::Entity>().filter(sessions::Column::UserId.eq(user.0));
        let of_sessions = of_sessions.filter(sessions::Column::Country.is_not_null());
        let of_sessions = of_sessions.select_only().column(sessions::Column::Country).distinct();
        let mut found: Vec<String> =
            tx.tuples::<_, (String,)>(of_devices.limit(300)).await?.into_iter().map(|(country,)| country).collect();
        found.extend(tx.tuples::<_, (String,)>(of_sessions.limit(300)).await?.into_iter().map(|(country,)| country));
        tx.end().await;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Forgets browsers that were not used since `before`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_devices(&self, before: Millis) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let gone = tx.run_delete(tx.delete::<Entity>().filter(C::LastSeenAt.lt(before.0))).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
