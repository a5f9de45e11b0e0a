//! People, for those who run the site: list, search, invitation, role, plan, suspension, lost second factor.

use super::super::{
    Scene,
    brand::see_other,
    view::{Banner, Pager, People, PeopleQuery, PersonContext, PersonPage, PersonRow, Tone},
};
use crate::{
    identity::{Identity, Operation, Reach, Role, Roster, SignedIn, Visit},
    problem::Problem,
    trading::requests,
};
use marque_store::{Page, PeopleFilter, User, UserStatus};
use poem::{
    Response, handler,
    web::{Data, Form, Path, Query},
};
use serde::Deserialize;

/// People on a page.
const ROWS: u32 = 50;

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    status: String,
    before: Option<i64>,
}

#[handler]
pub(super) async fn list(scene: Scene, who: SignedIn, Query(search): Query<Search>) -> poem::Result<Response> {
    who.may(Operation::ReadPeople)?;
    let status = UserStatus::ALL.iter().copied().find(|status| status.name() == search.status);
    let role = search.role.parse::<Role>().ok();
    let query = PeopleQuery {
        text: search.q.chars().take(100).collect(),
        role: role.map(|role| role.name().to_owned()).unwrap_or_default(),
        status: status.map(|status| status.name().to_owned()).unwrap_or_default(),
    };
    let filter = PeopleFilter { text: &query.text, role: role.map(Role::name), status };
    let found = who.db().people(filter, Page { after: search.before, limit: ROWS }).await.map_err(Problem::from)?;
    let (clock, plans) = (scene.clock(), &scene.tenant.definition.plans);
    let rows = found.items.iter().map(|user| PersonRow::of(user, plans, &clock)).collect();
    let narrowed = |before: Option<i64>| {
        let mut query_text = format!("?q={}&role={}&status={}", escaped(&query.text), query.role, query.status);
        if let Some(before) = before {
            query_text.push_str(&format!("&before={before}"));
        }
        query_text
    };
    let pager =
        Pager { newer: search.before.map(|_| narrowed(None)), older: found.next.map(|before| narrowed(Some(before))) };
    let may_invite = Operation::InvitePerson.reach(who.role) > Reach::Nothing;
    scene.page("People", &People::new(&query, rows, pager, may_invite, clock.name()))
}

/// Text as it stands in a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

#[handler]
pub(super) async fn show(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(Done { done }): Query<Done>,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    let roster = Roster::of(&who, identity);
    let person = roster.person(Operation::ReadPeople, &id).await?;
    let governed = Operation::ChangePerson.reach(who.role) > Reach::Nothing && roster.governs(&person);
    if governed {
        // Before the form is filled in: on the way to the proof and back it would be lost.
        who.recently_proved(identity.now())?;
    }
    let roles: Vec<Role> = roster.roles().collect();
    let context = PersonContext {
        roles: &roles,
        plans: &scene.tenant.definition.plans,
        clock: &scene.clock(),
        governed,
        own: person.id == who.user,
        has_factor: has_factor(&who, &person).await?,
        notice: notice(&done),
        csrf: &scene.csrf,
    };
    scene.page(&person.display_name, &PersonPage::of(&person, context))
}

async fn has_factor(who: &SignedIn, person: &User) -> Result<bool, Problem> {
    Ok(who.db().second_factors(person.id).await?.are_on())
}

/// What a form has just done, in words. Only what stands here is shown: an address cannot put words into a page.
fn notice(done: &str) -> Option<Banner> {
    let (title, text) = match done {
        "invited" => ("Invitation sent", "It works for 7 days. Until they have chosen a password they cannot sign in."),
        "changed" => ("Saved", "It holds from their next request on."),
        "suspended" => (
            "Suspended",
            "They are signed out everywhere and cannot sign in. What runs on their accounts goes on until you stop it.",
        ),
        "reinstated" => ("Reinstated", "They can sign in again, with the password they had."),
        "factor" => {
            ("Second factor taken away", "Their password alone lets them in now. Tell them to set up a new one.")
        }
        _ => return None,
    };
    Some(Banner::new(Tone::Good, title, text))
}

pub(super) fn done(id: &str, what: &str) -> Response {
    see_other(&format!("/admin/people/{id}?done={what}"))
}

#[derive(Deserialize)]
struct Standing {
    role: String,
    #[serde(default)]
    plan: String,
}

#[handler]
pub(super) async fn change(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
    Form(form): Form<Standing>,
) -> poem::Result<Response> {
    let person = Roster::of(&who, identity).change(&id, &form.role, &form.plan).await?;
    // What runs for them now goes on under the plan they are on now.
    requests::follow_plan(scene.portal.floor(), who.db(), &scene.tenant.definition, person.id).await?;
    Ok(done(&person.id.to_string(), "changed"))
}

#[handler]
pub(super) async fn suspend(
    who: SignedIn,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    Roster::of(&who, identity).suspend(&id).await?;
    Ok(done(&id, "suspended"))
}

#[handler]
pub(super) async fn reinstate(
    who: SignedIn,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    Roster::of(&who, identity).reinstate(&id).await?;
    Ok(done(&id, "reinstated"))
}

#[handler]
pub(super) async fn reset_factor(
    who: SignedIn,
    visit: Visit,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    Roster::of(&who, identity).reset_factor(&visit, &id).await?;
    Ok(done(&id, "factor"))
}
