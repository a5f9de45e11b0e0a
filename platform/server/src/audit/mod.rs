//! The audit log: who did what, to what, from where. Each tenant has its own, and each entry is bound to all before it.
//!
//! Owns: what an entry says, the chain of MACs, who may read it and as what. Refuses to know: what the acts do.
//!
//! # Recording
//! Whoever handles a request that changes something calls [`SignedIn::audit`](crate::identity::SignedIn::audit) once it
//! is done; what happens without a person, [`record`]. What a trading desk commits is recorded in the same transaction
//! ([`batch`]), so that no trade is without its entry and no entry without its trade. An entry never holds a secret:
//! names, ids, what was chosen.

mod act;
mod chain;
pub(crate) mod csv;
mod verify;

pub use act::Act;
pub use chain::Chain;
pub use verify::{Fault, Noted, Verdict, verify};

use crate::{
    clock::Clock,
    problem::Problem,
    secrets::{TenantKeys, Vault, VaultError},
};
use core::fmt;
use marque_domain::{id::UserId, time::Millis};
use marque_store::{AuditBatch, AuditEntry, TenantDb, TokenHash};
use serde_json::{Map, Value};
use std::sync::Arc;

const NAME_CHARS_MAX: usize = 254;
const TARGET_CHARS_MAX: usize = 254;
const AGENT_CHARS_MAX: usize = 200;
/// What is longer is not kept, only how long it was.
pub(crate) const DETAILS_BYTES_MAX: usize = 4_096;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person.
    Person {
        /// Who.
        id: UserId,
        /// Their address at that time.
        name: String,
    },
    /// Somebody who is not signed in.
    Nobody {
        /// Who they said they were; may be empty.
        name: String,
    },
    /// No person: a strategy, a rule, a command of the operator, a task of the server.
    System {
        /// What, such as `strategy ema-cross` or `marque tenant apply`.
        name: String,
    },
}

/// From where it was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address; empty when there is no client.
    pub address: String,
    /// The client's own name for itself.
    pub agent: String,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Millis,
    /// By whom.
    pub actor: Actor,
    /// What.
    pub act: Act,
    /// To what: an id, an address, a name.
    pub target: String,
    /// More about it, such as what changed. Never a secret.
    pub details: Map<String, Value>,
    /// From where.
    pub origin: Origin,
}

/// The audit log could not be written. What it was about may have been done.
#[derive(Debug, thiserror::Error)]
#[error("the audit log could not be written: {0}")]
pub struct AuditError(#[from] pub VaultError);

impl From<AuditError> for Problem {
    fn from(AuditError(error): AuditError) -> Self {
        error.into()
    }
}

/// Appends an entry to a tenant's log. When this answers `Ok` it is durable.
///
/// # Errors
/// [`AuditError`].
pub async fn record(db: &TenantDb, vault: &Vault, entry: Entry) -> Result<(), AuditError> {
    let keys = vault.of(db).await?;
    db.append_audit(&batch(&keys, [entry])).await.map_err(VaultError::from)?;
    Ok(())
}

/// Entries that are written in the transaction of what they are about.
#[must_use]
pub fn batch(keys: &TenantKeys, entries: impl IntoIterator<Item = Entry>) -> AuditBatch {
    AuditBatch { entries: entries.into_iter().map(stored).collect(), seal: Arc::new(Chain::new(keys)) }
}

/// As it is stored: one line each, held in bounds, because clients choose much of it.
fn stored(entry: Entry) -> AuditEntry {
    let (kind, actor, name) = match entry.actor {
        Actor::Person { id, name } => ("person", Some(id), name),
        Actor::Nobody { name } => ("nobody", None, name),
        Actor::System { name } => ("system", None, name),
    };
    let mut details = Value::Object(entry.details).to_string();
    if details.len() > DETAILS_BYTES_MAX {
        details = format!("{{\"omitted_bytes\":{}}}", details.len());
    }
    AuditEntry {
        at: entry.at,
        actor_kind: kind.to_owned(),
        actor,
        actor_name: line(&name, NAME_CHARS_MAX),
        act: entry.act.code().to_owned(),
        target: line(&entry.target, TARGET_CHARS_MAX),
        // PostgreSQL takes no NUL, in whatever spelling JSON has for it.
        details: details.replace("\\u0000", " "),
        address: line(&entry.origin.address, NAME_CHARS_MAX),
        agent: line(&entry.origin.agent, AGENT_CHARS_MAX),
    }
}

fn line(text: &str, chars_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

/// Records what one request does: it knows the clock, the keys and where the request comes from.
#[derive(Clone)]
pub struct Recorder {
    vault: Vault,
    clock: Clock,
    origin: Origin,
    device: Option<TokenHash>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.origin).finish()
    }
}

impl Recorder {
    /// For a request from `origin`.
    #[must_use]
    pub const fn new(vault: Vault, clock: Clock, origin: Origin) -> Self {
        Self { vault, clock, origin, device: None }
    }

    /// For a request that comes from a browser which was here before.
    #[must_use]
    pub const fn by_device(mut self, device: Option<TokenHash>) -> Self {
        self.device = device;
        self
    }

    /// The hash of the token that the browser keeps, when it was here before.
    #[must_use]
    pub const fn device(&self) -> Option<TokenHash> {
        self.device
    }

    /// From where the request comes.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Records an act. `details` is a JSON object.
    ///
    /// # Errors
    /// [`AuditError`].
    pub async fn record(
        &self,
        db: &TenantDb,
        actor: Actor,
        act: Act,
        target: impl Into<String>,
        details: impl Into<Value>,
    ) -> Result<(), AuditError> {
        let (at, target, origin) = (self.clock.now(), target.into(), self.origin.clone());
        record(db, &self.vault, Entry { at, actor, act, target, details: object(details.into()), origin }).await
    }
}

/// An object as it is; nothing for null; anything else under `value`.
fn object(details: Value) -> Map<String, Value> {
    match details {
        Value::Object(object) => object,
        Value::Null => Map::new(),
        other => [("value".to_owned(), other)].into_iter().collect(),
    }
}

#[cfg(test)]
mod asserted;
#[cfg(test)]
mod tests;
