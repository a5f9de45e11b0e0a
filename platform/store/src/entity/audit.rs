//! The audit log's tables.

use super::TenantEntity;

entity!(audit_entries, "audit_entries", key { tenant_id: i64, seq: i64 }, {
    at: i64, actor_kind: String, actor_id: Option<i64>, actor_name: String, act: String, target: String,
    details: String, address: String, agent: String, mac: Vec<u8>,
});
entity!(audit_heads, "audit_heads", key { tenant_id: i64 }, { seq: i64, mac: Vec<u8>, head_mac: Vec<u8> });

of_tenant!(audit_entries, audit_heads);
