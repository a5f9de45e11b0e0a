//! Passkeys: kept, used, and each answer of one accepted once.

use super::{
    TenantDb,
    factors::{add_codes, drop_useless_codes},
    linked::lock_person,
};
use crate::{
    entity::{passkeys, spent_proofs},
    error::StoreError,
    record::{BackupCode, Passkey, TokenHash},
    scope::TenantTx,
};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select, sea_query::Expr};

/// Passkeys that a person may have.
pub const PASSKEYS_MAX: u64 = 10;
/// The kind of rows that remember a proof.
const SPENT: &str = "spent-proof";

impl TenantDb {
    /// A person's passkeys, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn passkeys(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        Ok(self.every(|tx| passkeys_of(tx, user)).await?.into_iter().map(passkey).collect())
    }

    /// The passkey with this credential.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, StoreError> {
        let credential = credential.to_vec();
        let found = self.first(|tx| tx.find::<passkeys::Entity>().filter(passkeys::Column::Credential.eq(credential)));
        Ok(found.await?.map(passkey))
    }

    /// Adds a passkey, and gives the person `codes` if they have none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the credential is known or the person has as many as they may;
    /// [`StoreError::Unavailable`].
    pub async fn add_passkey(&self, new: &Passkey, codes: &[BackupCode]) -> Result<(), StoreError> {
        let tx = self.write().await?;
        // Of two that are added at once the second waits, and counts the first.
        lock_person(&tx, new.user).await?;
        let there = tx.all(passkeys_of(&tx, new.user)).await?.len();
        if u64::try_from(there).is_ok_and(|there| there >= PASSKEYS_MAX) {
            tx.end().await;
            return Err(StoreError::Conflict(format!("a person may have {PASSKEYS_MAX} passkeys")));
        }
        let row = passkeys::Model {
            tenant_id: tx.tenant_id(),
            id: new.id,
            user_id: new.user.0,
            credential: new.credential.clone(),
            name: new.name.clone(),
            data: new.data.clone(),
            created_at: new.created_at.0,
            last_used_at: None,
        };
        tx.insert::<passkeys::Entity>(vec![row], None).await?;
        add_codes(&tx, new.user, codes, new.created_at).await?;
        tx.commit().await
    }

    /// Notes that a passkey proved its owner, with its new counter, and remembers the challenge it answered until
    /// `ends`: of all who show the same answer one wins. Answers whether it was the first and the passkey was
    /// still as `read`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn use_passkey(
        &self,
        read: &Passkey,
        data: &str,
        challenge: TokenHash,
        token: i64,
        now: Millis,
        ends: Millis,
    ) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<passkeys::Entity>()
            .filter(passkeys::Column::Id.eq(read.id))
            .filter(passkeys::Column::Data.eq(read.data.as_str()))
            .col_expr(passkeys::Column::Data, Expr::val(data))
            .col_expr(passkeys::Column::LastUsedAt, Expr::val(now.0));
        let unchanged = tx.run_update(update).await? == 1;
        if !(unchanged && spend(&tx, read.user, challenge, token, now, ends).await?) {
            tx.end().await;
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Calls a passkey something else. Answers whether the person has it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rename_passkey(&self, user: UserId, id: i64, name: &str) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<passkeys::Entity>()
            .filter(passkeys::Column::UserId.eq(user.0))
            .filter(passkeys::Column::Id.eq(id))
            .col_expr(passkeys::Column::Name, Expr::val(name));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(found)
    }

    /// Takes a passkey away; with the last second factor go the backup codes. Answers whether the person had it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_passkey(&self, user: UserId, id: i64) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let one = tx
            .delete::<passkeys::Entity>()
            .filter(passkeys::Column::UserId.eq(user.0))
            .filter(passkeys::Column::Id.eq(id));
        let gone = tx.run_delete(one).await? > 0;
        drop_useless_codes(&tx, user).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

pub(super) fn passkeys_of(tx: &TenantTx, user: UserId) -> Select<passkeys::Entity> {
    tx.find::<passkeys::Entity>()
        .filter(passkeys::Column::UserId.eq(user.0))
        .order_by_asc(passkeys::Column::Id)
        .limit(PASSKEYS_MAX)
}

fn passkey(row: passkeys::Model) -> Passkey {
    Passkey {
        id: row.id,
        user: UserId(row.user_id),
        credential: row.credential,
        name: row.name,
        data: row.data,
        created_at: Millis(row.created_at),
        last_used_at: row.last_used_at.map(Millis),
    }
}

/// Remembers a proof until it could no longer be shown. Answers whether it is the first time.
async fn spend(
    tx: &TenantTx,
    user: UserId,
    digest: TokenHash,
    id: i64,
    now: Millis,
    ends: Millis,
) -> Result<bool, StoreError> {
    use spent_proofs::{Column as C, Entity, Model};
    tx.run_delete(tx.delete::<Entity>().filter(C::Kind.eq(SPENT)).filter(C::ExpiresAt.lte(now.0))).await?;
    let row = Model {
        tenant_id: tx.tenant_id(),
        id,
        user_id: user.0,
        kind: SPENT.to_owned(),
        digest: digest.0.to_vec(),
        data: "{}".to_owned(),
        attempts: 0,
        created_at: now.0,
        expires_at: ends.0,
        used_at: Some(now.0),
    };
    match tx.insert::<Entity>(vec![row], None).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
