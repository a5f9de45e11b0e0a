//! The form that asks somebody in.

use super::{
    super::{Scene, brand::see_other, view::InvitePage},
    people::done,
};
use crate::{
    identity::{Identity, Invitation, Roster, SignedIn, Visit},
    problem::Problem,
};
use poem::{
    IntoResponse as _, Response, handler,
    web::{Data, Form, Path},
};
use serde::Deserialize;

#[handler]
pub(super) fn show_invitation(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    // Before the form is filled in: on the way to the proof and back it would be lost.
    who.recently_proved(identity.now())?;
    invitation_page(&scene, &Roster::of(&who, identity), &Invitation::default(), None)
}

fn invitation_page(
    scene: &Scene,
    roster: &Roster<'_>,
    filled: &Invitation,
    problem: Option<&Problem>,
) -> poem::Result<Response> {
    let (roles, plans) = (roster.roles().collect::<Vec<_>>(), &scene.tenant.definition.plans);
    scene.page("Invite somebody", &InvitePage::new(filled, &roles, plans, problem, &scene.csrf))
}

#[derive(Deserialize)]
struct Invited {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    plan: String,
}

#[handler]
pub(super) async fn send_invitation(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<Invited>,
) -> poem::Result<Response> {
    let roster = Roster::of(&who, identity);
    let invitation = Invitation { email: form.email, display_name: form.name, role: form.role, plan: form.plan };
    match roster.invite(&visit, &invitation).await {
        Ok(user) => Ok(see_other(&format!("/admin/people/{user}?done=invited"))),
        Err(problem) if problem.errors.is_empty() => Err(problem.into()),
        Err(problem) => {
            let page = invitation_page(&scene, &roster, &invitation, Some(&problem))?;
            Ok(page.with_status(problem.code.status()).into_response())
        }
    }
}

#[handler]
pub(super) async fn invite_again(
    who: SignedIn,
    visit: Visit,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    Roster::of(&who, identity).invite_again(&visit, &id).await?;
    Ok(done(&id, "invited"))
}
