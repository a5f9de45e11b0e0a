//! Applying a folder: twice changes nothing, and a mistake anywhere changes nothing.

use super::{apply, read_dir};
use crate::testing::{NOON, THEMES, TestStore, demo_dir};
use marque_domain::{
    id::PluginId,
    plugin::{PluginDigest, PluginKind},
};
use marque_store::{Change, NewPlugin};
use std::fs;

fn copy_demo() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for slug in ["aurora", "borealis"] {
        fs::create_dir(dir.path().join(slug)).unwrap();
        let file = |root: &std::path::Path| root.join(slug).join("tenant.toml");
        fs::copy(file(&demo_dir()), file(dir.path())).unwrap();
    }
    dir
}

fn edit(dir: &tempfile::TempDir, slug: &str, from: &str, to: &str) {
    let path = dir.path().join(slug).join("tenant.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let (test, dir) = (TestStore::empty().await, copy_demo());
    let run = async || {
        let all = read_dir(dir.path(), THEMES).unwrap();
        apply(&test.system(), &all, NOON).await.unwrap().into_iter().map(|(_, change)| change).collect::<Vec<_>>()
    };
    assert_eq!(run().await, [Change::Created, Change::Created]);
    let before = test.system().tenants().await.unwrap();
    assert_eq!(run().await, [Change::Unchanged, Change::Unchanged]);
    assert_eq!(test.system().tenants().await.unwrap(), before);
    edit(&dir, "borealis", "leverage = 100", "leverage = 50");
    assert_eq!(run().await, [Change::Unchanged, Change::Changed]);
    assert_eq!(test.system().tenants().await.unwrap()[1].id, before[1].id);
}

#[tokio::test]
async fn a_host_leads_to_one_tenant() {
    let (test, dir) = (TestStore::empty().await, copy_demo());
    edit(&dir, "borealis", "\"borealis.localhost\"", "\"borealis.localhost\", \"AURORA.localhost.\"");
    let error = read_dir(dir.path(), THEMES).unwrap_err().to_string();
    let place = |file: &str| {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        text.lines().position(|line| line.contains("AURORA.localhost.")).unwrap() + 1
    };
    let line = format!("borealis/tenant.toml:{}:", place("borealis/tenant.toml"));
    assert!(error.contains(&line) && error.contains("aurora.localhost is also listed by tenant aurora"), "{error}");

    // The same against a tenant that is already stored.
    apply(&test.system(), &read_dir(&demo_dir(), THEMES).unwrap(), NOON).await.unwrap();
    let borealis = read_dir(&dir.path().join("borealis"), THEMES).unwrap();
    assert_eq!(borealis.len(), 1);
    let error = apply(&test.system(), &borealis, NOON).await.unwrap_err().to_string();
    assert!(error.contains(&line) && error.contains("aurora.localhost belongs to tenant aurora"), "{error}");
    let stored = test.system().tenants().await.unwrap();
    assert_eq!(stored[1].spec.hosts, ["borealis.localhost"]);
}

#[tokio::test]
async fn settings_of_rules_are_checked_against_the_catalogue() {
    let (test, dir) = (TestStore::empty().await, copy_demo());
    let run = async || apply(&test.system(), &read_dir(dir.path(), THEMES).unwrap(), NOON).await;
    // There is no catalogue yet: nothing to ask.
    run().await.unwrap();
    let borealis = test.system().tenants().await.unwrap().into_iter().find(|t| t.spec.slug.as_str() == "borealis");
    let db = test.system().tenant_db(borealis.unwrap().id);
    let description = serde_json::json!({
        "summary": "x", "hooks": { "bars": false, "ticks": false, "history_bars": 0 },
        "settings_schema": { "type": "object", "properties": { "amount": { "type": "number", "minimum": 1 } } },
    });
    let rule = NewPlugin {
        id: PluginId(1),
        name: "daily-loss".to_owned(),
        version: "1.0.0".to_owned(),
        kind: PluginKind::RiskRule,
        digest: PluginDigest([1; 32]),
        size: 1,
        description: description.to_string(),
    };
    test.store.system("tests").put_artifact(rule.digest, b"x").await.unwrap();
    db.add_plugin(&rule, NOON).await.unwrap();
    run().await.unwrap();

    // Aurora's change is good, Borealis' is not: neither is applied.
    edit(&dir, "aurora", "leverage = 30", "leverage = 20");
    edit(&dir, "borealis", "amount = 4,", "amount = -4,");
    let error = run().await.unwrap_err().to_string();
    let place =
        "borealis/tenant.toml:30:1: the rule daily-loss does not accept the setting \"amount\": -4 is less than";
    assert!(error.contains(place) && error.ends_with("Nothing was applied."), "{error}");
    let leverage = |tenant: &marque_store::Tenant| tenant.spec.definition.contains("\"leverage\":30");
    assert!(test.system().tenants().await.unwrap().iter().any(leverage), "aurora was applied alone");

    let strategy = NewPlugin { id: PluginId(2), kind: PluginKind::Strategy, digest: PluginDigest([2; 32]), ..rule };
    test.store.system("tests").put_artifact(strategy.digest, b"y").await.unwrap();
    db.add_plugin(&strategy, NOON.plus(1)).await.unwrap();
    let error = run().await.unwrap_err().to_string();
    assert!(error.contains("daily-loss is a strategy, not a rule; bind a risk rule"), "{error}");
}

#[tokio::test]
async fn a_host_may_pass_between_tenants_that_are_applied_together() {
    let (test, dir) = (TestStore::empty().await, copy_demo());
    apply(&test.system(), &read_dir(dir.path(), THEMES).unwrap(), NOON).await.unwrap();
    edit(&dir, "aurora", "\"aurora.localhost\"", "\"borealis.localhost\"");
    edit(&dir, "borealis", "\"borealis.localhost\"", "\"aurora.localhost\"");
    apply(&test.system(), &read_dir(dir.path(), THEMES).unwrap(), NOON).await.unwrap();
    let stored = test.system().tenants().await.unwrap();
    assert_eq!(
        (&stored[0].spec.hosts[0], &stored[1].spec.hosts[0]),
        (&"borealis.localhost".to_owned(), &"aurora.localhost".to_owned())
    );
}

#[test]
fn folders_and_files_that_are_none() {
    let dir = copy_demo();
    let told = |dir: &std::path::Path| read_dir(dir, THEMES).unwrap_err().to_string();
    assert!(told(&dir.path().join("missing")).contains("cannot read"));
    fs::create_dir(dir.path().join("empty")).unwrap();
    assert!(told(&dir.path().join("empty")).contains("no tenant in"));

    fs::rename(dir.path().join("borealis"), dir.path().join("Borealis Pro")).unwrap();
    assert!(told(dir.path()).contains("the folder \"Borealis Pro\" is not a slug"), "{}", told(dir.path()));
    fs::write(dir.path().join("aurora/tenant.toml"), [0xff, 0xfe]).unwrap();
    assert!(told(dir.path()).contains("not UTF-8"));
    fs::write(dir.path().join("aurora/tenant.toml"), "#".repeat(300_000)).unwrap();
    assert!(told(dir.path()).contains("larger than 256 KiB"));
}
