//! People: who signs in, who is signed in, and what they may do.
//!
//! Owns: passwords, second factors, admission, sessions, CSRF, attempt limits, roles, the authorization table and the gate
//! before each page. A person belongs to one tenant: the same e-mail at two tenants is two people, and a session of one
//! tenant is unknown to another, because it is looked up through the [`Tenant`](crate::edge::Tenant) of the request's
//! host and nothing else.
//!
//! Refuses to know: how the sign-in page looks (a function is handed in) and what the operations do.

pub mod admission;
mod attempts;
mod cookies;
mod csrf;
mod factors;
pub mod gate;
mod layer;
pub mod one_time;
mod password;
mod people;
pub mod permissions;
mod role;
mod session;
mod sign_in;
mod signed_in;

pub(crate) use cookies::value as cookie;
pub use csrf::Csrf;
pub use layer::IdentityLayer;
pub use password::{PasswordError, Passwords};
pub use people::{NewPerson, PersonError, create_person};
pub use permissions::{Operation, Reach, Scope};
pub use role::{Role, UnknownRole};
pub use sign_in::{RenderSignIn, SignInView, pages};
pub use signed_in::SignedIn;

use crate::{clock::Clock, config::Config};
use attempts::Attempts;
use session::SessionPolicy;
use std::sync::Arc;

/// What signing in and staying signed in needs. Cloning shares it.
#[derive(Clone)]
pub struct Identity(Arc<Parts>);

struct Parts {
    clock: Clock,
    passwords: Passwords,
    attempts: Attempts,
    sessions: SessionPolicy,
}

impl Identity {
    /// Prepares it; takes as long as one password check.
    ///
    /// # Errors
    /// When there is no randomness or no memory for a hash.
    pub fn new(config: &Config, clock: Clock) -> Result<Self, PasswordError> {
        Ok(Self(Arc::new(Parts {
            passwords: Passwords::new(&config.limits)?,
            attempts: Attempts::new(&config.limits),
            sessions: SessionPolicy::new(config.sessions),
            clock,
        })))
    }

    /// The password hasher, for creating people.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }
}

#[cfg(test)]
mod tests;
