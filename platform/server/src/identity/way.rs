//! People of some mail domains must sign in by another site: their password and their passkeys open nothing.
//!
//! What is told depends on the domain alone, never on whether somebody has the address or the password was right.
//! Owners keep their own way in, so that a broken provider locks nobody out for good.

use super::{Identity, Role, admission::Method};
use crate::{
    edge::Tenant,
    problem::{Problem, ProblemCode},
};
use marque_store::User;

impl Identity {
    /// What people with this address are told when they may come only by another site; none when they may come as they
    /// like.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn required_way(&self, tenant: &Tenant, email: &str) -> Result<Option<Problem>, Problem> {
        let ways = self.0.sso.required(tenant.db(), email).await?;
        if ways.is_empty() {
            return Ok(None);
        }
        let names: Vec<_> = ways.into_iter().map(|(_, way)| way.name).collect();
        let detail = format!(
            "People with your address sign in with {}. Use its button on the sign-in page.",
            names.join(" or ")
        );
        Ok(Some(Problem::new(ProblemCode::SsoRefused, detail)))
    }

    /// Whether somebody may come only by another site.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn must_come_by_another_site(&self, tenant: &Tenant, user: &User) -> Result<bool, Problem> {
        Ok(!keeps_own_way(user) && self.required_way(tenant, &user.email).await?.is_some())
    }

    /// Whether somebody who proved who they are may come in that way.
    ///
    /// # Errors
    /// [`ProblemCode::SsoRefused`]; that the database does not answer.
    pub(super) async fn check_way(&self, tenant: &Tenant, user: &User, method: Method) -> Result<(), Problem> {
        if method == Method::Sso || keeps_own_way(user) {
            return Ok(());
        }
        self.required_way(tenant, &user.email).await?.map_or(Ok(()), Err)
    }
}

/// Whether somebody may come as they like, whatever is said of their domain.
pub(super) fn keeps_own_way(user: &User) -> bool {
    user.role == Role::Owner.name()
}
