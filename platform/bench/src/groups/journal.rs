//! Orders through a desk with its durable journal: how many a second, how long each waits for its fill, against what the
//! disk and the database do without us.

use std::{
    io::Write as _,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use marque_domain::{
    account::AccountTerms,
    decision::Intent,
    fixed::{Lots, Money},
    id::{AccountId, InstrumentId, PositionId},
    order::Side,
    time::Millis,
};
use marque_engine::{Command, Record};
use marque_server::{
    clock::Clock,
    config::Config,
    secrets::Vault,
    serve,
    trading::{Asker, Desk, Floor},
};
use marque_store::{CommitBatch, Store, TenantDb};
use marque_testkit::site::{self, Site};
use sqlx::{Connection as _, Executor as _};
use tokio::runtime::Runtime;

use crate::{
    fixture,
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, percentiles},
};

/// Accounts that trade at once, each asking for its next order when the last is filled.
const ACCOUNTS: i64 = 512;
/// How long orders are counted, after as long to warm up.
const COUNTED: Duration = Duration::from_secs(4);
/// A Friday noon on which the market is open.
const NOON: Millis = Millis(1_795_176_000_000);
/// With the journal in SQLite.
const ORDERS_PER_SECOND: f64 = 10_000.0;
/// The journal by itself.
const RECORDS_PER_SECOND: f64 = 100_000.0;
/// Rows that an order leaves (decision, order twice, position, money, two postings, two acts, its parts of the journal,
/// the mark and the account), and what a row may cost of a bare insert.
const ROWS: f64 = 12.0;
const ROW_FACTOR: f64 = 4.0;
/// The slowest in a hundred waits at most this many times the mean.
const TAIL: f64 = 4.0;
/// Records of one entry when only the journal is written, and rows of one bare insert.
const GROUP: usize = 1_000;

/// Measures the group. One pass: it counts some ten thousand orders.
///
/// # Errors
/// When a database or the desk cannot be used.
pub fn measure(_: Samples) -> Result<Vec<Row>> {
    let runtime = Runtime::new()?;
    let folder = std::env::temp_dir();
    let syncs = syncs_per_second(&folder)?;
    let mut rows = on(&runtime, "SQLite", None, syncs)?;
    match marque_testkit::shared_postgres("bench") {
        Some(cluster) => {
            let database = cluster.database()?;
            rows.extend(on(&runtime, "PostgreSQL", Some(database.url()), syncs)?);
        }
        None => rows.clear(),
    }
    Ok(rows)
}

fn on(runtime: &Runtime, name: &str, url: Option<String>, syncs: f64) -> Result<Vec<Row>> {
    let house = House::new(runtime, url)?;
    let bare = runtime.block_on(bare_rows_per_second(house.config.database().expose()))?;
    let (sample, records) = runtime.block_on(house.recorded())?;
    let journal = runtime.block_on(journal_records_per_second(&house.db, &sample, records))?;
    let (orders, taken) = runtime.block_on(house.trade())?;
    runtime.block_on(house.floor.close());
    let mean = taken.iter().sum::<f64>() / taken.len() as f64;
    let [p99] = percentiles(taken, [0.99]);
    let rate = |name: String, value: f64, limit: f64, source: &str, promise: Option<f64>| {
        let figure = |value| Figure { value, unit: Unit::PerSecond };
        let at =
            |value, source: &str| Limit { figure: figure(value), bound: Bound::AtLeast, source: source.to_owned() };
        Row { name, median: figure(value), limit: at(limit, source), promise: promise.map(|p| at(p, "promise")) }
    };
    let sqlite = name == "SQLite";
    let source = format!("{ROWS} rows an order, each 1/{ROW_FACTOR} of a bare insert ({bare:.0} rows/s)");
    let nanos = |value| Figure { value, unit: Unit::Nanos };
    Ok(vec![
        rate(
            format!("{name}: orders committed and filled"),
            orders,
            bare / ROWS / ROW_FACTOR,
            &source,
            sqlite.then_some(ORDERS_PER_SECOND),
        ),
        Row {
            name: format!("{name}: asked → committed → filled, p99 of {ACCOUNTS} at once"),
            median: nanos(p99),
            limit: Limit { figure: nanos(mean * TAIL), bound: Bound::AtMost, source: format!("{TAIL} × the mean") },
            promise: None,
        },
        rate(
            format!("{name}: records journalled ({syncs:.0} fsyncs/s)"),
            journal,
            bare,
            "rows of a bare batched insert",
            Some(RECORDS_PER_SECOND),
        ),
    ])
}

/// A tenant with a desk, and a person whose accounts trade.
pub(super) struct House {
    pub config: Config,
    pub floor: Arc<Floor>,
    pub desk: Arc<Desk>,
    pub db: TenantDb,
    _site: Site,
}

impl House {
    pub fn new(runtime: &Runtime, url: Option<String>) -> Result<Self> {
        let mut site = Site::empty().with("MARQUE_LOG_FILTER", "error");
        if let Some(url) = url {
            site = site.with("MARQUE_DATABASE_URL", url);
        }
        site.succeeds(&["migrate"]);
        site.succeeds(&["tenant", "apply", &site::workspace().join("tenants").display().to_string()]);
        let mut add = site
            .marque(&["person", "add", "aurora", "--email", EMAIL, "--name", "Bench", "--role", "trader"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        add.stdin.take().context("a pipe")?.write_all(b"correct horse battery")?;
        if !add.wait()?.success() {
            bail!("the person could not be added");
        }
        let config = Config::read("bench", "", site.settings())?;
        let (floor, desk, db) = runtime.block_on(open(&config))?;
        Ok(Self { config, floor, desk, db, _site: site })
    }

    /// Opens so many accounts, numbered from one; answers the records.
    pub async fn open_accounts(&self, count: i64) -> Result<Vec<Record>> {
        let user = self.db.user_by_email(EMAIL).await?.context("the person is there")?.id;
        let mut records = Vec::new();
        for id in 1..=count {
            let initial_balance = Money::whole(1_000_000);
            let terms = AccountTerms { id: AccountId(id), user, initial_balance, ..fixture::terms(Vec::new()) };
            records.extend(self.desk.command(Command::OpenAccount(terms), asker()).await?);
        }
        Ok(records)
    }

    /// Opens the accounts; answers what that left in the journal, and how many records it is.
    async fn recorded(&self) -> Result<(Vec<u8>, usize)> {
        let mut records = self.open_accounts(ACCOUNTS).await?;
        while records.len() < GROUP {
            records.extend_from_within(..records.len().min(GROUP - records.len()));
        }
        Ok((postcard::to_stdvec(&records)?, records.len()))
    }

    /// Every account opens and closes, one order after the other. Answers orders a second and the nanoseconds of each.
    async fn trade(&self) -> Result<(f64, Vec<f64>)> {
        let began = Instant::now();
        let traders: Vec<_> =
            (1..=ACCOUNTS).map(|id| tokio::spawn(trader(Arc::clone(&self.desk), AccountId(id), began))).collect();
        let mut taken = Vec::new();
        for trader in traders {
            taken.extend(trader.await??);
        }
        Ok((taken.len() as f64 / COUNTED.as_secs_f64(), taken))
    }
}

const EMAIL: &str = "bench@aurora.example";

pub(super) fn asker() -> Asker {
    Asker::system("bench")
}

async fn open(config: &Config) -> Result<(Arc<Floor>, Arc<Desk>, TenantDb)> {
    let store = Store::connect(config.database().expose()).await?;
    let began = Instant::now();
    let clock = Clock::from_fn(move || NOON.plus(i64::try_from(began.elapsed().as_millis()).unwrap_or(0)));
    let vault = Vault::open(config, clock.clone())?;
    let floor = Arc::new(serve::floor(config, &store, clock, vault)?);
    let system = store.system("bench");
    let tenants = system.tenants().await?;
    let tenant = tenants.iter().find(|t| t.spec.slug.as_str() == "aurora").context("aurora is there")?.id;
    let desk = floor.desk(tenant).await?;
    // Each instrument's first price comes when it comes; these are traded.
    while ![0, 1].into_iter().all(|id| desk.view().quotes.contains_key(&InstrumentId(id))) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok((floor, desk, system.tenant_db(tenant)))
}

/// Opens a position, closes it, and again, while orders are counted.
async fn trader(desk: Arc<Desk>, account: AccountId, began: Instant) -> Result<Vec<f64>> {
    let (mut taken, mut held) = (Vec::new(), None);
    while began.elapsed() < COUNTED * 2 {
        let asked = Instant::now();
        held = order(&desk, account, held).await?;
        if began.elapsed() >= COUNTED {
            taken.push(asked.elapsed().as_secs_f64() * 1e9);
        }
    }
    Ok(taken)
}

/// Closes the position that is held or opens one, until that is filled; answers what is held then.
async fn order(desk: &Desk, account: AccountId, held: Option<PositionId>) -> Result<Option<PositionId>> {
    let intent = match held {
        Some(position) => Intent::Close { position },
        None => Intent::Open {
            instrument: InstrumentId(1),
            side: Side::Buy,
            lots: Lots::from_units(1_000_000),
            stop_loss: None,
            take_profit: None,
        },
    };
    let records = desk.command(Command::Want { account, intent }, asker()).await?;
    let filled = records.iter().find_map(|record| match record {
        Record::PositionOpened(position) => Some(Some(position.id)),
        Record::PositionClosed(_) => Some(None),
        _ => None,
    });
    filled.with_context(|| format!("an order was not filled: {:?}", records.last()))
}

/// Commits entries of records and nothing else, to a shard of its own.
async fn journal_records_per_second(db: &TenantDb, records: &[u8], count: usize) -> Result<f64> {
    let (began, mut entries) = (Instant::now(), 0_i64);
    while began.elapsed() < COUNTED / 2 {
        entries += 1;
        let batch = CommitBatch {
            shard: 9,
            seq: entries,
            at: NOON,
            records: records.to_vec(),
            mark: vec![0; 64],
            ..CommitBatch::default()
        };
        db.commit_prepared(db.prepare(batch)?).await?;
    }
    Ok(entries as f64 * count as f64 / began.elapsed().as_secs_f64())
}

/// How often the disk makes a small write last.
fn syncs_per_second(folder: &Path) -> Result<f64> {
    let path = folder.join(format!("marque-bench-{}", std::process::id()));
    let mut file = std::fs::File::create(&path)?;
    let (began, mut syncs) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        syncs += 1;
    }
    let taken = began.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(f64::from(syncs) / taken)
}

/// Rows a second of a batched insert without us: a thousand small rows a transaction, in a table of its own beside ours.
pub(super) async fn bare_rows_per_second(url: &str) -> Result<f64> {
    const TABLE: &str = "CREATE TABLE bench_rows (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, body TEXT NOT NULL)";
    let rows: Vec<String> =
        (0..GROUP).map(|row| format!("(?{row}, {row}, 'about as long as a line of the ledger is')")).collect();
    let statement = |from: usize| {
        let values: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(row, text)| text.replacen(&format!("?{row}"), &(from + row).to_string(), 1))
            .collect();
        format!("INSERT INTO bench_rows VALUES {}", values.join(","))
    };
    let mut written = 0;
    let began;
    if url.starts_with("postgres") {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        connection.execute(sqlx::AssertSqlSafe(TABLE)).await?;
        began = Instant::now();
        while began.elapsed() < COUNTED / 2 {
            connection.execute(sqlx::AssertSqlSafe(statement(written))).await?;
            written += GROUP;
        }
    } else {
        let beside = format!("{url}-bare?mode=rwc");
        let mut connection = sqlx::SqliteConnection::connect(&beside).await?;
        connection.execute("PRAGMA journal_mode=WAL").await?;
        connection.execute("PRAGMA synchronous=FULL").await?;
        connection.execute(sqlx::AssertSqlSafe(TABLE)).await?;
        began = Instant::now();
        while began.elapsed() < COUNTED / 2 {
            connection.execute(sqlx::AssertSqlSafe(statement(written))).await?;
            written += GROUP;
        }
    }
    Ok(written as f64 / began.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_filled_in_the_house_that_is_measured() {
        let runtime = Runtime::new().unwrap();
        let house = House::new(&runtime, None).unwrap();
        runtime.block_on(async {
            house.open_accounts(1).await.unwrap();
            let held = order(&house.desk, AccountId(1), None).await.unwrap();
            assert!(held.is_some(), "the first order opens a position");
            assert_eq!(order(&house.desk, AccountId(1), held).await.unwrap(), None, "the second one closes it");
            house.floor.close().await;
        });
    }
}
