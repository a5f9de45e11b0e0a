//! Browsers that somebody signed in with.

use super::TokenHash;
use marque_domain::id::UserId;

/// A browser that somebody signs in with now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDevice {
    /// Its id, if it is new.
    pub id: i64,
    /// Who signs in.
    pub user: UserId,
    /// The hash of the token that it keeps.
    pub hash: TokenHash,
    /// The browser's own name for itself.
    pub agent: String,
    /// The client's address.
    pub address: String,
    /// The country of the address, when that is known.
    pub country: Option<String>,
}

/// What is known of a browser that somebody signed in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetDevice {
    /// Its id.
    pub id: i64,
    /// Whether this person never signed in with it before.
    pub is_new: bool,
    /// Whether it is the first browser that this person ever signed in with.
    pub is_first: bool,
}
