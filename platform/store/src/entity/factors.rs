//! Second factors, and what counts tries with them.

use super::TenantEntity;

entity!(authenticators, "authenticators", key { tenant_id: i64, user_id: i64 }, {
    secret: Vec<u8>, confirmed_at: Option<i64>, last_step: i64, created_at: i64,
});
entity!(backup_codes, "backup_codes", key { tenant_id: i64, id: i64 }, {
    user_id: i64, digest: Vec<u8>, created_at: i64, used_at: Option<i64>,
});
entity!(passkeys, "passkeys", key { tenant_id: i64, id: i64 }, {
    user_id: i64, credential: Vec<u8>, name: String, data: String, created_at: i64, last_used_at: Option<i64>,
});
// A view of `users`: nothing else needs these two columns.
entity!(proof_tries, "users", key { tenant_id: i64, id: i64 }, { proof_tries: i64, proof_tries_since: i64 });
// A view of `one_time_tokens`: proofs that were made elsewhere and are remembered so that they count once.
entity!(spent_proofs, "one_time_tokens", key { tenant_id: i64, id: i64 }, {
    user_id: i64, kind: String, digest: Vec<u8>, data: String, attempts: i64, created_at: i64, expires_at: i64,
    used_at: Option<i64>,
});

of_tenant!(authenticators, backup_codes, passkeys, proof_tries, spent_proofs);
