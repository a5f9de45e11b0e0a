//! The running server: what is opened in which order, and how it ends.
//!
//! Owns: start, the routes' outermost layers, shutdown. The rooms behind the routes know nothing of each other.

use crate::{
    clock::Clock,
    config::Config,
    edge::{BoundedAcceptor, Edge, ErrorPages, Readiness, Resolver},
    identity::{Identity, IdentityLayer, PasswordError},
};
use marque_store::{Store, StoreError};
use poem::{Endpoint, EndpointExt as _, Route, Server};
use std::{io::Write, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// Paths whose bodies may be uploads.
const UPLOADS: &[&str] = &["/api/v1/plugins"];

/// Why the server did not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}. Stop the program that uses it, or choose another with MARQUE_LISTEN or --listen")]
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
    #[error("people could not sign in: {0}")]
    Identity(#[from] PasswordError),
    /// The socket failed.
    #[error("the server had to stop: {0}")]
    Io(#[from] std::io::Error),
    /// A part is not in this program.
    #[error("{0}")]
    Missing(&'static str),
}

/// Serves until SIGTERM or Ctrl-C, then lets requests under way finish.
///
/// # Errors
/// Why it could not start, or what stopped it.
pub async fn serve(config: Config, clock: Clock) -> Result<(), ServeError> {
    let store = Store::connect(config.database().expose()).await?;
    let identity = Identity::new(&config, clock)?;
    // Bound last: whoever can connect is served.
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let app = outer_layers(&config, &store, identity, Route::new(), Arc::new(|_| None));
    run(listener, app, &config, stop_signal()).await?;
    store.close().await?;
    Ok(())
}

/// Puts identity and the edge around the routes of tenants.
pub fn outer_layers(
    config: &Config,
    store: &Store,
    identity: Identity,
    routes: impl Endpoint + 'static,
    pages: ErrorPages,
) -> impl Endpoint + 'static {
    let resolver = Resolver::new(store.system("which tenant has a host"), &config.limits);
    routes.with(IdentityLayer::new(identity)).with(Edge::new(config, resolver, pages, readiness(store), UPLOADS))
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
    let acceptor = BoundedAcceptor::new(listener, config.limits.connections)?;
    Server::new_with_acceptor(acceptor)
        .idle_timeout(Duration::from_secs(config.limits.idle_s.into()))
        .http2_max_concurrent_streams(100)
        .run_with_graceful_shutdown(app, stop, Some(Duration::from_secs(config.limits.shutdown_s.into())))
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

/// The OpenAPI document of `/api/v1`, as JSON.
///
/// # Errors
/// While there is no API.
pub fn openapi() -> Result<String, ServeError> {
    Err(ServeError::Missing("this build has no API"))
}

/// Adds the demo's people, accounts and deployments, and prints them as one line of JSON.
///
/// # Errors
/// While there is no demo.
pub async fn demo_seed(_config: Config, _clock: Clock, _out: &mut (dyn Write + Send)) -> Result<(), ServeError> {
    Err(ServeError::Missing("this build has no demo"))
}
