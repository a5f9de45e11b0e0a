//! Single sign-on: people who show who they are at somebody else's door, by OpenID Connect.
//!
//! Owns: connections of a tenant to issuers, attempts under way, and the identities that people have there. Who somebody
//! is, is decided by (tenant, issuer, subject) and never by an address: whoever can write any address at their issuer
//! could else be anybody. An answer counts only for the browser, the tenant, the connection and the issuer that
//! the question went to, and once.
//!
//! Refuses to know: what a session is. Whoever has proved themselves here goes on to
//! [`Identity`](crate::identity::Identity) like everybody else.
//!
//! Read `flow.rs` for the way of a browser, `provider.rs` for what is asked behind its back, `claims.rs` for what of it
//! is believed, and `hostile.rs` for who tries.

mod admin;
mod answer;
mod arrival;
mod attempt;
mod claims;
mod client;
mod connection;
mod flow;
mod linking;
mod provider;
mod refused;

pub use refused::Refused;

use crate::{
    clock::Clock,
    identity::{Identity, SignedIn, gate::Pages},
    outbound::Outbound,
    problem::Problem,
    secrets::{TenantKeys, Vault},
};
use connection::Connection;
use marque_domain::id::UserId;
use marque_store::TenantDb;
use poem::Response;
use provider::Providers;
use std::sync::Arc;

/// Single sign-on of all tenants. Cloning shares it.
#[derive(Clone)]
pub struct Sso(Arc<Parts>);

struct Parts {
    providers: Providers,
    outbound: Outbound,
    vault: Vault,
    clock: Clock,
}

/// A way to sign in that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The connection's short name.
    pub slug: String,
    /// What people call it.
    pub name: String,
}

impl Way {
    fn of(connection: &Connection) -> Self {
        Self { slug: connection.row.slug.clone(), name: connection.row.name.clone() }
    }
}

impl Sso {
    /// Over the outbound client and the tenants' keys.
    #[must_use]
    pub fn new(outbound: Outbound, vault: Vault, clock: Clock) -> Self {
        Self(Arc::new(Parts { providers: Providers::new(outbound.clone()), outbound, vault, clock }))
    }

    /// The ways that a tenant offers, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ways(&self, db: &TenantDb) -> Result<Vec<Way>, Problem> {
        let all = self.connections(db).await.map_err(Problem::from)?;
        Ok(all.iter().filter(|connection| connection.row.enabled).map(Way::of).collect())
    }

    /// The ways by which somebody can show anew that it is them: where they have an identity, and are asked again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ways_to_prove(&self, db: &TenantDb, user: UserId) -> Result<Vec<Way>, Problem> {
        let theirs = db.sso_identities_of(user).await?;
        let all = self.connections(db).await.map_err(Problem::from)?;
        let is_theirs = |connection: &&Connection| {
            connection.row.enabled
                && connection.preset.asks_anew()
                && theirs.iter().any(|identity| identity.issuer == connection.row.issuer)
        };
        Ok(all.iter().filter(is_theirs).map(Way::of).collect())
    }

    async fn connections(&self, db: &TenantDb) -> Result<Vec<Connection>, Refused> {
        db.sso_connections().await?.into_iter().map(Connection::of).collect()
    }

    async fn connection(&self, db: &TenantDb, slug: &str) -> Result<Connection, Refused> {
        db.sso_connection(slug).await?.map_or(Err(Refused::NoConnection), Connection::of)
    }

    async fn enabled(&self, db: &TenantDb, slug: &str) -> Result<Connection, Refused> {
        let connection = self.connection(db, slug).await?;
        if connection.row.enabled { Ok(connection) } else { Err(Refused::NoConnection) }
    }

    async fn keys(&self, db: &TenantDb) -> Result<TenantKeys, Refused> {
        Ok(self.0.vault.of(db).await?)
    }
}

/// The pages of single sign-on: for who signs in, who links, and who runs the brand.
#[must_use]
pub fn pages(pages: Pages) -> Pages {
    admin::pages(linking::pages(flow::pages(pages)))
}

/// What makes or changes a way in needs a fresh proof of who does it. Without one it leads to the page that asks for it, and
/// from there back to `page`, where what was wanted is wanted again.
fn prove_first(who: &SignedIn, identity: &Identity, page: &str) -> Option<Response> {
    who.recently_proved(identity.now()).is_err().then(|| flow::see_other(&format!("/confirm?next={page}")))
}

/// Whether a request is an issuer's form that a browser brings from the issuer's own page: the one kind of
/// unsafe request that comes from another site. It does nothing but send the browser on to the same path with GET.
#[must_use]
pub fn is_foreign_form(path: &str) -> bool {
    path.strip_prefix("/sso/")
        .and_then(|rest| rest.strip_suffix("/callback"))
        .is_some_and(|slug| !slug.is_empty() && !slug.contains('/'))
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod tests;
