//! Programs that somebody let in: grants with tokens that rotate, and personal tokens.

use super::TenantDb;
use crate::{
    entity::{api_grants, api_tokens, personal_tokens},
    error::StoreError,
    record::{Grant, GrantToken, NewGrantTokens, PersonalToken, Rotation, TokenHash},
    scope::TenantTx,
};
use marque_domain::{
    id::{GrantId, PersonalTokenId, UserId},
    time::Millis,
};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::Expr};

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";
/// Grants and tokens of one person that are listed; [`TenantDb::create_grant`] and
/// [`TenantDb::create_personal_token`] keep fewer.
const LISTED_MAX: u64 = 200;

impl TenantDb {
    /// Lets a program in. Beyond `grants_max` of a person the oldest end.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Conflict`],
    /// [`StoreError::Unavailable`].
    pub async fn create_grant(
        &self,
        grant: &Grant,
        tokens: &NewGrantTokens,
        grants_max: u64,
    ) -> Result<(), StoreError> {
        use api_grants::{Column as C, Entity};
        let tx = self.write().await?;
        let row = api_grants::Model {
            tenant_id: tx.tenant_id(),
            id: grant.id.0,
            user_id: grant.user.0,
            address: grant.address.clone(),
            agent: grant.agent.clone(),
            created_at: grant.created_at.0,
            last_used_at: grant.last_used_at.0,
            expires_at: grant.expires_at.0,
            revoked_at: None,
        };
        tx.insert::<Entity>(vec![row], None).await?;
        insert_tokens(&tx, grant.id.0, tokens, grant.created_at).await?;
        let surplus = tx.find::<Entity>().filter(of_user_at(grant.user, grant.created_at)).order_by_desc(C::Id);
        let surplus = surplus.select_only().column(C::Id).offset(grants_max).limit(LISTED_MAX);
        let surplus: Vec<i64> = tx.tuples::<_, (i64,)>(surplus).await?.into_iter().map(|(id,)| id).collect();
        if !surplus.is_empty() {
            let update = tx.update::<Entity>().filter(C::Id.is_in(surplus));
            tx.run_update(update.col_expr(C::RevokedAt, Expr::val(grant.created_at.0))).await?;
        }
        tx.commit().await
    }

    /// The grant of an access token, if neither has ended at `now`. A token of another tenant is not found.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn grant_of_access_token(&self, token: TokenHash, now: Millis) -> Result<Option<Grant>, StoreError> {
        use api_tokens::Column as C;
        let found = self.first(|tx| {
            let tokens = tx.find::<api_tokens::Entity>().filter(C::Digest.eq(token.0.to_vec()));
            let tokens = tokens.filter(C::Kind.eq(ACCESS)).filter(C::ExpiresAt.gt(now.0));
            tx.find::<api_grants::Entity>()
                .filter(alive_at(now))
                .filter(api_grants::Column::Id.in_subquery(tokens.select_only().column(C::GrantId).into_query()))
        });
        Ok(found.await?.map(grant))
    }

    /// Exchanges a refresh token for new tokens. Of many who show the same one, exactly one gets them, and as soon as
    /// a second is seen the grant ends for all.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], [`StoreError::Unavailable`].
    pub async fn rotate(&self, old: TokenHash, new: &NewGrantTokens, now: Millis) -> Result<Rotation, StoreError> {
        use api_tokens::Column as C;
        let tx = self.write().await?;
        let held = tx.find::<api_tokens::Entity>().filter(C::Digest.eq(old.0.to_vec())).filter(C::Kind.eq(REFRESH));
        let Some(held) = tx.one(held).await? else {
            tx.end().await;
            return Ok(Rotation::Unknown);
        };
        let grants = tx.find::<api_grants::Entity>().filter(api_grants::Column::Id.eq(held.grant_id));
        let of = tx.one(grants.filter(alive_at(now))).await?;
        let Some(of) = of.map(grant).filter(|_| held.used_at.is_some() || held.expires_at > now.0) else {
            tx.end().await;
            return Ok(Rotation::Unknown);
        };
        // Whoever else holds the row waits here, and then finds it used.
        let take = tx.update::<api_tokens::Entity>().filter(C::Id.eq(held.id)).filter(C::UsedAt.is_null());
        let taken = tx.run_update(take.col_expr(C::UsedAt, Expr::val(now.0))).await?;
        if taken == 0 {
            end_grants(&tx, Condition::all().add(api_grants::Column::Id.eq(of.id.0)), now).await?;
            tx.commit().await?;
            return Ok(Rotation::Reused(of));
        }
        let used = tx.update::<api_grants::Entity>().filter(api_grants::Column::Id.eq(of.id.0)).filter(alive_at(now));
        let used = used.col_expr(api_grants::Column::LastUsedAt, Expr::val(now.0));
        if tx.run_update(used).await? == 0 {
            // It was ended while this waited.
            tx.end().await;
            return Ok(Rotation::Unknown);
        }
        insert_tokens(&tx, of.id.0, new, now).await?;
        tx.commit().await?;
        Ok(Rotation::Rotated(of))
    }

    /// Ends the grant that a token belongs to, whichever of its tokens it is. Answers which, if it had not ended.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_grant_of(&self, token: TokenHash, now: Millis) -> Result<Option<Grant>, StoreError> {
        let tx = self.write().await?;
        let held = tx.find::<api_tokens::Entity>().filter(api_tokens::Column::Digest.eq(token.0.to_vec()));
        let Some(held) = tx.one(held).await? else {
            tx.end().await;
            return Ok(None);
        };
        let one = Condition::all().add(api_grants::Column::Id.eq(held.grant_id));
        let of = tx.one(tx.find::<api_grants::Entity>().filter(one.clone()).filter(alive_at(now))).await?;
        let ended = end_grants(&tx, one, now).await?;
        tx.commit().await?;
        Ok(of.map(grant).filter(|_| ended > 0))
    }

    /// The grants of a person that have not ended, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn grants_of(&self, user: UserId, now: Millis) -> Result<Vec<Grant>, StoreError> {
        let rows = self.every(|tx| {
            let mine = tx.find::<api_grants::Entity>().filter(of_user_at(user, now));
            mine.order_by_desc(api_grants::Column::Id).limit(LISTED_MAX)
        });
        Ok(rows.await?.into_iter().map(grant).collect())
    }

    /// Ends one grant of a person. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_grant(&self, user: UserId, id: GrantId, now: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let one = of_user_at(user, now).add(api_grants::Column::Id.eq(id.0));
        let ended = end_grants(&tx, one, now).await?;
        tx.commit().await?;
        Ok(ended > 0)
    }

    /// Ends every grant of a person. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_grants_of(&self, user: UserId, now: Millis) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let ended = end_grants(&tx, of_user_at(user, now), now).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Removes tokens and grants that have ended, so that a clock set back cannot revive them. Answers how many tokens.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_ended_grants(&self, now: Millis) -> Result<u64, StoreError> {
        use api_tokens::Column as C;
        let tx = self.write().await?;
        let ended = Condition::any()
            .add(api_grants::Column::RevokedAt.is_not_null())
            .add(api_grants::Column::ExpiresAt.lte(now.0));
        let of_ended = tx.find::<api_grants::Entity>().filter(ended.clone());
        let of_ended = C::GrantId.in_subquery(of_ended.select_only().column(api_grants::Column::Id).into_query());
        let tokens = tx.delete::<api_tokens::Entity>();
        let tokens = tokens.filter(Condition::any().add(C::ExpiresAt.lte(now.0)).add(of_ended));
        let gone = tx.run_delete(tokens).await?;
        // A grant that lost its last token to time has ended too, and one that was ended just now has tokens still.
        let left = tx.find::<api_tokens::Entity>().select_only().column(C::GrantId).into_query();
        let grants = tx.delete::<api_grants::Entity>().filter(api_grants::Column::Id.not_in_subquery(left));
        tx.run_delete(grants).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Keeps a personal token by its hash, unless the person has `tokens_max` already. Answers whether it was kept.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Conflict`],
    /// [`StoreError::Unavailable`].
    pub async fn create_personal_token(
        &self,
        token: &PersonalToken,
        hash: TokenHash,
        tokens_max: usize,
    ) -> Result<bool, StoreError> {
        use personal_tokens::{Column as C, Entity};
        let tx = self.write().await?;
        let mine = tx.find::<Entity>().filter(personal_of_at(token.user, token.created_at));
        let mine = tx.tuples::<_, (i64,)>(mine.select_only().column(C::Id).limit(LISTED_MAX)).await?;
        if mine.len() >= tokens_max {
            tx.end().await;
            return Ok(false);
        }
        let row = personal_tokens::Model {
            tenant_id: tx.tenant_id(),
            id: token.id.0,
            user_id: token.user.0,
            name: token.name.clone(),
            digest: hash.0.to_vec(),
            scopes: token.scopes.clone(),
            created_at: token.created_at.0,
            expires_at: token.expires_at.0,
            last_used_at: None,
            revoked_at: None,
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The personal token with this hash, if it has not ended at `now`. One of another tenant is not found.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn personal_token(&self, hash: TokenHash, now: Millis) -> Result<Option<PersonalToken>, StoreError> {
        use personal_tokens::{Column as C, Entity};
        let found = self.first(|tx| {
            let one = tx.find::<Entity>().filter(C::Digest.eq(hash.0.to_vec()));
            one.filter(C::RevokedAt.is_null()).filter(C::ExpiresAt.gt(now.0))
        });
        Ok(found.await?.map(personal))
    }

    /// Notes that a personal token was used.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn touch_personal_token(&self, id: PersonalTokenId, now: Millis) -> Result<(), StoreError> {
        use personal_tokens::{Column as C, Entity};
        let tx = self.write().await?;
        let update = tx.update::<Entity>().filter(C::Id.eq(id.0)).col_expr(C::LastUsedAt, Expr::val(now.0));
        tx.run_update(update).await?;
        tx.commit().await
    }

    /// The personal tokens of a person that have not ended, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn personal_tokens_of(&self, user: UserId, now: Millis) -> Result<Vec<PersonalToken>, StoreError> {
        use personal_tokens::{Column as C, Entity};
        let rows = self.every(|tx| {
            let mine = tx.find::<Entity>().filter(personal_of_at(user, now));
            mine.order_by_desc(C::Id).limit(LISTED_MAX)
        });
        Ok(rows.await?.into_iter().map(personal).collect())
    }

    /// Ends personal tokens of a person: one, or all. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_personal_tokens(
        &self,
        user: UserId,
        one: Option<PersonalTokenId>,
        now: Millis,
    ) -> Result<u64, StoreError> {
        use personal_tokens::{Column as C, Entity};
        let tx = self.write().await?;
        let which = personal_of_at(user, now).add_option(one.map(|id| C::Id.eq(id.0)));
        let update = tx.update::<Entity>().filter(which).col_expr(C::RevokedAt, Expr::val(now.0));
        let ended = tx.run_update(update).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Removes personal tokens that have ended, so that a clock set back cannot revive them. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_ended_personal_tokens(&self, now: Millis) -> Result<u64, StoreError> {
        use personal_tokens::{Column as C, Entity};
        let tx = self.write().await?;
        let ended = Condition::any().add(C::RevokedAt.is_not_null()).add(C::ExpiresAt.lte(now.0));
        let gone = tx.run_delete(tx.delete::<Entity>().filter(ended)).await?;
        tx.commit().await?;
        Ok(gone)
    }
}

fn alive_at(now: Millis) -> Condition {
    Condition::all().add(api_grants::Column::RevokedAt.is_null()).add(api_grants::Column::ExpiresAt.gt(now.0))
}

fn of_user_at(user: UserId, now: Millis) -> Condition {
    alive_at(now).add(api_grants::Column::UserId.eq(user.0))
}

fn personal_of_at(user: UserId, now: Millis) -> Condition {
    use personal_tokens::Column as C;
    Condition::all().add(C::UserId.eq(user.0)).add(C::RevokedAt.is_null()).add(C::ExpiresAt.gt(now.0))
}

async fn end_grants(tx: &TenantTx, which: Condition, now: Millis) -> Result<u64, StoreError> {
    use api_grants::Column as C;
    let update = tx.update::<api_grants::Entity>().filter(which).filter(C::RevokedAt.is_null());
    tx.run_update(update.col_expr(C::RevokedAt, Expr::val(now.0))).await
}

async fn insert_tokens(tx: &TenantTx, grant: i64, tokens: &NewGrantTokens, now: Millis) -> Result<(), StoreError> {
    let row = |kind: &str, token: GrantToken| api_tokens::Model {
        tenant_id: tx.tenant_id(),
        id: token.id,
        grant_id: grant,
        kind: kind.to_owned(),
        digest: token.hash.0.to_vec(),
        created_at: now.0,
        expires_at: token.expires_at.0,
        used_at: None,
    };
    let rows = vec![row(ACCESS, tokens.access), row(REFRESH, tokens.refresh)];
    tx.insert::<api_tokens::Entity>(rows, None).await?;
    Ok(())
}

fn grant(row: api_grants::Model) -> Grant {
    Grant {
        id: GrantId(row.id),
        user: UserId(row.user_id),
        address: row.address,
        agent: row.agent,
        created_at: Millis(row.created_at),
        last_used_at: Millis(row.last_used_at),
        expires_at: Millis(row.expires_at),
    }
}

fn personal(row: personal_tokens::Model) -> PersonalToken {
    PersonalToken {
        id: PersonalTokenId(row.id),
        user: UserId(row.user_id),
        name: row.name,
        scopes: row.scopes,
        created_at: Millis(row.created_at),
        expires_at: Millis(row.expires_at),
        last_used_at: row.last_used_at.map(Millis),
    }
}
