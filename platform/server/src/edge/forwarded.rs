//! Who really asks: the client's address, host and scheme when proxies stand in front.
//!
//! Owns: reading `X-Forwarded-*` or `Forwarded` (RFC 7239), and the rule that they count only from a
//! configured proxy. From anyone else they are not even looked at.

use super::host::{Authority, HostFault, requested_authority};
use crate::config::{ForwardedHeaders, Proxies};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use poem::http::{HeaderMap, Uri};

/// Proxies that are looked at in one request's chain; longer chains are read from the near end.
const CHAIN_MAX: usize = 16;

/// What a request says of where it comes from and where it wants to go, as far as it can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client: the peer, or what the last trusted proxy says of it.
    pub client: IpAddr,
    /// The site that is asked for.
    pub authority: Authority,
    /// Whether the client came over TLS.
    pub secure: bool,
    /// Whether a trusted proxy stands between: then the port is the proxy's affair.
    pub proxied: bool,
}

/// What one proxy says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said<'a> {
    /// Nearest last.
    clients: Vec<&'a str>,
    hosts: Vec<&'a str>,
    schemes: Vec<&'a str>,
}

/// Finds a request's origin. `peer` is the other end of the connection; none (a socket file) trusts nobody.
///
/// # Errors
/// When no host, or not exactly one valid host, is named.
pub fn origin(peer: Option<IpAddr>, proxies: &Proxies, uri: &Uri, headers: &HeaderMap) -> Result<Origin, HostFault> {
    let client = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ip| ip.to_canonical());
    let trusted = |ip: IpAddr| proxies.trusted.iter().any(|network| network.contains(&ip));
    if peer.is_none() || !trusted(client) {
        let authority = requested_authority(uri, headers)?;
        return Ok(Origin { client, authority, secure: false, proxied: false });
    }
    let said = match proxies.headers {
        ForwardedHeaders::XForwarded => x_forwarded(headers)?,
        ForwardedHeaders::Forwarded => forwarded(headers)?,
    };
    // A proxy may rewrite Host to the name of its upstream, so the two need not agree.
    let authority = match said.hosts.as_slice() {
        [] => requested_authority(uri, headers)?,
        [host] => Authority::parse(host)?,
        _ => return Err(HostFault::Doubled),
    };
    let secure = said.schemes.last().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    Ok(Origin { client: first_untrusted(client, &said.clients, trusted), authority, secure, proxied: true })
}

/// Walks from the near end: each trusted proxy vouches for the address before it, and for no more.
fn first_untrusted(peer: IpAddr, chain: &[&str], trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut client = peer;
    for text in chain.iter().rev().take(CHAIN_MAX) {
        match address(text) {
            Some(ip) if trusted(client) => client = ip,
            _ => break,
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|a| a.ip())).ok()?;
    Some(ip.to_canonical())
}

fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Vec<&'a str>, HostFault> {
    headers.get_all(name).iter().map(|value| value.to_str().map_err(|_| HostFault::Name)).collect()
}

fn x_forwarded(headers: &HeaderMap) -> Result<Said<'_>, HostFault> {
    let list = |name| -> Result<Vec<&str>, HostFault> {
        Ok(values(headers, name)?.iter().flat_map(|value| value.split(',')).map(str::trim).collect())
    };
    Ok(Said {
        clients: list("x-forwarded-for")?,
        hosts: list("x-forwarded-host")?,
        schemes: list("x-forwarded-proto")?,
    })
}

/// Each element describes one hop; the last was added by the proxy that we trust, and it alone says host and
/// scheme.
fn forwarded(headers: &HeaderMap) -> Result<Said<'_>, HostFault> {
    let mut said = Said::default();
    for value in values(headers, "forwarded")? {
        for element in split_unquoted(value, ',') {
            (said.hosts, said.schemes) = (Vec::new(), Vec::new());
            for pair in split_unquoted(element, ';') {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let value = value.trim();
                let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => said.clients.push(value),
                    "host" => said.hosts.push(value),
                    "proto" => said.schemes.push(value),
                    _ => {}
                }
            }
        }
    }
    Ok(said)
}

fn split_unquoted(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == at && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];
    type Row<'a> = (ForwardedHeaders, &'a str, Headers<'a>, Result<&'a str, HostFault>);

    fn ask(kind: ForwardedHeaders, peer: &str, headers: Headers<'_>) -> Result<String, HostFault> {
        let proxies = Proxies {
            trusted: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            headers: kind,
            https_only: true,
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let got = origin(Some(peer.parse().unwrap()), &proxies, &Uri::from_static("/"), &map)?;
        Ok(format!("{} {}{}", got.client, got.authority.host, if got.secure { " tls" } else { "" }))
    }

    #[test]
    fn forwarded_headers_count_only_from_proxies() {
        use ForwardedHeaders::{Forwarded as F, XForwarded as X};
        let h = ("host", "aurora.example");
        let table: &[Row<'_>] = &[
            // Strangers are not believed.
            (X, "203.0.113.9", &[h, ("x-forwarded-host", "b.example")], Ok("203.0.113.9 aurora.example")),
            (X, "203.0.113.9", &[h, ("x-forwarded-for", "1.1.1.1")], Ok("203.0.113.9 aurora.example")),
            (X, "203.0.113.9", &[h, ("x-forwarded-proto", "https")], Ok("203.0.113.9 aurora.example")),
            (X, "203.0.113.9", &[("x-forwarded-host", "b.example")], Err(HostFault::Absent)),
            (F, "203.0.113.9", &[h, ("forwarded", "for=1.1.1.1;host=b.example")], Ok("203.0.113.9 aurora.example")),
            // Proxies are.
            (X, "10.0.0.1", &[h], Ok("10.0.0.1 aurora.example")),
            (X, "10.0.0.1", &[h, ("x-forwarded-host", "B.example:443")], Ok("10.0.0.1 b.example")),
            (X, "10.0.0.1", &[("host", "my_upstream"), ("x-forwarded-host", "b.example")], Ok("10.0.0.1 b.example")),
            (
                X,
                "10.0.0.1",
                &[h, ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")],
                Ok("1.1.1.1 aurora.example tls"),
            ),
            (X, "::ffff:10.0.0.1", &[h, ("x-forwarded-for", "1.1.1.1")], Ok("1.1.1.1 aurora.example")),
            (X, "::1", &[h, ("x-forwarded-for", "[2001:db8::1]:80")], Ok("2001:db8::1 aurora.example")),
            // A client's own entries stand before the one that the proxy added.
            (X, "10.0.0.1", &[h, ("x-forwarded-for", "6.6.6.6, 1.1.1.1")], Ok("1.1.1.1 aurora.example")),
            (
                X,
                "10.0.0.1",
                &[h, ("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")],
                Ok("1.1.1.1 aurora.example"),
            ),
            (X, "10.0.0.1", &[h, ("x-forwarded-for", "1.1.1.1, 10.9.9.9")], Ok("1.1.1.1 aurora.example")),
            (X, "10.0.0.1", &[h, ("x-forwarded-for", "6.6.6.6, nonsense, 10.9.9.9")], Ok("10.9.9.9 aurora.example")),
            (X, "10.0.0.1", &[h, ("x-forwarded-proto", "https, http")], Ok("10.0.0.1 aurora.example")),
            // One host or none.
            (X, "10.0.0.1", &[h, ("x-forwarded-host", "a.example, b.example")], Err(HostFault::Doubled)),
            (
                X,
                "10.0.0.1",
                &[h, ("x-forwarded-host", "a.example"), ("x-forwarded-host", "a.example")],
                Err(HostFault::Doubled),
            ),
            (X, "10.0.0.1", &[h, ("x-forwarded-host", "")], Err(HostFault::Empty)),
            (X, "10.0.0.1", &[h, ("x-forwarded-host", "a b")], Err(HostFault::Name)),
            // The other kind of header is not read.
            (X, "10.0.0.1", &[h, ("forwarded", "for=6.6.6.6;host=b.example")], Ok("10.0.0.1 aurora.example")),
            (F, "10.0.0.1", &[h, ("x-forwarded-host", "b.example")], Ok("10.0.0.1 aurora.example")),
            (F, "10.0.0.1", &[h, ("forwarded", "for=1.1.1.1;Host=b.example;proto=https")], Ok("1.1.1.1 b.example tls")),
            (
                F,
                "10.0.0.1",
                &[h, ("forwarded", "For=\"[2001:db8::1]:47\"; host=\"b.example:8443\"")],
                Ok("2001:db8::1 b.example"),
            ),
            (
                F,
                "10.0.0.1",
                &[h, ("forwarded", "for=6.6.6.6;host=evil.example, for=1.1.1.1;host=b.example")],
                Ok("1.1.1.1 b.example"),
            ),
            (
                F,
                "10.0.0.1",
                &[h, ("forwarded", "for=\"a,b;host=evil.example\", for=1.1.1.1")],
                Ok("1.1.1.1 aurora.example"),
            ),
            (F, "10.0.0.1", &[h, ("forwarded", "for=_hidden")], Ok("10.0.0.1 aurora.example")),
            (F, "10.0.0.1", &[h, ("forwarded", "host=a.example;host=b.example")], Err(HostFault::Doubled)),
        ];
        for (kind, peer, headers, expect) in table {
            assert_eq!(ask(*kind, peer, headers).as_deref(), expect.as_ref().copied(), "{peer} {headers:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_header_never_panics(text in "[ -~]{0,60}") {
            for name in ["forwarded", "x-forwarded-for", "x-forwarded-host"] {
                for kind in [ForwardedHeaders::Forwarded, ForwardedHeaders::XForwarded] {
                    let _ = ask(kind, "10.0.0.1", &[("host", "a.example"), (name, &text)]);
                }
            }
        }
    }
}
