//! What stands above tenants.

use crate::harness::*;
use marque_domain::{id::TenantId, tenant::TenantStatus, time::Millis};
use marque_store::{Applied, Change, StoreError, TenantSpec};

on_both!(applying_twice_changes_nothing, a_host_belongs_to_one_tenant, tenants_are_applied_together_or_not_at_all,);

async fn applying_twice_changes_nothing(bench: Bench) {
    let system = bench.store.system("test");
    let later = Millis(NOW.0 + 1);
    let apply = async |spec: &TenantSpec| system.apply_tenant(spec, TenantId(999), later).await.unwrap();
    assert_eq!(apply(&tenant_spec("aurora")).await, Applied { tenant: AURORA, change: Change::Unchanged });
    assert_eq!(system.tenant(AURORA).await.unwrap().updated_at, NOW);

    let mut changed = tenant_spec("aurora");
    changed.status = TenantStatus::Suspended;
    changed.hosts = ["z.example", "A.example", "aurora.localhost", "z.example"].map(str::to_owned).to_vec();
    assert_eq!(apply(&changed).await, Applied { tenant: AURORA, change: Change::Changed });
    assert_eq!(apply(&changed).await, Applied { tenant: AURORA, change: Change::Unchanged });
    let stored = system.tenant(AURORA).await.unwrap();
    assert_eq!((stored.created_at, stored.updated_at), (NOW, later));
    assert_eq!(stored.spec.status, TenantStatus::Suspended);
    assert_eq!(stored.spec.hosts, ["A.example", "aurora.localhost", "z.example"]);

    assert_eq!(apply(&tenant_spec("cirrus")).await, Applied { tenant: TenantId(999), change: Change::Created });
    let slugs: Vec<String> =
        system.tenants().await.unwrap().iter().map(|tenant| tenant.spec.slug.to_string()).collect();
    assert_eq!(slugs, ["aurora", "borealis", "cirrus"]);
}

async fn a_host_belongs_to_one_tenant(bench: Bench) {
    let system = bench.store.system("test");
    let by_host = async |host: &str| system.tenant_by_host(host).await.unwrap().map(|tenant| tenant.id);
    assert_eq!(by_host("aurora.localhost").await, Some(AURORA));
    assert_eq!(by_host("borealis.localhost").await, Some(BOREALIS));
    assert_eq!(by_host("nowhere.localhost").await, None);

    let mut thief = tenant_spec("borealis");
    thief.hosts = vec!["new.example".to_owned(), "aurora.localhost".to_owned()];
    let refusal = system.apply_tenant(&thief, TenantId(1), NOW).await.unwrap_err();
    assert!(matches!(&refusal, StoreError::Conflict(said) if said.contains("aurora.localhost")), "{refusal}");
    assert_eq!(by_host("aurora.localhost").await, Some(AURORA));
    assert_eq!(by_host("borealis.localhost").await, Some(BOREALIS), "nothing half applied");
    assert_eq!(by_host("new.example").await, None);

    let mut moved = tenant_spec("borealis");
    moved.hosts = vec!["new.example".to_owned()];
    system.apply_tenant(&moved, TenantId(1), NOW).await.unwrap();
    assert_eq!((by_host("new.example").await, by_host("borealis.localhost").await), (Some(BOREALIS), None));
}

async fn tenants_are_applied_together_or_not_at_all(bench: Bench) {
    let system = bench.store.system("test");
    let hosts = async |slug: &str| {
        let all = system.tenants().await.unwrap();
        all.into_iter().find(|tenant| tenant.spec.slug.as_str() == slug).map(|tenant| tenant.spec.hosts)
    };
    let spec = |slug: &str, hosts: &[&str]| TenantSpec {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        ..tenant_spec(slug)
    };
    // The last one wants a host that stays aurora's: the first two are not written either.
    let clash = [
        (spec("borealis", &["b.example"]), TenantId(1)),
        (spec("cirrus", &["c.example"]), TenantId(777)),
        (spec("dust", &["aurora.localhost"]), TenantId(778)),
    ];
    assert!(matches!(system.apply_tenants(&clash, NOW).await, Err(StoreError::Conflict(_))));
    assert_eq!(hosts("borealis").await, Some(vec!["borealis.localhost".to_owned()]));
    assert_eq!((hosts("cirrus").await, hosts("dust").await), (None, None));

    // Two that exchange their hosts.
    let exchange = [
        (spec("aurora", &["borealis.localhost"]), TenantId(1)),
        (spec("borealis", &["aurora.localhost"]), TenantId(1)),
    ];
    let applied = system.apply_tenants(&exchange, NOW).await.unwrap();
    assert!(applied.iter().all(|one| one.change == Change::Changed));
    assert_eq!(hosts("aurora").await, Some(vec!["borealis.localhost".to_owned()]));
    assert_eq!(hosts("borealis").await, Some(vec!["aurora.localhost".to_owned()]));
    let again = system.apply_tenants(&exchange, NOW).await.unwrap();
    assert!(again.iter().all(|one| one.change == Change::Unchanged));
}
