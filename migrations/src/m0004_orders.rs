//! Pending orders, partial fills and closes, levels that follow the price.

use crate::dialect;
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

/// Orders from before partial fills: all of them traded, or nothing.
const FILLED: &str = "UPDATE orders SET filled = lots WHERE state = 'filled';";

/// See the module.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "0004_orders"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let db = manager.get_connection();
        db.execute_unprepared(&dialect::tables(backend, include_str!("../sql/0004_orders.sql"))).await?;
        // Forced row security hides every row from a migration too, which speaks for no tenant.
        let filled = match backend {
            DbBackend::Postgres => format!(
                "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; {FILLED} ALTER TABLE orders FORCE ROW LEVEL SECURITY;"
            ),
            _ => FILLED.to_owned(),
        };
        db.execute_unprepared(&filled).await?;
        Ok(())
    }

    /// A schema half made is worse than none, and SQLite can roll back DDL as PostgreSQL can.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
