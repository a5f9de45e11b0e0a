//! A market with people who call the API.

use crate::{
    api,
    audit::Act,
    clock::Clock,
    identity::{Identity, IdentityLayer, Role},
    licensing::files::EaFiles,
    objects::Objects,
    plugins,
    portal::Portal,
    secrets::{self, Secret},
    serve, tenants,
    testing::{self, NOON, THEMES, TestServer, TestStore, config, demo_dir, edge, vault},
    trading::{self, Floor, requests},
};
use marque_domain::{id::UserId, tenant::TenantStatus};
use marque_store::{Page, PeopleFilter, TenantDb, User, UserStatus, Whose};
use poem::{EndpointExt as _, Route, http::Method};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Instant,
};

mod person;
mod things;

pub use person::{Answer, Ids, Person, backtest_body};

use person::{cookie_of, csrf_of};

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

    /// Someone who is not signed in and has a page open: their forms are taken.
    pub async fn visitor(&self, host: &'static str) -> Person<'_> {
        let mut visitor = self.stranger(host);
        let page = visitor.page(Method::GET, "/sign-in", &[]).await;
        visitor.keep(&page);
        visitor.csrf = csrf_of(&page.text().await.unwrap());
        visitor
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
        let email = format!("{name}@x.example");
        let form = [("email", email.as_str()), ("password", PASSWORD)];
        self.visitor(host).await.page(Method::POST, "/sign-in", &form).await.status().as_u16()
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
