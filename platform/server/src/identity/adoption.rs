//! Adoption: who comes by another site that their domain must come by takes the account along that has their address here.
//!
//! Owns: that the address alone is no proof. The site vouches for it, and so does a mail to it, which carries a link that
//! works once; whoever was in the account by other ways no longer is. What the link opens is nothing by itself: the
//! person still comes by the other site, and a second factor is asked for as before.

use super::{
    Identity, Visit,
    limits::Budget,
    one_time::{self, TokenKind},
    registration::link_ended,
    way::keeps_own_way,
};
use crate::{
    audit::{Act, Actor},
    mail::{Mail, MailKind},
    problem::{Problem, ProblemCode},
    secrets::Token,
    sso::Way,
};
use marque_store::{SsoIdentity, StoreError, User};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Where the link of the mail leads.
pub(crate) const PAGE: &str = "/sso/link";

/// Who somebody is at the other site, and whose account it was when they were told.
#[derive(Serialize, Deserialize)]
struct About {
    issuer: String,
    subject: String,
    connection: i64,
    email: String,
}

impl Identity {
    /// Sends a link to the address of an account that somebody else's site says is theirs. Answers whether it did: it does not for
    /// who may come as they like.
    ///
    /// # Errors
    /// [`ProblemCode::TooManyRequests`] when it was sent often.
    pub(crate) async fn offer_adoption(
        &self,
        visit: &Visit,
        email: &str,
        there: SsoIdentity,
        provider: &str,
    ) -> Result<bool, Problem> {
        let (db, now) = (visit.tenant.db(), self.now());
        let Some(user) = db.user_by_email(email).await?.filter(|user| !keeps_own_way(user)) else { return Ok(false) };
        self.limits().spend(Budget::Reset, visit.by(&user.email), now).await?;
        let about = About {
            issuer: there.issuer,
            subject: there.subject,
            connection: there.connection,
            email: user.email.clone(),
        };
        let kind = TokenKind::LinkSso;
        let (token, row) = one_time::prepare(kind, user.id, &about, now)?;
        let mail = Mail::new(MailKind::LinkSso, &user.email, &user.display_name)
            .with("link", self.link(visit, PAGE, Some(&token)))
            .with("lasts", kind.lasts())
            .with("provider", provider);
        let details = json!({ "by": "sso", "for": [kind.name()] });
        visit.record(person(&user), Act::SignInChallenged, &user.id.to_string(), details).await?;
        self.outbox().queue_with(&visit.tenant, mail, Some(row)).await?;
        Ok(true)
    }

    /// Links the account whose owner opened the mail. Answers by what they come from now on.
    ///
    /// # Errors
    /// [`ProblemCode::LinkEnded`] when the link was used or has ended, or the account has another address or way since;
    /// [`ProblemCode::Conflict`] when the identity is somebody else's.
    pub(crate) async fn adopt(&self, visit: &Visit, token: &Token) -> Result<Way, Problem> {
        let (db, now) = (visit.tenant.db(), self.now());
        let found = one_time::redeem(db, TokenKind::LinkSso, token, now).await?.ok_or_else(link_ended)?;
        let (about, user): (About, User) = (found.data()?, db.user(found.user).await?);
        let ways = self.sso().required(db, &user.email).await?;
        let way = ways.into_iter().find(|(id, _)| *id == about.connection && user.email == about.email);
        let (connection, way) = way.filter(|_| !keeps_own_way(&user)).ok_or_else(link_ended)?;
        // Somebody may have opened an account with this address before its owner came, or have had its password.
        self.end_ways_of_strangers(visit, &user).await?;
        let identity = SsoIdentity {
            issuer: about.issuer,
            subject: about.subject,
            user: user.id,
            connection,
            email: about.email,
            created_at: now,
            last_used_at: now,
        };
        match db.link_sso_identity(&identity).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => {
                let detail = match db.sso_identity(&identity.issuer, &identity.subject).await? {
                    Some(found) if found.user == user.id => None,
                    Some(_) => {
                        Some("This sign-in belongs to somebody else here by now. Ask the people who run this site.")
                    }
                    None => Some(
                        "As many sign-ins as can be are linked already. Sign in by one of them and unlink another.",
                    ),
                };
                if let Some(detail) = detail {
                    return Err(Problem::new(ProblemCode::Conflict, detail));
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.end_access(visit, user.id, None).await?;
        db.verify_email(user.id, &user.email, now).await?;
        let details = json!({ "issuer": identity.issuer, "subject": identity.subject, "by": "mail" });
        visit.record(person(&user), Act::SsoLinked, &way.slug, details).await?;
        Ok(way)
    }
}

fn person(user: &User) -> Actor {
    Actor::Person { id: user.id, name: user.email.clone() }
}
