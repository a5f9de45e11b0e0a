//! Second factors: kept, used once, counted.
//!
//! What may happen once is one conditional update that answers how many rows it changed: of any number of requests
//! at once, on any number of nodes, one changes the row.

use super::{TenantDb, passkeys::passkeys_of};
use crate::{
    entity::{authenticators, backup_codes, passkeys, proof_tries, sessions},
    error::StoreError,
    record::{Authenticator, BackupCode, SecondFactors, TokenHash},
    scope::TenantTx,
};
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait as _},
};

/// Backup codes that are read at once; a person is given fewer.
const BACKUP_CODES_MAX: u64 = 100;

impl TenantDb {
    /// What a person can prove themselves with besides a password.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn second_factors(&self, user: UserId) -> Result<SecondFactors, StoreError> {
        let tx = self.snapshot().await?;
        let authenticator = tx.one(authenticator_of(&tx, user)).await?;
        let keys = tx.all(passkeys_of(&tx, user)).await?;
        let codes = tx.find::<backup_codes::Entity>().filter(backup_codes::Column::UserId.eq(user.0));
        let codes = codes.filter(backup_codes::Column::UsedAt.is_null()).limit(BACKUP_CODES_MAX);
        let codes = tx.all(codes).await?;
        tx.end().await;
        Ok(SecondFactors {
            authenticator: authenticator.and_then(|row| row.confirmed_at).map(Millis),
            passkeys: keys.len(),
            backup_codes: codes.len(),
        })
    }

    /// A person's authenticator, confirmed or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn authenticator(&self, user: UserId) -> Result<Option<Authenticator>, StoreError> {
        let row = self.first(|tx| authenticator_of(tx, user)).await?;
        Ok(row.map(|row| Authenticator {
            user: UserId(row.user_id),
            secret: row.secret,
            confirmed_at: row.confirmed_at.map(Millis),
            last_step: row.last_step,
            created_at: Millis(row.created_at),
        }))
    }

    /// Sets up an authenticator that waits for its first code; one that waited before gives way.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the person has a confirmed one; [`StoreError::Unavailable`].
    pub async fn begin_authenticator(&self, new: &Authenticator) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let waiting = tx
            .delete::<authenticators::Entity>()
            .filter(authenticators::Column::UserId.eq(new.user.0))
            .filter(authenticators::Column::ConfirmedAt.is_null());
        tx.run_delete(waiting).await?;
        let row = authenticators::Model {
            tenant_id: tx.tenant_id(),
            user_id: new.user.0,
            secret: new.secret.clone(),
            confirmed_at: None,
            last_step: new.last_step,
            created_at: new.created_at.0,
        };
        tx.insert::<authenticators::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Puts an authenticator into force with its first code, that of time step `step`, and gives the person `codes`
    /// if they have none. Answers whether it still was the one set up at `created_at`, unconfirmed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn confirm_authenticator(
        &self,
        user: UserId,
        created_at: Millis,
        step: i64,
        now: Millis,
        codes: &[BackupCode],
    ) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<authenticators::Entity>()
            .filter(authenticators::Column::UserId.eq(user.0))
            .filter(authenticators::Column::CreatedAt.eq(created_at.0))
            .filter(authenticators::Column::ConfirmedAt.is_null())
            .col_expr(authenticators::Column::ConfirmedAt, Expr::val(now.0))
            .col_expr(authenticators::Column::LastStep, Expr::val(step));
        let confirmed = tx.run_update(update).await? == 1;
        if confirmed {
            add_codes(&tx, user, codes, now).await?;
        }
        tx.commit().await?;
        Ok(confirmed)
    }

    /// Uses up the code of a time step, and with it those of earlier steps. Of all who try one wins.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn use_step(&self, user: UserId, step: i64) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<authenticators::Entity>()
            .filter(authenticators::Column::UserId.eq(user.0))
            .filter(authenticators::Column::ConfirmedAt.is_not_null())
            .filter(authenticators::Column::LastStep.lt(step))
            .col_expr(authenticators::Column::LastStep, Expr::val(step));
        let won = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(won)
    }

    /// Takes a person's authenticator away; with the last second factor go the backup codes. Answers whether there
    /// was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_authenticator(&self, user: UserId) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let theirs = tx.delete::<authenticators::Entity>().filter(authenticators::Column::UserId.eq(user.0));
        let gone = tx.run_delete(theirs).await? > 0;
        drop_useless_codes(&tx, user).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Takes all second factors of a person away, with an app that waits for its first code: somebody lost theirs and was
    /// recognised otherwise. Answers whether there were any in force; without one nothing changes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_second_factors(&self, user: UserId) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let app = || tx.delete::<authenticators::Entity>().filter(authenticators::Column::UserId.eq(user.0));
        let in_force = app().filter(authenticators::Column::ConfirmedAt.is_not_null());
        let keys = tx.delete::<passkeys::Entity>().filter(passkeys::Column::UserId.eq(user.0));
        let codes = tx.delete::<backup_codes::Entity>().filter(backup_codes::Column::UserId.eq(user.0));
        if tx.run_delete(in_force).await? + tx.run_delete(keys).await? == 0 {
            tx.end().await;
            return Ok(false);
        }
        tx.run_delete(app()).await?;
        tx.run_delete(codes).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a person new backup codes in place of all former ones.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Unavailable`].
    pub async fn replace_backup_codes(
        &self,
        user: UserId,
        codes: &[BackupCode],
        now: Millis,
    ) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let former = tx.delete::<backup_codes::Entity>().filter(backup_codes::Column::UserId.eq(user.0));
        tx.run_delete(former).await?;
        insert_codes(&tx, user, codes, now).await?;
        tx.commit().await
    }

    /// Uses a backup code up. Of all who try one wins.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn use_backup_code(&self, user: UserId, digest: TokenHash, now: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<backup_codes::Entity>()
            .filter(backup_codes::Column::UserId.eq(user.0))
            .filter(backup_codes::Column::Digest.eq(digest.0.to_vec()))
            .filter(backup_codes::Column::UsedAt.is_null())
            .col_expr(backup_codes::Column::UsedAt, Expr::val(now.0));
        let won = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(won)
    }

    /// Counts a try with a second proof, before the proof is looked at. Answers whether it may be made: at most
    /// `tries_max` within `window_ms` of the first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_proof_try(
        &self,
        user: UserId,
        tries_max: i64,
        window_ms: i64,
        now: Millis,
    ) -> Result<bool, StoreError> {
        use proof_tries::{Column as C, Entity};
        let tx = self.write().await?;
        // One that began after now was made before the clock was set back.
        let over = Condition::any().add(C::ProofTriesSince.lte(now.0 - window_ms)).add(C::ProofTriesSince.gt(now.0));
        let anew = tx
            .update::<Entity>()
            .filter(C::Id.eq(user.0))
            .filter(over)
            .col_expr(C::ProofTries, Expr::val(1_i64))
            .col_expr(C::ProofTriesSince, Expr::val(now.0));
        let mut counted = tx.run_update(anew).await? == 1;
        if !counted {
            let more = tx
                .update::<Entity>()
                .filter(C::Id.eq(user.0))
                .filter(C::ProofTries.lt(tries_max))
                .col_expr(C::ProofTries, Expr::col(C::ProofTries).add(1_i64));
            counted = tx.run_update(more).await? == 1;
        }
        tx.commit().await?;
        Ok(counted)
    }

    /// Forgets the tries of who got it right.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_proof_tries(&self, user: UserId) -> Result<(), StoreError> {
        use proof_tries::{Column as C, Entity};
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(user.0))
            .col_expr(C::ProofTries, Expr::val(0_i64))
            .col_expr(C::ProofTriesSince, Expr::val(0_i64));
        tx.run_update(update).await?;
        tx.commit().await
    }

    /// Notes that a person proved themselves anew in a session. Answers whether it is still there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn prove_session(&self, id: SessionId, at: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<sessions::Entity>()
            .filter(sessions::Column::Id.eq(id.0))
            .col_expr(sessions::Column::ProvedAt, Expr::val(at.0));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(found)
    }
}

fn authenticator_of(tx: &TenantTx, user: UserId) -> sea_orm::Select<authenticators::Entity> {
    tx.find::<authenticators::Entity>().filter(authenticators::Column::UserId.eq(user.0))
}

/// Only to who has none: the codes of another factor go on.
pub(super) async fn add_codes(
    tx: &TenantTx,
    user: UserId,
    codes: &[BackupCode],
    now: Millis,
) -> Result<(), StoreError> {
    let theirs = tx.find::<backup_codes::Entity>().filter(backup_codes::Column::UserId.eq(user.0));
    if tx.one(theirs).await?.is_none() {
        insert_codes(tx, user, codes, now).await?;
    }
    Ok(())
}

async fn insert_codes(tx: &TenantTx, user: UserId, codes: &[BackupCode], now: Millis) -> Result<(), StoreError> {
    let row = |code: &BackupCode| backup_codes::Model {
        tenant_id: tx.tenant_id(),
        id: code.id,
        user_id: user.0,
        digest: code.digest.0.to_vec(),
        created_at: now.0,
        used_at: None,
    };
    tx.insert::<backup_codes::Entity>(codes.iter().map(row).collect(), None).await?;
    Ok(())
}

/// Backup codes stand in for another factor; without one they would be a second factor that nobody turned on.
pub(super) async fn drop_useless_codes(tx: &TenantTx, user: UserId) -> Result<(), StoreError> {
    if tx.one(authenticator_of(tx, user)).await?.is_none() && tx.one(passkeys_of(tx, user)).await?.is_none() {
        let codes = tx.delete::<backup_codes::Entity>().filter(backup_codes::Column::UserId.eq(user.0));
        tx.run_delete(codes).await?;
    }
    Ok(())
}
