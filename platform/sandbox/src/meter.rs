//! What an instance uses up beside fuel: time, read from a clock that comes in, and memory.

use wasmtime::ResourceLimiter;

/// A clock for how long calls take: nanoseconds since any fixed moment. Without one no time is counted. What it shows
/// never reaches a guest, and nothing is decided on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stopwatch(Option<fn() -> u64>);

impl Stopwatch {
    /// A clock that shows what `read` answers.
    #[must_use]
    pub const fn new(read: fn() -> u64) -> Self {
        Self(Some(read))
    }

    pub(crate) fn read(self) -> u64 {
        self.0.map_or(0, |read| read())
    }

    /// Nanoseconds since an earlier reading.
    pub(crate) fn since(self, began: u64) -> u64 {
        self.read().saturating_sub(began)
    }
}

/// The linear memory of an instance. It grows and never shrinks, so its size is its peak.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    bytes: usize,
    /// What is being added, until it is known whether that succeeds.
    growing: usize,
}

impl Memory {
    pub(crate) fn peak_bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }
}

/// It only watches: how much an instance may have stands in the pool that it is taken from.
impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        self.growing = desired.saturating_sub(current);
        self.bytes = self.bytes.saturating_add(self.growing);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.bytes = self.bytes.saturating_sub(core::mem::take(&mut self.growing));
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, _desired: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_not_given_does_not_count() {
        let mut memory = Memory::default();
        assert!(memory.memory_growing(0, 65_536, None).unwrap());
        assert!(memory.memory_growing(65_536, 1 << 40, None).unwrap());
        memory.memory_grow_failed(wasmtime::Error::msg("no room")).unwrap();
        assert_eq!(memory.peak_bytes(), 65_536);
        assert!(memory.memory_growing(65_536, 131_072, None).unwrap());
        assert_eq!(memory.peak_bytes(), 131_072);
    }

    #[test]
    fn without_a_clock_no_time_passes() {
        let clock = Stopwatch::new(|| 40);
        assert_eq!((clock.read(), clock.since(15), clock.since(50)), (40, 25, 0));
        assert_eq!((Stopwatch::default().read(), Stopwatch::default().since(7)), (0, 0));
    }
}
