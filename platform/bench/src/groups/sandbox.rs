//! What the sandbox costs over wasmtime itself: a call, an instance, memory.

use anyhow::{Context, Result, anyhow, bail};
use marque_engine::port::Strategy;

use crate::{
    fixture::{self, EmaCross, QuietBars},
    raw::{Raw, RawInstance},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
};

/// Calls in a sample of live calls: enough that the clock's own cost vanishes.
const CALLS: u32 = 20_000;
/// Bars in a run, as a backtest hands them over. Few enough for one call's fuel.
const RUN: u32 = 25;
/// Runs in a sample.
const RUNS: u32 = 2_000;
/// Starts in a sample.
const STARTS: u32 = 200;
/// Idle deployments whose memory is measured.
const IDLE: u32 = 1_000;
/// The sandbox may cost half as much again as wasmtime's own typed call.
const CALL_FACTOR: f64 = 1.5;

/// Measures the group.
///
/// # Errors
/// When a plugin is missing or a call fails.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let mut rows = vec![
        bars(samples, "strategy call, one bar (live)", 1, CALLS)?,
        bars(samples, "strategy call, per bar of a run of 25", RUN, RUNS)?,
        starts(samples)?,
        super::upgrade::pause(samples)?,
    ];
    rows.extend(memory(samples)?);
    Ok(rows)
}

/// A run of `length` bars through the sandbox, against wasmtime's typed call with the same columns.
fn bars(samples: Samples, name: &str, length: u32, calls: u32) -> Result<Row> {
    let ema = EmaCross::load(4)?;
    let raw = Raw::load(&fixture::component("ema-cross")?, 4)?;
    let (mut ours, mut theirs) = (ema.start().map_err(|fault| anyhow!(fault))?, raw.start()?);
    let bars = QuietBars::new(length as usize)?;
    let (columns, mut actions) = (bars.columns(), Vec::new());
    // The sandbox lengthens runs as it learns what an event costs: a new instance begins with one.
    for _ in 0..length {
        let consumed = ours.on_bars(bars.run(), &mut actions).map_err(|fault| anyhow!(fault))?;
        if consumed == length as usize {
            break;
        }
    }
    let (mut by_us, mut by_them) = (0_usize, 0_usize);
    let (our_ns, their_ns) = samples.nanos_in_turn(
        calls * length,
        || (0..calls).for_each(|_| by_us += ours.on_bars(bars.run(), &mut actions).unwrap_or_default()),
        || (0..calls).for_each(|_| by_them += theirs.on_bars(length, &columns).unwrap_or_default() as usize),
    );
    // A call that failed would be fast: every bar must have been handled, by both, and none may have acted.
    if by_us != by_them || by_us != samples.runs() * (calls * length) as usize || !actions.is_empty() {
        bail!(
            "{name}: {by_us} and {by_them} bars were handled and {} actions taken; these are not the same work",
            actions.len()
        );
    }
    Ok(against(name, our_ns, their_ns, Unit::Nanos, CALL_FACTOR, "raw wasmtime typed call"))
}

/// From a compiled component to a strategy that has its settings.
fn starts(samples: Samples) -> Result<Row> {
    let ema = EmaCross::load(4)?;
    let raw = Raw::load(&fixture::component("ema-cross")?, 4)?;
    let (mut our_failures, mut their_failures) = (0_u32, 0_u32);
    let (ours, theirs) = samples.nanos_in_turn(
        STARTS,
        || (0..STARTS).for_each(|_| our_failures += u32::from(ema.start().is_err())),
        || (0..STARTS).for_each(|_| their_failures += u32::from(raw.start().is_err())),
    );
    if our_failures + their_failures > 0 {
        bail!("instantiate: starts failed; a start that fails is fast and means nothing");
    }
    Ok(against("instantiate and init", ours, theirs, Unit::Nanos, 2.0, "raw wasmtime instantiate and init"))
}

/// What an idle deployment adds to the resident memory of the process.
fn memory(samples: Samples) -> Result<Option<Row>> {
    // Only Linux tells without another library.
    if resident_bytes().is_err() {
        return Ok(None);
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..samples.count().min(3) {
        let ema = EmaCross::load(IDLE + 4)?;
        ours.push(growth(|| warmed(&ema))?);
        let raw = Raw::load(&fixture::component("ema-cross")?, IDLE + 4)?;
        theirs.push(growth(|| warmed_raw(&raw))?);
    }
    let row =
        against("memory per idle deployment", median(ours), median(theirs), Unit::Bytes, 1.5, "raw wasmtime instance");
    Ok(Some(row))
}

/// An instance that has seen a bar: what a deployment looks like between two bars.
fn warmed(ema: &EmaCross) -> Result<Box<dyn Strategy>> {
    let mut strategy = ema.start().map_err(|fault| anyhow!(fault))?;
    strategy.on_bars(QuietBars::new(1)?.run(), &mut Vec::new()).map_err(|fault| anyhow!(fault))?;
    Ok(strategy)
}

/// The same without the sandbox.
fn warmed_raw(raw: &Raw) -> Result<RawInstance> {
    let mut strategy = raw.start()?;
    strategy.on_bars(1, &QuietBars::new(1)?.columns())?;
    Ok(strategy)
}

/// Resident bytes that each of [`IDLE`] things adds, after a first one has paid for what they share.
fn growth<T>(mut make: impl FnMut() -> Result<T>) -> Result<f64> {
    let first = make()?;
    let before = resident_bytes()?;
    let things = (0..IDLE).map(|_| make()).collect::<Result<Vec<T>>>()?;
    let grown = resident_bytes()?.saturating_sub(before);
    drop((first, things));
    Ok(grown as f64 / f64::from(IDLE))
}

fn resident_bytes() -> Result<u64> {
    const PAGE_BYTES: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("/proc/self/statm has no second field")?.parse()?;
    Ok(pages * PAGE_BYTES)
}

/// A row of ours whose limit is a multiple of theirs.
fn against(name: &str, ours: f64, theirs: f64, unit: Unit, factor: f64, what: &str) -> Row {
    let figure = Figure { value: theirs * factor, unit };
    let limit = Limit { figure, bound: Bound::AtMost, source: format!("{factor} × {what}") };
    Row { name: name.to_owned(), median: Figure { value: ours, unit }, limit, promise: None }
}
