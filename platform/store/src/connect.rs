//! Opening the database, and refusing one that would not keep tenants apart.

#![expect(clippy::disallowed_methods, reason = "asks the catalogue of the database, which has no tenants")]

use crate::{error::StoreError, scope::Pools, system::SystemDb};
use marque_migrations::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
    sqlx::{
        self, Connection as _,
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
    },
};
use std::{sync::Arc, time::Duration};

/// Connections that read from SQLite.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL.
pub(crate) const POSTGRES_POOL: u32 = 10;
/// How long a call waits for a connection, or SQLite for another process's write.
const WAIT: Duration = Duration::from_secs(10);
/// How long a call waits for a connection to PostgreSQL: whoever asks is told soon that it is away.
const POSTGRES_WAIT: Duration = Duration::from_secs(4);
/// How long PostgreSQL works on one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Key of the advisory lock that lets one process migrate at a time: "marque" in ASCII.
const MIGRATION_LOCK: i64 = 0x6d61_7271_7565;

/// The open database. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Arc<Pools>,
}

/// What kind of database an address names.
enum Address {
    Sqlite,
    Postgres,
}

impl Address {
    fn of(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Ok(Self::Postgres);
        }
        if !url.starts_with("sqlite:") {
            return Err(StoreError::Address("it must begin with sqlite: or postgres:".to_owned()));
        }
        if url.contains(":memory:") || url.contains("mode=memory") {
            // Each connection would have a database of its own, and nothing would survive a restart.
            return Err(StoreError::Address("SQLite must be a file, such as sqlite:var/marque.db".to_owned()));
        }
        Ok(Self::Sqlite)
    }
}

impl Store {
    /// Opens a migrated database: `sqlite:<file>` or `postgres://<role>@<host>/<database>`.
    ///
    /// # Errors
    /// [`StoreError::SchemaBehind`] before [`migrate`] has run; on PostgreSQL [`StoreError::RoleCanBypass`] and
    /// [`StoreError::RowSecurityMissing`] when tenants would not be kept apart; [`StoreError::Address`] and
    /// [`StoreError::Unavailable`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let pools = match Address::of(url)? {
            Address::Sqlite => {
                let writer = open_sqlite(url, 1, false).await?;
                Pools::new(writer, open_sqlite(url, SQLITE_READERS, true).await?)
            }
            Address::Postgres => {
                let pool = open_postgres(url, POSTGRES_POOL).await?;
                refuse_bypassing_role(&pool).await?;
                Pools::new(pool.clone(), pool)
            }
        };
        let pending: Vec<String> = Migrator::get_pending_migrations_read_only(&pools.writer)
            .await?
            .iter()
            .map(|migration| migration.name().to_owned())
            .collect();
        if !pending.is_empty() {
            return Err(StoreError::SchemaBehind { pending });
        }
        refuse_unguarded_tables(&pools.writer).await?;
        Ok(Self { pools: Arc::new(pools) })
    }

    /// The way to what is above tenants. Every use of it is logged with `reason`.
    #[must_use]
    pub fn system(&self, reason: &'static str) -> SystemDb {
        SystemDb::new(self.pools.clone(), reason)
    }

    /// Waits for running transactions and closes every connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.pools.reader.close_by_ref().await?;
        Ok(self.pools.writer.close_by_ref().await?)
    }
}

/// Brings the schema up to date; does nothing when it is.
///
/// `url` is the address the server will use. On PostgreSQL, `admin_url` may name another role that owns the tables;
/// the server's role is then granted what it needs and no more.
///
/// # Errors
/// As [`Store::connect`], but any role may migrate.
pub async fn migrate(url: &str, admin_url: Option<&str>) -> Result<(), StoreError> {
    let address = Address::of(url)?;
    let admin_url = admin_url.unwrap_or(url);
    let db = match address {
        Address::Sqlite => open_sqlite(url, 1, false).await?,
        Address::Postgres => open_postgres(admin_url, 1).await?,
    };
    if matches!(address, Address::Postgres) {
        // Held by this one connection and released when it closes, however this ends.
        db.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    }
    Migrator::up(&db, None).await?;
    if matches!(address, Address::Postgres) {
        let (server, owner) = (role_of(url)?, current_role(&db).await?);
        if server != owner {
            db.execute_unprepared(&marque_migrations::grants(&server)).await?;
        }
    }
    Ok(db.close().await?)
}

/// Statements that a connection to SQLite keeps prepared: all that the server has, about.
const STATEMENTS_PREPARED: usize = 512;
/// What connections to SQLite keep of it in memory, in KiB.
const WRITER_CACHE_KIB: u32 = 65_536;
const READER_CACHE_KIB: u32 = 8_192;
/// How long SQLite's log grows before it is brought into the file, in pages of 4 KiB: pages that change often are written
/// there once instead of many times.
const CHECKPOINT_PAGES: u32 = 8_192;

async fn open_sqlite(url: &str, connections: u32, query_only: bool) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(WAIT)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        // `is_clean` does that, and more.
        .test_before_acquire(false)
        .map_sqlx_sqlite_before_acquire(|connection, _| Box::pin(is_clean(connection)))
        .map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
            let sqlite = sqlite
                .create_if_missing(!query_only)
                .foreign_keys(true)
                .busy_timeout(WAIT)
                .synchronous(SqliteSynchronous::Full)
                .statement_cache_capacity(STATEMENTS_PREPARED)
                // Without it INSERT OR REPLACE would delete past the append-only triggers.
                .pragma("recursive_triggers", "ON")
                // What a statement would undo is kept in memory, and a large transaction does not spill into the log twice.
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", format!("-{}", if query_only { READER_CACHE_KIB } else { WRITER_CACHE_KIB }))
                .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string());
            if query_only { sqlite.pragma("query_only", "ON") } else { sqlite.journal_mode(SqliteJournalMode::Wal) }
        });
    Ok(Database::connect(options).await?)
}

/// Whether nothing is left open of what the connection did before. After a fault of the disk SQLite has rolled back by
/// itself, which sqlx does not see: it would take the next transaction for a nested one, whose end commits nothing.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Behind the rollback that a dropped transaction has queued.
    connection.ping().await?;
    let clean = !connection.is_in_transaction();
    if !clean {
        tracing::warn!("gave a database connection up whose transaction could not be ended");
    }
    Ok(clean)
}

async fn open_postgres(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(POSTGRES_WAIT)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .set_application_name("marque")
        .statement_timeout(STATEMENT_TIMEOUT)
        // A ping before each use would double the round trips; after a pause the peer may be gone.
        .test_before_acquire_if_idle_for(Duration::from_secs(5));
    Ok(Database::connect(options).await?)
}

fn role_of(url: &str) -> Result<String, StoreError> {
    // The parser's own words could repeat the password.
    let options: PgConnectOptions =
        url.parse().map_err(|_| StoreError::Address("it is not a PostgreSQL address".to_owned()))?;
    Ok(options.get_username().to_owned())
}

async fn current_role(db: &DatabaseConnection) -> Result<String, StoreError> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT current_user::text")).await?;
    let row = row.ok_or_else(|| StoreError::corrupt("role", "PostgreSQL did not say who is connected"))?;
    Ok(row.try_get_by_index(0)?)
}

/// A superuser and a role with BYPASSRLS see every row, and a member can become what it is a member of.
async fn refuse_bypassing_role(db: &DatabaseConnection) -> Result<(), StoreError> {
    let sql = "SELECT quote_ident(current_user) FROM pg_roles
               WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER') LIMIT 1";
    match db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await? {
        Some(row) => Err(StoreError::RoleCanBypass { role: row.try_get_by_index(0)? }),
        None => Ok(()),
    }
}

/// Looks at the tables that are there, not at a list of those that should be.
async fn refuse_unguarded_tables(db: &DatabaseConnection) -> Result<(), StoreError> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = "SELECT c.relname::text FROM pg_class c
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
               WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
                 AND c.relname <> 'tenant_hosts' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
               ORDER BY 1 LIMIT 1";
    match db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await? {
        Some(row) => Err(StoreError::RowSecurityMissing { table: row.try_get_by_index(0)? }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lasting_database_is_accepted() {
        for good in ["sqlite:var/marque.db", "sqlite:///var/lib/m.db", "postgres://a@b/c", "postgresql://a@b/c"] {
            assert!(Address::of(good).is_ok(), "{good}");
        }
        for bad in ["", "mysql://a@b/c", "var/marque.db", "sqlite::memory:", "sqlite:file:x?mode=memory"] {
            assert!(matches!(Address::of(bad), Err(StoreError::Address(_))), "{bad}");
        }
    }

    #[test]
    fn the_role_is_read_from_the_address_and_a_bad_address_is_not_repeated() {
        assert_eq!(role_of("postgres://marque_app:secret@localhost/marque").unwrap(), "marque_app");
        let fault = role_of("postgres://u:s3cret@localhost:port/x").unwrap_err().to_string();
        assert!(!fault.contains("s3cret"), "{fault}");
    }
}
