//! The middleware that puts the edge's parts in order. Read [`EdgeEndpoint::call`] from top to bottom.

use super::{
    answer::{self, ErrorPages, Refusal, Style},
    body, forwarded,
    forwarded::Origin,
    resolver::{Resolver, Tenant},
    secure,
};
use crate::{
    config::{Config, Limits, Proxies},
    hex::hex,
    problem::{self, Problem, ProblemCode},
};
use core::net::IpAddr;
use futures_util::{FutureExt as _, future::BoxFuture};
use poem::{
    Endpoint, FromRequest, IntoResponse as _, Middleware, Request, RequestBody, Response,
    http::{HeaderName, Method, StatusCode},
};
use std::{
    hash::{BuildHasher as _, RandomState},
    panic::AssertUnwindSafe,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tracing::Instrument as _;

/// The files of the page that an unknown host gets, by path; none for any other path.
pub type NeutralFiles = Arc<dyn Fn(&str) -> Option<Response> + Send + Sync>;

/// Says whether the server can serve: the reason when it cannot.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What support needs to find a request in the log: 32 hexadecimal digits, made here. A client's own is not
/// taken over: it would be its way into our log.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    /// The header that carries it.
    pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id need not be secret, but no other's may be guessed from it, and no two processes may make the same: a count under
    /// two keyed hashes, whose keys the system draws once. Asking it for each request takes longer than much of the rest.
    fn new() -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let [high, low] = &*KEYS;
        let id = u128::from(high.hash_one(count)) << 64 | u128::from(low.hash_one(count));
        Self(hex(&id.to_be_bytes()))
    }
}

/// The edge, to be wrapped around all routes of tenants.
#[derive(Clone)]
pub struct Edge(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    resolver: Resolver,
    proxies: Proxies,
    limits: Limits,
    pages: ErrorPages,
    ready: Readiness,
    uploads: Vec<String>,
    programs: Vec<String>,
    neutral: NeutralFiles,
}

impl Edge {
    /// An edge whose refusals are rendered by `pages`. `ready` answers `/readyz`. Paths that start with one of
    /// `uploads`, in which `*` is any segment, may have bodies of `limits.upload_bytes`.
    #[must_use]
    pub fn new(config: &Config, resolver: Resolver, pages: ErrorPages, ready: Readiness, uploads: &[&str]) -> Self {
        let uploads = uploads.iter().map(|path| (*path).to_owned()).collect();
        let (proxies, limits) = (config.proxies.clone(), config.limits.clone());
        let neutral: NeutralFiles = Arc::new(|_| None);
        Self(Arc::new(Parts { resolver, proxies, limits, pages, ready, uploads, programs: Vec::new(), neutral }))
    }

    /// Only programs ask for paths that start with one of these, and never browsers: what only browsers heed is not sent them.
    #[must_use]
    pub fn with_programs(self, paths: &[&str]) -> Self {
        let programs = paths.iter().map(|path| (*path).to_owned()).collect();
        Self(Arc::new(Parts { programs, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Serves these files where no tenant is.
    #[must_use]
    pub fn with_neutral_files(self, neutral: NeutralFiles) -> Self {
        Self(Arc::new(Parts { neutral, ..Arc::unwrap_or_clone(self.0) }))
    }
}

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;
    fn transform(&self, inner: E) -> EdgeEndpoint<E> {
        EdgeEndpoint { inner, parts: self.0.clone() }
    }
}

/// Routes behind the edge.
pub struct EdgeEndpoint<E> {
    inner: E,
    parts: Arc<Parts>,
}

impl<E: Endpoint> Endpoint for EdgeEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let id = RequestId::new();
        let style = Style::of(&request);
        let browsers = !starts_with_any(request.uri().path(), &self.parts.programs);
        // Method and path only: queries and headers may hold what a log must not.
        let span =
            tracing::info_span!("request", id = id.as_str(), method = %request.method(), path = request.uri().path());
        let mut known = Known::default();
        let served = self.serve(request, &mut known).instrument(span.clone()).await;
        let mut response = served.unwrap_or_else(|problem| {
            let host = known.origin.as_ref().map(|origin| origin.authority.host.as_str());
            let refusal = Refusal { problem: &problem, tenant: known.tenant.as_ref(), host, request: &id };
            span.in_scope(|| answer::refuse(style, &refusal, &self.parts.pages))
        });
        let secure = known.origin.as_ref().is_some_and(|origin| origin.secure);
        answer::add_headers(&mut response, browsers, secure, &id);
        span.in_scope(|| {
            let tenant = known.tenant.as_ref().map(|tenant| tenant.definition.slug.as_str());
            let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(status = response.status().as_u16(), ms, tenant, client = known.client(), "answered");
        });
        Ok(response)
    }
}

/// What was found out about a request before it was refused or answered.
#[derive(Default)]
struct Known {
    origin: Option<Origin>,
    tenant: Option<Tenant>,
}

impl Known {
    fn client(&self) -> Option<String> {
        self.origin.as_ref().map(|origin| origin.client.to_string())
    }
}

impl<E: Endpoint> EdgeEndpoint<E> {
    async fn serve(&self, mut request: Request, known: &mut Known) -> Result<Response, Problem> {
        if let Some(answer) = self.probe(&request).await {
            return Ok(answer);
        }
        let peer = request.remote_addr().as_socket_addr().map(|address| address.ip());
        let origin = forwarded::origin(peer, &self.parts.proxies, request.uri(), request.headers())
            .map_err(|fault| Problem::new(ProblemCode::BadHost, sentence(&fault.to_string())))?;
        request.set_data(origin.clone());
        let origin: &Origin = known.origin.insert(origin);
        // It names no resource that could say what it offers; TRACE does, and no resource offers it.
        if *request.method() == Method::CONNECT {
            return Err(Problem::not_offered("GET, HEAD, POST"));
        }
        let tenant = match self.parts.resolver.tenant(&origin.authority.host).await {
            Ok(tenant) => tenant,
            Err(problem) => return self.neutral_file(&request).ok_or(problem),
        };
        let closed = tenant.closed().filter(|_| !is_looks(request.uri().path()));
        if self.parts.proxies.https_only
            && let Some(answer) = secure::to_https(origin, &tenant, request.uri())
        {
            known.tenant = Some(tenant);
            return answer;
        }
        request.set_data(known.tenant.insert(tenant).clone());
        if let Some(problem) = closed {
            return Err(problem);
        }
        let limits = &self.parts.limits;
        let bytes_max = self.body_bytes_max(request.uri().path());
        body::buffer(&mut request, bytes_max, seconds(limits.body_s)).await?;
        self.handle(request, seconds(limits.request_s)).await
    }

    /// Liveness and readiness are asked by address, so they come before the host.
    async fn probe(&self, request: &Request) -> Option<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        match request.uri().path() {
            "/livez" => Some("alive\n".into_response()),
            "/readyz" => Some(match (self.parts.ready)().await {
                Ok(()) => "ready\n".into_response(),
                Err(reason) => {
                    tracing::warn!(reason, "not ready");
                    "not ready; the log says why\n".with_status(StatusCode::SERVICE_UNAVAILABLE).into_response()
                }
            }),
            _ => None,
        }
    }

    /// The page of an unknown host must look like one, though nothing else is served there.
    fn neutral_file(&self, request: &Request) -> Option<Response> {
        if *request.method() == Method::GET { (self.parts.neutral)(request.uri().path()) } else { None }
    }

    fn body_bytes_max(&self, path: &str) -> usize {
        let limits = &self.parts.limits;
        let upload = starts_with_any(path, &self.parts.uploads);
        usize::try_from(if upload { limits.upload_bytes } else { limits.body_bytes }).unwrap_or(usize::MAX)
    }

    /// Runs the handler: within a time, and a panic is a fault of ours like any other.
    async fn handle(&self, request: Request, timeout: Duration) -> Result<Response, Problem> {
        let running = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        match tokio::time::timeout(timeout, running).await {
            Ok(Ok(Ok(output))) => Ok(output.into_response()),
            Ok(Ok(Err(error))) if error.is_from_response() => Ok(error.into_response()),
            Ok(Ok(Err(error))) => Err(problem::from_poem(error)),
            Ok(Err(panic)) => Err(Problem::internal(&Panicked::from(panic))),
            Err(_) => {
                tracing::error!(timeout_s = timeout.as_secs(), "a handler took too long and was stopped");
                Err(Problem::new(ProblemCode::TimedOut, "Look whether it was done before you try again."))
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

impl From<Box<dyn core::any::Any + Send>> for Panicked {
    fn from(panic: Box<dyn core::any::Any + Send>) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned()))
    }
}

fn starts_with_any(path: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| is_below(path, prefix))
}

/// Whether a path is that of a prefix or goes on from it; `*` is any segment.
fn is_below(path: &str, prefix: &str) -> bool {
    let mut asked = path.split('/');
    prefix.split('/').all(|part| asked.next().is_some_and(|segment| part == "*" || part == segment))
}

/// What the page of a closed tenant needs to look like the brand's. It shows nothing that is kept.
fn is_looks(path: &str) -> bool {
    matches!(path, "/brand.css" | "/favicon.svg") || path.starts_with("/assets/")
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

/// An error's text as a sentence of a page.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).chain(['.']).collect())
}

impl<'a> FromRequest<'a> for Origin {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        request.data::<Self>().cloned().ok_or_else(|| Problem::internal(&NoOrigin).into())
    }
}

/// The client's address, to count attempts by and to write into the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// That of a request.
    ///
    /// # Errors
    /// [`ProblemCode::Internal`] on a route that is not behind the edge.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        request.data::<Origin>().map(|origin| Self(origin.client)).ok_or_else(|| Problem::internal(&NoOrigin))
    }
}

impl<'a> FromRequest<'a> for ClientAddress {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::of(request)?)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler asked where a request comes from on a route that is not behind `Edge`")]
struct NoOrigin;

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
