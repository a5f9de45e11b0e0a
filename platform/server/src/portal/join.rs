//! Opening an account, confirming an address, a forgotten password: pages for who is not signed in.

use super::{
    Scene,
    brand::see_other,
    view::{ConfirmLink, Forgot, Link, Note, Page, Register, Reset, Unverified},
};
use crate::{
    identity::{
        Identity, Operation, Registration, SignedIn, Visit,
        gate::{Pages, may, public},
        one_time::TokenKind,
    },
    problem::{Problem, ProblemCode},
    secrets::{Secret, Token},
};
use poem::{
    Response, handler,
    web::{Data, Form, Query},
};
use serde::Deserialize;

/// Where everybody lands who asked for a mail, whether or not one could open anything.
const CHECK_MAIL: &str = "/check-mail";

/// `/register`, `/verify`, `/forgot`, `/reset` and what belongs to them.
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/register", public().get(show_register).post(register))
        .at(CHECK_MAIL, public().get(check_mail))
        .at("/verify", public().get(show_verify).post(verify))
        .at("/verify/resend", may(Operation::VerifyEmail).post(resend))
        .at("/forgot", public().get(show_forgot).post(forgot))
        .at("/reset", public().get(show_reset).post(reset))
}

/// Answers with a form that was refused: its page again, with why.
pub(super) fn refused<P: Page>(scene: &Scene, title: &str, problem: Problem, page: &P) -> poem::Result<Response> {
    if problem.code.status().is_server_error() {
        return Err(problem.into());
    }
    let mut response = scene.page(title, page)?;
    response.set_status(problem.code.status());
    problem.add_headers(&mut response);
    Ok(response)
}

/// What a person typed, as the form shows it again.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(254).collect()
}

/// The page of a link that does not work.
pub(super) fn link_ended(scene: &Scene, problem: Problem, action: Link) -> poem::Result<Response> {
    let note = Note::new(problem.code.title(), &problem.detail, Some(action));
    refused(scene, problem.code.title(), problem, &note)
}

#[derive(Deserialize)]
pub(super) struct LinkQuery {
    #[serde(default)]
    pub token: String,
    #[serde(default)]
    pub sent: bool,
}

#[derive(Deserialize)]
struct RegisterForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    password: Secret,
}

#[handler]
fn show_register(scene: Scene) -> poem::Result<Response> {
    if scene.is_signed_in() {
        return Ok(see_other("/dashboard"));
    }
    scene.page("Open an account", &Register::new("", "", None))
}

#[handler]
async fn register(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<RegisterForm>,
) -> poem::Result<Response> {
    let (name, email) = (shown(&form.name), shown(&form.email));
    let wanted = Registration { email: form.email, display_name: form.name, password: form.password };
    match identity.register(&visit, wanted).await {
        Ok(()) => Ok(see_other(CHECK_MAIL)),
        Err(problem) => {
            let page = Register::new(&name, &email, Some(&problem));
            refused(&scene, "Open an account", problem, &page)
        }
    }
}

#[handler]
fn check_mail(scene: Scene) -> poem::Result<Response> {
    let text = "We have sent a mail to the address you gave; what to do next stands in it. If nothing comes within some \
                minutes, look among the unwanted mail, check the address for a slip, and try again.";
    scene.page("Check your mail", &Note::new("Check your mail", text, Some(Link::new("Sign in", "/sign-in"))))
}

#[handler]
fn show_verify(request: &poem::Request, scene: Scene, Query(query): Query<LinkQuery>) -> poem::Result<Response> {
    if !query.token.is_empty() {
        let page = ConfirmLink {
            action: "/verify",
            token: shown(&query.token),
            title: "Confirm your address",
            text: "One step is left: confirm that this address is yours.",
            button: "Confirm my address",
        };
        return scene.page(page.title, &page);
    }
    match request.data::<SignedIn>() {
        Some(who) if !who.verified => {
            scene.page("Confirm your address", &Unverified { email: who.email.clone(), sent: query.sent })
        }
        Some(_) => Ok(see_other("/dashboard")),
        None => Ok(see_other("/sign-in?next=/verify")),
    }
}

#[derive(Deserialize)]
pub(super) struct LinkForm {
    #[serde(default)]
    pub token: String,
}

impl LinkForm {
    /// The token; text that is none is treated like one that has ended.
    pub fn token(&self) -> Result<Token, Problem> {
        Token::parse(&self.token).ok_or_else(crate::identity::link_ended)
    }
}

#[handler]
async fn verify(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<LinkForm>,
) -> poem::Result<Response> {
    let verified = match form.token() {
        Ok(token) => identity.verify_email(&visit, &token).await,
        Err(problem) => Err(problem),
    };
    match verified {
        Ok(()) => {
            let next = if scene.is_signed_in() {
                Link::new("Go to your accounts", "/dashboard")
            } else {
                Link::new("Sign in", "/sign-in")
            };
            let text = "Thank you. Everything your plan offers is open to you now.";
            scene.page("Address confirmed", &Note::new("Your address is confirmed", text, Some(next)))
        }
        Err(problem) => link_ended(&scene, problem, Link::new("Ask for another link", "/verify")),
    }
}

#[handler]
async fn resend(who: SignedIn, visit: Visit, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    identity.resend_verification(&visit, who.user).await?;
    Ok(see_other("/verify?sent=true"))
}

#[derive(Deserialize)]
struct ForgotForm {
    #[serde(default)]
    email: String,
}

#[handler]
fn show_forgot(scene: Scene) -> poem::Result<Response> {
    scene.page("Forgot your password?", &Forgot::new("", None))
}

#[handler]
async fn forgot(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<ForgotForm>,
) -> poem::Result<Response> {
    match identity.ask_reset(&visit, &form.email).await {
        Ok(()) => Ok(see_other(CHECK_MAIL)),
        Err(problem) => {
            let page = Forgot::new(&shown(&form.email), Some(&problem));
            refused(&scene, "Forgot your password?", problem, &page)
        }
    }
}

#[derive(Deserialize)]
struct ResetForm {
    #[serde(default)]
    token: String,
    password: Secret,
}

const RESET_TITLE: &str = "Choose a new password";

/// A link to choose a password that cannot be used, and what its owner does instead.
fn ended(scene: &Scene, problem: Problem) -> poem::Result<Response> {
    if problem.code == ProblemCode::SsoRefused {
        let title = "A password opens nothing for you here";
        let note = Note::new(title, &problem.detail, Some(Link::new("Sign in", "/sign-in")));
        return refused(scene, title, problem, &note);
    }
    link_ended(scene, problem, Link::new("Ask for another link", "/forgot"))
}

#[handler]
async fn show_reset(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Query(query): Query<LinkQuery>,
) -> poem::Result<Response> {
    let found = match (LinkForm { token: query.token.clone() }).token() {
        Ok(token) => identity.look_at_reset(&visit, &token).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok((_, kind)) => scene.page(RESET_TITLE, &Reset::new(&query.token, kind == TokenKind::Invitation, None)),
        Err(problem) => ended(&scene, problem),
    }
}

#[handler]
async fn reset(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<ResetForm>,
) -> poem::Result<Response> {
    let link = LinkForm { token: form.token };
    let kind = match link.token() {
        Ok(token) => identity.look_at_reset(&visit, &token).await.map(|(_, kind)| (token, kind)),
        Err(problem) => Err(problem),
    };
    let (token, kind) = match kind {
        Ok(found) => found,
        Err(problem) => return ended(&scene, problem),
    };
    match identity.reset_password(&visit, &token, form.password).await {
        Ok(()) => {
            let text = "It is in force. Whoever was signed in to your account before no longer is. Sign in with the new \
                        password; a second step you have set up is asked for as before.";
            let note = Note::new("Your password is set", text, Some(Link::new("Sign in", "/sign-in")));
            scene.page("Password set", &note)
        }
        // Who has only to wait keeps the form, and the link with it.
        Err(problem) if problem.errors.is_empty() && problem.retry_after_s.is_none() => ended(&scene, problem),
        Err(problem) => {
            let page = Reset::new(&link.token, kind == TokenKind::Invitation, Some(&problem));
            refused(&scene, RESET_TITLE, problem, &page)
        }
    }
}
