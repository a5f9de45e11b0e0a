//! Counters in this process.
//!
//! They lie in many small tables, each with a lock of its own, because every question of an EA counts twice. A counter whose
//! window has passed counts nothing, and is forgotten when its table has grown by half.

use super::policy::{Counter, Stand, Tally};
use marque_domain::time::Millis;
use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Tables.
const SHARDS: usize = 64;
/// Counters that a table keeps although all of them count: a million together. Beyond that some are forgotten.
const COUNTERS_MAX: usize = 16_384;
/// How many of them, so that a full table is not looked through for each new one.
const FORGOTTEN: usize = COUNTERS_MAX / 16;
/// Counters with which tidying up a table begins.
const TIDY_MIN: usize = 256;

/// When what was let through was, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<i64>);

impl Log {
    /// Forgets what is older than the window. What lies ahead counts as of now: the clock was set back.
    pub(super) fn forget(&mut self, now: Millis, window_ms: i64) {
        while self.0.front().is_some_and(|at| *at <= now.plus(-window_ms).0) {
            self.0.pop_front();
        }
        self.0.iter_mut().rev().take_while(|at| **at > now.0).for_each(|at| *at = now.0);
    }

    pub(super) fn used(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn add(&mut self, now: Millis) {
        self.0.push_back(now.0);
    }

    /// Undoes the last [`Self::add`].
    fn take_back(&mut self) {
        self.0.pop_back();
    }

    fn stand(&self, now: Millis) -> Stand {
        Stand { used: self.used(), oldest: self.0.front().map_or(now, |at| Millis(*at)) }
    }
}

/// A counter with the window of its policy.
#[derive(Debug)]
struct Kept {
    log: Log,
    window_ms: i64,
}

/// A table of counters.
#[derive(Debug, Default)]
struct Shard {
    kept: HashMap<String, Kept>,
    /// With how many counters it is tidied up.
    tidy_at: usize,
}

impl Shard {
    /// Does something with the log of a counter, which is without what is older than its window. The name of a counter is
    /// copied only when it is new.
    fn with_log(&mut self, counter: &Counter, now: Millis, act: &mut dyn FnMut(&mut Log, &Counter)) {
        let window_ms = counter.policy.window_ms();
        if let Some(kept) = self.kept.get_mut(&counter.key) {
            kept.window_ms = window_ms;
            kept.log.forget(now, window_ms);
            act(&mut kept.log, counter);
            return;
        }
        self.make_room(now);
        let mut kept = Kept { log: Log::default(), window_ms };
        act(&mut kept.log, counter);
        self.kept.insert(counter.key.clone(), kept);
    }

    fn make_room(&mut self, now: Millis) {
        if self.kept.len() < self.tidy_at.max(TIDY_MIN) {
            return;
        }
        self.kept.retain(|_, kept| {
            kept.log.forget(now, kept.window_ms);
            kept.log.used() > 0
        });
        if self.kept.len() >= COUNTERS_MAX {
            // No order says which; the table's own is as good as any.
            let mut surplus = FORGOTTEN;
            self.kept.retain(|_, _| {
                surplus = surplus.saturating_sub(1);
                surplus == 0
            });
        }
        self.tidy_at = (self.kept.len() + self.kept.len() / 2).min(COUNTERS_MAX);
    }
}

pub(super) struct Local {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

impl Local {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Counts a try in every counter, or in none when one is full.
    pub(super) fn take(&self, counters: &[Counter], now: Millis) -> Tally {
        let mut places: Vec<usize> = counters.iter().map(|counter| self.place(&counter.key)).collect();
        let own = places.clone();
        // Always in the same order, so that two tries that share tables cannot wait for each other.
        places.sort_unstable();
        places.dedup();
        let mut held: Vec<(usize, MutexGuard<'_, Shard>)> =
            places.into_iter().filter_map(|place| Some((place, locked(self.shards.get(place)?)))).collect();
        let mut each = |act: &mut dyn FnMut(&mut Log, &Counter)| {
            for (counter, place) in counters.iter().zip(&own) {
                if let Some((_, shard)) = held.iter_mut().find(|(at, _)| at == place) {
                    shard.with_log(counter, now, &mut *act);
                }
            }
        };
        // Nearly always there is room: it is counted at once, and taken back where there was none.
        let (mut allowed, mut stands) = (true, Vec::with_capacity(counters.len()));
        each(&mut |log, counter| {
            allowed &= log.used() < counter.policy.quota;
            log.add(now);
            stands.push(log.stand(now));
        });
        if !allowed {
            stands.clear();
            each(&mut |log, _| {
                log.take_back();
                stands.push(log.stand(now));
            });
        }
        Tally { allowed, stands }
    }

    pub(super) fn forget(&self, key: &str) {
        if let Some(shard) = self.shards.get(self.place(key)) {
            locked(shard).kept.remove(key);
        }
    }

    fn place(&self, key: &str) -> usize {
        // The remainder is smaller than the number of tables.
        usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0)
    }
}

/// A panic while it was held left a count at worst one short.
fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{super::policy::Policy, *};

    fn counter(name: usize) -> Counter {
        Counter { key: format!("k{name}"), policy: Policy::new("test", 3, 60) }
    }

    #[test]
    fn what_counts_nothing_is_forgotten_and_what_counts_is_kept() {
        let (local, now) = (Local::new(), Millis(1_000_000));
        let kept = || local.shards.iter().map(|shard| locked(shard).kept.len()).sum::<usize>();
        for turn in 0..20 {
            let at = now.plus(turn * 120_000);
            for name in 0..20_000 {
                let name = usize::try_from(turn).unwrap() * 20_000 + name;
                assert!(local.take(&[counter(name)], at).allowed);
            }
            assert!(kept() <= 80_000, "{} counters after {turn}", kept());
        }
        // Those of the last minute are all there.
        let at = now.plus(19 * 120_000 + 1_000);
        let mine = [counter(19 * 20_000 + 7), counter(19 * 20_000 + 8)];
        assert_eq!(local.take(&mine, at).stands.iter().map(|stand| stand.used).collect::<Vec<_>>(), [2, 2]);
        local.forget(&mine[0].key);
        assert_eq!(local.take(&mine, at).stands.iter().map(|stand| stand.used).collect::<Vec<_>>(), [1, 3]);
        let refused = local.take(&mine, at);
        assert_eq!((refused.allowed, refused.stands[0].used), (false, 1), "in every counter or in none");
    }

    #[test]
    fn there_is_a_bound() {
        let mut shard = Shard::default();
        for name in 0..COUNTERS_MAX * 2 {
            shard.with_log(&counter(name), Millis(0), &mut |log, _| log.add(Millis(0)));
            assert!(shard.kept.len() <= COUNTERS_MAX);
        }
        assert!(shard.kept.len() >= COUNTERS_MAX - FORGOTTEN);
    }
}
