//! Whether an EA may trade, a million licences deep: the running `marque` against a handler that does nothing else.
//!
//! Both are asked the same requests by the same `wrk` over the same connections, in turn. The server is whole: host, limits of
//! key and address (each EA asks from its own, which a trusted proxy names), licence, seat, version, signature. What it logs is
//! set to warnings. Its market is a recording that is over: a thousand brands' prices are not what is measured.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use marque_testkit::site::Running;
use tokio::{runtime::Runtime, task::JoinSet};

use super::journal::bare_rows_per_second;
use crate::{
    growth::{Growth, Series},
    http::Connection,
    licences::{BareEa, Database, Ea, Estate, Load, Process, Wrk},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
};

/// How many there are in the end.
const LICENCES: u64 = 1_000_000;
const TENANTS: u64 = 1_000;
/// Licences that are asked about, all in memory: half of what the server keeps there by default.
const ASKED: u64 = 50_000;
/// The same while something grows.
const ASKED_GROWING: u64 = 10_000;
/// Sizes of the growth tables, and how many licences there are while tenants grow.
const BY_LICENCES: [u64; 3] = [10_000, 100_000, LICENCES];
const BY_TENANTS: [u64; 3] = [1, 30, TENANTS];
const LICENCES_GROWING: u64 = 100_000;
/// Connections of a load, and how long one sample lasts.
const CONNECTIONS: u32 = 32;
const SAMPLE: Duration = Duration::from_secs(2);
/// Samples at each size, one to warm up included.
const SAMPLES_GROWING: usize = 5;
/// Seats that are heard of, how often each, and over how many connections.
const SEATS: u64 = 10_000;
const HEARD: u64 = 3;
const LANES: usize = 64;

/// What the platform promises of a bare handler.
const RATE: f64 = 0.8;
const P99: f64 = 1.5;
const FLAT: f64 = 0.9;
/// Memory of a licence, as `marque config` says.
const LICENCE_BYTES: f64 = 4_096.0;
/// Every seat is heard each 200 seconds; the server shall bear ten times that.
const HEARTBEATS: f64 = SEATS as f64 / 200.0 * 10.0;

/// Measures the group.
///
/// # Errors
/// When a database or the server refuses what it should take.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    if !Wrk::is_here() {
        skipped();
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = on_sqlite(&runtime, samples)?;
    rows.extend(runtime.block_on(by_tenants())?);
    if let Some(cluster) = marque_testkit::shared_postgres("licensing") {
        let database = cluster.database()?;
        let (url, loader) = (database.url(), database.superuser_url());
        rows.extend(runtime.block_on(async {
            let mut estate = Estate::new(Database::Postgres { url, loader }, TENANTS, &settings()).await?;
            estate.grow_to(LICENCES).await?;
            whole(&estate, "PostgreSQL", samples).await
        })?);
    }
    Ok(rows)
}

#[expect(clippy::print_stderr, reason = "what was not measured must be said")]
fn skipped() {
    eprintln!("SKIPPED licensing: `wrk` is not there. Install it (Debian: apt-get install wrk).");
}

#[expect(clippy::print_stderr, reason = "what a row has no room for")]
fn note(text: &str) {
    eprintln!("  {text}");
}

fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("MARQUE_PROXIES_TRUSTED", r#"["127.0.0.1/32"]"#.to_owned()),
        ("MARQUE_LIMITS_EA_PER_MINUTE", "10000000".to_owned()),
        ("MARQUE_LOG_FILTER", "warn".to_owned()),
        ("MARQUE_FEED_SYMBOLS", r#"["EURUSD"]"#.to_owned()),
        ("MARQUE_FEED_KIND", "replay".to_owned()),
        ("MARQUE_FEED_REPEAT", "false".to_owned()),
        ("MARQUE_FEED_SPEED", "0".to_owned()),
    ]
}

/// Grows to the million, with the table of it, and measures there.
fn on_sqlite(runtime: &Runtime, samples: Samples) -> Result<Vec<Row>> {
    runtime.block_on(async {
        let mut estate = Estate::new(Database::Sqlite, TENANTS, &settings()).await?;
        let mut points = Vec::new();
        for size in BY_LICENCES {
            let began = Instant::now();
            estate.grow_to(size).await?;
            note(&format!("{size} licences after {:.0} s", began.elapsed().as_secs_f64()));
            points.push((size, growing(&estate).await?));
        }
        let mut rows = vec![flat("licences", "licences", &points)?];
        rows.extend(whole(&estate, "SQLite", samples).await?);
        Ok(rows)
    })
}

/// The same number of licences, of ever more tenants.
async fn by_tenants() -> Result<Vec<Row>> {
    let mut points = Vec::new();
    for tenants in BY_TENANTS {
        let mut estate = Estate::new(Database::Sqlite, tenants, &settings()).await?;
        estate.grow_to(LICENCES_GROWING).await?;
        points.push((tenants, growing(&estate).await?));
    }
    Ok(vec![flat("tenants", "licence-tenants", &points)?])
}

/// One size: what we answer, and the bare handler in turn.
async fn growing(estate: &Estate) -> Result<(f64, f64)> {
    let running = estate.serve().await;
    warm(estate, &running, ASKED_GROWING).await?;
    let pairs = in_turn(estate, &running, ASKED_GROWING, SAMPLES_GROWING).await?;
    let of = |pick: fn(&(Load, Load)) -> f64| median(pairs.iter().map(pick).collect());
    Ok((of(|(ours, _)| ours.per_second), of(|(_, bare)| bare.per_second)))
}

/// Keeps the table, and answers how flat it is: each figure by that of the bare handler in the same minute, so that a machine
/// that slows down is not taken for growth.
fn flat(what: &'static str, name: &'static str, points: &[(u64, (f64, f64))]) -> Result<Row> {
    let of = |pick: fn(&(f64, f64)) -> f64| points.iter().map(|(size, both)| (*size as f64, pick(both))).collect();
    let growth = Growth {
        name,
        title: "Validations a second",
        market: "SQLite, 10,000 licences asked over 32 connections by wrk on the same machine",
        unit: Unit::PerSecond,
        series: vec![
            Series { name: "marque", points: of(|(ours, _)| *ours) },
            Series { name: "bare handler", points: of(|(_, bare)| *bare) },
        ],
    };
    growth.keep()?;
    let parts: Vec<f64> = points.iter().map(|(_, (ours, bare))| ours / bare).collect();
    for ((size, (ours, bare)), part) in points.iter().zip(&parts) {
        note(&format!("{size} {what}: {ours:.0}/s, bare {bare:.0}/s, {part:.3} of it"));
    }
    let (least, most) = (parts.iter().copied().fold(f64::MAX, f64::min), parts.iter().copied().fold(0.0, f64::max));
    let sizes = points.iter().map(|(size, _)| size.to_string()).collect::<Vec<_>>().join(", ");
    Ok(row(
        format!("validations by {what} ({sizes}): the least of the most, each by the bare handler"),
        least / most,
        Unit::Ratio,
        (Bound::AtLeast, FLAT, "flat within 10%"),
    ))
}

/// All that is measured with a million licences.
async fn whole(estate: &Estate, name: &str, samples: Samples) -> Result<Vec<Row>> {
    let running = estate.serve().await;
    let server = Process(running.pid());
    let idle = idle_share(server).await?;
    let (before, began) = (server.resident()?, Instant::now());
    warm(estate, &running, ASKED).await?;
    let bytes = (server.resident()? - before) / ASKED as f64;
    let cold = ASKED as f64 / began.elapsed().as_secs_f64();
    note(&format!(
        "{name}: {cold:.0} first answers/s, read from the database; idle it takes {:.1}% of a core",
        idle * 100.0
    ));
    let pairs = in_turn(estate, &running, ASKED, samples.runs()).await?;
    let mut rows = compared(name, &pairs);
    rows.push(row(
        format!("{name}: memory of a licence in the snapshot, with its limits"),
        bytes,
        Unit::Bytes,
        (Bound::AtMost, LICENCE_BYTES, "what `marque config` says"),
    ));
    rows.push(heartbeats(estate, &running, name).await?);
    Ok(rows)
}

fn compared(name: &str, pairs: &[(Load, Load)]) -> Vec<Row> {
    let of = |pick: fn(&Load) -> f64| {
        let ours = median(pairs.iter().map(|(ours, _)| pick(ours)).collect());
        (ours, median(pairs.iter().map(|(_, bare)| pick(bare)).collect()))
    };
    let (rate, p50, p99, busy) = (of(|l| l.per_second), of(|l| l.p50), of(|l| l.p99), of(|l| l.busy));
    let at_most = |factor: f64, bare: f64, source| (Bound::AtMost, factor * bare, source);
    vec![
        row(
            format!("{name}: validations, {LICENCES} licences of {TENANTS} tenants, {ASKED} asked, all in memory"),
            rate.0,
            Unit::PerSecond,
            (Bound::AtLeast, RATE * rate.1, "0.8 × a bare poem-openapi handler"),
        ),
        row(
            format!("{name}: the same, p50"),
            p50.0,
            Unit::Nanos,
            at_most(1.0 / RATE, p50.1, "1.25 × the bare handler's"),
        ),
        row(format!("{name}: the same, p99"), p99.0, Unit::Nanos, at_most(P99, p99.1, "1.5 × the bare handler's")),
        row(
            format!("{name}: processor time of one answer, without wrk"),
            busy.0,
            Unit::Nanos,
            at_most(2.0, busy.1, "2 × the bare handler's"),
        ),
    ]
}

/// Loads in turn, the first of each not counted: ours, and the bare handler's.
async fn in_turn(estate: &Estate, running: &Running, asked: u64, runs: usize) -> Result<Vec<(Load, Load)>> {
    let requests = estate.spread(asked).map(|n| Ea::new(n).validate(&estate.host(n))).collect::<Result<Vec<_>>>()?;
    let wrk = Wrk::new(&estate.folder(), &requests, CONNECTIONS)?;
    let bare = BareEa::start(estate.spread(asked)).await?;
    let mut pairs = Vec::new();
    for turn in 0..runs {
        let ours = wrk.run(running.address(), Process(running.pid()), SAMPLE).await?;
        let theirs = wrk.run(bare.address, Process::own(), SAMPLE).await?;
        if turn > 0 {
            pairs.push((ours, theirs));
        }
    }
    Ok(pairs)
}

/// Asks about each licence once; every answer must be a yes.
async fn warm(estate: &Estate, running: &Running, asked: u64) -> Result<()> {
    let requests: Vec<_> = estate.spread(asked).map(|n| Ea::new(n).validate(&estate.host(n))).collect::<Result<_>>()?;
    told(running, lanes(requests)).await
}

fn lanes(requests: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut lanes: Vec<Vec<Vec<u8>>> = (0..LANES).map(|_| Vec::new()).collect();
    for (at, request) in requests.into_iter().enumerate() {
        if let Some(lane) = lanes.get_mut(at % LANES) {
            lane.push(request);
        }
    }
    lanes
}

/// Sends all lanes at once, each in order; every answer must be a yes.
async fn told(running: &Running, lanes: Vec<Vec<Vec<u8>>>) -> Result<()> {
    let mut tasks = JoinSet::new();
    for lane in lanes {
        let mut connection = Connection::open(running.address()).await?;
        tasks.spawn(async move {
            for request in lane {
                let answer = connection.send(&request).await?;
                ensure!(answer.status == 200 && answer.text.contains(r#""valid":true"#), "{}", answer.text);
            }
            anyhow::Ok(())
        });
    }
    while let Some(lane) = tasks.join_next().await {
        lane??;
    }
    Ok(())
}

/// Reports of ten thousand seats, each of which must be in the database in the end.
async fn heartbeats(estate: &Estate, running: &Running, name: &str) -> Result<Row> {
    let seats: Vec<u64> = estate.spread(SEATS).collect();
    let mut requests = Vec::new();
    for turn in 1..=HEARD {
        for n in &seats {
            requests.push(Ea::new(*n).heartbeat(&estate.host(*n), turn)?);
        }
    }
    let count = requests.len() as f64;
    let began = Instant::now();
    told(running, lanes(requests)).await?;
    let rate = count / began.elapsed().as_secs_f64();
    let sum = "SELECT CAST(coalesce(sum(orders), 0) AS BIGINT) FROM licence_activations";
    let mut loader = estate.loader().await?;
    let reported = loader.number(sum).await?;
    drop(loader);
    ensure!(u64::try_from(reported)? == SEATS * HEARD, "{reported} orders are in the database");
    let bare = bare_rows_per_second(&estate.url()).await?;
    let durable = if name == "SQLite" { "each durable" } else { "fsync off in the throw-away cluster" };
    Ok(row(
        format!("{name}: heartbeats written, {SEATS} seats, {durable} (bare batched insert: {bare:.0} rows/s)"),
        rate,
        Unit::PerSecond,
        (Bound::AtLeast, HEARTBEATS, "10 × a heartbeat of each seat every 200 s"),
    ))
}

/// The part of a core that a server takes that nobody asks.
async fn idle_share(server: Process) -> Result<f64> {
    const WATCHED: Duration = Duration::from_secs(4);
    let before = server.busy()?;
    tokio::time::sleep(WATCHED).await;
    let busy = server.busy()?.checked_sub(before).context("processor time only grows")?;
    Ok(busy.as_secs_f64() / WATCHED.as_secs_f64())
}

fn row(name: String, value: f64, unit: Unit, (bound, limit, source): (Bound, f64, &str)) -> Row {
    Row {
        name,
        median: Figure { value, unit },
        limit: Limit { figure: Figure { value: limit, unit }, bound, source: source.to_owned() },
        promise: None,
    }
}
