//! A tenant's share of the sandbox's instances: what one tenant runs never takes all the room there is.
//!
//! The share is a fixed number and not a part of what is free just now: what ran within it before a restart has room after it,
//! whoever starts first.

use marque_domain::id::TenantId;
use marque_engine::port::Fault;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// How many instances one tenant has, and may have.
pub(crate) struct Share {
    most: u32,
    taken: AtomicU32,
}

/// The place of one instance within a share; given back when this is dropped.
pub(crate) struct Seat(Arc<Share>);

impl Share {
    /// A place for one more instance.
    ///
    /// # Errors
    /// The host's fault when the share is used up, as when the whole sandbox is.
    pub(crate) fn seat(self: &Arc<Self>) -> Result<Seat, Fault> {
        let more = |taken: u32| (taken < self.most).then(|| taken.saturating_add(1));
        match self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Seat(Arc::clone(self))),
            Err(_) => {
                Err(Fault::Host("There is no room for another plugin instance of this brand on this node.".to_owned()))
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The shares of all tenants that have run something.
pub(crate) struct Shares {
    most: u32,
    of: Mutex<HashMap<TenantId, Arc<Share>>>,
}

impl Shares {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, of: Mutex::default() }
    }

    /// A tenant's share: the same one whoever asks.
    pub(crate) fn of(&self, tenant: TenantId) -> Arc<Share> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let share = of.entry(tenant).or_insert_with(|| Arc::new(Share { most: self.most, taken: AtomicU32::new(0) }));
        Arc::clone(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_bounded_and_nobody_elses() {
        let shares = Shares::new(2);
        let (ours, theirs) = (shares.of(TenantId(1)), shares.of(TenantId(2)));
        let seats = (ours.seat().unwrap(), shares.of(TenantId(1)).seat().unwrap());
        assert!(matches!(ours.seat(), Err(Fault::Host(text)) if text.contains("no room")));
        assert!(theirs.seat().is_ok());
        drop(seats.0);
        assert!(ours.seat().is_ok());
        drop(seats.1);
        assert_eq!(ours.taken.load(Ordering::Acquire), 0);
    }
}
