//! Tokens that work once: made, looked at, tried, used up.

use super::TenantDb;
use crate::{
    codec,
    entity::one_time_tokens::{Column, Entity, Model},
    error::StoreError,
    record::{OneTimeToken, TokenHash},
    scope::TenantTx,
};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{
    ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{self, Expr},
};

/// Tokens of one kind that a person may hold at once; the oldest gives way to a new one. More than others can have sent to
/// them in the hour that one lasts: nobody's link ends because of what somebody else asked for.
pub const TOKENS_OF_A_KIND_MAX: u64 = 8;

impl TenantDb {
    /// Adds a token, and removes what has ended.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Conflict`],
    /// [`StoreError::Unavailable`].
    pub async fn create_one_time(&self, token: &OneTimeToken) -> Result<(), StoreError> {
        let tx = self.write().await?;
        insert(&tx, token).await?;
        tx.commit().await
    }

    /// The token with this hash, if it can still be used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn one_time(
        &self,
        kind: &str,
        digest: TokenHash,
        now: Millis,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        self.first(|tx| usable(tx, kind, digest, now)).await?.map(codec::one_time).transpose()
    }

    /// Uses a token up: whoever gets it is the only one who ever does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn use_one_time(
        &self,
        kind: &str,
        digest: TokenHash,
        now: Millis,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        // Whoever shows what is no token keeps nobody from writing.
        if self.one_time(kind, digest, now).await?.is_none() {
            return Ok(None);
        }
        let tx = self.write().await?;
        let Some(row) = tx.one(usable(&tx, kind, digest, now)).await? else {
            tx.end().await;
            return Ok(None);
        };
        // Asked again in the update itself: two that read the row at the same time cannot both change it.
        let update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(row.id))
            .filter(Column::UsedAt.is_null())
            .col_expr(Column::UsedAt, Expr::val(now.0));
        let won = tx.run_update(update).await? == 1;
        tx.commit().await?;
        won.then(|| codec::one_time(row)).transpose()
    }

    /// Counts a try with a token that asks for a further proof; none when `attempts_max` were made before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn try_one_time(
        &self,
        kind: &str,
        digest: TokenHash,
        attempts_max: i64,
        now: Millis,
    ) -> Result<Option<OneTimeToken>, StoreError> {
        // Whoever shows what is no token keeps nobody from writing.
        if self.one_time(kind, digest, now).await?.is_none() {
            return Ok(None);
        }
        let tx = self.write().await?;
        let Some(row) = tx.one(usable(&tx, kind, digest, now)).await? else {
            tx.end().await;
            return Ok(None);
        };
        let update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(row.id))
            .filter(Column::UsedAt.is_null())
            .filter(Column::Attempts.lt(attempts_max))
            .col_expr(Column::Attempts, sea_query::ExprTrait::add(Expr::col(Column::Attempts), 1_i64));
        let counted = tx.run_update(update).await? == 1;
        tx.commit().await?;
        counted.then(|| codec::one_time(Model { attempts: row.attempts.saturating_add(1), ..row })).transpose()
    }

    /// Removes a person's tokens of these kinds. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_one_time(&self, user: UserId, kinds: &[&str]) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let theirs =
            tx.delete::<Entity>().filter(Column::UserId.eq(user.0)).filter(Column::Kind.is_in(kinds.iter().copied()));
        let gone = tx.run_delete(theirs).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

fn usable(tx: &TenantTx, kind: &str, digest: TokenHash, now: Millis) -> Select<Entity> {
    tx.find::<Entity>()
        .filter(Column::Digest.eq(digest.0.to_vec()))
        .filter(Column::Kind.eq(kind))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now.0))
}

pub(super) async fn insert(tx: &TenantTx, token: &OneTimeToken) -> Result<(), StoreError> {
    make_room(tx, token.user.0, &token.kind, token.created_at).await?;
    tx.insert::<Entity>(vec![codec::one_time_row(token, tx.tenant_id())], None).await?;
    Ok(())
}

/// Asks of the database what [`insert`] asks, for nobody: how long a mail without a token takes tells not that there is none.
pub(super) async fn insert_nothing(tx: &TenantTx, now: Millis) -> Result<(), StoreError> {
    make_room(tx, 0, "", now).await?;
    tx.run_delete(tx.delete::<Entity>().filter(Column::Id.eq(0))).await?;
    Ok(())
}

async fn make_room(tx: &TenantTx, user: i64, kind: &str, now: Millis) -> Result<(), StoreError> {
    // Swept here: one that ended must not come back with a clock that is set back.
    tx.run_delete(tx.delete::<Entity>().filter(Column::ExpiresAt.lte(now.0))).await?;
    let same = tx
        .find::<Entity>()
        .filter(Column::UserId.eq(user))
        .filter(Column::Kind.eq(kind))
        .order_by_desc(Column::Id)
        .offset(TOKENS_OF_A_KIND_MAX.saturating_sub(1))
        .limit(100);
    let surplus: Vec<i64> = tx.all(same).await?.into_iter().map(|row| row.id).collect();
    if !surplus.is_empty() {
        tx.run_delete(tx.delete::<Entity>().filter(Column::Id.is_in(surplus))).await?;
    }
    Ok(())
}
