//! The pages about people, for those who run the site.

use super::{
    Page,
    component::{Badge, Banner, Field, FieldKind, Pager, Tone},
    figure::{Clock, When},
};
use crate::{
    identity::{Invitation, Role},
    problem::Problem,
};
use marque_domain::tenant::Plan;
use marque_store::{User, UserStatus};
use serde::Serialize;

/// Somebody in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonRow {
    /// Their page.
    pub href: String,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What they are.
    pub role: String,
    /// Their plan.
    pub plan: String,
    /// Whether they may sign in.
    pub status: Badge,
    /// When they joined.
    pub joined: When,
}

impl PersonRow {
    /// Somebody as the list shows them.
    #[must_use]
    pub fn of(user: &User, plans: &[Plan], clock: &Clock) -> Self {
        Self {
            href: format!("/admin/people/{}", user.id),
            name: user.display_name.clone(),
            email: user.email.clone(),
            role: role_title(&user.role),
            plan: plan_name(user.plan.as_deref(), plans),
            status: status(user),
            joined: clock.show(user.created_at),
        }
    }
}

fn role_title(name: &str) -> String {
    name.parse::<Role>().map_or_else(|_| name.to_owned(), |role| role.title().to_owned())
}

fn plan_name(code: Option<&str>, plans: &[Plan]) -> String {
    let plan = match code {
        Some(code) => plans.iter().find(|plan| plan.code == code),
        None => plans.first(),
    };
    plan.map_or_else(|| code.unwrap_or("none").to_owned(), |plan| plan.name.clone())
}

fn status(user: &User) -> Badge {
    match user.status {
        UserStatus::Suspended => Badge::new(Tone::Bad, "Suspended"),
        UserStatus::Active if user.password_hash.expose().is_empty() && user.email_verified_at.is_none() => {
            Badge::new(Tone::Accent, "Invited")
        }
        UserStatus::Active if user.email_verified_at.is_none() => Badge::new(Tone::Warn, "Address not verified"),
        UserStatus::Active => Badge::new(Tone::Good, "Active"),
    }
}

/// What the list is narrowed to, as its form and its address say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleQuery {
    /// A part of a name or address.
    pub text: String,
    /// A role, or empty.
    pub role: String,
    /// A status, or empty.
    pub status: String,
}

/// The list of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct People {
    /// The fields of the search.
    pub text: Field,
    /// Which role.
    pub role: Field,
    /// Which status.
    pub status: Field,
    /// Whether the list is narrowed.
    pub narrowed: bool,
    /// Those found, newest first.
    pub people: Vec<PersonRow>,
    /// Neighbouring pages.
    pub pager: Pager,
    /// Whether the reader may ask somebody in.
    pub may_invite: bool,
    /// The zone of the times.
    pub zone: String,
}

impl People {
    /// The list under a search.
    #[must_use]
    pub fn new(query: &PeopleQuery, people: Vec<PersonRow>, pager: Pager, may_invite: bool, zone: &str) -> Self {
        let optional = |field: Field| Field { required: false, ..field };
        let any = [(String::new(), "Any".to_owned())];
        let roles = Role::ALL.iter().map(|role| (role.name().to_owned(), role.title().to_owned()));
        let statuses = [("active", "Active"), ("suspended", "Suspended")].map(|(v, l)| (v.to_owned(), l.to_owned()));
        Self {
            text: optional(Field::new(FieldKind::Text, "q", "Name or e-mail").value(query.text.as_str())),
            role: optional(
                Field::new(FieldKind::Select, "role", "Role")
                    .value(query.role.as_str())
                    .choices(any.clone().into_iter().chain(roles)),
            ),
            status: optional(
                Field::new(FieldKind::Select, "status", "Status")
                    .value(query.status.as_str())
                    .choices(any.into_iter().chain(statuses)),
            ),
            narrowed: *query != PeopleQuery::default(),
            people,
            pager,
            may_invite,
            zone: zone.to_owned(),
        }
    }
}

impl Page for People {
    const TEMPLATE: &'static str = "people";
}

/// The form that asks somebody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvitePage {
    /// The address.
    pub email: Field,
    /// The name.
    pub name: Field,
    /// What they are to be.
    pub role: Field,
    /// The plan.
    pub plan: Field,
    /// Why the last try failed.
    pub error: Option<String>,
    /// The token of the form.
    pub csrf: String,
}

impl InvitePage {
    /// The form as it was filled in, and why it was refused.
    #[must_use]
    pub fn new(filled: &Invitation, roles: &[Role], plans: &[Plan], problem: Option<&Problem>, csrf: &str) -> Self {
        let error = |name: &str| {
            let errors = problem.into_iter().flat_map(|problem| &problem.errors);
            errors.filter(|error| error.field == name).map(|error| error.detail.clone()).next()
        };
        Self {
            email: Field::new(FieldKind::Email, "email", "E-mail")
                .value(filled.email.as_str())
                .hint("The invitation goes there.")
                .error(error("email")),
            name: Field::new(FieldKind::Text, "name", "Name").value(filled.display_name.as_str()).error(error("name")),
            role: role_field(&filled.role, roles).error(error("role")),
            plan: plan_field(&filled.plan, plans).error(error("plan")),
            error: problem.map(|problem| problem.detail.clone()),
            csrf: csrf.to_owned(),
        }
    }
}

impl Page for InvitePage {
    const TEMPLATE: &'static str = "invite";
}

fn role_field(role: &str, roles: &[Role]) -> Field {
    let choices = roles.iter().map(|role| (role.name(), role.title()));
    Field::new(FieldKind::Select, "role", "Role").value(role).choices(choices)
}

fn plan_field(plan: &str, plans: &[Plan]) -> Field {
    let first = plans.first().map_or_else(|| "None".to_owned(), |plan| format!("{} (the first)", plan.name));
    let rest = plans.iter().skip(1).map(|plan| (plan.code.clone(), plan.name.clone()));
    let choices = std::iter::once((String::new(), first)).chain(rest);
    // None of them is an answer too: the brand's first plan.
    Field { required: false, ..Field::new(FieldKind::Select, "plan", "Plan").value(plan).choices(choices) }
}

/// Somebody's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonPage {
    /// Where its forms go: `{action}`, `{action}/suspend`, …
    pub action: String,
    /// As the list shows them.
    pub row: PersonRow,
    /// Their id.
    pub id: String,
    /// When their address was verified.
    pub verified: Option<When>,
    /// What was just done.
    pub notice: Option<Banner>,
    /// Whether the reader may decide about them.
    pub governed: bool,
    /// Why not, where not.
    pub why_not: Option<String>,
    /// What they are.
    pub role: Field,
    /// Their plan.
    pub plan: Field,
    /// Whether they are shut out.
    pub suspended: bool,
    /// Whether their invitation can be sent again.
    pub invited: bool,
    /// Whether they have a second factor.
    pub has_factor: bool,
    /// The token of the forms.
    pub csrf: String,
}

/// What the page of somebody needs besides them.
#[derive(Debug, Clone)]
pub struct PersonContext<'a> {
    /// The roles that the reader may give.
    pub roles: &'a [Role],
    /// The brand's plans.
    pub plans: &'a [Plan],
    /// The reader's clock.
    pub clock: &'a Clock,
    /// Whether the reader may decide about them.
    pub governed: bool,
    /// Whether they are the reader.
    pub own: bool,
    /// Whether they have a second factor.
    pub has_factor: bool,
    /// What was just done.
    pub notice: Option<Banner>,
    /// The token of the forms.
    pub csrf: &'a str,
}

impl PersonPage {
    /// The page of somebody.
    #[must_use]
    pub fn of(user: &User, context: PersonContext<'_>) -> Self {
        let row = PersonRow::of(user, context.plans, context.clock);
        let why_not = match (context.governed, context.own) {
            (true, _) => None,
            (false, true) => Some("This is you. Nobody decides about themselves; another owner can."),
            (false, false) => Some("Your role does not decide about this person. An owner can."),
        };
        Self {
            action: row.href.clone(),
            id: user.id.to_string(),
            verified: user.email_verified_at.map(|at| context.clock.show(at)),
            notice: context.notice,
            governed: context.governed,
            why_not: why_not.map(str::to_owned),
            role: role_field(&user.role, context.roles),
            plan: plan_field(user.plan.as_deref().unwrap_or_default(), context.plans),
            suspended: user.status == UserStatus::Suspended,
            invited: user.password_hash.expose().is_empty() && user.status == UserStatus::Active,
            has_factor: context.has_factor,
            csrf: context.csrf.to_owned(),
            row,
        }
    }
}

impl Page for PersonPage {
    const TEMPLATE: &'static str = "person";
}
