//! A market with people who call the API.

use crate::{
    api,
    audit::Act,
    clock::Clock,
    identity::{Identity, IdentityLayer, Role},
    licensing::{
        files::{EaFiles, NewFile},
        manage::{self, NewLicence, NewProduct, NewVersion, PolicyWish},
    },
    objects::Objects,
    plugins,
    portal::Portal,
    secrets::{self, Secret},
    serve, tenants,
    testing::{self, NOON, THEMES, TestServer, TestStore, config, demo_dir, edge, vault},
    trading::{self, Floor, requests},
};
use marque_domain::{
    id::{ActivationId, AuthorKeyId, PluginId, UserId},
    plugin::{Channel, PluginDigest, PluginKind, ReleaseStatus},
    tenant::TenantStatus,
};
use marque_store::{
    AuthorKey, LicenceFilter, LicenceRow, MailStatus, NewPlugin, Page, Passkey, PeopleFilter, QueuedMail, Release,
    Seat, SeatSalt, SeatTaken, SsoConnection, TenantDb, Usage, User, UserStatus, Whose,
};
use poem::{EndpointExt as _, Route, http::Method};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

pub const AURORA: &str = "aurora.localhost";
pub const BOREALIS: &str = "borealis.localhost";
pub const PASSWORD: &str = "correct horse battery";

/// The built components, in the folder that `cargo xtask test` builds them into.
pub fn components() -> &'static [PathBuf] {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let me = std::env::current_exe().unwrap();
        let target = me.ancestors().nth(3).expect("tests run from target/<profile>/deps");
        let built = marque_pluginbuild::build(&root, &target.join("plugins")).unwrap();
        built.into_iter().map(|plugin| plugin.path).collect()
    })
}

pub struct World {
    server: TestServer,
    pub store: TestStore,
    floor: Arc<Floor>,
    pub files: EaFiles,
    _tasks: tokio::task::JoinSet<()>,
    _data: tempfile::TempDir,
}

impl World {
    /// Both demo brands with their plugins, each with the traders ann and bob, somebody of each other role, and the
    /// traders that the matrix locks out; prices move. Nobody asks too often.
    pub async fn start() -> Self {
        Self::with("api_per_minute = 1000000\ntrading_per_minute = 1000000\nsign_in_attempts = 1000\n").await
    }

    /// The same with these limits.
    pub async fn with(limits: &str) -> Self {
        let store = TestStore::with_demo(&[]).await;
        let data = tempfile::tempdir().unwrap();
        let config = config(&format!("data_dir = {:?}\n[feed]\nspeed = 30.0\n[limits]\n{limits}", data.path()));
        // A Friday noon: the market is open and has been since Sunday.
        let started = Instant::now();
        let clock = Clock::from_fn(move || NOON.plus(i64::try_from(started.elapsed().as_millis()).unwrap()));
        let floor = Arc::new(serve::floor(&config, &store.store, clock.clone(), vault()).unwrap());
        let identity = Identity::new(&config, clock.clone(), vault()).unwrap();
        // One for all of them: to make each one's takes longer than most tests do.
        let password_hash = identity.passwords().hash(Secret::new(PASSWORD.to_owned())).await.unwrap();
        for tenant in store.system().tenants().await.unwrap() {
            let db = store.system().tenant_db(tenant.id);
            for component in components() {
                let bytes = std::fs::read(component).unwrap();
                plugins::publish(&store.store, &db, floor.sandbox(), bytes, &clock).await.unwrap();
            }
            let definition: tenants::Definition = serde_json::from_str(&tenant.spec.definition).unwrap();
            let roles = Role::ALL.iter().filter(|role| **role != Role::Trader).map(|role| (role.name(), *role));
            for (name, role) in [("ann", Role::Trader), ("bob", Role::Trader)].into_iter().chain(roles) {
                let user = User {
                    id: UserId(secrets::new_id(clock.now()).unwrap()),
                    email: format!("{name}@x.example"),
                    display_name: name.to_owned(),
                    password_hash: password_hash.clone(),
                    role: role.name().to_owned(),
                    created_at: clock.now(),
                    email_verified_at: Some(clock.now()),
                    status: UserStatus::Active,
                    // The largest: what a smaller one refuses is a test of its own.
                    plan: definition.plans.last().map(|plan| plan.code.clone()),
                    failures: 0,
                    failed_at: None,
                };
                db.create_user(&user).await.unwrap();
            }
        }
        let themes = Arc::clone(identity.outbox().themes());
        let files = EaFiles::new(Objects::open(&config).unwrap(), vault(), clock.clone(), &config.limits);
        let portal = Portal::new(themes, Arc::clone(&floor), clock.clone());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(trading::operator::run(store.store.clone(), Arc::clone(&floor), clock.clone()));
        let routes = api::routes(Route::new(), Arc::clone(&floor), clock).unwrap();
        let routes = routes.nest_no_strip("/", portal.routes()).data(files.clone());
        let app = routes.with(IdentityLayer::new(identity)).with(edge(&config, &store));
        Self { server: TestServer::start(app).await, store, floor, files, _tasks: tasks, _data: data }
    }

    /// Puts a person on a plan, as whoever sells it does.
    pub async fn put_on_plan(&self, host: &str, name: &str, plan: &str) {
        let tenant = self.store.system().tenant_by_host(host).await.unwrap().unwrap();
        let db = self.store.system().tenant_db(tenant.id);
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap();
        db.set_plan(user.id, Some(plan)).await.unwrap();
        let definition: tenants::Definition = serde_json::from_str(&tenant.spec.definition).unwrap();
        requests::follow_plan(&self.floor, &db, &definition, user.id).await.unwrap();
    }

    /// Someone who is not signed in.
    pub fn stranger(&self, host: &'static str) -> Person<'_> {
        let http = self.server.client(host).build().unwrap();
        let (cookie, csrf) = (String::new(), String::new());
        Person { world: self, host, name: "nobody".to_owned(), http, cookie, csrf, bearer: None }
    }

    /// Signs a person in.
    pub async fn person(&self, host: &'static str, name: &str) -> Person<'_> {
        let mut person = self.stranger(host);
        name.clone_into(&mut person.name);
        let page = person.http.get(self.server.url(host, "/sign-in")).send().await.unwrap();
        let cookie = cookie_of(&page);
        let csrf = csrf_of(&page.text().await.unwrap());
        let form = [("csrf", csrf.as_str()), ("email", &format!("{name}@x.example")), ("password", PASSWORD)];
        let request = person.http.post(self.server.url(host, "/sign-in")).header("cookie", cookie).form(&form);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 303);
        person.cookie = cookie_of(&answer);
        person.csrf = person.get("/session").await.ok()["csrf_token"].as_str().unwrap().to_owned();
        person
    }

    /// Ends every session of a person, as an admin does.
    pub async fn end_sessions(&self, host: &str, name: &str) {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap();
        assert!(db.delete_sessions_of(user.id).await.unwrap() > 0);
    }

    /// Makes it long ago that a person proved who they are, in every session of theirs.
    pub async fn forget_proof(&self, host: &str, name: &str) {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap();
        for session in db.sessions_of(user.id, NOON).await.unwrap() {
            db.prove_session(session.id, NOON.plus(-24 * 3_600_000)).await.unwrap();
        }
    }

    /// Puts a person's backtest into the database once more, as a server that was killed left it: running, and long
    /// silent; and lets the server look for such. Answers its id.
    pub async fn left_behind(&mut self, host: &str, id: &str) -> String {
        let db = self.tenant(host).await;
        let mut left = db.backtest(Whose::Everyone, id.parse().unwrap()).await.unwrap();
        left.id.0 += 1;
        left.status = marque_store::BacktestStatus::Queued;
        assert!(db.add_backtest(&left, 10).await.unwrap());
        assert!(db.claim_backtest(left.id, NOON.plus(-60_000), NOON.plus(-90_000)).await.unwrap());
        self._tasks.spawn(self.floor.backtests().clone().look_after());
        left.id.to_string()
    }

    /// Adds a brand's books up.
    pub async fn books(&self, host: &str) -> marque_domain::ledger::reconcile::LedgerAudit {
        trading::verify_books(&self.tenant(host).await).await.unwrap()
    }

    /// Tries to sign a person in; answers the status.
    pub async fn try_sign_in(&self, host: &'static str, name: &str) -> u16 {
        let stranger = self.stranger(host);
        let page = stranger.http.get(self.server.url(host, "/sign-in")).send().await.unwrap();
        let cookie = cookie_of(&page);
        let csrf = csrf_of(&page.text().await.unwrap());
        let form = [("csrf", csrf.as_str()), ("email", &format!("{name}@x.example")), ("password", PASSWORD)];
        let request = stranger.http.post(self.server.url(host, "/sign-in")).header("cookie", cookie).form(&form);
        request.send().await.unwrap().status().as_u16()
    }

    /// Everybody of a brand.
    pub async fn people(&self, host: &str) -> Vec<User> {
        let page = self.tenant(host).await.people(PeopleFilter::default(), Page::first(200)).await.unwrap();
        page.items
    }

    /// What was recorded at a brand, oldest first.
    pub async fn acts(&self, host: &str) -> Vec<String> {
        testing::acts(&self.tenant(host).await).await
    }

    /// Who did an act at a brand and to what, each time.
    pub async fn recorded(&self, host: &str, act: Act) -> Vec<String> {
        testing::recorded(&self.tenant(host).await, act).await
    }

    /// Sets up a single sign-on connection that only this brand has; answers its name in addresses.
    pub async fn connection(&self, host: &str) -> String {
        let (db, id) = (self.tenant(host).await, 1);
        let place = secrets::Place::new(secrets::SealedColumn::SsoConnections, id);
        let secret = vault().of(&db).await.unwrap().seal(&place, b"a secret").unwrap();
        let connection = SsoConnection {
            id,
            slug: "somebodys".to_owned(),
            name: "Somebody's".to_owned(),
            preset: "oidc".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "client".to_owned(),
            secret,
            settings: r#"{"join":"anyone"}"#.to_owned(),
            domains: Vec::new(),
            enabled: true,
            created_at: NOON,
            updated_at: NOON,
        };
        db.create_sso_connection(&connection).await.unwrap();
        connection.slug
    }

    /// A mail of a brand that could not be delivered; answers its id in addresses.
    pub async fn dead_mail(&self, host: &str) -> String {
        let mail = QueuedMail {
            id: 77,
            kind: "verify-email".to_owned(),
            recipient: "ann@x.example".to_owned(),
            content: vec![1, 2, 3],
            status: MailStatus::Dead,
            attempts: 9,
            next_attempt_at: NOON,
            last_error: Some("no such mailbox".to_owned()),
            created_at: NOON,
            sent_at: None,
        };
        assert!(self.tenant(host).await.queue_mail(&mail, None).await.unwrap());
        mail.id.to_string()
    }

    /// Gives a person a passkey that no authenticator has.
    pub async fn passkey(&self, host: &str, name: &str) {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap().id;
        let passkey = Passkey {
            id: 4_711,
            user,
            credential: vec![1, 2, 3],
            name: "Laptop".to_owned(),
            data: "{}".to_owned(),
            created_at: NOON,
            last_used_at: None,
        };
        db.add_passkey(&passkey, &[]).await.unwrap();
    }

    /// A release of a person's that waits for a decision, and the key that signed it: made up once, past the gate.
    pub async fn release(&self, host: &str, name: &str) -> (String, String) {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap().id;
        if let Some(there) = db.releases(Whose::User(user)).await.unwrap().first() {
            return (there.plugin.id.to_string(), there.key.to_string());
        }
        let key = AuthorKey {
            id: AuthorKeyId(secrets::new_id(NOON).unwrap()),
            user,
            name: "Laptop".to_owned(),
            public_key: secrets::random_bytes::<32>().unwrap().to_vec(),
            created_at: NOON,
            revoked_at: None,
        };
        db.add_author_key(&key).await.unwrap();
        let digest = PluginDigest(secrets::random_bytes().unwrap());
        self.store.store.system("test").put_artifact(digest, &digest.0).await.unwrap();
        let release = Release {
            plugin: NewPlugin {
                id: PluginId(secrets::new_id(NOON).unwrap()),
                name: format!("{name}s-own"),
                version: "1.0.0".to_owned(),
                kind: PluginKind::Strategy,
                digest,
                size: 32,
                description: r#"{"summary":"Made up.","settings_schema":{},"hooks":{"bars":true,"ticks":false,"history_bars":0}}"#.to_owned(),
            },
            user,
            key: key.id,
            channel: Channel::Stable,
            contract: "1.1".to_owned(),
            signature: vec![1; 64],
            changelog: "First.".to_owned(),
            report: "{}".to_owned(),
            status: ReleaseStatus::Pending,
            reason: String::new(),
            created_at: NOON,
            decided_at: None,
        };
        assert_eq!(db.add_release(&release).await.unwrap(), None);
        (release.plugin.id.to_string(), key.id.to_string())
    }

    /// An Expert Advisor with a version and a policy, and a person's licence with a seat: made up once. Answers their ids.
    pub async fn licence(&self, host: &str, name: &str) -> [String; 5] {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap().id;
        let there = db.licences(Whose::User(user), LicenceFilter::default(), Page::first(1)).await.unwrap().items;
        let licence = match there.into_iter().next() {
            Some(licence) => licence,
            None => make_licence(&db, user).await,
        };
        let version = db.ea_versions(licence.product).await.unwrap().remove(0).id;
        let seat = db.seats(licence.id).await.unwrap().remove(0).id;
        let (ea, policy) = (licence.product.to_string(), licence.policy.to_string());
        [ea, version.to_string(), policy, licence.id.to_string(), seat.to_string()]
    }

    /// A file of a version: made up once. Answers its id.
    pub async fn ea_file(&self, host: &str, version: &str) -> String {
        let (db, version) = (self.tenant(host).await, version.parse().unwrap());
        if let Some(there) = db.ea_files(version).await.unwrap().first() {
            return there.id.to_string();
        }
        let new = NewFile { version, name: "Gold Rush.ex5".to_owned(), sealed: true, bytes: b"EX5\x02q".to_vec() };
        self.files.put(&db, new, None).await.unwrap().id.to_string()
    }

    /// Closes or opens a brand.
    pub async fn set_status(&self, host: &str, status: TenantStatus) {
        let slug = host.split('.').next().unwrap();
        let mut definitions = tenants::read_dir(&demo_dir(), THEMES).unwrap();
        let definition = definitions.iter_mut().find(|d| d.slug.as_str() == slug).unwrap();
        definition.status = status;
        tenants::apply(&self.store.system(), &definitions, NOON).await.unwrap();
    }

    /// Puts a component into a brand's catalogue, as its operator does.
    pub async fn publish(&self, host: &str, component: Vec<u8>) {
        let (db, clock) = (self.tenant(host).await, Clock::from_fn(|| NOON.plus(1_000)));
        plugins::publish(&self.store.store, &db, self.floor.sandbox(), component, &clock).await.unwrap();
    }

    /// Limits the instructions of a day on a plan, as whoever applies the brand's file does.
    pub async fn limit_fuel(&self, host: &str, plan: &str, fuel_per_day: u64) {
        let slug = host.split('.').next().unwrap();
        let mut definitions = tenants::read_dir(&demo_dir(), THEMES).unwrap();
        let definition = definitions.iter_mut().find(|d| d.slug.as_str() == slug).unwrap();
        let plan = definition.plans.iter_mut().find(|p| p.code == plan).unwrap();
        plan.quotas.fuel_per_day = Some(fuel_per_day);
        tenants::apply(&self.store.system(), &definitions, NOON).await.unwrap();
    }

    pub async fn tenant(&self, host: &str) -> TenantDb {
        let system = self.store.system();
        let tenant = system.tenant_by_host(host).await.unwrap().unwrap();
        system.tenant_db(tenant.id)
    }

    pub async fn raw(&self, request: &[u8]) -> String {
        self.server.raw(request).await
    }
}

async fn make_licence(db: &TenantDb, user: UserId) -> LicenceRow {
    let schema = json!({ "type": "object", "properties": { "lots": { "type": "number" } } });
    let product = NewProduct {
        code: "gold-rush".to_owned(),
        name: "Gold Rush".to_owned(),
        summary: String::new(),
        plans: Vec::new(),
        settings_schema: Some(schema),
    };
    let product = manage::put_product(db, product, NOON).await.unwrap().id;
    let version = NewVersion { version: "1.20".to_owned(), channel: Channel::Stable, changelog: String::new() };
    manage::put_version(db, product, version, NOON).await.unwrap();
    let wish = PolicyWish { name: "Standard".to_owned(), ..PolicyWish::default() };
    let policy = manage::put_policy(db, product, &wish, NOON).await.unwrap();
    let issued = manage::issue(db, &vault(), NewLicence { user, policy, ends_at: None }, NOON).await.unwrap();
    let id = ActivationId(secrets::new_id(NOON).unwrap());
    let licence = issued.licence.id;
    let text = |text: &str| text.to_owned();
    let seat = Seat {
        id,
        licence,
        account: text("5001"),
        server: text("Broker-Demo"),
        machine: "ab".repeat(32),
        kind: text("demo"),
        platform: text("mt5"),
        version: text("1.20"),
        address: text("203.0.113.9"),
        nonce: "0".repeat(32),
        generation: 1,
        taken_at: NOON,
        seen_at: NOON,
        released_at: None,
        lapsed_at: None,
        usage: Usage::default(),
    };
    let salt = SeatSalt {
        id: id.0,
        licence,
        activation: id,
        generation: 1,
        salt: vec![1, 2, 3],
        created_at: NOON,
        retires_at: None,
    };
    let row = db.licence(Whose::Everyone, licence).await.unwrap();
    let revision = row.revision;
    let (lapsed, forgotten, events) = (Vec::new(), Vec::new(), Vec::new());
    assert!(db.take_seat(&SeatTaken { revision, seat, new: true, salt, lapsed, forgotten, events }).await.unwrap());
    row
}

/// The token of a page's forms.
fn csrf_of(html: &str) -> String {
    let (_, rest) = html.split_once("name=\"csrf\" value=\"").expect("a page with a form");
    rest.split('"').next().unwrap().to_owned()
}

fn cookie_of(answer: &reqwest::Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap());
    let kept = cookies.filter(|c| !c.contains("Max-Age=0")).map(|c| c.split(';').next().unwrap());
    kept.collect::<Vec<_>>().join("; ")
}

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub link: Option<String>,
    pub body: Value,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let (status, link) = (response.status().as_u16(), header("link"));
        let kind = header("content-type").unwrap_or_default();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} is not JSON: {text}"));
        if status >= 400 {
            assert_eq!(kind, "application/problem+json", "{text}");
        }
        Self { status, kind, link, body }
    }

    /// The body of a 200.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// A refusal without what differs from request to request.
    pub fn anonymous(mut self) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.remove("request_id");
        }
        self
    }
}

/// Somebody who calls the API.
pub struct Person<'a> {
    world: &'a World,
    pub host: &'static str,
    pub name: String,
    http: reqwest::Client,
    pub cookie: String,
    pub csrf: String,
    /// The token of a program.
    pub bearer: Option<String>,
}

impl Person<'_> {
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.world.server.url(self.host, &format!("/api/v1{path}"));
        let request = self.http.request(method, url);
        match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request.header("cookie", &self.cookie).header("x-csrf-token", &self.csrf),
        }
    }

    /// A request for a page, whatever its body will be.
    pub fn page_request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.world.server.url(self.host, path);
        self.http.request(method, url).header("cookie", &self.cookie).header("accept", "text/html")
    }

    /// Asks for a page, or sends its form.
    pub async fn page(&self, method: Method, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let url = self.world.server.url(self.host, path);
        let request =
            self.http.request(method.clone(), url).header("cookie", &self.cookie).header("accept", "text/html");
        let fields: Vec<(&str, &str)> = form.iter().copied().chain([("csrf", self.csrf.as_str())]).collect();
        let request = if method == Method::GET { request } else { request.form(&fields) };
        request.send().await.unwrap()
    }

    /// Their own id.
    pub async fn user(&self) -> String {
        self.get("/session").await.ok()["user"].as_str().unwrap().to_owned()
    }

    /// Ends the session on the page for it.
    pub async fn sign_out(&self) {
        let url = self.world.server.url(self.host, "/sign-out");
        let request = self.http.post(url).header("cookie", &self.cookie).form(&[("csrf", &self.csrf)]);
        assert_eq!(request.send().await.unwrap().status(), 303);
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts under a key of its own.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let key: String = secrets::Token::new().unwrap().expose();
        self.post_as(&key, path, body).await
    }

    pub async fn post_as(&self, key: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        self.send(if body.is_null() { request } else { request.json(body) }).await
    }

    /// Opens an account.
    pub async fn account(&self) -> String {
        let opened = self.post("/accounts", &json!({ "name": "Mine" })).await.ok();
        opened["id"].as_str().unwrap().to_owned()
    }

    /// Waits until EURUSD has a price.
    pub async fn until_prices(&self) -> Value {
        self.until("/market", |market| {
            market["state"] == "running" && market["quotes"].as_array().unwrap().iter().any(|q| q["symbol"] == "EURUSD")
        })
        .await
    }

    /// Reads until what is read is right.
    pub async fn until(&self, path: &str, right: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..200 {
            last = self.get(path).await.ok();
            if right(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path} stays {last}");
    }

    /// Has a trade: account, order, position, decision, and a strategy deployed on this timeframe.
    pub async fn trade(&self, timeframe: &str) -> Ids {
        self.until_prices().await;
        let account = self.account().await;
        let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.10" });
        let decision = self.post(&format!("/accounts/{account}/orders"), &order).await.ok();
        assert_eq!(decision["outcome"], "approved", "{decision}");
        let open = format!("/accounts/{account}/positions?state=open");
        let positions = self.until(&open, |found| found["items"].as_array().unwrap().len() == 1).await;
        let strategy = json!({
            "account": account, "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": timeframe,
            "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
        });
        let deployed = self.post("/deployments", &strategy).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (release, author_key) = self.world.release(self.host, &self.name).await;
        let [ea, ea_version, licence_policy, licence, activation] = self.world.licence(self.host, &self.name).await;
        let ea_file = self.world.ea_file(self.host, &ea_version).await;
        let tested = self.post("/backtests", &backtest_body()).await.ok();
        self.until(&format!("/backtests/{}", tested["id"].as_str().unwrap()), |found| found["status"] == "done").await;
        Ids {
            account,
            order: text(&decision["order"]),
            decision: text(&decision["id"]),
            position: text(&positions["items"][0]["id"]),
            deployment: text(&deployed["id"]),
            release,
            author_key,
            backtest: text(&tested["id"]),
            ea,
            ea_version,
            ea_file,
            licence_policy,
            licence,
            activation,
        }
    }
}

impl Person<'_> {
    /// Closes what is open on the account of a trade and places another order; the ids of order, decision and position are
    /// then its own. A netting account would add to the position that it has, whose number would stay.
    pub async fn trade_again(&self, ids: &mut Ids) {
        let open = format!("/accounts/{}/positions?state=open", ids.account);
        let closed = self.post(&format!("/positions/{}/close", ids.position), &Value::Null).await.ok();
        assert_eq!(closed["outcome"], "approved", "{closed}");
        self.until(&open, |found| found["items"] == json!([])).await;
        let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
        let decision = self.post(&format!("/accounts/{}/orders", ids.account), &order).await.ok();
        assert_eq!(decision["outcome"], "approved", "{decision}");
        let positions = self.until(&open, |found| found["items"].as_array().unwrap().len() == 1).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ids.order = text(&decision["order"]);
        ids.decision = text(&decision["id"]);
        ids.position = text(&positions["items"][0]["id"]);
    }
}

/// What a trade left.
#[derive(Debug, Clone)]
pub struct Ids {
    pub account: String,
    pub order: String,
    pub decision: String,
    pub position: String,
    pub deployment: String,
    pub release: String,
    pub author_key: String,
    pub backtest: String,
    pub ea: String,
    pub ea_version: String,
    pub ea_file: String,
    pub licence_policy: String,
    pub licence: String,
    pub activation: String,
}

/// A backtest of a day of the made-up market.
pub fn backtest_body() -> Value {
    json!({
        "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M5", "source": "synthetic",
        "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
        "from": "2026-11-10T00:00:00Z", "to": "2026-11-11T00:00:00Z",
    })
}
