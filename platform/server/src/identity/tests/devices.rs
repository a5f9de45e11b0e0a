//! Browsers that were not seen before, and what a sign-in from one asks for.

use super::*;

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
