//! PostgreSQL's own guard, tried by going past the store; and what a lost connection does.

use crate::harness::*;
use marque_store::{Store, StoreError, migrate};
use marque_testkit::{Database, shared_postgres};

fn fresh(test: &str) -> Option<Database<'static>> {
    Some(shared_postgres(test)?.database().unwrap())
}

/// Runs as the server's role with this tenant named.
fn as_tenant(database: &Database<'_>, tenant: &str, sql: &str) -> Result<String, String> {
    database.sql(&format!("SET marque.tenant = '{tenant}'; {sql}")).map_err(|fault| fault.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_sees_only_the_named_tenant_whatever_it_asks() {
    let Some(database) = fresh("the_role_sees_only_the_named_tenant_whatever_it_asks") else { return };
    migrate(&database.url(), None).await.unwrap();
    let store = Store::connect(&database.url()).await.unwrap();
    for (id, slug) in [(AURORA, "aurora"), (BOREALIS, "borealis")] {
        store.system("test").apply_tenant(&tenant_spec(slug), id, NOW).await.unwrap();
        let db = store.system("test").tenant_db(id);
        db.create_user(&user(1, "a@x.example")).await.unwrap();
        db.create_user(&user(2, "b@x.example")).await.unwrap();
        db.commit(&opening()).await.unwrap();
    }
    let count = "SELECT count(*) FROM accounts";
    assert_eq!(database.superuser_sql(count).unwrap(), "4", "they are there");
    assert_eq!(database.sql(count).unwrap(), "0", "nobody named, nothing seen");
    assert_eq!(as_tenant(&database, "", count).unwrap(), "0", "empty names nobody");
    assert_eq!(as_tenant(&database, "101", count).unwrap(), "2");
    assert_eq!(as_tenant(&database, "101", "SELECT count(*) FROM accounts WHERE tenant_id = 202").unwrap(), "0");
    assert_eq!(as_tenant(&database, "303", count).unwrap(), "0");

    let insert = "INSERT INTO shard_marks (tenant_id, shard, seq, mark) VALUES (202, 50, 1, '')";
    for refused in [database.sql(insert).map_err(|f| f.to_string()), as_tenant(&database, "101", insert)] {
        assert!(refused.unwrap_err().contains("row-level security"));
    }
    let steal = "UPDATE accounts SET tenant_id = 202 WHERE id = 10";
    assert!(as_tenant(&database, "101", steal).unwrap_err().contains("row-level security"));
    let reach =
        "WITH hit AS (UPDATE accounts SET balance = 0 WHERE tenant_id = 202 RETURNING 1) SELECT count(*) FROM hit";
    assert_eq!(as_tenant(&database, "101", reach).unwrap(), "0");
    assert_eq!(database.superuser_sql("SELECT count(*) FROM accounts WHERE balance = 0").unwrap(), "0");
    // The pooled connections forgot the tenants of earlier transactions.
    assert_eq!(
        store.system("test").tenant_db(marque_domain::id::TenantId(303)).shards().await.unwrap(),
        Vec::<u32>::new()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_can_bypass_is_refused_with_the_remedy() {
    let Some(database) = fresh("a_role_that_can_bypass_is_refused_with_the_remedy") else { return };
    migrate(&database.url(), None).await.unwrap();
    let refusal = Store::connect(&database.superuser_url()).await.unwrap_err();
    assert!(matches!(&refusal, StoreError::RoleCanBypass { role } if role == "postgres"), "{refusal}");
    assert!(refusal.to_string().contains("ALTER ROLE postgres NOSUPERUSER NOBYPASSRLS;"));

    let name = database.name();
    for (grant, revoke) in [
        (format!("ALTER ROLE {name} BYPASSRLS"), format!("ALTER ROLE {name} NOBYPASSRLS")),
        (format!("GRANT postgres TO {name}"), format!("REVOKE postgres FROM {name}")),
    ] {
        Store::connect(&database.url()).await.unwrap();
        database.superuser_sql(&grant).unwrap();
        let refusal = Store::connect(&database.url()).await;
        assert!(matches!(refusal, Err(StoreError::RoleCanBypass { .. })), "{grant}: {refusal:?}");
        database.superuser_sql(&revoke).unwrap();
    }
    Store::connect(&database.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_its_guard_is_refused() {
    let Some(database) = fresh("a_table_without_its_guard_is_refused") else { return };
    migrate(&database.url(), None).await.unwrap();
    for (strip, restore) in [
        ("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY", "ALTER TABLE orders FORCE ROW LEVEL SECURITY"),
        ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "ALTER TABLE orders ENABLE ROW LEVEL SECURITY"),
    ] {
        database.superuser_sql(strip).unwrap();
        let refusal = Store::connect(&database.url()).await;
        assert!(matches!(&refusal, Err(StoreError::RowSecurityMissing { table }) if table == "orders"), "{refusal:?}");
        database.superuser_sql(restore).unwrap();
    }
    database.superuser_sql("CREATE TABLE payouts (tenant_id BIGINT, id BIGINT)").unwrap();
    let refusal = Store::connect(&database.url()).await;
    assert!(matches!(&refusal, Err(StoreError::RowSecurityMissing { table }) if table == "payouts"), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_apart_leaves_the_server_only_what_it_needs() {
    let Some(database) = fresh("an_owner_apart_leaves_the_server_only_what_it_needs") else { return };
    assert!(matches!(Store::connect(&database.url()).await, Err(StoreError::SchemaBehind { .. })));
    // Twice: the second finds everything done.
    migrate(&database.url(), Some(&database.superuser_url())).await.unwrap();
    migrate(&database.url(), Some(&database.superuser_url())).await.unwrap();
    let store = Store::connect(&database.url()).await.unwrap();
    store.system("test").apply_tenant(&tenant_spec("aurora"), AURORA, NOW).await.unwrap();
    let db = store.system("test").tenant_db(AURORA);
    db.create_user(&user(1, "a@x.example")).await.unwrap();
    db.create_user(&user(2, "b@x.example")).await.unwrap();
    db.commit(&opening()).await.unwrap();
    db.commit(&step(2)).await.unwrap();
    assert_eq!(db.audit_ledger().await.unwrap().faults, []);
    for sql in [
        "DELETE FROM journal",
        "UPDATE journal SET payload = ''",
        "DELETE FROM ledger_postings",
        "TRUNCATE accounts CASCADE",
        "ALTER TABLE accounts DISABLE ROW LEVEL SECURITY",
        "DROP TRIGGER ledger_postings_append_only ON ledger_postings",
        "DELETE FROM seaql_migrations",
        "UPDATE plugin_artifacts SET bytes = ''",
    ] {
        let said = as_tenant(&database, "101", sql).unwrap_err();
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{sql}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_may_migrate_at_once() {
    let Some(database) = fresh("two_processes_may_migrate_at_once") else { return };
    let (one, two) = (database.url(), database.url());
    let (one, two) = (
        tokio::spawn(async move { migrate(&one, None).await }),
        tokio::spawn(async move { migrate(&two, None).await }),
    );
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    Store::connect(&database.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_are_replaced_unseen() {
    let Some(database) = fresh("lost_connections_are_replaced_unseen") else { return };
    migrate(&database.url(), None).await.unwrap();
    let store = Store::connect(&database.url()).await.unwrap();
    let db = store.system("test").tenant_db(AURORA);
    let many = async || {
        let all: Vec<_> = (0..10)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { db.shards().await })
            })
            .collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
    };
    many().await;
    let end =
        format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{}'", database.name());
    assert_ne!(database.superuser_sql(&end).unwrap(), "0");
    many().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_cut_off_is_uncertain() {
    let Some(database) = fresh("a_commit_cut_off_is_uncertain") else { return };
    migrate(&database.url(), None).await.unwrap();
    let store = Store::connect(&database.url()).await.unwrap();
    store.system("test").apply_tenant(&tenant_spec("aurora"), AURORA, NOW).await.unwrap();
    let db = store.system("test").tenant_db(AURORA);
    // A deferred trigger runs inside COMMIT, and this one ends its own connection there.
    database
        .sql(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION cut();",
        )
        .unwrap();
    let refusal = db.commit(&step(1)).await;
    assert!(matches!(refusal, Err(StoreError::Uncertain { .. })), "{refusal:?}");
    assert_eq!(db.load_shard(7).await.unwrap().seq, 0, "what the caller finds when it looks");
    database.sql("DROP TRIGGER cut ON journal").unwrap();
    db.commit(&step(1)).await.unwrap();
}
