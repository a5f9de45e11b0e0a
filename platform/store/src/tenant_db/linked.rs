//! Linking what somebody is at an issuer, and unlinking it: never more than so many, and never the last way in.

use super::{TenantDb, sso::identity_row};
use crate::{
    entity::{sso_identities, users},
    error::StoreError,
    record::SsoIdentity,
    scope::TenantTx,
};
use marque_domain::id::UserId;
use sea_orm::{ColumnTrait, DeleteMany, QueryFilter, QuerySelect};

/// Identities that a person may have linked.
pub const SSO_IDENTITIES_MAX: u64 = 10;

/// What came of taking an identity away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinked {
    /// It is gone.
    Gone,
    /// It was not theirs.
    NotTheirs,
    /// It stays: they have no other, and need one.
    Needed,
}

impl TenantDb {
    /// Links an identity to a person.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is somebody's already or the person has as many as they may;
    /// [`StoreError::BrokenReference`] when there is no such person or connection; [`StoreError::Unavailable`].
    pub async fn link_sso_identity(&self, identity: &SsoIdentity) -> Result<(), StoreError> {
        let tx = self.write().await?;
        lock_person(&tx, identity.user).await?;
        if count(&tx, identity.user).await? >= SSO_IDENTITIES_MAX {
            tx.end().await;
            return Err(StoreError::Conflict(format!("a person may have {SSO_IDENTITIES_MAX} identities")));
        }
        let row = identity_row(tx.tenant_id(), identity);
        tx.insert::<sso_identities::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Takes an identity of a person away. Answers whether it was theirs.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn unlink_sso_identity(&self, user: UserId, issuer: &str, subject: &str) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let gone = tx.run_delete(theirs(&tx, user, issuer, subject)).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// The same, unless it is the last one of who has no password or must have one for another reason (`is_needed`).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn unlink_spare_sso_identity(
        &self,
        user: UserId,
        issuer: &str,
        subject: &str,
        is_needed: bool,
    ) -> Result<Unlinked, StoreError> {
        let tx = self.write().await?;
        let has_password = lock_person(&tx, user).await?.is_some_and(|row| !row.password_hash.is_empty());
        if (is_needed || !has_password) && count(&tx, user).await? < 2 {
            tx.end().await;
            return Ok(Unlinked::Needed);
        }
        let gone = tx.run_delete(theirs(&tx, user, issuer, subject)).await?;
        tx.commit().await?;
        Ok(if gone > 0 { Unlinked::Gone } else { Unlinked::NotTheirs })
    }
}

/// Of two who link or unlink for the same person at once the second waits, and counts what the first has left.
pub(super) async fn lock_person(tx: &TenantTx, user: UserId) -> Result<Option<users::Model>, StoreError> {
    tx.one(tx.find::<users::Entity>().filter(users::Column::Id.eq(user.0)).lock_exclusive()).await
}

async fn count(tx: &TenantTx, user: UserId) -> Result<u64, StoreError> {
    let rows = tx.find::<sso_identities::Entity>().filter(sso_identities::Column::UserId.eq(user.0));
    let there = tx.all(rows.limit(SSO_IDENTITIES_MAX)).await?.len();
    Ok(u64::try_from(there).unwrap_or(u64::MAX))
}

fn theirs(tx: &TenantTx, user: UserId, issuer: &str, subject: &str) -> DeleteMany<sso_identities::Entity> {
    use sso_identities::Column;
    tx.delete::<sso_identities::Entity>()
        .filter(Column::UserId.eq(user.0))
        .filter(Column::Issuer.eq(issuer))
        .filter(Column::Subject.eq(subject))
}
