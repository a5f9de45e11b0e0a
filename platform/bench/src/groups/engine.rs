//! What the execution path costs: a backtest in runs, and the way from a tick to an approved order.

use std::{convert::Infallible, time::Instant};

use anyhow::{Result, anyhow, bail};
use marque_domain::{
    account::AccountTerms,
    bar::Quote,
    fixed::{Money, Price},
    id::{AccountId, InstrumentId, UserId},
    instrument::Currency,
    plugin::PluginRef,
    time::{MINUTE_MS, Millis},
};
use marque_engine::{
    Command, Desk, Effects, Record, Shard,
    backtest::{self, Pace, Recording, Setup},
    desk::Commit,
    port::{BarRun, HistorySource, TickRun},
    venue::SimulatedVenue,
};

use crate::{
    fixture::{self, EmaCross, START},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median, percentiles},
};

/// Events of a short and of a long backtest.
const SHORT: usize = 100_000;
const LONG: usize = 1_100_000;
/// Bars a second that a backtest must go through on one core.
const BARS_PER_SECOND: f64 = 2_000_000.0;
/// How much more an event of a long backtest may cost than one of a short one.
const GROWTH: f64 = 1.1;
/// Signals whose way is measured.
const SIGNALS: usize = 2_000;
/// A signal is an order within this, in all but one case of a hundred.
const SIGNAL_NS: f64 = 1_000_000.0;
/// The daily-loss rule as the demo binds it.
const RULE_SETTINGS: &str = r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below","reset_time":"00:00","zone":"Europe/Prague"}"#;

/// Measures the group.
///
/// # Errors
/// When a plugin is missing or a backtest does not trade.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let ema = EmaCross::load(64)?;
    let mut rows = backtests(samples, &ema)?;
    rows.extend(signals()?);
    Ok(rows)
}

/// A random walk of minute bars: the averages cross about every forty bars.
struct Walk {
    columns: [Vec<i64>; 7],
}

impl Walk {
    fn new(count: usize) -> Self {
        let (mut price, mut state) = (138_000_000_i64, 7_u64);
        let mut columns: [Vec<i64>; 7] = std::array::from_fn(|_| Vec::with_capacity(count));
        for minute in (0_i64..).take(count) {
            let mut roll = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                i64::try_from(state >> 40).unwrap_or(0) % 21 - 10
            };
            let open = price;
            price = (price + roll() * 1_000).clamp(100_000_000, 180_000_000);
            let (up, down) = (roll().abs() * 1_000, roll().abs() * 1_000);
            let row =
                [START.0 + minute * MINUTE_MS, open, open.max(price) + up, open.min(price) - down, price, 1_000, 4];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        Self { columns }
    }

    fn bars(&self, count: usize) -> Recording<'_> {
        let [open_at, open, high, low, close, spread, volume] =
            self.columns.each_ref().map(|c| c.get(..count).unwrap_or(c));
        Recording::Minutes(BarRun { open_at, open, high, low, close, spread, volume })
    }
}

/// The same walk as quotes, one each second.
struct Ticks {
    at: Vec<i64>,
    bid: Vec<i64>,
    ask: Vec<i64>,
}

impl Ticks {
    fn new(walk: &Walk) -> Self {
        let [_, _, _, _, close, ..] = &walk.columns;
        let at = (0_i64..).take(close.len()).map(|second| START.0 + second * 1_000).collect();
        Self { at, bid: close.clone(), ask: close.iter().map(|bid| bid + 1_000).collect() }
    }

    fn recording(&self, count: usize) -> Recording<'_> {
        let [at, bid, ask] = [&self.at, &self.bid, &self.ask].map(|column| column.get(..count).unwrap_or(column));
        Recording::Ticks(TickRun { at, bid, ask })
    }
}

/// Counts what a committer would write.
#[derive(Default)]
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

fn terms(rules: Vec<PluginRef>) -> AccountTerms {
    AccountTerms {
        id: AccountId(1),
        user: UserId(1),
        name: "Bench".to_owned(),
        currency: Currency::USD,
        initial_balance: Money::whole(1_000_000),
        leverage: 100,
        trades_per_day: None,
        rules,
    }
}

/// Backtests of bars and of quotes, short and long, with the sandbox, fills, commission and the ledger.
fn backtests(samples: Samples, ema: &EmaCross) -> Result<Vec<Row>> {
    let setup = Setup {
        instrument: fixture::instrument()?,
        terms: terms(Vec::new()),
        deployment: ema.deployment().clone(),
        commission_per_lot: Money::from_units(350_000_000),
    };
    let walk = Walk::new(LONG);
    let ticks = Ticks::new(&walk);
    let time = |recording: Recording<'_>, events: usize| -> Result<f64> {
        let mut taken = Vec::new();
        for _ in 0..samples.runs() {
            let (mut count, began) = (Count::default(), Instant::now());
            backtest::run(&setup, recording, Pace::Runs, ema.host(), &mut count).map_err(|error| anyhow!("{error}"))?;
            taken.push(began.elapsed().as_secs_f64() * 1e9 / events as f64);
            if count.fills < events / 10_000 || count.postings < count.fills {
                bail!("{} fills in {events} events: the backtest did not trade", count.fills);
            }
        }
        Ok(median(taken.split_off(1)))
    };
    let (short, long) = (time(walk.bars(SHORT), SHORT)?, time(walk.bars(LONG), LONG)?);
    let (few, many) = (time(ticks.recording(SHORT), SHORT)?, time(ticks.recording(LONG), LONG)?);
    Ok(vec![
        Row {
            name: "EMA-cross backtest, 1.1 M minute bars, one core".to_owned(),
            median: Figure { value: 1e9 / long, unit: Unit::PerSecond },
            limit: Some(Limit {
                figure: Figure { value: BARS_PER_SECOND, unit: Unit::PerSecond },
                bound: Bound::AtLeast,
                source: "promise".to_owned(),
            }),
        },
        growth("… per bar at 1.1 M bars", short, long),
        Row {
            name: "EMA-cross backtest, 1.1 M quotes".to_owned(),
            median: Figure { value: 1e9 / many, unit: Unit::PerSecond },
            limit: None,
        },
        growth("… per quote at 1.1 M quotes", few, many),
    ])
}

fn growth(name: &str, short: f64, long: f64) -> Row {
    Row {
        name: name.to_owned(),
        median: Figure { value: long, unit: Unit::Nanos },
        limit: Some(Limit {
            figure: Figure { value: short * GROWTH, unit: Unit::Nanos },
            bound: Bound::AtMost,
            source: format!("{GROWTH} × at 100,000"),
        }),
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
}

impl Commit for Watch {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        if !effects.orders.is_empty() {
            self.taken.push(self.began.elapsed().as_secs_f64() * 1e9);
        }
        Ok(())
    }
}

/// From a quote that closes a bar on which the strategy acts to the approved order, past the limits and a
/// rule plugin.
fn signals() -> Result<Vec<Row>> {
    let ema = EmaCross::load_with(64, &["daily-loss"])?;
    let rule = PluginRef {
        digest: ema.digest("daily-loss")?,
        name: "daily-loss".to_owned(),
        settings: RULE_SETTINGS.to_owned(),
    };
    let instrument = fixture::instrument()?;
    let shard = Shard::new(core::slice::from_ref(&instrument), ema.host(), Box::new(NoPast));
    let mut desk = Desk::new(shard, SimulatedVenue::new(Money::ZERO));
    let mut watch = Watch { began: Instant::now(), taken: Vec::new() };
    let walk = Walk::new(400_000);
    let [at, _, _, _, close, ..] = &walk.columns;
    let quote = |at: i64, bid: i64| Quote {
        instrument: instrument.id,
        at: Millis(at),
        bid: Price::from_units(bid),
        ask: Price::from_units(bid + 1_000),
    };
    let mut prices = at.iter().zip(close).map(|(at, bid)| quote(*at, *bid));
    if let Some(first) = prices.next() {
        let Ok(()) = desk.quote(&first, &mut watch);
    }
    for command in [Command::OpenAccount(terms(vec![rule])), Command::Deploy(ema.deployment().clone())] {
        let Ok(answer) = desk.command(command, &mut watch);
        answer.map_err(|refusal| anyhow!("{refusal}"))?;
    }
    for quote in prices {
        watch.began = Instant::now();
        let Ok(()) = desk.quote(&quote, &mut watch);
        if watch.taken.len() >= SIGNALS {
            break;
        }
    }
    if watch.taken.len() < SIGNALS / 2 {
        bail!("only {} signals: the strategy did not trade", watch.taken.len());
    }
    let [p50, p99] = percentiles(watch.taken, [0.5, 0.99]);
    let row = |name: &str, value: f64, limit: Option<Limit>| Row {
        name: name.to_owned(),
        median: Figure { value, unit: Unit::Nanos },
        limit,
    };
    let limit = Limit {
        figure: Figure { value: SIGNAL_NS, unit: Unit::Nanos },
        bound: Bound::AtMost,
        source: "promise".to_owned(),
    };
    Ok(vec![row("tick → approved order, p50", p50, None), row("tick → approved order, p99", p99, Some(limit))])
}
