//! Backtests in numbers: beside native code, with a hundred times the trades, of several strategies on one and on two cores, and
//! a thousand settings on all of them.

use std::{hint::black_box, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use core::ops::ControlFlow;
use marque_domain::{
    account::{MarginLevels, PositionMode},
    bar::Timeframe,
    instrument::Currency,
    time::Millis,
};
use marque_engine::port::PluginHost;
use marque_server::backtest::{
    AccountSpec, Grid, Kind, Permits, PluginSpec, Rank, Recorded, Runner, Source, Spec, sweep,
};

use crate::{
    columns::{Columns, Market},
    growth::{Growth, Series},
    native::Native,
    plain,
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
    shipped::{NAME, SETTINGS, SmaCross},
    walk::{Ticks, Walk},
};

/// Bars of the long walk: more than the averages need to cross fifty thousand times.
const BARS: usize = 1_500_000;
/// Trades of a short and of a long backtest.
const FEW: usize = 500;
const MANY: usize = 50_000;
/// How much more an event may cost where there are a hundred times as many trades.
const GROWTH: f64 = 1.1;
/// What the sandbox keeps of the speed of the same strategy without one.
const NATIVE_SHARE: f64 = 0.6;
/// Strategies that are tested at once.
const STRATEGIES: [usize; 3] = [1, 5, 20];
/// What is kept of the speed that the machine itself keeps.
const KEPT: f64 = 0.85;
/// Settings of the large sweep: 25 fast averages with 40 slow ones.
const SWEPT: usize = 1_000;
/// Samples of it: each is a thousand backtests.
const SWEEPS: usize = 3;

/// Measures the group.
///
/// # Errors
/// When the plugin is missing or a backtest fails.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let sma = SmaCross::load(64)?;
    let minutes = Market::minutes(&sma.setup.instrument)?;
    let mut rows = Vec::new();
    for market in [&minutes, &Market::quotes(&sma.setup.instrument)?] {
        rows.push(beside_native(samples, &sma, market)?);
    }
    rows.push(many_trades(samples, &sma)?);
    let Columns::Minutes(bars) = minutes.columns.clone() else { return Err(anyhow!("minutes are no quotes")) };
    let recorded = Recorded::minutes(bars);
    let sweeps = Sweeps { spec: spec(&sma, &recorded)?, recorded, sma: &sma };
    rows.extend(sweeps.strategies(samples, &minutes.name)?);
    rows.push(sweeps.thousand(samples)?);
    Ok(rows)
}

fn beside_native(samples: Samples, sma: &SmaCross, market: &Market) -> Result<Row> {
    let native: Arc<dyn PluginHost> = Arc::new(Native);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..samples.runs() {
        let (one, other) = (sma.test(market.recording(), &sma.host)?, sma.test(market.recording(), &native)?);
        ensure!(
            (one.trades, one.equity) == (other.trades, other.equity),
            "the sandbox comes to {one:?} and native code to {other:?}: these are not the same work"
        );
        ours.push(one.seconds);
        theirs.push(other.seconds);
    }
    let [ours, theirs] = [ours, theirs].map(|mut warm| median(warm.split_off(1)));
    let events = market.rows() as f64;
    let name = format!("SMA 10/20 in the sandbox, {}", market.name);
    Ok(at_least(name, events / ours, events / theirs * NATIVE_SHARE, format!("{NATIVE_SHARE} × native")))
}

fn many_trades(samples: Samples, sma: &SmaCross) -> Result<Row> {
    let walk = Walk::new(BARS);
    let all = sma.test(walk.bars(BARS), &sma.host)?.trades as usize;
    ensure!(all >= MANY, "{all} trades in {BARS} bars are too few");
    let [few, many] = [FEW, MANY].map(|trades| (BARS * trades).div_ceil(all));
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for _ in 0..samples.runs() {
        short.push(sma.test(walk.bars(few), &sma.host)?.seconds * 1e9 / few as f64);
        long.push(sma.test(walk.bars(many), &sma.host)?.seconds * 1e9 / many as f64);
    }
    let [short, long] = [short, long].map(|mut warm| median(warm.split_off(1)));
    let figure = |value| Figure { value, unit: Unit::Nanos };
    let source = format!("{GROWTH} × at {FEW} trades");
    Ok(Row {
        name: format!("a bar of a backtest of {MANY} trades"),
        median: figure(long),
        limit: Limit { figure: figure(short * GROWTH), bound: Bound::AtMost, source },
        promise: None,
    })
}

/// Many settings on one recording, by the server's own sweep.
struct Sweeps<'a> {
    sma: &'a SmaCross,
    spec: Spec,
    recorded: Recorded,
}

impl Sweeps<'_> {
    /// Nanoseconds that so many combinations take on so many cores.
    fn nanos(&self, grid: &Grid, cores: usize) -> Result<f64> {
        let (permits, watch) = (Permits::new(cores), |_| ControlFlow::Continue(()));
        let runner = Runner {
            instrument: &self.sma.setup.instrument,
            recorded: &self.recorded,
            host: Arc::clone(&self.sma.host),
            permits: &permits,
            watch: &watch,
        };
        let whole = (Millis(i64::MIN), Millis(i64::MAX));
        let began = Instant::now();
        let rows = sweep(&runner, &self.spec, (grid, Rank::NetProfit), whole, self.spec.account.balance)?;
        let taken = began.elapsed().as_secs_f64() * 1e9;
        let failed = rows.iter().filter(|(_, row)| row.statistics.as_ref().is_none_or(|s| s.trades == 0)).count();
        ensure!(failed == 0, "{failed} of {} settings did not trade", rows.len());
        Ok(taken)
    }

    /// Several strategies on one core and on two.
    fn strategies(&self, samples: Samples, market: &str) -> Result<Vec<Row>> {
        let machine = machine(samples);
        let mut measured: Vec<[f64; 2]> = Vec::new();
        for count in STRATEGIES {
            let grid = grid(count);
            let (mut one, mut two) = (Vec::new(), Vec::new());
            for _ in 0..samples.runs() {
                one.push(self.nanos(&grid, 1)?);
                two.push(self.nanos(&grid, 2)?);
            }
            let events = (count * self.recorded.len()) as f64;
            measured.push([one, two].map(|mut warm| events * 1e9 / median(warm.split_off(1))));
        }
        self.keep(&measured, market)?;
        let [alone, _] = *measured.first().context("there must be a count")?;
        let mut rows = Vec::new();
        for (count, [one, two]) in STRATEGIES.into_iter().zip(measured) {
            if count > 1 {
                let source = format!("{KEPT} × of one strategy");
                rows.push(at_least(format!("{count} strategies, one core"), one, alone * KEPT, source));
            }
            let ideal = ideal(count, machine);
            let source = format!("{KEPT} × {ideal:.2} × on one core (the machine: {machine:.2})");
            rows.push(at_least(format!("{count} strategies, two cores"), two, one * ideal * KEPT, source));
        }
        Ok(rows)
    }

    fn keep(&self, measured: &[[f64; 2]], market: &str) -> Result<()> {
        let series = |name, core: usize| Series {
            name,
            points: STRATEGIES
                .iter()
                .zip(measured)
                .map(|(count, both)| (*count as f64, both.get(core).copied().unwrap_or(f64::NAN)))
                .collect(),
        };
        Growth {
            name: "strategies",
            title: "Backtested minutes a second",
            market: if market.contains("recorded") { "recorded EURUSD minutes" } else { "synthetic minutes" },
            unit: Unit::PerSecond,
            series: vec![series("one core", 0), series("two cores", 1)],
        }
        .keep()
    }

    /// A thousand settings on all cores, against the same on one.
    fn thousand(&self, samples: Samples) -> Result<Row> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let grid = grid(SWEPT);
        let (mut all, mut one) = (Vec::new(), Vec::new());
        for _ in 0..samples.count().min(SWEEPS) {
            one.push(self.nanos(&grid, 1)?);
            all.push(self.nanos(&grid, cores)?);
        }
        // What two cores do for plain loops, more are taken to do in proportion.
        let machine = if cores > 1 { machine(samples) / 2.0 * cores as f64 } else { 1.0 };
        let figure = |value| Figure { value, unit: Unit::Nanos };
        let source = format!("on one core ÷ {machine:.2} (the machine) ÷ {KEPT}");
        Ok(Row {
            name: format!("sweep of {SWEPT} settings, {cores} cores, {} minutes each", self.recorded.len()),
            median: figure(median(all)),
            limit: Limit { figure: figure(median(one) / machine / KEPT), bound: Bound::AtMost, source },
            promise: None,
        })
    }
}

/// So many settings: averages of 2 to 26 bars with some of 27 bars and more, or the usual ones.
fn grid(count: usize) -> Grid {
    let values = |from: usize, count: usize| (from..from + count).map(Into::into).collect();
    let (fast, slow) = match count {
        1 => ((10, 1), (20, 1)),
        SWEPT => ((2, 25), (27, SWEPT / 25)),
        _ => ((8, count.min(5)), (20, count.div_ceil(5))),
    };
    Grid::from([("fast".to_owned(), values(fast.0, fast.1)), ("slow".to_owned(), values(slow.0, slow.1))])
}

/// How many times faster so many equal runs are on two cores that together are `machine` times as fast as one.
fn ideal(runs: usize, machine: f64) -> f64 {
    let (pairs, alone) = ((runs / 2) as f64, (runs % 2) as f64);
    runs as f64 / (pairs * 2.0 / machine + alone)
}

/// How many times as fast two cores are as one, for loops that share nothing: on some machines they are two halves of one.
fn machine(samples: Samples) -> f64 {
    let ticks = Ticks::new(&Walk::new(200_000));
    let work = || (0..10).for_each(|_| _ = black_box(plain::ema_cross(black_box(ticks.plain()), 200_000, 400_000)));
    let (one, two) = samples.nanos_in_turn(
        1,
        || (0..2).for_each(|_| work()),
        || {
            std::thread::scope(|scope| {
                scope.spawn(work);
                work();
            });
        },
    );
    (one / two).clamp(1.0, 2.0)
}

fn spec(sma: &SmaCross, recorded: &Recorded) -> Result<Spec> {
    let (from, last) = recorded.span().context("there are no minutes")?;
    Ok(Spec {
        strategy: PluginSpec {
            digest: sma.digest,
            name: NAME.to_owned(),
            version: "0.1.0".to_owned(),
            settings: SETTINGS.to_owned(),
        },
        rules: Vec::new(),
        symbol: sma.setup.instrument.symbol.clone(),
        swap: None,
        timeframe: Timeframe::M1,
        source: Source::Minutes,
        from,
        to: last.plus(1),
        account: AccountSpec {
            currency: Currency::USD,
            balance: sma.setup.terms.initial_balance,
            leverage: sma.setup.terms.leverage,
            mode: PositionMode::Hedging,
            margin: MarginLevels::default(),
        },
        venue: sma.setup.venue,
        kind: Kind::Single,
    })
}

fn at_least(name: String, ours: f64, limit: f64, source: String) -> Row {
    let figure = |value| Figure { value, unit: Unit::PerSecond };
    Row {
        name,
        median: figure(ours),
        limit: Limit { figure: figure(limit), bound: Bound::AtLeast, source },
        promise: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_the_settings_that_were_asked_for() {
        for count in [1, 5, 20, SWEPT] {
            let grid = grid(count);
            assert_eq!(grid.values().map(Vec::len).product::<usize>(), count);
            let all = |name: &str| grid[name].iter().filter_map(|value| value.as_u64()).collect::<Vec<_>>();
            assert!(all("fast").iter().max() < all("slow").iter().min(), "{count}");
        }
    }

    #[test]
    fn two_cores_do_five_runs_in_three_rounds() {
        assert!((ideal(5, 2.0) - 5.0 / 3.0).abs() < 1e-12);
        assert_eq!((ideal(1, 2.0), ideal(20, 2.0), ideal(20, 1.0)), (1.0, 2.0, 1.0));
    }
}
