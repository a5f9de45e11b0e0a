//! What authors publish, and the keys they sign with.

use super::NewPlugin;
use marque_domain::{
    id::{AuthorKeyId, UserId},
    plugin::{Channel, ReleaseStatus},
    time::Millis,
};

/// A public key that an author signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorKey {
    /// Its id.
    pub id: AuthorKeyId,
    /// Whose.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// The 32 bytes of an Ed25519 public key.
    pub public_key: Vec<u8>,
    /// When it was registered.
    pub created_at: Millis,
    /// From when on nothing more may be signed with it.
    pub revoked_at: Option<Millis>,
}

/// A version of a plugin as its author published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// What it is; its id is that of the catalogue's entry once it is approved.
    pub plugin: NewPlugin,
    /// Who published it.
    pub user: UserId,
    /// The key that signed it.
    pub key: AuthorKeyId,
    /// Through which it is offered.
    pub channel: Channel,
    /// The version of the plugin contract that it is built for, such as `1.1`.
    pub contract: String,
    /// The author's signature.
    pub signature: Vec<u8>,
    /// What changed, in the author's words.
    pub changelog: String,
    /// The gate's report, as JSON.
    pub report: String,
    /// Where it is on its way.
    pub status: ReleaseStatus,
    /// Why it was refused or withdrawn; else empty.
    pub reason: String,
    /// When it was published.
    pub created_at: Millis,
    /// When it was last decided on.
    pub decided_at: Option<Millis>,
}
