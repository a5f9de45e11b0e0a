//! Compiled plugins, kept in memory under their digest.

use crate::{contract::rule::RiskRulePre, host::HostState, inspect::Description, strategy::StrategyPre};
use marque_domain::plugin::PluginDigest;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A plugin that is ready to be instantiated.
pub(crate) struct Compiled {
    pub(crate) description: Description,
    pub(crate) world: World,
}

/// Which of the contract's worlds it fills.
pub(crate) enum World {
    Strategy(StrategyPre),
    Rule(RiskRulePre<HostState>),
}

/// One digest's place. Its lock is held while it is compiled, so that many who ask at once compile once.
#[derive(Default)]
struct Slot(Mutex<Option<Arc<Compiled>>>);

struct Entry {
    slot: Arc<Slot>,
    used: u64,
}

/// A bounded cache that forgets what was used longest ago. Instances keep what they run alive themselves.
pub(crate) struct Cache {
    most: usize,
    entries: Mutex<(HashMap<PluginDigest, Entry>, u64)>,
}

impl Cache {
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), entries: Mutex::default() }
    }

    /// What is compiled, without compiling. Waits for whoever is compiling it.
    pub(crate) fn get(&self, digest: &PluginDigest) -> Option<Arc<Compiled>> {
        self.known(digest)?.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is compiled at this moment. Waits for nobody.
    pub(crate) fn has(&self, digest: &PluginDigest) -> bool {
        self.known(digest).is_some_and(|slot| slot.0.try_lock().is_ok_and(|compiled| compiled.is_some()))
    }

    fn known(&self, digest: &PluginDigest) -> Option<Arc<Slot>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, clock) = &mut *entries;
        *clock += 1;
        let entry = entries.get_mut(digest)?;
        entry.used = *clock;
        Some(Arc::clone(&entry.slot))
    }

    /// What is compiled, or else what `compile` makes. A failure is not kept.
    pub(crate) fn get_or_compile<E>(
        &self,
        digest: PluginDigest,
        compile: impl FnOnce() -> Result<Compiled, E>,
    ) -> Result<Arc<Compiled>, E> {
        let slot = self.slot(digest);
        let mut compiled = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = &*compiled {
            return Ok(Arc::clone(compiled));
        }
        match compile() {
            Ok(made) => Ok(Arc::clone(compiled.insert(Arc::new(made)))),
            Err(error) => {
                drop(compiled);
                self.entries.lock().unwrap_or_else(PoisonError::into_inner).0.remove(&digest);
                Err(error)
            }
        }
    }

    fn slot(&self, digest: PluginDigest) -> Arc<Slot> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (entries, clock) = &mut *entries;
        *clock += 1;
        if !entries.contains_key(&digest) && entries.len() >= self.most {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used).map(|(digest, _)| *digest);
            oldest.map(|digest| entries.remove(&digest));
        }
        let entry = entries.entry(digest).or_insert_with(|| Entry { slot: Arc::default(), used: 0 });
        entry.used = *clock;
        Arc::clone(&entry.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_waits_for_no_compiler() {
        let (cache, digest) = (Cache::new(1), PluginDigest([7; 32]));
        let made = cache.get_or_compile(digest, || {
            // Another thread would wait here, and so would this one for ever.
            assert!(!cache.has(&digest), "it is being compiled");
            Err("refused")
        });
        assert_eq!(made.err(), Some("refused"));
        assert!(!cache.has(&digest), "what is refused is not kept");
    }
}
