//! What those who run a brand decide about its people: who is asked in, what they are, who is shut out.
//!
//! Owns: who may decide about whom ([`Role::governs`]), that nobody decides about themselves, that a brand keeps an
//! owner, and the audit entry of each decision. Refuses to know: how the pages look.

use super::{
    Identity, Operation, Role, SignedIn, Visit, WayIn,
    one_time::{self, TokenKind},
};
use crate::{
    audit::Act,
    problem::{Problem, ProblemCode},
};
use marque_domain::id::UserId;
use marque_store::{Standing, User, UserStatus};
use serde_json::json;

/// The decisions of one person.
pub struct Roster<'a> {
    pub(super) who: &'a SignedIn,
    pub(super) identity: &'a Identity,
}

impl<'a> Roster<'a> {
    /// Those of this person.
    #[must_use]
    pub const fn of(who: &'a SignedIn, identity: &'a Identity) -> Self {
        Self { who, identity }
    }

    /// Somebody of this brand.
    ///
    /// # Errors
    /// [`ProblemCode::NotFound`], [`ProblemCode::Forbidden`] by the table.
    pub async fn person(&self, operation: Operation, id: &str) -> Result<User, Problem> {
        self.who.may(operation)?;
        let id: UserId = id.parse().map_err(|_| Problem::not_found())?;
        Ok(self.who.db().user(id).await?)
    }

    /// Whether this person may decide about that one, as a page asks before it offers to.
    #[must_use]
    pub fn governs(&self, person: &User) -> bool {
        person.id != self.who.user && role_of(person).is_ok_and(|role| self.who.role.governs(role))
    }

    /// The roles that this person may give.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        Role::ALL.iter().copied().filter(|role| self.who.role.governs(*role))
    }

    pub(super) async fn governed(&self, operation: Operation, id: &str) -> Result<User, Problem> {
        let person = self.person(operation, id).await?;
        if person.id == self.who.user {
            return Err(refused("You cannot decide about yourself. Ask another owner of this site."));
        }
        if !self.governs(&person) {
            return Err(refused("Only an owner decides about admins and owners. Ask one."));
        }
        self.who.recently_proved(self.identity.now())?;
        Ok(person)
    }

    /// Says what somebody is, and on which plan: its name in the brand's file, or empty for the first.
    ///
    /// # Errors
    /// [`ProblemCode::Forbidden`], [`ProblemCode::NotFound`], [`ProblemCode::Invalid`]; [`ProblemCode::Conflict`] when
    /// it would leave the brand without an owner.
    pub async fn change(&self, id: &str, role: &str, plan: &str) -> Result<User, Problem> {
        let person = self.governed(Operation::ChangePerson, id).await?;
        let role = self.role(role)?;
        let plan = self.plan(plan)?;
        if role.name() != person.role {
            self.stand(&person, Standing::Role(role.name())).await?;
            let change = json!({ "from": person.role, "to": role.name() });
            self.who.audit(Act::RoleChanged, person.id.to_string(), change).await?;
        }
        if plan != person.plan.as_deref() {
            self.who.db().set_plan(person.id, plan).await?;
            let change = json!({ "from": person.plan, "to": plan });
            self.who.audit(Act::PlanChanged, person.id.to_string(), change).await?;
        }
        Ok(self.who.db().user(person.id).await?)
    }

    /// Shuts somebody out: every session, program and open link of theirs ends. What they own stays, and what runs on
    /// their accounts goes on until it is stopped.
    ///
    /// # Errors
    /// As [`Roster::change`].
    pub async fn suspend(&self, id: &str) -> Result<(), Problem> {
        let person = self.governed(Operation::SuspendPerson, id).await?;
        self.stand(&person, Standing::Status(UserStatus::Suspended)).await?;
        one_time::revoke(self.who.db(), person.id, TokenKind::ALL).await?;
        self.end_programs(&person).await?;
        self.who.audit(Act::PersonSuspended, person.id.to_string(), json!({ "email": person.email })).await
    }

    /// Lets somebody in again.
    ///
    /// # Errors
    /// As [`Roster::change`].
    pub async fn reinstate(&self, id: &str) -> Result<(), Problem> {
        let person = self.governed(Operation::SuspendPerson, id).await?;
        // What a suspension that failed midway left would open again.
        one_time::revoke(self.who.db(), person.id, TokenKind::ALL).await?;
        self.end_programs(&person).await?;
        self.stand(&person, Standing::Status(UserStatus::Active)).await?;
        self.who.audit(Act::PersonRestored, person.id.to_string(), json!({ "email": person.email })).await
    }

    /// Takes away a second factor that its owner has lost, and signs them out everywhere: who had their browser in hand
    /// could otherwise set up another. Its owner is told by mail.
    ///
    /// # Errors
    /// As [`Roster::change`]; [`ProblemCode::Conflict`] when they have none.
    pub async fn reset_factor(&self, visit: &Visit, id: &str) -> Result<(), Problem> {
        let person = self.governed(Operation::ResetFactor, id).await?;
        let db = self.who.db();
        let nothing =
            || Problem::new(ProblemCode::Conflict, "They have no second factor; there is nothing to take away.");
        if !db.second_factors(person.id).await?.are_on() {
            return Err(nothing());
        }
        // The factor goes last: while it is there, what failed midway can be done again.
        db.delete_sessions_of(person.id).await?;
        // A sign-in that waits, or another address that is to be confirmed, may be of who had it in hand.
        one_time::revoke(db, person.id, &[TokenKind::Challenge, TokenKind::ChangeEmail]).await?;
        self.end_programs(&person).await?;
        if !db.delete_second_factors(person.id).await? {
            return Err(nothing());
        }
        // Who came in with it meanwhile.
        db.delete_sessions_of(person.id).await?;
        self.who.audit(Act::SecondFactorReset, person.id.to_string(), json!({ "email": person.email })).await?;
        self.identity.tell_way_in(visit, person.id, WayIn::FactorReset).await;
        Ok(())
    }

    async fn end_programs(&self, person: &User) -> Result<(), Problem> {
        let (db, now) = (self.who.db(), self.identity.now());
        db.end_grants_of(person.id, now).await?;
        db.end_personal_tokens(person.id, None, now).await?;
        Ok(())
    }

    pub(super) async fn stand(&self, person: &User, to: Standing<'_>) -> Result<(), Problem> {
        if self.who.db().change_standing(person.id, to, Role::Owner.name()).await? {
            return Ok(());
        }
        let detail = "This site would have no owner left. Make somebody else an owner first.";
        Err(Problem::new(ProblemCode::Conflict, detail))
    }

    pub(super) fn role(&self, name: &str) -> Result<Role, Problem> {
        let role: Role =
            name.parse().map_err(|_| invalid().field("role", "Choose one of the roles that are offered."))?;
        if self.who.role.governs(role) {
            Ok(role)
        } else {
            Err(refused("Only an owner makes somebody an admin or an owner. Ask one."))
        }
    }

    /// The plan of this name, if the brand has it.
    pub(super) fn plan<'p>(&self, name: &'p str) -> Result<Option<&'p str>, Problem> {
        let known = self.who.tenant.definition.plans.iter().any(|plan| plan.code == name);
        match name {
            "" => Ok(None),
            _ if known => Ok(Some(name)),
            _ => Err(invalid().field("plan", "Choose one of the brand's plans.")),
        }
    }
}

pub(super) fn role_of(person: &User) -> Result<Role, Problem> {
    person.role.parse::<Role>().map_err(|error| Problem::internal(&error))
}

fn refused(detail: &str) -> Problem {
    Problem::new(ProblemCode::Forbidden, detail)
}

pub(super) fn invalid() -> Problem {
    Problem::new(ProblemCode::Invalid, "Correct the field that is marked and send the form again.")
}
