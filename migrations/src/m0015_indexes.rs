//! Indexes without the rows that nobody looks for by them, and one reference to the tenant where two said the same.

use crate::dialect;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

/// Tables whose rows refer to a row of their tenant, which refers to the tenant: they did so themselves once. SQLite cannot
/// drop a reference; there the databases of before keep theirs.
const REFERRING_TWICE: &[&str] = &[
    "deployments",
    "positions",
    "orders",
    "decisions",
    "equity_points",
    "deployment_logs",
    "ledger_transactions",
    "ledger_postings",
];

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "0015_indexes"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let db = manager.get_connection();
        db.execute_unprepared(&dialect::tables(backend, include_str!("../sql/0015_indexes.sql"))).await?;
        if backend == DbBackend::Postgres {
            for table in REFERRING_TWICE {
                let drop = format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_tenant_id_fkey");
                db.execute_unprepared(&drop).await?;
            }
        }
        Ok(())
    }

    /// A schema half made is worse than none, and SQLite can roll back DDL as PostgreSQL can.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
