//! Signing in as browsers do it, and as they must not be able to.

mod devices;
mod factors;

use super::{
    Identity, IdentityLayer, NewPerson, Operation, RenderSignIn, Role, SignedIn, create_person, gate::Pages, pages,
};
use crate::{
    clock::Clock,
    secrets::Secret,
    testing::{NOON, TestServer, TestStore, config, edge, vault},
};
use marque_domain::time::{DAY_MS, HOUR_MS, Millis};
use marque_store::Concealed;
use poem::{
    EndpointExt as _, Route, get, handler,
    http::{Method, StatusCode},
    post,
};
use reqwest::Response;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

type Headers<'a> = &'a [(&'a str, &'a str)];

const AURORA: &str = "aurora.localhost";
const BOREALIS: &str = "borealis.localhost";

#[handler]
fn me(who: SignedIn) -> String {
    format!("{} {} {} {}", who.tenant.definition.slug, who.email, who.role, who.user)
}

#[handler]
fn change(who: SignedIn) -> poem::Result<String> {
    who.may(Operation::CreateDeployment)?;
    Ok("changed".to_owned())
}

#[handler]
fn public(csrf: super::Csrf) -> String {
    format!("csrf={}", csrf.0)
}

struct World {
    server: TestServer,
    store: TestStore,
    now: Arc<AtomicI64>,
    identity: Identity,
}

/// Two tenants where the same address belongs to two people with different passwords.
async fn world(settings: &str) -> World {
    let store = TestStore::with_demo(&[]).await;
    let config = config(settings);
    let now = Arc::new(AtomicI64::new(NOON.0));
    let shown = now.clone();
    let identity =
        Identity::new(&config, Clock::from_fn(move || Millis(shown.load(Ordering::Relaxed))), vault()).unwrap();
    for tenant in store.system().tenants().await.unwrap() {
        let db = store.system().tenant_db(tenant.id);
        let slug = tenant.spec.slug.as_str();
        for (email, role) in [("ann@x.example", Role::Trader), ("owner@x.example", Role::Owner)] {
            let person = NewPerson {
                email: email.to_owned(),
                display_name: "Ann".to_owned(),
                password: Secret::new(format!("{slug} password")),
                role,
            };
            create_person(&db, identity.passwords(), person, NOON).await.unwrap();
        }
    }
    let render: RenderSignIn = Arc::new(|_, view| {
        let problem = view.problem.map_or_else(String::new, ToString::to_string);
        let asked = view.question.map_or_else(String::new, |asked| format!("\nasked={}\n{}", asked.text, asked.token));
        Ok(format!("csrf={}\nemail={}\nnext={}\nproblem={problem}{asked}", view.csrf, view.email, view.next))
    });
    let app = Route::new()
        .at("/me", get(me))
        .at("/change", post(change))
        .at("/public", get(public).post(public))
        .at("/api/v1/me", get(me))
        .at("/api/v1/change", post(change))
        .at("/more", post(factors::more))
        .at("/api/v1/sensitive", get(factors::sensitive))
        .at("/sensitive", get(factors::sensitive).post(factors::sensitive))
        .at("/prove", post(factors::prove))
        .at("/reset-link", post(factors::reset));
    let app = app
        .nest_no_strip("/", pages(Pages::new(), render).into_route())
        .with(IdentityLayer::new(identity.clone()))
        .with(edge(&config, &store));
    World { server: TestServer::start(app).await, store, now, identity }
}

/// A browser: it keeps cookies of one host as one does on `*.localhost`, and sends forms with their origin.
struct Browser<'a> {
    world: &'a World,
    host: &'static str,
    cookies: Vec<(String, String)>,
    /// Where the proxy in front says that it is.
    address: Option<&'static str>,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World, host: &'static str) -> Self {
        Self { world, host, cookies: Vec::new(), address: None }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let server = &self.world.server;
        let client = server.client(self.host).build().unwrap();
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = client.request(method, server.url(self.host, path)).header("cookie", cookies.join("; "));
        match self.address {
            Some(address) => request.header("x-forwarded-for", address),
            None => request,
        }
    }

    fn origin(&self) -> String {
        format!("http://{}:{}", self.host, self.world.server.address.port())
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-"), "{cookie}");
            assert!(cookie.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            if !cookie.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        response
    }

    async fn get(&mut self, path: &str) -> Response {
        let request = self.request(Method::GET, path);
        self.send(request).await
    }

    /// The token of the forms on the sign-in page or, when signed in, on any page.
    async fn csrf(&mut self) -> String {
        let text = self.get("/public").await.text().await.unwrap();
        text.strip_prefix("csrf=").unwrap().to_owned()
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.request(Method::POST, path).header("origin", self.origin()).form(fields);
        self.send(request).await
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Response {
        let csrf = self.csrf().await;
        self.post("/sign-in", &[("csrf", &csrf), ("email", email), ("password", password), ("next", "/me")]).await
    }

    async fn who(&mut self) -> Option<String> {
        let answer = self.get("/api/v1/me").await;
        if answer.status() == 200 { Some(answer.text().await.unwrap()) } else { None }
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_person_of_a_tenant() {
    let world = world("").await;
    let tenant = world.store.system().tenants().await.unwrap().remove(0);
    let passwords = super::Passwords::new(&config("").limits).unwrap();
    let again = NewPerson {
        email: "ANN@x.example".to_owned(),
        display_name: "Another Ann".to_owned(),
        password: Secret::new("long enough".to_owned()),
        role: Role::Owner,
    };
    let refused = create_person(&world.store.system().tenant_db(tenant.id), &passwords, again, NOON).await;
    assert!(matches!(&refused, Err(super::PersonError::Taken(email)) if email == "ann@x.example"));
}

#[tokio::test]
async fn in_and_out() {
    let world = world("").await;
    let mut ann = Browser::new(&world, AURORA);
    let page = ann.get("/sign-in?next=%2Fme").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("next=/me"));

    let answer = ann.sign_in(" Ann@X.example", "aurora password").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/me".parse().unwrap()));
    let names: Vec<_> = ann.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["__Host-marque", "__Host-marque-device"], "the form's cookie has done its work");
    assert!(ann.who().await.unwrap().starts_with("aurora ann@x.example trader usr_"));
    assert_eq!(ann.get("/sign-in").await.status(), 303, "who is signed in need not sign in");

    let kept = ann.cookies.clone();
    let csrf = ann.csrf().await;
    let answer = ann.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/".parse().unwrap()));
    assert_eq!(ann.who().await, None);
    ann.cookies = kept;
    assert_eq!(ann.who().await, None, "the old cookie opens nothing");
}

#[tokio::test]
async fn strangers_are_sent_to_the_page_or_told() {
    let world = world("").await;
    let mut stranger = Browser::new(&world, AURORA);
    let page = stranger.get("/me?x=1&y=/2").await;
    assert_eq!(page.status(), 303);
    assert_eq!(page.headers()["location"], "/sign-in?next=/me%3Fx%3D1%26y%3D/2");
    let page = stranger.get("/sign-in?next=/me%3Fx%3D1%26y%3D/2").await.text().await.unwrap();
    assert!(page.contains("next=/me?x=1&y=/2"), "{page}");
    for method in [Method::GET, Method::POST] {
        let path = if method == Method::GET { "/api/v1/me" } else { "/api/v1/change" };
        let request = stranger.request(method, path);
        let answer = stranger.send(request).await;
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    stranger.cookies = vec![("__Host-marque".into(), "A".repeat(43))];
    assert_eq!(stranger.who().await, None);
}

#[tokio::test]
async fn the_same_address_at_two_tenants_is_two_people() {
    let world = world("").await;
    let (mut here, mut there) = (Browser::new(&world, AURORA), Browser::new(&world, BOREALIS));
    assert_eq!(here.sign_in("ann@x.example", "borealis password").await.status(), 401);
    assert_eq!(here.sign_in("ann@x.example", "aurora password").await.status(), 303);
    assert_eq!(there.sign_in("ann@x.example", "borealis password").await.status(), 303);
    let (a, b) = (here.who().await.unwrap(), there.who().await.unwrap());
    assert!(a.starts_with("aurora ") && b.starts_with("borealis "));
    assert_ne!(a.rsplit(' ').next(), b.rsplit(' ').next(), "different ids");

    // A session is unknown at the other tenant, even carried there by hand.
    std::mem::swap(&mut here.cookies, &mut there.cookies);
    assert_eq!((here.who().await, there.who().await), (None, None));
    std::mem::swap(&mut here.cookies, &mut there.cookies);
    assert_eq!((here.who().await, there.who().await), (Some(a), Some(b)));
}

#[tokio::test]
async fn what_changes_something_must_come_from_our_own_page() {
    let world = world("").await;
    let mut ann = Browser::new(&world, AURORA);
    ann.sign_in("ann@x.example", "aurora password").await;
    let csrf = ann.csrf().await;
    let own = ann.origin();
    let port = world.server.address.port();
    let evil = format!("http://{BOREALIS}:{port}");
    let other = crate::secrets::Token::new().unwrap().expose();
    // Headers, form field, status.
    let table: &[(Headers<'_>, Option<&str>, u16)] = &[
        (&[("origin", &own)], Some(&csrf), 200),
        (&[("sec-fetch-site", "same-origin")], Some(&csrf), 200),
        (&[("origin", &own), ("x-csrf-token", &csrf)], None, 200),
        (&[], Some(&csrf), 200),
        (&[("origin", &own)], None, 403),
        (&[("origin", &own)], Some(&other), 403),
        (&[("origin", &own), ("x-csrf-token", &other)], Some(&csrf), 403),
        (&[("origin", &evil)], Some(&csrf), 403),
        (&[("origin", "null")], Some(&csrf), 403),
        (&[("sec-fetch-site", "same-site")], Some(&csrf), 403),
        (&[("sec-fetch-site", "cross-site"), ("origin", &own)], Some(&csrf), 403),
    ];
    for path in ["/change", "/api/v1/change"] {
        for (headers, field, status) in table {
            let mut request = ann.request(Method::POST, path).form(&field.map(|f| ("csrf", f)).as_slice());
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let answer = ann.send(request).await;
            assert_eq!(answer.status().as_u16(), *status, "{path} {headers:?} {field:?}");
        }
    }
    // Every unsafe method, whether or not there is such a route.
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let request = ann.request(method, "/change");
        assert_eq!(ann.send(request).await.status(), 403);
    }
    // Signing in is protected too: a stranger's form must not sign anybody in as the stranger.
    let mut victim = Browser::new(&world, AURORA);
    let fields = [("email", "ann@x.example"), ("password", "aurora password"), ("csrf", csrf.as_str())];
    assert_eq!(victim.post("/sign-in", &fields).await.status(), 403);
    let mine = victim.csrf().await;
    victim.cookies.clear();
    assert_eq!(victim.post("/sign-in", &[("csrf", &mine), fields[0], fields[1]]).await.status(), 403);
}

#[tokio::test]
async fn guessing_is_slow_and_learns_nothing() {
    let world = world("").await;
    let mut guesser = Browser::new(&world, AURORA);
    let told = async |guesser: &mut Browser<'_>, email: &str| {
        let answer = guesser.sign_in(email, "a wrong guess").await;
        let wait = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, wait, text.lines().find(|line| line.starts_with("problem=")).unwrap().to_owned())
    };
    let known = told(&mut guesser, "ann@x.example").await;
    assert_eq!(known, told(&mut guesser, "nobody@x.example").await, "one answer for both");
    assert_eq!(known.0, 401);
    // Then a question is asked as well, of who is known and of who is not; it is not answered here.
    for status in [401, 401, 403, 403] {
        assert_eq!(told(&mut guesser, "ann@x.example").await.0, status);
    }
    let (status, wait, text) = told(&mut guesser, "ann@x.example").await;
    assert_eq!((status, wait.as_deref()), (429, Some("900")));
    assert!(text.contains("15 minutes"), "{text}");
    // Not even the right password helps now; later it does.
    assert_eq!(guesser.sign_in("ann@x.example", "aurora password").await.status(), 429);
    world.now.fetch_add(900_000, Ordering::Relaxed);
    assert_eq!(guesser.sign_in("ann@x.example", "aurora password").await.status(), 303);
}

#[tokio::test]
async fn who_fails_waits_as_long_whoever_it_is() {
    let world = world("").await;
    let tenants = world.store.system().tenants().await.unwrap();
    let aurora = tenants.iter().find(|tenant| tenant.spec.slug.as_str() == "aurora").unwrap().id;
    let db = world.store.system().tenant_db(aurora);
    // One whose hash is from before a recalibration, and one who never had a password.
    let cheap = super::Cost { memory_kib: 8_192, passes: 1 }.hash(b"cheap password").unwrap();
    for (email, hash) in [("cheap@x.example", cheap), ("none@x.example", Concealed::new(String::new()))] {
        let person = NewPerson {
            email: email.to_owned(),
            display_name: "Ann".to_owned(),
            password: Secret::new("for a moment only".to_owned()),
            role: Role::Trader,
        };
        let user = create_person(&db, world.identity.passwords(), person, NOON).await.unwrap();
        assert!(db.set_password(user.id, &hash, Some(&user.password_hash)).await.unwrap());
    }
    let effort = async |email: &str| {
        let before = world.identity.passwords().effort();
        assert_eq!(Browser::new(&world, AURORA).sign_in(email, "a wrong guess").await.status(), 401);
        world.identity.passwords().effort() - before
    };
    let usual = effort("ann@x.example").await;
    assert!(usual > 8_192, "{usual}");
    for email in ["nobody@x.example", "cheap@x.example", "none@x.example"] {
        let found = effort(email).await;
        assert!(found.abs_diff(usual) < 8, "{email}: {found} KiB, and {usual} for others");
    }
}

#[tokio::test]
async fn after_failures_a_question_is_asked_and_answered() {
    let world = world("").await;
    for email in ["ann@x.example", "nobody@x.example"] {
        let mut person = Browser::new(&world, AURORA);
        let mut page = String::new();
        for tries in 1..=3 {
            page = person.sign_in(email, "a wrong guess").await.text().await.unwrap();
            assert_eq!(page.contains("\nasked="), tries == 3, "{page}");
        }
        let (_, asked) = page.split_once("\nasked=").unwrap();
        let (text, token) = asked.split_once('\n').unwrap();
        let sum = super::question::worked_out(text);
        let csrf = person.csrf().await;
        let fields = |answer: &'static str| {
            [("csrf", csrf.clone()), ("email", email.to_owned()), ("password", "aurora password".to_owned())]
                .into_iter()
                .chain([
                    ("question", token.to_owned()),
                    ("answer", if answer.is_empty() { sum.clone() } else { answer.to_owned() }),
                ])
                .collect::<Vec<_>>()
        };
        let send = async |person: &mut Browser<'_>, fields: Vec<(&str, String)>| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            person.post("/sign-in", &fields).await.status().as_u16()
        };
        world.now.fetch_add(3_000, Ordering::Relaxed);
        assert_eq!(send(&mut person, fields("99")).await, 403, "a wrong answer, though the password is right");
        let signed_in = send(&mut person, fields("")).await;
        assert_eq!(signed_in, if email == "ann@x.example" { 303 } else { 401 });
    }
}

#[tokio::test]
async fn sessions_end() {
    let world = world("").await;
    let at = |ms: i64| world.now.store(NOON.0 + ms, Ordering::Relaxed);
    let mut ann = Browser::new(&world, AURORA);
    ann.sign_in("ann@x.example", "aurora password").await;
    at(11 * HOUR_MS);
    assert!(ann.who().await.is_some());
    at(23 * HOUR_MS - 1);
    assert!(ann.who().await.is_some(), "use prolongs it");
    at(35 * HOUR_MS - 1);
    assert!(ann.who().await.is_none(), "twelve idle hours end it");

    at(0);
    ann.sign_in("ann@x.example", "aurora password").await;
    for hours in (10..=720 - 10).step_by(10) {
        at(hours * HOUR_MS);
        assert!(ann.who().await.is_some(), "{hours}");
    }
    at(30 * DAY_MS);
    assert!(ann.who().await.is_none(), "thirty days end it in any case");
    // Someone signs in, which sweeps; then the clock is set back.
    Browser::new(&world, AURORA).sign_in("owner@x.example", "aurora password").await;
    at(0);
    assert!(ann.who().await.is_none(), "what has ended does not come back");
}

#[tokio::test]
async fn a_new_sign_in_replaces_the_old_session() {
    let world = world("").await;
    let mut ann = Browser::new(&world, AURORA);
    ann.sign_in("ann@x.example", "aurora password").await;
    let old = ann.cookies.clone();
    ann.sign_in("owner@x.example", "aurora password").await;
    assert!(ann.who().await.unwrap().contains(" owner "));
    ann.cookies = old;
    assert_eq!(ann.who().await, None);
}

#[tokio::test]
async fn the_token_of_a_session_is_not_stored() {
    let world = world("").await;
    let mut ann = Browser::new(&world, AURORA);
    ann.sign_in("ann@x.example", "aurora password").await;
    let (_, token) = ann.cookies.first().unwrap();
    let raw = crate::secrets::Token::parse(token).unwrap();
    let stored = world.store.bytes();
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    assert!(holds(&raw.digest().0), "the search works");
    assert!(!holds(token.as_bytes()) && !holds(b"aurora password"));
}

#[tokio::test]
async fn whom_to_tell_of_a_hole_is_written_where_it_is_looked_for() {
    let told = world("security_contact = \"mailto:security@firm.example\"\n").await;
    let answer = Browser::new(&told, AURORA).get("/.well-known/security.txt").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let text = answer.text().await.unwrap();
    assert_eq!(
        text,
        "Contact: mailto:security@firm.example\nExpires: 2027-05-19T12:00:00.000Z\nPreferred-Languages: en-GB, en\n\
         Canonical: https://aurora.localhost/.well-known/security.txt\n"
    );
    let silent = world("").await;
    assert_eq!(Browser::new(&silent, AURORA).get("/.well-known/security.txt").await.status(), 404);
}
