//! How many runs go on at once on this machine, whoever started them.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many runs at once. Threads that want one more wait.
#[derive(Debug)]
pub struct Permits {
    total: usize,
    free: Mutex<usize>,
    given_back: Condvar,
}

/// Leave for one run, given back when dropped.
#[derive(Debug)]
pub struct Permit<'a>(&'a Permits);

impl Permits {
    /// One for each core that this process may use.
    #[must_use]
    pub fn one_a_core() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// So many, at least one.
    #[must_use]
    pub fn new(total: usize) -> Self {
        let total = total.max(1);
        Self { total, free: Mutex::new(total), given_back: Condvar::new() }
    }

    /// How many there are.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// Waits for one.
    pub fn take(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.given_back.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}
