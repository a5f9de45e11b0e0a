//! The few things a plugin may ask of its host; natively, a stand-in for unit tests.

#[cfg(target_arch = "wasm32")]
mod real {
    use crate::bindings::host;

    pub(crate) fn log(event: u32, line: &str) {
        host::log(event, line);
    }

    pub(crate) fn random() -> u64 {
        host::random()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod real {
    use std::cell::{Cell, RefCell};

    thread_local! {
        static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static SEED: Cell<u64> = const { Cell::new(0) };
    }

    pub(crate) fn log(_event: u32, line: &str) {
        LOG.with_borrow_mut(|log| log.push(line.to_owned()));
    }

    /// SplitMix64, as the host's: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    pub(crate) fn random() -> u64 {
        let state = SEED.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        SEED.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn take_log() -> Vec<String> {
        LOG.take()
    }

    pub(crate) fn set_seed(seed: u64) {
        SEED.set(seed);
    }
}

pub(crate) use real::*;
