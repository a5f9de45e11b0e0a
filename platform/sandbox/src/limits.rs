//! How much of everything a plugin gets.

/// How much of everything a plugin gets. [`Limits::default`] is what the platform starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest component, in bytes.
    pub module_bytes: usize,
    /// Largest linear memory, in bytes.
    pub memory_bytes: usize,
    /// Largest guest stack, in bytes.
    pub stack_bytes: usize,
    /// Instances alive at once. Each takes four memory maps of the process (`vm.max_map_count`, usually 65,530).
    pub instances: u32,
    /// Instances alive at once of one tenant, so that none takes the others' room.
    pub tenant_instances: u32,
    /// Compiled plugins kept in memory.
    pub compiled: usize,
    /// Fuel of a risk check or assessment.
    pub check_fuel: u64,
    /// Fuel of a quote or order update, and of a run of quotes.
    pub tick_fuel: u64,
    /// Fuel of a bar, timer or `snapshot`, and of a run of bars.
    pub bar_fuel: u64,
    /// Fuel of `describe`, `init` and history.
    pub init_fuel: u64,
    /// Processor time of a check after which the host steps in, in milliseconds.
    pub check_deadline_ms: u64,
    /// The same for every other hook.
    pub hook_deadline_ms: u64,
    /// The same for what has [`Limits::init_fuel`].
    pub init_deadline_ms: u64,
    /// Actions of one event.
    pub actions: usize,
    /// Longest log line, in bytes; a longer one is cut.
    pub log_line_bytes: usize,
    /// Log lines in a minute of market time; the rest are dropped.
    pub log_lines_per_minute: u32,
    /// Largest snapshot, in bytes.
    pub snapshot_bytes: usize,
    /// Longest settings and longest settings schema, in bytes.
    pub settings_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            module_bytes: 2 << 20,
            memory_bytes: 16 << 20,
            stack_bytes: 512 << 10,
            instances: 2_000,
            tenant_instances: 500,
            compiled: 256,
            check_fuel: 1_000_000,
            tick_fuel: 2_000_000,
            bar_fuel: 20_000_000,
            init_fuel: 500_000_000,
            check_deadline_ms: 5,
            hook_deadline_ms: 50,
            init_deadline_ms: 2_000,
            actions: 256,
            log_line_bytes: 1 << 10,
            log_lines_per_minute: 100,
            snapshot_bytes: 1 << 20,
            settings_bytes: 64 << 10,
        }
    }
}

/// What one call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub fuel: u64,
    pub deadline_ms: u64,
}

impl Limits {
    pub(crate) const fn check(&self) -> Allowance {
        Allowance { fuel: self.check_fuel, deadline_ms: self.check_deadline_ms }
    }

    pub(crate) const fn init(&self) -> Allowance {
        Allowance { fuel: self.init_fuel, deadline_ms: self.init_deadline_ms }
    }

    pub(crate) const fn tick(&self) -> Allowance {
        Allowance { fuel: self.tick_fuel, deadline_ms: self.hook_deadline_ms }
    }

    pub(crate) const fn bar(&self) -> Allowance {
        Allowance { fuel: self.bar_fuel, deadline_ms: self.hook_deadline_ms }
    }
}
