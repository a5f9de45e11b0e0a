//! Tables of licensing.

use super::{SystemEntity, TenantEntity};

entity!(licensing_revisions, "licensing_revisions", key { of_tenant: i64 }, { revision: i64, epoch: i64 });
entity!(ea_products, "ea_products", key { tenant_id: i64, id: i64 }, {
    code: String, name: String, summary: String, plans: String, settings_schema: String, schema_version: i64,
    created_at: i64,
});
entity!(ea_versions, "ea_versions", key { tenant_id: i64, id: i64 }, {
    product_id: i64, version: String, channel: String, changelog: String, created_at: i64, yanked_at: Option<i64>,
    yank_reason: String,
});
entity!(ea_files, "ea_files", key { tenant_id: i64, id: i64 }, {
    version_id: i64, name: String, size: i64, digest: Vec<u8>, data_key: Vec<u8>, uploaded_by: Option<i64>,
    uploaded_at: i64,
});
entity!(licence_policies, "licence_policies", key { tenant_id: i64, id: i64 }, {
    product_id: i64, name: String, terms: String, created_at: i64,
});
entity!(licences, "licences", key { tenant_id: i64, id: i64 }, {
    product_id: i64, policy_id: i64, user_id: i64, state: String, reason: String, ends_at: Option<i64>,
    created_at: i64, first_used_at: Option<i64>, first_activated_at: Option<i64>, moved_at: Option<i64>, revision: i64,
});
entity!(licence_keys, "licence_keys", key { tenant_id: i64, id: i64 }, {
    licence_id: i64, key_id: Vec<u8>, secret: Vec<u8>, created_at: i64, replaced_at: Option<i64>,
});
entity!(licence_activations, "licence_activations", key { tenant_id: i64, id: i64 }, {
    licence_id: i64, account: String, server: String, machine: String, kind: String, platform: String,
    version: String, address: String, nonce: String, generation: i64, taken_at: i64, seen_at: i64,
    released_at: Option<i64>, lapsed_at: Option<i64>, sequence: i64, orders: i64, lots: i64, runtime_s: i64,
});
entity!(licence_salts, "licence_salts", key { tenant_id: i64, id: i64 }, {
    licence_id: i64, activation_id: i64, generation: i64, salt: Vec<u8>, created_at: i64, retires_at: Option<i64>,
});
entity!(licence_events, "licence_events", key { tenant_id: i64, id: i64 }, {
    licence_id: i64, activation_id: Option<i64>, at: i64, kind: String, account: String, machine: String,
    address: String, nonce: Option<String>,
});
entity!(licence_settings, "licence_settings", key { tenant_id: i64, licence_id: i64 }, {
    version: i64, schema_version: i64, settings: String, updated_at: i64,
});
entity!(ea_keys, "ea_keys", key { tenant_id: i64, id: i64 }, {
    name: String, public_key: Vec<u8>, secret: Vec<u8>, created_at: i64, retired_at: Option<i64>,
});

impl SystemEntity for licensing_revisions::Entity {}
of_tenant!(
    ea_products,
    ea_versions,
    ea_files,
    licence_policies,
    licences,
    licence_keys,
    licence_activations,
    licence_salts,
    licence_events,
    licence_settings,
    ea_keys
);
