//! The audit log as it is stored. What makes its chain is handed in: the store holds no keys.

use core::fmt;
use marque_domain::{id::UserId, time::Millis};
use std::sync::Arc;

/// Something that was done: who, what, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Millis,
    /// What kind of actor: `person`, `nobody` (who is not known) or `system`.
    pub actor_kind: String,
    /// The person, when it was one.
    pub actor: Option<UserId>,
    /// The actor's name at that time: a person's address, a strategy, a command.
    pub actor_name: String,
    /// The act's stable code.
    pub act: String,
    /// To what it was done.
    pub target: String,
    /// More about it, as a JSON object. Never a secret.
    pub details: String,
    /// The client's address; empty when there is none.
    pub address: String,
    /// The client's own name for itself; empty when there is none.
    pub agent: String,
}

/// An entry in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, beginning with 1.
    pub seq: i64,
    /// What was done.
    pub entry: AuditEntry,
    /// What binds it to everything before it.
    pub mac: Vec<u8>,
}

/// How far the chain goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// The last entry's number; 0 before the first.
    pub seq: i64,
    /// The last entry's MAC; zeros before the first.
    pub mac: Vec<u8>,
    /// What binds the two.
    pub head_mac: Vec<u8>,
}

/// Makes and checks the MACs of one tenant's chain.
pub trait AuditSeal: Send + Sync {
    /// The MAC of an entry that follows one with the MAC `previous`.
    fn entry(&self, seq: i64, previous: &[u8], entry: &AuditEntry) -> [u8; 32];
    /// The MAC of a head.
    fn head(&self, seq: i64, mac: &[u8]) -> [u8; 32];
    /// Whether a stored head is one that this made.
    fn is_genuine(&self, head: &AuditHead) -> bool;
}

/// Entries to be written with something else in one transaction.
#[derive(Clone)]
pub struct AuditBatch {
    /// What was done, in order.
    pub entries: Vec<AuditEntry>,
    /// The tenant's seal.
    pub seal: Arc<dyn AuditSeal>,
}

impl fmt::Debug for AuditBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditBatch").field(&self.entries).finish()
    }
}

/// Which entries are wanted. Empty fields choose nothing away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only this act.
    pub act: Option<String>,
    /// Only acts of this person, or of who had this name.
    pub actor: Option<AuditActor>,
    /// Not before.
    pub from: Option<Millis>,
    /// Before.
    pub until: Option<Millis>,
}

/// Whose acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditActor {
    /// The person, when the name is one's.
    pub id: Option<UserId>,
    /// The name as it is written in the log.
    pub name: String,
}
