//! Rows on their way into a database, in bulk: literals for SQLite, COPY for PostgreSQL. Nothing is checked on the way.

use std::fmt::Write as _;

use anyhow::Result;
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};

/// Rows of one statement on SQLite.
const ROWS: usize = 500;

/// A value.
#[derive(Debug, Clone)]
pub enum Cell {
    /// NULL.
    Null,
    /// A BIGINT.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Cell {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// Where rows go.
pub enum Loader {
    /// A file.
    Sqlite(SqliteConnection),
    /// A server, as its superuser.
    Postgres(PgConnection),
}

/// A table, and the columns that are given.
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Their names, with commas.
    pub columns: &'static str,
}

impl Loader {
    /// Opens the database for loading: no foreign keys, nothing durable until the end.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres") {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute("SET session_replication_role = replica").await?;
            return Ok(Self::Postgres(connection));
        }
        let mut connection = SqliteConnection::connect(url).await?;
        for pragma in ["journal_mode=WAL", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-262144"] {
            connection.execute(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"))).await?;
        }
        Ok(Self::Sqlite(connection))
    }

    /// Writes rows, all of them or none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(&mut self, table: &Table, rows: &[Vec<Cell>]) -> Result<()> {
        let Table { name, columns } = table;
        match self {
            Self::Sqlite(connection) => {
                connection.execute("BEGIN IMMEDIATE").await?;
                for some in rows.chunks(ROWS) {
                    let values: Vec<String> = some.iter().map(|row| format!("({})", literals(row))).collect();
                    let sql = format!("INSERT INTO {name} ({columns}) VALUES {}", values.join(","));
                    connection.execute(sqlx::AssertSqlSafe(sql)).await?;
                }
                connection.execute("COMMIT").await?;
            }
            Self::Postgres(connection) => {
                let mut copy = connection.copy_in_raw(&format!("COPY {name} ({columns}) FROM STDIN")).await?;
                for some in rows.chunks(ROWS) {
                    let text: String = some.iter().map(|row| copied(row)).collect();
                    copy.send(text.as_bytes()).await?;
                }
                copy.finish().await?;
            }
        }
        Ok(())
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map(drop)?,
            Self::Postgres(connection) => connection.execute(sql).await.map(drop)?,
        }
        Ok(())
    }

    /// A number.
    ///
    /// # Errors
    /// What the database says.
    pub async fn number(&mut self, sql: &str) -> Result<i64> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await?,
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await?,
        })
    }

    /// Leaves the database as a server finds it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(mut connection) => {
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
                connection.close().await?;
            }
            Self::Postgres(mut connection) => {
                connection.execute("ANALYZE").await?;
                connection.close().await?;
            }
        }
        Ok(())
    }
}

fn hexed(bytes: &[u8]) -> String {
    super::client::hex(bytes)
}

/// As SQL has them, with commas. No text of ours has a quote.
fn literals(row: &[Cell]) -> String {
    row.iter().enumerate().fold(String::with_capacity(256), |mut text, (at, cell)| {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = match cell {
            Cell::Null => write!(text, "{comma}NULL"),
            Cell::Int(value) => write!(text, "{comma}{value}"),
            Cell::Text(value) => write!(text, "{comma}'{value}'"),
            Cell::Bytes(value) => write!(text, "{comma}X'{}'", hexed(value)),
        };
        text
    })
}

/// As COPY takes them. No text of ours has a tab, a line end or a backslash.
fn copied(row: &[Cell]) -> String {
    let mut text = row.iter().enumerate().fold(String::with_capacity(256), |mut text, (at, cell)| {
        let tab = if at == 0 { "" } else { "\t" };
        // Writing to a String cannot fail.
        let _ = match cell {
            Cell::Null => write!(text, "{tab}\\N"),
            Cell::Int(value) => write!(text, "{tab}{value}"),
            Cell::Text(value) => write!(text, "{tab}{value}"),
            Cell::Bytes(value) => write!(text, "{tab}\\\\x{}", hexed(value)),
        };
        text
    });
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_each_database_reads_them() {
        let row: Vec<Cell> = vec![7.into(), "a b".into(), vec![0, 255].into(), Cell::Null];
        assert_eq!(literals(&row), "7,'a b',X'00ff',NULL");
        assert_eq!(copied(&row), "7\ta b\t\\\\x00ff\t\\N\n");
    }
}
