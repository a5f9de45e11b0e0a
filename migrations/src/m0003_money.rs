//! Movements that people ask for; the journal is append-only in the database itself.

use crate::dialect;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

/// The tables that this migration makes append-only.
pub(crate) const APPEND_ONLY_TABLES: &[&str] = &["journal"];

/// What tells a row of an append-only table from any other, besides its tenant.
const KEYS: &[(&str, &[&str])] = &[
    ("ledger_transactions", &["id"]),
    ("ledger_transactions", &["account_id", "memo_reference"]),
    ("ledger_postings", &["transaction_id", "line"]),
    ("journal", &["shard", "seq"]),
    ("audit_entries", &["seq"]),
];

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "0003_money"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let db = manager.get_connection();
        db.execute_unprepared(&dialect::tables(backend, include_str!("../sql/0003_money.sql"))).await?;
        db.execute_unprepared(&dialect::append_only(backend, APPEND_ONLY_TABLES)).await?;
        db.execute_unprepared(&dialect::no_replacing(backend, KEYS)).await?;
        Ok(())
    }

    /// A schema half made is worse than none, and SQLite can roll back DDL as PostgreSQL can.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
