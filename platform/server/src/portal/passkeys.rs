//! Passkeys on the pages: asked for by script, answered by forms.

use super::{
    Scene,
    brand::see_other,
    view::{BackupCodes, PasskeyRow, SecurityPasskeys},
};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::Origin,
    identity::{
        Identity, Operation, SignInView, SignedIn, Visit, WayIn,
        admission::{Method, Proven},
        factors::{
            FactorError,
            passkey::{Party, Purpose, clean_name},
        },
        gate::{Pages, may, public},
        limits::{Budget, By},
        own_path,
    },
    problem::{Problem, ProblemCode},
    secrets::TenantKeys,
};
use marque_domain::id::UserId;
use poem::{
    IntoResponse as _, Request, Response, handler,
    http::StatusCode,
    web::{Data, Form, Html, Json, Path},
};
use serde::Deserialize;
use serde_json::json;

/// What `/passkeys/:purpose` asks a device for, and the forms that take the answers.
pub(super) fn pages(pages: Pages) -> Pages {
    let mine = || may(Operation::ManageSecurity);
    pages
        .at("/passkeys/new", mine().post(ask_new))
        .at("/passkeys/confirm", mine().post(ask_confirm))
        .at("/passkeys/more", public().post(ask_more))
        .at("/passkeys/sign-in", public().post(ask_sign_in))
        .at("/sign-in/passkey", public().post(sign_in))
        .at("/security/passkeys", mine().get(list).post(add))
        .at("/security/passkeys/:passkey/name", mine().post(rename))
        .at("/security/passkeys/:passkey/remove", mine().post(remove))
}

/// A form with the answer of a device.
#[derive(Deserialize)]
struct Answer {
    state: String,
    credential: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    next: String,
}

async fn keys(scene: &Scene, identity: &Identity) -> Result<TenantKeys, Problem> {
    Ok(identity.vault().of(scene.tenant.db()).await?)
}

fn party<'a>(
    scene: &'a Scene,
    identity: &Identity,
    keys: &'a TenantKeys,
    origin: &Origin,
) -> Result<Party<'a>, Problem> {
    Ok(Party::new(scene.tenant.db(), keys, origin, &scene.tenant.definition.name, identity.now())?)
}

#[handler]
async fn ask_new(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    let keys = keys(&scene, identity).await?;
    let user = who.db().user(who.user).await.map_err(Problem::from)?;
    let question = party(&scene, identity, &keys, &origin)?.ask_new(&user).await.map_err(Problem::from)?;
    Ok(Json(question).into_response())
}

#[handler]
async fn ask_confirm(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    ask(&scene, identity, &origin, Purpose::Prove(who.user.0)).await
}

#[handler]
async fn ask_more(
    request: &Request,
    scene: Scene,
    visit: Visit,
    origin: Origin,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    count(identity, &visit).await?;
    let waiting = identity.waiting(&scene.tenant, request).await?;
    let over = || Problem::new(ProblemCode::SignInRequired, "That took too long or too many tries. Sign in again.");
    let waiting = waiting.ok_or_else(over)?;
    ask(&scene, identity, &origin, Purpose::Prove(waiting.user.id.0)).await
}

#[handler]
async fn ask_sign_in(
    scene: Scene,
    visit: Visit,
    origin: Origin,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    count(identity, &visit).await?;
    ask(&scene, identity, &origin, Purpose::SignIn).await
}

/// Counts a question or an answer of somebody who is not signed in: each costs a signature's check, and each wrong answer an
/// entry in the log.
async fn count(identity: &Identity, visit: &Visit) -> Result<(), Problem> {
    let by = By { tenant: visit.tenant.id, address: visit.client, person: None };
    identity.limits().spend(Budget::Passkey, by, identity.now()).await.map(drop)
}

async fn ask(scene: &Scene, identity: &Identity, origin: &Origin, purpose: Purpose) -> poem::Result<Response> {
    let keys = keys(scene, identity).await?;
    let question = party(scene, identity, &keys, origin)?.ask(purpose).await.map_err(Problem::from)?;
    Ok(Json(question).into_response())
}

/// Whose passkey answered; none when it was no right answer.
pub(super) async fn answered(
    scene: &Scene,
    identity: &Identity,
    origin: &Origin,
    purpose: Purpose,
    (state, credential): (&str, &str),
) -> Result<Option<UserId>, Problem> {
    let keys = keys(scene, identity).await?;
    match party(scene, identity, &keys, origin)?.answered(purpose, state, credential).await {
        Ok(user) => Ok(Some(user)),
        Err(FactorError::Passkey) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[handler]
async fn sign_in(
    request: &Request,
    scene: Scene,
    visit: Visit,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Data(recorder): Data<&Recorder>,
    Form(form): Form<Answer>,
) -> poem::Result<Response> {
    let (next, db) = (own_path(&form.next), scene.tenant.db());
    if let Err(refused) = count(identity, &visit).await {
        return sign_in_again(request, &scene, identity, next, &refused).await;
    }
    let answer = (form.state.as_str(), form.credential.as_str());
    let refused = match answered(&scene, identity, &origin, Purpose::SignIn, answer).await? {
        Some(user) => {
            let user = db.user(user).await.map_err(Problem::from)?;
            let proven = Proven { user, method: Method::Passkey, recorder, next, shown_at: None };
            match identity.admit(&scene.tenant, proven).await {
                Ok(admission) => return Ok(identity.respond(&scene.tenant, request, admission).await?),
                Err(problem) if problem.code.status().is_server_error() => return Err(problem.into()),
                Err(problem) => problem,
            }
        }
        None => {
            let nobody = Actor::Nobody { name: String::new() };
            let noted = recorder.record(db, nobody, Act::SignInFailed, "", json!({ "by": "passkey" })).await;
            noted.map_err(Problem::from)?;
            let detail = "This passkey is not known here, or took too long. Try again, or use your password.";
            Problem::new(ProblemCode::WrongCredentials, detail)
        }
    };
    sign_in_again(request, &scene, identity, next, &refused).await
}

/// The sign-in page, with why the passkey was refused and the other ways in that this may tell to use.
async fn sign_in_again(
    request: &Request,
    scene: &Scene,
    identity: &Identity,
    next: &str,
    refused: &Problem,
) -> poem::Result<Response> {
    let ways = identity.sso().ways(scene.tenant.db()).await?;
    let (tenant, csrf, problem) = (&scene.tenant, scene.csrf.as_str(), Some(refused));
    let view = SignInView { tenant, csrf, email: "", next, problem, ways: &ways, question: None };
    let render = scene.portal.sign_in_page();
    let mut response = Html(render(request, &view)?).with_status(refused.code.status()).into_response();
    refused.add_headers(&mut response);
    Ok(response)
}

#[handler]
async fn list(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    page(&scene, &who, StatusCode::OK, None).await
}

async fn page(scene: &Scene, who: &SignedIn, status: StatusCode, error: Option<String>) -> poem::Result<Response> {
    let clock = scene.clock();
    let keys = who.db().passkeys(who.user).await.map_err(Problem::from)?;
    let row = |key: &marque_store::Passkey| {
        PasskeyRow::new(key.id, &key.name, clock.show(key.created_at), key.last_used_at.map(|at| clock.show(at)))
    };
    let mut response = scene.page("Passkeys", &SecurityPasskeys::new(keys.iter().map(row).collect(), error))?;
    response.set_status(status);
    Ok(response)
}

#[handler]
async fn add(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Form(form): Form<Answer>,
) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    let keys = keys(&scene, identity).await?;
    let added = party(&scene, identity, &keys, &origin)?.add(who.user, &form.state, &form.credential, &form.name).await;
    match added {
        Ok(codes) => {
            who.audit(Act::PasskeyAdded, who.user.to_string(), json!({ "name": clean_name(&form.name) })).await?;
            identity.tell_way_in(&visit, who.user, WayIn::Passkey).await;
            if codes.is_empty() {
                return Ok(see_other("/security/passkeys"));
            }
            scene.page("Backup codes", &BackupCodes::new(codes))
        }
        Err(FactorError::Passkey) => {
            let error = "The device's answer took too long or does not fit. Try again.";
            page(&scene, &who, StatusCode::UNPROCESSABLE_ENTITY, Some(error.to_owned())).await
        }
        Err(error) => Err(Problem::from(error).into()),
    }
}

#[derive(Deserialize)]
struct Name {
    #[serde(default)]
    name: String,
}

#[handler]
async fn rename(
    who: SignedIn,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
    Form(form): Form<Name>,
) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    let (id, name) = (number(&id)?, clean_name(&form.name));
    if !who.db().rename_passkey(who.user, id, &name).await.map_err(Problem::from)? {
        return Err(Problem::not_found().into());
    }
    who.audit(Act::PasskeyRenamed, id.to_string(), json!({ "name": name })).await?;
    Ok(see_other("/security/passkeys"))
}

#[handler]
async fn remove(
    who: SignedIn,
    visit: Visit,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    let id = number(&id)?;
    if !who.db().delete_passkey(who.user, id).await.map_err(Problem::from)? {
        return Err(Problem::not_found().into());
    }
    who.audit(Act::PasskeyRemoved, id.to_string(), json!({})).await?;
    identity.tell_way_in(&visit, who.user, WayIn::PasskeyRemoved).await;
    Ok(see_other("/security/passkeys"))
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}
