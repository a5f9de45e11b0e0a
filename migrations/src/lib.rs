//! The schema and its history, for SQLite and PostgreSQL.
//!
//! Owns: every table, index, trigger and row-level-security policy, and what the server's database role may do
//! with them. A change is a new migration that first expands; a later one contracts, once nothing reads the old
//! shape.
//!
//! Refuses to know: any other room. It is DDL and nothing else.

mod dialect;
mod m0001_spine;
mod m0002_identity;
mod m0003_money;
mod m0004_orders;
mod m0005_kill;
mod m0008_registry;
mod m0010_backtests;
mod m0011_licensing;
mod m0012_running;
mod m0013_ea_files;
mod m0014_activation_nonces;
mod m0015_indexes;
mod m0016_backtest_attempts;
mod m0017_backtest_usage;

pub use dialect::grants;
pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait::async_trait};

/// Tables that belong to no tenant: what must be readable before a tenant is known.
pub const SYSTEM_TABLES: &[&str] =
    &["tenants", "tenant_hosts", "plugin_artifacts", "kill_requests", "licensing_revisions"];

/// Tables whose every row belongs to one tenant, by the migration that made them. PostgreSQL guards each with
/// row-level security.
pub const TENANT_TABLES: &[&[&str]] = &[
    m0001_spine::TENANT_TABLES,
    m0002_identity::TENANT_TABLES,
    m0008_registry::TENANT_TABLES,
    m0010_backtests::TENANT_TABLES,
    m0011_licensing::TENANT_TABLES,
    m0012_running::TENANT_TABLES,
    m0013_ea_files::TENANT_TABLES,
    m0017_backtest_usage::TENANT_TABLES,
];

/// Tables whose rows are never changed or deleted. Triggers refuse to, whoever asks.
pub const APPEND_ONLY_TABLES: &[&[&str]] =
    &[m0001_spine::APPEND_ONLY_TABLES, m0002_identity::APPEND_ONLY_TABLES, m0003_money::APPEND_ONLY_TABLES];

/// The list of migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_spine::Migration),
            Box::new(m0002_identity::Migration),
            Box::new(m0003_money::Migration),
            Box::new(m0004_orders::Migration),
            Box::new(m0005_kill::Migration),
            Box::new(m0008_registry::Migration),
            Box::new(m0010_backtests::Migration),
            Box::new(m0011_licensing::Migration),
            Box::new(m0012_running::Migration),
            Box::new(m0013_ea_files::Migration),
            Box::new(m0014_activation_nonces::Migration),
            Box::new(m0015_indexes::Migration),
            Box::new(m0016_backtest_attempts::Migration),
            Box::new(m0017_backtest_usage::Migration),
        ]
    }
}
