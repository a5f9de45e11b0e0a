//! The tenant matrix of the pages: every page and every form, asked by everybody who must not reach what it names.
//!
//! Pages come from their own table (`Pages`), so that a page whose path names something that has no fixture here fails
//! these tests.

use super::{
    asked,
    world::{AURORA, BOREALIS, Ids, PASSWORD, Person, World},
};
use crate::{
    identity::{
        Operation, Reach, Role,
        gate::{Access, PageRow},
    },
    portal,
    theme::{API_DOCS_POLICY, PAGE_POLICY},
};
use poem::http::Method;
use serde_json::json;

/// What only its owner has a page for.
const PERSONAL: &[&str] = &[":session", ":grant", ":token", ":passkey"];

/// What stands in a path in place of a name.
fn fill<'a>(name: &str, Whose { ids, person, connection, mail }: &'a Whose) -> &'a str {
    match name {
        ":connection" => connection,
        ":mail" => mail,
        ":account" => &ids.account,
        ":position" => &ids.position,
        ":order" => &ids.order,
        ":decision" => &ids.decision,
        ":deployment" => &ids.deployment,
        ":backtest" => &ids.backtest,
        ":release" => &ids.release,
        ":ea" => &ids.ea,
        ":ea_version" => &ids.ea_version,
        ":ea_file" => &ids.ea_file,
        ":licence" => &ids.licence,
        ":activation" => &ids.activation,
        ":step" => "suspend",
        ":person" => person,
        // `what_is_personal_is_nobody_elses` tries another's.
        name if PERSONAL.contains(&name) => "1",
        other => panic!("{other:?} in the path of a page is not tried here; add whose id it is"),
    }
}

/// The fields of a page's form, as far as it cannot do without.
fn form(path: &str) -> &'static [(&'static str, &'static str)] {
    match path {
        "/accounts/new" => &[("name", "Matrix")],
        "/accounts/:account/deploy" => &[
            ("strategy", "ema-cross"),
            ("instrument", "EURUSD"),
            ("timeframe", "M1"),
            ("setting.fast", "3"),
            ("setting.slow", "8"),
            ("setting.lots", "0.1"),
        ],
        "/accounts/:account/order" => {
            &[("instrument", "EURUSD"), ("side", "buy"), ("kind", "market"), ("lots", "0.01")]
        }
        "/positions/:position/reduce" => &[("lots", "0.01")],
        "/theme-mode" => &[("mode", "dark"), ("return_to", "/problems")],
        "/security/tokens" => &[("name", "Matrix"), ("scope.read", "on"), ("days", "7")],
        "/security/email" => &[("email", "matrix@x.example")],
        // The one that they have: they sign in again afterwards.
        "/security/password" => &[("password", PASSWORD)],
        "/security/passkeys" => &[("name", "Matrix"), ("state", "matrix"), ("credential", "{}")],
        "/security/sso/unlink" => &[("issuer", "https://issuer.example"), ("subject", "matrix")],
        "/admin/eas" => &[("code", "matrix"), ("name", "Matrix")],
        "/admin/eas/:ea" => &[("name", "Matrix")],
        "/admin/people/invite" => &[("email", "matrix@x.example"), ("name", "Matrix"), ("role", "support")],
        "/admin/kill" => &[("what", "tenant"), ("mode", "stop"), ("reason", "matrix")],
        "/admin/kill/release" => &[("what", "tenant")],
        "/deployments/:deployment/upgrade" | "/deployments/:deployment/shadow" => &[("version", "0.1.0")],
        "/accounts/:account/kill" => &[("mode", "stop")],
        "/accounts/:account/money" => &[("kind", "deposit"), ("amount", "1"), ("reference", "r")],
        "/admin/licences/:licence/:step" | "/admin/ea-versions/:ea_version/yank" => &[("reason", "matrix")],
        "/admin/eas/:ea/versions" => &[("version", "9.9")],
        "/admin/eas/:ea/policies" => &[("name", "Matrix")],
        "/releases/:release/refuse" | "/releases/:release/yank" => &[("reason", "matrix")],
        "/admin/people/:person" => &[("role", "trader")],
        _ => &[],
    }
}

/// What a page's address cannot do without.
fn query(path: &str) -> &'static str {
    if path == "/admin/sso/new" { "?preset=oidc" } else { "" }
}

/// Somebody's ids, and their own.
pub struct Whose {
    pub ids: Ids,
    pub person: String,
    pub connection: String,
    pub mail: String,
}

fn nobodys() -> Whose {
    let person = "usr_0123456789abc".to_owned();
    Whose { ids: asked::nobodys(), person, connection: "nobodys".to_owned(), mail: "1".to_owned() }
}

pub async fn answer(person: &Person<'_>, (method, path, _): &PageRow, whose: &Whose) -> reqwest::Response {
    let filled: Vec<_> =
        path.split('/').map(|part| if part.starts_with(':') { fill(part, whose) } else { part }).collect();
    person.page(method.clone(), &(filled.join("/") + query(path)), form(path)).await
}

async fn ask(person: &Person<'_>, row: &PageRow, whose: &Whose) -> (u16, String) {
    let answer = answer(person, row, whose).await;
    let id = answer.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default();
    let status = answer.status().as_u16();
    (status, answer.text().await.unwrap().replace(&id, "").replace(&whose.connection, ""))
}

/// Pages that name something of somebody's, with the operation that they stand under.
fn named() -> Vec<(PageRow, Operation)> {
    let personal = |path: &str| PERSONAL.iter().any(|name| path.contains(name));
    let rows = portal::rows().into_iter().filter(|(_, path, _)| path.contains("/:") && !personal(path));
    rows.filter_map(|row| match row.2 {
        Access::May(operation) => Some((row, operation)),
        Access::Public => None,
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_has_no_page() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let (connection, mail) = (world.connection(AURORA).await, world.dead_mail(AURORA).await);
    let whose = Whose { ids: ann.trade("D1").await, person: ann.user().await, connection, mail };
    assert!(named().len() >= 8, "the table of pages is asked");

    for role in Role::ALL {
        let name = if *role == Role::Trader { "bob" } else { role.name() };
        let elsewhere = world.person(BOREALIS, name).await;
        let here = world.person(AURORA, name).await;
        for (row, operation) in named() {
            let reach = operation.reach(*role);
            let expect = if reach == Reach::Nothing { 403 } else { 404 };
            let nobodys = nobodys();
            let answer = ask(&elsewhere, &row, &whose).await;
            assert_eq!(answer.0, expect, "{} {} as {role} of another brand", row.0, row.1);
            assert_eq!(answer, ask(&elsewhere, &row, &nobodys).await, "{} {} tells {role}", row.0, row.1);
            // Of the same brand (whose sign-on is everybody's): what the table does not let them is not there either.
            let shared = row.1.contains("/:connection");
            if reach != Reach::Tenant && !shared {
                let answer = ask(&here, &row, &whose).await;
                assert_eq!(answer.0, expect, "{} {} as {role}", row.0, row.1);
                assert_eq!(answer, ask(&here, &row, &nobodys).await, "{} {} tells {role}", row.0, row.1);
            }
        }
    }
}

/// The forms about sessions, programs, tokens and passkeys on a person's pages, by their addresses.
async fn personal_forms(person: &Person<'_>) -> Vec<String> {
    let mut forms = Vec::new();
    for page in ["/security/sessions", "/security/tokens", "/security/passkeys"] {
        let answer = person.page(Method::GET, page, &[]).await;
        assert_eq!(answer.status(), 200, "{page}");
        let html = answer.text().await.unwrap();
        let addresses = html.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
        forms.extend(addresses.filter(|path| path.contains(|c: char| c.is_ascii_digit())).map(str::to_owned));
    }
    forms
}

/// The same form about something that nobody has.
fn about_nothing(form: &str) -> String {
    let nobodys = |part: &str| match part.split_once('_') {
        Some((prefix, _)) => format!("{prefix}_0123456789abc"),
        None if part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty() => "1".to_owned(),
        None => part.to_owned(),
    };
    form.split('/').map(nobodys).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_personal_is_nobody_elses() {
    let world = World::start().await;
    let _other_browser = world.person(AURORA, "ann").await;
    let ann = world.person(AURORA, "ann").await;
    let program = json!({ "email": "ann@x.example", "password": PASSWORD });
    ann.send(world.stranger(AURORA).request(Method::POST, "/tokens").json(&program)).await.ok();
    let token = [("name", "Sheet"), ("scope.read", "on"), ("days", "30")];
    assert_eq!(ann.page(Method::POST, "/security/tokens", &token).await.status(), 200);
    world.passkey(AURORA, "ann").await;
    let forms = personal_forms(&ann).await;
    let rows = portal::rows();
    let personal = rows.iter().filter(|row| PERSONAL.iter().any(|name| row.1.contains(name))).count();
    assert_eq!((forms.len(), personal), (5, 5), "one of each: {forms:?}");

    let (bob, elsewhere) = (world.person(AURORA, "bob").await, world.person(BOREALIS, "ann").await);
    let owner = world.person(AURORA, "owner").await;
    for form in &forms {
        for other in [&bob, &elsewhere, &owner] {
            let mut answers = Vec::new();
            for path in [form.clone(), about_nothing(form)] {
                let answer = other.page(Method::POST, &path, &[("name", "Taken")]).await;
                answers.push((answer.status().as_u16(), answer.headers().get("location").cloned()));
            }
            assert_eq!(answers[0], answers[1], "{form} tells {} of {}", other.name, other.host);
        }
    }
    assert_eq!(personal_forms(&ann).await, forms, "nothing of hers has changed");
    let passkeys = ann.page(Method::GET, "/security/passkeys", &[]).await.text().await.unwrap();
    assert!(passkeys.contains("Laptop") && !passkeys.contains("Taken"));

    let (ends, names): (Vec<&String>, Vec<&String>) = forms.iter().partition(|form| !form.ends_with("/name"));
    for form in names.into_iter().chain(ends) {
        assert_eq!(ann.page(Method::POST, form, &[("name", "Renamed")]).await.status(), 303, "{form}");
    }
    let acts = world.acts(AURORA).await;
    for act in ["session-ended", "api-grant-revoked", "personal-token-revoked", "passkey-renamed", "passkey-removed"] {
        assert_eq!(acts.iter().filter(|found| *found == act).count(), 1, "{act} in {acts:?}");
    }
    assert_eq!(personal_forms(&ann).await, [""; 0], "she herself ends and removes them");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_for_whom_their_rows_say() {
    let world = World::start().await;
    let nobodys = nobodys();
    let stranger = world.stranger(AURORA);
    let gone = world.person(AURORA, "ann").await;
    gone.sign_out().await;
    for row in portal::rows().iter().filter(|row| row.2 != Access::Public) {
        for person in [&stranger, &gone] {
            let (status, _) = ask(person, row, &nobodys).await;
            // A page leads to signing in; a form from nowhere is refused.
            assert_eq!(status, if row.0 == Method::GET { 303 } else { 403 }, "{} {}", row.0, row.1);
        }
    }
    for role in Role::ALL {
        let name = if *role == Role::Trader { "bob" } else { role.name() };
        let person = world.person(AURORA, name).await;
        for row in portal::rows().iter().filter(|row| !row.1.contains("/:") && row.0 == Method::GET) {
            let Access::May(operation) = row.2 else { continue };
            let answer = answer(&person, row, &nobodys).await;
            // The viewer of the API's description styles its elements one by one.
            let policy = if row.1 == "/api/docs" { API_DOCS_POLICY } else { PAGE_POLICY };
            assert_eq!(answer.headers()["content-security-policy"], policy, "{}", row.1);
            let status = answer.status().as_u16();
            // Some lead on, to where there is something to see.
            let open = matches!(status, 200 | 303);
            assert_eq!(open, operation.reach(*role) > Reach::Nothing, "{} {} as {role}: {status}", row.0, row.1);
            assert!(open || status == 403, "{} {} as {role}: {status}", row.0, row.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_may_ask_for_is_answered_and_kept_by_this_host_alone() {
    let world = World::start().await;
    let (nobodys, mut visitor) = (nobodys(), world.visitor(AURORA).await);
    let mut kept = Vec::new();
    for row in portal::rows().iter().filter(|row| row.2 == Access::Public && !row.1.contains("/:")) {
        // Each as the first that a browser asks for, too: then it is given what its forms need.
        for person in [&visitor, &world.stranger(AURORA)] {
            let answer = answer(person, row, &nobodys).await;
            assert!(answer.status().as_u16() < 500, "{} {}", row.0, row.1);
            let cookies = answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
            kept.extend(cookies.map(|cookie| cookie.split('=').next().unwrap().to_owned()));
        }
    }
    for cookie in ["__Host-marque-form", "__Host-marque-theme"] {
        assert!(kept.iter().any(|found| found == cookie), "{cookie} is tried here");
    }

    let dark = visitor.page(Method::POST, "/theme-mode", &[("mode", "dark")]).await;
    assert_eq!(
        dark.headers()["set-cookie"],
        "__Host-marque-theme=dark; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=31536000"
    );
    visitor.keep(&dark);
    let page = visitor.page(Method::GET, "/", &[]).await.text().await.unwrap();
    assert!(page.contains("data-mode=\"dark\""), "{page}");
}

/// Forms that ask who it is, when that was proved long ago.
const STEP_UP: &[&str] = &[
    "/security/tokens",
    "/security/app",
    "/security/app/remove",
    "/security/codes",
    "/passkeys/new",
    "/security/passkeys",
    "/security/passkeys/:passkey/name",
    "/security/passkeys/:passkey/remove",
    "/security/sso/unlink",
    "/security/sso/link/:connection",
    "/admin/sso/new",
    "/admin/sso/:connection",
    "/admin/sso/:connection/enable",
    "/admin/sso/:connection/disable",
    "/security/password",
    "/security/email",
    "/admin/people/invite",
    "/admin/people/:person/invite",
    "/admin/people/:person",
    "/admin/people/:person/suspend",
    "/admin/people/:person/reinstate",
    "/admin/people/:person/reset-factor",
    "/accounts/:account/money",
    "/releases/:release/approve",
];

/// Pages that ask before they are shown: they are there for such a form, which nobody shall fill in for nothing, or what
/// they show is a secret.
const ASK_FIRST: &[&str] = &[
    "/security/tokens",
    "/security/app",
    "/security/app/qr.svg",
    "/security/codes",
    "/security/passkeys",
    "/admin/sso/new",
    "/admin/sso/:connection",
    "/security/password",
    "/security/email",
    "/admin/people/invite",
    "/admin/people/:person",
    "/accounts/:account/money",
];

/// Whether an answer leads to the page that asks who it is.
fn asks_who_it_is(answer: &reqwest::Response) -> bool {
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    to.starts_with("/confirm?next=/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_was_left_open_does_nothing_sensitive() {
    let world = World::start().await;
    let ann = world.person(AURORA, "ann").await;
    let (connection, mail) = (world.connection(AURORA).await, world.dead_mail(AURORA).await);
    let whose = Whose { ids: ann.trade("D1").await, person: ann.user().await, connection, mail };
    let owner = world.person(AURORA, "owner").await;
    world.forget_proof(AURORA, "owner").await;
    let mut first = Vec::new();
    for row in portal::rows().iter().filter(|row| row.2 != Access::Public && row.0 == Method::GET) {
        if asks_who_it_is(&answer(&owner, row, &whose).await) {
            first.push(row.1.clone());
        }
    }
    assert_eq!(first, ASK_FIRST);
    // Who is shown no form only reads, and is not asked.
    let (support, money) = (world.person(AURORA, "support").await, format!("/accounts/{}/money", whose.ids.account));
    world.forget_proof(AURORA, "support").await;
    world.forget_proof(AURORA, "ann").await;
    let somebody = format!("/admin/people/{}", whose.person);
    for (reader, page) in [(&ann, &money), (&support, &somebody)] {
        assert_eq!(reader.page(Method::GET, page, &[]).await.status(), 200, "{page}");
    }

    let mut asks = Vec::new();
    for row in portal::rows().iter().filter(|row| row.2 != Access::Public && row.0 == Method::POST) {
        // A session of their own: some of these end it.
        let owner = world.person(AURORA, "owner").await;
        world.forget_proof(AURORA, "owner").await;
        let answer = answer(&owner, row, &whose).await;
        // Files come by another kind of form, which their own tests send.
        let is_read = !matches!(answer.status().as_u16(), 400 | 415) || row.1.ends_with("/files");
        assert!(is_read, "{} is refused before anybody looks who asks; give it a form here", row.1);
        if asks_who_it_is(&answer) || answer.text().await.unwrap().contains("step-up-required") {
            asks.push(row.1.clone());
        }
    }
    assert_eq!(asks, STEP_UP);
}
