//! Tables of what authors publish.

use super::TenantEntity;

entity!(author_keys, "author_keys", key { tenant_id: i64, id: i64 }, {
    user_id: i64, name: String, public_key: Vec<u8>, created_at: i64, revoked_at: Option<i64>,
});
entity!(plugin_releases, "plugin_releases", key { tenant_id: i64, id: i64 }, {
    user_id: i64, key_id: i64, name: String, version: String, channel: String, kind: String, contract: String,
    digest: Vec<u8>, size: i64, description: String, signature: Vec<u8>, changelog: String, report: String,
    status: String, reason: String, created_at: i64, decided_at: Option<i64>,
});

of_tenant!(author_keys, plugin_releases);
