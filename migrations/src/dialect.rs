//! Where the two databases differ, as text: column types, triggers, row-level security, grants.

use crate::{APPEND_ONLY_TABLES, SYSTEM_TABLES, TENANT_TABLES};
use core::fmt::Write as _;
use sea_orm_migration::sea_orm::DbBackend;

/// Table definitions written for PostgreSQL, in the words of `backend`. SQLite tables are STRICT, so that a
/// number with a fraction can never slip into a column of money. Those that end with `WITHOUT ROWID` lie in one tree by
/// their key there, and not in two.
pub(crate) fn tables(backend: DbBackend, sql: &str) -> String {
    if backend == DbBackend::Postgres {
        return sql.replace(KEYED, "\n);");
    }
    sql.replace(" BIGINT", " INTEGER")
        .replace(" BYTEA", " BLOB")
        .replace(" BOOLEAN", " INTEGER")
        .replace("\n);", "\n) STRICT;")
        .replace(KEYED, "\n) STRICT, WITHOUT ROWID;")
}

/// How a table ends of which SQLite keeps no row numbers.
const KEYED: &str = "\n) WITHOUT ROWID;";

/// Triggers that refuse to change or delete a row of `tables`.
pub(crate) fn append_only(backend: DbBackend, tables: &[&str]) -> String {
    let mut sql = String::new();
    if backend == DbBackend::Postgres {
        sql.push_str(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$;\n",
        );
    }
    for table in tables {
        let result = if backend == DbBackend::Postgres {
            writeln!(
                sql,
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
                 FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();"
            )
        } else {
            ["UPDATE", "DELETE"].iter().try_for_each(|event| {
                writeln!(
                    sql,
                    "CREATE TRIGGER {table}_no_{event} BEFORE {event} ON {table}
                     BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
                )
            })
        };
        debug_assert!(result.is_ok(), "writing to a String does not fail");
    }
    sql
}

/// Triggers that refuse a row which is there already. SQLite's `INSERT OR REPLACE` deletes the old row without asking the
/// triggers that refuse deletions; PostgreSQL has nothing like it, and its upsert counts as an update.
pub(crate) fn no_replacing(backend: DbBackend, keys: &[(&str, &[&str])]) -> String {
    if backend == DbBackend::Postgres {
        return String::new();
    }
    let mut sql = String::new();
    for (number, (table, columns)) in keys.iter().enumerate() {
        // A comparison with NULL is never true, so that rows without a reference are not alike.
        let same: String = columns.iter().map(|column| format!(" AND {column} = NEW.{column}")).collect();
        sql.push_str(&format!(
            "CREATE TRIGGER {table}_no_replacing_{number} BEFORE INSERT ON {table}
             WHEN EXISTS (SELECT 1 FROM {table} WHERE tenant_id = NEW.tenant_id{same})
             BEGIN SELECT RAISE(ABORT, '{table} is append-only: this row is there already'); END;\n"
        ));
    }
    sql
}

/// Row-level security that also binds the owner of the tables: a row is seen and written only while
/// `marque.tenant` names its tenant. Unset, and empty as PostgreSQL leaves it after a transaction, name none.
pub(crate) fn row_security(backend: DbBackend, tables: &[&str]) -> String {
    const MINE: &str = "tenant_id = nullif(current_setting('marque.tenant', true), '')::bigint";
    if backend != DbBackend::Postgres {
        return String::new();
    }
    tables
        .iter()
        .map(|table| {
            format!(
                "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
                 ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
                 CREATE POLICY {table}_of_tenant ON {table} USING ({MINE}) WITH CHECK ({MINE});\n"
            )
        })
        .collect()
}

/// Lets a PostgreSQL role that does not own the tables do what the server does, and no more: the books, the
/// journal and stored plugins can be added to, never changed.
#[must_use]
pub fn grants(role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let mut sql = format!("GRANT SELECT ON seaql_migrations TO {role};\n");
    for table in SYSTEM_TABLES.iter().chain(TENANT_TABLES.iter().copied().flatten()) {
        let fixed = APPEND_ONLY_TABLES.iter().any(|tables| tables.contains(table)) || *table == "plugin_artifacts";
        let verbs = if fixed { "SELECT, INSERT" } else { "SELECT, INSERT, UPDATE, DELETE" };
        sql.push_str("REVOKE ALL ON ");
        sql.push_str(table);
        sql.push_str(&format!(" FROM {role};\nGRANT {verbs} ON {table} TO {role};\n"));
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gets_strict_tables_and_its_own_types() {
        let sql = tables(DbBackend::Sqlite, "CREATE TABLE t (\n    a BIGINT NOT NULL,\n    b BYTEA\n);\n");
        assert_eq!(sql, "CREATE TABLE t (\n    a INTEGER NOT NULL,\n    b BLOB\n) STRICT;\n");
        let keyed = "CREATE TABLE t (\n    a BIGINT PRIMARY KEY\n) WITHOUT ROWID;\n";
        let sql = tables(DbBackend::Sqlite, keyed);
        assert_eq!(sql, "CREATE TABLE t (\n    a INTEGER PRIMARY KEY\n) STRICT, WITHOUT ROWID;\n");
        assert_eq!(tables(DbBackend::Postgres, keyed), "CREATE TABLE t (\n    a BIGINT PRIMARY KEY\n);\n");
    }

    #[test]
    fn every_table_of_the_schema_is_listed_once() {
        let sql = concat!(
            include_str!("../sql/0001_spine.sql"),
            include_str!("../sql/0002_identity.sql"),
            include_str!("../sql/0005_kill.sql"),
            include_str!("../sql/0008_registry.sql"),
            include_str!("../sql/0010_backtests.sql"),
            include_str!("../sql/0011_licensing.sql"),
            include_str!("../sql/0012_running.sql"),
            include_str!("../sql/0013_ea_files.sql"),
            include_str!("../sql/0017_backtest_usage.sql")
        );
        let mut made: Vec<&str> =
            sql.lines().filter_map(|l| l.strip_prefix("CREATE TABLE ")?.strip_suffix(" (")).collect();
        let mut listed: Vec<&str> =
            SYSTEM_TABLES.iter().chain(TENANT_TABLES.iter().copied().flatten()).copied().collect();
        made.sort_unstable();
        listed.sort_unstable();
        assert_eq!(made, listed);
    }

    #[test]
    fn a_role_name_cannot_end_its_quotes() {
        assert!(grants("a\"; DROP").contains("TO \"a\"\"; DROP\";"));
    }
}
