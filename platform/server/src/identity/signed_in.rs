//! Who asks, as an extractor: a handler that takes a [`SignedIn`] cannot run without one.

use super::{Operation, Reach, Role};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::Tenant,
    problem::{Problem, ProblemCode},
};
use marque_domain::id::{SessionId, UserId};
use marque_store::{TenantDb, Whose};
use poem::{FromRequest, Request, RequestBody};
use serde_json::Value;

/// The signed-in person of a request, at the tenant of its host.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Their tenant.
    pub tenant: Tenant,
    /// Who.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub display_name: String,
    /// What they may do.
    pub role: Role,
    /// The session.
    pub session: SessionId,
    /// Records what they do.
    pub recorder: Recorder,
}

impl SignedIn {
    /// The tenant's rows. Ask [`SignedIn::may`] first for whose of them.
    #[must_use]
    pub fn db(&self) -> &TenantDb {
        self.tenant.db()
    }

    /// This person, as the audit log names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Person { id: self.user, name: self.email.clone() }
    }

    /// Records in the tenant's audit log what this person has just done: `target` says to what, `details` is a JSON
    /// object without secrets, such as what changed. Use `?` on it: an act that cannot be recorded must not look
    /// as if all were well.
    ///
    /// # Errors
    /// What the store or the keys say.
    pub async fn audit(&self, act: Act, target: impl Into<String>, details: impl Into<Value>) -> Result<(), Problem> {
        Ok(self.recorder.record(self.db(), self.actor(), act, target, details).await?)
    }

    /// Whose rows this person reaches with an operation.
    ///
    /// # Errors
    /// [`ProblemCode::Forbidden`] when nobody's.
    pub fn may(&self, operation: Operation) -> Result<Whose, Problem> {
        match operation.reach(self.role) {
            Reach::Tenant => Ok(Whose::Everyone),
            Reach::Own => Ok(Whose::User(self.user)),
            Reach::Nothing => Err(Problem::new(
                ProblemCode::Forbidden,
                format!("As {} you may not do this; ask an owner.", self.role.title().to_lowercase()),
            )),
        }
    }
}

impl<'a> FromRequest<'a> for SignedIn {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let signed_in = request.data::<Self>().cloned();
        Ok(signed_in.ok_or_else(|| Problem::new(ProblemCode::SignInRequired, "Sign in and send the request again."))?)
    }
}
