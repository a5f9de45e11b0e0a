//! Licences of Expert Advisors: whether one may trade, answered at once, signed, and the same on every server.
//!
//! Owns: the EA protocol's endpoints (`ea/protocol.md` is the contract), the derivation of keys and signatures, the bounded
//! snapshot that answers are read from, the taking and giving back of seats, and what vendors do with products, policies
//! and licences. Refuses to know: the order of the questions (`domain::licence` decides), how pages look, who may do what.
//!
//! # How an answer comes about
//! [`ea`] reads the request; `Licensing::answer` counts it, finds the licence's `snapshot`, checks the signature, lets the
//! domain decide and signs. A yes is answered from memory, as long as a look for changes has succeeded within the last
//! second; a no that another server may know better is asked of the database once. Whatever takes or frees a seat is
//! decided under the licence's lock and written only if the licence is as it was
//! ([0073](../../../decisions/0073-a-seat-is-taken-at-a-revision.md)).

mod activate;
mod answer;
mod ask;
mod document;
pub mod ea;
mod fields;
pub mod files;
mod flat;
mod known;
mod mac;
pub mod manage;
mod report;
mod rotation;
mod signer;
mod snapshot;
#[cfg(test)]
mod tests;
mod unusual;

pub use rotation::rotate_seats;
pub use signer::{EaKeyError, new_key, retire_key};
pub use snapshot::{LOOK_EVERY, Snapshots};
pub use unusual::{Unusual, unusual_use};

use crate::{
    clock::Clock,
    identity::limits::{Budget, By, Left, Limits},
    problem::{Problem, ProblemCode},
    secrets::Vault,
};
use answer::Signed;
use ask::{Ask, Operation};
use core::net::IpAddr;
use known::Known;
use mac::{Mac, Signature};
use marque_domain::{
    licence::{self, Kid, Refusal, SignedKind, Verdict, signed_bytes},
    time::Millis,
};
use marque_store::{Store, TenantDb};
use signer::Signers;
use snapshot::Slot;
use std::sync::Arc;

/// How often a decision is made anew because others changed the licence meanwhile.
const TRIES: usize = 20;

/// What answers EAs. Cloning shares it.
#[derive(Clone)]
pub struct Licensing(Arc<Parts>);

struct Parts {
    clock: Clock,
    vault: Vault,
    limits: Limits,
    snapshots: Snapshots,
    signers: Signers,
}

/// From where a request comes, and to whose rows it is.
#[derive(Clone, Copy)]
struct From<'a> {
    db: &'a TenantDb,
    address: IpAddr,
}

/// A request whose signature fits.
struct Asked<'a> {
    from: From<'a>,
    operation: Operation,
    ask: &'a Ask<'a>,
    /// The key that signed it, and signs the answer.
    kid: Kid,
}

impl Licensing {
    /// Over a store. `licences_max` are kept in memory. Somebody must [`Snapshots::look`] often, or everything is read from
    /// the database.
    #[must_use]
    pub fn new(store: &Store, clock: Clock, vault: Vault, limits: Limits, licences_max: u64) -> Self {
        let snapshots = Snapshots::new(store.system("what changed in licensing"), vault.clone(), licences_max);
        let signers = Signers::new(vault.clone(), clock.clone());
        Self(Arc::new(Parts { clock, vault, limits, snapshots, signers }))
    }

    /// The snapshot, for who keeps it fresh.
    #[must_use]
    pub fn snapshots(&self) -> &Snapshots {
        &self.0.snapshots
    }

    /// The answer to an EA, and what is left of the limits.
    ///
    /// # Errors
    /// [`ProblemCode::TooManyRequests`], [`ProblemCode::SignatureRefused`], [`ProblemCode::KeyRetired`],
    /// [`ProblemCode::Invalid`] for totals that shrink, [`ProblemCode::Unavailable`].
    async fn answer(
        &self,
        from: From<'_>,
        operation: Operation,
        ask: &Ask<'_>,
        payload: &[u8],
        signature: &str,
    ) -> Result<(Signed, Left), Problem> {
        let now = self.0.clock.now();
        let by = By { tenant: from.db.tenant(), address: from.address, person: Some(ask.key_id) };
        let left = self.0.limits.spend(Budget::Ea, by, now).await?;
        let signature = Signature::read(signature).ok_or_else(refused)?;
        let Some(slot) = self.0.snapshots.slot(from.db, ask.key).await? else {
            let answer = answer::refusal(operation, ask, &Refusal::NotFound, now);
            return Ok((self.by_tenant(from.db, operation, ask, &answer).await?, left));
        };
        let asked = Asked { from, operation, ask, kid: signature.kid.clone() };
        let known = self.authenticated(&slot, &asked, payload, &signature, now).await?;
        let left = self.of_key(&known, by, now).await?.into_iter().fold(left, |left, own| own.and(left));
        if known.is_retired(asked.ask, &asked.kid, now) {
            return Ok((self.given_back(&asked, &known, now).await?, left));
        }
        let known = self.first_use(&slot, &asked, known, now).await?;
        let answer = match operation {
            Operation::Activate => self.activate(&slot, &asked, now).await?,
            Operation::Deactivate => self.deactivate(&slot, &asked, now).await?,
            Operation::Heartbeat | Operation::Usage => self.report(&slot, &asked, known, now).await?,
            Operation::Validate | Operation::Config => self.look(&slot, &asked, known, now).await?,
        };
        Ok((answer, left))
    }

    /// Counts a question against what the vendor lets the key ask. Only who has the key uses that up: it is counted once the
    /// signature fits.
    async fn of_key(&self, known: &Known, by: By<'_>, now: Millis) -> Result<Option<Left>, Problem> {
        match known.requests_per_minute {
            Some(most) => self.0.limits.spend_of_key(most, by, now).await,
            None => Ok(None),
        }
    }

    /// What is known of the licence, once the signature fits. One that does not is held against the database: the key may
    /// have been made by another server a moment ago.
    async fn authenticated(
        &self,
        slot: &Slot,
        asked: &Asked<'_>,
        payload: &[u8],
        signature: &Signature,
        now: Millis,
    ) -> Result<Arc<Known>, Problem> {
        let bytes = signed_bytes(SignedKind::Request, asked.operation.name(), &signature.kid, payload);
        let fits = |known: &Known| {
            let mac = known.request_mac(asked.operation, asked.ask, &signature.kid, now)?;
            if mac.verifies(&bytes, &signature.mac) { Ok(()) } else { Err(refused()) }
        };
        let known = slot.known(asked.from.db).await?;
        // What a retired key is good for stands on a seat, of which another server may know better.
        if fits(&known).is_ok() && !known.is_retired(asked.ask, &asked.kid, now) {
            return Ok(known);
        }
        let known = slot.load(asked.from.db).await?;
        fits(&known).map(|()| known)
    }

    /// What is answered under a retired key: that the seat was given back, or what refuses whoever asks. Never a yes, and no
    /// report is taken.
    async fn given_back(&self, asked: &Asked<'_>, known: &Known, now: Millis) -> Result<Signed, Problem> {
        let verdict = licence::decide(&known.licence, &known.claim(asked.ask, asked.ask.of_seat()), now);
        match verdict {
            Verdict::Refused(_) => self.sign(asked, known, &answer::of(asked, known, &verdict, now)).await,
            Verdict::Valid { .. } => Err(retired()),
        }
    }

    /// Notes the first question that names a licence.
    async fn first_use(
        &self,
        slot: &Slot,
        asked: &Asked<'_>,
        known: Arc<Known>,
        now: Millis,
    ) -> Result<Arc<Known>, Problem> {
        if known.licence.first_used_at.is_some() || asked.operation == Operation::Activate {
            return Ok(known);
        }
        asked.from.db.use_licence(known.licence.id, now).await?;
        slot.load(asked.from.db).await
    }

    /// `validate` and `config`: says whether the licence is valid, and changes nothing.
    async fn look(&self, slot: &Slot, asked: &Asked<'_>, known: Arc<Known>, now: Millis) -> Result<Signed, Problem> {
        let (known, verdict) = decided(slot, asked, known, now).await?;
        let mut answer = answer::of(asked, &known, &verdict, now);
        if matches!(verdict, Verdict::Valid { .. }) {
            answer.settings(&known, asked.ask, asked.operation == Operation::Config);
        }
        self.sign(asked, &known, &answer).await
    }

    /// Signs with the key that the request was signed with, or with the tenant's when that was asked for.
    async fn sign(&self, asked: &Asked<'_>, known: &Known, answer: &answer::Answer<'_>) -> Result<Signed, Problem> {
        if asked.ask.ed25519 {
            return self.by_tenant(asked.from.db, asked.operation, asked.ask, answer).await;
        }
        let mac = known.answer_mac(asked.ask, &asked.kid).ok_or_else(refused)?;
        Ok(sign_with(&mac, asked.operation, &asked.kid, answer))
    }

    /// Signs with the tenant's key: the newest of those that were asked for, else its current one.
    async fn by_tenant(
        &self,
        db: &TenantDb,
        operation: Operation,
        ask: &Ask<'_>,
        answer: &answer::Answer<'_>,
    ) -> Result<Signed, Problem> {
        let body = answer.to_bytes();
        let signer = self.0.signers.of(db).await?;
        let key = signer.for_who_knows(&ask.signers);
        let bytes = signed_bytes(SignedKind::Answer, operation.name(), key.kid(), &body);
        Ok(Signed { header: key.sign(&bytes), body })
    }
}

fn sign_with(mac: &Mac, operation: Operation, kid: &Kid, answer: &answer::Answer<'_>) -> Signed {
    let body = answer.to_bytes();
    let bytes = signed_bytes(SignedKind::Answer, operation.name(), kid, &body);
    Signed { header: mac.header(kid, &bytes), body }
}

/// A yes from memory; a no that other servers may know better, from the database.
async fn decided(
    slot: &Slot,
    asked: &Asked<'_>,
    known: Arc<Known>,
    now: Millis,
) -> Result<(Arc<Known>, Verdict), Problem> {
    let verdict = licence::decide(&known.licence, &known.claim(asked.ask, asked.ask.of_seat()), now);
    if !may_be_outdated(&verdict) {
        return Ok((known, verdict));
    }
    let known = slot.load(asked.from.db).await?;
    let verdict = licence::decide(&known.licence, &known.claim(asked.ask, asked.ask.of_seat()), now);
    Ok((known, verdict))
}

/// Whether it stands on a seat, of which another server may have heard since. What a person decides is known everywhere
/// within a second, and no seat changes it.
const fn may_be_outdated(verdict: &Verdict) -> bool {
    use Refusal as R;
    matches!(verdict, Verdict::Refused(R::NotActivated | R::Released | R::HeartbeatMissed | R::BindingMismatch { .. }))
}

/// The signature does not fit, or its key is not known.
fn refused() -> Problem {
    Problem::new(ProblemCode::SignatureRefused, "Activate anew, and sign every request as `ea/protocol.md` says.")
}

/// The key was retired.
fn retired() -> Problem {
    Problem::new(ProblemCode::KeyRetired, "Activate anew; the activation keeps its seat.")
}

/// Others change the licence faster than a decision can be made.
fn crowded() -> Problem {
    Problem::new(ProblemCode::Unavailable, "Many ask for this licence at once. Try again in a moment.").retry_after_s(1)
}
