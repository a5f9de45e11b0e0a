//! What a person proves themselves with: their address and their password.

use super::TenantDb;
use crate::{
    codec,
    entity::{
        sessions,
        users::{Column, Entity},
    },
    error::StoreError,
    record::{Concealed, User, normalise_email},
};
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, sea_query::Expr};

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// The person was added.
    New,
    /// Somebody has the address; nothing of theirs changed.
    Taken(Box<User>),
}

impl TenantDb {
    /// Adds a person, unless somebody has the address. Either way one row is written in one transaction, so that
    /// the time it takes does not tell which it was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn register_user(&self, user: &User) -> Result<Registered, StoreError> {
        let tx = self.write().await?;
        let row = codec::user_row(user, tx.tenant_id());
        let taken = tx.one(tx.find::<Entity>().filter(Column::Email.eq(row.email.as_str()))).await?;
        let registered = match taken {
            None => {
                tx.insert::<Entity>(vec![row], None).await?;
                Registered::New
            }
            Some(there) => {
                let same = tx
                    .update::<Entity>()
                    .filter(Column::Id.eq(there.id))
                    .col_expr(Column::CreatedAt, Expr::val(there.created_at));
                tx.run_update(same).await?;
                Registered::Taken(Box::new(codec::user(there)?))
            }
        };
        tx.commit().await?;
        Ok(registered)
    }

    /// Notes that mail to a person's address reaches them, if it is still `email`. Answers whether it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn verify_email(&self, user: UserId, email: &str, at: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(user.0))
            .filter(Column::Email.eq(normalise_email(email)))
            .col_expr(Column::EmailVerifiedAt, Expr::val(Some(at.0)));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(found)
    }

    /// Gives a person another address, to which mail has reached them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else of this tenant has it; [`StoreError::NotFound`],
    /// [`StoreError::Unavailable`].
    pub async fn change_email(&self, user: UserId, email: &str, at: Millis) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(user.0))
            .col_expr(Column::Email, Expr::val(normalise_email(email)))
            .col_expr(Column::EmailVerifiedAt, Expr::val(Some(at.0)));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        if found { Ok(()) } else { Err(StoreError::NotFound("user")) }
    }

    /// Ends what was opened for a person: every session but `keep`. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_access(&self, user: UserId, keep: Option<SessionId>) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let mut theirs = tx.delete::<sessions::Entity>().filter(sessions::Column::UserId.eq(user.0));
        if let Some(keep) = keep {
            theirs = theirs.filter(sessions::Column::Id.ne(keep.0));
        }
        let gone = tx.run_delete(theirs).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Gives a person another password. With `former`, only if that is still the stored hash: who hashes the same
    /// password anew must not undo a change that came between. Answers whether it was done.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_password(
        &self,
        user: UserId,
        hash: &Concealed,
        former: Option<&Concealed>,
    ) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let mut update = tx
            .update::<Entity>()
            .filter(Column::Id.eq(user.0))
            .col_expr(Column::PasswordHash, Expr::val(hash.expose()));
        if let Some(former) = former {
            update = update.filter(Column::PasswordHash.eq(former.expose()));
        }
        let done = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(done)
    }
}
