//! What plugins use up: instructions, time, memory.

use core::ops::AddAssign;

/// What a plugin has used up over some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Calls across the sandbox's boundary.
    pub calls: u64,
    /// Fuel: about one for each WebAssembly instruction. The same events use the same on any machine.
    pub fuel: u64,
    /// Time spent in the calls, in nanoseconds. Differs from machine to machine; nothing is decided on it.
    pub time_ns: u64,
    /// The most linear memory that it had at any moment, in bytes.
    pub memory_bytes_peak: u64,
}

impl Usage {
    /// Whether nothing was used.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.calls == 0 && self.fuel == 0 && self.time_ns == 0 && self.memory_bytes_peak == 0
    }
}

impl AddAssign for Usage {
    /// Sums add up, and of two peaks the higher one stands.
    fn add_assign(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.time_ns = self.time_ns.saturating_add(other.time_ns);
        self.memory_bytes_peak = self.memory_bytes_peak.max(other.memory_bytes_peak);
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn sums_add_up_and_the_higher_peak_stands() {
        let mut sum = Usage::default();
        assert!(sum.is_nothing());
        sum += Usage { calls: 1, fuel: 10, time_ns: 5, memory_bytes_peak: 65_536 };
        sum += Usage { calls: 2, fuel: u64::MAX, time_ns: 7, memory_bytes_peak: 1_024 };
        assert_eq!(sum, Usage { calls: 3, fuel: u64::MAX, time_ns: 12, memory_bytes_peak: 65_536 });
        assert!(!sum.is_nothing());
    }
}
