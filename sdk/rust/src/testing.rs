//! Unit tests without a sandbox: a strategy on a stand-in desk ([`Trial`]), and what the stand-in host saw and gives.
//! Inside the sandbox the host's part does nothing.

mod trial;

use crate::{Closure, DayTally, Execution, Facts, Instrument, OrderTerms, Room, WaitingOrder};

pub use trial::{Trial, instrument};

/// What the stand-in host knows of an account and its market.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Marks and counts.
    pub facts: Facts,
    /// The rule's days.
    pub days: Vec<DayTally>,
    /// The last fills.
    pub executions: Vec<Execution>,
    /// Instruments by their number.
    pub instruments: Vec<(u32, Instrument)>,
    /// Closures of instruments, in order.
    pub closures: Vec<(u32, Closure)>,
    /// How the order at hand would trade.
    pub terms: Option<OrderTerms>,
    /// Orders that wait.
    pub waiting: Vec<WaitingOrder>,
    /// What binds a strategy's account.
    pub room: Room,
}

/// Sets what plugins on this thread are told from here on.
pub fn set_known(known: Known) {
    #[cfg(not(target_arch = "wasm32"))]
    crate::host::set_known(known);
    #[cfg(target_arch = "wasm32")]
    drop(known);
}

/// Takes the lines logged on this thread since the last call.
#[must_use]
pub fn take_log() -> Vec<String> {
    #[cfg(not(target_arch = "wasm32"))]
    return crate::host::take_log();
    #[cfg(target_arch = "wasm32")]
    Vec::new()
}

/// Sets where this thread's random numbers start.
pub fn set_seed(seed: u64) {
    #[cfg(not(target_arch = "wasm32"))]
    crate::host::set_seed(seed);
    #[cfg(target_arch = "wasm32")]
    let _ = seed;
}
