//! What people may ask about the releases of a deployment: run another one, go back, try one beside the live one.
//!
//! Only versions that the brand offers are chosen here; whether one takes over, the shard decides.

use super::{
    Asked, CommandError,
    requests::{check_settings, plan_of},
};
use crate::{
    plugins::Described,
    problem::{Problem, ProblemCode},
    tenants::Definition,
};
use marque_domain::{
    account::Deployment,
    id::DeploymentId,
    plugin::{PluginKind, PluginRef},
    succession::{Switch, Way},
};
use marque_engine::Command;
use marque_store::{Plugin, TenantDb, Whose};
use serde_json::Value;

/// Versions that are offered at once.
pub const VERSIONS_MAX: usize = 50;

/// A version that a deployment could run.
#[derive(Debug, Clone)]
pub struct Version {
    /// The catalogue's entry.
    pub plugin: Plugin,
    /// Whether the deployment's settings fit it.
    pub fits: bool,
}

/// A version with what is to be set of it.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// The version.
    pub version: &'a str,
    /// Its settings, a JSON object; none for those that the deployment has.
    pub settings: Option<&'a Value>,
}

/// The release that a deployment ran before, if a roll-back leads to it: as it is known from what followed what.
#[must_use]
pub fn former(newest_first: &[Switch]) -> Option<&PluginRef> {
    newest_first.first().filter(|last| last.way != Way::RollBack).map(|last| &last.from)
}

/// The other versions of a deployment's plugin that the brand offers, the highest first.
///
/// # Errors
/// What the store answers.
pub async fn versions(
    db: &TenantDb,
    definition: &Definition,
    deployment: &Deployment,
) -> Result<Vec<Version>, Problem> {
    let settings = settings_of(deployment);
    let mut versions = Vec::new();
    for plugin in db.plugin_versions(&deployment.plugin.name).await? {
        let other = plugin.plugin.digest != deployment.plugin.digest;
        if other && plugin.plugin.kind == PluginKind::Strategy && plugin.is_offered(&definition.plugins) {
            let fits = Described::read(&plugin)?.faults(&settings)?.is_empty();
            versions.push(Version { plugin, fits });
        }
    }
    versions.truncate(VERSIONS_MAX);
    Ok(versions)
}

/// Puts another version in the place of the one that runs. With the deployment's settings it has its state too; with others it
/// begins anew.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's; [`ProblemCode::Invalid`] when there is no such version or the settings do not
/// fit it, and which; [`ProblemCode::Conflict`] when it did not take over, and why. The old one goes on running then.
pub async fn upgrade(
    asked: Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    whose: Whose,
    id: DeploymentId,
    wanted: Chosen<'_>,
) -> Result<Deployment, Problem> {
    let deployment = db.deployment(whose, id).await?;
    let to = chosen(&asked, db, definition, &deployment, wanted).await?;
    send(&asked, db, Command::Upgrade { deployment: id, to }).await?;
    Ok(db.deployment(Whose::Everyone, id).await?)
}

/// Runs another version beside the live one.
///
/// # Errors
/// As [`upgrade`].
pub async fn start_shadow(
    asked: Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    whose: Whose,
    id: DeploymentId,
    wanted: Chosen<'_>,
) -> Result<Deployment, Problem> {
    let deployment = db.deployment(whose, id).await?;
    let plugin = chosen(&asked, db, definition, &deployment, wanted).await?;
    send(&asked, db, Command::Shadow { deployment: id, plugin }).await?;
    Ok(deployment)
}

/// Puts the version before back. A quarantined strategy starts again with it, within its owner's plan.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's; [`ProblemCode::Conflict`] when there is none, or it was withdrawn.
pub async fn roll_back(
    asked: Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    whose: Whose,
    id: DeploymentId,
) -> Result<Deployment, Problem> {
    let deployment = db.deployment(whose, id).await?;
    let owner = db.account(Whose::Everyone, deployment.account).await?.terms.user;
    if let Some(former) = former(&db.switches(Whose::Everyone, id).await?) {
        still_offered(db, former).await?;
        asked.floor.warmer.plugin(former.digest).await?;
    }
    let plan = plan_of(db, definition, owner).await?;
    send(&asked, db, Command::RollBack(id, plan.quotas)).await?;
    Ok(db.deployment(Whose::Everyone, id).await?)
}

/// Puts the shadow in the place of the live version.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's; [`ProblemCode::Conflict`] when none runs.
pub async fn promote(asked: Asked<'_>, db: &TenantDb, whose: Whose, id: DeploymentId) -> Result<Deployment, Problem> {
    db.deployment(whose, id).await?;
    if let Some(report) = db.shadow(Whose::Everyone, id).await?.filter(|report| report.ended.is_none()) {
        still_offered(db, &report.shadow.plugin).await?;
    }
    send(&asked, db, Command::Promote(id)).await?;
    Ok(db.deployment(Whose::Everyone, id).await?)
}

/// Ends the shadow.
///
/// # Errors
/// As [`promote`].
pub async fn drop_shadow(
    asked: Asked<'_>,
    db: &TenantDb,
    whose: Whose,
    id: DeploymentId,
) -> Result<Deployment, Problem> {
    let deployment = db.deployment(whose, id).await?;
    send(&asked, db, Command::DropShadow(id)).await?;
    Ok(deployment)
}

/// The offered version of this name, with settings that fit it.
async fn chosen(
    asked: &Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    deployment: &Deployment,
    Chosen { version, settings }: Chosen<'_>,
) -> Result<PluginRef, Problem> {
    let offered = versions(db, definition, deployment).await?;
    let found = offered.into_iter().find(|offered| offered.plugin.plugin.version == version);
    let Version { plugin, fits } = found.ok_or_else(|| not_offered(deployment, version))?;
    let (name, present) = (&deployment.plugin.name, settings_of(deployment));
    let wanted = settings.unwrap_or(&present);
    check_settings(&plugin, wanted).map_err(|mut problem| {
        problem.detail = match settings {
            None => format!(
                "The settings of this deployment do not fit {name} {version}; it goes on as it is. Choose {version} with settings that fit."
            ),
            Some(_) => format!("These settings do not fit {name} {version}; the deployment goes on as it is."),
        };
        problem
    })?;
    // Settings that say the same stay the very text that they are: the state is carried over with them.
    let unchanged = fits && Described::read(&plugin)?.same(&present, wanted);
    let settings = if unchanged { deployment.plugin.settings.clone() } else { wanted.to_string() };
    asked.floor.warmer.plugin(plugin.plugin.digest).await?;
    Ok(PluginRef { digest: plugin.plugin.digest, name: name.clone(), settings })
}

fn not_offered(deployment: &Deployment, version: &str) -> Problem {
    let name = &deployment.plugin.name;
    let what = format!("There is no other version {version} of {name} here. Choose one of those that are offered.");
    Problem::new(ProblemCode::Invalid, what).field("version", "not offered here")
}

/// The settings that a deployment has.
#[must_use]
pub fn settings_of(deployment: &Deployment) -> Value {
    serde_json::from_str(&deployment.plugin.settings).unwrap_or_default()
}

/// Nothing starts with what was withdrawn.
async fn still_offered(db: &TenantDb, release: &PluginRef) -> Result<(), Problem> {
    let known = db.plugin_by_digest(release.digest).await?;
    match known {
        Some(plugin) if !plugin.enabled => {
            let (name, version) = (&plugin.plugin.name, &plugin.plugin.version);
            let text = format!("{name} {version} was withdrawn, and nothing starts with it any more.");
            Err(Problem::new(ProblemCode::Conflict, text))
        }
        _ => Ok(()),
    }
}

async fn send(asked: &Asked<'_>, db: &TenantDb, command: Command) -> Result<(), Problem> {
    let desk = asked.floor.desk(db.tenant()).await?;
    let sent: Result<_, CommandError> = desk.command(command, asked.asker.clone()).await;
    sent.map(drop).map_err(Problem::from)
}
