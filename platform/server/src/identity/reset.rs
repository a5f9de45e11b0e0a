//! A new password: for who has forgotten theirs, by mail; for who knows it, on their own page.
//!
//! Owns: that a forgotten password ends everything that was signed in with the old one and leaves the second factor as
//! it is, and that asking for one never tells whether there is an account.

use super::{
    Identity, Verified, Visit,
    admission::Method,
    limits::Budget,
    one_time::{self, Redeemed, TokenKind},
    people::mail_address,
    registration::{invalid, link_ended},
};
use crate::{
    audit::{Act, Actor},
    edge::Tenant,
    mail::{Mail, MailKind},
    problem::Problem,
    secrets::{Secret, Token},
};
use marque_domain::{
    id::{SessionId, UserId},
    time::Millis,
};
use marque_store::{Concealed, User};
use serde_json::{Value, json};

/// The kinds of token that let somebody choose a password.
const KINDS: [TokenKind; 2] = [TokenKind::ResetPassword, TokenKind::Invitation];
/// The kinds that end with the old password: whoever had it may have asked for one.
const OPENED: [TokenKind; 5] =
    [TokenKind::ResetPassword, TokenKind::Invitation, TokenKind::Challenge, TokenKind::ChangeEmail, TokenKind::LinkSso];

impl Identity {
    /// Whether a password is this person's; nobody has one, and finding that out takes as long. A hash of another cost
    /// than today's is renewed, and stands in `user` then: by it is told whether the password was changed meanwhile.
    ///
    /// # Errors
    /// That too much waits; that the database does not answer.
    pub(super) async fn password_is_right(
        &self,
        tenant: &Tenant,
        user: Option<&mut User>,
        password: Secret,
    ) -> Result<bool, Problem> {
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let verified = self.0.passwords.verify_and_renew(password, stored.clone()).await?;
        let Verified::Right(renewed) = verified else { return Ok(false) };
        // Not done when it was changed meanwhile: then there is nothing to renew.
        if let (Some(user), Some(hash)) = (user, renewed)
            && tenant.db().set_password(user.id, &hash, stored.as_ref()).await?
        {
            tracing::info!(user = %user.id, "a password's hash was renewed at today's cost");
            user.password_hash = hash;
        }
        Ok(true)
    }

    /// Sends a link to choose a new password to an address, or a note that it has no account here. The two look alike.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`](crate::problem::ProblemCode::Invalid) when it is no address.
    pub async fn ask_reset(&self, visit: &Visit, email: &str) -> Result<(), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        let Some(email) = mail_address(email) else {
            return Err(invalid("email", "write the address you registered with"));
        };
        self.0.limits.spend(Budget::Reset, visit.by(&email), now).await?;
        let (mail, token) = match db.user_by_email(&email).await? {
            Some(user) => {
                let (token, row) = one_time::prepare(TokenKind::ResetPassword, user.id, &(), now)?;
                let mail = Mail::new(MailKind::ResetPassword, &user.email, &user.display_name)
                    .with("link", self.link(visit, "/reset", Some(&token)))
                    .with("lasts", TokenKind::ResetPassword.lasts());
                (mail, Some(row))
            }
            None => {
                let register = self.link(visit, "/register", None);
                (Mail::new(MailKind::NoAccount, email.clone(), "").with("register", register), None)
            }
        };
        let actor = Actor::Nobody { name: email.clone() };
        visit.record(actor, Act::PasswordResetAsked, &email, Value::Null).await?;
        self.0.outbox.queue_with(&visit.tenant, mail, token).await?;
        Ok(())
    }

    /// Whether a link to choose a password still works, and whether it is an invitation.
    ///
    /// # Errors
    /// [`ProblemCode::LinkEnded`](crate::problem::ProblemCode::LinkEnded) when it does not;
    /// [`ProblemCode::SsoRefused`](crate::problem::ProblemCode::SsoRefused) when they must come by another site.
    pub async fn look_at_reset(&self, visit: &Visit, token: &Token) -> Result<(Redeemed, TokenKind), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        for kind in KINDS {
            if let Some(found) = one_time::look(db, kind, token, now).await? {
                // A password would open nothing; what they may do is said instead.
                self.check_way(&visit.tenant, &db.user(found.user).await?, Method::Password).await?;
                return Ok((found, kind));
            }
        }
        Err(link_ended())
    }

    /// Chooses a password by a link from a mail. Whoever was signed in to the account no longer is, in any browser or
    /// program. The second factor stays: mail alone does not open an account that has one, unless nobody had shown before
    /// that mail to its address reaches them.
    ///
    /// # Errors
    /// [`ProblemCode::LinkEnded`](crate::problem::ProblemCode::LinkEnded); that the password is refused, which leaves the
    /// link as it is.
    pub async fn reset_password(&self, visit: &Visit, token: &Token, password: Secret) -> Result<(), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        let (found, kind) = self.look_at_reset(visit, token).await?;
        let user = db.user(found.user).await?;
        let hash = self.choose(visit, &user, password).await?;
        if one_time::redeem(db, kind, token, now).await?.is_none() {
            return Err(link_ended());
        }
        self.end_ways_of_strangers(visit, &user).await?;
        db.set_password(user.id, &hash, None).await?;
        self.end_access(visit, user.id, None).await?;
        // The link came by mail, so mail reaches them.
        db.verify_email(user.id, &user.email, now).await?;
        let act = if kind == TokenKind::Invitation { Act::InvitationAccepted } else { Act::PasswordReset };
        self.password_changed(visit, &user, act, now).await
    }

    /// Changes the password of who is signed in and has just proved who they are. Their other sessions end.
    ///
    /// # Errors
    /// That the new one is refused; that it was changed meanwhile.
    pub async fn change_password(
        &self,
        visit: &Visit,
        user: UserId,
        session: SessionId,
        password: Secret,
    ) -> Result<(), Problem> {
        let (db, now) = (visit.tenant.db(), self.0.clock.now());
        let user = db.user(user).await?;
        let hash = self.choose(visit, &user, password).await?;
        if !db.set_password(user.id, &hash, Some(&user.password_hash)).await? {
            return Err(invalid("password", "it was changed in another window meanwhile; try again"));
        }
        self.end_access(visit, user.id, Some(session)).await?;
        self.password_changed(visit, &user, Act::PasswordChanged, now).await
    }

    /// The hash of a password that somebody wants. Counted: measuring and hashing are dear, and everybody's sign-ins wait in the
    /// same line.
    async fn choose(&self, visit: &Visit, user: &User, password: Secret) -> Result<Concealed, Problem> {
        self.0.limits.spend(Budget::Measure, visit.by(&user.email), self.now()).await?;
        Ok(self.0.passwords.choose(password, about(visit, user)).await?)
    }

    /// Takes away every way into an account whose address nobody had shown to be theirs until now: password, second factors,
    /// identities at other sites. Whoever registers with somebody else's address could otherwise wait in it for its owner.
    pub(super) async fn end_ways_of_strangers(&self, visit: &Visit, user: &User) -> Result<(), Problem> {
        if user.email_verified_at.is_some() {
            return Ok(());
        }
        let (db, owner) = (visit.tenant.db(), || Actor::Person { id: user.id, name: user.email.clone() });
        db.set_password(user.id, &Concealed::new(String::new()), None).await?;
        if db.delete_second_factors(user.id).await? {
            let details = json!({ "email": user.email, "by": "mail" });
            visit.record(owner(), Act::SecondFactorReset, &user.id.to_string(), details).await?;
        }
        loop {
            let theirs = db.sso_identities_of(user.id).await?;
            if theirs.is_empty() {
                return Ok(());
            }
            for there in theirs {
                db.unlink_sso_identity(user.id, &there.issuer, &there.subject).await?;
                let details = json!({ "issuer": there.issuer, "subject": there.subject, "by": "mail" });
                visit.record(owner(), Act::SsoUnlinked, &there.issuer, details).await?;
            }
        }
    }

    /// Ends what was opened with the old password: sessions but `keep`, sign-ins of programs, links to choose another.
    /// Personal tokens end too when nobody is there to say which of them are theirs: after a reset.
    pub(super) async fn end_access(&self, visit: &Visit, user: UserId, keep: Option<SessionId>) -> Result<(), Problem> {
        let db = visit.tenant.db();
        let now = self.0.clock.now();
        db.end_access(user, keep).await?;
        db.end_grants_of(user, now).await?;
        if keep.is_none() {
            db.end_personal_tokens(user, None, now).await?;
        }
        one_time::revoke(db, user, &OPENED).await?;
        Ok(())
    }

    async fn password_changed(&self, visit: &Visit, user: &User, act: Act, now: Millis) -> Result<(), Problem> {
        let actor = Actor::Person { id: user.id, name: user.email.clone() };
        visit.record(actor, act, &user.email, Value::Null).await?;
        let mail = Mail::new(MailKind::PasswordChanged, &user.email, &user.display_name)
            .with("forgot", self.link(visit, "/forgot", None))
            .with("at", crate::mail::instant(&visit.tenant.definition, now));
        self.0.outbox.queue(&visit.tenant, mail).await?;
        Ok(())
    }
}

/// What an attacker would try first.
fn about(visit: &Visit, user: &User) -> Vec<String> {
    vec![user.display_name.clone(), user.email.clone(), visit.tenant.definition.name.clone()]
}
