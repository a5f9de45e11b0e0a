//! The same backtest by us and by two packages from PyPI, on the same quotes, on one core each, sample by sample in turn.
//!
//! A moving-average cross of 10 and 20 minutes on recorded EURUSD, always in the market, with commission: fills, fees, equity,
//! drawdown and the closed trades. Ours is all of it in the sandbox. What a program is not charged for, and where it fills,
//! stands in its script; [`Expected`] says to the cent what each must come to by its own rule.

use anyhow::{Result, ensure};

use crate::{
    columns::{Columns, Market},
    peer::{Answer, Peer, Shared},
    reference::{Expected, Fill, float},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
    shipped::{SmaCross, Tested},
};

/// How much faster than vectorbt, whose loop is compiled just in time and knows no strategy.
const VECTORBT_FACTOR: f64 = 2.0;
/// How much faster than nautilus_trader, whose strategies are Python.
const NAUTILUS_FACTOR: f64 = 100.0;
/// Samples of nautilus_trader: each takes many seconds.
const NAUTILUS_SAMPLES: usize = 3;
/// What an equity may differ from the integers': programs count in floats, or round each trade to a cent.
const SAME: f64 = 0.01;

/// Measures the group.
///
/// # Errors
/// When a peer is missing, or one of the three has not done the same work.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let sma = SmaCross::load(8)?;
    let mut rows = Vec::new();
    for market in [Market::minutes(&sma.setup.instrument)?, Market::quotes(&sma.setup.instrument)?] {
        rows.extend(compared(samples, &sma, &market)?);
    }
    Ok(rows)
}

/// One market: two rows.
fn compared(samples: Samples, sma: &SmaCross, market: &Market) -> Result<Vec<Row>> {
    let cash = sma.setup.terms.initial_balance;
    let (next, last) = [Fill::Next, Fill::Last].map(|fill| Expected::of(&market.columns, fill, cash)).into();
    let shared = Shared::write(market, cash)?;
    let mut vectorbt = Peer::start("vectorbt", "vectorbt_sma.py", &shared)?;
    let mut nautilus = Peer::start("nautilus_trader", "nautilus_sma.py", &shared)?;
    let without_spread = matches!(market.columns, Columns::Minutes(_));
    let by_nautilus = if without_spread { last.equity_at_bid() } else { last.equity() };
    let (mut ours, mut vectors, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for sample in 0..samples.runs() {
        let tested = sma.test(market.recording(), &sma.host)?;
        same_as(&tested, &next)?;
        ours.push(tested.seconds);
        let answer = vectorbt.test()?;
        same(&vectorbt.name, answer, next.trades, float(next.equity_at_bid()))?;
        vectors.push(answer.seconds);
        if sample <= NAUTILUS_SAMPLES {
            let answer = nautilus.test()?;
            same(&nautilus.name, answer, last.trades, float(by_nautilus))?;
            events.push(answer.seconds);
        }
    }
    // The first of each is without its warm caches and compiled code.
    let [ours, vectors, events] = [ours, vectors, events].map(|mut warm| median(warm.split_off(1)));
    let per_second = |seconds: f64| Figure { value: market.rows() as f64 / seconds, unit: Unit::PerSecond };
    let row = |peer: &Peer, seconds: f64, factor: f64| Row {
        name: format!("SMA 10/20, {}, {} trades", market.name, next.trades),
        median: per_second(ours),
        limit: Limit {
            figure: per_second(seconds / factor),
            bound: Bound::AtLeast,
            source: format!("{factor} × {} at {}", peer.name, per_second(seconds)),
        },
        promise: None,
    };
    Ok(vec![row(&vectorbt, vectors, VECTORBT_FACTOR), row(&nautilus, events, NAUTILUS_FACTOR)])
}

fn same_as(tested: &Tested, expected: &Expected) -> Result<()> {
    let (trades, equity) = (expected.trades, expected.equity());
    ensure!(
        tested.trades == trades && tested.equity == equity,
        "we come to {} trades and {}, the integers to {trades} and {equity}: this is not the same work",
        tested.trades,
        tested.equity
    );
    Ok(())
}

fn same(name: &str, answer: Answer, trades: u64, equity: f64) -> Result<()> {
    ensure!(
        answer.trades == trades && (answer.equity - equity).abs() <= SAME,
        "{name} comes to {} trades and {:.2}, the integers to {trades} and {equity:.2}: this is not the same work",
        answer.trades,
        answer.equity
    );
    Ok(())
}
