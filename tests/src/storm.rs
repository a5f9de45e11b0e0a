//! People trade over the API while the server is killed again and again: what was acknowledged is there, once.

use crate::{
    oracles,
    visitor::{Credentials, demo_password, sign_in},
};
use marque_domain::fixed::{Price, SCALE};
use marque_testkit::site::{Running, Site};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const HOST: &str = "aurora.localhost";
/// How often the server is killed, and more often for a run on demand: `cargo xtask soak --kills 1000`.
const KILLS: u64 = 10;
const KILLS_SETTING: &str = "XTASK_SOAK_KILLS";
/// How long the market may take to its first price: a recording is quoted every few seconds at the least.
const PRICE_COMES: Duration = Duration::from_secs(60);
/// Who trades at once.
const CLIENTS: usize = 4;

/// A request to trade, as its client remembers it.
#[derive(Debug, Clone)]
pub struct Asked {
    path: String,
    key: String,
    pub body: Value,
    /// The decision, once somebody had the answer in hand.
    pub answered: Option<Value>,
}

/// Somebody who trades, through all deaths of the server.
pub struct Trader {
    cookie: String,
    csrf: String,
    account: String,
    next: AtomicUsize,
}

impl Trader {
    /// Who has these credentials, on their newest account, once what they trade has a price.
    pub async fn new(server: &Running, Credentials { session, csrf }: Credentials) -> Self {
        let cookie = format!("__Host-marque={session}");
        let mut trader = Self { cookie, csrf, account: String::new(), next: AtomicUsize::new(0) };
        let accounts = trader.get(server, "/api/v1/accounts").await;
        trader.account = accounts.pointer("/items/0/id").and_then(Value::as_str).expect("an account").to_owned();
        let begun = Instant::now();
        while !trader.sees_a_price(server).await {
            assert!(begun.elapsed() < PRICE_COMES, "EURUSD has no price {PRICE_COMES:?} after the server listens");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        trader
    }

    async fn sees_a_price(&self, server: &Running) -> bool {
        let market = self.get(server, "/api/v1/market").await;
        market["quotes"].as_array().expect("quotes").iter().any(|quote| quote["symbol"] == "EURUSD")
    }

    /// What their browser shows.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Each order has a take-profit that no other has: by it a decision is known again.
    pub fn order(&self) -> Asked {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}.{:05}", 2 + number / 100_000, number % 100_000);
        let body = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01", "take_profit": mark });
        let path = format!("/api/v1/accounts/{}/orders", self.account);
        Asked { path, key: format!("storm-{number}"), body, answered: None }
    }

    /// An order that stays open: nothing guards it.
    pub fn marked(&self, key: &str) -> Asked {
        let body = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
        Asked {
            path: format!("/api/v1/accounts/{}/orders", self.account),
            key: format!("held-{key}"),
            body,
            answered: None,
        }
    }

    pub fn close(&self, order: &str) -> Asked {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = format!("/api/v1/positions/{}/close", order.replacen("ord_", "pos_", 1));
        Asked { path, key: format!("storm-{number}"), body: Value::Null, answered: None }
    }

    pub fn request(&self, server: &Running, client: &Client, asked: &Asked) -> RequestBuilder {
        let request = client.post(server.url(HOST, &asked.path)).header("cookie", &self.cookie);
        let request = request.header("x-csrf-token", &self.csrf).header("idempotency-key", &asked.key);
        if asked.body.is_null() { request } else { request.json(&asked.body) }
    }

    pub async fn get(&self, server: &Running, path: &str) -> Value {
        let client = server.client(HOST).expect("a client");
        let answer = client.get(server.url(HOST, path)).header("cookie", &self.cookie).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.expect("JSON")
    }
}

/// Trades until the server is gone: opens a position, closes it, opens the next.
async fn trade(trader: &Trader, server: &Running) -> Vec<Asked> {
    let client = server.client(HOST).expect("a client");
    let (mut all, mut open): (Vec<Asked>, Option<String>) = (Vec::new(), None);
    loop {
        let mut asked = open.take().map_or_else(|| trader.order(), |order| trader.close(&order));
        let opens = !asked.body.is_null();
        match answer(trader.request(server, &client, &asked).send().await).await {
            Some((200, decision)) => {
                open = decision.pointer("/order").and_then(Value::as_str).filter(|_| opens).map(str::to_owned);
                asked.answered = Some(decision);
                all.push(asked);
            }
            // The stop-loss of the day was faster, or the position is on its way out: nothing was changed.
            Some((404 | 409 | 422, _)) => {}
            Some((503, _)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Some((status, body)) => panic!("{status}: {body}"),
            None => {
                all.push(asked);
                return all;
            }
        }
    }
}

/// Status and body; none when there is no whole answer.
pub async fn answer(answer: reqwest::Result<Response>) -> Option<(u16, Value)> {
    let answer = answer.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}

/// O1: each decision that somebody had in hand is there as it was, also by its key; of the others each was carried out once
/// or not at all, and says which.
async fn acknowledged_is_present(trader: &Trader, server: &Running, all: &[Asked]) -> usize {
    let client = server.client(HOST).expect("a client");
    let mut unknown = 0;
    for asked in all {
        let again = answer(trader.request(server, &client, asked).send().await).await.expect("an answer");
        match &asked.answered {
            Some(decision) => {
                assert_eq!(again, (200, decision.clone()), "{asked:?}");
                let id = decision["id"].as_str().expect("an id");
                assert_eq!(trader.get(server, &format!("/api/v1/decisions/{id}")).await, *decision);
            }
            None => {
                assert!(matches!(again.0, 200 | 404 | 409 | 422), "{asked:?}: {again:?}");
                unknown += usize::from(again.0 == 409);
            }
        }
    }
    unknown
}

/// No order counts twice, however often it was sent.
pub fn once_each(left: &oracles::Left) -> usize {
    let mut marks: BTreeMap<Price, usize> = BTreeMap::new();
    let ours = left.orders.iter().filter_map(|order| order.take_profit).filter(|mark| mark.units() >= 2 * SCALE);
    for mark in ours {
        *marks.entry(mark).or_default() += 1;
    }
    for (mark, count) in &marks {
        assert_eq!(*count, 1, "the order of {mark} counts {count} times");
    }
    marks.len()
}

async fn storm(site: Site) {
    let kills = std::env::var(KILLS_SETTING).ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let password = demo_password(&site);
    let mut server = site.serve().await;
    let credentials = sign_in(&server, HOST, "trader@aurora.example", &password).await;
    let trader = Arc::new(Trader::new(&server, credentials).await);
    // Times of death from a fixed walk, 10 to 500 ms, so that a failure can be repeated.
    let (mut walk, mut answered, mut unknown, mut slowest) = (0x51_7C_C1_B7_u64, 0, 0, Duration::ZERO);
    let mut refused = Value::Null;
    for _ in 0..kills {
        walk = walk.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let death = Duration::from_millis(10 + (walk >> 33) % 490);
        let running = Arc::new(server);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (trader, running) = (Arc::clone(&trader), Arc::clone(&running));
                tokio::spawn(async move { trade(&trader, &running).await })
            })
            .collect();
        tokio::time::sleep(death).await;
        running.strike();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.expect("a client ends by itself"));
        }
        let began = Instant::now();
        server = site.serve().await;
        slowest = slowest.max(began.elapsed());
        let decisions: Vec<_> = all.iter().filter_map(|asked| asked.answered.as_ref()).collect();
        answered += decisions.len();
        refused = decisions.iter().rfind(|decision| decision["order"].is_null()).map_or(refused, |&last| last.clone());
        unknown += acknowledged_is_present(&trader, &server, &all).await;
    }
    server.kill();
    let orders = once_each(&oracles::hold(&site).await);
    println!(
        "{kills} kills: {answered} answers in hand, {orders} orders, {unknown} cut off; ready again within {} ms",
        slowest.as_millis()
    );
    assert!(
        answered > 10 && orders > 5,
        "{answered} answers, {orders} orders: the test tests nothing; refused: {refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_on_sqlite() {
    storm(Site::seeded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_on_postgresql() {
    let Some(cluster) = marque_testkit::shared_postgres("what_was_acknowledged_is_there_once_on_postgresql") else {
        return;
    };
    let database = cluster.database().expect("a database");
    storm(Site::empty().with("MARQUE_DATABASE_URL", database.url()).seed()).await;
}
