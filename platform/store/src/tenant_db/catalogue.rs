//! The plugins that a tenant offers.

use super::TenantDb;
use crate::{
    codec,
    entity::plugins,
    error::StoreError,
    record::{NewPlugin, Plugin},
    system::Change,
};
use marque_domain::{
    id::PluginId,
    plugin::{Channel, PluginDigest},
    time::Millis,
};
use sea_orm::{
    ColumnTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

impl TenantDb {
    /// Puts a plugin into the catalogue, enabled. One with the same component is left as it is.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when the component is not stored; [`StoreError::Unavailable`].
    pub async fn add_plugin(&self, plugin: &NewPlugin, at: Millis) -> Result<Change, StoreError> {
        use plugins::{Column as C, Entity, Model};
        let tx = self.write().await?;
        let row = Model {
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
            channel: Channel::Stable.name().to_owned(),
            published: false,
        };
        let keep = OnConflict::columns([C::TenantId, C::Digest]).do_nothing().to_owned();
        let written = tx.insert::<Entity>(vec![row], Some(keep)).await?;
        tx.commit().await?;
        Ok(if written == 0 { Change::Unchanged } else { Change::Created })
    }

    /// Allows or forbids new deployments of a plugin. Those that run are left alone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn enable_plugin(&self, id: PluginId, enabled: bool) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<plugins::Entity>()
            .filter(plugins::Column::Id.eq(id.0))
            .col_expr(plugins::Column::Enabled, Expr::val(enabled));
        if tx.run_update(update).await? == 0 {
            return Err(StoreError::NotFound("plugin"));
        }
        tx.commit().await
    }

    /// The whole catalogue by name, of one name the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn plugins(&self) -> Result<Vec<Plugin>, StoreError> {
        let all = self.every(|tx| {
            tx.find::<plugins::Entity>()
                .order_by_asc(plugins::Column::Name)
                .order_by_desc(plugins::Column::CreatedAt)
                .order_by_desc(plugins::Column::Id)
        });
        all.await?.into_iter().map(codec::plugin).collect()
    }

    /// The newest enabled plugin of this name on the stable channel; see [`TenantDb::plugin_in_channel`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn plugin_by_name(&self, name: &str) -> Result<Option<Plugin>, StoreError> {
        self.plugin_in_channel(name, Channel::Stable).await
    }

    /// The enabled plugin of this name with the highest semantic version that a channel offers; of equal versions the one
    /// that came last. Who follows the beta channel gets stable versions that are newer, too.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn plugin_in_channel(&self, name: &str, channel: Channel) -> Result<Option<Plugin>, StoreError> {
        let found = self.every(|tx| {
            tx.find::<plugins::Entity>()
                .filter(plugins::Column::Name.eq(name))
                .filter(plugins::Column::Enabled.eq(true))
                .order_by_desc(plugins::Column::CreatedAt)
                .order_by_desc(plugins::Column::Id)
                .limit(VERSIONS_MAX)
        });
        let offered: Vec<Plugin> = found.await?.into_iter().map(codec::plugin).collect::<Result<_, _>>()?;
        let offered = offered.into_iter().filter(|p| p.channel == Channel::Stable || channel == Channel::Beta);
        // The first of the greatest wins, and they come newest first.
        Ok(offered.reduce(|best, next| if rank(&next) > rank(&best) { next } else { best }))
    }

    /// The enabled plugins of this name on every channel, the highest semantic version first; of equal versions first the
    /// one that came last. Up to two hundred of the newest.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn plugin_versions(&self, name: &str) -> Result<Vec<Plugin>, StoreError> {
        let found = self.every(|tx| {
            tx.find::<plugins::Entity>()
                .filter(plugins::Column::Name.eq(name))
                .filter(plugins::Column::Enabled.eq(true))
                .order_by_desc(plugins::Column::CreatedAt)
                .order_by_desc(plugins::Column::Id)
                .limit(VERSIONS_MAX)
        });
        let mut all: Vec<Plugin> = found.await?.into_iter().map(codec::plugin).collect::<Result<_, _>>()?;
        all.sort_by_key(|plugin| core::cmp::Reverse(rank(plugin)));
        Ok(all)
    }

    /// The catalogue entry of a component, enabled or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn plugin_by_digest(&self, digest: PluginDigest) -> Result<Option<Plugin>, StoreError> {
        let digest = digest.0.to_vec();
        let found = self.first(|tx| tx.find::<plugins::Entity>().filter(plugins::Column::Digest.eq(digest))).await?;
        found.map(codec::plugin).transpose()
    }
}

/// Versions of one name that are looked at.
const VERSIONS_MAX: u64 = 200;

/// Semantic versions in their order; what is none comes before all.
fn rank(plugin: &Plugin) -> Option<semver::Version> {
    semver::Version::parse(&plugin.plugin.version).ok()
}
