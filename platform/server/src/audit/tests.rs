use super::*;
use crate::testing::{NOON, TestStore, vault};
use marque_store::{AuditFilter, Page};
use serde_json::json;

fn entry(n: i64) -> Entry {
    Entry {
        at: NOON.plus(n),
        actor: Actor::Person { id: UserId(7), name: "ann@x.example".to_owned() },
        act: Act::OrderPlaced,
        target: format!("ord_{n}"),
        details: object(json!({ "lots": "0.1" })),
        origin: Origin { address: "203.0.113.9".to_owned(), agent: "test".to_owned() },
    }
}

#[tokio::test]
async fn what_clients_choose_stays_on_one_line_and_in_bounds() {
    let (store, vault) = (TestStore::with_demo(&[]).await, vault());
    let db = store.system().tenant_db(store.system().tenants().await.unwrap()[0].id);
    let hostile = Entry {
        actor: Actor::Nobody { name: "a\r\nb".repeat(200) },
        origin: Origin { address: String::new(), agent: "\u{0}\t".repeat(300) },
        details: object(json!({ "text": "x".repeat(5_000) })),
        ..entry(1)
    };
    record(&db, &vault, hostile).await.unwrap();
    record(&db, &vault, Entry { details: object(json!({ "text": "a\u{0}b" })), ..entry(2) }).await.unwrap();
    let rows = db.audit(&AuditFilter::default(), Page::first(10)).await.unwrap().items;
    let first = &rows[1].entry;
    assert_eq!((first.actor_name.chars().count(), first.agent.chars().count()), (254, 200));
    assert!(!first.actor_name.contains(['\r', '\n']) && !first.agent.contains(['\0', '\t']));
    assert_eq!(first.details, r#"{"omitted_bytes":5011}"#);
    assert_eq!(rows[0].entry.details, r#"{"text":"a b"}"#);
}

#[test]
fn acts_are_read_as_they_are_written() {
    for act in Act::ALL {
        assert_eq!(act.code().parse(), Ok(*act));
        assert!(act.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{act}");
    }
    let codes: std::collections::BTreeSet<_> = Act::ALL.iter().map(|act| act.code()).collect();
    assert_eq!(codes.len(), Act::ALL.len());
}
