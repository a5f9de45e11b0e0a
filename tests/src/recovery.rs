//! A recording goes through the real server, its sandboxed plugins and its database: twice gives the same
//! orders and the same ledger, and so does a server that is killed again and again on the way.

use crate::oracles::{Left, aurora, hold, left};
use marque_domain::time::Millis;
use marque_market::{catalogue::Catalogue, columns::TickColumns, feed::synthetic_history, history::History};
use marque_testkit::site::Site;
use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

/// How often the server is killed.
const KILLS: u64 = 20;
/// Quotes of the recording that are used, and how many where two databases are compared.
const QUOTES: usize = 400_000;
const QUOTES_COMPARED: usize = 60_000;
/// So few quotes are over after a few starts.
const KILLS_COMPARED: u64 = 3;
/// A desk that has committed nothing for so long has come to the end of its recording.
const QUIET: Duration = Duration::from_secs(5);
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// A real recording where there is one, else a made-up one; the same each time.
fn recording(quotes: usize) -> TickColumns {
    if let Some(file) = shared("eurusd-ticks-fxcm-2014-05.csv.gz") {
        let site = Site::empty();
        site.succeeds(&["data", "import", "--instrument", "EURUSD", &file.display().to_string()]);
        let ticks = History::at(site.data().join("history")).ticks("EURUSD").expect("what was imported");
        let cut = |column: Vec<i64>| column.into_iter().take(quotes).collect();
        return TickColumns { at: cut(ticks.at), bid: cut(ticks.bid), ask: cut(ticks.ask) };
    }
    let catalogue = Catalogue::embedded().expect("the catalogue");
    let eurusd = catalogue.by_symbol("EURUSD").expect("EURUSD").id;
    let from = Millis(1_398_902_400_000);
    let to = from.plus(i64::try_from(quotes).expect("few") * 250);
    synthetic_history(7, &catalogue, eurusd, from, to).expect("a made-up recording")
}

/// A file of the recordings beside the repository, if they are there.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MARQUE_SHARED_DATA").map(PathBuf::from);
    let beside = marque_testkit::site::workspace().join("../shared/data");
    folder.into_iter().chain([beside]).map(|f| f.join(name)).find(|f| f.is_file())
}

/// A seeded site that replays so many quotes of the recording once, as fast as it can.
fn site(quotes: usize, on: Site) -> Site {
    let site = on
        .with("MARQUE_FEED_KIND", "replay")
        .with("MARQUE_FEED_SYMBOLS", "[EURUSD]")
        .with("MARQUE_FEED_SPEED", "1")
        .with("MARQUE_FEED_REPEAT", "false")
        .with("MARQUE_LOG_FILTER", "error,marque::audit=off");
    let history = History::at(site.data().join("history"));
    history.merge_ticks("EURUSD", &recording(quotes)).expect("the recording is stored");
    // While accounts are opened the market goes at its own pace, so that all are there in its first minute.
    site.seed().with("MARQUE_FEED_SPEED", "0")
}

/// Kills the server as often as it is said while it replays, and now and then while it starts as well.
///
/// # Panics
/// When a death came before the desk went on, or after its recording had ended at `end`: such a death tests nothing.
async fn killed_on_the_way(site: &Site, kills: u64, end: &[u8]) {
    // Times of death from a fixed walk, so that a failure can be repeated.
    let (mut walk, mut stood) = (0x9E37_79B9_u64, Vec::new());
    for kill in 0..kills {
        walk = walk.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if kill % 4 == 1 {
            // Before it listens: in the middle of its recovery, or of what it compiles for that.
            let mut serve = site.marque(&["serve"]);
            serve.env("MARQUE_LISTEN", "127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::null());
            let mut starting = serve.spawn().expect("marque must start");
            tokio::time::sleep(Duration::from_millis((walk >> 43) % 800)).await;
            starting.kill().and_then(|()| starting.wait()).expect("it dies");
        }
        let running = site.serve().await;
        let (store, db) = aurora(site).await;
        let began = Instant::now();
        let place = async || db.load_shard(0).await.expect("the shard").mark.unwrap_or_default();
        while place().await == stood {
            assert!(began.elapsed() < ENDS_WITHIN, "the desk does not go on");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        tokio::time::sleep(Duration::from_millis((walk >> 33) % 200)).await;
        running.kill();
        stood = place().await;
        assert_ne!(stood, end, "the recording had ended before the last death");
        store.close().await.expect("the database closes");
    }
}

/// Where a site's shard stands in the market.
async fn place_of(site: &Site) -> Vec<u8> {
    let (store, db) = aurora(site).await;
    let place = db.load_shard(0).await.expect("the shard").mark.unwrap_or_default();
    store.close().await.expect("the database closes");
    place
}

/// Lets the server run to the end of its recording, then stops it in order.
async fn run_to_the_end(site: &Site) {
    let running = site.serve().await;
    let (store, db) = aurora(site).await;
    let (began, mut seen, mut since) = (Instant::now(), 0, Instant::now());
    while since.elapsed() < QUIET {
        assert!(began.elapsed() < ENDS_WITHIN, "the recording did not end");
        let seq = db.load_shard(0).await.expect("the shard").seq;
        if seq != seen {
            (seen, since) = (seq, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    store.close().await.expect("the database closes");
    assert!(running.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_gives_the_same_orders_and_ledger_twice_and_through_twenty_kills() {
    let first = site(QUOTES, Site::empty());
    let (second, killed) = (first.copy(), first.copy());
    run_to_the_end(&first).await;
    run_to_the_end(&second).await;
    killed_on_the_way(&killed, KILLS, &place_of(&first).await).await;
    run_to_the_end(&killed).await;

    let (first, second, killed) = (hold(&first).await, hold(&second).await, hold(&killed).await);
    assert!(first.orders.len() > 100, "only {} orders: the test tests nothing", first.orders.len());
    assert!(first.statements.len() > first.orders.len() / 4, "only {} movements of money", first.statements.len());
    assert!(first.decisions.iter().any(|d| !d.answers.is_empty()), "no rule was asked");
    same(&first, &second);
    same(&first, &killed);
}

/// Compares piece by piece, so that a failure shows the first difference and not thousands of lines.
fn same(a: &Left, b: &Left) {
    for (x, y) in a.orders.iter().rev().zip(b.orders.iter().rev()) {
        assert_eq!(x, y);
    }
    for (x, y) in a.positions.iter().rev().zip(b.positions.iter().rev()) {
        assert_eq!(x, y);
    }
    for (x, y) in a.decisions.iter().rev().zip(b.decisions.iter().rev()) {
        assert_eq!(x, y);
    }
    assert_eq!(
        (a.orders.len(), a.positions.len(), a.decisions.len()),
        (b.orders.len(), b.positions.len(), b.decisions.len())
    );
    assert_eq!(a.books, b.books);
    for (x, y) in a.statements.iter().zip(&b.statements) {
        assert_eq!(x, y);
    }
    assert_eq!(a.statements.len(), b.statements.len());
}

/// What a trade is besides its id and its owner, which differ from seeding to seeding.
fn traded(left: &Left) -> Vec<String> {
    let mut trades: Vec<String> = left
        .orders
        .iter()
        .map(|o| format!("{} {:?} {} {:?} {:?} {:?}", o.id, o.side, o.lots, o.fill_price, o.state, o.created_at))
        .collect();
    trades.sort();
    trades
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_trades_as_sqlite_does_also_when_killed() {
    let Some(cluster) = marque_testkit::shared_postgres("postgresql_trades_as_sqlite_does_also_when_killed") else {
        return;
    };
    let database = cluster.database().expect("a database");
    let sqlite = site(QUOTES_COMPARED, Site::empty());
    let postgres = site(QUOTES_COMPARED, Site::empty().with("MARQUE_DATABASE_URL", database.url()));
    run_to_the_end(&sqlite).await;
    killed_on_the_way(&postgres, KILLS_COMPARED, &place_of(&sqlite).await).await;
    run_to_the_end(&postgres).await;
    let (sqlite, postgres) = (left(&sqlite).await, left(&postgres).await);
    assert!(sqlite.orders.len() > 20, "only {} orders: the test tests nothing", sqlite.orders.len());
    assert_eq!(traded(&sqlite), traded(&postgres));
    assert_eq!(sqlite.decisions.len(), postgres.decisions.len());
}
