//! Many writers at once: none is turned away, none is lost.

use crate::harness::*;
use marque_domain::id::AccountId;
use marque_store::{CommitBatch, Page, StoreError, Whose};

on_both!(four_shards_write_at_once, of_two_writers_to_a_shard_one_wins_each_step);

async fn four_shards_write_at_once(bench: Bench) {
    let db = bench.db(AURORA);
    db.commit(&CommitBatch { shard: 99, ..opening() }).await.unwrap();
    let writers = (0..4_u32).map(|shard| {
        let db = db.clone();
        tokio::spawn(async move {
            for seq in 1..=50 {
                let order = order(i64::from(shard) * 1_000 + seq, 10);
                db.commit(&CommitBatch { shard, orders: vec![order], ..step(seq) }).await.unwrap();
                db.account(Whose::Everyone, AccountId(10)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for shard in 0..4 {
        assert_eq!(db.load_shard(shard).await.unwrap().seq, 50);
    }
    let newest = db.orders(Whose::Everyone, Page::first(200)).await.unwrap();
    assert_eq!((newest.items.len(), newest.next), (200, None));
}

async fn of_two_writers_to_a_shard_one_wins_each_step(bench: Bench) {
    let db = bench.db(AURORA);
    for seq in 1..=20 {
        let race = (0..4_u8).map(|writer| {
            let db = db.clone();
            tokio::spawn(async move { db.commit(&CommitBatch { records: vec![writer], ..step(seq) }).await })
        });
        let (mut won, mut lost) = (0, 0);
        for one in race.collect::<Vec<_>>() {
            match one.await.unwrap() {
                Ok(()) => won += 1,
                Err(StoreError::JournalConflict { .. }) => lost += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((won, lost), (1, 3), "entry {seq}");
    }
    assert_eq!(db.load_shard(7).await.unwrap().tail.len(), 20);
}
