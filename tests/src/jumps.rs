//! The machine's clock is set by a day, an hour, minutes and a year and more, back and forth, under a running server and
//! between two: nothing that has ended comes back, nothing is done or charged twice.

use crate::{
    oracles,
    storm::{Trader, answer, once_each},
    visitor::{between, cookies, demo_password, sign_in},
};
use marque_domain::ledger::TransactionKind;
use marque_store::{Page, Whose};
use marque_testkit::site::{Running, Site, workspace};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

const HOST: &str = "aurora.localhost";
const TRADER: &str = "trader@aurora.example";
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What a server is started with so that its clock can be set.
struct ClockShift {
    folder: TempDir,
    library: PathBuf,
}

impl ClockShift {
    /// None, with the reason printed, on a machine that cannot be told another time so.
    fn new() -> Option<Self> {
        if !cfg!(target_os = "linux") {
            marque_testkit::skipped("clocks that are set", "only Linux can be told another time by a library");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let library = folder.path().join("shift.so");
        // Who builds Rust has a C compiler: it links.
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(workspace().join("tests/clock/shift.c"));
        let built = cc.output().expect("cc must start");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let shift = Self { folder, library };
        fs::write(shift.file(), 0_i64.to_ne_bytes()).expect("a file");
        Some(shift)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("seconds")
    }

    fn for_site(&self, site: Site) -> Site {
        site.with("LD_PRELOAD", self.library.display().to_string())
            .with("CLOCK_SHIFT", self.file().display().to_string())
    }

    /// Sets the clock so many seconds off the truth, from now on.
    fn set(&self, seconds: i64) {
        let file = fs::OpenOptions::new().write(true).open(self.file()).expect("the file");
        file.write_at(&seconds.to_ne_bytes(), 0).expect("eight bytes");
    }
}

/// Somebody with one of everything that ends.
struct Holder<'a> {
    server: &'a Running,
    trader: &'a Trader,
    access: String,
    refresh: String,
    link: String,
}

impl Holder<'_> {
    async fn status(&self, path: &str, header: (&str, &str)) -> u16 {
        let client = self.server.client(HOST).expect("a client");
        let asked = client.get(self.server.url(HOST, path)).header(header.0, header.1).send().await;
        asked.expect("an answer").status().as_u16()
    }

    async fn session(&self) -> u16 {
        self.status("/api/v1/session", ("cookie", self.trader.cookie())).await
    }

    async fn access(&self) -> u16 {
        self.status("/api/v1/session", ("authorization", &format!("Bearer {}", self.access))).await
    }

    async fn link(&self) -> u16 {
        self.status(&self.link, ("accept", "text/html")).await
    }
}

async fn post(server: &Running, path: &str, body: &Value) -> (u16, Value) {
    let client = server.client(HOST).expect("a client");
    answer(client.post(server.url(HOST, path)).json(body).send().await).await.expect("an answer")
}

async fn refresh(server: &Running, token: &str) -> (u16, Value) {
    post(server, "/api/v1/tokens/refresh", &json!({ "refresh_token": token })).await
}

/// Asks for a link that sets a new password, and answers its path.
async fn reset_link(server: &Running, site: &Site) -> String {
    let page = server.get(HOST, "/forgot").await.expect("a page");
    let cookie = cookies(&page);
    let csrf = between(&page.text().await.expect("a text"), "name=\"csrf\" value=\"", "\"");
    let client = server.client(HOST).expect("a client");
    let form = [("csrf", csrf.as_str()), ("email", TRADER)];
    let asked = client.post(server.url(HOST, "/forgot")).header("cookie", cookie).form(&form).send().await;
    assert_eq!(asked.expect("an answer").status().as_u16(), 303);
    let folder = site.data().join("mail/aurora");
    for _ in 0..200 {
        let letters = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let reset = letters.filter(|path| path.to_string_lossy().contains("reset-password")).max();
        if let Some(raw) = reset.and_then(|path| fs::read_to_string(path).ok()) {
            // Quoted-printable: soft line breaks, and the equals sign.
            let text = raw.replace("=\r\n", "").replace("=3D", "=");
            return format!("/reset?token={}", &between(&text, "/reset?token=", "\r\n")[..43]);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no mail came");
}

/// Tries so often to sign in with a wrong password, and answers what the last try got.
async fn guess(server: &Running, times: usize) -> u16 {
    let mut last = 0;
    for _ in 0..times {
        let body = json!({ "email": "owner@aurora.example", "password": "not the pass phrase" });
        last = post(server, "/api/v1/tokens", &body).await.0;
    }
    last
}

async fn market_time(server: &Running, trader: &Trader) -> String {
    trader.get(server, "/api/v1/market").await["now"].as_str().expect("a time").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_ended_comes_back_when_the_clock_is_set() {
    let Some(clock) = ClockShift::new() else { return };
    let site = clock.for_site(Site::empty()).seed();
    let password = demo_password(&site);
    let server = site.serve().await;
    let trader = Trader::new(&server, sign_in(&server, HOST, TRADER, &password).await).await;
    let (status, tokens) = post(&server, "/api/v1/tokens", &json!({ "email": TRADER, "password": password })).await;
    assert_eq!(status, 200, "{tokens}");
    let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let link = reset_link(&server, &site).await;
    let holder =
        Holder { server: &server, trader: &trader, access: text("access_token"), refresh: text("refresh_token"), link };
    let client = server.client(HOST).expect("a client");
    let asked = trader.order();
    let done = answer(trader.request(&server, &client, &asked).send().await).await.expect("an answer");
    assert_eq!(done.0, 200);
    let mut market = market_time(&server, &trader).await;

    // Off by, then what the session, the access token of ten minutes and the link of an hour are still good for.
    for (off, want) in [
        (0, [200, 200, 200]),
        (5 * MINUTE, [200, 200, 200]),
        (-HOUR, [200, 200, 200]),
        (2 * HOUR, [200, 401, 410]),
        (-DAY, [200, 401, 410]),
        (-HOUR, [200, 401, 410]),
    ] {
        clock.set(off);
        let got = [holder.session().await, holder.access().await, holder.link().await];
        assert_eq!(got, want, "{off} s off");
        let again = answer(trader.request(&server, &client, &asked).send().await).await.expect("an answer");
        assert_eq!(again, done, "{off} s off: the same key is the same order");
        let now = market_time(&server, &trader).await;
        assert!(now >= market, "{off} s off: the market went back from {market} to {now}");
        market = now;
    }
    // A refresh token is used up once, whatever the time; shown again it ends all that came of it.
    let (status, next) = refresh(&server, &holder.refresh).await;
    assert_eq!(status, 200, "{next}");
    clock.set(-DAY);
    assert_eq!(refresh(&server, &holder.refresh).await.0, 401);
    assert_eq!(refresh(&server, next["refresh_token"].as_str().expect("a token")).await.0, 401);

    // A limit that is full stays full when the clock is set back, and opens when its time is over.
    clock.set(2 * HOUR);
    assert_eq!(guess(&server, 6).await, 429);
    clock.set(-DAY);
    assert_eq!(guess(&server, 1).await, 429);
    clock.set(2 * HOUR + 16 * MINUTE);
    assert_eq!(guess(&server, 1).await, 401);

    clock.set(400 * DAY);
    assert_eq!([holder.session().await, holder.access().await, holder.link().await], [401, 401, 410]);
    clock.set(0);
    assert_eq!([holder.session().await, holder.access().await, holder.link().await], [401, 401, 410]);
    let trader = Trader::new(&server, sign_in(&server, HOST, TRADER, &password).await).await;
    assert!(market_time(&server, &trader).await >= market);
    server.kill();
    once_each(&oracles::hold(&site).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_charged_twice_when_the_clock_is_set_between_two_starts() {
    let Some(clock) = ClockShift::new() else { return };
    let site = clock.for_site(Site::empty()).seed();
    let password = demo_password(&site);
    let (mut market, mut charged, midweek) = (String::new(), 0, to_midweek());
    for off in [0, -HOUR, 5 * MINUTE, -DAY, 3 * DAY, 0, 400 * DAY, 0] {
        clock.set(midweek + off);
        let server = site.serve().await;
        let trader = Trader::new(&server, sign_in(&server, HOST, TRADER, &password).await).await;
        let client = server.client(HOST).expect("a client");
        let order = trader.marked(&off.to_string());
        let opened = answer(trader.request(&server, &client, &order).send().await).await.expect("an answer");
        assert!(matches!(opened.0, 200 | 409), "{opened:?}");
        let now = market_time(&server, &trader).await;
        assert!(now >= market, "{off} s off: the market went back from {market} to {now}");
        market = now;
        // Until the market has moved; set back, it may stand still until its time comes.
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = market_time(&server, &trader).await;
            if now > market {
                market = now;
                break;
            }
        }
        assert!(server.stop().success());
        let swaps = nights(&site).await;
        assert!(swaps >= charged, "{off} s off: what was charged stays");
        charged = swaps;
    }
    assert!(charged > 0, "no night was charged: the test tests nothing");
    oracles::hold(&site).await;
}

/// Seconds until noon of the next Wednesday: the market is open, and so it was and will be for days.
#[expect(clippy::disallowed_methods, reason = "the servers of these tests go by the machine's clock")]
fn to_midweek() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970").as_secs().cast_signed();
    // The first of January 1970 was a Thursday.
    let days = (6 - now / DAY).rem_euclid(7);
    days * DAY + 12 * HOUR - now % DAY
}

/// How many nights were charged; each at most once for a position.
async fn nights(site: &Site) -> usize {
    let (store, db) = oracles::aurora(site).await;
    let mut nights = BTreeSet::new();
    for account in db.accounts(Whose::Everyone, Page::first(50)).await.expect("accounts").items {
        let mut page = Page::first(200);
        loop {
            let got = db.statement(Whose::Everyone, account.terms.id, page).await.expect("a statement");
            for line in got.items.iter().filter(|line| line.moved.kind() == TransactionKind::Swap) {
                let night = (line.moved.reference(), line.moved.at());
                assert!(nights.insert(night), "{night:?} was charged twice");
            }
            let Some(next) = got.next else { break };
            page.after = Some(next);
        }
    }
    store.close().await.expect("the database closes");
    nights.len()
}
