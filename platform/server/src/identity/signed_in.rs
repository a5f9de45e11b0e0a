//! Who asks, as an extractor: a handler that takes a [`SignedIn`] cannot run without one.

use super::{Operation, Reach, Role};
use crate::{
    edge::Tenant,
    problem::{Problem, ProblemCode},
};
use marque_domain::id::{SessionId, UserId};
use marque_store::{TenantDb, Whose};
use poem::{FromRequest, Request, RequestBody};

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
}

impl SignedIn {
    /// The tenant's rows. Ask [`SignedIn::may`] first for whose of them.
    #[must_use]
    pub fn db(&self) -> &TenantDb {
        self.tenant.db()
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
