//! What a shard recovers from.

use crate::{
    entity::{journal, shard_checkpoints, shard_marks},
    error::StoreError,
    scope::TenantTx,
};
use marque_domain::time::Millis;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};

/// One committed step of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its number, beginning with 1.
    pub seq: i64,
    /// When, in market time.
    pub at: Millis,
    /// Its records, as they were given.
    pub records: Vec<u8>,
}

/// All that is stored of a shard: fold the tail over the checkpoint and go on from the mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardImage {
    /// The last entry's number; zero for a shard that never committed. The next commit is one more.
    pub seq: i64,
    /// Where its market source stood.
    pub mark: Option<Vec<u8>>,
    /// The last checkpoint: the number of its entry and the state after it.
    pub checkpoint: Option<(i64, Vec<u8>)>,
    /// Every entry after the checkpoint, oldest first.
    pub tail: Vec<JournalEntry>,
}

/// Reads a shard and checks that nothing is missing between checkpoint and mark.
pub(crate) async fn load(tx: &TenantTx, shard: u32) -> Result<ShardImage, StoreError> {
    let key = i64::from(shard);
    let mark = tx.one(tx.find::<shard_marks::Entity>().filter(shard_marks::Column::Shard.eq(key))).await?;
    let checkpoint = tx.find::<shard_checkpoints::Entity>().filter(shard_checkpoints::Column::Shard.eq(key));
    let checkpoint = tx.one(checkpoint).await?.map(|row| (row.seq, row.state));
    let folded = checkpoint.as_ref().map_or(0, |(seq, _)| *seq);
    let tail = tx
        .find::<journal::Entity>()
        .filter(journal::Column::Shard.eq(key))
        .filter(journal::Column::Seq.gt(folded))
        .order_by_asc(journal::Column::Seq);
    let tail = tx.all(tail).await?.into_iter();
    let image = ShardImage {
        seq: mark.as_ref().map_or(0, |row| row.seq),
        mark: mark.map(|row| row.mark),
        checkpoint,
        tail: tail.map(|row| JournalEntry { seq: row.seq, at: Millis(row.at), records: row.payload }).collect(),
    };
    image.check(folded).map_err(|detail| StoreError::corrupt("journal", format!("shard {shard}: {detail}")))?;
    Ok(image)
}

impl ShardImage {
    fn check(&self, folded: i64) -> Result<(), String> {
        let mut expected = folded;
        for entry in &self.tail {
            expected += 1;
            if entry.seq != expected {
                return Err(format!("entry {expected} is missing before {}", entry.seq));
            }
        }
        if expected == self.seq { Ok(()) } else { Err(format!("it ends at {expected} and the mark is {}", self.seq)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_found() {
        let image = |seq, entries: &[i64]| ShardImage {
            seq,
            tail: entries.iter().map(|seq| JournalEntry { seq: *seq, at: Millis(0), records: vec![] }).collect(),
            ..ShardImage::default()
        };
        for (good, folded) in [(image(0, &[]), 0), (image(2, &[1, 2]), 0), (image(4, &[3, 4]), 2), (image(2, &[]), 2)] {
            assert_eq!(good.check(folded), Ok(()));
        }
        for (bad, folded) in [
            (image(1, &[]), 0),
            (image(3, &[1, 3]), 0),
            (image(2, &[1, 2, 3]), 0),
            (image(0, &[1]), 0),
            (image(1, &[]), 2),
        ] {
            assert!(bad.check(folded).is_err(), "{bad:?}");
        }
    }
}
