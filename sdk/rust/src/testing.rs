//! What the stand-in host of unit tests saw and gives. Inside the sandbox these do nothing.

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
