//! The audit log and data keys, on both databases.

use crate::harness::*;
use marque_domain::{id::UserId, time::Millis};
use marque_store::{
    AuditActor, AuditBatch, AuditEntry, AuditFilter, AuditHead, AuditSeal, CommitBatch, DataKey, Page, StoreError,
    TenantDb,
};
use std::sync::Arc;

on_both!(one_chain_under_many_writers, filters_and_pages, a_step_and_its_entries_are_one, first_keys_win_once);

/// A seal without a key: the store does not care how MACs are made.
struct Plain;

impl AuditSeal for Plain {
    fn entry(&self, seq: i64, previous: &[u8], entry: &AuditEntry) -> [u8; 32] {
        let mut mac = [0; 32];
        let text = format!("{seq}{}", entry.target);
        previous.iter().chain(text.as_bytes()).enumerate().for_each(|(i, byte)| mac[i % 32] ^= byte.rotate_left(1));
        mac
    }
    fn head(&self, seq: i64, mac: &[u8]) -> [u8; 32] {
        let mut head = [1; 32];
        mac.iter().chain(&seq.to_be_bytes()).enumerate().for_each(|(i, byte)| head[i % 32] ^= byte);
        head
    }
    fn is_genuine(&self, head: &AuditHead) -> bool {
        self.head(head.seq, &head.mac).as_slice() == head.head_mac
    }
}

fn entry(n: i64) -> AuditEntry {
    AuditEntry {
        at: Millis(n),
        actor_kind: "person".to_owned(),
        actor: Some(UserId(n % 2 + 1)),
        actor_name: format!("p{}@x.example", n % 2 + 1),
        act: if n % 3 == 0 { "sign-in" } else { "sign-out" }.to_owned(),
        target: n.to_string(),
        details: "{}".to_owned(),
        address: String::new(),
        agent: String::new(),
    }
}

fn batch(entries: impl IntoIterator<Item = i64>) -> AuditBatch {
    AuditBatch { entries: entries.into_iter().map(entry).collect(), seal: Arc::new(Plain) }
}

fn key(version: u32, byte: u8) -> DataKey {
    DataKey { version, wrapped: vec![byte; 3], created_at: NOW, completed_at: Some(NOW) }
}

async fn begun(bench: &Bench) -> TenantDb {
    let db = bench.db(AURORA);
    db.begin_keys(&[key(0, 1), key(1, 1)], &Plain).await.unwrap();
    db
}

async fn one_chain_under_many_writers(bench: Bench) {
    let db = bench.db(AURORA);
    assert!(matches!(db.append_audit(&batch([1])).await, Err(StoreError::Corrupt { .. })), "it was never begun");
    let db = begun(&bench).await;
    let writers = (0..20).map(|w| {
        let db = db.clone();
        tokio::spawn(async move {
            for n in 0..5 {
                db.append_audit(&batch([w * 10 + n, w * 10 + n + 5])).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let (mut next, mut mac) = (1, vec![0; 32]);
    let head = db.walk_audit(|row| {
        assert_eq!(row.seq, next);
        assert_eq!(row.mac, Plain.entry(row.seq, &mac, &row.entry));
        (next, mac) = (next + 1, row.mac);
    });
    let head = head.await.unwrap().unwrap();
    assert!(head.seq == 200 && Plain.is_genuine(&head));
    assert_eq!(bench.db(BOREALIS).audit_head().await.unwrap(), None, "another tenant has its own");
}

async fn filters_and_pages(bench: Bench) {
    let db = begun(&bench).await;
    db.append_audit(&batch(1..=30)).await.unwrap();
    let chosen = async |filter: AuditFilter| {
        let rows = db.audit(&filter, Page::first(100)).await.unwrap().items;
        rows.into_iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(chosen(AuditFilter { act: Some("sign-in".to_owned()), ..AuditFilter::default() }).await.len(), 10);
    let who = |id, name: &str| Some(AuditActor { id, name: name.to_owned() });
    assert_eq!(chosen(AuditFilter { actor: who(None, "p1@x.example"), ..AuditFilter::default() }).await.len(), 15);
    assert_eq!(chosen(AuditFilter { actor: who(Some(UserId(1)), "old@x"), ..AuditFilter::default() }).await.len(), 15);
    let period = AuditFilter { from: Some(Millis(10)), until: Some(Millis(13)), ..AuditFilter::default() };
    assert_eq!(chosen(period).await, [12, 11, 10]);
    let first = db.audit(&AuditFilter::default(), Page::first(20)).await.unwrap();
    assert_eq!((first.items.len(), first.next), (20, Some(11)));
    let rest = db.audit(&AuditFilter::default(), Page { after: first.next, limit: 20 }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (10, None));
    assert!(bench.db(BOREALIS).audit(&AuditFilter::default(), Page::first(9)).await.unwrap().items.is_empty());
}

async fn a_step_and_its_entries_are_one(bench: Bench) {
    let db = begun(&bench).await;
    let step = |seq, n| CommitBatch { audit: Some(batch([n])), ..step(seq) };
    db.commit(&CommitBatch { audit: Some(batch([1])), ..opening() }).await.unwrap();
    // A step that is refused leaves no entry.
    assert!(matches!(db.commit(&step(5, 2)).await, Err(StoreError::JournalConflict { .. })));
    assert_eq!(db.audit_head().await.unwrap().unwrap().seq, 1);
    // And entries that are refused leave no step.
    let forged = AuditBatch { entries: vec![entry(3)], seal: Arc::new(Other) };
    assert!(db.commit(&CommitBatch { audit: Some(forged), ..crate::harness::step(2) }).await.is_err());
    assert_eq!(db.load_shard(7).await.unwrap().seq, 1);
    db.commit(&step(2, 4)).await.unwrap();
    assert_eq!(db.audit_head().await.unwrap().unwrap().seq, 2);
}

/// The seal of another key.
struct Other;

impl AuditSeal for Other {
    fn entry(&self, seq: i64, previous: &[u8], entry: &AuditEntry) -> [u8; 32] {
        Plain.entry(seq, previous, entry)
    }
    fn head(&self, _: i64, _: &[u8]) -> [u8; 32] {
        [0; 32]
    }
    fn is_genuine(&self, _: &AuditHead) -> bool {
        false
    }
}

async fn first_keys_win_once(bench: Bench) {
    let db = bench.db(AURORA);
    let many = (0..10_u8).map(|n| {
        let db = db.clone();
        tokio::spawn(async move { db.begin_keys(&[key(0, n), key(1, n)], &Plain).await.unwrap() })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let keys = db.data_keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].wrapped, keys[1].wrapped, "both are of one maker");
    assert!(matches!(db.add_data_key(&key(1, 9)).await, Err(StoreError::Conflict(_))));
    assert!(!db.rewrap_data_key(1, b"other", b"new").await.unwrap());
    assert!(db.rewrap_data_key(1, &keys[1].wrapped, b"new").await.unwrap());
    assert!(!format!("{keys:?}").contains("wrapped"), "keys do not show");
    assert!(bench.db(BOREALIS).data_keys().await.unwrap().is_empty());
}
