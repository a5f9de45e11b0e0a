//! What can go wrong with the store, and what to do next.

use marque_domain::{
    fixed::Money,
    id::{AccountId, TransactionId},
};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use std::error::Error;

/// Why the store did not do what it was asked. Nothing was written, except perhaps with [`StoreError::Uncertain`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such row for this tenant; whether another tenant has one cannot be told apart.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Something else already has that key.
    #[error("{0}")]
    Conflict(String),
    /// A row refers to one that this tenant does not have.
    #[error("a row refers to something that this tenant does not have: {0}")]
    BrokenReference(String),
    /// Another writer moved the shard on. This writer is out of date and must stop.
    #[error(
        "shard {shard} is at entry {stored}, so entry {wrote} cannot follow: another process writes to this shard. Stop one of them"
    )]
    JournalConflict {
        /// Which shard.
        shard: u32,
        /// The sequence number that was offered.
        wrote: i64,
        /// The last one that is stored.
        stored: i64,
    },
    /// A ledger transaction does not sum to nothing.
    #[error("ledger transaction {0} does not sum to nothing; the whole commit was refused")]
    Unbalanced(TransactionId),
    /// An account's balance is not what its books say.
    #[error(
        "account {account} was to have a balance of {claimed}, but its books say {booked}; the whole commit was refused"
    )]
    BalanceMismatch {
        /// Which account.
        account: AccountId,
        /// The balance in the batch.
        claimed: Money,
        /// The former balance and the batch's cash postings.
        booked: Money,
    },
    /// What is stored cannot be understood.
    #[error("stored {what} cannot be read: {detail}. Restore it from a back-up or ask for help; do not edit it")]
    Corrupt {
        /// What kind of row.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The database cannot be reached, is busy, full or read-only. The same call may work later.
    #[error("the database is not available: {detail}. Check that it runs, has space and can be written to")]
    Unavailable {
        /// What it said.
        detail: String,
        /// The driver's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The connection failed while the commit was under way, so it may or may not have happened. Look before going on: a
    /// shard is loaded again, any other write can be repeated.
    #[error("the database did not confirm a commit: {detail}. It is looked up again before anything else is written")]
    Uncertain {
        /// What it said.
        detail: String,
        /// The driver's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The address names no database that the store can use.
    #[error("cannot use this database address: {0}")]
    Address(String),
    /// The role would see every tenant's rows.
    #[error(
        "the database role {role} is a superuser, may bypass row-level security, or belongs to a role that is or may; the server refuses to run with it. \
         Make one that cannot, and use it in MARQUE_DATABASE_URL (the present one may stay in MARQUE_MIGRATE_URL): \
         CREATE ROLE marque_app LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB; \
         or take the right away: ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS;"
    )]
    RoleCanBypass {
        /// The role, quoted for SQL.
        role: String,
    },
    /// A tenant table lacks its guard.
    #[error(
        "table {table} has no forced row-level security; the server refuses to run. Run `marque migrate`, or as the table's owner: \
         ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
    )]
    RowSecurityMissing {
        /// Which table.
        table: String,
    },
    /// The schema is older than this program.
    #[error("the database lacks these migrations: {}. Run `marque migrate` first", pending.join(", "))]
    SchemaBehind {
        /// Their names, oldest first.
        pending: Vec<String>,
    },
    /// The database refused for a reason that the store does not expect.
    #[error("the database refused: {detail}")]
    Refused {
        /// What it said.
        detail: String,
        /// The driver's error.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// What a failed COMMIT means: a fault of the connection leaves it open whether the commit happened.
    pub(crate) fn of_commit(error: DbErr) -> Self {
        match Self::from(error) {
            Self::Unavailable { detail, source } => Self::Uncertain { detail, source },
            other => other,
        }
    }

    /// That a stored row of this kind cannot be understood.
    pub(crate) fn corrupt(what: &'static str, detail: impl ToString) -> Self {
        Self::Corrupt { what, detail: detail.to_string() }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(detail)) => {
                return Self::Conflict(format!("already taken: {detail}"));
            }
            Some(SqlErr::ForeignKeyConstraintViolation(detail)) => return Self::BrokenReference(detail),
            _ => {}
        }
        let detail = error.to_string();
        // A trigger's words: SQLite has no code of its own for them.
        if detail.contains("is append-only: this row is there already") {
            return Self::Conflict(format!("already taken: {detail}"));
        }
        let source = Box::new(error);
        if is_passing(&source) { Self::Unavailable { detail, source } } else { Self::Refused { detail, source } }
    }
}

/// Whether the fault lies with the database's state and not with what was asked of it.
pub(crate) fn is_passing(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => match e.as_ref() {
            sqlx::Error::Database(e) => e.code().is_some_and(|code| is_passing_code(&code)),
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        },
        _ => false,
    }
}

/// Codes as documented in <https://www.sqlite.org/rescode.html> (a number; its low byte is the primary code) and
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html> (five characters; the first two are the class).
fn is_passing_code(code: &str) -> bool {
    const BUSY_LOCKED_READONLY_IOERR_FULL_CANTOPEN: [u32; 6] = [5, 6, 8, 10, 13, 14];
    const CONNECTION_ROLLBACK_RESOURCES_OPERATOR_SYSTEM: [&str; 5] = ["08", "40", "53", "57", "58"];
    if code.len() == 5 {
        return code == "25006" || CONNECTION_ROLLBACK_RESOURCES_OPERATOR_SYSTEM.iter().any(|c| code.starts_with(c));
    }
    code.parse::<u32>().is_ok_and(|c| BUSY_LOCKED_READONLY_IOERR_FULL_CANTOPEN.contains(&(c & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::is_passing_code;

    #[test]
    fn a_full_disk_passes_and_a_broken_rule_does_not() {
        for passing in ["5", "261", "13", "10", "778", "8", "1032", "08006", "40001", "53100", "57P01", "25006"] {
            assert!(is_passing_code(passing), "{passing}");
        }
        for lasting in ["1", "1811", "19", "42501", "42P01", "23514", "22003", ""] {
            assert!(!is_passing_code(lasting), "{lasting}");
        }
    }
}
