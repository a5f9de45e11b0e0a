//! What it costs to know who asks: signing in, and every request after it, through the running `marque`.

use std::{io::Write as _, net::SocketAddr, process::Stdio, time::Instant};

use anyhow::{Context as _, Result, bail};
use marque_testkit::site::{Running, Site};

use crate::{
    bare::{BareDisk, BareServer, Hasher},
    http::{self, Connection},
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median, percentiles},
};

const HOST: &str = "aurora.localhost";
/// Everybody's, here.
const PASSWORD: &str = "seventeen sailing herons";
/// People that sign in.
const PEOPLE: usize = 16;
/// What a password's hash costs, on both sides.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Sign-ins and bare hashes of a sample.
const SIGN_INS: usize = 24;
/// Sign-ins at once, and threads that hash: the setting `passwords`.
const AT_ONCE: usize = 2;
/// Requests of a sample.
const REQUESTS: usize = 1_000;
/// Requests a second while limits and audit are watched, and for how many seconds.
const RATE: u32 = 1_000;
const RATE_S: u32 = 4;

/// How much of the rate of bare hashes signing in keeps, and how much longer its slow ones may take.
const SIGN_IN_RATE: f64 = 0.7;
const SIGN_IN_P99: f64 = 2.0;
/// A signed-in request by a handler that only answers.
const REQUEST: f64 = 6.0;
/// A request's slow case under load by its own median when nothing else runs.
const LOAD_P99: f64 = 10.0;
/// A durable order by one durable append of a page.
const AUDITED: f64 = 8.0;
/// Orders of a sample: each is decided, audited and durable before it is answered.
const ORDERS: usize = 200;
/// Accounts that a steady rate of orders is spread over: orders of one account are committed one after the other.
const ACCOUNTS: usize = 12;

/// Measures the group.
///
/// # Errors
/// When the server does not start or refuses what it should take.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let site = site()?;
        let running = site.serve().await;
        let mut rows = sign_ins(samples, &running).await?;
        rows.extend(requests(samples, &running).await?);
        rows.extend(audited(samples, &site, &running).await?);
        Ok(rows)
    })
}

/// The demo's brands with people who sign in, limits out of the way, and a proxy's word for who asks.
fn site() -> Result<Site> {
    let site = Site::empty()
        .with("MARQUE_PROXIES_TRUSTED", r#"["127.0.0.1/32"]"#)
        .with("MARQUE_LIMITS_SIGN_IN_ATTEMPTS", "1000")
        .with("MARQUE_LIMITS_PASSWORDS", AT_ONCE.to_string())
        .with("MARQUE_LIMITS_PASSWORD_MEMORY_KIB", MEMORY_KIB.to_string())
        .with("MARQUE_LIMITS_PASSWORD_PASSES", PASSES.to_string())
        .with("MARQUE_LOG_FILTER", "warn")
        .seed();
    for person in 0..PEOPLE {
        let mut add = site
            .marque(&["person", "add", "aurora", "--email", &email(person), "--name", "Bench", "--role", "trader"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("`marque` cannot be started")?;
        add.stdin.take().context("a pipe")?.write_all(PASSWORD.as_bytes())?;
        if !add.wait()?.success() {
            bail!("{} could not be added", email(person));
        }
    }
    Ok(site)
}

fn email(person: usize) -> String {
    format!("bench{person}@aurora.example")
}

/// Another client each time: a limit on addresses is not what is measured.
fn client(turn: usize) -> String {
    format!("10.{}.{}.{}", turn / 65_536 % 256, turn / 256 % 256, turn % 256)
}

fn get(path: &str, cookie: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n\r\n").into_bytes()
}

fn post(path: &str, cookie: &str, csrf: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nX-CSRF-Token: {csrf}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The sign-in form's token, which its cookie carries too.
async fn form_token(address: SocketAddr) -> Result<String> {
    let answer = Connection::open(address).await?.send(&get("/sign-in", "")).await?;
    let cookie = answer.headers("set-cookie").find_map(|cookie| cookie.strip_prefix("__Host-marque-form="));
    let token = cookie.and_then(|cookie| cookie.split(';').next()).context("the sign-in page sets no form cookie")?;
    Ok(token.to_owned())
}

fn sign_in(turn: usize, token: &str) -> Vec<u8> {
    sign_in_as(&email(turn % PEOPLE), PASSWORD, turn, token)
}

fn sign_in_as(email: &str, password: &str, turn: usize, token: &str) -> Vec<u8> {
    let password = password.replace(' ', "+");
    let body = format!("csrf={token}&email={}&password={password}", email.replace('@', "%40"));
    format!(
        "POST /sign-in HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: {}\r\nCookie: __Host-marque-form={token}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        client(turn),
        body.len()
    )
    .into_bytes()
}

/// Nanoseconds of each of `count` bare hashes on as many threads as the server uses, and of all together.
fn hashes(count: usize) -> Result<(Vec<f64>, f64)> {
    let began = Instant::now();
    let lane = || -> Result<Vec<f64>> {
        let hasher = Hasher::new(MEMORY_KIB, PASSES, 1)?;
        (0..count / AT_ONCE)
            .map(|_| {
                let began = Instant::now();
                std::hint::black_box(hasher.hash(PASSWORD)?);
                Ok(began.elapsed().as_secs_f64() * 1e9)
            })
            .collect()
    };
    let lanes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(lane)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a hashing thread ended"))).collect()
    });
    let lanes: Result<Vec<Vec<f64>>> = lanes;
    Ok((lanes?.concat(), began.elapsed().as_secs_f64() * 1e9))
}

async fn sign_ins(samples: Samples, running: &Running) -> Result<Vec<Row>> {
    let token = form_token(running.address()).await?;
    let (mut rates, mut slow, mut bare_rates, mut bare_slow, mut turn) = (vec![], vec![], vec![], vec![], 0);
    for sample in 0..samples.runs() {
        let lanes = (0..AT_ONCE)
            .map(|_| {
                (0..SIGN_INS / AT_ONCE)
                    .map(|_| {
                        turn += 1;
                        sign_in(turn, &token)
                    })
                    .collect()
            })
            .collect();
        let (each, all) = http::side_by_side(running.address(), lanes, 303).await?;
        let (bare_each, bare_all) = tokio::task::spawn_blocking(|| hashes(SIGN_INS)).await??;
        if sample > 0 {
            rates.push(SIGN_INS as f64 / all * 1e9);
            bare_rates.push(SIGN_INS as f64 / bare_all * 1e9);
            slow.extend(each);
            bare_slow.extend(bare_each);
        }
    }
    let ([p99], [bare_p99]) = (percentiles(slow, [0.99]), percentiles(bare_slow, [0.99]));
    Ok(vec![
        row(
            "sign-ins, two at once",
            median(rates),
            Unit::PerSecond,
            (Bound::AtLeast, SIGN_IN_RATE * median(bare_rates), "0.7 × bare Argon2id on two threads"),
        ),
        row(
            "sign-in, p99",
            p99,
            Unit::Nanos,
            (Bound::AtMost, SIGN_IN_P99 * bare_p99, "2 × p99 of bare Argon2id on two threads"),
        ),
    ])
}

/// The cookie of a new session.
async fn session(running: &Running, sign_in: impl Fn(&str) -> Vec<u8>) -> Result<String> {
    let token = form_token(running.address()).await?;
    let answer = Connection::open(running.address()).await?.send(&sign_in(&token)).await?;
    let cookie = answer.headers("set-cookie").find(|cookie| cookie.starts_with("__Host-marque="));
    let pair = cookie.and_then(|cookie| cookie.split(';').next()).context("signing in sets no cookie")?;
    Ok(pair.to_owned())
}

async fn requests(samples: Samples, running: &Running) -> Result<Vec<Row>> {
    let bare = BareServer::start().await?;
    let request = get("/api/v1/session", &session(running, |token| sign_in(1, token)).await?);
    let sample: Vec<_> = std::iter::repeat_n(request.clone(), REQUESTS).collect();
    let mut ours = Connection::open(running.address()).await?;
    let mut theirs = Connection::open(bare.address).await?;
    let (mut each, mut bare_each) = (vec![], vec![]);
    for turn in 0..samples.runs() {
        let (one, other) =
            (http::one_by_one(&mut ours, &sample, 200).await?, http::one_by_one(&mut theirs, &sample, 200).await?);
        if turn > 0 {
            each.push(median(one));
            bare_each.push(median(other));
        }
    }
    let alone = median(each);
    let load = http::at_rate(running.address(), vec![request; (RATE * RATE_S) as usize], RATE, 200).await?;
    let [p99] = percentiles(load, [0.99]);
    Ok(vec![
        row(
            "signed-in request: host, session, limit, permission",
            alone,
            Unit::Nanos,
            (Bound::AtMost, REQUEST * median(bare_each), "6 × a handler that only answers"),
        ),
        row(
            "the same at 1,000 requests a second, p99",
            p99,
            Unit::Nanos,
            (Bound::AtMost, LOAD_P99 * alone, "10 × its median when alone"),
        ),
    ])
}

/// A trader's orders, each with its entry in the audit chain: one after the other against the disk, and at a steady rate
/// against that.
async fn audited(samples: Samples, site: &Site, running: &Running) -> Result<Vec<Row>> {
    let trader = trader(site, running).await?;
    let mut turn = 0;
    let mut orders = |count: usize| -> Vec<_> {
        let keys = turn..turn + count;
        turn += count;
        keys.map(|key| trader.order(key)).collect()
    };
    let bare = BareDisk::open(&site.data())?;
    let mut connection = Connection::open(running.address()).await?;
    let (mut each, mut synced) = (vec![], vec![]);
    for sample in 0..samples.runs() {
        let ours = http::one_by_one(&mut connection, &orders(ORDERS), 200).await?;
        let theirs = bare.appends(ORDERS)?;
        if sample > 0 {
            each.push(median(ours));
            synced.push(median(theirs));
        }
    }
    let alone = median(each);
    let load = http::at_rate(running.address(), orders((RATE * RATE_S) as usize), RATE, 200).await?;
    let [p99] = percentiles(load, [0.99]);
    Ok(vec![
        row(
            "audited order: decided, chained, durable",
            alone,
            Unit::Nanos,
            (Bound::AtMost, AUDITED * median(synced), "8 × a durable append of one page to a file"),
        ),
        row(
            "the same at 1,000 orders a second, p99",
            p99,
            Unit::Nanos,
            (Bound::AtMost, LOAD_P99 * alone, "10 × its median when alone"),
        ),
    ])
}

/// The demo's trader, signed in.
struct Trader {
    accounts: Vec<String>,
    cookie: String,
    csrf: String,
}

impl Trader {
    /// An order that the gate refuses for its size, so that the book is the same before each.
    fn order(&self, key: usize) -> Vec<u8> {
        let Self { accounts, cookie, csrf } = self;
        let account = &accounts[key % accounts.len()];
        let body = r#"{"instrument":"EURUSD","side":"buy","lots":"90000"}"#;
        post(&format!("/api/v1/accounts/{account}/orders"), cookie, csrf, &format!("bench-{key}"), body)
    }
}

async fn trader(site: &Site, running: &Running) -> Result<Trader> {
    let said = site.succeeds(&["demo-seed"]);
    let seeded: serde_json::Value = serde_json::from_str(said.lines().last().context("the demo's people")?)?;
    let password = text(&seeded, "/people/0/password")?;
    let cookie = session(running, |token| sign_in_as("trader@aurora.example", &password, 0, token)).await?;
    let mut connection = Connection::open(running.address()).await?;
    let me = json(&connection.send(&get("/api/v1/session", &cookie)).await?.text)?;
    let csrf = text(&me, "/csrf_token")?;
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        let request = post("/api/v1/accounts", &cookie, &csrf, &format!("account-{number}"), r#"{"name":"Bench"}"#);
        accounts.push(text(&json(&connection.send(&request).await?.text)?, "/id")?);
    }
    Ok(Trader { accounts, cookie, csrf })
}

fn text(value: &serde_json::Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(|value| value.as_str());
    Ok(found.with_context(|| format!("no text at {pointer} in {value}"))?.to_owned())
}

/// The body of an answer.
fn json(answer: &str) -> Result<serde_json::Value> {
    let body = answer.split_once("\r\n\r\n").context("an answer without a body")?.1;
    serde_json::from_str(body).with_context(|| format!("not JSON: {body}"))
}

fn row(name: &str, value: f64, unit: Unit, (bound, limit, source): (Bound, f64, &str)) -> Row {
    Row {
        name: name.to_owned(),
        median: Figure { value, unit },
        limit: Limit { figure: Figure { value: limit, unit }, bound, source: source.to_owned() },
        promise: None,
    }
}
