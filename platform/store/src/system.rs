//! What stands above tenants: which there are, which host is whose, and the stored plugin components.

use crate::{
    codec,
    entity::{licensing_revisions, plugin_artifacts, tenant_hosts, tenants},
    error::StoreError,
    record::{Tenant, TenantSpec},
    scope::{Access, Pools, SystemTx},
    tenant_db::TenantDb,
};
use marque_domain::{id::TenantId, plugin::PluginDigest, time::Millis};
use sea_orm::{ColumnTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The way past a single tenant. It is made with a reason, and every use is logged with that reason under the
/// target `marque::audit`; looking up a host, which every request may need, at debug level.
#[derive(Debug, Clone)]
pub struct SystemDb {
    pools: Arc<Pools>,
    reason: &'static str,
}

/// What an idempotent write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There was none.
    Created,
    /// There was a different one.
    Changed,
    /// It was so already; nothing was written.
    Unchanged,
}

/// The outcome of [`SystemDb::apply_tenant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The tenant's id: the offered one if it is new.
    pub tenant: TenantId,
    /// What was done.
    pub change: Change,
}

impl SystemDb {
    pub(crate) const fn new(pools: Arc<Pools>, reason: &'static str) -> Self {
        Self { pools, reason }
    }

    pub(crate) const fn pools(&self) -> &Arc<Pools> {
        &self.pools
    }

    pub(crate) fn audit(&self, operation: &'static str) {
        tracing::info!(target: "marque::audit", operation, reason = self.reason, "system access");
    }

    /// The rows of one tenant. For the host resolver and for jobs that name their tenant.
    #[must_use]
    pub fn tenant_db(&self, tenant: TenantId) -> TenantDb {
        tracing::info!(target: "marque::audit", operation = "tenant_db", reason = self.reason, tenant = tenant.0, "system access");
        TenantDb::new(self.pools.clone(), tenant)
    }

    /// The tenant that serves `host`, which must be lower case and without port. Nothing is cached here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tenant_by_host(&self, host: &str) -> Result<Option<Tenant>, StoreError> {
        tracing::debug!(target: "marque::audit", operation = "tenant_by_host", reason = self.reason, host, "system access");
        let tx = self.pools.system(Access::Read).await?;
        let named = tx.find::<tenant_hosts::Entity>().filter(tenant_hosts::Column::Host.eq(host));
        let found = match tx.one(named).await? {
            Some(named) => Some(tenant(&tx, TenantId(named.tenant_id)).await?),
            None => None,
        };
        tx.end().await;
        Ok(found)
    }

    /// The tenant with this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tenant(&self, id: TenantId) -> Result<Tenant, StoreError> {
        self.audit("tenant");
        let tx = self.pools.system(Access::Read).await?;
        let found = tenant(&tx, id).await?;
        tx.end().await;
        Ok(found)
    }

    /// Every tenant, by slug.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.audit("tenants");
        let tx = self.pools.system(Access::Snapshot).await?;
        let rows = tx.all(tx.find::<tenants::Entity>().order_by_asc(tenants::Column::Slug)).await?;
        let mut hosts: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for row in tx.all(tx.find::<tenant_hosts::Entity>().order_by_asc(tenant_hosts::Column::Host)).await? {
            hosts.entry(row.tenant_id).or_default().push(row.host);
        }
        tx.end().await;
        rows.into_iter()
            .map(|row| {
                let hosts = hosts.remove(&row.id).unwrap_or_default();
                codec::tenant(row, hosts)
            })
            .collect()
    }

    /// When each tenant changed last, for a server that watches for changes. Two that differ say that it did, whatever the
    /// clocks of those who applied it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tenant_versions(&self) -> Result<Vec<(TenantId, Millis)>, StoreError> {
        tracing::debug!(target: "marque::audit", operation = "tenant_versions", reason = self.reason, "system access");
        let tx = self.pools.system(Access::Read).await?;
        let versions =
            tx.find::<tenants::Entity>().select_only().columns([tenants::Column::Id, tenants::Column::UpdatedAt]);
        let rows = tx.tuples::<_, (i64, i64)>(versions).await?;
        tx.end().await;
        Ok(rows.into_iter().map(|(id, at)| (TenantId(id), Millis(at))).collect())
    }

    /// How far each tenant's licensing has moved: revision and epoch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn licensing_revisions(&self) -> Result<Vec<(TenantId, i64, i64)>, StoreError> {
        use licensing_revisions::{Column as C, Entity};
        let tx = self.pools.system(Access::Read).await?;
        let rows = tx.find::<Entity>().select_only().columns([C::OfTenant, C::Revision, C::Epoch]);
        let rows = tx.tuples::<_, (i64, i64, i64)>(rows).await?;
        tx.end().await;
        Ok(rows.into_iter().map(|(id, revision, epoch)| (TenantId(id), revision, epoch)).collect())
    }

    /// How many tenants have licences and how often theirs have changed, all together: the same as before only when
    /// [`SystemDb::licensing_revisions`] is, since each of those only grows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn licensing_changes(&self) -> Result<(i64, i64), StoreError> {
        use licensing_revisions::{Column as C, Entity};
        let tx = self.pools.system(Access::Read).await?;
        let sums =
            tx.find::<Entity>().select_only().expr(C::OfTenant.count()).expr(C::Revision.sum().cast_as("BIGINT"));
        let sums = tx.tuples::<_, (i64, Option<i64>)>(sums).await?;
        tx.end().await;
        Ok(sums.first().map_or((0, 0), |(tenants, changes)| (*tenants, changes.unwrap_or(0))))
    }

    /// Applies one tenant; see [`SystemDb::apply_tenants`]. A new one gets `id_if_new`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a host is another tenant's; [`StoreError::Unavailable`].
    pub async fn apply_tenant(
        &self,
        spec: &TenantSpec,
        id_if_new: TenantId,
        at: Millis,
    ) -> Result<Applied, StoreError> {
        let applied = self.apply_tenants(&[(spec.clone(), id_if_new)], at).await?;
        applied.into_iter().next().ok_or(StoreError::NotFound("tenant"))
    }

    /// Makes the tenants with these slugs be as the specs say, all of them or none; applying the same twice changes
    /// nothing. Each comes with the id it gets if it is new. A host may pass from one of them to another.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a host is another tenant's; [`StoreError::Unavailable`].
    pub async fn apply_tenants(
        &self,
        specs: &[(TenantSpec, TenantId)],
        at: Millis,
    ) -> Result<Vec<Applied>, StoreError> {
        self.audit("apply_tenants");
        let tx = self.pools.system(Access::Write).await?;
        let mut applied = Vec::with_capacity(specs.len());
        let mut changed = Vec::new();
        for (spec, id_if_new) in specs {
            let spec = TenantSpec { hosts: sorted(&spec.hosts), ..spec.clone() };
            let outcome = write_tenant(&tx, &spec, *id_if_new, at).await?;
            if outcome.change != Change::Unchanged {
                changed.push((outcome.tenant, spec.hosts));
            }
            applied.push(outcome);
        }
        // Given back by all before any takes one, so that two may exchange theirs.
        let ids = changed.iter().map(|(tenant, _)| tenant.0);
        tx.run_delete(tx.delete::<tenant_hosts::Entity>().filter(tenant_hosts::Column::TenantId.is_in(ids))).await?;
        for (tenant, hosts) in &changed {
            take_hosts(&tx, *tenant, hosts).await?;
        }
        tx.commit().await?;
        Ok(applied)
    }

    /// Stores a plugin component under the SHA-256 of its bytes, which the caller has computed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put_artifact(&self, digest: PluginDigest, bytes: &[u8]) -> Result<Change, StoreError> {
        self.audit("put_artifact");
        let row = plugin_artifacts::Model { digest: digest.0.to_vec(), bytes: bytes.to_vec() };
        let keep = OnConflict::column(plugin_artifacts::Column::Digest).do_nothing().to_owned();
        let tx = self.pools.system(Access::Write).await?;
        let written = tx.insert::<plugin_artifacts::Entity>(vec![row], Some(keep)).await?;
        tx.commit().await?;
        Ok(if written == 0 { Change::Unchanged } else { Change::Created })
    }

    /// The bytes of a stored component. Whoever runs them checks the digest.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn artifact(&self, digest: PluginDigest) -> Result<Option<Vec<u8>>, StoreError> {
        self.audit("artifact");
        let tx = self.pools.system(Access::Read).await?;
        let found =
            tx.find::<plugin_artifacts::Entity>().filter(plugin_artifacts::Column::Digest.eq(digest.0.to_vec()));
        let found = tx.one(found).await?;
        tx.end().await;
        Ok(found.map(|row| row.bytes))
    }
}

async fn tenant(tx: &SystemTx, id: TenantId) -> Result<Tenant, StoreError> {
    let row = tx.one(tx.find::<tenants::Entity>().filter(tenants::Column::Id.eq(id.0))).await?;
    let row = row.ok_or(StoreError::NotFound("tenant"))?;
    let hosts = tx
        .find::<tenant_hosts::Entity>()
        .filter(tenant_hosts::Column::TenantId.eq(id.0))
        .order_by_asc(tenant_hosts::Column::Host);
    let hosts = tx.all(hosts).await?.into_iter().map(|row| row.host).collect();
    codec::tenant(row, sorted_owned(hosts))
}

/// In byte order whatever the database's collation, without doubles.
fn sorted(hosts: &[String]) -> Vec<String> {
    sorted_owned(hosts.to_vec())
}

fn sorted_owned(hosts: Vec<String>) -> Vec<String> {
    hosts.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Writes a tenant's row, without its hosts, if it differs from what is stored.
async fn write_tenant(
    tx: &SystemTx,
    spec: &TenantSpec,
    id_if_new: TenantId,
    at: Millis,
) -> Result<Applied, StoreError> {
    use tenants::Column as C;
    let Some(found) = tx.one(tx.find::<tenants::Entity>().filter(C::Slug.eq(spec.slug.as_str()))).await? else {
        tx.insert::<tenants::Entity>(vec![codec::tenant_row(spec, id_if_new, at, at)], None).await?;
        return Ok(Applied { tenant: id_if_new, change: Change::Created });
    };
    let stored = tenant(tx, TenantId(found.id)).await?;
    if stored.spec == *spec {
        return Ok(Applied { tenant: stored.id, change: Change::Unchanged });
    }
    let row = codec::tenant_row(spec, stored.id, stored.created_at, at);
    let update = OnConflict::column(C::Id)
        .update_columns([C::Name, C::Status, C::Theme, C::Definition, C::UpdatedAt])
        .to_owned();
    tx.insert::<tenants::Entity>(vec![row], Some(update)).await?;
    Ok(Applied { tenant: stored.id, change: Change::Changed })
}

/// Gives a tenant its hosts. A host of another tenant stays theirs.
async fn take_hosts(tx: &SystemTx, tenant: TenantId, hosts: &[String]) -> Result<(), StoreError> {
    use tenant_hosts::{Column as C, Entity, Model};
    if let Some(taken) = tx.one(tx.find::<Entity>().filter(C::Host.is_in(hosts))).await? {
        return Err(StoreError::Conflict(format!("the host {} belongs to another tenant", taken.host)));
    }
    let rows = hosts.iter().map(|host| Model { host: host.clone(), tenant_id: tenant.0 }).collect();
    tx.insert::<Entity>(rows, None).await?;
    Ok(())
}
