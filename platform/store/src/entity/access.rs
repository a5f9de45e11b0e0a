//! Tables of browsers and programs that somebody let in.

use super::TenantEntity;

entity!(api_grants, "api_grants", key { tenant_id: i64, id: i64 }, {
    user_id: i64, address: String, agent: String, created_at: i64, last_used_at: i64, expires_at: i64,
    revoked_at: Option<i64>,
});
entity!(api_tokens, "api_tokens", key { tenant_id: i64, id: i64 }, {
    grant_id: i64, kind: String, digest: Vec<u8>, created_at: i64, expires_at: i64, used_at: Option<i64>,
});
entity!(personal_tokens, "personal_tokens", key { tenant_id: i64, id: i64 }, {
    user_id: i64, name: String, digest: Vec<u8>, scopes: String, created_at: i64, expires_at: i64,
    last_used_at: Option<i64>, revoked_at: Option<i64>,
});

entity!(devices, "devices", key { tenant_id: i64, id: i64 }, {
    user_id: i64, digest: Vec<u8>, agent: String, address: String, country: Option<String>, first_seen_at: i64,
    last_seen_at: i64,
});

of_tenant!(devices, api_grants, api_tokens, personal_tokens);
