//! O7 of the catalogue of tests: no secret in logs, dumps or back-ups. Somebody does all that brings secrets to the running
//! server, which says as much of it as it ever does; then they are looked for in its log and in each of its files.

use crate::visitor::{Credentials, between, cookies, demo_password, sign_in};
use marque_testkit::site::{Running, Site};
use reqwest::Response;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const HOST: &str = "aurora.localhost";
const EMAIL: &str = "zoe@x.example";
const FIRST: &str = "seventeen-sailing-herons";
const SECOND: &str = "fourteen-walking-storks";
const CLIENT_SECRET: &str = "GOCSPX-only-we-and-the-issuer-know";

/// What nobody may read, by what it is.
type Secrets = Vec<(&'static str, String)>;

/// Sends a form that stands on a page, as who has this cookie; an empty one is nobody's.
async fn send(server: &Running, page: &str, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Response {
    let client = server.client(HOST).expect("a client");
    let shown = client.get(server.url(HOST, page)).header("cookie", cookie).send().await.expect("a page");
    let before = cookies(&shown);
    let cookie = if before.is_empty() { cookie } else { before.as_str() };
    let csrf = between(&shown.text().await.expect("a text"), "name=\"csrf\" value=\"", "\"");
    let form: Vec<(&str, &str)> = [("csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
    let request = client.post(server.url(HOST, path)).header("cookie", cookie).form(&form);
    request.send().await.expect("an answer")
}

/// The token in the mail of a kind, once the mail lies there.
async fn mailed(site: &Site, kind: &str) -> String {
    let ours = |path: &PathBuf| path.to_string_lossy().ends_with(&format!("-{kind}.eml"));
    for _ in 0..200 {
        let files = fs::read_dir(site.data().join("mail/aurora")).into_iter().flatten().flatten();
        if let Some(path) = files.map(|file| file.path()).find(ours) {
            let text = fs::read_to_string(path).expect("a mail").replace("=\r\n", "").replace("=3D", "=");
            let (_, rest) = text.split_once("?token=").expect("a link");
            return rest.chars().take(43).collect();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no mail {kind} came");
}

/// Somebody registers, signs in, makes a token, signs a program in, begins to set an app up, and forgets the password.
async fn by_a_person(site: &Site, server: &Running) -> Secrets {
    let fields = [("name", "Zoe"), ("email", EMAIL), ("password", FIRST)];
    assert_eq!(send(server, "/register", "/register", "", &fields).await.status().as_u16(), 303);
    let Credentials { session, .. } = sign_in(server, HOST, EMAIL, FIRST).await;
    let cookie = format!("__Host-marque={session}");
    let fields = [("name", "Sheet"), ("days", "30"), ("scope.read", "on")];
    let page = send(server, "/security/tokens", "/security/tokens", &cookie, &fields).await;
    let page = page.text().await.expect("a page");
    let (_, rest) = page.split_once("mq_").expect("the token is shown");
    let personal: String = rest.chars().take(43).collect();

    let client = server.client(HOST).expect("a client");
    let by = json!({ "email": EMAIL, "password": FIRST });
    let given = client.post(server.url(HOST, "/api/v1/tokens")).json(&by).send().await.expect("an answer");
    let given: Value = serde_json::from_str(&given.text().await.expect("a text")).expect("JSON");
    let of_program = |name: &str| {
        let (_, bare) = given[name].as_str().expect("a token").split_once('_').expect("a kind");
        bare.to_owned()
    };
    let app = client.get(server.url(HOST, "/security/app")).header("cookie", &cookie).send().await.expect("a page");
    let key = between(&app.text().await.expect("a text"), "<code class=\"key\">", "</code>").replace(' ', "");

    assert_eq!(send(server, "/forgot", "/forgot", "", &[("email", EMAIL)]).await.status().as_u16(), 303);
    let link = mailed(site, "reset-password").await;
    let page = format!("/reset?token={link}");
    let answer = send(server, &page, "/reset", "", &[("token", &link), ("password", SECOND)]).await;
    assert_eq!(answer.status().as_u16(), 200);
    let Credentials { session: after, .. } = sign_in(server, HOST, EMAIL, SECOND).await;
    vec![
        ("a password", FIRST.to_owned()),
        ("a password after a reset", SECOND.to_owned()),
        ("a session", session),
        ("another session", after),
        ("a personal token", personal),
        ("an access token", of_program("access_token")),
        ("a refresh token", of_program("refresh_token")),
        ("the key of an app", key),
        ("a link to reset a password", link),
        ("a link to confirm an address", mailed(site, "verify-email").await),
    ]
}

/// An owner sets up single sign-on.
async fn by_an_owner(server: &Running, password: &str) -> Secrets {
    let owner = sign_in(server, HOST, "owner@aurora.example", password).await;
    let cookie = format!("__Host-marque={}", owner.session);
    let fields = [
        ("preset", "google"),
        ("name", "Google"),
        ("slug", "google"),
        ("client_id", "a-client"),
        ("secret", CLIENT_SECRET),
        ("join", "nobody"),
    ];
    let answer = send(server, "/admin/sso/new?preset=google", "/admin/sso/new", &cookie, &fields).await;
    assert_eq!(answer.status().as_u16(), 303);
    vec![("an owner's session", owner.session), ("a client's secret", CLIENT_SECRET.to_owned())]
}

/// Every file below a folder but mails: they stand in for a mail server, and their links are what they are for.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.flat_map(below).filter(|path| path.extension().is_none_or(|kind| kind != "eml")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_lies_in_the_log_or_in_any_file() {
    let site = Site::empty().with("MARQUE_LOG_FILTER", "debug").seed();
    let password = demo_password(&site);
    let server = site.serve().await;
    let mut secrets = by_a_person(&site, &server).await;
    secrets.extend(by_an_owner(&server, &password).await);
    let (_, master) = site.settings().find(|(name, _)| name == "MARQUE_MASTER_KEY").expect("a master key");
    secrets.push(("the master key", master));
    assert!(secrets.iter().all(|(_, secret)| secret.len() >= 20), "what is short is found by chance");
    assert!(server.stop().success());

    let (mut places, mut found) = (files(&site.data()), Vec::new());
    places.push(site.log());
    let (mut words, mut bytes_seen) = (vec!["a personal token was made", EMAIL], 0);
    for place in &places {
        let bytes = fs::read(place).expect("a file");
        // Whatever is no text around it, a secret would be.
        let text = String::from_utf8_lossy(&bytes);
        bytes_seen += bytes.len();
        words.retain(|word| !text.contains(word));
        let there = secrets.iter().filter(|(_, secret)| text.contains(secret.as_str()));
        found.extend(there.map(|(what, _)| format!("{what} in {}", place.display())));
    }
    assert!(words.is_empty(), "the search finds nothing, not even {words:?} in {places:?}");
    assert!(found.is_empty(), "{found:#?}");
    println!("{} secrets looked for in {} files, {bytes_seen} bytes", secrets.len(), places.len());
}
