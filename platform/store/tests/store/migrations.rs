//! The schema from nothing, and again.

use crate::harness::*;
use marque_store::{Store, StoreError};

on_both!(migrating_again_changes_nothing);

async fn migrating_again_changes_nothing(bench: Bench) {
    bench.db(AURORA).commit(&opening()).await.unwrap();
    marque_store::migrate(&bench.url, None).await.unwrap();
    let again = Store::connect(&bench.url).await.unwrap();
    assert_eq!(again.system("test").tenants().await.unwrap().len(), 2);
    assert_eq!(bench.db(AURORA).load_shard(7).await.unwrap().seq, 1);
    bench.store.close().await.unwrap();
    assert!(matches!(bench.db(AURORA).load_shard(7).await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn an_empty_sqlite_file_is_refused_until_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new.db").display());
    let refusal = Store::connect(&url).await.unwrap_err();
    let StoreError::SchemaBehind { pending } = &refusal else { panic!("{refusal}") };
    let all = [
        "0001_spine",
        "0002_identity",
        "0003_money",
        "0004_orders",
        "0005_kill",
        "0008_registry",
        "0010_backtests",
        "0011_licensing",
        "0012_running",
        "0013_ea_files",
        "0014_activation_nonces",
        "0015_indexes",
        "0016_backtest_attempts",
        "0017_backtest_usage",
    ];
    assert_eq!(pending, &all);
    assert!(refusal.to_string().contains("marque migrate"));
    marque_store::migrate(&url, None).await.unwrap();
    Store::connect(&url).await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("no/such/folder.db").display());
    assert!(matches!(marque_store::migrate(&url, None).await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not.db");
    std::fs::write(&file, "this is not a database, however long one looks at it").unwrap();
    assert!(marque_store::migrate(&format!("sqlite:{}", file.display()), None).await.is_err());
}
