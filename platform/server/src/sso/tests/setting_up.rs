//! Who runs a brand sets connections up: their secrets, their forms, what each preset is.

use super::world::{AURORA, BOREALIS, PASSWORD, World};
use crate::{
    audit::Act,
    sso::{
        client::Proof,
        connection::{Connection, place},
        issuer::{CLIENT, Issuer},
    },
};
use marque_domain::time::MINUTE_MS;
use marque_store::SsoConnection;
use poem::http::HeaderValue;
use std::sync::atomic::Ordering;

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
    let ann = world.db(AURORA).await.user_by_email("ann@here.example").await.unwrap().unwrap();
    let person = format!("/admin/people/{}", ann.id);
    let pages = ["/admin/sso/new?preset=oidc", "/admin/sso/acme", "/security/tokens", "/admin/people/invite", &person];
    for page in pages {
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
