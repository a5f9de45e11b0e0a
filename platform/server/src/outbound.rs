//! The one HTTP client by which this server asks others: single sign-on, later venues and hooks.
//!
//! Owns: what may be asked at all. Only https, only public addresses, no redirects, no proxies from the environment,
//! five seconds, one mebibyte. The addresses are filtered at the moment of connecting: a name that led to a public
//! address when it was checked may lead into our own network when it is used.
//!
//! Refuses to know: what the answers mean.

use crate::problem::Chain;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use poem::http::{Request, Response, Uri, uri::Scheme};
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// From the first packet to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Idle connections kept to one host.
const IDLE_MAX: usize = 4;

/// Why nothing came back, in words that tell a tenant's admin what to do and nothing about our own network: an address
/// that may not be asked, a name that does not exist and a port that is closed inside read alike.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Not an address that is asked.
    #[error("{0:?} cannot be asked: write an address that begins with https:// and holds no user name")]
    Url(String),
    /// Nobody is there, or it is nobody this server may ask.
    #[error(
        "{0:?} does not answer: check that the name is right and leads to a public address with a valid certificate"
    )]
    Unreachable(String),
    /// It took too long.
    #[error("{0:?} took longer than 5 seconds: try again, or tell who runs it")]
    TimedOut(String),
    /// It answered with the address of something else.
    #[error("{0:?} sent us elsewhere, and redirects are not followed: use the address it leads to")]
    Redirected(String),
    /// It answered too much.
    #[error("{0:?} answered more than {ANSWER_BYTES_MAX} bytes, which is not read")]
    TooLarge(String),
    /// The client could not be made.
    #[error("this server can ask nobody: it finds no certificates to trust. Install the system's (ca-certificates)")]
    Client,
}

/// Asks other servers. Cloning shares connections.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Made when it is first needed: who asks nobody needs no certificates.
    client: Arc<OnceLock<Option<Client>>>,
    reach: Reach,
}

/// Which addresses may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public ones, over https.
    Public,
    /// Also this machine's 127.0.0.1 and ::1, over http too: for tests with a provider beside the server.
    Loopback,
}

impl Outbound {
    /// A client.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self { client: Arc::default(), reach }
    }

    fn client(&self) -> Result<&Client, OutboundError> {
        self.client.get_or_init(|| client(self.reach)).as_ref().ok_or(OutboundError::Client)
    }

    /// Whether an address could be asked, as far as its text says. A name is looked up only when it is asked.
    ///
    /// # Errors
    /// [`OutboundError::Url`], [`OutboundError::Unreachable`] for the literal address of something inside.
    pub fn check(&self, url: &str) -> Result<(), OutboundError> {
        let refused = || OutboundError::Url(shown(url));
        let parsed = Url::parse(url).map_err(|_| refused())?;
        let host = parsed.host_str().ok_or_else(refused)?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused());
        }
        // A literal address is connected to without the resolver, so it is looked at here.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if literal.is_some_and(|address| !self.reach.allows(address)) {
            return Err(OutboundError::Unreachable(shown(url)));
        }
        match (parsed.scheme(), self.reach) {
            ("https", _) => Ok(()),
            // Without TLS only to this machine, whichever way the name is written.
            ("http", Reach::Loopback) if literal.map_or(host == "localhost", |address| address.is_loopback()) => Ok(()),
            _ => Err(refused()),
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// See [`OutboundError`]. An answer of any status but a redirect is an answer.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        let target = target(request.uri());
        self.check(&request.uri().to_string())?;
        let request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Url(target.clone()))?;
        let failed = |error: reqwest::Error| {
            let late = error.is_timeout();
            tracing::info!(target, error = %Chain(&error.without_url()), "an outbound request failed");
            if late { OutboundError::TimedOut(target.clone()) } else { OutboundError::Unreachable(target.clone()) }
        };
        let mut answer = self.client()?.execute(request).await.map_err(failed)?;
        if answer.status().is_redirection() {
            return Err(OutboundError::Redirected(target));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            // Counted as it arrives: what a server says of the length is only its word.
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                return Err(OutboundError::TooLarge(target));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = core::mem::take(answer.headers_mut());
        Ok(response)
    }
}

fn client(reach: Reach) -> Option<Client> {
    // The binary has done it first of all; a test comes here first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .https_only(reach == Reach::Public)
        .pool_max_idle_per_host(IDLE_MAX)
        .user_agent("marque")
        .dns_resolver(Guarded(reach))
        .build();
    client.inspect_err(|error| tracing::error!(error = %Chain(error), "no outbound client")).ok()
}

/// Scheme and host for a message: the rest of an address may hold what a log must not.
fn target(uri: &Uri) -> String {
    let scheme = uri.scheme().unwrap_or(&Scheme::HTTPS);
    format!("{scheme}://{}", uri.authority().map_or("", |authority| authority.as_str()))
}

fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().chars().take(120).collect()
}

/// Looks names up and drops every address that may not be asked.
struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be asked".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        is_public(address) || (self == Self::Loopback && here.contains(&address))
    }
}

/// Whether an address is one of the open internet's, by IANA's registries of special addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback, multicast and beyond.
        (0 | 10 | 127 | 224.., _, _) => true,
        // Carriers' own, link-local (and the clouds' metadata), private.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, 6to4 relays, AS112, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (192, 31, 196) | (192, 52, 193) | (192, 175, 48) => true,
        (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out; mapped IPv4, NAT64, unique local, link-local and multicast all lie outside of it.
    let global = a & 0xe000 == 0x2000;
    // Inside it: protocol assignments with Teredo (2001::/23), documentation, 6to4, which carries any IPv4.
    let special = matches!((a, b), (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff));
    global && !special
}

#[cfg(test)]
#[path = "outbound_tests.rs"]
mod tests;
