//! People: who signs in, who is signed in, and what they may do.
//!
//! Owns: passwords, second factors, admission, sessions, tokens of programs, CSRF, attempt limits, roles, the
//! authorization table and the gate before each page. A person belongs to one tenant: the same e-mail at two tenants is
//! two people, and a session of one tenant is unknown to another, because it is looked up through the
//! [`Tenant`](crate::edge::Tenant) of the request's host and nothing else.
//!
//! Refuses to know: how the sign-in page looks (a function is handed in) and what the operations do.

pub mod access;
pub mod admission;
mod adoption;
pub mod agent;
mod contact;
pub(crate) mod cookies;
mod csrf;
mod devices;
pub mod factors;
pub mod gate;
mod invitation;
mod layer;
pub mod limits;
pub mod one_time;
mod password;
mod people;
pub mod permissions;
pub mod place;
pub mod question;
mod registration;
mod reset;
mod role;
mod roster;
mod session;
mod sign_in;
mod signed_in;
pub mod step_up;
mod strength;
mod suspicion;
mod visit;
mod way;
mod way_in;

pub use access::{AccessTokens, MadeToken, NewPersonalToken};
pub(crate) use adoption::PAGE as ADOPTION;
pub(crate) use cookies::value as cookie;
pub use csrf::Csrf;
pub use invitation::Invitation;
pub use layer::IdentityLayer;
pub use password::{Cost, PasswordError, Passwords, Verified};
pub(crate) use people::mail_address;
pub use people::{NewPerson, PersonError, create_person};
pub use permissions::{Operation, Reach, Scope};
pub use registration::Registration;
pub(crate) use registration::link_ended;
pub use role::{Role, UnknownRole};
pub use roster::Roster;
pub(crate) use sign_in::own_path;
pub use sign_in::{RenderSignIn, SignInView, pages};
pub use signed_in::{Means, SignedIn};
pub use visit::Visit;
pub use way_in::WayIn;

use crate::{
    clock::Clock, config::Config, mail::Outbox, outbound::Outbound, secrets::Vault, sso::Sso, theme::ThemeError,
};
use limits::{Limits, LimitsError};
use marque_domain::time::Millis;
use marque_store::{StoreError, TenantDb};
use session::SessionPolicy;
use std::sync::Arc;

/// What signing in and staying signed in needs. Cloning shares it.
#[derive(Clone)]
pub struct Identity(Arc<Parts>);

struct Parts {
    clock: Clock,
    passwords: Passwords,
    limits: Limits,
    security_contact: String,
    sessions: SessionPolicy,
    vault: Vault,
    sso: Sso,
    outbox: Outbox,
}

/// Why people could not sign in at all.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no randomness or no memory for a hash.
    #[error("people could not sign in: {0}")]
    Password(#[from] PasswordError),
    /// Limits cannot be counted.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Mail cannot be written.
    #[error(transparent)]
    Themes(#[from] ThemeError),
}

impl Identity {
    /// Prepares it; takes as long as one password check.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn new(config: &Config, clock: Clock, vault: Vault) -> Result<Self, IdentityError> {
        Ok(Self(Arc::new(Parts {
            passwords: Passwords::new(&config.limits)?,
            limits: Limits::new(config)?,
            security_contact: config.security_contact.clone(),
            sessions: SessionPolicy::new(config.sessions),
            sso: Sso::new(Outbound::new(config.outbound_reach()), vault.clone(), clock.clone()),
            outbox: Outbox::new(config, vault.clone(), clock.clone())?,
            clock,
            vault,
        })))
    }

    /// The limits on how often something is tried.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Signing in by other sites.
    #[must_use]
    pub fn sso(&self) -> &Sso {
        &self.0.sso
    }

    /// The server's clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.0.clock.now()
    }

    /// The tenants' keys.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// The way to people's mail.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Puts a mail that was given up back into the queue. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn retry_mail(&self, db: &TenantDb, id: i64) -> Result<bool, StoreError> {
        let found = db.retry_mail(id, self.0.clock.now()).await?;
        if found {
            self.0.outbox.ring(db);
        }
        Ok(found)
    }

    /// The password hasher, for creating people.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }
}

#[cfg(test)]
mod registration_tests;
#[cfg(test)]
mod tests;
