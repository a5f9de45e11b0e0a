//! Which host a request names: a pure function from what the client sent to one canonical name or a fault.
//!
//! Owns: the canonical form (lower-case ASCII, no port, no trailing dot) and every way in which a client
//! can fail to give one. Refuses to know which hosts exist; there is no default.

use core::{fmt, net::Ipv6Addr, str::FromStr};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use poem::http::{HeaderMap, Uri, header};
use std::borrow::Cow;

/// The longest name DNS allows, without the trailing dot.
const NAME_MAX: usize = 253;
/// A name, `[`, `]`, a trailing dot, `:` and five digits; longer text is refused unread.
const AUTHORITY_MAX: usize = NAME_MAX + 9;

/// A host in its one canonical form: lower-case ASCII (IDNs as punycode) without port and trailing dot.
/// An address literal is a host that no tenant can have; it is kept so that it is answered as unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// Why a request names no host. Each is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// No Host header and no authority in the target.
    #[error("the request names no host: send one Host header")]
    Absent,
    /// More than one Host header.
    #[error("the request names its host more than once: send one Host header")]
    Doubled,
    /// Target and Host header disagree. RFC 9112 §3.2.2 would have the header ignored, but a proxy in
    /// front may have decided by it: two answers to "for whom" are none.
    #[error("the request's target and its Host header name different hosts: send the same in both")]
    Contradicted,
    /// Nothing, or nothing but a port.
    #[error("the host is empty: give a name such as aurora.example")]
    Empty,
    /// More than a DNS name and a port can have.
    #[error("the host is too long: a name has at most 253 characters and a label at most 63")]
    TooLong,
    /// `user@host`.
    #[error("the host has user information before an @: send the host alone")]
    UserInfo,
    /// Not a number from 1 to 65535.
    #[error("the port after the host is not a number from 1 to 65535")]
    Port,
    /// A name that ends in a number is an address, and this one is not written as four decimal numbers.
    #[error("the host looks like an address but is none: write four decimal numbers, or a name")]
    Address,
    /// A character that no host name has, an empty label, a hyphen at a label's end, invalid punycode.
    #[error("the host is not a valid name: use letters, digits and inner hyphens, in labels parted by single dots")]
    Name,
}

impl HostName {
    /// Reads `host[:port]`, see [`Authority::parse`], and keeps the host.
    ///
    /// # Errors
    /// See [`HostFault`].
    pub fn parse(authority: &str) -> Result<Self, HostFault> {
        Authority::parse(authority).map(|a| a.host)
    }

    /// Reads a host as a person writes it in a settings file: no port, and international names as they
    /// are written (`bücher.example`).
    ///
    /// # Errors
    /// See [`HostFault`].
    pub fn from_setting(text: &str) -> Result<Self, HostFault> {
        if text.len() > AUTHORITY_MAX {
            return Err(HostFault::TooLong);
        }
        Self::canonical(text)
    }

    fn canonical(host: &str) -> Result<Self, HostFault> {
        if let Some(inside) = host.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(HostFault::Address)?;
            let address = Ipv6Addr::from_str(inside).map_err(|_| HostFault::Address)?;
            return Ok(Self(format!("[{address}]")));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.is_empty() {
            return Err(if host.is_empty() { HostFault::Empty } else { HostFault::Name });
        }
        let ascii = to_ascii(name)?;
        if !ends_in_number(&ascii) {
            return Ok(Self(ascii.into_owned()));
        }
        // Shorthands such as 127.1 and 0x7f.1 are refused, not guessed.
        std::net::Ipv4Addr::from_str(&ascii).map_or(Err(HostFault::Address), |a| Ok(Self(a.to_string())))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this machine's own, which nobody else reaches: `localhost` or a name below it.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }

    /// Whether it is an IPv4 or IPv6 literal.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.starts_with('[') || std::net::Ipv4Addr::from_str(&self.0).is_ok()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A host with the port the client connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: HostName,
    /// The port, where it was said.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `host[:port]` as it stands in a Host header or request target. Only ASCII: on the wire an
    /// international name is punycode, which must be valid.
    ///
    /// # Errors
    /// See [`HostFault`].
    pub fn parse(authority: &str) -> Result<Self, HostFault> {
        if authority.len() > AUTHORITY_MAX {
            return Err(HostFault::TooLong);
        }
        if !authority.is_ascii() {
            return Err(HostFault::Name);
        }
        if authority.contains('@') {
            return Err(HostFault::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        Ok(Self { port: read_port(port)?, host: HostName::canonical(host)? })
    }
}

/// The one host a request names, over HTTP/1 (origin form or absolute form) and HTTP/2 (`:authority`, which
/// hyper puts in the URI).
///
/// # Errors
/// When there is none, more than one, two that differ, or one that is not valid.
pub fn requested_authority(uri: &Uri, headers: &HeaderMap) -> Result<Authority, HostFault> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(HostFault::Doubled);
    }
    let text = header.map(|value| value.to_str().map_err(|_| HostFault::Name)).transpose()?;
    let header = text.map(Authority::parse).transpose()?;
    let target = uri.authority().map(|authority| Authority::parse(authority.as_str())).transpose()?;
    match (target, header) {
        (Some(target), Some(header)) if target.host != header.host => Err(HostFault::Contradicted),
        (Some(authority), _) | (None, Some(authority)) => Ok(authority),
        (None, None) => Err(HostFault::Absent),
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), HostFault> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(HostFault::Address)?;
        let (host, rest) = authority.split_at_checked(end + 1).ok_or(HostFault::Address)?;
        return match rest.strip_prefix(':') {
            None if rest.is_empty() => Ok((host, None)),
            None => Err(HostFault::Address),
            port => Ok((host, port)),
        };
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((_, port)) if port.contains(':') => Err(HostFault::Address),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

/// RFC 3986 allows an empty port (`host:`).
fn read_port(port: Option<&str>) -> Result<Option<u16>, HostFault> {
    match port {
        None | Some("") => Ok(None),
        // `parse` would take a plus sign.
        Some(digits) if !digits.bytes().all(|b| b.is_ascii_digit()) => Err(HostFault::Port),
        Some(digits) => digits.parse().ok().filter(|port| *port > 0).map(Some).ok_or(HostFault::Port),
    }
}

fn to_ascii(name: &str) -> Result<Cow<'_, str>, HostFault> {
    let ascii = Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| HostFault::Name)?;
    let long = ascii.len() > NAME_MAX || ascii.split('.').any(|label| label.len() > 63);
    if long {
        return Err(HostFault::TooLong);
    }
    if ascii.split('.').any(str::is_empty) { Err(HostFault::Name) } else { Ok(ascii) }
}

/// The "ends in a number" check of the WHATWG URL standard: such a name is an address or nothing.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit_once('.').map_or(name, |(_, last)| last);
    last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
