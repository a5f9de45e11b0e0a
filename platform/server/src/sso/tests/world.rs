//! Two brands whose people come from one issuer, and their browsers.

use crate::{
    audit::{Act, Origin, Recorder},
    clock::Clock,
    edge::{HostName, Resolver},
    identity::{
        Identity, IdentityLayer, NewPerson, Role,
        admission::{Method as Way, Proven},
        create_person,
    },
    mail::{Courier, Postman},
    portal::Portal,
    problem::ProblemCode,
    secrets::{Secret, Vault},
    serve,
    sso::{
        connection::{Join, Settings, place},
        issuer::{CLIENT, Issuer, SECRET},
    },
    testing::{self, Letter, NOON, TestServer, TestStore, config, edge},
};
use marque_domain::time::Millis;
use marque_store::{SsoConnection, TenantDb, User};
use poem::{EndpointExt as _, http::Method};
use reqwest::Response;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

pub(super) const AURORA: &str = "aurora.localhost";
pub(super) const BOREALIS: &str = "borealis.localhost";
pub(super) const PASSWORD: &str = "correct horse battery";

/// Two brands with single sign-on by one issuer.
pub(super) struct World {
    pub(super) server: TestServer,
    pub(super) store: TestStore,
    pub(super) identity: Identity,
    pub(super) now: Arc<AtomicI64>,
    pub(super) issuer: Issuer,
    pub(super) data: tempfile::TempDir,
}

impl World {
    /// Two tenants, each with a trader and an owner, and with the connections `acme` and `other` to one issuer.
    pub(super) async fn start() -> Self {
        let (store, issuer) = (TestStore::with_demo(&[]).await, Issuer::start().await);
        let data = tempfile::tempdir().unwrap();
        let config = config(&format!("data_dir = {:?}\noutbound_allow_loopback = true\n", data.path()));
        let now = Arc::new(AtomicI64::new(NOON.0));
        let shown = now.clone();
        let clock = Clock::from_fn(move || Millis(shown.load(Ordering::Relaxed)));
        let vault = Vault::for_tests(clock.clone());
        let identity = Identity::new(&config, clock.clone(), vault.clone()).unwrap();
        let floor = Arc::new(serve::floor(&config, &store.store, clock.clone(), vault).unwrap());
        let portal = Portal::new(Arc::clone(identity.outbox().themes()), floor, clock);
        let app = portal.routes().with(IdentityLayer::new(identity.clone())).with(edge(&config, &store));
        let server = TestServer::start(app).await;
        let world = Self { server, store, identity, now, issuer, data };
        for host in [AURORA, BOREALIS] {
            for (name, role) in [("ann", Role::Trader), ("owner", Role::Owner)] {
                let person = NewPerson {
                    email: format!("{name}@here.example"),
                    display_name: name.to_owned(),
                    password: Secret::new(PASSWORD.to_owned()),
                    role,
                };
                create_person(&world.db(host).await, world.identity.passwords(), person, NOON).await.unwrap();
            }
            for (id, slug) in [(1, "acme"), (2, "other")] {
                let connection = world.connection(host, id, slug).await;
                world.db(host).await.create_sso_connection(&connection).await.unwrap();
            }
        }
        world
    }

    pub(super) async fn db(&self, host: &str) -> TenantDb {
        let tenant = self.store.system().tenant_by_host(host).await.unwrap().unwrap();
        self.store.system().tenant_db(tenant.id)
    }

    pub(super) async fn connection(&self, host: &str, id: i64, slug: &str) -> SsoConnection {
        let keys = self.identity.vault().of(&self.db(host).await).await.unwrap();
        let settings = Settings { join: Join::Anyone, team: String::new(), key: String::new(), form_post: false };
        SsoConnection {
            id,
            slug: slug.to_owned(),
            name: slug.to_owned(),
            preset: "oidc".to_owned(),
            issuer: self.issuer.url.clone(),
            client_id: CLIENT.to_owned(),
            secret: keys.seal(&place(id), SECRET.as_bytes()).unwrap(),
            settings: serde_json::to_string(&settings).unwrap(),
            domains: Vec::new(),
            enabled: true,
            created_at: NOON,
            updated_at: NOON,
        }
    }

    /// Who did an act at a brand and to what, each time.
    pub(super) async fn recorded(&self, host: &str, act: Act) -> Vec<String> {
        testing::recorded(&self.db(host).await, act).await
    }

    /// Delivers what is queued, and answers the letters to Aurora's people.
    pub(super) async fn letters(&self) -> Vec<Letter> {
        let folder = self.data.path().join("mails");
        let courier = Courier::Folder(folder.clone());
        Postman::new(self.identity.outbox().clone(), courier, self.store.system()).work().await;
        testing::take_letters(&folder, "aurora")
    }

    /// Whether somebody who proved who they are in this way may come in.
    pub(super) async fn admits(&self, host: &str, user: User, method: Way) -> Result<(), ProblemCode> {
        let resolver = Resolver::new(self.store.system(), &config("").limits);
        let tenant = resolver.tenant(&HostName::parse(host).unwrap()).await.unwrap();
        let clock = Clock::from_fn(|| NOON);
        let recorder = Recorder::new(self.identity.vault().clone(), clock, Origin::default());
        let proven = Proven { user, method, recorder: &recorder, next: "/", shown_at: None };
        self.identity.admit(&tenant, proven).await.map(drop).map_err(|problem| problem.code)
    }

    pub(super) fn browser(&self, host: &'static str) -> Browser<'_> {
        Browser { world: self, host, cookies: Vec::new() }
    }
}

/// Somebody's browser at one of them.
pub(super) struct Browser<'a> {
    pub(super) world: &'a World,
    pub(super) host: &'static str,
    pub(super) cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    pub(super) async fn send(&mut self, method: Method, path: &str, form: Option<&[(&str, &str)]>) -> Response {
        let server = &self.world.server;
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let client = server.client(self.host).build().unwrap();
        let mut request = client.request(method, server.url(self.host, path)).header("cookie", cookies.join("; "));
        if let Some(form) = form {
            request = request.form(form);
        }
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

    pub(super) async fn get(&mut self, path: &str) -> Response {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn csrf(&mut self, page: &str) -> String {
        let text = self.get(page).await.text().await.unwrap();
        let (_, rest) =
            text.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form on {page}: {text}"));
        rest.split('"').next().unwrap().to_owned()
    }

    pub(super) async fn post(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf(page).await;
        let form: Vec<_> = [("csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.send(Method::POST, path, Some(&form)).await
    }

    pub(super) async fn by_password(&mut self, email: &str) -> Response {
        self.post("/sign-in", "/sign-in", &[("email", email), ("password", PASSWORD)]).await
    }

    /// Begins at a connection; answers the path with which the issuer sends the browser back.
    pub(super) async fn begin(&mut self, page: &str, path: &str, slug: &str) -> String {
        self.begin_for(page, path, slug, &[("next", "/dashboard")]).await
    }

    /// The same with other fields.
    pub(super) async fn begin_for(&mut self, page: &str, path: &str, slug: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(page, path, fields).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        let refresh = answer.headers()["refresh"].to_str().unwrap().to_owned();
        let url = refresh.strip_prefix("0; url=").unwrap();
        let (code, state) = self.world.issuer.authorize(url);
        let query = [("code", code), ("state", state), ("iss", self.world.issuer.url.clone())];
        let query = reqwest::Url::parse_with_params("http://x.example/", &query).unwrap();
        format!("/sso/{slug}/callback?{}", query.query().unwrap())
    }

    pub(super) async fn by_sso(&mut self, slug: &str) -> Response {
        let back = self.begin("/sign-in", &format!("/sso/{slug}/begin"), slug).await;
        self.get(&back).await
    }

    /// Whether pages open, and whose they are.
    pub(super) async fn who(&mut self) -> Option<String> {
        let answer = self.get("/security/sso").await;
        if answer.status() != 200 {
            return None;
        }
        let text = answer.text().await.unwrap();
        ["ann@here.example", "owner@here.example", "ann@x.example"]
            .map(str::to_owned)
            .into_iter()
            .find(|mail| text.contains(mail))
    }
}

/// That nobody was let in, and what they read.
pub(super) async fn refused(answer: Response, status: u16, words: &str) {
    assert_eq!(answer.status().as_u16(), status);
    let cookies: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap().to_owned()).collect();
    assert!(!cookies.iter().any(|cookie| cookie.starts_with("__Host-marque=")), "{cookies:?}");
    let text = answer.text().await.unwrap();
    assert!(text.contains(words), "{words} is not in {text}");
}
