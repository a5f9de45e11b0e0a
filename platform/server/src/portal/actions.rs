//! What people do on an account's page. Each is a form that leads back to the page.

use super::{
    Scene,
    account::{RowSource, find},
    brand::see_other,
};
use crate::{
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    trading::requests,
};
use marque_domain::{
    decision::{Intent, Outcome},
    id::{AccountId, DeploymentId, PositionId},
};
use marque_engine::{Command, Record};
use poem::{
    Response, handler,
    web::{Path, Query},
};
use serde::Deserialize;

/// Where a form about a strategy leads: to its account, or to its own page.
#[derive(Deserialize)]
pub(super) struct Stay {
    #[serde(default)]
    stay: bool,
}

/// The address of a form on a strategy's own page, which leads back there.
pub(super) fn staying(url: String) -> String {
    format!("{url}?stay=true")
}

impl Stay {
    fn back(&self, deployment: DeploymentId, account: AccountId) -> Response {
        if self.stay { see_other(&format!("/deployments/{deployment}")) } else { back(account, "strategies") }
    }
}

async fn command(scene: &Scene, who: &SignedIn, command: Command) -> Result<Vec<Record>, Problem> {
    let desk = scene.portal.floor().desk(scene.tenant.db().tenant()).await?;
    Ok(desk.command(command, who.asker()).await?)
}

fn back(account: AccountId, part: &str) -> Response {
    see_other(&format!("/accounts/{account}#{part}"))
}

#[handler]
pub(super) async fn stop_all(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let account = find(&who, Operation::StopDeployment, &id).await?;
    let source = RowSource::of(&scene, who.db(), &account).await?;
    for deployment in source.running() {
        command(&scene, &who, Command::Stop(deployment.id)).await?;
    }
    Ok(back(account.terms.id, "strategies"))
}

#[handler]
pub(super) async fn start(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(stay): Query<Stay>,
) -> poem::Result<Response> {
    let whose = who.may(Operation::StartDeployment)?;
    let id: DeploymentId = id.parse().map_err(|_| Problem::not_found())?;
    let started =
        requests::start(scene.portal.floor().asked_by(who.asker()), who.db(), &scene.tenant.definition, whose, id)
            .await?;
    Ok(stay.back(id, started.account))
}

#[handler]
pub(super) async fn stop(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(stay): Query<Stay>,
) -> poem::Result<Response> {
    let whose = who.may(Operation::StopDeployment)?;
    let id: DeploymentId = id.parse().map_err(|_| Problem::not_found())?;
    let found = who.db().deployment(whose, id).await.map_err(Problem::from)?;
    command(&scene, &who, Command::Stop(id)).await?;
    Ok(stay.back(id, found.account))
}

#[handler]
pub(super) async fn close(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::ClosePosition)?;
    let id: PositionId = id.parse().map_err(|_| Problem::not_found())?;
    let position = who.db().position(whose, id).await.map_err(Problem::from)?;
    let intent = Intent::Close { position: id };
    let records = command(&scene, &who, Command::Want { account: position.account, intent }).await?;
    let denial = records.iter().find_map(|r| match r {
        Record::Decided(d) => match &d.outcome {
            Outcome::Denied(denial) => Some(denial.to_string()),
            Outcome::Approved { .. } => None,
        },
        _ => None,
    });
    match denial {
        Some(text) => Err(Problem::new(ProblemCode::Conflict, text).into()),
        None => Ok(back(position.account, "positions")),
    }
}
