//! Domains whose people must come by a connection: who is there takes the account along, what other ways opened ends.

use super::world::{AURORA, BOREALIS, Browser, PASSWORD, World, refused};
use crate::{
    audit::Act,
    identity::{
        admission::Method as Way,
        factors::{confirm_app, totp},
    },
    problem::ProblemCode,
    sso::issuer::{CLIENT, Lie},
    testing::{self, NOON},
};
use marque_domain::time::MINUTE_MS;
use marque_store::{Concealed, SsoConnection};
use poem::http::Method;
use serde_json::json;

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
    // Somebody else of the domain, who came by another connection than the one that will claim it.
    world.issuer.knows("bob");
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("bob@here.example"), ..Lie::NONE });
    let mut by_other = world.browser(AURORA);
    assert_eq!(by_other.by_sso("other").await.status(), 303);
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
    assert_eq!(by_other.get("/security/sso").await.status(), 303, "another site is another way");
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

/// Asks for another address in this browser, and answers the token that is mailed to it.
async fn wants_address(browser: &mut Browser<'_>, address: &str) -> String {
    let asked = browser.post("/security/email", "/security/email", &[("email", address)]).await;
    assert_eq!(&asked.headers()["location"], "/check-mail");
    let letters = browser.world.letters().await;
    let letter = letters.into_iter().find(|letter| letter.kind == "confirm-email").unwrap();
    letter.token.unwrap().expose()
}

/// A link to another address that was mailed before the domain was claimed says why it does nothing, and is not used up by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_another_address_rests_while_a_domain_is_claimed() {
    let world = World::start().await;
    let (db, mut ann) = (world.db(AURORA).await, world.browser(AURORA));
    assert_eq!(ann.by_password("ann@here.example").await.status(), 303);
    let token = wants_address(&mut ann, "ann@gmail.example").await;
    claim(&world, "here.example").await;
    let fields = [("token", token.as_str())];
    let confirm = async || world.browser(AURORA).post("/sign-in", "/security/email/confirm", &fields).await;
    for words in ["Your address stays as it is", "keep it here by now"] {
        refused(confirm().await, 403, words).await;
    }
    assert!(!confirm().await.text().await.unwrap().contains("Correct what is marked"), "no field is marked");
    assert_eq!(world.recorded(AURORA, Act::EmailChanged).await, [""; 0]);

    // The domain is given up: the link still works, and once.
    assert!(db.update_sso_connection(&world.connection(AURORA, 1, "acme").await).await.unwrap());
    assert_eq!(confirm().await.status(), 200);
    assert!(db.user_by_email("ann@gmail.example").await.unwrap().is_some());
    assert_eq!(confirm().await.status(), 410);
}

/// Another address does not carry a password and what it opened into a domain whose people must come another way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_to_a_claimed_domain_by_another_address_comes_by_its_site() {
    let world = World::start().await;
    let (db, mut ann) = (world.db(AURORA).await, world.browser(AURORA));
    claim(&world, "firm.example").await;
    assert_eq!(ann.by_password("ann@here.example").await.status(), 303);
    let user = db.user_by_email("ann@here.example").await.unwrap().unwrap().id;
    testing::programs(&db, user, NOON).await;
    let token = wants_address(&mut ann, "ann@firm.example").await;
    assert!(ann.who().await.is_some(), "nothing has changed yet");
    let fields = [("token", token.as_str())];
    assert_eq!(ann.post("/security/sso", "/security/email/confirm", &fields).await.status(), 200);
    assert_eq!(db.user_by_email("ann@firm.example").await.unwrap().unwrap().id, user);
    assert_eq!(ann.who().await, None);
    assert_eq!(db.end_grants_of(user, NOON).await.unwrap(), 0);
    assert_eq!(db.end_personal_tokens(user, None, NOON).await.unwrap(), 0);
    refused(ann.by_password("ann@firm.example").await, 403, "sign in with acme").await;
}

/// Who registered with somebody else's address before the domain was claimed leaves nothing in the account that its owner takes
/// along: no app that is asked for, and no password for when the domain is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_an_account_along_finds_no_strangers_ways_in_it() {
    let world = World::start().await;
    let db = world.db(AURORA).await;
    let fields = [("name", "Zoe"), ("email", "zoe@here.example"), ("password", PASSWORD)];
    assert_eq!(world.browser(AURORA).post("/register", "/register", &fields).await.status(), 303);
    let (zoe, keys) = (db.user_by_email("zoe@here.example").await.unwrap().unwrap().id, world.identity.vault());
    let keys = keys.of(&db).await.unwrap();
    totp::begin(&db, &keys, zoe, NOON).await.unwrap();
    let app = totp::waiting(&db, &keys, zoe).await.unwrap().unwrap();
    assert!(confirm_app(&db, &keys, zoe, &app.code_at(NOON), NOON).await.unwrap().is_some());
    claim(&world, "here.example").await;

    world.issuer.lies(Lie { claims: |c| c["email"] = json!("zoe@here.example"), ..Lie::NONE });
    let mut owner = world.browser(AURORA);
    assert_eq!(&owner.by_sso("acme").await.headers()["location"], "/check-mail");
    let letters = world.letters().await;
    let token = letters.into_iter().find(|letter| letter.kind == "link-sso").unwrap().token.unwrap().expose();
    let fields = [("token", token.as_str())];
    assert_eq!(owner.post("/sign-in", "/sso/link", &fields).await.status(), 200);
    assert_eq!(&owner.by_sso("acme").await.headers()["location"], "/dashboard");
    assert!(db.user(zoe).await.unwrap().password_hash.expose().is_empty());
    assert_eq!(world.recorded(AURORA, Act::SecondFactorReset).await, [format!("person zoe@here.example: {zoe}")]);
}

/// Whoever knows the old password may be between showing it and getting a session when its owner chooses another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_a_new_password_overtook_opens_nothing() {
    let world = World::start().await;
    let db = world.db(AURORA).await;
    let before = db.user_by_email("ann@here.example").await.unwrap().unwrap();
    assert_eq!(world.admits(AURORA, before.clone(), Way::Password).await, Ok(()));
    assert!(db.set_password(before.id, &Concealed::new("another".to_owned()), None).await.unwrap());
    db.end_access(before.id, None).await.unwrap();
    for way in [Way::Password, Way::Passkey, Way::Sso] {
        assert_eq!(world.admits(AURORA, before.clone(), way).await, Err(ProblemCode::WrongCredentials), "{way:?}");
    }
    assert_eq!(db.sessions_of(before.id, NOON).await.unwrap().len(), 0, "what was opened is gone");
    let now = db.user(before.id).await.unwrap();
    assert_eq!(world.admits(AURORA, now, Way::Password).await, Ok(()));
}

/// Google lets anybody have an account with an address of any domain, as long as mail reached them there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_vouches_for_a_domain_only_for_who_belongs_to_it() {
    let world = World::start().await;
    let domains = vec!["x.example".to_owned()];
    let row = SsoConnection { preset: "google".to_owned(), domains, ..world.connection(AURORA, 3, "google").await };
    world.db(AURORA).await.create_sso_connection(&row).await.unwrap();
    let without: fn(&mut serde_json::Value) = |_| {};
    let odd: fn(&mut serde_json::Value) = |c| c["hd"] = json!(7);
    let other: fn(&mut serde_json::Value) = |c| c["hd"] = json!("other.example");
    for claims in [without, odd, other] {
        world.issuer.lies(Lie { claims, ..Lie::NONE });
        refused(world.browser(AURORA).by_sso("google").await, 403, "has not verified your e-mail address").await;
    }
    assert_eq!(world.db(AURORA).await.user_by_email("ann@x.example").await.unwrap(), None);
    // The brand says nothing of other domains, so mail that reaches them is enough.
    world.issuer.knows("elsewhere");
    world.issuer.lies(Lie { claims: |c| c["email"] = json!("ann@elsewhere.example"), ..Lie::NONE });
    assert_eq!(world.browser(AURORA).by_sso("google").await.status(), 303);
    world.issuer.knows("ann-at-the-issuer");
    world.issuer.lies(Lie { claims: |c| c["hd"] = json!("X.example"), ..Lie::NONE });
    assert_eq!(world.browser(AURORA).by_sso("google").await.status(), 303);
}
