//! Tokens that a person makes for a program of theirs, with only the scopes they choose.

use super::{
    scope,
    token::{self, Kind},
};
use crate::{
    audit::Act,
    identity::{Identity, Scope, SignedIn, Visit, WayIn},
    problem::{Problem, ProblemCode},
    secrets::{self, Secret},
};
use marque_domain::{id::PersonalTokenId, time::DAY_MS};
use marque_store::PersonalToken;
use serde_json::json;

/// Personal tokens of one person at once.
const TOKENS_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 60;

/// A token that somebody wants.
#[derive(Debug, Clone)]
pub struct NewPersonalToken {
    /// What its owner calls it.
    pub name: String,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// Days until it ends: one of [`NewPersonalToken::DAYS`].
    pub days: u16,
}

impl NewPersonalToken {
    /// How long a token may last.
    pub const DAYS: &'static [u16] = &[7, 30, 90, 365];
}

/// A token that was made, with its text, which is shown this once.
pub struct MadeToken {
    /// What is kept of it.
    pub token: PersonalToken,
    /// The text.
    pub text: Secret,
}

impl Identity {
    /// Makes a personal token for who is signed in, and tells them so by mail.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] with the fields, [`ProblemCode::Conflict`] when there are too many.
    pub async fn make_personal_token(
        &self,
        visit: &Visit,
        who: &SignedIn,
        wanted: &NewPersonalToken,
    ) -> Result<MadeToken, Problem> {
        who.recently_proved(self.now())?;
        let name = checked(wanted)?;
        let now = self.0.clock.now();
        let (text, hash) = token::make(Kind::Personal).map_err(|error| Problem::internal(&error))?;
        let token = PersonalToken {
            id: PersonalTokenId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
            user: who.user,
            name,
            scopes: scope::join(&wanted.scopes),
            created_at: now,
            expires_at: now.plus(i64::from(wanted.days) * DAY_MS),
            last_used_at: None,
        };
        if !who.db().create_personal_token(&token, hash, TOKENS_MAX).await? {
            let detail = format!("You have {TOKENS_MAX} tokens. End one that you no longer need, then make this one.");
            return Err(Problem::new(ProblemCode::Conflict, detail));
        }
        let details = json!({ "name": token.name, "scopes": token.scopes, "days": wanted.days });
        who.audit(Act::PersonalTokenMade, token.id.to_string(), details).await?;
        self.tell_way_in(visit, who.user, WayIn::Token).await;
        tracing::info!(user = %who.user, token = %token.id, scopes = token.scopes, "a personal token was made");
        Ok(MadeToken { token, text: Secret::new(text) })
    }
}

/// The name, when everything is as it should be.
fn checked(wanted: &NewPersonalToken) -> Result<String, Problem> {
    let mut problem = Problem::new(ProblemCode::Invalid, "Correct what is marked and send it again.");
    let name = wanted.name.trim();
    if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        problem = problem.field("name", format!("1 to {NAME_CHARS_MAX} characters on one line"));
    }
    if wanted.scopes.is_empty() {
        problem = problem.field("scopes", "Choose at least one thing that the program may do");
    }
    if !NewPersonalToken::DAYS.contains(&wanted.days) {
        problem = problem.field("days", "Choose one of the times offered");
    }
    if problem.errors.is_empty() { Ok(name.to_owned()) } else { Err(problem) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_checked() {
        let good = NewPersonalToken { name: " Sheet ".to_owned(), scopes: vec![Scope::Read], days: 30 };
        assert_eq!(checked(&good), Ok("Sheet".to_owned()));
        let bad = [
            (NewPersonalToken { name: " ".to_owned(), ..good.clone() }, "name"),
            (NewPersonalToken { name: "a\nb".to_owned(), ..good.clone() }, "name"),
            (NewPersonalToken { name: "n".repeat(61), ..good.clone() }, "name"),
            (NewPersonalToken { scopes: vec![], ..good.clone() }, "scopes"),
            (NewPersonalToken { days: 0, ..good.clone() }, "days"),
            (NewPersonalToken { days: u16::MAX, ..good }, "days"),
        ];
        for (wanted, field) in bad {
            let problem = checked(&wanted).unwrap_err();
            assert_eq!(problem.errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), [field], "{wanted:?}");
        }
    }
}
