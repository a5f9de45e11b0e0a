//! A bounded memory that is asked with every request and seldom written.
//!
//! Asking is one look into a table under a lock that askers share: nothing is queued, no order is kept and no room is made
//! meanwhile. Room is made by who writes, in rounds: what was asked for since the last round stays for another (the clock
//! algorithm). moka keeps a better order and knows times; but every read of it is written down, and worked off inside some
//! request.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher as _, Hash},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

/// Tables at most, each with a lock of its own.
const TABLES_MAX: usize = 64;
/// What a table holds at least, so that chance fills none long before the others.
const TABLE_MIN: usize = 1_024;

/// Values by their keys: at most so many, a few more where they cannot be divided evenly.
pub(crate) struct Bounded<K, V> {
    tables: Vec<RwLock<Table<K, V>>>,
    /// Most in one table.
    each: usize,
    hasher: RandomState,
}

struct Table<K, V> {
    kept: HashMap<K, Kept<V>>,
    /// All keys, in the order of the rounds.
    round: Vec<K>,
    /// Where the next round goes on.
    hand: usize,
}

struct Kept<V> {
    value: V,
    /// Since the last round.
    asked: AtomicBool,
}

impl<K: Hash + Eq + Clone, V: Clone> Table<K, V> {
    fn put(&mut self, key: K, value: V, most: usize) {
        if let Some(kept) = self.kept.get_mut(&key) {
            kept.value = value;
            return;
        }
        if self.round.len() < most {
            self.round.push(key.clone());
        } else {
            let place = self.make_room();
            if let Some(place) = self.round.get_mut(place) {
                *place = key.clone();
            }
        }
        self.kept.insert(key, Kept { value, asked: AtomicBool::new(false) });
    }

    /// Forgets one, and answers its place. What is passed counts as not asked for, so a second round ends at the latest where
    /// this one began.
    fn make_room(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = if place + 1 < self.round.len() { place + 1 } else { 0 };
            let Some(key) = self.round.get(place) else { return place };
            let stays = self.kept.get_mut(key).is_some_and(|kept| core::mem::take(kept.asked.get_mut()));
            if !stays {
                self.kept.remove(key);
                return place;
            }
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Bounded<K, V> {
    /// An empty one for about so many.
    pub fn new(most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let tables = (most / TABLE_MIN).clamp(1, TABLES_MAX);
        let empty = |_| RwLock::new(Table { kept: HashMap::new(), round: Vec::new(), hand: 0 });
        Self { tables: (0..tables).map(empty).collect(), each: most.div_ceil(tables), hasher: RandomState::new() }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        let table = read(self.table(key)?);
        let kept = table.kept.get(key)?;
        // Written once a round: what is only read, all processors have at hand.
        if !kept.asked.load(Ordering::Relaxed) {
            kept.asked.store(true, Ordering::Relaxed);
        }
        Some(kept.value.clone())
    }

    /// Keeps a value, in place of another of this key.
    pub fn insert(&self, key: K, value: V) {
        if let Some(table) = self.table(&key) {
            write(table).put(key, value, self.each);
        }
    }

    /// The value of a key, made if there is none. Whoever asks for it at the same time gets the same one.
    pub fn get_or_insert_with(&self, key: &K, make: impl FnOnce() -> V) -> V {
        if let Some(value) = self.get(key) {
            return value;
        }
        let Some(table) = self.table(key) else { return make() };
        let mut table = write(table);
        if let Some(kept) = table.kept.get(key) {
            return kept.value.clone();
        }
        let value = make();
        table.put(key.clone(), value.clone(), self.each);
        value
    }

    /// Forgets all.
    pub fn clear(&self) {
        for table in &self.tables {
            let mut table = write(table);
            table.kept.clear();
            table.round.clear();
            table.hand = 0;
        }
    }

    fn table(&self, key: &K) -> Option<&RwLock<Table<K, V>>> {
        // There are few, so the hash's end says which. The tables' own hashes are others.
        let hash = usize::try_from(self.hasher.hash_one(key) & 0xffff).unwrap_or(0);
        self.tables.get(hash % self.tables.len().max(1))
    }
}

/// A panic while it was held left at worst a key in the round that is not kept, and such a one is forgotten next.
fn write<T>(table: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    table.write().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(table: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(memory: &Bounded<u64, u64>) -> usize {
        memory.tables.iter().map(|table| read(table).kept.len()).sum()
    }

    #[test]
    fn what_is_asked_for_stays_when_room_is_made() {
        let memory = Bounded::new(100);
        (0..100).for_each(|key| memory.insert(key, key * 2));
        assert_eq!((kept(&memory), memory.get(&7), memory.get(&100)), (100, Some(14), None));
        for key in 100..150 {
            memory.insert(key, 0);
            assert_eq!(kept(&memory), 100);
        }
        assert_eq!(memory.get(&7), Some(14), "it was asked for");
        assert_eq!(memory.get(&8), None, "nobody asked for it");
        assert_eq!(memory.get(&149), Some(0), "the newest is kept");
    }

    #[test]
    fn there_is_room_although_all_were_asked_for() {
        let memory = Bounded::new(10);
        for key in 0..1_000 {
            memory.insert(key, key);
            for key in 0..=key {
                memory.get(&key);
            }
            assert!(kept(&memory) <= 10);
            assert_eq!(memory.get(&key), Some(key));
        }
    }

    #[test]
    fn a_key_has_one_value() {
        let memory = Bounded::new(2);
        assert_eq!(memory.get_or_insert_with(&1, || 1), 1);
        assert_eq!(memory.get_or_insert_with(&1, || 2), 1);
        memory.insert(1, 3);
        assert_eq!((memory.get(&1), kept(&memory)), (Some(3), 1));
        memory.clear();
        assert_eq!((memory.get(&1), kept(&memory)), (None, 0));
        memory.insert(1, 4);
        assert_eq!(memory.get(&1), Some(4));
    }

    #[test]
    fn a_large_one_has_a_bound_too() {
        let memory = Bounded::new(100_000);
        (0..300_000).for_each(|key| memory.insert(key, key));
        let kept = kept(&memory);
        assert!((99_000..=100_064).contains(&kept), "{kept}");
        assert_eq!(memory.tables.len(), 64);
    }
}
