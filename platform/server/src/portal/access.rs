//! Where somebody is signed in, and how to end it: browsers, programs, and the tokens they made.

use super::{
    Scene,
    brand::see_other,
    view::{SessionRow, SessionsPage, TokenRow, TokensPage},
};
use crate::{
    audit::Act,
    identity::{
        Identity, Operation, Scope, SignedIn, Visit,
        access::NewPersonalToken,
        agent,
        gate::{Pages, may},
        place::Place,
    },
    problem::{Problem, ProblemCode},
};
use marque_domain::id::{GrantId, PersonalTokenId, SessionId};
use marque_store::{Grant, PersonalToken, Session};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SESSIONS: &str = "/security/sessions";
const TOKENS: &str = "/security/tokens";

/// `/security/sessions` and `/security/tokens`.
pub(super) fn pages(pages: Pages) -> Pages {
    let mine = || may(Operation::ManageAccess);
    pages
        .at(SESSIONS, mine().get(show_sessions))
        .at("/security/sessions/end-others", mine().post(end_others))
        .at("/security/sessions/:session/end", mine().post(end_session))
        .at("/security/programs/:grant/end", mine().post(end_program))
        .at(TOKENS, mine().get(show_tokens).post(make_token))
        .at("/security/tokens/:token/end", mine().post(end_token))
}

#[handler]
async fn show_sessions(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    let (current, now, clock) = (who.session()?, identity.now(), scene.clock());
    let found = who.db().sessions_of(who.user, now).await.map_err(Problem::from)?;
    let grants = who.db().grants_of(who.user, now).await.map_err(Problem::from)?;
    let session = |session: &Session| SessionRow {
        id: session.id.to_string(),
        device: agent::words(&session.agent),
        place: Place::stored(&session.address, session.country.as_deref()).words(),
        address: session.address.clone(),
        since: clock.show(session.created_at),
        last: clock.show(session.last_seen_at),
        current: session.id == current,
    };
    let program = |grant: &Grant| SessionRow {
        id: grant.id.to_string(),
        device: agent::words(&grant.agent),
        place: grant.address.parse().map_or(Place::Unknown, Place::of).words(),
        address: grant.address.clone(),
        since: clock.show(grant.created_at),
        last: clock.show(grant.last_used_at),
        current: false,
    };
    let page = SessionsPage {
        sessions: found.iter().map(session).collect(),
        others: found.iter().any(|session| session.id != current),
        programs: grants.iter().map(program).collect(),
        zone: clock.name().to_owned(),
        csrf: scene.csrf.clone(),
    };
    scene.page("Where you are signed in", &page)
}

#[handler]
async fn end_session(who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let id: SessionId = id.parse().map_err(|_| Problem::not_found())?;
    if !who.db().delete_session_of(who.user, id).await.map_err(Problem::from)? {
        return Err(Problem::not_found().into());
    }
    who.audit(Act::SessionEnded, id.to_string(), Value::Null).await?;
    Ok(see_other(SESSIONS))
}

#[handler]
async fn end_others(who: SignedIn) -> poem::Result<Response> {
    let ended = who.db().delete_other_sessions(who.user, who.session()?).await.map_err(Problem::from)?;
    who.audit(Act::SessionsEnded, who.user.to_string(), json!({ "sessions": ended })).await?;
    Ok(see_other(SESSIONS))
}

#[handler]
async fn end_program(who: SignedIn, Data(identity): Data<&Identity>, Path(id): Path<String>) -> poem::Result<Response> {
    let id: GrantId = id.parse().map_err(|_| Problem::not_found())?;
    if !who.db().end_grant(who.user, id, identity.now()).await.map_err(Problem::from)? {
        return Err(Problem::not_found().into());
    }
    who.audit(Act::ApiGrantRevoked, id.to_string(), Value::Null).await?;
    Ok(see_other(SESSIONS))
}

#[handler]
async fn show_tokens(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    // Before the form is filled in: on the way to the proof and back it would be lost.
    who.recently_proved(identity.now())?;
    let page = tokens_page(&scene, &who, identity).await?;
    scene.page("Tokens for programs", &page)
}

async fn tokens_page(scene: &Scene, who: &SignedIn, identity: &Identity) -> Result<TokensPage, Problem> {
    let clock = scene.clock();
    let row = |token: PersonalToken| TokenRow {
        id: token.id.to_string(),
        scopes: token.scopes.replace(' ', ", "),
        name: token.name,
        ends: clock.show(token.expires_at),
        last: token.last_used_at.map(|at| clock.show(at)),
    };
    let tokens = who.db().personal_tokens_of(who.user, identity.now()).await?;
    Ok(TokensPage::new(tokens.into_iter().map(row).collect(), NewPersonalToken::DAYS, &scene.csrf))
}

#[handler]
async fn make_token(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<BTreeMap<String, String>>,
) -> poem::Result<Response> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let ticked = |scope: &&Scope| form.contains_key(&format!("scope.{}", scope.name()));
    let wanted = NewPersonalToken {
        name: field("name").to_owned(),
        scopes: Scope::GRANTED.iter().filter(ticked).copied().collect(),
        days: field("days").parse().unwrap_or_default(),
    };
    match identity.make_personal_token(&visit, &who, &wanted).await {
        Ok(made) => {
            // Shown in the answer itself and kept nowhere: to load the page again does not show it again.
            let mut page = tokens_page(&scene, &who, identity).await?;
            page.made = Some(made.text.expose().to_owned());
            scene.page("Tokens for programs", &page)
        }
        Err(problem) if matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) => {
            let mut page = tokens_page(&scene, &who, identity).await?;
            refuse(&mut page, &wanted, &problem);
            let mut response = scene.page("Tokens for programs", &page)?;
            response.set_status(if problem.code == ProblemCode::Invalid {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::CONFLICT
            });
            Ok(response)
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Puts back what was sent, with why it was refused.
fn refuse(page: &mut TokensPage, wanted: &NewPersonalToken, problem: &Problem) {
    let error = |name: &str| problem.errors.iter().find(|e| e.field == name).map(|e| e.detail.clone());
    page.error = Some(problem.detail.clone());
    page.name.value = wanted.name.chars().take(200).collect();
    page.name.error = error("name");
    page.days.error = error("days");
    page.scopes_error = error("scopes");
    let chosen: Vec<String> = wanted.scopes.iter().map(|scope| format!("scope.{}", scope.name())).collect();
    for scope in &mut page.scopes {
        scope.checked = chosen.contains(&scope.name);
    }
}

#[handler]
async fn end_token(who: SignedIn, Data(identity): Data<&Identity>, Path(id): Path<String>) -> poem::Result<Response> {
    let id: PersonalTokenId = id.parse().map_err(|_| Problem::not_found())?;
    if who.db().end_personal_tokens(who.user, Some(id), identity.now()).await.map_err(Problem::from)? == 0 {
        return Err(Problem::not_found().into());
    }
    who.audit(Act::PersonalTokenRevoked, id.to_string(), Value::Null).await?;
    Ok(see_other(TOKENS))
}
