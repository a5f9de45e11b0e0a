//! Tables of single sign-on.

use super::TenantEntity;

entity!(sso_connections, "sso_connections", key { tenant_id: i64, id: i64 }, {
    slug: String, name: String, preset: String, issuer: String, client_id: String, secret: Vec<u8>, settings: String,
    domains: String, enabled: bool, created_at: i64, updated_at: i64,
});
entity!(sso_identities, "sso_identities", key { tenant_id: i64, issuer: String, subject: String }, {
    user_id: i64, connection_id: i64, email: String, created_at: i64, last_used_at: i64,
});
entity!(sso_attempts, "sso_attempts", key { tenant_id: i64, digest: Vec<u8> }, {
    connection_id: i64, browser: Vec<u8>, secrets: Vec<u8>, next: String, user_id: Option<i64>, created_at: i64,
    expires_at: i64,
});

of_tenant!(sso_connections, sso_identities, sso_attempts);
