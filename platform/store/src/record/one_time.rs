//! Tokens that work once.

use super::TokenHash;
use marque_domain::{id::UserId, time::Millis};

/// A link in a mail, or a sign-in that waits for a second proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeToken {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user: UserId,
    /// What it is for, by a stable name.
    pub kind: String,
    /// The hash of the token; the token itself is never stored.
    pub digest: TokenHash,
    /// What it is about, as JSON of its kind. Never a secret.
    pub data: String,
    /// How often a further proof was tried with it.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
}
