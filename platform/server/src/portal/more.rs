//! The page of a sign-in that waits for a second proof.

use super::{Scene, join::refused, passkeys, view::SignInMore};
use crate::{
    audit::Recorder,
    edge::Origin,
    identity::{
        Identity,
        admission::{Answered, Demand, MORE, Proof, Waiting},
        factors::passkey::Purpose,
        gate::{Pages, public},
    },
    problem::{Problem, ProblemCode},
};
use poem::{
    Request, Response, handler,
    web::{Data, Form},
};
use serde::Deserialize;

/// `GET` and `POST /sign-in/more`.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.at(MORE, public().get(show).post(answer))
}

#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    code: String,
    /// The question that a passkey answered.
    #[serde(default)]
    state: String,
    /// Its answer.
    #[serde(default)]
    credential: String,
}

#[handler]
async fn show(request: &Request, scene: Scene, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    match identity.waiting(&scene.tenant, request).await? {
        Some(waiting) => {
            let page = page(&waiting, None)?;
            scene.page(page.title, &page)
        }
        None => Ok(identity.begin_anew()),
    }
}

#[handler]
async fn answer(
    request: &Request,
    scene: Scene,
    origin: Origin,
    Data(recorder): Data<&Recorder>,
    Data(identity): Data<&Identity>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let Some(waiting) = identity.waiting(&scene.tenant, request).await? else { return Ok(identity.begin_anew()) };
    let proof = if form.credential.is_empty() {
        Proof::Code(&form.code)
    } else {
        let (purpose, answer) = (Purpose::Prove(waiting.user.id.0), (form.state.as_str(), form.credential.as_str()));
        Proof::Passkey(passkeys::answered(&scene, identity, &origin, purpose, answer).await?)
    };
    let problem = match identity.answer(&scene.tenant, request, recorder, proof).await {
        Ok(Answered::Admitted(admission)) => return Ok(identity.respond(&scene.tenant, request, admission).await?),
        Ok(Answered::Over) => return Ok(identity.begin_anew()),
        Ok(Answered::Wrong { left }) => {
            let tries = if left == 1 { "One try is left.".to_owned() } else { format!("{left} tries are left.") };
            let detail = format!("That is not right, or it was used before. {tries}");
            Problem::new(ProblemCode::WrongCredentials, detail)
        }
        Err(problem) => problem,
    };
    let page = page(&waiting, Some(&problem))?;
    refused(&scene, page.title, problem, &page)
}

fn page(waiting: &Waiting, problem: Option<&Problem>) -> Result<SignInMore, Problem> {
    match waiting.demand() {
        Some(Demand::SecondFactor) => Ok(SignInMore::second_factor(problem)),
        Some(Demand::MailedCode { .. }) => Ok(SignInMore::mailed_code(problem)),
        None => Err(Problem::not_found()),
    }
}
