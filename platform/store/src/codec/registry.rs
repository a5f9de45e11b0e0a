//! What authors publish.

use super::{Decoded, KINDS, digest, named};
use crate::{
    entity::plugin_releases,
    error::StoreError,
    record::{NewPlugin, Release},
};
use marque_domain::{
    id::{AuthorKeyId, PluginId, UserId},
    plugin::{Channel, PluginKind, ReleaseStatus},
    time::Millis,
};

pub(crate) fn release(row: plugin_releases::Model) -> Decoded<Release> {
    Ok(Release {
        plugin: NewPlugin {
            id: PluginId(row.id),
            name: row.name,
            version: row.version,
            kind: named("release", &KINDS, PluginKind::name, &row.kind)?,
            digest: digest("release", &row.digest)?,
            size: u64::try_from(row.size).map_err(|fault| StoreError::corrupt("release", fault))?,
            description: row.description,
        },
        user: UserId(row.user_id),
        key: AuthorKeyId(row.key_id),
        channel: named("release", &Channel::ALL, Channel::name, &row.channel)?,
        contract: row.contract,
        signature: row.signature,
        changelog: row.changelog,
        report: row.report,
        status: named("release", &ReleaseStatus::ALL, ReleaseStatus::name, &row.status)?,
        reason: row.reason,
        created_at: Millis(row.created_at),
        decided_at: row.decided_at.map(Millis),
    })
}

pub(crate) fn release_row(tenant_id: i64, release: &Release) -> plugin_releases::Model {
    let plugin = &release.plugin;
    plugin_releases::Model {
        tenant_id,
        id: plugin.id.0,
        user_id: release.user.0,
        key_id: release.key.0,
        name: plugin.name.clone(),
        version: plugin.version.clone(),
        channel: release.channel.name().to_owned(),
        kind: plugin.kind.name().to_owned(),
        contract: release.contract.clone(),
        digest: plugin.digest.0.to_vec(),
        size: i64::try_from(plugin.size).unwrap_or(i64::MAX),
        description: plugin.description.clone(),
        signature: release.signature.clone(),
        changelog: release.changelog.clone(),
        report: release.report.clone(),
        status: release.status.name().to_owned(),
        reason: release.reason.clone(),
        created_at: release.created_at.0,
        decided_at: release.decided_at.map(|at| at.0),
    }
}
