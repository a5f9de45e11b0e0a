//! What a quote costs the equity monitor, by how many accounts there are, and that it finds every breach at its quote.

use std::{hint::black_box, time::Instant};

use anyhow::{Result, bail};
use marque_domain::{
    bar::Quote,
    id::{AccountId, InstrumentId},
    instrument::Instrument,
};

use crate::{
    fixture,
    growth::{Growth, Series},
    population::Population,
    recorded::Recorded,
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, percentiles},
};

/// How many accounts, and what the table calls them.
const SIZES: [(usize, &str); 4] = [(1_000, "1k"), (10_000, "10k"), (100_000, "100k"), (1_000_000, "1M")];
/// One account in so many holds both sides of the market.
const HEDGED: usize = 10;
/// Quotes at which a scan of all accounts is timed.
const SCANNED: usize = 64;
/// With 100,000 accounts a quote takes at most this.
const MEAN_NS: f64 = 2_000.0;
/// In all but one of a thousand.
const P999_NS: f64 = 500_000.0;
/// A quote may cost this part of a scan of all accounts, from 100,000 accounts on.
const OF_SCAN: f64 = 0.1;
/// A thousand times the accounts may cost a quote that ends nobody this many times as much: the sets are deeper and out
/// of the cache. What ends costs what it costs, and there is more of it.
const GROWTH: f64 = 8.0;

/// What one size took, in nanoseconds a quote.
struct Pass {
    mean: f64,
    /// Of quotes that end no account.
    quiet: f64,
    p99: f64,
    p999: f64,
    scan: f64,
    ended: usize,
}

/// Measures the group. One pass a size: its million quotes are the samples.
///
/// # Errors
/// When a breach is missed, late or invented.
pub fn measure(_: Samples) -> Result<Vec<Row>> {
    let instrument = fixture::instrument()?;
    let market = Recorded::load(&instrument)?;
    let (mut rows, mut series, mut smallest) = (Vec::new(), Vec::new(), None);
    for (count, size) in SIZES {
        let pass = pass(count, &market.quotes)?;
        let name = |what: &str| format!("{}, {size} accounts ({} end): {what}", market.name, pass.ended);
        let big = count >= 100_000;
        let promised = |at: f64| (count == 100_000).then(|| promise(at));
        let part = if big { OF_SCAN } else { 1.0 };
        let source = format!("{part} × full scan");
        rows.push(Row { promise: promised(MEAN_NS), ..row(&name("mean"), pass.mean, pass.scan * part, &source) });
        rows.push(row(&name("p99"), pass.p99, pass.scan.max(MEAN_NS), "a full scan, or 2 µs"));
        rows.push(Row {
            promise: promised(P999_NS),
            ..row(&name("p99.9"), pass.p999, P999_NS.max(pass.scan), "0.5 ms, or a full scan")
        });
        series.push((count as f64, [pass.mean, pass.quiet, pass.p99, pass.p999, pass.scan]));
        let least = *smallest.get_or_insert(pass.quiet);
        if count == 1_000_000 {
            let source = format!("{GROWTH} × at 1k accounts");
            rows.push(row("growth: mean at 1M accounts, quotes that end nobody", pass.quiet, least * GROWTH, &source));
        }
    }
    Growth {
        name: "accounts",
        title: "A quote through the equity monitor",
        market: market.name,
        unit: Unit::Nanos,
        series: [(0, "mean"), (1, "mean, nobody ends"), (2, "p99"), (3, "p99.9"), (4, "full scan")]
            .map(|(at, name)| Series { name, points: series.iter().map(|(n, v)| (*n, v[at])).collect() })
            .into(),
    }
    .keep()?;
    rows.push(by_instruments(&market)?);
    Ok(rows)
}

/// The same accounts on more and more instruments, whose quotes take turns.
fn by_instruments(market: &Recorded) -> Result<Row> {
    const ACCOUNTS: usize = 10_000;
    let (mut mean, mut p99) = (Vec::new(), Vec::new());
    for count in [1_u32, 10, 100] {
        let template = fixture::instrument()?;
        let named = |id: u32| Instrument { id: InstrumentId(id), symbol: format!("NO{id}"), ..template.clone() };
        let instruments: Vec<Instrument> = (1..=count).map(named).collect();
        let turns = instruments.iter().map(|i| i.id).cycle();
        let quotes: Vec<Quote> =
            market.quotes.iter().zip(turns).map(|(quote, instrument)| Quote { instrument, ..*quote }).collect();
        let (_, taken, _) = gone_through(ACCOUNTS, &instruments, &quotes)?;
        mean.push((f64::from(count), average(&taken)));
        p99.push((f64::from(count), percentiles(taken, [0.99])[0]));
    }
    let least = mean.first().map_or(f64::NAN, |(_, value)| *value);
    let most = mean.last().map_or(f64::NAN, |(_, value)| *value);
    Growth {
        name: "instruments",
        title: "A quote through the equity monitor, with 10,000 accounts",
        market: market.name,
        unit: Unit::Nanos,
        series: vec![Series { name: "mean", points: mean }, Series { name: "p99", points: p99 }],
    }
    .keep()?;
    let source = format!("{GROWTH} × with one instrument");
    Ok(row("growth: mean at 100 instruments, 10k accounts", most, least * GROWTH, &source))
}

/// Goes through quotes; answers the accounts as they are then, the nanoseconds of each quote, and those of each that ended
/// nobody.
fn gone_through(
    count: usize,
    instruments: &[Instrument],
    quotes: &[Quote],
) -> Result<(Population, Vec<f64>, Vec<f64>)> {
    let Some(first) = quotes.first() else { bail!("the market has no quotes") };
    let mut population = Population::new(count, HEDGED, instruments, *first)?;
    let (mut taken, mut quiet) = (Vec::with_capacity(quotes.len()), Vec::with_capacity(quotes.len()));
    for (index, quote) in quotes.iter().enumerate().skip(1) {
        let before = population.ended().len();
        let began = Instant::now();
        population.quote(index, quote);
        let nanos = began.elapsed().as_secs_f64() * 1e9;
        taken.push(nanos);
        population.look_back(index, quote);
        if population.ended().len() == before {
            quiet.push(nanos);
        }
    }
    Ok((population, taken, quiet))
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn pass(count: usize, quotes: &[Quote]) -> Result<Pass> {
    let (population, taken, quiet) = gone_through(count, &[fixture::instrument()?], quotes)?;
    let mut columns = population.columns();
    let wanted = columns.breaches(quotes);
    // A breach on a price that looks like a bad tick waits for the next one.
    let differs = |(id, at): &(&AccountId, &usize)| {
        let found = population.ended().get(*id);
        let waited = population.jumped(**at) && found.is_none_or(|found| found > *at);
        found != Some(*at) && !waited
    };
    if let Some((id, at)) = wanted.iter().find(differs) {
        bail!("{id} breaches at quote {at} and was found at {:?}", population.ended().get(id));
    }
    if let Some(id) = population.ended().keys().find(|id| !wanted.contains_key(id)) {
        bail!("{id} was ended without a breach");
    }
    let every = (quotes.len() / SCANNED).max(1);
    let began = Instant::now();
    let scanned = quotes.iter().step_by(every).map(|quote| black_box(columns.scan(black_box(quote)))).count();
    let scan = began.elapsed().as_secs_f64() * 1e9 / scanned as f64;
    let mean = average(&taken);
    let [p99, p999] = percentiles(taken, [0.99, 0.999]);
    Ok(Pass { mean, quiet: average(&quiet), p99, p999, scan, ended: wanted.len() })
}

const fn promise(nanos: f64) -> Limit {
    Limit { figure: Figure { value: nanos, unit: Unit::Nanos }, bound: Bound::AtMost, source: String::new() }
}

fn row(name: &str, nanos: f64, limit: f64, source: &str) -> Row {
    Row {
        name: name.to_owned(),
        median: Figure { value: nanos, unit: Unit::Nanos },
        limit: Limit {
            figure: Figure { value: limit, unit: Unit::Nanos },
            bound: Bound::AtMost,
            source: source.to_owned(),
        },
        promise: None,
    }
}
