//! Browsers that were not seen before, and what a sign-in from one asks for.

use super::*;
use crate::mail::{Courier, Postman};

#[tokio::test]
async fn a_browser_that_was_never_seen_is_told_of_by_mail() {
    let world = world("").await;
    let tenants = world.store.system().tenants().await.unwrap();
    let aurora = tenants.iter().find(|tenant| tenant.spec.slug.as_str() == "aurora").unwrap().id;
    let db = world.store.system().tenant_db(aurora);
    let told = async || {
        let mails = db.mails(marque_store::MailStatus::Queued, marque_store::Page::default()).await.unwrap();
        mails
            .items
            .iter()
            .filter(|mail| mail.kind == "new-device")
            .map(|mail| mail.recipient.clone())
            .collect::<Vec<_>>()
    };
    let mut first = Browser::new(&world, AURORA);
    first.sign_in("ann@x.example", "aurora password").await;
    assert_eq!(told().await, [""; 0], "the first browser of all is no news");
    let csrf = first.csrf().await;
    first.post("/sign-out", &[("csrf", &csrf)]).await;
    first.sign_in("ann@x.example", "aurora password").await;
    assert_eq!(told().await, [""; 0], "a browser that comes back is known");

    let mut second = Browser::new(&world, AURORA);
    second.sign_in("ann@x.example", "aurora password").await;
    assert_eq!(told().await, ["ann@x.example"]);
    // Who else signs in with it is not known there, and starts anew.
    second.sign_in("owner@x.example", "aurora password").await;
    assert_eq!(told().await.len(), 1);
    let ann = db.user_by_email("ann@x.example").await.unwrap().unwrap();
    let sessions = db.sessions_of(ann.id, NOON).await.unwrap();
    assert!(!sessions.is_empty() && sessions.iter().all(|session| session.device.is_some()), "{sessions:?}");
}

#[tokio::test]
async fn an_unusual_sign_in_waits_for_a_code_that_is_mailed() {
    let world = world("").await;
    let mut known = Browser::new(&world, AURORA);
    known.sign_in("ann@x.example", "aurora password").await;
    let tenants = world.store.system().tenants().await.unwrap();
    let aurora = tenants.iter().find(|tenant| tenant.spec.slug.as_str() == "aurora").unwrap().id;
    let db = world.store.system().tenant_db(aurora);
    let codes = async || {
        let mails = db.mails(marque_store::MailStatus::Queued, marque_store::Page::default()).await.unwrap();
        mails.items.iter().filter(|mail| mail.kind == "sign-in-code").count()
    };
    let lands = |answer: &Response| answer.headers()["location"].to_str().unwrap().to_owned();
    let mut strange = Browser::new(&world, AURORA);
    for _ in 0..3 {
        assert_eq!(strange.sign_in("ann@x.example", "a wrong guess").await.status(), 401);
    }
    // Long enough for the limits to forget; that it failed is remembered for a day.
    world.now.fetch_add(900_000, Ordering::Relaxed);
    // The browser that was seen before goes on; that it does forgets the failures.
    let mut stranger = Browser::new(&world, AURORA);
    assert_eq!(lands(&stranger.sign_in("ann@x.example", "aurora password").await), "/sign-in/more");
    assert_eq!(codes().await, 1);
    assert_eq!(stranger.who().await, None, "what waits opens nothing");
    let csrf = known.csrf().await;
    known.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(lands(&known.sign_in("ann@x.example", "aurora password").await), "/me");
    assert_eq!(lands(&strange.sign_in("ann@x.example", "aurora password").await), "/me");
    assert_eq!(codes().await, 1);
}

#[tokio::test]
async fn a_new_country_asks_for_the_mailed_code_once() {
    let world = world("[proxies]\ntrusted = ['127.0.0.0/8']").await;
    let mails = tempfile::tempdir().unwrap();
    let courier = Courier::Folder(mails.path().to_owned());
    let mut postman = Postman::new(world.identity.outbox().clone(), courier, world.store.system());
    let (germany, brazil, japan, nowhere) = ("81.91.170.1", "200.160.2.3", "203.119.1.1", "192.0.2.1");
    let lands = |answer: &Response| {
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap());
        to.unwrap_or_default().to_owned()
    };
    let mut ann = Browser::new(&world, AURORA);
    ann.address = Some(germany);
    assert_eq!(lands(&ann.sign_in("ann@x.example", "aurora password").await), "/me", "the first country of all");

    // The browser is known and nobody guessed; the country alone is enough.
    ann.address = Some(brazil);
    let csrf = ann.csrf().await;
    ann.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(lands(&ann.sign_in("ann@x.example", "aurora password").await), "/sign-in/more");
    assert_eq!(ann.who().await, None, "a password alone opens nothing");
    world.now.fetch_add(1_000, Ordering::Relaxed);
    postman.work().await;
    let letter = only_letter(mails.path());
    assert!(letter.contains("Brazil"), "it says from where: {letter}");
    let code = code_in(&letter);
    let wrong = if code == "000 000" { "000 001" } else { "000 000" };
    assert_eq!(ann.show(wrong).await.0, 401);
    assert_eq!(ann.show(&code).await, (303, "/me".to_owned()));
    assert!(ann.who().await.is_some());

    // Where their browser was last is theirs; an address of no country says nothing; another country asks again.
    for (address, to) in [(brazil, "/me"), (nowhere, "/me"), (japan, "/sign-in/more")] {
        let mut other = Browser::new(&world, AURORA);
        other.address = Some(address);
        let answer = other.sign_in("ann@x.example", "aurora password").await;
        assert_eq!((answer.status().as_u16(), lands(&answer).as_str()), (303, to), "{address}");
    }
}

/// The one letter with a code that was delivered.
fn only_letter(folder: &std::path::Path) -> String {
    let files = std::fs::read_dir(folder.join("aurora")).unwrap().map(|file| file.unwrap().path());
    let codes: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with("-sign-in-code.eml")).collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    std::fs::read_to_string(&codes[0]).unwrap()
}

/// Three digits, a space and three more, where they stand alone.
fn code_in(letter: &str) -> String {
    let words: Vec<&str> = letter.split_whitespace().collect();
    let is_half = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    let pair = words.windows(2).find(|pair| pair.iter().all(|word| is_half(word))).expect("a code");
    pair.join(" ")
}
