//! Single sign-on: connections, identities, attempts.

use marque_domain::{id::UserId, time::Millis};

/// A tenant's connection to an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoConnection {
    /// Its id.
    pub id: i64,
    /// Its short name in addresses; never changes, because issuers have it in their lists of return addresses.
    pub slug: String,
    /// What its button reads.
    pub name: String,
    /// What kind of issuer: `oidc`, `google`, `apple`.
    pub preset: String,
    /// The issuer's identifier.
    pub issuer: String,
    /// The tenant's name there.
    pub client_id: String,
    /// Sealed: a client secret, or the key that signs one.
    pub secret: Vec<u8>,
    /// What the preset needs besides, as JSON.
    pub settings: String,
    /// Mail domains whose people must come this way, lower case.
    pub domains: Vec<String>,
    /// Whether people can come this way.
    pub enabled: bool,
    /// When it was set up.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// Who somebody is at an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoIdentity {
    /// The issuer.
    pub issuer: String,
    /// Its name for them, which it gives to nobody else.
    pub subject: String,
    /// Who they are here.
    pub user: UserId,
    /// The connection they last came by.
    pub connection: i64,
    /// Their address there, when they last came. Shown, never looked for.
    pub email: String,
    /// When the two were linked.
    pub created_at: Millis,
    /// When it was last used.
    pub last_used_at: Millis,
}

/// Somebody who was sent to an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoAttempt {
    /// Of the state parameter.
    pub digest: [u8; 32],
    /// Which way they went.
    pub connection: i64,
    /// Of the cookie of the browser that began.
    pub browser: [u8; 32],
    /// Sealed: nonce and verifier.
    pub secrets: Vec<u8>,
    /// Where to go afterwards.
    pub next: String,
    /// Who is linking, when it is not a sign-in.
    pub user: Option<UserId>,
    /// When it began.
    pub created_at: Millis,
    /// Until when its answer counts.
    pub expires_at: Millis,
}
