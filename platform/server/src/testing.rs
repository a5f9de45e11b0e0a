//! What the server's tests share: a store with both demo brands in a temporary SQLite file, a server on a free
//! loopback port, and raw requests to it.

use crate::{
    audit::Act,
    clock::Clock,
    config::Config,
    edge::{Edge, ErrorPages, Readiness, Resolver},
    licensing::files::EaFiles,
    mail::MailKind,
    objects::Objects,
    secrets::{Token, Vault},
    tenants,
};
use marque_domain::{
    id::{GrantId, PersonalTokenId, UserId},
    time::{DAY_MS, Millis},
};
use marque_store::{
    AuditEntry, Grant, GrantToken, MailStatus, NewGrantTokens, Page, PersonalToken, Store, SystemDb, TenantDb,
    TokenHash,
};
use poem::{Endpoint, EndpointExt as _, Server, listener::TcpAcceptor};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The themes that the demo brands name.
pub const THEMES: &[&str] = &["daybreak", "nightfall"];
/// When tests happen: 2026-11-20T12:00:00Z.
pub const NOON: Millis = Millis(1_795_176_000_000);

/// The repository's `tenants/`.
pub fn demo_dir() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tenants")
}

/// A migrated database in a temporary folder, which lives as long as this.
pub struct TestStore {
    pub store: Store,
    dir: tempfile::TempDir,
}

impl TestStore {
    pub async fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        marque_store::migrate(&url, None).await.unwrap();
        Self { store: Store::connect(&url).await.unwrap(), dir }
    }

    /// With aurora and borealis, and their `more` hosts.
    pub async fn with_demo(more: &[(&str, &str)]) -> Self {
        let test = Self::empty().await;
        let mut definitions = tenants::read_dir(&demo_dir(), THEMES).unwrap();
        for (slug, host) in more {
            let definition = definitions.iter_mut().find(|d| d.slug.as_str() == *slug).unwrap();
            definition.hosts.push((*host).to_owned());
        }
        tenants::apply(&test.system(), &definitions, NOON).await.unwrap();
        test
    }

    /// Everything that is on disk: the database and its write-ahead log.
    pub fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    pub fn system(&self) -> SystemDb {
        self.store.system("tests")
    }
}

/// Settings from a file's text over the defaults. What one test compiled, the others find.
pub fn config(text: &str) -> Config {
    // This program is target/<profile>/deps/<name>.
    let me = std::env::current_exe().unwrap();
    let compiled = me.ancestors().nth(3).unwrap().join("tmp/compiled-in-tests");
    let variable = ("MARQUE_COMPILED_DIR".to_owned(), compiled.display().to_string());
    Config::read("test.toml", text, [variable]).unwrap()
}

/// The acts in a tenant's audit log, oldest first.
pub async fn acts(db: &TenantDb) -> Vec<String> {
    log(db).await.into_iter().map(|entry| entry.act).collect()
}

/// Who did an act and to what, each time that it was recorded, oldest first: `person ann@x.example: ord_…`.
pub async fn recorded(db: &TenantDb, act: Act) -> Vec<String> {
    let entries = log(db).await.into_iter().filter(|entry| entry.act == act.code());
    entries.map(|entry| format!("{} {}: {}", entry.actor_kind, entry.actor_name, entry.target)).collect()
}

async fn log(db: &TenantDb) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    db.walk_audit(|row| entries.push(row.entry)).await.unwrap();
    entries
}

/// A program that a person signed in with, and a personal token of theirs.
pub async fn programs(db: &TenantDb, user: UserId, now: Millis) {
    let (end, hash) = (now.plus(DAY_MS), |kind: u8| {
        let mut hash = [kind; 32];
        hash[..8].copy_from_slice(&user.0.to_be_bytes());
        TokenHash(hash)
    });
    let grant = Grant {
        id: GrantId(user.0),
        user,
        address: String::new(),
        agent: String::new(),
        created_at: now,
        last_used_at: now,
        expires_at: end,
    };
    let token = |kind: u8| GrantToken { id: user.0 + i64::from(kind), hash: hash(kind), expires_at: end };
    db.create_grant(&grant, &NewGrantTokens { access: token(1), refresh: token(2) }, 9).await.unwrap();
    let personal = PersonalToken {
        id: PersonalTokenId(user.0),
        user,
        name: "bot".to_owned(),
        scopes: "read".to_owned(),
        created_at: now,
        expires_at: end,
        last_used_at: None,
    };
    assert!(db.create_personal_token(&personal, hash(3), 9).await.unwrap());
}

/// A letter as it lies in a folder of mails.
pub struct Letter {
    /// Its [`MailKind`](crate::mail::MailKind)'s name.
    pub kind: String,
    /// To whom.
    pub to: String,
    /// The first link that carries a token.
    pub token: Option<Token>,
    /// All of it, without the line breaks of its encoding.
    pub text: String,
}

/// Takes the letters to a brand's people out of a folder of mails, oldest first.
pub fn take_letters(folder: &Path, brand: &str) -> Vec<Letter> {
    let Ok(files) = std::fs::read_dir(folder.join(brand)) else { return Vec::new() };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let letters = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).unwrap().replace("=\r\n", "").replace("=3D", "=");
        std::fs::remove_file(path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let after = |mark: &str| text.split(mark).nth(1).map(str::to_owned);
        let to = after("\r\nTo: ").unwrap().lines().next().unwrap().to_owned();
        let token = after("?token=").and_then(|rest| Token::parse(rest.get(..43)?));
        Letter { kind: name.split_once('-').unwrap().1.to_owned(), to, token, text }
    });
    letters.collect()
}

/// To whom mails of a kind wait.
pub async fn queued(db: &TenantDb, kind: MailKind) -> Vec<String> {
    let mails = db.mails(MailStatus::Queued, Page::default()).await.unwrap().items;
    mails.into_iter().filter(|mail| mail.kind == kind.name()).map(|mail| mail.recipient).collect()
}

/// Keys under a master key that only tests have.
pub fn vault() -> Vault {
    Vault::for_tests(Clock::system())
}

/// Files of Expert Advisors below a folder.
pub fn ea_files(folder: &Path, clock: Clock) -> EaFiles {
    let config = config(&format!("data_dir = {folder:?}"));
    EaFiles::new(Objects::open(&config).unwrap(), vault(), clock, &config.limits)
}

/// An edge over a test's store, whose pages are bare.
pub fn edge(config: &Config, store: &TestStore) -> Edge {
    let pages: ErrorPages = Arc::new(|_| None);
    let ready: Readiness = Arc::new(|| Box::pin(async { Ok(()) }));
    Edge::new(config, Resolver::new(store.system(), &config.limits), pages, ready, &["/uploads"])
}

/// A running server. Dropping it ends it.
pub struct TestServer {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    pub async fn start(routes: impl Endpoint + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        let task = tokio::spawn(async move { server.run(routes.boxed()).await.unwrap() });
        Self { address, task }
    }

    /// Sends bytes as they are and answers all that comes back until the server closes.
    pub async fn raw(&self, request: &[u8]) -> String {
        let talk = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // The server may refuse and close before it has read everything.
            let _ = stream.write_all(request).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::time::timeout(Duration::from_secs(20), talk).await.expect("the server answers and closes")
    }

    /// A client for which `host` leads to this server, without following redirects.
    pub fn client(&self, host: &str) -> reqwest::ClientBuilder {
        // As `main` does; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().resolve(host, self.address).no_proxy();
        // Nothing here speaks TLS: to read the system's certificates for each client would cost more than the tests.
        client.redirect(reqwest::redirect::Policy::none()).tls_certs_only([])
    }

    /// The address of a path at a host.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }
}

/// A migrated PostgreSQL with both demo brands, where there is one.
pub async fn postgres(test: &str) -> Option<(Store, marque_testkit::Database<'static>)> {
    let database = marque_testkit::shared_postgres(test)?.database().unwrap();
    let url = database.url();
    marque_store::migrate(&url, None).await.unwrap();
    let store = Store::connect(&url).await.unwrap();
    let definitions = tenants::read_dir(&demo_dir(), THEMES).unwrap();
    tenants::apply(&store.system("tests"), &definitions, NOON).await.unwrap();
    Some((store, database))
}
