//! wasmtime without our sandbox: the floor that the sandbox is measured against.
//!
//! The same component on an engine of the same profile, called through wasmtime's own typed calls. Nothing is
//! armed, packed or checked; fuel and deadline are set once, out of reach.

use anyhow::Result;
use marque_engine::port::BarRun;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, HasSelf, Linker},
};

use crate::fixture::{self, EMA_SETTINGS};

mod contract {
    wasmtime::component::bindgen!({ path: "../../sdk/wit", world: "strategy" });
}

use contract::{
    Strategy, StrategyPre,
    marque::plugin::{
        host,
        strategy_types::{self, Start},
        types,
    },
};

/// A host that answers at once.
pub struct Quiet;

impl host::Host for Quiet {
    fn now(&mut self) -> i64 {
        0
    }
    fn random(&mut self) -> u64 {
        0
    }
    fn log(&mut self, _event: u32, _line: String) {}
}

impl types::Host for Quiet {}
impl strategy_types::Host for Quiet {}

/// A compiled strategy, ready to be instantiated.
pub struct Raw {
    engine: Engine,
    pre: StrategyPre<Quiet>,
    start: Start,
}

/// An instance of it.
pub struct RawInstance {
    store: Store<Quiet>,
    world: Strategy,
}

impl Raw {
    /// Compiles a component, with room for `instances`.
    ///
    /// # Errors
    /// When wasmtime refuses.
    pub fn load(component: &[u8], instances: u32) -> Result<Self> {
        let engine = Engine::new(&profile(instances))?;
        let mut linker = Linker::new(&engine);
        Strategy::add_to_linker::<_, HasSelf<Quiet>>(&mut linker, |host| host)?;
        let pre = StrategyPre::new(linker.instantiate_pre(&Component::from_binary(&engine, component)?)?)?;
        let instrument = fixture::instrument()?;
        let start = Start {
            instrument: types::Instrument {
                symbol: instrument.symbol,
                tick_size: instrument.tick_size.units(),
                pip: instrument.pip.units(),
                lot_step: instrument.lot_step.units(),
                lot_max: instrument.lot_max.units(),
                contract_size: instrument.contract_size,
                quote_currency: instrument.quote.code().to_owned(),
            },
            timeframe_ms: 60_000,
        };
        Ok(Self { engine, pre, start })
    }

    /// Instantiates and initialises.
    ///
    /// # Errors
    /// When wasmtime or the guest refuses.
    pub fn start(&self) -> Result<RawInstance> {
        let mut store = Store::new(&self.engine, Quiet);
        store.set_fuel(u64::MAX)?;
        store.set_epoch_deadline(u64::MAX / 2);
        let world = self.pre.instantiate(&mut store)?;
        world.call_init(&mut store, EMA_SETTINGS, &self.start, None)?.map_err(anyhow::Error::msg)?;
        Ok(RawInstance { store, world })
    }
}

impl RawInstance {
    /// Hands it a run whose columns lie back to back.
    ///
    /// # Errors
    /// When the guest traps.
    pub fn on_bars(&mut self, count: u32, columns: &[i64]) -> Result<u32> {
        Ok(self.world.call_on_bars(&mut self.store, count, columns)?.consumed)
    }
}

/// The sandbox's deterministic profile, as far as it costs a call or an instance anything.
fn profile(instances: u32) -> Config {
    const CORES: u32 = 8;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORES)
        .total_memories(instances)
        .total_tables(instances * 4)
        .max_memory_size(16 << 20)
        .table_elements(8_192);
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(512 << 10)
        .concurrency_support(false)
        .memory_reservation(16 << 20)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10)
        .guard_before_linear_memory(false)
        .memory_may_move(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The columns of a run, back to back, as a careful caller without our sandbox would lay them out for each call.
pub fn packed(run: BarRun<'_>, into: &mut Vec<i64>) {
    into.clear();
    for column in [run.open_at, run.open, run.high, run.low, run.close, run.spread, run.volume] {
        into.extend_from_slice(column);
    }
}
