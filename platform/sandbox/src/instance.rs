//! One instance: a store that belongs to one deployment or rule, armed before every call and dead after the first that
//! fails.

use crate::{
    host::HostState,
    limits::{Allowance, Limits},
    sandbox::Shared,
    share::Seat,
    text::clean,
    ticker::TICK_MS,
};
use cpu_time::ThreadTime;
use marque_domain::usage::Usage;
use marque_engine::port::Fault;
use std::{sync::Arc, time::Duration};
use wasmtime::{PoolConcurrencyLimitError, Store, StoreContextMut, Trap, UpdateDeadline};

/// Bytes that one answer may make the host allocate.
const ANSWER_BYTES: usize = 64 << 10;

/// An instance of a component, of either world.
pub(crate) struct Instance<W> {
    store: Store<HostState>,
    world: W,
    /// The first fault. A guest that was stopped halfway is never entered again.
    dead: Option<Fault>,
    /// Fuel that all calls together have used.
    used: u64,
    /// What was used up since somebody took note of it.
    untold: Usage,
    /// Keeps the engine's ticker alive as long as there is anything to stop.
    shared: Arc<Shared>,
    /// Its place within its tenant's share. The last to go: the store has given its own place back before.
    _seat: Option<Seat>,
}

impl<W> Instance<W> {
    /// Instantiates; the guest's start functions run under the limits of a start. It holds its seat as long as it lives.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        seed: u64,
        seat: Option<Seat>,
        instantiate: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<W>,
    ) -> Result<Self, Fault> {
        let mut store = Store::new(&shared.engine, HostState::new(Arc::clone(&shared.limits), seed));
        store.set_hostcall_fuel(ANSWER_BYTES);
        store.epoch_deadline_callback(overtime);
        store.limiter(|host| &mut host.memory);
        let init = shared.limits.init();
        let began = shared.stopwatch.read();
        arm(&mut store, init).map_err(|e| fault_of(&e))?;
        let world = instantiate(&mut store).map_err(|e| fault_of(&e))?;
        let fuel = init.fuel.saturating_sub(store.get_fuel().unwrap_or_default());
        let untold = Usage { calls: 1, fuel, time_ns: shared.stopwatch.since(began), memory_bytes_peak: 0 };
        Ok(Self { store, world, dead: None, used: 0, untold, shared: Arc::clone(shared), _seat: seat })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn host(&mut self) -> &mut HostState {
        self.store.data_mut()
    }

    /// Calls the guest with this much fuel and time.
    pub(crate) fn call<T>(
        &mut self,
        allowance: Allowance,
        work: impl FnOnce(&W, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        if let Some(fault) = &self.dead {
            return Err(fault.clone());
        }
        let began = self.shared.stopwatch.read();
        let answer = arm(&mut self.store, allowance).and_then(|()| work(&self.world, &mut self.store));
        let fuel = allowance.fuel.saturating_sub(self.fuel_left());
        self.used = self.used.saturating_add(fuel);
        let time_ns = self.shared.stopwatch.since(began);
        self.untold += Usage { calls: 1, fuel, time_ns, memory_bytes_peak: 0 };
        answer.map_err(|error| self.kill(fault_of(&error)))
    }

    /// What the last call left of its fuel.
    pub(crate) fn fuel_left(&self) -> u64 {
        // It fails only in an engine that counts no fuel.
        self.store.get_fuel().unwrap_or_default()
    }

    /// Fuel that all calls together have used.
    pub(crate) const fn fuel_used(&self) -> u64 {
        self.used
    }

    /// Takes what was used up since this was last asked.
    pub(crate) fn take_usage(&mut self) -> Usage {
        let memory_bytes_peak = self.store.data().memory.peak_bytes();
        Usage { memory_bytes_peak, ..core::mem::take(&mut self.untold) }
    }

    /// As [`Instance::call`], for an answer of up to `bytes`.
    pub(crate) fn call_large<T>(
        &mut self,
        allowance: Allowance,
        bytes: usize,
        work: impl FnOnce(&W, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        self.store.set_hostcall_fuel(bytes.saturating_add(ANSWER_BYTES));
        let answer = self.call(allowance, work);
        self.store.set_hostcall_fuel(ANSWER_BYTES);
        answer
    }

    /// The guest answered something that cannot be.
    pub(crate) fn nonsense(&mut self, what: &str) -> Fault {
        self.kill(Fault::Plugin(format!("The plugin's answer makes no sense: {what}.")))
    }

    fn kill(&mut self, fault: Fault) -> Fault {
        self.dead = Some(fault.clone());
        fault
    }
}

/// Sets what the next call may use up.
fn arm(store: &mut Store<HostState>, allowance: Allowance) -> wasmtime::Result<()> {
    store.set_fuel(allowance.fuel)?;
    store.set_epoch_deadline(ticks(allowance.deadline_ms));
    let host = store.data_mut();
    host.overtime = None;
    host.deadline_ms = allowance.deadline_ms;
    Ok(())
}

const fn ticks(ms: u64) -> u64 {
    ms.div_ceil(TICK_MS) + 1
}

/// Deadlines up to this are of hooks, which hold a desk up; longer ones are of starts, which hold nobody up.
const HOOK_DEADLINE_MS: u64 = 50;
/// Processor time that a hook has after its deadline: with the ticks of the epoch it is stopped within fifty milliseconds.
const HOOK_GRACE_MS: u64 = 30;

const fn grace_ms(deadline_ms: u64) -> u64 {
    if deadline_ms <= HOOK_DEADLINE_MS && deadline_ms > HOOK_GRACE_MS { HOOK_GRACE_MS } else { deadline_ms }
}

/// The deadline has passed on the wall clock. On a busy machine that says nothing of the guest, so it is stopped only
/// once it has used as much processor time again, or the grace of a hook; a thread that was waiting for its turn goes on.
fn overtime(mut store: StoreContextMut<'_, HostState>) -> wasmtime::Result<UpdateDeadline> {
    let used = ThreadTime::now().as_duration();
    let host = store.data_mut();
    let grace = grace_ms(host.deadline_ms);
    let allowed = Duration::from_millis(grace);
    Ok(match host.overtime {
        None => {
            host.overtime = Some(used);
            UpdateDeadline::Continue(ticks(grace))
        }
        Some(since) if used.saturating_sub(since) >= allowed => UpdateDeadline::Interrupt,
        Some(_) => UpdateDeadline::Continue(1),
    })
}

/// Whose fault an error is, in words for people.
fn fault_of(error: &wasmtime::Error) -> Fault {
    if error.is::<PoolConcurrencyLimitError>() {
        return Fault::Host("There is no room for another plugin instance on this node.".to_owned());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Fault::Host("The plugin was stopped at its deadline.".to_owned()),
        Some(Trap::OutOfFuel) => Fault::Plugin("The plugin used up the instructions it has for one event.".to_owned()),
        Some(Trap::StackOverflow) => Fault::Plugin("The plugin used up its stack; does it recurse?".to_owned()),
        Some(Trap::UnreachableCodeReached) => {
            Fault::Plugin("The plugin panicked or ran out of memory; its log says where.".to_owned())
        }
        Some(trap) => Fault::Plugin(format!("The plugin trapped: {}.", clean(&trap.to_string(), 100))),
        None => Fault::Plugin(format!(
            "The plugin's answer could not be read: {}.",
            clean(&error.root_cause().to_string(), 200)
        )),
    }
}
