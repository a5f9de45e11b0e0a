//! Who comes by an issuer, new or known, links what they are there, or is refused.

use super::world::{AURORA, BOREALIS, Browser, World, refused};
use crate::{
    audit::Act,
    mail::MailKind,
    sso::{
        attempt::ATTEMPT_MS,
        issuer::{Issuer, Lie},
    },
    testing::{NOON, queued},
};
use marque_domain::time::MINUTE_MS;
use marque_store::SsoConnection;
use poem::http::Method;
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_new_comes_and_is_known_the_next_time() {
    let world = World::start().await;
    for _ in 0..2 {
        let mut ann = world.browser(AURORA);
        let answer = ann.by_sso("acme").await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/dashboard".parse().unwrap()));
        assert_eq!(ann.who().await.as_deref(), Some("ann@x.example"));
        world.issuer.lies(Lie { claims: |c| c["email"] = json!("changed@x.example"), ..Lie::NONE });
    }
    let db = world.db(AURORA).await;
    let user = db.user_by_email("ann@x.example").await.unwrap().unwrap();
    assert_eq!((user.display_name.as_str(), user.role.as_str()), ("Ann Lee", "trader"));
    assert!(user.email_verified_at.is_some() && user.password_hash.expose().is_empty());
    assert_eq!(db.user_by_email("changed@x.example").await.unwrap(), None, "an address finds and makes nobody");
    let added = world.recorded(AURORA, Act::PersonAdded).await;
    assert_eq!(added, ["system single sign-on acme: ann@x.example"], "once, and by no person");
    // No password is theirs, not even none.
    let answer =
        world.browser(AURORA).post("/sign-in", "/sign-in", &[("email", "ann@x.example"), ("password", "")]).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_only_where_it_was_asked_and_once() {
    let world = World::start().await;
    let mut ann = world.browser(AURORA);
    let back = ann.begin("/sign-in", "/sso/acme/begin", "acme").await;
    let elsewhere = "began in another browser";
    // A browser without the cookie, and one with its own.
    let mut victim = world.browser(AURORA);
    refused(victim.get(&back).await, 403, elsewhere).await;
    victim.begin("/sign-in", "/sso/acme/begin", "acme").await;
    refused(victim.get(&back).await, 403, elsewhere).await;
    // The same cookie at another tenant, and at another connection.
    let mut there = world.browser(BOREALIS);
    there.cookies.clone_from(&ann.cookies);
    refused(there.get(&back).await, 403, elsewhere).await;
    refused(ann.get(&back.replace("/acme/", "/other/")).await, 403, elsewhere).await;
    refused(ann.get(&back.replace("/acme/", "/nowhere/")).await, 404, "").await;
    // Another state, none, two.
    for (from, to) in [("state=", "state=x"), ("state=", "estate="), ("state=", "state=a&state=")] {
        refused(ann.get(&back.replace(from, to)).await, 403, elsewhere).await;
    }
    assert_eq!(world.issuer.exchanges(), 0, "no code left this server");
    // None of that used it up; the right one does.
    assert_eq!(ann.get(&back).await.status(), 303);
    let mut again = world.browser(AURORA);
    again.cookies = ann.cookies.iter().filter(|(name, _)| name == "__Host-marque-sso").cloned().collect();
    refused(again.get(&back).await, 403, elsewhere).await;
    assert_eq!(world.issuer.exchanges(), 1);
    // And it ends.
    let late = again.begin("/sign-in", "/sso/acme/begin", "acme").await;
    world.now.fetch_add(ATTEMPT_MS, Ordering::Relaxed);
    refused(again.get(&late).await, 403, elsewhere).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_answer_is_used_up_too_and_recorded() {
    let world = World::start().await;
    let mut ann = world.browser(AURORA);
    let back = ann.begin("/sign-in", "/sso/acme/begin", "acme").await;
    world.issuer.lies(Lie { claims: |c| c["nonce"] = json!("x"), ..Lie::NONE });
    refused(ann.get(&back).await, 403, "could not be relied on").await;
    world.issuer.lies(Lie::NONE);
    refused(ann.get(&back).await, 403, "began in another browser").await;
    let told = world.store.bytes();
    assert!(told.windows(9).any(|window| window == b"bad-token"), "the audit log says why");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_no_proof_of_being_somebody() {
    let world = World::start().await;
    // The issuer vouches for the address of somebody who is here, even of an owner.
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("Owner@here.example"), ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("acme").await, 403, "already has your e-mail address").await;
    world.issuer.lies(Lie { claims: |c| c["email_verified"] = json!(false), ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("acme").await, 403, "has not verified your e-mail address").await;
    world.issuer.lies(Lie { claims: |c| drop(c.as_object_mut().unwrap().remove("email_verified")), ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("acme").await, 403, "has not verified your e-mail address").await;

    // The same subject of another issuer is somebody else.
    world.issuer.lies(Lie::NONE);
    assert_eq!(world.browser(AURORA).by_sso("acme").await.status(), 303);
    let second = Issuer::start().await;
    let db = world.db(AURORA).await;
    let row = SsoConnection { issuer: second.url.clone(), ..world.connection(AURORA, 2, "other").await };
    assert!(db.update_sso_connection(&row).await.unwrap());
    let mut eve = world.browser(AURORA);
    let answer = eve.post("/sign-in", "/sso/other/begin", &[]).await;
    let (code, state) =
        second.authorize(answer.headers()["refresh"].to_str().unwrap().strip_prefix("0; url=").unwrap());
    let query = [("code", code), ("state", state), ("iss", second.url.clone())];
    let query = reqwest::Url::parse_with_params("http://x.example/", &query).unwrap();
    let answer = eve.get(&format!("/sso/other/callback?{}", query.query().unwrap())).await;
    refused(answer, 403, "already has your e-mail address").await;
    // And the same identity at another tenant is somebody new there.
    let mut there = world.browser(BOREALIS);
    assert_eq!(there.by_sso("acme").await.status(), 303);
    let [here, there] = [world.db(AURORA).await, world.db(BOREALIS).await];
    let one = here.user_by_email("ann@x.example").await.unwrap().unwrap();
    assert_ne!(one.id, there.user_by_email("ann@x.example").await.unwrap().unwrap().id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_another_site_only_moves_the_browser_on() {
    let world = World::start().await;
    let mut ann = world.browser(AURORA);
    let back = ann.begin("/sign-in", "/sso/acme/begin", "acme").await;
    let query = back.split_once('?').unwrap().1;
    let answer: Vec<(String, String)> =
        reqwest::Url::parse(&format!("http://x.example/?{query}")).unwrap().query_pairs().into_owned().collect();
    let form: Vec<(&str, &str)> = answer.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Browsers send no cookie with it. Sent with them it does no more.
    let kept = core::mem::take(&mut ann.cookies);
    for cookies in [Vec::new(), kept.clone()] {
        ann.cookies = cookies;
        let moved = ann.send(Method::POST, "/sso/acme/callback", Some(&form)).await;
        assert_eq!(moved.status(), 303);
        assert!(moved.headers().get("set-cookie").is_none());
        let to = moved.headers()["location"].to_str().unwrap().to_owned();
        assert!(to.starts_with("/sso/acme/callback?state="), "{to}");
        assert_eq!(world.issuer.exchanges(), 0);
    }
    ann.cookies.clear();
    refused(ann.get(&back).await, 403, "began in another browser").await;
    ann.cookies = kept;
    assert_eq!(ann.get(&back).await.status(), 303);
    // No other form may come from elsewhere.
    let begun = ann.send(Method::POST, "/sso/acme/begin", Some(&[("next", "/")])).await;
    assert_eq!(begun.status(), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linking_is_for_who_began_it() {
    let world = World::start().await;
    let mut ann = world.browser(AURORA);
    assert_eq!(ann.by_password("ann@here.example").await.status(), 303);
    let back = ann.begin("/security/sso", "/security/sso/link/acme", "acme").await;
    // Meanwhile the browser belongs to another, or to nobody: their identity is not linked to anyone.
    let mine = ann.cookies.clone();
    ann.cookies.retain(|(name, _)| name == "__Host-marque-sso");
    assert_eq!(ann.by_password("owner@here.example").await.status(), 303);
    refused(ann.get(&back).await, 403, "signed out meanwhile").await;
    ann.cookies = mine;
    let db = world.db(AURORA).await;
    assert_eq!(db.sso_identity(&world.issuer.url, "ann-at-the-issuer").await.unwrap(), None);
    assert_eq!(world.recorded(AURORA, Act::SsoLinked).await, [""; 0]);

    let back = ann.begin("/security/sso", "/security/sso/link/acme", "acme").await;
    let told = async || queued(&db, MailKind::WayInChanged).await;
    assert_eq!(told().await, [""; 0], "what was not linked is no news");
    let answer = ann.get(&back).await;
    assert_eq!(&answer.headers()["location"], "/security/sso");
    assert_eq!(told().await, ["ann@here.example"], "its owner reads of it");
    let mut later = world.browser(AURORA);
    assert_eq!(later.by_sso("other").await.status(), 303, "it is the issuer that counts, not the connection");
    assert_eq!(later.who().await.as_deref(), Some("ann@here.example"));

    // What makes or takes a way in asks for a fresh proof.
    world.now.fetch_add(11 * MINUTE_MS, Ordering::Relaxed);
    for path in ["/security/sso/link/acme", "/security/sso/unlink"] {
        let fields = [("issuer", "i"), ("subject", "s")];
        let answer = ann.post("/security/sso", path, &fields).await;
        assert_eq!(&answer.headers()["location"], "/confirm?next=/security/sso", "{path}");
    }
    world.now.fetch_sub(11 * MINUTE_MS, Ordering::Relaxed);

    // Nobody else can link the same; its owner may again.
    let mut owner = world.browser(AURORA);
    owner.by_password("owner@here.example").await;
    let back = owner.begin("/security/sso", "/security/sso/link/acme", "acme").await;
    refused(owner.get(&back).await, 403, "linked to somebody else here").await;
    // Nobody can unlink another's.
    let fields = [("issuer", world.issuer.url.as_str()), ("subject", "ann-at-the-issuer")];
    assert_eq!(owner.post("/security/sso", "/security/sso/unlink", &fields).await.status(), 404);
    assert_eq!(ann.post("/security/sso", "/security/sso/unlink", &fields).await.status(), 303);
    assert_eq!(told().await, ["ann@here.example"; 2], "she reads of that too");
    // Who has no password cannot take away the only way in.
    world.issuer.knows("newcomer");
    let mut newcomer = world.browser(AURORA);
    assert_eq!(newcomer.by_sso("acme").await.status(), 303);
    let fields = [fields[0], ("subject", "newcomer")];
    refused(newcomer.post("/security/sso", "/security/sso/unlink", &fields).await, 409, "only way in").await;
    assert_eq!(world.recorded(AURORA, Act::SsoLinked).await, ["person ann@here.example: acme"]);
    let unlinked = format!("person ann@here.example: {}", world.issuer.url);
    assert_eq!(world.recorded(AURORA, Act::SsoUnlinked).await, [unlinked]);
}

/// Who comes by another site that has known them for long confirms there: it asks them anew and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_site_proves_who_it_has_asked_anew() {
    let world = World::start().await;
    world.issuer.lies(Lie { claims: |c| c["auth_time"] = json!(NOON.0 / 1_000 - 3_600), ..Lie::NONE });
    let mut ann = world.browser(AURORA);
    assert_eq!(ann.by_sso("acme").await.status(), 303);
    let page = "/security/tokens";
    let opens = async |ann: &mut Browser<'_>| ann.get(page).await.status().as_u16();
    assert_eq!(opens(&mut ann).await, 303, "that was an hour ago");
    let shown = ann.get("/confirm").await.text().await.unwrap();
    assert!(shown.contains("Confirm with acme") && !shown.contains("name=\"password\""), "{shown}");

    // It says nothing of when, it was long ago, or it is somebody else there.
    let fields = [("next", page), ("prove", "1")];
    let nothing: fn(&mut serde_json::Value) = |c| drop(c.as_object_mut().unwrap().remove("auth_time"));
    let long_ago: fn(&mut serde_json::Value) = |c| c["auth_time"] = json!(NOON.0 / 1_000 - 3_600);
    let other: fn(&mut serde_json::Value) = |c| c["sub"] = json!("somebody else");
    for (claims, told) in [
        (nothing, "does not say that it asked you again"),
        (long_ago, "does not say that it asked you again"),
        (other, "not linked to you here"),
    ] {
        world.issuer.lies(Lie { claims, ..Lie::NONE });
        let back = ann.begin_for("/confirm", "/sso/acme/begin", "acme", &fields).await;
        refused(ann.get(&back).await, 403, told).await;
        assert_eq!(opens(&mut ann).await, 303, "{told}");
    }
    // The right answer in another's session proves nothing there.
    world.issuer.lies(Lie::NONE);
    let back = ann.begin_for("/confirm", "/sso/acme/begin", "acme", &fields).await;
    let mine = ann.cookies.clone();
    ann.cookies.retain(|(name, _)| name == "__Host-marque-sso");
    assert_eq!(ann.by_password("owner@here.example").await.status(), 303);
    refused(ann.get(&back).await, 403, "signed out meanwhile").await;
    ann.cookies = mine;

    let back = ann.begin_for("/confirm", "/sso/acme/begin", "acme", &fields).await;
    let answer = ann.get(&back).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &page.parse().unwrap()));
    assert_eq!(opens(&mut ann).await, 200);
    assert_eq!(world.recorded(AURORA, Act::StepUp).await.len(), 1);
    // An issuer that says nothing when it is not asked to is believed as before.
    let mut later = world.browser(AURORA);
    assert_eq!(later.by_sso("acme").await.status(), 303);
    assert_eq!(opens(&mut later).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_passkey_shows_the_other_ways_in() {
    let world = World::start().await;
    let unknown = [("state", "none"), ("credential", "{}"), ("next", "/accounts/new")];
    let answer = world.browser(AURORA).post("/sign-in", "/sign-in/passkey", &unknown).await;
    assert_eq!(answer.status(), 401);
    let text = answer.text().await.unwrap();
    for shown in ["This passkey is not known here", "/sso/acme/begin", "/sso/other/begin", "value=\"/accounts/new\""] {
        assert!(text.contains(shown), "{shown} is not in {text}");
    }
}

/// Whoever shows no passkey again and again fills neither the log nor the queue in which everybody's sign-ins wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkeys_are_not_tried_without_end() {
    let world = World::start().await;
    let mut browser = world.browser(AURORA);
    let csrf = browser.csrf("/sign-in").await;
    let form = [("csrf", csrf.as_str()), ("state", "none"), ("credential", "{}")];
    for n in 0..103 {
        let answer = browser.send(Method::POST, "/sign-in/passkey", Some(&form)).await;
        assert_eq!(answer.status(), if n < 100 { 401 } else { 429 }, "{n}");
        assert_eq!(answer.headers().contains_key("retry-after"), n >= 100, "{n}");
    }
    assert_eq!(world.recorded(AURORA, Act::SignInFailed).await.len(), 100, "what a limit refuses is not written down");
    let asked = browser.send(Method::POST, "/passkeys/sign-in", Some(&form[..1])).await;
    assert_eq!(asked.status(), 429);
}
