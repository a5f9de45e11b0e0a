//! How a person signs in: their authenticator app, backup codes and passkeys; and the page that asks whether it is
//! really them.

use super::{
    Scene,
    brand::see_other,
    join::refused,
    passkeys,
    view::{BackupCodes, Confirm, ConfirmWith, SecurityApp, SecurityCodes, SecurityPage, SsoWay},
};
use crate::{
    audit::Act,
    edge::Origin,
    identity::{
        Identity, Operation, SignedIn, Visit, WayIn,
        factors::{self, passkey::Purpose, totp},
        gate::{Pages, may},
        own_path,
        step_up::{CONFIRM, Confirmation},
    },
    problem::{Problem, ProblemCode},
    secrets::{Secret, TenantKeys},
};
use marque_domain::time::MINUTE_MS;
use poem::{
    IntoResponse as _, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Query},
};
use serde::Deserialize;
use serde_json::json;

/// A secret that was shown longer ago than this is not shown again: a new one is made.
const ENROLMENT_LASTS_MS: i64 = 15 * MINUTE_MS;

const CONFIRM_TITLE: &str = "Confirm that it is you";

/// The pages of `/security` that are about proofs, and `/confirm`.
pub(super) fn pages(pages: Pages) -> Pages {
    let mine = || may(Operation::ManageSecurity);
    pages
        .at("/security", mine().get(overview))
        .at("/security/app", mine().get(show_app).post(confirm_app))
        .at("/security/app/qr.svg", mine().get(picture))
        .at("/security/app/remove", mine().post(remove_app))
        .at("/security/codes", mine().get(show_codes).post(new_codes))
        .at(CONFIRM, mine().get(show_confirm).post(confirm))
}

#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    code: String,
}

#[handler]
async fn overview(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    let factors = who.db().second_factors(who.user).await.map_err(Problem::from)?;
    let since = factors.authenticator.map(|at| scene.clock().show(at));
    scene.page("Security", &SecurityPage::new(since, factors.passkeys, factors.backup_codes, factors.are_on()))
}

#[handler]
async fn show_app(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    let page = app_page(&scene, &who, identity, None).await?;
    scene.page("Authenticator app", &page)
}

/// The app that is on, or the one that waits for its first code; a new one when none waits.
async fn app_page(
    scene: &Scene,
    who: &SignedIn,
    identity: &Identity,
    error: Option<String>,
) -> Result<SecurityApp, Problem> {
    let (db, now) = (who.db(), identity.now());
    who.recently_proved(now)?;
    if let Some(since) = db.second_factors(who.user).await?.authenticator {
        return Ok(SecurityApp::on(scene.clock().show(since)));
    }
    let keys = identity.vault().of(db).await?;
    let young = |waiting: &totp::Enrolment| now.since(waiting.created_at) < ENROLMENT_LASTS_MS;
    let waiting = match totp::waiting(db, &keys, who.user).await?.filter(young) {
        Some(waiting) => waiting,
        None => {
            totp::begin(db, &keys, who.user, now).await?;
            totp::waiting(db, &keys, who.user).await?.ok_or_else(Problem::not_found)?
        }
    };
    // The number makes the browser fetch the picture of this secret and not one that it kept.
    let source = format!("/security/app/qr.svg?v={}", waiting.created_at.0);
    Ok(SecurityApp::waiting(source, waiting.key(), error))
}

#[handler]
async fn picture(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    let keys = keys(&who, identity).await?;
    let waiting = totp::waiting(who.db(), &keys, who.user).await.map_err(Problem::from)?;
    let waiting = waiting.ok_or_else(Problem::not_found)?;
    let svg = waiting.picture(&scene.tenant.definition.name, &who.email).map_err(Problem::from)?;
    Ok(svg.with_content_type("image/svg+xml").with_header(header::CACHE_CONTROL, "no-store").into_response())
}

#[handler]
async fn confirm_app(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let now = identity.now();
    who.recently_proved(now)?;
    let keys = keys(&who, identity).await?;
    let codes = factors::confirm_app(who.db(), &keys, who.user, &form.code, now).await.map_err(Problem::from)?;
    let Some(codes) = codes else {
        let error = "That code is not right. Check that the phone's clock is, and enter the code it shows now.";
        let page = app_page(&scene, &who, identity, Some(error.to_owned())).await?;
        let mut response = scene.page("Authenticator app", &page)?;
        response.set_status(StatusCode::UNPROCESSABLE_ENTITY);
        return Ok(response);
    };
    who.audit(Act::SecondFactorAdded, who.user.to_string(), json!({ "kind": "app" })).await?;
    identity.tell_way_in(&visit, who.user, WayIn::App).await;
    if codes.is_empty() { Ok(see_other("/security")) } else { scene.page("Backup codes", &BackupCodes::new(codes)) }
}

#[handler]
async fn remove_app(who: SignedIn, visit: Visit, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    if who.db().delete_authenticator(who.user).await.map_err(Problem::from)? {
        who.audit(Act::SecondFactorRemoved, who.user.to_string(), json!({ "kind": "app" })).await?;
        identity.tell_way_in(&visit, who.user, WayIn::AppRemoved).await;
    }
    Ok(see_other("/security"))
}

#[handler]
async fn show_codes(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.recently_proved(identity.now())?;
    let factors = who.db().second_factors(who.user).await.map_err(Problem::from)?;
    scene.page("Backup codes", &SecurityCodes::new(factors.backup_codes, factors.are_on()))
}

#[handler]
async fn new_codes(
    scene: Scene,
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
) -> poem::Result<Response> {
    let now = identity.now();
    who.recently_proved(now)?;
    if !who.db().second_factors(who.user).await.map_err(Problem::from)?.are_on() {
        return Ok(see_other("/security"));
    }
    let keys = keys(&who, identity).await?;
    let codes = factors::new_backup_codes(who.db(), &keys, who.user, now).await.map_err(Problem::from)?;
    who.audit(Act::BackupCodesMade, who.user.to_string(), json!({})).await?;
    identity.tell_way_in(&visit, who.user, WayIn::Codes).await;
    scene.page("Backup codes", &BackupCodes::new(codes))
}

async fn keys(who: &SignedIn, identity: &Identity) -> Result<TenantKeys, Problem> {
    Ok(identity.vault().of(who.db()).await?)
}

#[derive(Deserialize)]
struct Where {
    #[serde(default)]
    next: String,
}

#[handler]
async fn show_confirm(
    scene: Scene,
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Query(query): Query<Where>,
) -> poem::Result<Response> {
    let page = confirm_page(&who, identity, own_path(&query.next), None).await?;
    scene.page(CONFIRM_TITLE, &page)
}

/// What this person can prove themselves with, and why their last proof was refused.
async fn confirm_page(
    who: &SignedIn,
    identity: &Identity,
    next: &str,
    problem: Option<&Problem>,
) -> Result<Confirm, Problem> {
    let factors = who.db().second_factors(who.user).await?;
    let user = who.db().user(who.user).await?;
    let with = if factors.are_on() {
        ConfirmWith::SecondFactor { passkeys: factors.passkeys > 0 }
    } else if user.password_hash.expose().is_empty() {
        // Who comes by single sign-on has none.
        ConfirmWith::Nothing
    } else {
        ConfirmWith::Password
    };
    // Another site is one factor, as a password is.
    let ways = if factors.are_on() { Vec::new() } else { identity.sso().ways_to_prove(who.db(), who.user).await? };
    let ways = ways.iter().map(|way| SsoWay::new(&way.name, &format!("/sso/{}/begin", way.slug)));
    Ok(Confirm::new(next, with, ways.collect(), problem))
}

#[derive(Deserialize)]
struct Proof {
    password: Option<Secret>,
    #[serde(default)]
    code: String,
    /// The question that a passkey answered.
    #[serde(default)]
    state: String,
    /// Its answer.
    #[serde(default)]
    credential: String,
    #[serde(default)]
    next: String,
}

#[handler]
async fn confirm(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Form(form): Form<Proof>,
) -> poem::Result<Response> {
    let next = own_path(&form.next);
    let (by, proof) = match form.password {
        Some(password) => ("password", Confirmation::Password(password)),
        None if form.credential.is_empty() => ("code", Confirmation::Code(&form.code)),
        None => {
            let (purpose, answer) = (Purpose::Prove(who.user.0), (form.state.as_str(), form.credential.as_str()));
            let whose = passkeys::answered(&scene, identity, &origin, purpose, answer).await?;
            ("passkey", Confirmation::Passkey(whose))
        }
    };
    let problem = match identity.confirm(&who, proof).await {
        Ok(true) => {
            who.audit(Act::StepUp, who.user.to_string(), json!({ "by": by })).await?;
            return Ok(see_other(next));
        }
        Ok(false) => Problem::new(ProblemCode::WrongCredentials, format!("That {by} is not right. Try again.")),
        Err(problem) => problem,
    };
    // What a limit refuses is not written down.
    if problem.code == ProblemCode::WrongCredentials {
        who.audit(Act::StepUpFailed, who.user.to_string(), json!({ "by": by })).await?;
    }
    let page = confirm_page(&who, identity, next, Some(&problem)).await?;
    refused(&scene, CONFIRM_TITLE, problem, &page)
}
