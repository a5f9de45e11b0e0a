//! Counters in this process.

use super::policy::{Counter, Stand, Tally};
use marque_domain::time::Millis;
use moka::future::Cache;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Counters kept; beyond that the least used are forgotten. What they hold together is bounded by how much is let
/// through in the longest window.
const COUNTERS_MAX: u64 = 100_000;
/// The longest window there can be, a day: a counter that nobody touched for so long counts nothing.
const IDLE: Duration = Duration::from_secs(86_400);

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

    fn stand(&self, now: Millis) -> Stand {
        Stand { used: self.used(), oldest: self.0.front().map_or(now, |at| Millis(*at)) }
    }
}

pub(super) struct Local {
    logs: Cache<String, Arc<Mutex<Log>>>,
}

impl Local {
    pub(super) fn new() -> Self {
        Self { logs: Cache::builder().max_capacity(COUNTERS_MAX).time_to_idle(IDLE).build() }
    }

    /// Counts a try in every counter, or in none when one is full.
    pub(super) async fn take(&self, counters: &[Counter], now: Millis) -> Tally {
        let mut logs = Vec::with_capacity(counters.len());
        for (place, counter) in counters.iter().enumerate() {
            let log = self.logs.get_with_by_ref(&counter.key, async { Arc::default() }).await;
            logs.push((&counter.key, place, counter.policy, log));
        }
        // Always in the same order, so that two tries that share counters cannot wait for each other.
        logs.sort_by_key(|(key, ..)| *key);
        let mut held: Vec<_> = logs
            .iter()
            // A panic while it was held left a count at worst one short.
            .map(|(_, place, policy, log)| (*place, *policy, log.lock().unwrap_or_else(PoisonError::into_inner)))
            .collect();
        held.iter_mut().for_each(|(_, policy, log)| log.forget(now, policy.window_ms()));
        let allowed = held.iter().all(|(_, policy, log)| log.used() < policy.quota);
        if allowed {
            held.iter_mut().for_each(|(.., log)| log.add(now));
        }
        held.sort_by_key(|(place, ..)| *place);
        Tally { allowed, stands: held.iter().map(|(.., log)| log.stand(now)).collect() }
    }

    pub(super) async fn forget(&self, key: &str) {
        self.logs.invalidate(key).await;
    }
}
