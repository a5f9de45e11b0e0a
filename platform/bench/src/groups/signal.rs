//! The way of a signal in process: from a quote to the approved order.

use std::{convert::Infallible, sync::Arc, time::Instant};

use anyhow::{Result, anyhow, bail};
use marque_domain::{fixed::Money, id::InstrumentId, plugin::PluginRef, tenant::Quotas, time::Millis};
use marque_engine::{
    Command, Desk, Effects, Shard,
    desk::Commit,
    port::{HistorySource, PluginHost},
    venue::SimulatedVenue,
};

use crate::{
    fixture::{self, EmaCross},
    native::Native,
    raw::{Raw, RawCall, RawPlayer, RawRule},
    recorder::{Calls, Recorder},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median, percentiles},
    walk::Walk,
};

/// Signals of a pass.
const SIGNALS: usize = 1_000;
/// A signal is an order within this, in all but one case of a hundred.
const SIGNAL_NS: f64 = 1_000_000.0;
/// A signal may cost this much of the same one with native plugins plus its plugin calls on bare wasmtime.
const FACTOR: f64 = 1.5;
/// The daily-loss rule as the demo binds it.
const RULE_SETTINGS: &str = r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below","reset_time":"00:00","zone":"Europe/Prague"}"#;

/// Measures the group: each pass goes through the same signals in the sandbox, natively and on bare wasmtime.
///
/// # Errors
/// When a plugin is missing or the strategy does not trade.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let bench = Bench::new()?;
    let recorded = bench.recorded()?;
    let (mut ours, mut limits) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..samples.runs() {
        let sandboxed = percentiles(bench.pass(bench.ema.host())?, PARTS);
        let native = percentiles(bench.pass(Arc::new(Native))?, PARTS);
        let raw = percentiles(bench.replay(&recorded)?, PARTS);
        for (part, pass) in ours.iter_mut().zip(sandboxed) {
            part.push(pass);
        }
        for (part, pass) in limits.iter_mut().zip(native.iter().zip(raw).map(|(native, raw)| native + raw)) {
            part.push(pass);
        }
    }
    let warm = |mut passes: Vec<f64>| median(passes.split_off(1));
    let ([p50, p99], [limit50, limit99]) = (ours.map(warm), limits.map(warm));
    let promise = Limit {
        figure: Figure { value: SIGNAL_NS, unit: Unit::Nanos },
        bound: Bound::AtMost,
        source: "promise".to_owned(),
    };
    Ok(vec![
        row("tick → approved order, p50", p50, limit50),
        Row { promise: Some(promise), ..row("tick → approved order, p99", p99, limit99) },
    ])
}

/// The percentiles of a pass that are shown.
const PARTS: [f64; 2] = [0.5, 0.99];

fn row(name: &str, value: f64, limit: f64) -> Row {
    let nanos = |value| Figure { value, unit: Unit::Nanos };
    Row {
        name: name.to_owned(),
        median: nanos(value),
        limit: Limit {
            figure: nanos(limit * FACTOR),
            bound: Bound::AtMost,
            source: format!("native plugins + raw wasmtime calls, × {FACTOR}"),
        },
        promise: None,
    }
}

/// No bars from before.
struct NoPast;

impl HistorySource for NoPast {
    fn bars(&self, _: InstrumentId, _: marque_domain::bar::Timeframe, _: Millis, _: u32) -> [Vec<i64>; 7] {
        Default::default()
    }
}

/// Stops the watch when an approved order is about to be committed.
struct Watch {
    began: Instant,
    taken: Vec<f64>,
    /// Where calls into plugins are written, and those of each signal and of the time before it.
    calls: Calls,
    groups: Vec<Group>,
}

/// The calls of a signal, after those that led there.
struct Group {
    before: Vec<RawCall>,
    signal: Vec<RawCall>,
}

impl Watch {
    fn new(calls: Calls) -> Self {
        Self { began: Instant::now(), taken: Vec::new(), calls, groups: Vec::new() }
    }

    /// A quote is about to come: what was called so far belongs to no signal.
    fn begin(&mut self) -> Vec<RawCall> {
        let before = self.calls.take().iter().map(RawCall::of).collect();
        self.began = Instant::now();
        before
    }
}

impl Commit for Watch {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        if !effects.orders.is_empty() {
            self.taken.push(self.began.elapsed().as_secs_f64() * 1e9);
            let signal = self.calls.take().iter().map(RawCall::of).collect();
            self.groups.push(Group { before: Vec::new(), signal });
        }
        Ok(())
    }
}

/// What all passes go through.
struct Bench {
    ema: EmaCross,
    rule: PluginRef,
    walk: Walk,
    raw: (Raw, RawRule),
}

impl Bench {
    fn new() -> Result<Self> {
        let ema = EmaCross::load_with(64, &["daily-loss"])?;
        let rule = PluginRef {
            digest: ema.digest("daily-loss")?,
            name: "daily-loss".to_owned(),
            settings: RULE_SETTINGS.to_owned(),
        };
        let component = fixture::component;
        let raw = (Raw::load(&component("ema-cross")?, 4)?, RawRule::load(&component("daily-loss")?)?);
        Ok(Self { ema, rule, walk: Walk::new(200_000), raw })
    }

    /// Nanoseconds of each signal, with plugins of this host.
    fn pass(&self, host: Arc<dyn PluginHost>) -> Result<Vec<f64>> {
        Ok(self.run(host, Calls::default())?.taken)
    }

    /// The plugin calls of each signal.
    fn recorded(&self) -> Result<Vec<Group>> {
        let calls = Calls::default();
        Ok(self.run(Arc::new(Recorder { inner: self.ema.host(), calls: calls.clone() }), calls)?.groups)
    }

    fn run(&self, host: Arc<dyn PluginHost>, calls: Calls) -> Result<Watch> {
        let instrument = fixture::instrument()?;
        let shard = Shard::new(core::slice::from_ref(&instrument), host, Box::new(NoPast));
        let mut desk = Desk::new(shard, SimulatedVenue::new(Money::ZERO));
        let mut watch = Watch::new(calls);
        let mut quotes = self.walk.quotes(instrument.id);
        if let Some(first) = quotes.next() {
            let Ok(()) = desk.quote(&first, &mut watch);
        }
        let terms = fixture::terms(vec![self.rule.clone()]);
        for command in [Command::OpenAccount(terms), Command::Deploy(self.ema.deployment().clone(), Quotas::default())]
        {
            let Ok(answer) = desk.command(command, &mut watch);
            answer.map_err(|refusal| anyhow!("{refusal}"))?;
        }
        let mut before = Vec::new();
        for quote in quotes {
            before.extend(watch.begin());
            let known = watch.groups.len();
            let Ok(()) = desk.quote(&quote, &mut watch);
            if let Some(group) = watch.groups.get_mut(known) {
                group.before = core::mem::take(&mut before);
            }
            if watch.taken.len() >= SIGNALS {
                return Ok(watch);
            }
        }
        bail!("only {} signals: the strategy did not trade", watch.taken.len())
    }

    /// Nanoseconds of each signal's plugin calls on bare wasmtime.
    fn replay(&self, groups: &[Group]) -> Result<Vec<f64>> {
        let (strategy, rule) = &self.raw;
        let mut player = RawPlayer::start(strategy, Some((rule, RULE_SETTINGS)))?;
        let mut taken = Vec::with_capacity(groups.len());
        for group in groups {
            for call in &group.before {
                player.play(call)?;
            }
            let began = Instant::now();
            for call in &group.signal {
                player.play(call)?;
            }
            taken.push(began.elapsed().as_secs_f64() * 1e9);
        }
        Ok(taken)
    }
}
