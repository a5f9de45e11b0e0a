//! Keys are changed by a command that is killed again and again: nothing that is sealed is lost, and the next run goes on.

use crate::{
    oracles::recorded,
    visitor::{between, cookies},
};
use marque_testkit::site::{Running, Site};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

const HOST: &str = "aurora.localhost";
/// Sealed mails, and how many are sealed anew in one transaction.
const MAILS: usize = 650;
const PAGE: usize = 200;
/// Keys of licences that the demo has: a page of their own.
const LICENCE_KEYS: usize = 1;
/// Keys of files of its Expert Advisor: likewise.
const EA_FILES: usize = 2;
/// Before the first page: while the new key spreads.
const EARLY_KILLS_MS: [u64; 3] = [40, 400, 1_500];
const MASTER_KILLS_MS: [u64; 6] = [5, 15, 25, 40, 60, 90];

/// A site whose mails wait, sealed: nobody listens where they should go.
async fn site() -> Site {
    let site = Site::empty()
        .with("MARQUE_MAIL_SMTP_URL", "smtp://127.0.0.1:9")
        .with("MARQUE_LIMITS_RESETS_PER_HOUR", "10000")
        .with("MARQUE_LOG_FILTER", "error")
        // The master key changes too, in a file of this site's own.
        .with("MARQUE_MASTER_KEY", "")
        .seed();
    let server = site.serve().await;
    forget_passwords(&server).await;
    server.kill();
    site
}

async fn forget_passwords(server: &Running) {
    let page = server.get(HOST, "/forgot").await.expect("a page");
    let cookie = cookies(&page);
    let csrf = between(&page.text().await.expect("a text"), "name=\"csrf\" value=\"", "\"");
    let client = server.client(HOST).expect("a client");
    for mail in 0..MAILS {
        let form = [("csrf", csrf.clone()), ("email", format!("nobody{mail}@x.example"))];
        let request = client.post(server.url(HOST, "/forgot")).header("cookie", &cookie).form(&form);
        assert_eq!(request.send().await.expect("an answer").status().as_u16(), 303);
    }
}

fn rotate(site: &Site, more: &str) -> Child {
    site.marque(&["keys", "rotate", more]).stdout(Stdio::piped()).spawn().expect("the binary must start")
}

/// Kills a change of keys at its first page, and answers what that page said; none when it came to its end.
fn kill_at_first_page(site: &Site) -> Option<String> {
    let mut child = rotate(site, "aurora");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    let page = !first.contains("key ");
    if page {
        // Already at its end: then the kill does nothing.
        let _ = child.kill();
    }
    let ended = child.wait().expect("a child can be waited for");
    assert!(page || ended.success());
    page.then_some(first)
}

fn resealed(said: &str) -> usize {
    let count = said.lines().rev().find_map(|line| line.split_once(" secrets sealed anew")).expect("a count").0;
    count.rsplit([' ', ',']).next().and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_keys_that_is_killed_loses_nothing() {
    let site = site().await;
    for after in EARLY_KILLS_MS {
        let mut child = rotate(&site, "aurora");
        std::thread::sleep(Duration::from_millis(after));
        child.kill().and_then(|()| child.wait()).expect("a child can be killed");
    }
    let mut killed = 0;
    while let Some(page) = kill_at_first_page(&site) {
        assert!(
            [PAGE, MAILS % PAGE, LICENCE_KEYS, EA_FILES].contains(&resealed(&page)),
            "a page is sealed whole or not at all: {page}"
        );
        killed += 1;
        assert!(killed < 10, "each run must go on where the one before stopped");
    }
    assert!(killed >= 2, "{killed} runs were killed between their pages");

    for after in MASTER_KILLS_MS {
        let mut child = rotate(&site, "--master");
        std::thread::sleep(Duration::from_millis(after));
        child.kill().and_then(|()| child.wait()).expect("a child can be killed");
    }
    site.succeeds(&["keys", "rotate", "--master"]);

    // Every secret is opened once more, each at its own place.
    let said = site.succeeds(&["keys", "rotate", "aurora"]);
    assert!(resealed(&said) >= MAILS && !said.contains("cannot be opened"), "{said}");
    // Each run that came to its end stands in the log: of the first kind, of the master key, and this one.
    let rotations = recorded(&site, "keys-rotated").await;
    assert!(rotations.len() >= 3, "{rotations:?}");
    assert!(rotations.iter().all(|entry| entry == "system marque keys rotate: "), "{rotations:?}");
    let verdict = site.succeeds(&["audit", "verify", "aurora"]);
    assert!(verdict.contains("aurora"), "{verdict}");
    let server = site.serve().await;
    assert_eq!(server.get(HOST, "/").await.expect("a page").status().as_u16(), 200);
}
