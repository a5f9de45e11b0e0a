//! Who asks, as an extractor: a handler that takes a [`SignedIn`] cannot run without one.

use super::{Operation, Reach, Role, Scope};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::Tenant,
    problem::{Problem, ProblemCode},
    trading::Asker,
};
use marque_domain::{
    id::{GrantId, PersonalTokenId, SessionId, UserId},
    time::Millis,
};
use marque_store::{TenantDb, Whose};
use poem::{FromRequest, Request, RequestBody};
use serde_json::Value;

/// What a request showed to speak for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// The cookie of a session: the person is there.
    Session(SessionId),
    /// A token of a program that signed in.
    Grant(GrantId),
    /// A token that the person made.
    Personal {
        /// Which.
        token: PersonalTokenId,
        /// What it is for.
        scopes: Vec<Scope>,
    },
}

impl Means {
    /// Whether what was shown is enough for an operation. It only takes away: the role is asked besides.
    fn check(&self, operation: Operation) -> Result<(), Problem> {
        let needed = operation.scope();
        let detail = match self {
            Self::Session(_) => return Ok(()),
            _ if needed == Scope::Person => "Do this on the site, signed in with a browser.".to_owned(),
            Self::Grant(_) => return Ok(()),
            Self::Personal { scopes, .. } if scopes.contains(&needed) => return Ok(()),
            Self::Personal { .. } => {
                format!("Make a token with the scope {:?}, or sign the program in.", needed.name())
            }
        };
        Err(Problem::new(ProblemCode::ScopeMissing, detail))
    }
}

/// A token was shown that opens nothing here.
#[derive(Debug, Clone, Copy)]
pub(super) struct BadToken;

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
    /// What they showed.
    pub means: Means,
    /// Whether mail to their address has reached them.
    pub verified: bool,
    /// Records what they do.
    pub recorder: Recorder,
    /// When they last proved who they are; none for a program.
    pub proved_at: Option<Millis>,
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

    /// This person, as a trading desk is told who asks.
    #[must_use]
    pub fn asker(&self) -> Asker {
        Asker { actor: self.actor(), origin: self.recorder.origin().clone() }
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

    /// The session, for what only somebody in a browser does.
    ///
    /// # Errors
    /// [`ProblemCode::ScopeMissing`] for a program.
    pub fn session(&self) -> Result<SessionId, Problem> {
        match self.means {
            Means::Session(session) => Ok(session),
            Means::Grant(_) | Means::Personal { .. } => {
                Err(Problem::new(ProblemCode::ScopeMissing, "Do this on the site, signed in with a browser."))
            }
        }
    }

    /// Who asks.
    ///
    /// # Errors
    /// [`ProblemCode::SignInRequired`] when nobody, [`ProblemCode::InvalidToken`] when with a token that opens nothing.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        request.data::<Self>().cloned().ok_or_else(|| match request.data::<BadToken>() {
            Some(BadToken) => {
                Problem::new(ProblemCode::InvalidToken, "Get a new access token and send the request again.")
            }
            None => Problem::new(ProblemCode::SignInRequired, "Sign in and send the request again."),
        })
    }

    /// Whose rows this person reaches with an operation.
    ///
    /// # Errors
    /// [`ProblemCode::Forbidden`] when nobody's, [`ProblemCode::ScopeMissing`] when what was shown is not enough.
    pub fn may(&self, operation: Operation) -> Result<Whose, Problem> {
        self.means.check(operation)?;
        if !self.verified && needs_verified_address(operation) {
            let detail = "Open the link in the mail that we sent you; /verify sends another.";
            return Err(Problem::new(ProblemCode::VerificationRequired, detail));
        }
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

/// What only somebody does whose address is their own: whatever puts money at risk. Looking, stopping and closing
/// never ask for it.
const fn needs_verified_address(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::OpenAccount
            | Operation::PlaceOrder
            | Operation::AmendOrder
            | Operation::GuardPosition
            | Operation::CreateDeployment
            | Operation::StartDeployment
            | Operation::ChangeVersion
    )
}

impl<'a> FromRequest<'a> for SignedIn {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::of(request)?)
    }
}
