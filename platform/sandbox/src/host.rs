//! What a guest may ask of the host: market time, seeded random numbers, a log line; a rule what is known of its
//! account, a strategy what binds it. Nothing else exists.

use crate::{
    contract::{
        ACCOUNT_FACTS, FLATTENING, HOST, LIMITS, MARKET_FACTS, OBJECTIVES, ORDER_FACTS, account_facts as facts,
        limits as room, market_facts, objectives, order_facts, types,
    },
    limits::Limits,
    meter::Memory,
    text::clean,
    wire::wire_instrument,
};
use marque_domain::{
    id::InstrumentId,
    instrument::Instrument,
    time::{MINUTE_MS, Millis},
};
use marque_engine::{facts::next_closure, port::Room};
use std::sync::Arc;
use wasmtime::{StoreContextMut, component::Linker};

/// Fuel of a host call, beside a unit per byte that crosses: about what the call costs the host in instructions.
const HOST_CALL_FUEL: u64 = 200;
/// Lines kept until someone takes them.
const PENDING_LINES: usize = 1_000;

/// The host's side of one instance.
pub(crate) struct HostState {
    limits: Arc<Limits>,
    random: u64,
    /// Times of the events of the current run; one outside runs.
    times: Vec<i64>,
    log: Vec<(Millis, String)>,
    log_minute: i64,
    log_lines: u32,
    /// Processor time at which the deadline passed, when it has, and what is still allowed from there.
    pub(crate) overtime: Option<std::time::Duration>,
    pub(crate) deadline_ms: u64,
    /// What a rule may ask during the current call.
    pub(crate) asked: Asked,
    /// What a strategy may ask.
    pub(crate) room: Room,
    /// The memory that it has.
    pub(crate) memory: Memory,
}

/// Goals that one assessment may report.
pub(crate) const OBJECTIVES_MAX: usize = 8;

/// Instruments that one assessment may restrict a flattening to.
const ONLY_MAX: usize = 32;

/// What a rule may ask during one call, filled in for those that import it; and what it reported.
#[derive(Default)]
pub(crate) struct Asked {
    pub facts: Option<facts::Facts>,
    pub days: Vec<facts::DayTally>,
    pub executions: Vec<facts::Execution>,
    pub instruments: Vec<Instrument>,
    /// How the order at hand would trade, and the orders that wait.
    pub terms: Option<order_facts::OrderTerms>,
    pub waiting: Vec<order_facts::WaitingOrder>,
    /// Reported goals, while an assessment is being made.
    pub objectives: Option<Vec<objectives::Objective>>,
    /// The instruments that a flattening is restricted to.
    pub only: Vec<InstrumentId>,
}

impl Asked {
    fn instrument(&self, id: u32) -> Option<&Instrument> {
        self.instruments.iter().find(|i| i.id == InstrumentId(id))
    }
}

impl HostState {
    pub(crate) fn new(limits: Arc<Limits>, seed: u64) -> Self {
        Self {
            limits,
            random: seed,
            times: vec![0],
            log: Vec::new(),
            log_minute: i64::MIN,
            log_lines: 0,
            overtime: None,
            deadline_ms: 0,
            asked: Asked::default(),
            room: Room::default(),
            memory: Memory::default(),
        }
    }

    /// Where the random sequence stands.
    pub(crate) const fn random_place(&self) -> u64 {
        self.random
    }

    pub(crate) const fn set_random_place(&mut self, place: u64) {
        self.random = place;
    }

    /// Sets the times of the events of the next call.
    pub(crate) fn set_times(&mut self, times: impl Iterator<Item = i64>) {
        self.times.clear();
        self.times.extend(times);
    }

    pub(crate) fn take_log(&mut self) -> Vec<(Millis, String)> {
        std::mem::take(&mut self.log)
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): one word of state, so
    /// that a snapshot carries its place.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn now(&self) -> i64 {
        self.times.first().copied().unwrap_or_default()
    }

    fn log(&mut self, event: u32, line: &str) {
        let place = usize::try_from(event).unwrap_or(usize::MAX).min(self.times.len().saturating_sub(1));
        let at = self.times.get(place).copied().unwrap_or_default();
        let minute = at.div_euclid(MINUTE_MS);
        if minute != self.log_minute {
            (self.log_minute, self.log_lines) = (minute, 0);
        }
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > self.limits.log_lines_per_minute.saturating_add(1) || self.log.len() >= PENDING_LINES {
            return;
        }
        let text = if self.log_lines > self.limits.log_lines_per_minute {
            "(more lines in this minute were dropped)".to_owned()
        } else {
            clean(line, self.limits.log_line_bytes)
        };
        self.log.push((Millis(at), text));
    }
}

/// Takes the fuel of a host call from the guest's. A guest that cannot pay stops at its next instruction.
fn charge(store: &mut StoreContextMut<'_, HostState>, bytes: usize) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_sub(HOST_CALL_FUEL.saturating_add(bytes as u64)))
}

/// A linker with the contract's host functions and nothing else.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    let mut host = linker.instance(HOST)?;
    host.func_wrap("now", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data().now(),))
    })?;
    host.func_wrap("random", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data_mut().random(),))
    })?;
    host.func_wrap("log", |mut store: StoreContextMut<'_, HostState>, (event, line): (u32, String)| {
        charge(&mut store, line.len())?;
        store.data_mut().log(event, &line);
        Ok(())
    })?;
    link_facts(&mut linker)?;
    link_market(&mut linker)?;
    link_orders(&mut linker)?;
    linker.instance(LIMITS)?.func_wrap("get-room", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        charge(&mut store, size_of::<room::Room>())?;
        let Room { floor, resets_at, balance } = store.data().room;
        let floor = floor.map(|f| f.units());
        Ok((room::Room { floor, resets_at: resets_at.map(|at| at.0), balance: balance.units() },))
    })?;
    linker.instance(OBJECTIVES)?.func_wrap(
        "report",
        |mut store: StoreContextMut<'_, HostState>, (told,): (objectives::Objective,)| {
            charge(&mut store, told.name.len() + told.summary.len())?;
            if let Some(reported) = store.data_mut().asked.objectives.as_mut().filter(|r| r.len() < OBJECTIVES_MAX) {
                reported.push(told);
            }
            Ok(())
        },
    )?;
    linker.instance(FLATTENING)?.func_wrap("only", |mut store: StoreContextMut<'_, HostState>, (id,): (u32,)| {
        charge(&mut store, 0)?;
        let asked = &mut store.data_mut().asked;
        if asked.objectives.is_some() && asked.only.len() < ONLY_MAX {
            asked.only.push(InstrumentId(id));
        }
        Ok(())
    })?;
    Ok(linker)
}

fn link_facts(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(ACCOUNT_FACTS)?;
    instance.func_wrap("get-facts", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        charge(&mut store, size_of::<facts::Facts>())?;
        Ok((store.data().asked.facts.unwrap_or(NO_FACTS),))
    })?;
    instance.func_wrap("get-days", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        let days = store.data().asked.days.clone();
        charge(&mut store, size_of_val(days.as_slice()))?;
        Ok((days,))
    })?;
    instance.func_wrap("get-executions", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        let executions = store.data().asked.executions.clone();
        charge(&mut store, size_of_val(executions.as_slice()))?;
        Ok((executions,))
    })
}

fn link_orders(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(ORDER_FACTS)?;
    instance.func_wrap("get-terms", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        charge(&mut store, size_of::<order_facts::OrderTerms>())?;
        Ok((store.data().asked.terms,))
    })?;
    instance.func_wrap("get-waiting", |mut store: StoreContextMut<'_, HostState>, (): ()| {
        let waiting = store.data().asked.waiting.clone();
        charge(&mut store, size_of_val(waiting.as_slice()))?;
        Ok((waiting,))
    })
}

/// What a rule learns of an account outside a call about one, which an honest guest never asks.
const NO_FACTS: facts::Facts = facts::Facts {
    opened_at: 0,
    peak_balance: 0,
    peak_day_balance: 0,
    deposited: 0,
    withdrawn: 0,
    trades_today: 0,
    trades_allowed: None,
};

/// A closure is searched for over weeks of local clocks: about as much work as so many instructions.
const CLOSURE_FUEL: usize = 5_000;

fn link_market(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(MARKET_FACTS)?;
    instance.func_wrap("find-instrument", |mut store: StoreContextMut<'_, HostState>, (id,): (u32,)| {
        let found: Option<types::Instrument> = store.data().asked.instrument(id).map(wire_instrument);
        charge(&mut store, found.as_ref().map_or(0, |f| size_of::<types::Instrument>() + f.symbol.len()))?;
        Ok((found,))
    })?;
    instance.func_wrap("next-closure", |mut store: StoreContextMut<'_, HostState>, (id, least_ms): (u32, i64)| {
        charge(&mut store, CLOSURE_FUEL)?;
        let (host, now) = (store.data(), Millis(store.data().now()));
        let closure = host.asked.instrument(id).and_then(|i| next_closure(i, now, least_ms));
        let wire = |c: marque_domain::calendar::Closure| market_facts::Closure {
            begins_at: c.begins_at.0,
            ends_at: c.ends_at.0,
        };
        Ok((closure.map(wire),))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_dropped_and_said_so() {
        let mut host = HostState::new(Arc::new(Limits::default()), 1);
        host.set_times([60_000, 119_999, 120_000].into_iter());
        (0..1_000_000).for_each(|_| host.log(0, "again"));
        host.log(1, "same minute");
        host.log(2, "next minute");
        host.log(u32::MAX, "beyond the run");
        let log = host.take_log();
        assert_eq!(log.len(), 103);
        assert_eq!(log[100], (Millis(60_000), "(more lines in this minute were dropped)".to_owned()));
        assert_eq!(log[101], (Millis(120_000), "next minute".to_owned()));
        assert_eq!(log[102], (Millis(120_000), "beyond the run".to_owned()));
    }

    #[test]
    fn lines_that_nobody_takes_are_bounded() {
        let mut host = HostState::new(Arc::new(Limits::default()), 1);
        for minute in 0..100 {
            host.set_times(std::iter::once(minute * MINUTE_MS));
            (0..100).for_each(|_| host.log(0, "x"));
        }
        assert_eq!(host.take_log().len(), PENDING_LINES);
    }

    #[test]
    fn random_numbers_are_the_published_sequence() {
        // SplitMix64 from seed 1234567, as in the reference implementation's test vector.
        let mut host = HostState::new(Arc::new(Limits::default()), 1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| host.random()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
