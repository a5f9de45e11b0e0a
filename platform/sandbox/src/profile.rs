//! The deterministic profile: how wasmtime is set up so that a plugin does the same everywhere.

use crate::limits::Limits;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// A component of the SDK has a main module, a shim and a fix-up module.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 8;
const TABLES_PER_COMPONENT: u32 = 4;
/// A function table has an entry per function whose address is taken.
pub(crate) const TABLE_ELEMENTS: usize = 8_192;
const INSTANCE_BYTES: usize = 256 << 10;
const GUARD_BYTES: u64 = 64 << 10;

/// An engine with the deterministic profile and room for `limits.instances`.
///
/// Left to wasmtime's defaults only where they cannot differ between machines. The features that are switched off here
/// stay compiled in: what matters is what a component may use.
pub(crate) fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(limits.stack_bytes)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_threads(false)
        .wasm_shared_everything_threads(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_exceptions(false)
        .wasm_function_references(false)
        .wasm_gc(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_stack_switching(false)
        .concurrency_support(false)
        // A trap is told by its kind; where it happened, the guest's own panic line says.
        .wasm_backtrace_max_frames(None)
        .memory_reservation(limits.memory_bytes as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(GUARD_BYTES)
        .guard_before_linear_memory(false)
        .memory_may_move(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    Engine::new(&config)
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let instances = limits.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(TABLES_PER_COMPONENT))
        .total_gc_heaps(0)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(limits.memory_bytes)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES);
    pool
}
