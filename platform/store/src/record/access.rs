//! Programs that somebody let in.

use super::TokenHash;
use marque_domain::{
    id::{GrantId, PersonalTokenId, UserId},
    time::Millis,
};

/// One sign-in of a program: the family of tokens that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// In whose name it acts.
    pub user: UserId,
    /// The client's address when it signed in.
    pub address: String,
    /// The client's own name for itself.
    pub agent: String,
    /// When it signed in.
    pub created_at: Millis,
    /// When it last got new tokens.
    pub last_used_at: Millis,
    /// When it must sign in again, whatever it does.
    pub expires_at: Millis,
}

/// A token to be stored by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantToken {
    /// Its row's id.
    pub id: i64,
    /// The hash of it.
    pub hash: TokenHash,
    /// When it ends.
    pub expires_at: Millis,
}

/// The two tokens that a program gets at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewGrantTokens {
    /// Opens the API.
    pub access: GrantToken,
    /// Is exchanged, once, for the next two.
    pub refresh: GrantToken,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The new tokens are stored; the old one is used up.
    Rotated(Grant),
    /// It was used before: two have it, one of them not rightly. The whole grant has now ended.
    Reused(Grant),
    /// There is no such token, or it or its grant has ended.
    Unknown,
}

/// A token that a person made for a program of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalToken {
    /// Its id.
    pub id: PersonalTokenId,
    /// In whose name it acts.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Names of scopes with single spaces between them.
    pub scopes: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Millis>,
}
