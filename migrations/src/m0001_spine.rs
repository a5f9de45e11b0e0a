//! Tenants, people, plugins, accounts, orders, books and journal.

use crate::dialect;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

/// The tenant tables that this migration makes.
pub(crate) const TENANT_TABLES: &[&str] = &[
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

/// Those of them whose rows are never changed or deleted.
pub(crate) const APPEND_ONLY_TABLES: &[&str] = &["ledger_transactions", "ledger_postings"];

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "0001_spine"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let db = manager.get_connection();
        db.execute_unprepared(&dialect::tables(backend, include_str!("../sql/0001_spine.sql"))).await?;
        db.execute_unprepared(&dialect::append_only(backend, APPEND_ONLY_TABLES)).await?;
        db.execute_unprepared(&dialect::row_security(backend, TENANT_TABLES)).await?;
        Ok(())
    }

    /// A schema half made is worse than none, and SQLite can roll back DDL as PostgreSQL can.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
