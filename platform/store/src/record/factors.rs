//! Second factors of people.

use super::TokenHash;
use core::fmt;
use marque_domain::{id::UserId, time::Millis};

/// An app that makes a person's codes.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// Whose it is.
    pub user: UserId,
    /// The secret it shares with us, sealed.
    pub secret: Vec<u8>,
    /// When the person showed a first code; until then it counts for nothing.
    pub confirmed_at: Option<Millis>,
    /// The last time step whose code was accepted: it and earlier ones are used up.
    pub last_step: i64,
    /// When it was set up.
    pub created_at: Millis,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticator(of {}, created {})", self.user, self.created_at.0)
    }
}

/// A code for when every other second factor is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupCode {
    /// Its id.
    pub id: i64,
    /// A MAC of it; the code itself is never stored.
    pub digest: TokenHash,
}

/// A passkey of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user: UserId,
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// What the person calls it.
    pub name: String,
    /// The public key and its counter, as JSON.
    pub data: String,
    /// When it was added.
    pub created_at: Millis,
    /// When it last proved somebody.
    pub last_used_at: Option<Millis>,
}

/// What a person can prove themselves with besides a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecondFactors {
    /// Since when an authenticator app, confirmed.
    pub authenticator: Option<Millis>,
    /// How many passkeys.
    pub passkeys: usize,
    /// How many backup codes that are not used up.
    pub backup_codes: usize,
}

impl SecondFactors {
    /// Whether a password alone is not enough.
    #[must_use]
    pub const fn are_on(self) -> bool {
        self.authenticator.is_some() || self.passkeys > 0
    }
}
