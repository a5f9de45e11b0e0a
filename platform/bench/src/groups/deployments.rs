//! Ten thousand running strategies on one process: what a quote costs, and what they take of memory.

use std::{convert::Infallible, hint::black_box, time::Instant};

use anyhow::{Result, anyhow, bail};
use marque_domain::{
    account::{AccountTerms, Deployment},
    bar::Quote,
    fixed::Money,
    id::{AccountId, DeploymentId, UserId},
    tenant::Quotas,
    time::MINUTE_MS,
};
use marque_engine::{Command, Desk, Effects, Record, Shard, desk::Commit, venue::SimulatedVenue};

use crate::{
    fixture::{self, EmaCross, QuietBars},
    growth::{Growth, Series},
    population::NoPast,
    raw::Raw,
    recorded::Recorded,
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median, percentiles},
};

/// How many strategies, each on an account of its own.
const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// Quotes that each size goes through: some hundred minutes, at each of which every strategy gets its bar.
const QUOTES: usize = 10_000;
/// What a bar may cost of wasmtime's own calls of as many instances, one after the other: their memory does not fit any
/// cache, for nobody. Beside the call there are what the shard keeps of each, and for those that trade the gate, the
/// order, its fill and the snapshot that the journal wants.
const BAR_FACTOR: f64 = 4.0;
/// Rounds of bare calls.
const ROUNDS: usize = 9;
/// What an idle instance takes, by the promise of the sandbox.
const IDLE_BYTES: f64 = 96.0 * 1_024.0;

struct Pass {
    mean: f64,
    p99: f64,
    bytes: f64,
}

/// Measures the group. One pass a size.
///
/// # Errors
/// When the plugin is missing or no strategy trades.
pub fn measure(_: Samples) -> Result<Vec<Row>> {
    let instrument = fixture::instrument()?;
    let market = Recorded::load(&instrument)?;
    let quotes = market.quotes.get(..QUOTES).unwrap_or(&market.quotes);
    let mut passes = Vec::new();
    for count in SIZES {
        passes.push((f64::from(count), pass(count, quotes)?));
    }
    let series = |name, of: fn(&Pass) -> f64| Series {
        name,
        points: passes.iter().map(|(count, pass)| (*count, of(pass))).collect(),
    };
    Growth {
        name: "deployments",
        title: "A quote with running strategies",
        market: market.name,
        unit: Unit::Nanos,
        series: vec![series("mean", |p| p.mean), series("p99 (a minute closes)", |p| p.p99)],
    }
    .keep()?;
    let Some((count, most)) = passes.last() else { bail!("there must be a size") };
    let round = bare_round(*count as u32)?;
    let minutes = minutes(quotes) as f64;
    let bare_mean = round * minutes / quotes.len() as f64;
    let of = format!("{BAR_FACTOR} × {count} bare typed calls ({:.2} ms a round)", round / 1e6);
    let limited = |name: &str, median: Figure, limit: f64, bound: Bound, source: &str| Row {
        name: name.to_owned(),
        median,
        limit: Limit { figure: Figure { value: limit, ..median }, bound, source: source.to_owned() },
        promise: None,
    };
    Ok(vec![
        limited(
            "10,000 running strategies: quotes a second",
            Figure { value: 1e9 / most.mean, unit: Unit::PerSecond },
            1e9 / (bare_mean * BAR_FACTOR),
            Bound::AtLeast,
            &format!("{of}, {minutes} minutes in {} quotes", quotes.len()),
        ),
        limited(
            "10,000 running strategies: p99 of a quote",
            Figure { value: most.p99, unit: Unit::Nanos },
            round * BAR_FACTOR,
            Bound::AtMost,
            &of,
        ),
        limited(
            "10,000 running strategies: memory of each",
            Figure { value: most.bytes, unit: Unit::Bytes },
            IDLE_BYTES,
            Bound::AtMost,
            "96 KiB",
        ),
    ])
}

/// Minutes that close in these quotes.
fn minutes(quotes: &[Quote]) -> usize {
    quotes.windows(2).filter(|pair| matches!(pair, [a, b] if a.at.0 / MINUTE_MS != b.at.0 / MINUTE_MS)).count()
}

/// Nanoseconds in which wasmtime itself hands a bar to each of as many instances.
fn bare_round(count: u32) -> Result<f64> {
    let raw = Raw::load(&fixture::component("ema-cross")?, count + 4)?;
    let mut instances = (0..count).map(|_| raw.start()).collect::<Result<Vec<_>>>()?;
    let columns = QuietBars::new(1)?.columns();
    let mut rounds = Vec::with_capacity(ROUNDS);
    // The first round touches memory for the first time.
    for _ in 0..=ROUNDS {
        let began = Instant::now();
        for instance in &mut instances {
            instance.on_bars(1, &columns)?;
        }
        rounds.push(began.elapsed().as_secs_f64() * 1e9);
    }
    Ok(median(rounds.split_off(1)))
}

/// Counts what was approved.
#[derive(Default)]
struct Count(usize);

impl Commit for Count {
    type Error = Infallible;
    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        if effects.records.is_empty() {
            return Ok(());
        }
        // What a restart needs is taken with every entry of the journal.
        black_box(shard.mark_change());
        self.0 += effects.records.iter().filter(|r| matches!(r, Record::OrderPlaced(_))).count();
        Ok(())
    }
}

fn pass(count: u32, quotes: &[Quote]) -> Result<Pass> {
    let ema = EmaCross::load(count + 50)?;
    let instrument = fixture::instrument()?;
    let shard = Shard::new(core::slice::from_ref(&instrument), ema.host(), Box::new(NoPast));
    let mut desk = Desk::new(shard, SimulatedVenue::new(Money::ZERO));
    let mut counted = Count::default();
    let Some((first, rest)) = quotes.split_first() else { bail!("the market has no quotes") };
    let Ok(()) = desk.quote(first, &mut counted);
    let before = resident()?;
    for id in (1_i64..).take(count as usize) {
        let account = AccountId(id);
        let terms = AccountTerms { id: account, user: UserId(id), ..fixture::terms(Vec::new()) };
        let deployment = Deployment { id: DeploymentId(id), account, ..ema.deployment().clone() };
        for command in [Command::OpenAccount(terms), Command::Deploy(deployment, Quotas::default())] {
            let Ok(answer) = desk.command(command, &mut counted);
            answer.map_err(|refusal| anyhow!("{refusal}"))?;
        }
    }
    let bytes = (resident()? - before) / f64::from(count);
    let mut taken = Vec::with_capacity(rest.len());
    for quote in rest {
        let began = Instant::now();
        let Ok(()) = desk.quote(quote, &mut counted);
        taken.push(began.elapsed().as_secs_f64() * 1e9);
    }
    if counted.0 < count as usize {
        bail!("{count} strategies placed {} orders: they do not trade", counted.0);
    }
    let mean = taken.iter().sum::<f64>() / taken.len() as f64;
    Ok(Pass { mean, p99: percentiles(taken, [0.99])[0], bytes })
}

/// Bytes of this process that are in memory.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse::<f64>().ok());
    kib.map(|kib| kib * 1_024.0).ok_or_else(|| anyhow!("/proc/self/status does not say VmRSS"))
}
