//! Tenants, people, plugins, accounts, orders, books and journal.

use crate::{APPEND_ONLY_TABLES, TENANT_TABLES, dialect};
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

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
