//! Registration, and showing that an address is one's own.
//!
//! Owns: what makes an account, and that neither the answer nor the work done for it tells whether an address has one:
//! the same hash, the same writes, a mail either way. Only the mail says which, and only the owner of the address reads it.

use super::{
    Identity, Role, Visit,
    limits::Budget,
    one_time::{self, TokenKind},
    people::{display_name, mail_address},
};
use crate::{
    audit::{Act, Actor},
    mail::{Mail, MailKind},
    problem::{Problem, ProblemCode},
    secrets::{self, Secret, Token},
};
use marque_domain::{id::UserId, time::Millis};
use marque_store::{OneTimeToken, Registered, StoreError, User, UserStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What somebody who registers says of themselves.
pub struct Registration {
    /// Their address.
    pub email: String,
    /// What they are called.
    pub display_name: String,
    /// What they will sign in with.
    pub password: Secret,
}

/// What a token that concerns an address is about.
#[derive(Serialize, Deserialize)]
pub(super) struct AboutEmail {
    pub email: String,
}

impl Identity {
    /// Registers somebody, or tells the owner of the address that somebody tried. The two look alike.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] with the fields that cannot be used, whoever has the address.
    pub async fn register(&self, visit: &Visit, form: Registration) -> Result<(), Problem> {
        let (parts, now) = (&self.0, self.0.clock.now());
        let (email, name) = check(&form)?;
        if let Some(other_way) = self.required_way(&visit.tenant, &email).await? {
            return Err(invalid("email", &other_way.detail));
        }
        let about = vec![name.clone(), email.clone(), visit.tenant.definition.name.clone()];
        // Measured first: who looks for a good password must not use up their tries. Hashed last: it is dear.
        parts.limits.spend(Budget::Measure, visit.by(&email), now).await?;
        parts.passwords.measure(&form.password, about).await?;
        parts.limits.spend(Budget::Registration, visit.by(&email), now).await?;
        let user = User {
            id: UserId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
            email,
            display_name: name,
            password_hash: parts.passwords.hash(form.password).await?,
            role: Role::Trader.name().to_owned(),
            created_at: now,
            email_verified_at: None,
            status: UserStatus::Active,
            plan: None,
            failures: 0,
            failed_at: None,
        };
        let (mail, token, actor, act) = match visit.tenant.db().register_user(&user).await? {
            Registered::New => {
                let (mail, token) = self.verification(visit, &user, now)?;
                let actor = Actor::Person { id: user.id, name: user.email.clone() };
                (mail, token, actor, Act::Registered)
            }
            Registered::Taken(owner) => {
                let (token, row) = one_time::prepare(TokenKind::ResetPassword, owner.id, &(), now)?;
                let mail = Mail::new(MailKind::AlreadyRegistered, &owner.email, &owner.display_name)
                    .with("link", self.link(visit, "/reset", Some(&token)))
                    .with("lasts", TokenKind::ResetPassword.lasts())
                    .with("sign_in", self.link(visit, "/sign-in", None));
                (mail, row, Actor::Nobody { name: owner.email.clone() }, Act::RegistrationRepeated)
            }
        };
        visit.record(actor, act, &user.email, Value::Null).await?;
        parts.outbox.queue_with(&visit.tenant, mail, Some(token)).await?;
        Ok(())
    }

    /// Sends another link to somebody whose address is not confirmed.
    ///
    /// # Errors
    /// The database, the mail queue.
    pub async fn resend_verification(&self, visit: &Visit, user: UserId) -> Result<(), Problem> {
        let now = self.0.clock.now();
        let user = visit.tenant.db().user(user).await?;
        if user.email_verified_at.is_some() {
            return Ok(());
        }
        self.0.limits.spend(Budget::Reset, visit.by(&user.email), now).await?;
        let (mail, token) = self.verification(visit, &user, now)?;
        let actor = Actor::Person { id: user.id, name: user.email.clone() };
        visit.record(actor, Act::VerificationSent, &user.email, Value::Null).await?;
        self.0.outbox.queue_with(&visit.tenant, mail, Some(token)).await?;
        Ok(())
    }

    /// Confirms the address that a link was sent to.
    ///
    /// # Errors
    /// [`ProblemCode::LinkEnded`] when the link was used, has ended or was for another address.
    pub async fn verify_email(&self, visit: &Visit, token: &Token) -> Result<(), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        let Some(found) = one_time::redeem(db, TokenKind::VerifyEmail, token, now).await? else {
            return Err(link_ended());
        };
        let AboutEmail { email } = found.data()?;
        if !db.verify_email(found.user, &email, now).await? {
            return Err(link_ended());
        }
        let actor = Actor::Person { id: found.user, name: email.clone() };
        visit.record(actor, Act::EmailVerified, &email, Value::Null).await
    }

    /// Asks for another address. It is used once a link that was sent to it was opened; the former one is told.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] when it is no address or the present one.
    pub async fn ask_email_change(&self, visit: &Visit, user: UserId, wanted: &str) -> Result<(), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        let user = db.user(user).await?;
        let email = mail_address(wanted).ok_or_else(|| invalid("email", NOT_AN_ADDRESS))?;
        if email == user.email {
            return Err(invalid("email", "this is the address of your account already"));
        }
        // Whose domain must come by another site keeps its address: with another they would come as they like.
        if self.must_come_by_another_site(&visit.tenant, &user).await? {
            return Err(invalid("email", "people with your address keep it here: ask the people who run this site"));
        }
        self.0.limits.spend(Budget::Reset, visit.by(&email), now).await?;
        let (token, row) =
            one_time::prepare(TokenKind::ChangeEmail, user.id, &AboutEmail { email: email.clone() }, now)?;
        // Whether somebody has the address, only that somebody learns. The token is stored either way and then useless.
        let mail = match db.user_by_email(&email).await? {
            None => Mail::new(MailKind::ConfirmEmail, &email, &user.display_name)
                .with("link", self.link(visit, "/security/email/confirm", Some(&token)))
                .with("lasts", TokenKind::ChangeEmail.lasts()),
            Some(owner) => Mail::new(MailKind::EmailTaken, &owner.email, &owner.display_name)
                .with("sign_in", self.link(visit, "/sign-in", None)),
        };
        let note = Mail::new(MailKind::EmailChanged, &user.email, &user.display_name)
            .with("email", email.clone())
            .with("at", crate::mail::instant(&visit.tenant.definition, now));
        let actor = Actor::Person { id: user.id, name: user.email.clone() };
        visit.record(actor, Act::EmailChangeAsked, &user.email, json!({ "email": email })).await?;
        self.0.outbox.queue_with(&visit.tenant, mail, Some(row)).await?;
        self.0.outbox.queue(&visit.tenant, note).await?;
        Ok(())
    }

    /// Gives an account the address that a link was sent to. Links that went to the former one open nothing any more.
    ///
    /// # Errors
    /// [`ProblemCode::LinkEnded`], [`ProblemCode::Conflict`] when somebody else has taken the address since;
    /// [`ProblemCode::SsoRefused`] when a connection has claimed the domain of the former one since, which leaves the link as it is.
    pub async fn confirm_email_change(&self, visit: &Visit, token: &Token) -> Result<(), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        let found = one_time::look(db, TokenKind::ChangeEmail, token, now).await?.ok_or_else(link_ended)?;
        let AboutEmail { email } = found.data()?;
        let user = db.user(found.user).await?;
        if self.must_come_by_another_site(&visit.tenant, &user).await? {
            let detail = "People with your address keep it here by now. Ask the people who run this site.";
            return Err(Problem::new(ProblemCode::SsoRefused, detail));
        }
        if one_time::redeem(db, TokenKind::ChangeEmail, token, now).await?.is_none() {
            return Err(link_ended());
        }
        let (former, user) = (user.email.clone(), User { email: email.clone(), ..user });
        // Who comes to such a domain comes by its site from now on, as who was there when it was claimed. Ended first: what
        // fails between the two leaves nothing open.
        if self.must_come_by_another_site(&visit.tenant, &user).await? {
            self.end_access(visit, user.id, None).await?;
        }
        match db.change_email(found.user, &email, now).await {
            Err(StoreError::Conflict(_)) => {
                let detail = "An account of this site has this address by now. Choose another one.";
                return Err(Problem::new(ProblemCode::Conflict, detail));
            }
            changed => changed?,
        }
        let former_links = [TokenKind::VerifyEmail, TokenKind::ResetPassword, TokenKind::ChangeEmail];
        one_time::revoke(db, found.user, &former_links).await?;
        let actor = Actor::Person { id: found.user, name: email.clone() };
        visit.record(actor, Act::EmailChanged, &email, json!({ "former": former })).await?;
        let note = Mail::new(MailKind::EmailReplaced, &former, &user.display_name)
            .with("email", email)
            .with("at", crate::mail::instant(&visit.tenant.definition, now));
        self.0.outbox.queue(&visit.tenant, note).await?;
        Ok(())
    }

    /// The mail that shows whose an address is.
    fn verification(&self, visit: &Visit, user: &User, now: Millis) -> Result<(Mail, OneTimeToken), Problem> {
        let about = AboutEmail { email: user.email.clone() };
        let (token, row) = one_time::prepare(TokenKind::VerifyEmail, user.id, &about, now)?;
        let mail = Mail::new(MailKind::VerifyEmail, &user.email, &user.display_name)
            .with("link", self.link(visit, "/verify", Some(&token)))
            .with("lasts", TokenKind::VerifyEmail.lasts());
        Ok((mail, row))
    }

    /// The address of a page of this site, for a mail.
    pub(super) fn link(&self, visit: &Visit, path: &str, token: Option<&Token>) -> String {
        let path = token.map_or_else(|| path.to_owned(), |token| format!("{path}?token={}", token.expose()));
        self.0.outbox.link(&visit.host, &path)
    }
}

const NOT_AN_ADDRESS: &str = "write an address like trader@aurora.example";

fn check(form: &Registration) -> Result<(String, String), Problem> {
    let (email, name) = (mail_address(&form.email), display_name(&form.display_name));
    let mut problem = Problem::new(ProblemCode::Invalid, "Correct what is marked and send the form again.");
    if email.is_none() {
        problem = problem.field("email", NOT_AN_ADDRESS);
    }
    if name.is_none() {
        problem = problem.field("name", "write 1 to 100 characters on one line");
    }
    match (email, name) {
        (Some(email), Some(name)) => Ok((email, name)),
        _ => Err(problem),
    }
}

pub(super) fn invalid(field: &str, detail: &str) -> Problem {
    Problem::new(ProblemCode::Invalid, "Correct what is marked and send the form again.").field(field, detail)
}

/// One answer for every link that does not work.
pub(crate) fn link_ended() -> Problem {
    Problem::new(ProblemCode::LinkEnded, "It was used before or its time is over. Ask for a new one.")
}
