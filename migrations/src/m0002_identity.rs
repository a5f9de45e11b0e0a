//! Proofs of who somebody is, single sign-on, access for programs, audit, mail, data keys.

use crate::dialect;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

/// The tenant tables that this migration makes.
pub(crate) const TENANT_TABLES: &[&str] = &[
    "devices",
    "one_time_tokens",
    "authenticators",
    "backup_codes",
    "passkeys",
    "api_grants",
    "api_tokens",
    "personal_tokens",
    "sso_connections",
    "sso_identities",
    "sso_attempts",
    "audit_entries",
    "audit_heads",
    "mails",
    "data_keys",
];

/// Those of them whose rows are never changed or deleted.
pub(crate) const APPEND_ONLY_TABLES: &[&str] = &["audit_entries"];

/// Whoever was here before addresses were verified was added by the operator, who vouches for them.
const VOUCHED: &str = "UPDATE users SET email_verified_at = created_at;";

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "0002_identity"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let db = manager.get_connection();
        db.execute_unprepared(&dialect::tables(backend, include_str!("../sql/0002_identity.sql"))).await?;
        db.execute_unprepared(&dialect::append_only(backend, APPEND_ONLY_TABLES)).await?;
        db.execute_unprepared(&dialect::row_security(backend, TENANT_TABLES)).await?;
        // Forced row security hides every row from a migration too, which speaks for no tenant.
        let vouched = match backend {
            DbBackend::Postgres => format!(
                "ALTER TABLE users NO FORCE ROW LEVEL SECURITY; {VOUCHED} ALTER TABLE users FORCE ROW LEVEL SECURITY;"
            ),
            _ => VOUCHED.to_owned(),
        };
        db.execute_unprepared(&vouched).await?;
        Ok(())
    }

    /// A schema half made is worse than none, and SQLite can roll back DDL as PostgreSQL can.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
