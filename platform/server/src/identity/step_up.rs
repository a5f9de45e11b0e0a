//! Step-up: acts that a stolen session must not be enough for need a proof of the last minutes.
//!
//! The proof is as strong as what signs this person in: with two-step sign-in on, a password or another site alone confirms nobody,
//! for whoever has it could otherwise take the second factor away. A passkey, a code of the app or a backup code does.
//!
//! A page that meets [`ProblemCode::StepUpRequired`] leads to [`CONFIRM`] and back; the API answers with it. What was filled in
//! does not come along, so a page on which such a form is filled in asks before it shows it; who only reads the page is not asked.

use super::{
    Identity,
    limits::{Budget, By},
    signed_in::SignedIn,
};
use crate::{
    problem::{Problem, ProblemCode},
    secrets::Secret,
};
use core::net::{IpAddr, Ipv4Addr};
use marque_domain::{
    id::UserId,
    time::{MINUTE_MS, Millis},
};

/// Where a person confirms that it is them.
pub(crate) const CONFIRM: &str = "/confirm";
/// How long a proof is good for.
const PROOF_LASTS_MS: i64 = 10 * MINUTE_MS;
/// Another node's clock may run ahead by this much; a clock that was set back must not prolong a proof.
const CLOCKS_DIFFER_MS: i64 = MINUTE_MS;

impl SignedIn {
    /// Whether this person proved who they are in the last ten minutes, as changing how one signs in demands.
    ///
    /// # Errors
    /// [`ProblemCode::StepUpRequired`] when not.
    pub fn recently_proved(&self, now: Millis) -> Result<(), Problem> {
        let recent = |at| (-CLOCKS_DIFFER_MS..PROOF_LASTS_MS).contains(&now.since(at));
        if self.proved_at.is_some_and(recent) {
            return Ok(());
        }
        let detail = "Sign in again, or confirm at /confirm, then repeat this.";
        Err(Problem::new(ProblemCode::StepUpRequired, detail))
    }

    /// The same of a browser. A program was given its token for what its scopes say, and nobody sits before it.
    ///
    /// # Errors
    /// [`ProblemCode::StepUpRequired`] when not.
    pub fn recently_proved_in_browser(&self, now: Millis) -> Result<(), Problem> {
        if self.session().is_ok() { self.recently_proved(now) } else { Ok(()) }
    }
}

/// What somebody confirms with.
pub enum Confirmation<'a> {
    /// Their password: for who has no second factor.
    Password(Secret),
    /// A code of their app, or a backup code.
    Code(&'a str),
    /// Whose passkey answered, when the answer was right.
    Passkey(Option<UserId>),
    /// What they showed another site, which asked them anew: for who has no second factor. It was found right.
    Elsewhere,
}

impl Identity {
    /// Takes a proof of somebody who is signed in; when it is right their session is proved anew.
    ///
    /// # Errors
    /// [`ProblemCode::TooManyRequests`] when their proofs were wrong too often; [`ProblemCode::WrongCredentials`] for one factor of
    /// who has two, whether or not it is right; that the database does not answer.
    pub async fn confirm(&self, who: &SignedIn, proof: Confirmation<'_>) -> Result<bool, Problem> {
        let (db, now) = (who.db(), self.now());
        let user = db.user(who.user).await?;
        if matches!(proof, Confirmation::Password(_)) {
            self.count_password(who, now).await?;
        }
        let is_one_factor = matches!(proof, Confirmation::Password(_) | Confirmation::Elsewhere);
        if is_one_factor && db.second_factors(user.id).await?.are_on() {
            let detail = "With two-step sign-in this is not enough. Confirm with a code or a passkey.";
            return Err(Problem::new(ProblemCode::WrongCredentials, detail));
        }
        self.count_proof_try(&who.tenant, &user, now).await?;
        let right = match proof {
            Confirmation::Password(password) => {
                self.0.passwords.verify(password, Some(user.password_hash.clone())).await?
            }
            Confirmation::Passkey(whose) => whose == Some(user.id),
            Confirmation::Elsewhere => true,
            Confirmation::Code(code) => self.take_code(&who.tenant, &who.recorder, &user, code, now).await?,
        };
        if right {
            db.forget_proof_tries(user.id).await?;
            db.prove_session(who.session()?, now).await?;
        }
        Ok(right)
    }

    /// Counts a password before it is looked at, right or wrong: hashing it keeps others from signing in.
    async fn count_password(&self, who: &SignedIn, now: Millis) -> Result<(), Problem> {
        let address = who.recorder.origin().address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let person = who.user.to_string();
        let by = By { tenant: who.tenant.id, address, person: Some(&person) };
        self.limits().spend(Budget::Confirm, by, now).await.map(drop)
    }
}
