//! Whole sign-ins through the running pages, with a good issuer and browsers that are not.

mod apple;
mod world;

use super::{
    client::Proof,
    connection::{Connection, place},
    is_foreign_form,
    issuer::{CLIENT, Issuer, Lie},
};
use crate::{
    audit::Act,
    identity::{
        admission::Method as Way,
        factors::{confirm_app, totp},
    },
    mail::MailKind,
    problem::ProblemCode,
    testing::{self, NOON, queued},
};
use marque_domain::time::MINUTE_MS;
use marque_store::SsoConnection;
use poem::http::{HeaderValue, Method};
use serde_json::json;
use std::sync::atomic::Ordering;
use world::{AURORA, BOREALIS, PASSWORD, World, refused};

#[test]
fn only_the_callbacks_post_comes_from_elsewhere() {
    for path in ["/sso/acme/callback", "/sso/a/callback"] {
        assert!(is_foreign_form(path), "{path}");
    }
    for path in [
        "/sso/acme/begin",
        "/sso//callback",
        "/sso/callback",
        "/sso/a/b/callback",
        "/x/sso/a/callback",
        "/sso/a/callback/",
    ] {
        assert!(!is_foreign_form(path), "{path}");
    }
}

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
    world.now.fetch_add(super::attempt::ATTEMPT_MS, Ordering::Relaxed);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_that_must_come_another_way() {
    let world = World::start().await;
    let db = world.db(AURORA).await;
    let claimed =
        SsoConnection { domains: vec!["here.example".to_owned()], ..world.connection(AURORA, 1, "acme").await };
    assert!(db.update_sso_connection(&claimed).await.unwrap());
    let told = async |email: &str, password: &str| {
        let mut browser = world.browser(AURORA);
        let answer = browser.post("/sign-in", "/sign-in", &[("email", email), ("password", password)]).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let (_, alert) = text.split_once("role=\"alert\"").expect("a message");
        (status, alert.split("</div>").next().unwrap().to_owned())
    };
    // One answer: right password, wrong one, nobody.
    let right = told("ann@here.example", PASSWORD).await;
    assert_eq!(right.0, 403);
    assert!(right.1.contains("acme"), "{}", right.1);
    assert_eq!(right, told("ann@here.example", "a wrong guess").await);
    assert_eq!(right, told("nobody@HERE.example", "a wrong guess").await);
    assert_eq!(right, told("owner@here.example", "a wrong guess").await);
    let tried = ["nobody ann@here.example: ", "nobody ann@here.example: ", "nobody nobody@here.example: "];
    assert_eq!(world.recorded(AURORA, Act::SignInFailed).await[..3], tried, "the log has every try");
    assert_eq!(told("ann@x.example", "a wrong guess").await.0, 401, "other domains are not affected");
    // A passkey of theirs opens as little.
    let ways = [Way::Password, Way::Passkey, Way::Sso];
    let opens = async |email: &str| {
        let user = db.user_by_email(email).await.unwrap().unwrap();
        let mut opened = Vec::new();
        for way in ways {
            opened.push(world.admits(AURORA, user.clone(), way).await);
        }
        opened
    };
    assert_eq!(opens("ann@here.example").await, [Err(ProblemCode::SsoRefused), Err(ProblemCode::SsoRefused), Ok(())]);
    // An owner keeps the key to the house.
    assert_eq!(opens("owner@here.example").await, [Ok(()); 3]);
    assert_eq!(world.browser(AURORA).by_password("owner@here.example").await.status(), 303);
    // The other connection does not open for them either; the right one does.
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("new@here.example"), ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("other").await, 403, "sign in another way").await;
    assert_eq!(world.browser(AURORA).by_sso("acme").await.status(), 303);
    // Switched off, it claims nobody, and nobody comes by it.
    db.update_sso_connection(&SsoConnection { enabled: false, ..claimed }).await.unwrap();
    assert_eq!(world.browser(AURORA).by_password("ann@here.example").await.status(), 303);
    let mut browser = world.browser(AURORA);
    assert_eq!(browser.post("/sign-in", "/sso/acme/begin", &[]).await.status(), 404);
    assert!(!browser.get("/sign-in").await.text().await.unwrap().contains("/sso/acme/begin"));
}

/// Who has an account when a connection claims their domain comes by it, without anybody's help: their issuer says who they
/// are, and a mail to the account's address says that it is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_come_another_way_takes_their_account_along() {
    let world = World::start().await;
    let (db, mut ann) = (world.db(AURORA).await, world.browser(AURORA));
    assert_eq!(ann.by_password("ann@here.example").await.status(), 303);
    claim(&world, "here.example").await;
    assert_eq!(ann.who().await, None, "what a password had opened is shut");
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("ANN@here.example"), ..Lie::NONE });
    let before = db.user_by_email("ann@here.example").await.unwrap().unwrap();
    let offered = ann.by_sso("acme").await;
    assert_eq!((offered.status().as_u16(), &offered.headers()["location"]), (303, &"/check-mail".parse().unwrap()));
    assert_eq!(ann.who().await, None, "nothing is open yet");
    assert_eq!(db.sso_identities_of(before.id).await.unwrap(), []);
    let letter = world.letters().await.pop().unwrap();
    assert_eq!(letter.kind, "link-sso");
    // A link to choose a password leads to what opens the account, instead of to a password that does not.
    ann.post("/forgot", "/forgot", &[("email", "ann@here.example")]).await;
    let forgot = world.letters().await.pop().unwrap().token.unwrap().expose();
    refused(ann.get(&format!("/reset?token={}", forgot.as_str())).await, 403, "sign in with acme").await;
    assert!(letter.to.contains("ann@here.example"));
    let token = letter.token.unwrap().expose();

    // Looking at the link does nothing, as programs that read mail do; at another brand it is nothing.
    let page = format!("/sso/link?token={}", token.as_str());
    assert_eq!(ann.get(&page).await.status(), 200);
    let fields = [("token", token.as_str())];
    assert_eq!(world.browser(BOREALIS).post("/sign-in", "/sso/link", &fields).await.status(), 410);
    let mut elsewhere = world.browser(AURORA);
    assert_eq!(elsewhere.post(&page, "/sso/link", &fields).await.status(), 200, "in any browser of theirs");
    assert_eq!(elsewhere.who().await, None, "the link opens nothing");
    assert_eq!(ann.post(&page, "/sso/link", &fields).await.status(), 410, "it works once");
    assert_eq!(ann.by_sso("acme").await.status(), 303);
    assert_eq!(ann.who().await.as_deref(), Some("ann@here.example"));
    assert_eq!(db.sso_identity(&world.issuer.url, "ann-at-the-issuer").await.unwrap().unwrap().user, before.id);
    assert_eq!(world.recorded(AURORA, Act::SsoLinked).await, ["person ann@here.example: acme"]);
    let offered = format!("person ann@here.example: {}", before.id);
    assert_eq!(world.recorded(AURORA, Act::SignInChallenged).await, [offered]);

    // They cannot get out of it: neither without the only way in, nor by another address.
    let fields = [("issuer", world.issuer.url.as_str()), ("subject", "ann-at-the-issuer")];
    refused(ann.post("/security/sso", "/security/sso/unlink", &fields).await, 409, "sign in this way only").await;
    let answer = ann.post("/security/email", "/security/email", &[("email", "ann@gmail.example")]).await;
    refused(answer, 422, "keep it here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_not_taken_along_by_an_address_that_nobody_vouches_for_or_claims() {
    let world = World::start().await;
    // Nobody claims the domain; an owner keeps their own way; the issuer did not verify it.
    let taken = "already has your e-mail address";
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("ann@here.example"), ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("acme").await, 403, taken).await;
    claim(&world, "here.example").await;
    refused(world.browser(AURORA).by_sso("other").await, 403, taken).await;
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("owner@here.example"), ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("acme").await, 403, taken).await;
    let unverified: fn(&mut serde_json::Value) = |c| {
        c["email"] = json!("ann@here.example");
        c["email_verified"] = json!(false);
    };
    world.issuer.lies(Lie { claims: unverified, ..Lie::NONE });
    refused(world.browser(AURORA).by_sso("acme").await, 403, "has not verified").await;
    assert!(world.letters().await.is_empty());

    // The domain is given up before the link is opened.
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("ann@here.example"), ..Lie::NONE });
    assert_eq!(world.browser(AURORA).by_sso("acme").await.status(), 303);
    let token = world.letters().await.remove(0).token.unwrap().expose();
    let db = world.db(AURORA).await;
    assert!(db.update_sso_connection(&world.connection(AURORA, 1, "acme").await).await.unwrap());
    let late = world.browser(AURORA).post("/sign-in", "/sso/link", &[("token", token.as_str())]).await;
    assert_eq!(late.status(), 410);
    assert_eq!(world.recorded(AURORA, Act::SsoLinked).await, [""; 0]);
}

/// An owner says on the page that people of a domain must come by `acme`.
async fn claim(world: &World, domain: &str) {
    let mut owner = world.browser(AURORA);
    assert_eq!(owner.by_password("owner@here.example").await.status(), 303);
    let fields = [
        ("name", "acme"),
        ("issuer", world.issuer.url.as_str()),
        ("client_id", CLIENT),
        ("join", "anyone"),
        ("domains", domain),
    ];
    assert_eq!(owner.post("/admin/sso/acme", "/admin/sso/acme", &fields).await.status(), 200);
    assert!(owner.who().await.is_some(), "an owner stays");
}

/// What was opened before a domain is claimed ends with it: sessions by other ways, programs, personal tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_domain_ends_what_other_ways_opened() {
    let world = World::start().await;
    let db = world.db(AURORA).await;
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("new@here.example"), ..Lie::NONE });
    let (mut by_sso, mut other) = (world.browser(AURORA), world.browser(AURORA));
    assert_eq!(by_sso.by_sso("acme").await.status(), 303);
    assert_eq!(other.by_password("ann@here.example").await.status(), 303);
    let mut count = Vec::new();
    for email in ["ann@here.example", "owner@here.example"] {
        let user = db.user_by_email(email).await.unwrap().unwrap().id;
        testing::programs(&db, user, NOON).await;
        count.push(user);
    }
    claim(&world, "elsewhere.example").await;
    assert!(other.get("/security/sso").await.status() == 200, "another domain is not hers");
    claim(&world, "here.example").await;
    assert_eq!(other.get("/security/sso").await.status(), 303);
    assert_eq!(by_sso.get("/security/sso").await.status(), 200, "who came that way stays");
    for (user, left) in count.into_iter().zip([0, 1]) {
        assert_eq!(db.end_grants_of(user, NOON).await.unwrap(), left);
        assert_eq!(db.end_personal_tokens(user, None, NOON).await.unwrap(), left);
    }
}

/// A sign-in by password that waits for its second proof when the domain is claimed does not go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_domain_ends_what_is_half_open_too() {
    let world = World::start().await;
    let db = world.db(AURORA).await;
    let (ann, keys) = (db.user_by_email("ann@here.example").await.unwrap().unwrap(), world.identity.vault());
    let keys = keys.of(&db).await.unwrap();
    totp::begin(&db, &keys, ann.id, NOON).await.unwrap();
    let app = totp::waiting(&db, &keys, ann.id).await.unwrap().unwrap();
    let begun = app.code_at(NOON.plus(-MINUTE_MS));
    assert!(confirm_app(&db, &keys, ann.id, &begun, NOON.plus(-MINUTE_MS)).await.unwrap().is_some());
    let mut browser = world.browser(AURORA);
    let waits = browser.by_password("ann@here.example").await;
    assert_eq!(&waits.headers()["location"], "/sign-in/more");
    claim(&world, "here.example").await;
    let csrf = browser.csrf("/sign-in/more").await;
    let code = app.code_at(NOON);
    let form = [("csrf", csrf.as_str()), ("code", code.as_str())];
    let answer = browser.send(Method::POST, "/sign-in/more", Some(&form)).await;
    refused(answer, 403, "sign in with acme").await;
    assert_eq!(browser.who().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_secret_goes_nowhere_else() {
    let world = World::start().await;
    let mut owner = world.browser(AURORA);
    owner.by_password("owner@here.example").await;
    let second = Issuer::start().await;
    for (issuer, client, secret, status) in [
        (second.url.as_str(), CLIENT, "", 422),
        (world.issuer.url.as_str(), "another-client", "", 422),
        (second.url.as_str(), CLIENT, "its-own-secret", 200),
        (second.url.as_str(), CLIENT, "", 200),
    ] {
        let fields =
            [("name", "acme"), ("issuer", issuer), ("client_id", client), ("secret", secret), ("join", "anyone")];
        let answer = owner.post("/admin/sso/acme", "/admin/sso/acme", &fields).await;
        assert_eq!(answer.status(), status, "{issuer} {client}");
        assert_eq!(answer.text().await.unwrap().contains("Enter the secret again"), status == 422);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_asks_for_a_proof_before_it_is_filled_in_and_is_shown_after_it() {
    let world = World::start().await;
    let mut owner = world.browser(AURORA);
    owner.by_password("owner@here.example").await;
    for page in ["/admin/sso/new?preset=oidc", "/admin/sso/acme", "/security/tokens", "/admin/people/invite"] {
        assert_eq!(owner.get(page).await.status(), 200, "{page}");
        world.now.fetch_add(11 * MINUTE_MS, Ordering::Relaxed);
        let asked = owner.get(page).await;
        assert_eq!((asked.status().as_u16(), &asked.headers()["location"]), (303, &place_of(page)), "{page}");
        // A list is there to be looked at.
        for list in ["/admin/sso", "/security/sso", "/admin/people", "/security/sessions"] {
            assert_eq!(owner.get(list).await.status(), 200, "{list}");
        }
        let back = owner.post("/confirm", "/confirm", &[("password", PASSWORD), ("next", page)]).await;
        assert_eq!((back.status().as_u16(), back.headers()["location"].to_str().unwrap()), (303, page));
        assert_eq!(owner.get(page).await.status(), 200, "{page}");
    }
    // What is not there is not asked about.
    world.now.fetch_add(11 * MINUTE_MS, Ordering::Relaxed);
    for nothing in ["/admin/sso/new?preset=nothing", "/admin/sso/nowhere"] {
        assert_eq!(owner.get(nothing).await.status(), 404, "{nothing}");
    }
}

/// Where a page leads that wants a proof first.
fn place_of(page: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("/confirm?next={page}")).unwrap()
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_preset_is_what_its_issuer_documents() {
    let world = World::start().await;
    let keys = world.identity.vault().of(&world.db(AURORA).await).await.unwrap();
    let (google, apple) = ("https://accounts.google.com", "https://appleid.apple.com");
    for (preset, issuer, scopes, form_post, signs) in [
        ("oidc", None, ["email", "profile"], false, false),
        ("google", Some(google), ["email", "profile"], false, false),
        ("apple", Some(apple), ["email", "name"], true, true),
    ] {
        let row = SsoConnection { preset: preset.to_owned(), ..world.connection(AURORA, 1, "acme").await };
        let connection = Connection::of(row).unwrap();
        let client = connection.client(&keys).unwrap();
        assert_eq!(connection.preset.issuer(), issuer, "{preset}");
        assert_eq!((client.scopes, client.form_post), (&scopes[..], form_post), "{preset}");
        assert_eq!(matches!(client.proof, Proof::Signed { .. }), signs, "{preset}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_runs_the_brand_sets_it_up_and_secrets_stay_inside() {
    let world = World::start().await;
    let mut ann = world.browser(AURORA);
    ann.by_password("ann@here.example").await;
    assert_eq!(ann.get("/admin/sso").await.status(), 403);
    assert_eq!(ann.post("/security/sso", "/admin/sso/acme/disable", &[]).await.status(), 403);
    let mut owner = world.browser(AURORA);
    owner.by_password("owner@here.example").await;
    let fields = [
        ("preset", "oidc"),
        ("name", "Third"),
        ("slug", "third"),
        ("issuer", world.issuer.url.as_str()),
        ("client_id", CLIENT),
        ("secret", "a-very-secret-secret"),
        ("join", "anyone"),
    ];
    let page = "/admin/sso/new?preset=oidc";
    let wrong = [("issuer", "https://169.254.169.254/latest"), ("secret", "a-very-secret-secret")];
    let answer = owner.post(page, "/admin/sso/new", &wrong).await;
    assert_eq!(answer.status(), 422);
    assert!(!answer.text().await.unwrap().contains("a-very-secret-secret"), "not even in a form that is shown again");
    assert_eq!(owner.post(page, "/admin/sso/new", &fields).await.status(), 303);
    assert_eq!(owner.post(page, "/admin/sso/new", &fields).await.status(), 422, "the short name is taken");
    let added = world.recorded(AURORA, Act::SsoConnectionAdded).await;
    assert_eq!(added, ["person owner@here.example: third"]);
    for path in ["/admin/sso", "/admin/sso/third"] {
        let text = owner.get(path).await.text().await.unwrap();
        assert!(text.contains("Third") && !text.contains("a-very-secret-secret"), "{path}");
    }
    let stored = world.store.bytes();
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"third") && !holds(b"a-very-secret-secret"));
    let tested = owner.post("/admin/sso/third", "/admin/sso/third/test", &[]).await.text().await.unwrap();
    assert!(tested.contains("The provider answers"));
    // It is off until somebody switches it on, and another tenant has none of it.
    assert!(!owner.get("/sign-in").await.text().await.unwrap().contains("third"));
    let mut there = world.browser(BOREALIS);
    there.by_password("owner@here.example").await;
    assert_eq!(there.get("/admin/sso/third").await.status(), 404);
    assert_eq!(there.post("/security/sso", "/admin/sso/third/enable", &[]).await.status(), 404);
    // Changed without a secret it keeps the one it has.
    let change: Vec<_> = fields.into_iter().filter(|(name, _)| *name != "secret").collect();
    assert_eq!(owner.post("/admin/sso/third", "/admin/sso/third", &change).await.status(), 200);
    assert_eq!(owner.post("/admin/sso/third", "/admin/sso/third/enable", &[]).await.status(), 303);
    let stored = world.db(AURORA).await.sso_connection("third").await.unwrap().unwrap();
    let keys = world.identity.vault().of(&world.db(AURORA).await).await.unwrap();
    assert_eq!(keys.open(&place(stored.id), &stored.secret).unwrap().expose(), b"a-very-secret-secret");
}
