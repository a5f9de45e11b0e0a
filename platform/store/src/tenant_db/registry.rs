//! What authors publish: keys, releases, and the step by which a release enters the catalogue.

use super::TenantDb;
use crate::{
    codec,
    entity::{author_keys, plugin_releases, plugins},
    error::StoreError,
    page::Whose,
    record::{AuthorKey, Release},
    scope::TenantTx,
};
use marque_domain::{
    id::{AuthorKeyId, PluginId, UserId},
    plugin::{PluginDigest, ReleaseStatus},
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select, sea_query::Expr};

/// Keys that an author may have, revoked ones included.
pub const AUTHOR_KEYS_MAX: u64 = 20;
/// Releases that one answer lists.
pub const RELEASES_MAX: u64 = 200;
/// Releases of one author that wait for a decision.
pub const RELEASES_PENDING_MAX: u64 = 20;

impl TenantDb {
    /// Keys within reach, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn author_keys(&self, whose: Whose) -> Result<Vec<AuthorKey>, StoreError> {
        let rows = self.every(|tx| {
            let keys = tx.find::<author_keys::Entity>().order_by_desc(author_keys::Column::Id).limit(RELEASES_MAX);
            match whose {
                Whose::User(user) => keys.filter(author_keys::Column::UserId.eq(user.0)),
                _ => keys,
            }
        });
        Ok(rows.await?.into_iter().map(author_key).collect())
    }

    /// An author's key with these bytes, revoked or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn author_key(&self, user: UserId, public_key: &[u8]) -> Result<Option<AuthorKey>, StoreError> {
        let public_key = public_key.to_vec();
        let found = self.first(|tx| {
            tx.find::<author_keys::Entity>()
                .filter(author_keys::Column::UserId.eq(user.0))
                .filter(author_keys::Column::PublicKey.eq(public_key))
        });
        Ok(found.await?.map(author_key))
    }

    /// Registers a key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is known or its owner has as many as they may; [`StoreError::Unavailable`].
    pub async fn add_author_key(&self, key: &AuthorKey) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let has = tx.find::<author_keys::Entity>().filter(author_keys::Column::UserId.eq(key.user.0));
        let has = tx.all(has.limit(AUTHOR_KEYS_MAX)).await?.len();
        if u64::try_from(has).is_ok_and(|has| has >= AUTHOR_KEYS_MAX) {
            tx.end().await;
            return Err(StoreError::Conflict(format!("an author may have {AUTHOR_KEYS_MAX} keys")));
        }
        let row = author_keys::Model {
            tenant_id: tx.tenant_id(),
            id: key.id.0,
            user_id: key.user.0,
            name: key.name.clone(),
            public_key: key.public_key.clone(),
            created_at: key.created_at.0,
            revoked_at: key.revoked_at.map(|at| at.0),
        };
        tx.insert::<author_keys::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Revokes a key within reach: nothing more can be published with it. Answers whether it was there and not revoked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn revoke_author_key(&self, whose: Whose, id: AuthorKeyId, at: Millis) -> Result<AuthorKey, StoreError> {
        use author_keys::{Column as C, Entity};
        let tx = self.write().await?;
        let mut row = tx.find::<Entity>().filter(C::Id.eq(id.0));
        if let Whose::User(user) = whose {
            row = row.filter(C::UserId.eq(user.0));
        }
        let Some(mut row) = tx.one(row).await? else {
            tx.end().await;
            return Err(StoreError::NotFound("author key"));
        };
        if row.revoked_at.is_none() {
            row.revoked_at = Some(at.0);
            tx.run_update(tx.update::<Entity>().filter(C::Id.eq(id.0)).col_expr(C::RevokedAt, Expr::val(at.0))).await?;
        }
        tx.commit().await?;
        Ok(author_key(row))
    }

    /// Why nothing of an author's with this component can be kept, in words, as far as that can be said before it is known
    /// what it is: it is published already, or too many of theirs wait.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_refused(&self, user: UserId, digest: PluginDigest) -> Result<Option<String>, StoreError> {
        let tx = self.read().await?;
        let refused = full_or_known(&tx, user, digest).await;
        tx.end().await;
        refused
    }

    /// Keeps a release that the gate has accepted, with its component. A name belongs to who published it first, a version
    /// is published once, and so is a component. Answers which of these it is, in words, when nothing is kept.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when the key is not stored; [`StoreError::Conflict`] when somebody was faster;
    /// [`StoreError::Unavailable`].
    pub async fn add_release(&self, release: &Release, component: &[u8]) -> Result<Option<String>, StoreError> {
        let tx = self.write().await?;
        if let Some(conflict) = conflict(&tx, release).await? {
            tx.end().await;
            return Ok(Some(conflict));
        }
        tx.keep_artifact(release.plugin.digest, component).await?;
        let row = codec::release_row(tx.tenant_id(), release);
        tx.insert::<plugin_releases::Entity>(vec![row], None).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// Releases within reach, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn releases(&self, whose: Whose) -> Result<Vec<Release>, StoreError> {
        let rows = self.every(|tx| reached(tx, whose).order_by_desc(plugin_releases::Column::Id).limit(RELEASES_MAX));
        rows.await?.into_iter().map(codec::release).collect()
    }

    /// A release within reach.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn release(&self, whose: Whose, id: PluginId) -> Result<Release, StoreError> {
        let found = self.first(|tx| reached(tx, whose).filter(plugin_releases::Column::Id.eq(id.0)));
        found.await?.map(codec::release).transpose()?.ok_or(StoreError::NotFound("release"))
    }

    /// Lets a pending release into the catalogue, or decides against it with a reason.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it is not pending any more;
    /// [`StoreError::Unavailable`].
    pub async fn decide_release(&self, id: PluginId, refused: Option<&str>, at: Millis) -> Result<Release, StoreError> {
        let tx = self.write().await?;
        let to = if refused.is_some() { ReleaseStatus::Refused } else { ReleaseStatus::Approved };
        let release = move_release(&tx, Whose::Everyone, id, &[ReleaseStatus::Pending], to, refused.unwrap_or(""), at);
        let release = match release.await {
            Ok(release) => release,
            Err(error) => {
                tx.end().await;
                return Err(error);
            }
        };
        if to == ReleaseStatus::Approved {
            let plugin = &release.plugin;
            let row = plugins::Model {
                tenant_id: tx.tenant_id(),
                id: plugin.id.0,
                name: plugin.name.clone(),
                version: plugin.version.clone(),
                kind: plugin.kind.name().to_owned(),
                digest: plugin.digest.0.to_vec(),
                size: i64::try_from(plugin.size).unwrap_or(i64::MAX),
                description: plugin.description.clone(),
                enabled: true,
                created_at: at.0,
                channel: release.channel.name().to_owned(),
                published: true,
            };
            tx.insert::<plugins::Entity>(vec![row], None).await?;
        }
        tx.commit().await?;
        Ok(release)
    }

    /// Withdraws a release within reach: nothing new is deployed with it, what runs goes on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it was refused or is withdrawn already;
    /// [`StoreError::Unavailable`].
    pub async fn yank_release(
        &self,
        whose: Whose,
        id: PluginId,
        reason: &str,
        at: Millis,
    ) -> Result<Release, StoreError> {
        let tx = self.write().await?;
        let from = [ReleaseStatus::Pending, ReleaseStatus::Approved];
        let release = match move_release(&tx, whose, id, &from, ReleaseStatus::Yanked, reason, at).await {
            Ok(release) => release,
            Err(error) => {
                tx.end().await;
                return Err(error);
            }
        };
        let update = tx.update::<plugins::Entity>().filter(plugins::Column::Id.eq(id.0));
        tx.run_update(update.col_expr(plugins::Column::Enabled, Expr::val(false))).await?;
        tx.commit().await?;
        Ok(release)
    }
}

fn reached(tx: &TenantTx, whose: Whose) -> Select<plugin_releases::Entity> {
    let releases = tx.find::<plugin_releases::Entity>();
    match whose {
        Whose::User(user) => releases.filter(plugin_releases::Column::UserId.eq(user.0)),
        _ => releases,
    }
}

/// Moves a release to another status, if it is in one of `from`.
async fn move_release(
    tx: &TenantTx,
    whose: Whose,
    id: PluginId,
    from: &[ReleaseStatus],
    to: ReleaseStatus,
    reason: &str,
    at: Millis,
) -> Result<Release, StoreError> {
    use plugin_releases::{Column as C, Entity};
    let row = tx.one(reached(tx, whose).filter(C::Id.eq(id.0))).await?.ok_or(StoreError::NotFound("release"))?;
    let mut release = codec::release(row)?;
    if !from.contains(&release.status) {
        return Err(StoreError::Conflict(format!("the release is {}", release.status.name())));
    }
    (release.status, release.reason, release.decided_at) = (to, reason.to_owned(), Some(at));
    let update = tx
        .update::<Entity>()
        .filter(C::Id.eq(id.0))
        // Asked again in the update itself: of two who decide at the same time one does.
        .filter(C::Status.is_in(from.iter().map(|status| status.name())))
        .col_expr(C::Status, Expr::val(to.name()))
        .col_expr(C::Reason, Expr::val(reason))
        .col_expr(C::DecidedAt, Expr::val(at.0));
    if tx.run_update(update).await? == 0 {
        return Err(StoreError::Conflict("somebody else decided about the release meanwhile".to_owned()));
    }
    Ok(release)
}

/// Why a release cannot be kept beside those that are there.
async fn conflict(tx: &TenantTx, release: &Release) -> Result<Option<String>, StoreError> {
    use plugin_releases::{Column as C, Entity};
    let (name, version) = (&release.plugin.name, &release.plugin.version);
    let named = tx.find::<Entity>().filter(C::Name.eq(name.as_str()));
    let same = tx.all(named.limit(RELEASES_MAX)).await?;
    if same.iter().any(|row| row.user_id != release.user.0) {
        return Ok(Some(format!("the name {name} is another author's")));
    }
    if same.iter().any(|row| row.version == *version) {
        return Ok(Some(format!("{name} {version} is published already; raise its version")));
    }
    let shipped = tx.find::<plugins::Entity>().filter(plugins::Column::Name.eq(name.as_str())).limit(RELEASES_MAX);
    let known = |id: i64| same.iter().any(|row| row.id == id);
    if tx.all(shipped).await?.iter().any(|row| !known(row.id)) {
        return Ok(Some(format!("the name {name} is taken by a plugin of the platform")));
    }
    full_or_known(tx, release.user, release.plugin.digest).await
}

/// Whether a component is published already, or as many releases of its author wait as may.
async fn full_or_known(tx: &TenantTx, user: UserId, digest: PluginDigest) -> Result<Option<String>, StoreError> {
    use plugin_releases::{Column as C, Entity};
    let digest = digest.0.to_vec();
    if tx.one(tx.find::<Entity>().filter(C::Digest.eq(digest.clone()))).await?.is_some()
        || tx.one(tx.find::<plugins::Entity>().filter(plugins::Column::Digest.eq(digest))).await?.is_some()
    {
        return Ok(Some("this very component is published already".to_owned()));
    }
    let waiting = tx.find::<Entity>().filter(C::UserId.eq(user.0));
    let waiting = waiting.filter(C::Status.eq(ReleaseStatus::Pending.name())).limit(RELEASES_PENDING_MAX);
    let waiting = tx.all(waiting).await?.len();
    Ok(u64::try_from(waiting)
        .is_ok_and(|waiting| waiting >= RELEASES_PENDING_MAX)
        .then(|| format!("{RELEASES_PENDING_MAX} of your releases wait for a decision; withdraw some, or wait")))
}

fn author_key(row: author_keys::Model) -> AuthorKey {
    AuthorKey {
        id: AuthorKeyId(row.id),
        user: UserId(row.user_id),
        name: row.name,
        public_key: row.public_key,
        created_at: Millis(row.created_at),
        revoked_at: row.revoked_at.map(Millis),
    }
}
