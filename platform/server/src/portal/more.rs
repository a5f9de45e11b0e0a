//! The page of a sign-in that waits for a second proof.

use super::{Scene, passkeys, view::SignInMore};
use crate::{
    audit::Recorder,
    edge::Origin,
    identity::{
        Identity,
        admission::{Answered, Demand, MORE, Proof, Waiting},
        factors::passkey::Purpose,
        gate::{Pages, public},
    },
    problem::Problem,
};
use poem::{
    Request, Response, handler,
    http::StatusCode,
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
        Some(waiting) => page(&scene, &waiting, StatusCode::OK, None),
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
    match identity.answer(&scene.tenant, request, recorder, proof).await {
        Ok(Answered::Admitted(admission)) => Ok(identity.respond(&scene.tenant, request, admission).await?),
        Ok(Answered::Over) => Ok(identity.begin_anew()),
        Ok(Answered::Wrong { left }) => {
            let tries = if left == 1 { "One try is left.".to_owned() } else { format!("{left} tries are left.") };
            let text = format!("That is not right, or it was used before. {tries}");
            page(&scene, &waiting, StatusCode::UNAUTHORIZED, Some(text))
        }
        Err(problem) if problem.code.status().is_server_error() => Err(problem.into()),
        Err(problem) => {
            let mut response = page(&scene, &waiting, problem.code.status(), Some(problem.detail.clone()))?;
            problem.add_headers(&mut response);
            Ok(response)
        }
    }
}

fn page(scene: &Scene, waiting: &Waiting, status: StatusCode, error: Option<String>) -> poem::Result<Response> {
    let view = match waiting.demand() {
        Some(Demand::SecondFactor) => SignInMore::second_factor(error),
        Some(Demand::MailedCode { .. }) => SignInMore::mailed_code(error),
        None => return Err(Problem::not_found().into()),
    };
    let mut response = scene.page(view.title, &view)?;
    response.set_status(status);
    Ok(response)
}
