//! Single sign-on: connections, who people are at issuers, and attempts under way.

use super::TenantDb;
use crate::{
    codec,
    entity::{api_grants, personal_tokens, sessions, sso_attempts, sso_connections, sso_identities, users},
    error::StoreError,
    record::{SsoAttempt, SsoConnection, SsoIdentity, User},
    scope::TenantTx,
};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

/// Connections of one tenant, and identities of one person, that are listed.
pub const SSO_LIST_MAX: u64 = 50;
/// People who are looked at in one query.
const PEOPLE_AT_ONCE: u64 = 1_000;

impl TenantDb {
    /// The tenant's connections, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sso_connections(&self) -> Result<Vec<SsoConnection>, StoreError> {
        let rows = self.every(|tx| {
            tx.find::<sso_connections::Entity>().order_by_asc(sso_connections::Column::Name).limit(SSO_LIST_MAX)
        });
        Ok(rows.await?.into_iter().map(connection).collect())
    }

    /// The connection with this short name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sso_connection(&self, slug: &str) -> Result<Option<SsoConnection>, StoreError> {
        let found =
            self.first(|tx| tx.find::<sso_connections::Entity>().filter(sso_connections::Column::Slug.eq(slug)));
        Ok(found.await?.map(connection))
    }

    /// Adds a connection.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the short name is taken; [`StoreError::Unavailable`].
    pub async fn create_sso_connection(&self, connection: &SsoConnection) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let row = connection_row(tx.tenant_id(), connection);
        tx.insert::<sso_connections::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Changes everything of a connection but its id, short name and preset. Answers whether it is there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn update_sso_connection(&self, connection: &SsoConnection) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let is_there = change_connection(&tx, connection).await?;
        tx.commit().await?;
        Ok(is_there)
    }

    /// Changes a connection as [`TenantDb::update_sso_connection`] does and, with it or not at all, ends what people whose address
    /// `is_meant`, but none of role `spared`, have opened by another way: sessions, programs, personal tokens. What stays are
    /// sessions by `method` of who last came by this connection. Answers how many; none when the connection is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_by_sso_connection(
        &self,
        connection: &SsoConnection,
        is_meant: impl Fn(&str) -> bool + Send + Sync,
        spared: &str,
        method: &str,
        now: Millis,
    ) -> Result<Option<u64>, StoreError> {
        let tx = self.write().await?;
        if !change_connection(&tx, connection).await? {
            tx.end().await;
            return Ok(None);
        }
        let ended = end_other_ways(&tx, connection.id, is_meant, spared, method, now).await?;
        tx.commit().await?;
        Ok(Some(ended))
    }

    /// Who somebody of an issuer is here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sso_identity(&self, issuer: &str, subject: &str) -> Result<Option<SsoIdentity>, StoreError> {
        use sso_identities::Column;
        let found = self.first(|tx| {
            tx.find::<sso_identities::Entity>().filter(Column::Issuer.eq(issuer)).filter(Column::Subject.eq(subject))
        });
        Ok(found.await?.map(identity))
    }

    /// The identities of a person, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sso_identities_of(&self, user: UserId) -> Result<Vec<SsoIdentity>, StoreError> {
        use sso_identities::Column;
        let rows = self.every(|tx| {
            tx.find::<sso_identities::Entity>()
                .filter(Column::UserId.eq(user.0))
                .order_by_asc(Column::CreatedAt)
                .limit(SSO_LIST_MAX)
        });
        Ok(rows.await?.into_iter().map(identity).collect())
    }

    /// Adds a person together with who they are at an issuer, or neither.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when this tenant has someone with that address or that identity;
    /// [`StoreError::Unavailable`].
    pub async fn create_user_of_sso(&self, user: &User, identity: &SsoIdentity) -> Result<(), StoreError> {
        let tx = self.write().await?;
        tx.insert::<users::Entity>(vec![codec::user_row(user, tx.tenant_id())], None).await?;
        let row = identity_row(tx.tenant_id(), identity);
        tx.insert::<sso_identities::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Notes that an identity was used: when, by which connection, with which address.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn touch_sso_identity(&self, used: &SsoIdentity) -> Result<(), StoreError> {
        use sso_identities::Column;
        let tx = self.write().await?;
        let update = tx
            .update::<sso_identities::Entity>()
            .filter(Column::Issuer.eq(used.issuer.as_str()))
            .filter(Column::Subject.eq(used.subject.as_str()))
            .col_expr(Column::ConnectionId, Expr::val(used.connection))
            .col_expr(Column::Email, Expr::val(used.email.as_str()))
            .col_expr(Column::LastUsedAt, Expr::val(used.last_used_at.0));
        tx.run_update(update).await?;
        tx.commit().await
    }

    /// Ends the same of the same people, for what was opened while their domain was being claimed. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_other_ways(
        &self,
        connection: i64,
        is_meant: impl Fn(&str) -> bool + Send + Sync,
        spared: &str,
        method: &str,
        now: Millis,
    ) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let ended = end_other_ways(&tx, connection, is_meant, spared, method, now).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Notes that somebody was sent to an issuer; forgets attempts that ended.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when there is no such connection or person; [`StoreError::Unavailable`].
    pub async fn begin_sso_attempt(&self, attempt: &SsoAttempt) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let ended =
            tx.delete::<sso_attempts::Entity>().filter(sso_attempts::Column::ExpiresAt.lte(attempt.created_at.0));
        tx.run_delete(ended).await?;
        let row = sso_attempts::Model {
            tenant_id: tx.tenant_id(),
            digest: attempt.digest.to_vec(),
            connection_id: attempt.connection,
            browser: attempt.browser.to_vec(),
            secrets: attempt.secrets.clone(),
            next: attempt.next.clone(),
            user_id: attempt.user.map(|user| user.0),
            created_at: attempt.created_at.0,
            expires_at: attempt.expires_at.0,
        };
        tx.insert::<sso_attempts::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Removes attempts that ended before `now`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_sso_attempts(&self, now: Millis) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let ended = tx.delete::<sso_attempts::Entity>().filter(sso_attempts::Column::ExpiresAt.lte(now.0));
        let gone = tx.run_delete(ended).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Takes the attempt of a state that this browser began by this connection and that has not ended. Of many who
    /// ask at once one gets it; somebody else's stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn take_sso_attempt(
        &self,
        state: [u8; 32],
        connection: i64,
        browser: [u8; 32],
        now: Millis,
    ) -> Result<Option<SsoAttempt>, StoreError> {
        use sso_attempts::Column;
        let chosen = Condition::all()
            .add(Column::Digest.eq(state.to_vec()))
            .add(Column::ConnectionId.eq(connection))
            .add(Column::Browser.eq(browser.to_vec()))
            .add(Column::ExpiresAt.gt(now.0));
        // Whoever brings what is no answer keeps nobody from writing.
        let wanted = chosen.clone();
        if self.first(|tx| tx.find::<sso_attempts::Entity>().filter(wanted)).await?.is_none() {
            return Ok(None);
        }
        let tx = self.write().await?;
        let found = tx.one(tx.find::<sso_attempts::Entity>().filter(chosen.clone())).await?;
        // On PostgreSQL two may have found it; one deletes it.
        let taken = tx.run_delete(tx.delete::<sso_attempts::Entity>().filter(chosen)).await?;
        tx.commit().await?;
        found.filter(|_| taken > 0).map(attempt).transpose()
    }
}

/// Answers whether it is there.
async fn change_connection(tx: &TenantTx, connection: &SsoConnection) -> Result<bool, StoreError> {
    use sso_connections::Column;
    let row = connection_row(tx.tenant_id(), connection);
    let update = tx
        .update::<sso_connections::Entity>()
        .filter(Column::Id.eq(row.id))
        .col_expr(Column::Name, Expr::val(row.name))
        .col_expr(Column::Issuer, Expr::val(row.issuer))
        .col_expr(Column::ClientId, Expr::val(row.client_id))
        .col_expr(Column::Secret, Expr::val(row.secret))
        .col_expr(Column::Settings, Expr::val(row.settings))
        .col_expr(Column::Domains, Expr::val(row.domains))
        .col_expr(Column::Enabled, Expr::val(row.enabled))
        .col_expr(Column::UpdatedAt, Expr::val(row.updated_at));
    Ok(tx.run_update(update).await? > 0)
}

async fn end_other_ways(
    tx: &TenantTx,
    connection: i64,
    is_meant: impl Fn(&str) -> bool + Send + Sync,
    spared: &str,
    method: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    use users::Column as U;
    let (mut after, mut ended) = (i64::MIN, 0);
    loop {
        let page = tx.find::<users::Entity>().filter(U::Id.gt(after)).filter(U::Role.ne(spared));
        let page = page.order_by_asc(U::Id).limit(PEOPLE_AT_ONCE).select_only().columns([U::Id, U::Email]);
        let people = tx.tuples::<_, (i64, String)>(page).await?;
        let Some((last, _)) = people.last() else { return Ok(ended) };
        after = *last;
        let meant: Vec<i64> = people.into_iter().filter(|(_, email)| is_meant(email)).map(|(id, _)| id).collect();
        if !meant.is_empty() {
            ended += end_ways_of(tx, connection, meant, method, now).await?;
        }
    }
}

async fn end_ways_of(
    tx: &TenantTx,
    connection: i64,
    people: Vec<i64>,
    method: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    use api_grants::Column as G;
    use personal_tokens::Column as P;
    use sessions::Column as S;
    use sso_identities::Column as I;
    // A session does not say by which connection it was opened; an identity does of its last use.
    let came = tx.find::<sso_identities::Entity>().filter(I::UserId.is_in(people.iter().copied()));
    let came = tx.all(came.filter(I::ConnectionId.eq(connection))).await?.into_iter().map(|row| row.user_id);
    let otherwise = Condition::any().add(S::Method.ne(method)).add(S::UserId.is_not_in(came));
    let sessions = tx.delete::<sessions::Entity>().filter(S::UserId.is_in(people.iter().copied()));
    let mut ended = tx.run_delete(sessions.filter(otherwise)).await?;
    let grants = tx.update::<api_grants::Entity>().filter(G::UserId.is_in(people.iter().copied()));
    let grants = grants.filter(G::RevokedAt.is_null()).col_expr(G::RevokedAt, Expr::val(now.0));
    ended += tx.run_update(grants).await?;
    let tokens = tx.update::<personal_tokens::Entity>().filter(P::UserId.is_in(people));
    let tokens = tokens.filter(P::RevokedAt.is_null()).col_expr(P::RevokedAt, Expr::val(now.0));
    ended += tx.run_update(tokens).await?;
    Ok(ended)
}

fn connection(row: sso_connections::Model) -> SsoConnection {
    SsoConnection {
        id: row.id,
        slug: row.slug,
        name: row.name,
        preset: row.preset,
        issuer: row.issuer,
        client_id: row.client_id,
        secret: row.secret,
        settings: row.settings,
        domains: row.domains.split_whitespace().map(str::to_owned).collect(),
        enabled: row.enabled,
        created_at: Millis(row.created_at),
        updated_at: Millis(row.updated_at),
    }
}

fn connection_row(tenant_id: i64, connection: &SsoConnection) -> sso_connections::Model {
    sso_connections::Model {
        tenant_id,
        id: connection.id,
        slug: connection.slug.clone(),
        name: connection.name.clone(),
        preset: connection.preset.clone(),
        issuer: connection.issuer.clone(),
        client_id: connection.client_id.clone(),
        secret: connection.secret.clone(),
        settings: connection.settings.clone(),
        domains: connection.domains.join(" "),
        enabled: connection.enabled,
        created_at: connection.created_at.0,
        updated_at: connection.updated_at.0,
    }
}

fn identity(row: sso_identities::Model) -> SsoIdentity {
    SsoIdentity {
        issuer: row.issuer,
        subject: row.subject,
        user: UserId(row.user_id),
        connection: row.connection_id,
        email: row.email,
        created_at: Millis(row.created_at),
        last_used_at: Millis(row.last_used_at),
    }
}

pub(super) fn identity_row(tenant_id: i64, identity: &SsoIdentity) -> sso_identities::Model {
    sso_identities::Model {
        tenant_id,
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        user_id: identity.user.0,
        connection_id: identity.connection,
        email: identity.email.clone(),
        created_at: identity.created_at.0,
        last_used_at: identity.last_used_at.0,
    }
}

fn attempt(row: sso_attempts::Model) -> Result<SsoAttempt, StoreError> {
    let digest = |bytes: Vec<u8>| bytes.try_into().map_err(|_| StoreError::corrupt("sign-in attempt", "not 32 bytes"));
    Ok(SsoAttempt {
        digest: digest(row.digest)?,
        connection: row.connection_id,
        browser: digest(row.browser)?,
        secrets: row.secrets,
        next: row.next,
        user: row.user_id.map(UserId),
        created_at: Millis(row.created_at),
        expires_at: Millis(row.expires_at),
    })
}
