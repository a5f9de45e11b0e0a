use super::*;
use crate::testing::{NOON, TestStore, postgres, vault};
use marque_store::{AuditFilter, AuditRow, Page};
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

/// One act of a person who tampers past the server, on a log of 10,000 entries.
struct Tampering {
    what: &'static str,
    sql: &'static str,
    found: &'static [Fault],
}

const LENGTH: i64 = 10_000;

const TAMPERINGS: &[Tampering] = &[
    Tampering {
        what: "first",
        sql: "UPDATE audit_entries SET target = 'x' WHERE seq = 1",
        found: &[Fault::Altered(1)],
    },
    Tampering {
        what: "last",
        sql: "UPDATE audit_entries SET at = at + 1 WHERE seq = 10000",
        found: &[Fault::Altered(10_000)],
    },
    Tampering {
        what: "actor",
        sql: "UPDATE audit_entries SET actor_id = 8 WHERE seq = 5",
        found: &[Fault::Altered(5)],
    },
    Tampering {
        what: "no actor",
        sql: "UPDATE audit_entries SET actor_id = NULL WHERE seq = 5",
        found: &[Fault::Altered(5)],
    },
    Tampering {
        what: "kind",
        sql: "UPDATE audit_entries SET actor_kind = 'system' WHERE seq = 5",
        found: &[Fault::Altered(5)],
    },
    Tampering {
        what: "name",
        sql: "UPDATE audit_entries SET actor_name = 'bob' WHERE seq = 77",
        found: &[Fault::Altered(77)],
    },
    Tampering {
        what: "act",
        sql: "UPDATE audit_entries SET act = 'sign-in' WHERE seq = 77",
        found: &[Fault::Altered(77)],
    },
    Tampering {
        what: "details",
        sql: "UPDATE audit_entries SET details = '{}' WHERE seq = 77",
        found: &[Fault::Altered(77)],
    },
    Tampering {
        what: "address",
        sql: "UPDATE audit_entries SET address = '' WHERE seq = 77",
        found: &[Fault::Altered(77)],
    },
    Tampering {
        what: "agent",
        sql: "UPDATE audit_entries SET agent = '' WHERE seq = 77",
        found: &[Fault::Altered(77)],
    },
    Tampering {
        what: "moved between columns",
        sql: "UPDATE audit_entries SET address = address || agent, agent = '' WHERE seq = 77",
        found: &[Fault::Altered(77)],
    },
    Tampering {
        what: "dropped",
        sql: "DELETE FROM audit_entries WHERE seq BETWEEN 4000 AND 4002",
        found: &[Fault::Missing(4_000, 4_002)],
    },
    Tampering {
        what: "dropped and closed up",
        sql: "DELETE FROM audit_entries WHERE seq = 9999; UPDATE audit_entries SET seq = 9999 WHERE seq = 10000",
        found: &[Fault::Altered(9_999), Fault::CutOff(10_000, 10_000)],
    },
    Tampering {
        what: "reordered",
        sql: "UPDATE audit_entries SET seq = -1 WHERE seq = 30; UPDATE audit_entries SET seq = 30 WHERE seq = 31; \
              UPDATE audit_entries SET seq = 31 WHERE seq = -1",
        found: &[Fault::Altered(30), Fault::Altered(31), Fault::Altered(32)],
    },
    Tampering {
        what: "cut off",
        sql: "DELETE FROM audit_entries WHERE seq > 9990",
        found: &[Fault::CutOff(9_991, 10_000)],
    },
    Tampering {
        what: "cut off with the head",
        sql: "DELETE FROM audit_entries WHERE seq > 9990; \
              UPDATE audit_heads SET seq = 9990, mac = (SELECT mac FROM audit_entries WHERE seq = 9990)",
        found: &[Fault::ForgedHead],
    },
    Tampering { what: "without the head", sql: "DELETE FROM audit_heads", found: &[Fault::NoHead] },
    Tampering { what: "wiped", sql: "DELETE FROM audit_entries; DELETE FROM audit_heads", found: &[Fault::NoHead] },
    Tampering {
        what: "copied past the end",
        sql: "INSERT INTO audit_entries SELECT tenant_id, 10001, at, actor_kind, actor_id, actor_name, act, target, details, \
              address, agent, mac FROM audit_entries WHERE seq = 10000",
        found: &[Fault::Altered(10_001), Fault::Surplus(10_001, 10_001)],
    },
];

/// Every tampering on a copy of its own, undone by rolling back.
async fn every_tampering_is_found(store: &marque_store::Store, tamper: impl AsyncFn(&str), undo: impl AsyncFn()) {
    let vault = vault();
    let system = store.system("tests");
    let tenants = system.tenants().await.unwrap();
    let db = system.tenant_db(tenants[0].id);
    let keys = vault.of(&db).await.unwrap();
    assert_eq!(verify(&db, &vault, None).await.unwrap().faults, [], "an empty log is whole");
    for first in (1..=LENGTH).step_by(2_000) {
        db.append_audit(&batch(&keys, (first..first + 2_000).map(entry))).await.unwrap();
    }
    let whole = verify(&db, &vault, None).await.unwrap();
    assert_eq!((whole.entries, whole.faults_total), (10_000, 0));
    undo().await;
    for case in TAMPERINGS {
        tamper(case.sql).await;
        let verdict = verify(&db, &vault, None).await.unwrap();
        assert_eq!(verdict.faults, case.found, "{}", case.what);
        undo().await;
    }
    assert_eq!(verify(&db, &vault, None).await.unwrap(), whole, "what was undone is whole again");
}

/// What a person could do who has the database's own superuser.
fn past_the_server(database: &marque_testkit::Database<'_>, sql: &str) {
    // The triggers that keep the table append-only do not run in this mode.
    database.superuser_sql(&format!("SET session_replication_role = replica; {sql}")).unwrap();
}

#[tokio::test]
async fn every_tampering_is_found_on_postgres() {
    let Some((store, database)) = postgres("audit::tampering").await else { return };
    let kept = std::cell::Cell::new(false);
    let undo = async || {
        // The first time it keeps what there is, later it puts it back.
        past_the_server(
            &database,
            if kept.replace(true) {
                "DELETE FROM audit_entries; INSERT INTO audit_entries SELECT * FROM kept; \
                 DELETE FROM audit_heads; INSERT INTO audit_heads SELECT * FROM kept_head"
            } else {
                "CREATE TABLE kept AS SELECT * FROM audit_entries; CREATE TABLE kept_head AS SELECT * FROM audit_heads"
            },
        );
    };
    every_tampering_is_found(&store, async |sql: &str| past_the_server(&database, sql), undo).await;
}

/// The rows come from SQLite; what is done to them is done on the way, because this room speaks no SQL.
#[tokio::test]
async fn every_tampering_is_found_on_sqlite() {
    let (test, vault) = (TestStore::with_demo(&[]).await, vault());
    let db = test.system().tenant_db(test.system().tenants().await.unwrap()[0].id);
    let keys = vault.of(&db).await.unwrap();
    for first in (1..=LENGTH).step_by(2_000) {
        db.append_audit(&batch(&keys, (first..first + 2_000).map(entry))).await.unwrap();
    }
    assert_eq!(verify(&db, &vault, None).await.unwrap().faults_total, 0);
    let mut rows = Vec::new();
    let head = db.walk_audit(|row| rows.push(row)).await.unwrap();
    let faults = |rows: &[AuditRow]| verify::check(&keys, rows, head.clone()).faults;
    assert_eq!(faults(&rows), []);
    for at in [0, 1, 4_999, 9_998, 9_999] {
        let seq = i64::try_from(at).unwrap() + 1;
        let mut altered = rows.clone();
        altered[at].entry.target.push('x');
        assert_eq!(faults(&altered), [Fault::Altered(seq)]);
        let mut forged = rows.clone();
        forged[at].mac[31] ^= 1;
        assert_eq!(faults(&forged)[0], Fault::Altered(seq));
        let mut dropped = rows.clone();
        dropped.remove(at);
        let expect = if seq == LENGTH { Fault::CutOff(seq, seq) } else { Fault::Missing(seq, seq) };
        assert_eq!(faults(&dropped), [expect]);
        let mut swapped = rows.clone();
        let other = if at == 0 { 7 } else { at - 1 };
        swapped.swap(at, other);
        let (one, two) = (swapped[at].seq, swapped[other].seq);
        (swapped[at].seq, swapped[other].seq) = (two, one);
        assert!(faults(&swapped).contains(&Fault::Altered(seq)), "reordered at {seq}");
        assert_eq!(faults(&rows[..at]), [Fault::CutOff(seq, LENGTH)]);
    }
}

#[tokio::test]
async fn a_log_that_was_tampered_with_takes_no_more() {
    let Some((store, database)) = postgres("audit::no_more").await else { return };
    let (vault, system) = (vault(), store.system("tests"));
    let db = system.tenant_db(system.tenants().await.unwrap()[0].id);
    for n in 1..=3 {
        record(&db, &vault, entry(n)).await.unwrap();
    }
    for sql in ["UPDATE audit_entries SET target = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"] {
        assert!(database.superuser_sql(sql).is_err(), "the table is append-only: {sql}");
    }
    // Whoever cuts off the end and turns the head back without the key gets no new, genuine head.
    past_the_server(
        &database,
        "DELETE FROM audit_entries WHERE seq = 3; \
         UPDATE audit_heads SET seq = 2, mac = (SELECT mac FROM audit_entries WHERE seq = 2)",
    );
    let told = record(&db, &vault, entry(4)).await.unwrap_err().to_string();
    assert!(told.contains("marque audit verify"), "{told}");
}

/// What a chain alone cannot show, and the noted head does.
#[tokio::test]
async fn a_log_that_was_put_back_whole_is_found_by_what_was_noted() {
    let Some((store, database)) = postgres("audit::put_back").await else { return };
    let (vault, system) = (vault(), store.system("tests"));
    let db = system.tenant_db(system.tenants().await.unwrap()[0].id);
    record(&db, &vault, entry(1)).await.unwrap();
    past_the_server(&database, "CREATE TABLE kept_head AS SELECT * FROM audit_heads");
    record(&db, &vault, entry(2)).await.unwrap();
    let noted = verify(&db, &vault, None).await.unwrap().head.unwrap();
    assert_eq!(noted.to_string().parse(), Ok(noted.clone()));
    past_the_server(
        &database,
        "DELETE FROM audit_entries WHERE seq = 2; DELETE FROM audit_heads; \
         INSERT INTO audit_heads SELECT * FROM kept_head",
    );
    assert_eq!(verify(&db, &vault, None).await.unwrap().faults, [], "a chain cannot show this");
    assert_eq!(verify(&db, &vault, Some(&noted)).await.unwrap().faults, [Fault::RolledBack(2)]);
    record(&db, &vault, entry(3)).await.unwrap();
    let faults = verify(&db, &vault, Some(&noted)).await.unwrap().faults;
    assert_eq!(faults, [Fault::RolledBack(2)], "nor a new one in its place");
}

#[tokio::test]
async fn a_hundred_at_once_make_one_chain() {
    let (test, vault) = (TestStore::with_demo(&[]).await, vault());
    let db = test.system().tenant_db(test.system().tenants().await.unwrap()[0].id);
    futures_util::future::join_all((0..100).map(|n| record(&db, &vault, entry(n))))
        .await
        .into_iter()
        .for_each(|r| r.unwrap());
    let verdict = verify(&db, &vault, None).await.unwrap();
    assert_eq!((verdict.entries, verdict.faults), (100, vec![]));
}
