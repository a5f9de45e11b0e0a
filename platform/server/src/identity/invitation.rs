//! Asking people in: they are added without a password, and a mail lets them choose one.
//!
//! Nobody but them ever knows the password, and the link works once.

use super::{
    Operation, Role, Visit,
    one_time::{self, TokenKind},
    people,
    roster::{Roster, invalid, role_of},
};
use crate::{
    audit::Act,
    mail::{Mail, MailKind},
    problem::{Problem, ProblemCode},
    secrets,
};
use marque_domain::id::UserId;
use marque_store::{Concealed, StoreError, User, UserStatus};
use serde_json::json;

/// Somebody to be asked in.
#[derive(Debug, Clone, Default)]
pub struct Invitation {
    /// Their address.
    pub email: String,
    /// What they are called.
    pub display_name: String,
    /// What they are to be.
    pub role: String,
    /// The plan they are to be on; empty is the brand's first.
    pub plan: String,
}

impl Roster<'_> {
    /// Asks somebody in: they are added without a password, and a mail lets them choose one.
    ///
    /// # Errors
    /// [`ProblemCode::Forbidden`]; [`ProblemCode::Invalid`] with the fields that are wrong; [`ProblemCode::Conflict`]
    /// when somebody has the address.
    pub async fn invite(&self, visit: &Visit, invitation: &Invitation) -> Result<UserId, Problem> {
        self.who.may(Operation::InvitePerson)?;
        let now = self.identity.now();
        self.who.recently_proved(now)?;
        let role = self.role(&invitation.role)?;
        let plan = self.plan(&invitation.plan)?;
        let wrong = |field: &str, error: &people::PersonError| invalid().field(field, sentence(&error.to_string()));
        let user = User {
            id: UserId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
            email: people::email(&invitation.email).map_err(|error| wrong("email", &error))?,
            display_name: people::display_name(&invitation.display_name)
                .ok_or_else(|| wrong("name", &people::PersonError::Name))?,
            password_hash: Concealed::new(String::new()),
            role: role.name().to_owned(),
            created_at: now,
            email_verified_at: None,
            status: UserStatus::Active,
            plan: plan.map(str::to_owned),
            failures: 0,
            failed_at: None,
        };
        match self.who.db().create_user(&user).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => {
                let taken = Problem::new(ProblemCode::Conflict, "Somebody of this site has that address.");
                return Err(taken.field("email", "Look for them in the list, or use another address."));
            }
            Err(error) => return Err(error.into()),
        }
        let what = json!({ "email": user.email, "role": role.name(), "plan": plan });
        self.who.audit(Act::PersonInvited, user.id.to_string(), what).await?;
        self.send(visit, &user, role).await?;
        Ok(user.id)
    }

    /// Sends the invitation again to somebody who has not chosen a password yet.
    ///
    /// # Errors
    /// [`ProblemCode::Conflict`] when they have.
    pub async fn invite_again(&self, visit: &Visit, id: &str) -> Result<(), Problem> {
        let person = self.governed(Operation::InvitePerson, id).await?;
        if !person.password_hash.expose().is_empty() || person.status == UserStatus::Suspended {
            return Err(Problem::new(
                ProblemCode::Conflict,
                "They need no invitation: they have signed in or are shut out.",
            ));
        }
        self.send(visit, &person, role_of(&person)?).await?;
        self.who.audit(Act::PersonInvited, person.id.to_string(), json!({ "email": person.email, "again": true })).await
    }

    async fn send(&self, visit: &Visit, person: &User, role: Role) -> Result<(), Problem> {
        let kind = TokenKind::Invitation;
        let (token, row) = one_time::prepare(kind, person.id, &(), self.identity.now())?;
        let mail = Mail::new(MailKind::Invitation, &person.email, &person.display_name)
            .with("link", self.identity.link(visit, "/reset", Some(&token)))
            .with("lasts", kind.lasts())
            .with("inviter", self.who.display_name.as_str())
            .with("role", role.title().to_lowercase());
        Ok(self.identity.outbox().queue_with(&visit.tenant, mail, Some(row)).await?)
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).chain(['.']).collect())
}
