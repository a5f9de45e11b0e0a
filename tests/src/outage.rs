//! People trade while the disk is full or read-only, or the database or Redis is away: nothing is acknowledged that is not
//! committed, what can be read is read, nobody signs in without being counted, and the server goes on when the fault is over.

use crate::{
    disk::{BreakingDisk, SmallDisk},
    oracles,
    storm::{Asked, Trader, answer, once_each},
    visitor::{between, cookies, demo_password, sign_in},
};
use marque_testkit::{
    Cluster,
    site::{Running, Site},
};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

const HOST: &str = "aurora.localhost";
const TRADER: &str = "trader@aurora.example";
/// How often each fault comes, and more often for a run on demand: `cargo xtask soak`.
const RUNS: usize = 5;
const RUNS_SETTING: &str = "XTASK_SOAK_OUTAGES";
/// Who trades at once.
const CLIENTS: usize = 3;
/// How long a fault lasts once it is felt.
const FAULT: Duration = Duration::from_millis(1_200);
/// Within this a fault is felt, and the server goes on after it: a desk tries again every ten seconds at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// A site where somebody may sign in as often as this test does.
fn site() -> Site {
    Site::empty().with("MARQUE_LIMITS_SIGN_IN_ATTEMPTS", "1000")
}

fn runs() -> usize {
    std::env::var(RUNS_SETTING).ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS)
}

/// Somebody who trades on through everything, and remembers all of it.
struct Rider {
    server: Arc<Running>,
    trader: Arc<Trader>,
    password: String,
    stop: Arc<AtomicBool>,
    /// Answers with a commit behind them, and refusals.
    answered: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Asked>>>,
}

impl Rider {
    async fn begin(server: Arc<Running>, trader: &Arc<Trader>, password: &str) -> Self {
        let mut rider = Self {
            server,
            trader: Arc::clone(trader),
            password: password.to_owned(),
            stop: Arc::default(),
            answered: Arc::default(),
            refused: Arc::default(),
            clients: Vec::new(),
        };
        rider.clients = (0..CLIENTS).map(|_| tokio::spawn(rider.rides())).collect();
        rider.until("it trades", &rider.answered, 1).await;
        rider
    }

    /// Trades until it is told to stop: opens a position, closes it, opens the next.
    fn rides(&self) -> impl Future<Output = Vec<Asked>> + use<> {
        let (server, trader, stop) = (Arc::clone(&self.server), Arc::clone(&self.trader), Arc::clone(&self.stop));
        let (answered, refused) = (Arc::clone(&self.answered), Arc::clone(&self.refused));
        async move {
            let client = server.client(HOST).expect("a client");
            let (mut all, mut open): (Vec<Asked>, Option<String>) = (Vec::new(), None);
            while !stop.load(Ordering::Relaxed) {
                let mut asked = open.take().map_or_else(|| trader.order(), |order| trader.close(&order));
                let opens = !asked.body.is_null();
                match answer(trader.request(&server, &client, &asked).send().await).await {
                    Some((200, decision)) => {
                        open = decision.pointer("/order").and_then(Value::as_str).filter(|_| opens).map(str::to_owned);
                        asked.answered = Some(decision);
                        answered.fetch_add(1, Ordering::Relaxed);
                        all.push(asked);
                    }
                    Some((404 | 409 | 422, _)) => {}
                    Some((503, problem)) => {
                        assert_eq!(problem["code"], "unavailable", "{problem}");
                        refused.fetch_add(1, Ordering::Relaxed);
                        all.push(asked);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Some((status, body)) => panic!("{status}: {body}"),
                    None => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        all.push(asked);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            all
        }
    }

    /// Waits until there are so many more of something.
    async fn until(&self, what: &str, count: &AtomicUsize, more: usize) {
        let (from, began) = (count.load(Ordering::Relaxed), Instant::now());
        while count.load(Ordering::Relaxed) < from + more {
            assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn is_felt(&self) {
        self.until("the fault is felt", &self.refused, CLIENTS).await;
        tokio::time::sleep(FAULT).await;
    }

    async fn goes_on(&self) {
        self.until("it trades again", &self.answered, 4 * CLIENTS).await;
    }

    /// The status of a page that somebody reads who is signed in, and of the same in the API.
    async fn reads(&self) -> [u16; 2] {
        let client = self.server.client(HOST).expect("a client");
        let mut statuses = [0; 2];
        for (path, status) in ["/dashboard", "/api/v1/accounts"].into_iter().zip(&mut statuses) {
            let asked = client.get(self.server.url(HOST, path)).header("cookie", self.trader.cookie());
            *status = asked.send().await.map_or(0, |answer| answer.status().as_u16());
        }
        statuses
    }

    /// What somebody is answered who signs in with the right password; none when not even the form is there.
    async fn signs_in(&self) -> Option<u16> {
        let page = self.server.get(HOST, "/sign-in").await.ok().filter(|page| page.status().is_success())?;
        let cookie = cookies(&page);
        let csrf = between(&page.text().await.ok()?, "name=\"csrf\" value=\"", "\"");
        let form = [("csrf", csrf.as_str()), ("email", TRADER), ("password", &self.password), ("next", "/dashboard")];
        let client = self.server.client(HOST).expect("a client");
        let request = client.post(self.server.url(HOST, "/sign-in")).header("cookie", cookie).form(&form);
        request.send().await.ok().map(|answer| answer.status().as_u16())
    }

    /// Ends, and answers everything that was asked.
    async fn ends(self) -> (Arc<Running>, Vec<Asked>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.clients {
            all.extend(client.await.expect("a client ends by itself"));
        }
        (self.server, all)
    }
}

/// O1: each decision that somebody had in hand is there as it was, also by its key; of the others each was carried out once
/// or not at all, and its key says which, or that nobody knows.
///
/// A disk that failed between the commit and the keeping of the answer: the key stays taken, so that nothing is done twice,
/// and the server keeps the answer when it can. Only when it died before that (`died`) nobody can.
async fn accounted_for(trader: &Trader, server: &Running, all: &[Asked], died: bool) -> usize {
    let client = server.client(HOST).expect("a client");
    for asked in all {
        let began = Instant::now();
        let again = loop {
            let again = answer(trader.request(server, &client, asked).send().await).await.expect("an answer");
            let taken = again.0 == 409 && again.1["code"] == "idempotency-in-flight";
            if !taken || asked.answered.is_none() || died || began.elapsed() > PATIENCE {
                break again;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        match &asked.answered {
            Some(decision) => {
                let lost = died && again.0 == 409 && again.1["code"] == "idempotency-in-flight";
                assert!(lost || again == (200, decision.clone()), "{asked:?}: {again:?}");
                let id = decision["id"].as_str().expect("an id");
                assert_eq!(trader.get(server, &format!("/api/v1/decisions/{id}")).await, *decision);
            }
            None => assert!(matches!(again.0, 200 | 404 | 409 | 422 | 503), "{asked:?}: {again:?}"),
        }
    }
    all.iter().filter(|asked| asked.answered.is_some()).count()
}

/// The rest of the oracles, when everything is over.
fn tell(what: &str, runs: usize, answered: usize, unknown: usize, slowest: Duration, orders: usize) {
    let slowest = slowest.as_millis();
    println!(
        "{what}, {runs} runs: {answered} answers in hand, {unknown} refused or cut off, {orders} orders; trades again within {slowest} ms"
    );
    assert!(answered > 5 * runs && orders > runs, "{answered} answers, {orders} orders: the test tests nothing");
    assert!(unknown > 0, "no fault was felt: the test tests nothing");
}

async fn somebody(server: &Running, site: &Site) -> (Arc<Trader>, String) {
    let password = demo_password(site);
    let credentials = sign_in(server, HOST, TRADER, &password).await;
    (Arc::new(Trader::new(server, credentials).await), password)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    let site = site();
    let Some(disk) = SmallDisk::at(site.data(), 96 << 10) else { return };
    let site = site.seed();
    let mut server = Arc::new(site.serve().await);
    let (trader, password) = somebody(&server, &site).await;
    let (mut all, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..runs() {
        let rider = Rider::begin(server, &trader, &password).await;
        disk.fill();
        rider.is_felt().await;
        assert_eq!(rider.reads().await, [200, 200], "what is there can be read");
        assert_ne!(rider.signs_in().await, Some(303), "nobody gets in whose sign-in cannot be written down");
        disk.free();
        let began = Instant::now();
        rider.goes_on().await;
        slowest = slowest.max(began.elapsed());
        assert_eq!(rider.signs_in().await, Some(303));
        let asked;
        (server, asked) = rider.ends().await;
        accounted_for(&trader, &server, &asked, false).await;
        all.extend(asked);
    }
    let answered = accounted_for(&trader, &server, &all, false).await;
    Arc::into_inner(server).expect("nobody asks any more").kill();
    let orders = once_each(&oracles::hold(&site).await);
    tell("A full disk", runs(), answered, all.len() - answered, slowest, orders);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_turns_read_only() {
    let site = site();
    let Some(disk) = BreakingDisk::at(site.data(), 160) else { return };
    let site = site.seed();
    let mut server = Arc::new(site.serve().await);
    let (trader, password) = somebody(&server, &site).await;
    let (mut all, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..runs() {
        let rider = Rider::begin(server, &trader, &password).await;
        disk.break_it();
        rider.is_felt().await;
        assert_eq!(rider.reads().await, [200, 200], "what is there can be read");
        assert_ne!(rider.signs_in().await, Some(303), "nobody gets in whose sign-in cannot be written down");
        let (running, asked) = rider.ends().await;
        all.extend(asked);
        // Such a disk must be mounted anew, and a server that has it open cannot stay.
        Arc::into_inner(running).expect("nobody asks any more").kill();
        disk.mend();
        let began = Instant::now();
        server = Arc::new(site.serve().await);
        let rider = Rider::begin(server, &trader, &password).await;
        slowest = slowest.max(began.elapsed());
        let asked;
        (server, asked) = rider.ends().await;
        all.extend(asked);
        accounted_for(&trader, &server, &all, true).await;
    }
    let answered = accounted_for(&trader, &server, &all, true).await;
    Arc::into_inner(server).expect("nobody asks any more").kill();
    let orders = once_each(&oracles::hold(&site).await);
    tell("A read-only disk", runs(), answered, all.len() - answered, slowest, orders);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away() {
    let name = "a_database_that_goes_away";
    // Its own: others share the one that is there for all.
    if marque_testkit::shared_postgres(name).is_none() {
        return;
    }
    let cluster = Cluster::start().expect("a cluster");
    let database = cluster.database().expect("a database");
    let site = site().with("MARQUE_DATABASE_URL", database.url()).seed();
    let mut server = Arc::new(site.serve().await);
    let (trader, password) = somebody(&server, &site).await;
    let (mut all, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..runs() {
        let rider = Rider::begin(server, &trader, &password).await;
        cluster.stop().expect("it stops");
        rider.is_felt().await;
        assert_eq!(rider.reads().await, [503, 503], "who cannot be recognised is told to come back");
        assert!(matches!(rider.signs_in().await, None | Some(503)), "nobody gets in who cannot be looked up");
        cluster.restart().expect("it starts");
        let began = Instant::now();
        rider.goes_on().await;
        slowest = slowest.max(began.elapsed());
        assert_eq!(rider.reads().await, [200, 200]);
        assert_eq!(rider.signs_in().await, Some(303));
        let asked;
        (server, asked) = rider.ends().await;
        accounted_for(&trader, &server, &asked, false).await;
        all.extend(asked);
    }
    let answered = accounted_for(&trader, &server, &all, false).await;
    Arc::into_inner(server).expect("nobody asks any more").kill();
    let orders = once_each(&oracles::hold(&site).await);
    tell("A database that goes away", runs(), answered, all.len() - answered, slowest, orders);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_goes_away() {
    let Some(shared) = marque_testkit::shared_redis("redis_goes_away") else { return };
    let mut redis = shared.another().expect("a server");
    let site = site().with("MARQUE_REDIS_URL", redis.url()).seed();
    let mut server = Arc::new(site.serve().await);
    let (trader, password) = somebody(&server, &site).await;
    let (mut all, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..runs() {
        let rider = Rider::begin(server, &trader, &password).await;
        redis.stop();
        assert_eq!(rider.signs_in().await, Some(503), "a sign-in that nobody counts is refused");
        rider.goes_on().await;
        assert_eq!(rider.reads().await, [200, 200]);
        assert_eq!(rider.signs_in().await, Some(503), "and the next as well");
        redis.start().expect("it starts");
        let began = Instant::now();
        while rider.signs_in().await != Some(303) {
            assert!(began.elapsed() < PATIENCE, "people can sign in again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slowest = slowest.max(began.elapsed());
        let asked;
        (server, asked) = rider.ends().await;
        assert!(asked.iter().filter(|asked| asked.answered.is_none()).count() == 0, "trading needs no Redis");
        all.extend(asked);
    }
    let answered = accounted_for(&trader, &server, &all, false).await;
    Arc::into_inner(server).expect("nobody asks any more").kill();
    let orders = once_each(&oracles::hold(&site).await);
    let (runs, slowest) = (runs(), slowest.as_millis());
    println!(
        "Redis goes away, {runs} runs: {answered} answers in hand, {orders} orders; people sign in again within {slowest} ms"
    );
    assert!(answered > 5 * runs && orders > runs, "{answered} answers, {orders} orders: the test tests nothing");
}
