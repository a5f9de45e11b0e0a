//! The running server: what is opened in which order, and how it ends.
//!
//! Owns: start, the routes' outermost layers, shutdown. The rooms behind the routes know nothing of each other.

use crate::{
    api,
    clock::{Clock, stopwatch_ns},
    config::Config,
    edge::{BoundedAcceptor, Edge, ErrorPages, HostName, NeutralFiles, Readiness, Resolver},
    housekeeping,
    identity::{Identity, IdentityError, IdentityLayer},
    licensing::{Licensing, ea, files::EaFiles},
    mail::{Courier, MailError, Postman},
    objects::{Objects, ObjectsError},
    plugins,
    portal::{self, Portal},
    secrets::{MasterKeyError, Vault},
    theme::{ThemeError, Themes},
    trading::{self, FeedPlan, Floor, FloorError, PlanError},
};
use futures_util::future::join_all;
use marque_domain::tenant::TenantStatus;
use marque_market::{
    catalogue::{Catalogue, CatalogueError},
    history::History,
};
use marque_sandbox::{Limits, Sandbox, SandboxError, Stopwatch};
use marque_store::{Store, StoreError};
use poem::{Endpoint, EndpointExt as _, IntoResponse, Request, Response, Route, Server};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// Paths whose bodies may be uploads.
const UPLOADS: &[&str] = &["/api/v1/plugins", "/api/v1/ea-versions/*/files", "/admin/eas/*/files"];

/// What the page for unknown hosts looks like.
const NEUTRAL_CSS: &str = "base/plain/neutral.css";

/// Why the server did not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}. Stop the program that uses it, or choose another with MARQUE_LISTEN or --listen"
    )]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The database is not there or not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signing in cannot work.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The mail server's address cannot be used.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// There is no master key, or it cannot be used.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The place of files cannot be used.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The sandbox cannot be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The catalogue of instruments is wrong.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The feed's settings are wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A desk cannot be opened.
    #[error(transparent)]
    Floor(#[from] FloorError),
    /// The themes are broken.
    #[error(transparent)]
    Themes(#[from] ThemeError),
    /// The socket failed.
    #[error("the server had to stop: {0}")]
    Io(#[from] std::io::Error),
    /// An operation of the API stands in no row of the authorization table.
    #[error(transparent)]
    Api(#[from] api::Unauthorized),
}

/// Serves until SIGTERM or Ctrl-C, then lets requests under way finish and desks commit where they stand.
///
/// # Errors
/// Why it could not start, or what stopped it.
pub async fn serve(config: Config, clock: Clock) -> Result<(), ServeError> {
    let store = Store::connect(config.database().expose()).await?;
    let vault = Vault::open(&config, clock.clone())?;
    let floor = Arc::new(floor(&config, &store, clock.clone(), vault.clone())?);
    let identity = Identity::new(&config, clock.clone(), vault)?;
    let (outbox, themes) = (identity.outbox().clone(), Arc::clone(identity.outbox().themes()));
    let courier = Courier::new(&config)?;
    warn_of_mail_in_files(&courier, &store).await?;
    let postman = Postman::new(outbox, courier, store.system("send mail"));
    let portal = Portal::new(Arc::clone(&themes), Arc::clone(&floor), clock.clone());
    let licensing = licensing(&config, &store, &identity, clock.clone());
    let files = EaFiles::new(Objects::open(&config)?, identity.vault().clone(), clock.clone(), &config.limits);
    let routes = api::routes(Route::new(), Arc::clone(&floor), clock.clone())?
        .nest_no_strip("/", portal.routes())
        .data(files.clone());
    let eas = ea::Ea::new(licensing.clone());
    open_desks(&store, &floor).await?;
    // Bound last: whoever can connect is served.
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let neutral = neutral_files(Arc::clone(&themes));
    let app = outer_layers(&config, &store, identity, (routes, eas), portal::error_pages(themes), neutral);
    let backtests = tokio::spawn(floor.backtests().clone().look_after());
    let operator = tokio::spawn(trading::operator::run(store.clone(), Arc::clone(&floor), clock.clone()));
    let licences = tokio::spawn(licensing.snapshots().clone().keep());
    let terms = tokio::spawn(trading::terms::run(store.clone(), Arc::clone(&floor)));
    let clock_watch = tokio::spawn(crate::clock::watch());
    let tidying = tokio::spawn(housekeeping::run(store.clone(), clock, files));
    let (stop_postman, stopped) = tokio::sync::oneshot::channel::<()>();
    // A sender that is gone ends it too.
    let postman = tokio::spawn(postman.run(async move { drop(stopped.await) }));
    let served = run(listener, app, &config, stop_signal()).await;
    tidying.abort();
    operator.abort();
    terms.abort();
    licences.abort();
    clock_watch.abort();
    backtests.abort();
    drop(stop_postman);
    // A mail that is still being carried after that is tried again at the next start.
    let patience = Duration::from_secs(config.limits.shutdown_s.into());
    if !matches!(tokio::time::timeout(patience, postman).await, Ok(Ok(()))) {
        tracing::warn!("the postman did not end in order; what it carried is sent again");
    }
    served?;
    floor.close().await;
    store.close().await?;
    Ok(())
}

/// The trading floor that the settings describe, with no desk open.
///
/// # Errors
/// [`ServeError`] names what it could not be made of.
pub fn floor(config: &Config, store: &Store, clock: Clock, vault: Vault) -> Result<Floor, ServeError> {
    let catalogue = Arc::new(Catalogue::embedded()?);
    let history = Arc::new(History::at(config.data_dir.join("history")));
    let plan = FeedPlan::new(&config.feed, &catalogue)?;
    let shelf = plugins::shelf(config, &vault);
    let limits = Limits { tenant_instances: config.limits.tenant_instances, ..Limits::default() };
    let sandbox = Arc::new(Sandbox::timed(limits, Stopwatch::new(stopwatch_ns), shelf)?);
    Ok(Floor::new(store.clone(), sandbox, catalogue, history, plan, clock, vault))
}

/// What answers EAs.
pub fn licensing(config: &Config, store: &Store, identity: &Identity, clock: Clock) -> Licensing {
    let (vault, limits) = (identity.vault().clone(), identity.limits().clone());
    Licensing::new(store, clock, vault, limits, config.limits.licences.into())
}

/// How long a start waits for desks to recover: one that cannot holds up nobody for longer.
const RECOVERY: Duration = Duration::from_secs(20);

/// Markets run and strategies trade whether or not anybody looks.
async fn open_desks(store: &Store, floor: &Floor) -> Result<(), ServeError> {
    let mut desks = Vec::new();
    for tenant in store.system("open every tenant's desk").tenants().await? {
        if tenant.spec.status == TenantStatus::Active {
            desks.push(floor.desk(tenant.id).await?);
        }
    }
    let recovered = join_all(desks.iter().map(|desk| desk.recovered()));
    if tokio::time::timeout(RECOVERY, recovered).await.is_err() {
        tracing::warn!("not every trading desk has recovered yet; the others are served");
    }
    Ok(())
}

/// Mail in files is for a demo: where others come, nobody could confirm an address or choose a forgotten password.
async fn warn_of_mail_in_files(courier: &Courier, store: &Store) -> Result<(), StoreError> {
    let Courier::Folder(folder) = courier else { return Ok(()) };
    for tenant in store.system("look which hosts there are").tenants().await? {
        if let Some(host) = host_of_others(&tenant.spec.hosts) {
            let (tenant, folder) = (tenant.spec.slug.as_str(), folder.display());
            tracing::warn!(tenant, host, %folder, "mail is written to files and reaches nobody: set mail.smtp_url");
        }
    }
    Ok(())
}

/// The first host that others than this machine reach.
fn host_of_others(hosts: &[String]) -> Option<&str> {
    let is_ours = |host: &str| HostName::parse(host).is_ok_and(|host| host.is_localhost());
    hosts.iter().map(String::as_str).find(|host| !is_ours(host))
}

/// What is asked by people and their programs, and what by EAs. An EA shows no cookie and no token, and nothing it sends is
/// taken for one: the signature of each request speaks for itself. So nobody looks for a person in it.
struct Parted<P, E> {
    people: P,
    eas: E,
}

impl<P: Endpoint, E: Endpoint> Endpoint for Parted<P, E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if ea::is_ours(request.uri().path()) {
            return self.eas.call(request).await.map(IntoResponse::into_response);
        }
        self.people.call(request).await.map(IntoResponse::into_response)
    }
}

/// Puts identity around the routes of people, and the edge around those and what EAs ask.
pub fn outer_layers(
    config: &Config,
    store: &Store,
    identity: Identity,
    (people, eas): (impl Endpoint + 'static, impl Endpoint + 'static),
    pages: ErrorPages,
    neutral: NeutralFiles,
) -> impl Endpoint + 'static {
    let resolver = Resolver::new(store.system("which tenant has a host"), &config.limits);
    let edge = Edge::new(config, resolver, pages, readiness(store), UPLOADS);
    let edge = edge.with_programs(&[ea::PREFIX]).with_neutral_files(neutral);
    Parted { people: people.with(IdentityLayer::new(identity)), eas }.with(edge)
}

/// The style sheet of the page for unknown hosts, and nothing else of the themes.
fn neutral_files(themes: Arc<Themes>) -> NeutralFiles {
    Arc::new(move |path| {
        let (hash, name) = path.strip_prefix("/assets/")?.split_once('/')?;
        let (asset, _) = themes.asset(hash, name).filter(|_| name == NEUTRAL_CSS)?;
        Some(Response::builder().content_type(asset.content_type).body(asset.bytes.to_vec()))
    })
}

/// Ready when the database answers.
fn readiness(store: &Store) -> Readiness {
    let system = store.system("readiness");
    Arc::new(move || {
        let system = system.clone();
        // Any host will do: a name that no tenant can have.
        Box::pin(async move { system.tenant_by_host("-").await.map(|_| ()).map_err(|error| error.to_string()) })
    })
}

/// Runs an application on a bound socket until `stop`.
///
/// # Errors
/// What the socket says.
pub async fn run(
    listener: TcpListener,
    app: impl Endpoint + 'static,
    config: &Config,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let limits = &config.limits;
    // While a handler works no byte goes either way, and that is no silence.
    let patience = limits.idle_s.max(limits.body_s.saturating_add(limits.request_s));
    let acceptor = BoundedAcceptor::new(listener, limits.connections, Duration::from_secs(patience.into()))?;
    Server::new_with_acceptor(acceptor)
        .http2_max_concurrent_streams(100)
        .run_with_graceful_shutdown(app, stop, Some(Duration::from_secs(limits.shutdown_s.into())))
        .await?;
    Ok(())
}

/// SIGTERM from a supervisor, or Ctrl-C.
async fn stop_signal() {
    use tokio::signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    };
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = ctrl_c() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be watched; Ctrl-C still ends the server in order");
            // Without a handler the signal ends the process at once, which recovery allows for.
            let _ = ctrl_c().await;
        }
    }
    tracing::info!("stopping: requests under way may finish");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestServer, TestStore, config, vault};

    #[test]
    fn hosts_that_others_reach() {
        let table: [(&[&str], Option<&str>); 5] = [
            (&[], None),
            (&["localhost", "aurora.localhost"], None),
            (&["aurora.localhost", "trade.aurora.example"], Some("trade.aurora.example")),
            (&["localhost.example"], Some("localhost.example")),
            (&["notlocalhost"], Some("notlocalhost")),
        ];
        for (hosts, expect) in table {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(host_of_others(&hosts), expect, "{hosts:?}");
        }
    }

    #[tokio::test]
    async fn the_page_of_an_unknown_host_has_its_looks_and_nothing_more() {
        let (store, config) = (TestStore::with_demo(&[]).await, config(""));
        let identity = Identity::new(&config, Clock::system(), vault()).unwrap();
        let themes = Arc::clone(identity.outbox().themes());
        let (pages, neutral) = (portal::error_pages(Arc::clone(&themes)), neutral_files(themes));
        let app = outer_layers(&config, &store.store, identity, (Route::new(), Route::new()), pages, neutral);
        let server = TestServer::start(app).await;
        let get = async |path: &str| {
            let client = server.client("nobody.example").build().unwrap();
            client.get(server.url("nobody.example", path)).send().await.unwrap()
        };
        let page = get("/").await;
        assert_eq!(page.status(), 421);
        let html = page.text().await.unwrap();
        let css = html.split('"').find(|part| part.starts_with("/assets/")).expect("the page names a style sheet");
        assert_eq!(get(css).await.status(), 200);
        let other = css.replace("plain/neutral.css", "css/fonts.css");
        assert_ne!(other, css);
        assert_eq!(get(&other).await.status(), 421);
    }
}
