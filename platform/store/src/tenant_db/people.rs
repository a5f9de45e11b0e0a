//! Users and their sessions.

use super::TenantDb;
use crate::{
    codec,
    entity::{sessions, users},
    error::StoreError,
    record::{Session, TokenHash, User, normalise_email},
};
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use sea_orm::{
    ColumnTrait, EntityTrait as _, JoinType, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{self, Expr},
};

/// Sessions of one person at once.
pub const SESSIONS_MAX: u64 = 50;

impl TenantDb {
    /// Adds a person. The address is normalised.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when this tenant has someone with that address; [`StoreError::Unavailable`].
    pub async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let row = codec::user_row(user, tx.tenant_id());
        tx.insert::<users::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// The person with this address, however it is written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let email = normalise_email(email);
        let found = self.first(|tx| tx.find::<users::Entity>().filter(users::Column::Email.eq(email))).await?;
        found.map(codec::user).transpose()
    }

    /// The person with this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn user(&self, id: UserId) -> Result<User, StoreError> {
        let found = self.first(|tx| tx.find::<users::Entity>().filter(users::Column::Id.eq(id.0))).await?;
        found.map(codec::user).transpose()?.ok_or(StoreError::NotFound("user"))
    }

    /// Notes that a sign-in failed: of this person, or of nobody, in the same steps. Failures older than `forget_ms` count
    /// no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn note_failure(&self, user: Option<UserId>, forget_ms: i64, now: Millis) -> Result<(), StoreError> {
        use users::Column as C;
        // No row has this id.
        let id = user.map_or(-1, |user| user.0);
        let tx = self.write().await?;
        let old = tx.update::<users::Entity>().filter(C::Id.eq(id)).filter(C::FailedAt.lte(now.plus(-forget_ms).0));
        tx.run_update(old.col_expr(C::Failures, Expr::val(0_i64))).await?;
        let one_more = sea_query::ExprTrait::add(Expr::col(C::Failures), 1_i64);
        let note = tx.update::<users::Entity>().filter(C::Id.eq(id)).col_expr(C::Failures, one_more);
        tx.run_update(note.col_expr(C::FailedAt, Expr::val(now.0))).await?;
        tx.commit().await
    }

    /// Forgets the failures of somebody who signed in.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_failures(&self, user: UserId) -> Result<(), StoreError> {
        use users::Column as C;
        let tx = self.write().await?;
        let update = tx.update::<users::Entity>().filter(C::Id.eq(user.0)).filter(C::Failures.gt(0_i64));
        tx.run_update(update.col_expr(C::Failures, Expr::val(0_i64))).await?;
        tx.commit().await
    }

    /// Opens a session. Beyond [`SESSIONS_MAX`] of a person the one that was used longest ago ends.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Conflict`],
    /// [`StoreError::Unavailable`].
    pub async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let row = sessions::Model {
            tenant_id: tx.tenant_id(),
            id: session.id.0,
            token_hash: session.token_hash.0.to_vec(),
            user_id: session.user.0,
            csrf: session.csrf.expose().to_owned(),
            created_at: session.created_at.0,
            last_seen_at: session.last_seen_at.0,
            expires_at: session.expires_at.0,
            address: session.address.clone(),
            agent: session.agent.clone(),
            method: session.method.clone(),
            proved_at: session.proved_at.0,
            country: session.country.clone(),
            device_id: session.device,
        };
        tx.insert::<sessions::Entity>(vec![row], None).await?;
        let mine = tx.find::<sessions::Entity>().filter(sessions::Column::UserId.eq(session.user.0));
        let mine = mine.order_by_desc(sessions::Column::LastSeenAt).order_by_desc(sessions::Column::Id);
        let surplus = mine.select_only().column(sessions::Column::Id).offset(SESSIONS_MAX).limit(SESSIONS_MAX);
        let surplus: Vec<i64> = tx.tuples::<_, (i64,)>(surplus).await?.into_iter().map(|(id,)| id).collect();
        if !surplus.is_empty() {
            tx.run_delete(tx.delete::<sessions::Entity>().filter(sessions::Column::Id.is_in(surplus))).await?;
        }
        tx.commit().await
    }

    /// The sessions of a person that have not ended, the last used first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn sessions_of(&self, user: UserId, now: Millis) -> Result<Vec<Session>, StoreError> {
        let rows = self.every(|tx| {
            tx.find::<sessions::Entity>()
                .filter(sessions::Column::UserId.eq(user.0))
                .filter(sessions::Column::ExpiresAt.gt(now.0))
                .order_by_desc(sessions::Column::LastSeenAt)
                .order_by_desc(sessions::Column::Id)
                .limit(SESSIONS_MAX)
        });
        rows.await?.into_iter().map(codec::session).collect()
    }

    /// Ends a session if it is this person's. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_session_of(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let mine = tx.delete::<sessions::Entity>().filter(sessions::Column::UserId.eq(user.0));
        let gone = tx.run_delete(mine.filter(sessions::Column::Id.eq(id.0))).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// Ends every session of a person but one. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_other_sessions(&self, user: UserId, keep: SessionId) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let mine = tx.delete::<sessions::Entity>().filter(sessions::Column::UserId.eq(user.0));
        let gone = tx.run_delete(mine.filter(sessions::Column::Id.ne(keep.0))).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// The session with this token, if it ends after `now`. A token of another tenant is not found.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn session(&self, token: TokenHash, now: Millis) -> Result<Option<Session>, StoreError> {
        let found = self.first(|tx| {
            tx.find::<sessions::Entity>()
                .filter(sessions::Column::TokenHash.eq(token.0.to_vec()))
                .filter(sessions::Column::ExpiresAt.gt(now.0))
        });
        found.await?.map(codec::session).transpose()
    }

    /// As [`TenantDb::session`], with whose it is, in one look.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn session_and_user(&self, token: TokenHash, now: Millis) -> Result<Option<(Session, User)>, StoreError> {
        use sessions::{Column as C, Entity};
        let whose = Entity::belongs_to(users::Entity)
            .from((C::TenantId, C::UserId))
            .to((users::Column::TenantId, users::Column::Id))
            .into();
        let tx = self.read().await?;
        let rows = tx.find::<Entity>().filter(C::TokenHash.eq(token.0.to_vec())).filter(C::ExpiresAt.gt(now.0));
        let found = tx.one_with(rows.join(JoinType::InnerJoin, whose).select_also(users::Entity)).await?;
        tx.end().await;
        let Some((session, Some(user))) = found else { return Ok(None) };
        Ok(Some((codec::session(session)?, codec::user(user)?)))
    }

    /// Notes that a session was used and until when it now lasts. Answers whether it is still there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn touch_session(&self, id: SessionId, seen_at: Millis, expires_at: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<sessions::Entity>()
            .filter(sessions::Column::Id.eq(id.0))
            .col_expr(sessions::Column::LastSeenAt, Expr::val(seen_at.0))
            .col_expr(sessions::Column::ExpiresAt, Expr::val(expires_at.0));
        let touched = tx.run_update(update).await?;
        tx.commit().await?;
        Ok(touched > 0)
    }

    /// Ends a session. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let gone = tx.run_delete(tx.delete::<sessions::Entity>().filter(sessions::Column::Id.eq(id.0))).await?;
        tx.commit().await?;
        Ok(gone > 0)
    }

    /// Ends every session of a person. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_sessions_of(&self, user: UserId) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let gone = tx.run_delete(tx.delete::<sessions::Entity>().filter(sessions::Column::UserId.eq(user.0))).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Removes sessions that ended before `now`, so that a clock set back cannot revive them. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_ended_sessions(&self, now: Millis) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let ended = tx.delete::<sessions::Entity>().filter(sessions::Column::ExpiresAt.lte(now.0));
        let gone = tx.run_delete(ended).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
