//! The schema and its history, for SQLite and PostgreSQL.
//!
//! Owns: every table, index, trigger and row-level-security policy, and what the server's database role may do
//! with them. A change is a new migration that first expands; a later one contracts, once nothing reads the old
//! shape.
//!
//! Refuses to know: any other room. It is DDL and nothing else.

mod dialect;
mod m0001_spine;

pub use dialect::grants;
pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait::async_trait};

/// Tables that belong to no tenant: what must be readable before a tenant is known.
pub const SYSTEM_TABLES: &[&str] = &["tenants", "tenant_hosts", "plugin_artifacts"];

/// Tables whose every row belongs to one tenant. PostgreSQL guards each with row-level security.
pub const TENANT_TABLES: &[&str] = &[
    "users",
    "sessions",
    "idempotency",
    "plugins",
    "accounts",
    "deployments",
    "positions",
    "orders",
    "decisions",
    "equity_points",
    "deployment_logs",
    "ledger_transactions",
    "ledger_postings",
    "journal",
    "shard_marks",
    "shard_checkpoints",
];

/// Tables whose rows are never changed or deleted. Triggers refuse to, whoever asks.
pub const APPEND_ONLY_TABLES: &[&str] = &["ledger_transactions", "ledger_postings"];

/// The list of migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_spine::Migration)]
    }
}
