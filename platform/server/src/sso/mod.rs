//! Single sign-on: people who show who they are at somebody else's door, by OpenID Connect.
//!
//! Owns: connections of a tenant to issuers, attempts under way, and the identities that people have there. Who somebody
//! is, is decided by (tenant, issuer, subject) and never by an address: whoever can write any address at their issuer
//! could else be anybody. An answer counts only for the browser, the tenant, the connection and the issuer that
//! the question went to, and once.
//!
//! Refuses to know: what a session is. Whoever has proved themselves here goes on to
//! [`Identity`](crate::identity::Identity) like everybody else.

#![expect(dead_code, reason = "the pages that use it follow")]

mod answer;
mod claims;
mod client;
mod provider;

use crate::{outbound::OutboundError, secrets::NoRandomness};

/// Why somebody was not let in by an issuer's word. The text is for the log and for the admin who tests a connection;
/// a stranger is told less.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The issuer, or what it points to, cannot be asked.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// It is no issuer, or not this one.
    #[error("the issuer cannot be used: {0}")]
    Discovery(String),
    /// The answer is not one.
    #[error("the answer lacks a parameter or has one twice: begin again from the sign-in page")]
    Answer,
    /// It comes from another browser, was used, is too old, or was never asked for.
    #[error("this browser has no such attempt under way: begin again from the sign-in page")]
    NoAttempt,
    /// The answer is not from whom was asked.
    #[error("the answer is not from the issuer that was asked")]
    OtherIssuer,
    /// The person or the issuer said no.
    #[error("the issuer declined: {0}")]
    Declined(String),
    /// The code was not exchanged.
    #[error(
        "the issuer did not exchange the code: check client id and secret, and that the return address is registered"
    )]
    Exchange,
    /// No ID token came.
    #[error("the issuer sent no ID token: it may not support OpenID Connect")]
    NoToken,
    /// The token does not hold.
    #[error("the ID token does not hold: {0}")]
    Token(#[source] openidconnect::ClaimsVerificationError),
    /// It was made for another client.
    #[error("the ID token was made for another client (azp)")]
    OtherClient,
    /// It was made at another time.
    #[error("the ID token was not made just now: check the clocks")]
    Stale,
    /// It names nobody.
    #[error("the ID token names nobody: its subject is empty or too long")]
    Subject,
    /// It belongs to another access token.
    #[error("the access token is not the one of the ID token (at_hash)")]
    AccessToken,
    /// The issuer does not say who it is.
    #[error("the issuer did not say more about the person")]
    UserInfo,
    /// The key that signs our secret.
    #[error("the key cannot sign: paste the whole file with a P-256 private key, from its BEGIN to its END line")]
    Key,
    /// There is no randomness for a state.
    #[error(transparent)]
    NoRandomness(NoRandomness),
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod issuer;
