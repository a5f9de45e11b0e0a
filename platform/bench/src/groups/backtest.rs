//! What a backtest costs, with the sandbox, fills, commission and the ledger.

use core::ops::ControlFlow;
use std::{convert::Infallible, hint::black_box, sync::Arc, time::Instant};

use anyhow::{Result, anyhow, bail};
use marque_domain::fixed::Money;
use marque_engine::{
    Effects, Record, Shard,
    backtest::{self, Pace, Recording, Setup},
    desk::Commit,
    port::PluginHost,
    venue::VenueModel,
};

use crate::{
    fixture::{self, EmaCross},
    native::Native,
    plain,
    raw::{Raw, RawCall, RawPlayer},
    recorder::{Calls, Recorder},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
    walk::{Ticks, Walk},
};

/// Events of a short and of a long backtest.
const SHORT: usize = 100_000;
const LONG: usize = 1_100_000;
/// Short backtests in a row, so that they take as long as a long one and a noisy machine disturbs both alike.
const SHORT_RUNS: usize = LONG / SHORT;
/// Bars a second that a backtest must go through on one core.
const BARS_PER_SECOND: f64 = 2_000_000.0;
/// How much more an event of a long backtest may cost than one of a short one.
const GROWTH: f64 = 1.1;
/// A backtest may cost this much of the same one with native plugins plus its plugin calls on bare wasmtime: what the
/// sandbox may cost over a raw call anywhere.
const SANDBOX_FACTOR: f64 = 1.5;
/// A quote may cost this much of what a loop without orders, gate and ledger takes for it.
const LOOP_FACTOR: f64 = 8.0;
/// The stops of the deployment's settings: 20 and 40 pips.
const STOP: i64 = 200_000;
const TARGET: i64 = 400_000;

/// Measures the group.
///
/// # Errors
/// When a plugin is missing or a backtest does not trade.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let ema = EmaCross::load(64)?;
    let setup = Setup {
        instrument: fixture::instrument()?,
        terms: fixture::terms(Vec::new()),
        deployment: ema.deployment().clone(),
        venue: VenueModel { commission_per_lot: Money::from_units(350_000_000), ..VenueModel::default() },
    };
    let walk = Walk::new(LONG);
    let mut rows = bars(samples, &setup, &ema, &walk)?;
    rows.extend(quotes(samples, &setup, &ema, &Ticks::new(&walk))?);
    Ok(rows)
}

/// Counts what a committer would write.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    fills: usize,
    postings: usize,
}

impl Commit for Count {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        self.fills += effects.records.iter().filter(|r| matches!(r, Record::PositionOpened(_))).count();
        self.postings += effects.records.iter().filter(|r| matches!(r, Record::Moved(_))).count();
        Ok(())
    }
}

/// One backtest: nanoseconds of each event, and what was traded.
fn once(setup: &Setup, recording: Recording<'_>, host: Arc<dyn PluginHost>, events: usize) -> Result<(f64, Count)> {
    let (mut watch, began) = (|_| ControlFlow::Continue(()), Instant::now());
    let ran = backtest::run_quick::<Count>(setup, recording, Pace::Runs, host, &mut watch);
    let (count, _) = ran.map_err(|error| anyhow!("{error}"))?;
    let taken = began.elapsed().as_secs_f64() * 1e9 / events as f64;
    if count.fills < events / 10_000 || count.postings < count.fills {
        bail!("{} fills in {events} events: the backtest did not trade", count.fills);
    }
    Ok((taken, count))
}

/// Nanoseconds of each event of short backtests, one after the other.
fn short_ones(setup: &Setup, recording: Recording<'_>, ema: &EmaCross) -> Result<f64> {
    let mut taken = 0.0;
    for _ in 0..SHORT_RUNS {
        taken += once(setup, recording, ema.host(), SHORT)?.0;
    }
    Ok(taken / SHORT_RUNS as f64)
}

/// Bars: against the same backtest with native plugins plus its plugin calls on bare wasmtime.
fn bars(samples: Samples, setup: &Setup, ema: &EmaCross, walk: &Walk) -> Result<Vec<Row>> {
    let calls = recorded(setup, ema, walk.bars(LONG))?;
    let raw = Raw::load(&fixture::component("ema-cross")?, 4)?;
    let (mut ours, mut limits, mut short) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..samples.runs() {
        short.push(short_ones(setup, walk.bars(SHORT), ema)?);
        let (taken, traded) = once(setup, walk.bars(LONG), ema.host(), LONG)?;
        let (native, same) = once(setup, walk.bars(LONG), Arc::new(Native), LONG)?;
        if traded != same {
            bail!("the sandbox traded {traded:?} and native code {same:?}: these are not the same work");
        }
        ours.push(taken);
        limits.push(native + replay(&raw, &calls)? / LONG as f64);
    }
    let [ours, limits, short] = [ours, limits, short].map(|mut warm| median(warm.split_off(1)));
    let name = "EMA-cross backtest, 1.1 M minute bars, one core";
    let source = format!("native plugins + raw wasmtime calls, × {SANDBOX_FACTOR}");
    Ok(vec![
        Row {
            promise: Some(Limit {
                figure: Figure { value: BARS_PER_SECOND, unit: Unit::PerSecond },
                bound: Bound::AtLeast,
                source: "promise".to_owned(),
            }),
            ..rate(name, ours, limits * SANDBOX_FACTOR, source)
        },
        growth("… per bar at 1.1 M bars", short, ours),
    ])
}

/// Quotes: against a plain loop over the same columns.
fn quotes(samples: Samples, setup: &Setup, ema: &EmaCross, ticks: &Ticks) -> Result<Vec<Row>> {
    let (mut ours, mut limits, mut short) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..samples.runs() {
        short.push(short_ones(setup, ticks.recording(SHORT), ema)?);
        ours.push(once(setup, ticks.recording(LONG), ema.host(), LONG)?.0);
        let began = Instant::now();
        let opened = plain::ema_cross(black_box(ticks.plain()), STOP, TARGET);
        limits.push(began.elapsed().as_secs_f64() * 1e9 / LONG as f64);
        if opened < LONG / 10_000 {
            bail!("{opened} positions in {LONG} quotes: the plain loop did not trade");
        }
    }
    let [ours, limits, short] = [ours, limits, short].map(|mut warm| median(warm.split_off(1)));
    let source = format!("plain loop without orders, × {LOOP_FACTOR}");
    Ok(vec![
        rate("EMA-cross backtest, 1.1 M quotes", ours, limits * LOOP_FACTOR, source),
        growth("… per quote at 1.1 M quotes", short, ours),
    ])
}

/// The plugin calls of a backtest, in order.
fn recorded(setup: &Setup, ema: &EmaCross, recording: Recording<'_>) -> Result<Vec<RawCall>> {
    let calls = Calls::default();
    let host = Recorder { inner: ema.host(), calls: calls.clone() };
    once(setup, recording, Arc::new(host), LONG)?;
    Ok(calls.take().iter().map(RawCall::of).collect())
}

/// Nanoseconds that the calls take on bare wasmtime.
fn replay(raw: &Raw, calls: &[RawCall]) -> Result<f64> {
    let mut player = RawPlayer::start(raw, None)?;
    let (mut handled, mut given) = (0_usize, 0_usize);
    let began = Instant::now();
    for call in calls {
        handled += player.play(call)? as usize;
        given += call.bars();
    }
    let taken = began.elapsed().as_secs_f64() * 1e9;
    if handled != given {
        bail!("bare wasmtime handled {handled} of {given} bars: these are not the same calls");
    }
    Ok(taken)
}

/// A row of events a second, from nanoseconds an event.
fn rate(name: &str, ours: f64, limit: f64, source: String) -> Row {
    let figure = |nanos: f64| Figure { value: 1e9 / nanos, unit: Unit::PerSecond };
    Row {
        name: name.to_owned(),
        median: figure(ours),
        limit: Limit { figure: figure(limit), bound: Bound::AtLeast, source },
        promise: None,
    }
}

fn growth(name: &str, short: f64, long: f64) -> Row {
    Row {
        name: name.to_owned(),
        median: Figure { value: long, unit: Unit::Nanos },
        limit: Limit {
            figure: Figure { value: short * GROWTH, unit: Unit::Nanos },
            bound: Bound::AtMost,
            source: format!("{GROWTH} × at 100,000"),
        },
        promise: None,
    }
}
