//! Password and address of who is signed in.

use super::{
    Scene,
    brand::see_other,
    join::{LinkForm, LinkQuery, link_ended, refused, shown},
    view::{ConfirmLink, EmailPage, Link, Note, PasswordPage},
};
use crate::{
    identity::{
        Identity, Operation, SignedIn, Visit,
        gate::{Pages, may, public},
    },
    problem::ProblemCode,
    secrets::Secret,
};
use poem::{
    Response, handler,
    web::{Data, Form, Query},
};
use serde::Deserialize;

/// `/security/password`, `/security/email`.
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/security/password", may(Operation::ChangePassword).get(show_password).post(change_password))
        .at("/security/email", may(Operation::ChangeEmail).get(show_email).post(ask_email))
        .at("/security/email/confirm", public().get(show_confirm).post(confirm))
}

#[derive(Deserialize)]
struct PasswordForm {
    password: Secret,
}

#[handler]
fn show_password(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    scene.page("Change your password", &PasswordPage::new(&who.email, None))
}

#[handler]
async fn change_password(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<PasswordForm>,
) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    match identity.change_password(&visit, who.user, who.session()?, form.password).await {
        Ok(()) => {
            let text = "It is in force. You stay signed in here; everywhere else you sign in anew.";
            let note =
                Note::new("Your password is changed", text, Some(Link::new("Go to your accounts", "/dashboard")));
            scene.page("Password changed", &note)
        }
        Err(problem) => {
            let page = PasswordPage::new(&who.email, Some(&problem));
            refused(&scene, "Change your password", problem, &page)
        }
    }
}

#[derive(Deserialize)]
struct EmailForm {
    #[serde(default)]
    email: String,
}

#[handler]
fn show_email(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    scene.page("Change your e-mail", &EmailPage::new(&who.email, "", None))
}

#[handler]
async fn ask_email(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<EmailForm>,
) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    match identity.ask_email_change(&visit, who.user, &form.email).await {
        Ok(()) => Ok(see_other("/check-mail")),
        Err(problem) => {
            let page = EmailPage::new(&who.email, &shown(&form.email), Some(&problem));
            refused(&scene, "Change your e-mail", problem, &page)
        }
    }
}

#[handler]
fn show_confirm(scene: Scene, Query(query): Query<LinkQuery>) -> poem::Result<Response> {
    let page = ConfirmLink {
        action: "/security/email/confirm",
        token: shown(&query.token),
        title: "Use this address",
        text: "One step is left: confirm that your account uses this address from now on.",
        button: "Use this address",
    };
    scene.page(page.title, &page)
}

#[handler]
async fn confirm(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<LinkForm>,
) -> poem::Result<Response> {
    let changed = match form.token() {
        Ok(token) => identity.confirm_email_change(&visit, &token).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(()) => {
            let text = "Sign in with it from now on; mail goes there.";
            let note = Note::new("Your address is changed", text, Some(Link::new("Go to your accounts", "/dashboard")));
            scene.page("Address changed", &note)
        }
        // Nothing is wrong with the link, and no other address would do.
        Err(problem) if problem.code == ProblemCode::SsoRefused => {
            let title = "Your address stays as it is";
            let note = Note::new(title, &problem.detail, Some(Link::new("Go to your accounts", "/dashboard")));
            refused(&scene, title, problem, &note)
        }
        Err(problem) => link_ended(&scene, problem, Link::new("Choose an address", "/security/email")),
    }
}
