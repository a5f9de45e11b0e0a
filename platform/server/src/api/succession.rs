//! Which version of a strategy a deployment runs: what else it could run, upgrade, roll-back.

use super::{
    App, Tag, caller::Caller, deployments::Deployment, idempotency::once, refused::Refused, releases::Channel,
    text::Text,
};
use crate::{identity::Operation, problem::Problem, trading::succession};
use marque_domain::{
    id::DeploymentId,
    plugin::{self, PluginRef},
    succession::{StateKept, Way},
};
use marque_store::TenantDb;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path},
    payload::Json,
    types::{Any, Example},
};
use serde_json::Value;

pub(super) struct Succession;

/// Why a deployment runs another version than before.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "VersionChangeKind")]
enum ChangeKind {
    /// Its owner chose another version.
    Upgrade,
    /// Its owner went back to the version before.
    Rollback,
    /// The version that ran beside it took over.
    Promotion,
}

/// With which state a version began.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "StateKept")]
enum Kept {
    /// With that of the version before.
    Carried,
    /// With its own, from running beside the version before.
    Own,
    /// With none: from the bars before, the open positions and the working orders.
    Fresh,
}

/// A version of a deployment's plugin.
#[derive(Object)]
#[oai(rename = "DeploymentVersion", skip_serializing_if_is_none)]
pub(super) struct Version {
    /// Its semantic version; absent when the catalogue does not hold it any more.
    version: Option<String>,
    /// The SHA-256 of its component.
    digest: String,
}

impl Version {
    pub async fn of(db: &TenantDb, release: &PluginRef) -> Result<Self, Problem> {
        let known = db.plugin_by_digest(release.digest).await?;
        Ok(Self { version: known.map(|plugin| plugin.plugin.version), digest: release.digest.to_string() })
    }
}

/// A version that the deployment could run.
#[derive(Object)]
#[oai(rename = "OfferedVersion")]
struct Offered {
    /// Its semantic version.
    version: String,
    /// The SHA-256 of its component.
    digest: String,
    /// Through which channel it is offered.
    channel: Channel,
    /// Whether the deployment's settings fit it. One that they do not fit needs others to take over.
    settings_fit: bool,
}

/// A change of version.
#[derive(Object)]
#[oai(rename = "VersionChange")]
struct Change {
    /// When, in market time.
    at: String,
    /// Why.
    kind: ChangeKind,
    /// What ran before.
    from: Version,
    /// What runs since.
    to: Version,
    /// With which state it began.
    state: Kept,
}

/// The versions of a deployment.
#[derive(Object)]
#[oai(rename = "DeploymentVersions", skip_serializing_if_is_none)]
struct Versions {
    /// What it runs, or would run once started.
    current: Version,
    /// Where a roll-back leads; absent when there is nothing to go back to.
    previous: Option<Version>,
    /// What else the brand offers, the highest version first; at most 50.
    offered: Vec<Offered>,
    /// What followed what, the newest first; at most 100.
    changes: Vec<Change>,
}

/// The version to choose.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "ChosenVersion")]
pub(super) struct Chosen {
    /// One of those that are offered, such as `1.2.0`.
    pub version: Text,
    /// Its settings: a JSON object that its `settings_schema` accepts. Left out, those that the deployment has. With others it
    /// begins without the state.
    #[oai(skip_serializing_if_is_none)]
    pub settings: Option<Any<Value>>,
}

impl Chosen {
    pub fn wanted(&self) -> succession::Chosen<'_> {
        succession::Chosen { version: &self.version.0, settings: self.settings.as_ref().map(|any| &any.0) }
    }
}

impl Example for Chosen {
    fn example() -> Self {
        Self { version: "1.2.0".into(), settings: None }
    }
}

pub(super) fn id_of(text: &str) -> Result<DeploymentId, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

pub(super) fn shown(deployment: &marque_domain::account::Deployment, app: &App) -> Json<Deployment> {
    Json(Deployment::of(deployment, app))
}

#[OpenApi(tag = "Tag::Deployments")]
impl Succession {
    /// The versions of a deployment
    ///
    /// What it runs, what it ran, and what else it could run.
    #[oai(path = "/deployments/:deployment/versions", method = "get", operation_id = "list_deployment_versions")]
    async fn list_deployment_versions(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
    ) -> Result<Json<Versions>, Refused> {
        let whose = caller.who.may(Operation::ReadDeployments)?;
        let db = caller.db();
        let found = db.deployment(whose, id_of(&deployment.0)?).await.map_err(Problem::from)?;
        let switches = db.switches(whose, found.id).await.map_err(Problem::from)?;
        let previous = match succession::former(&switches) {
            Some(former) => Some(Version::of(db, former).await?),
            None => None,
        };
        let offered = succession::versions(db, &caller.tenant().definition, &found).await?;
        let offered = offered.into_iter().map(|offered| Offered {
            version: offered.plugin.plugin.version,
            digest: offered.plugin.plugin.digest.to_string(),
            channel: match offered.plugin.channel {
                plugin::Channel::Stable => Channel::Stable,
                plugin::Channel::Beta => Channel::Beta,
            },
            settings_fit: offered.fits,
        });
        let mut changes = Vec::with_capacity(switches.len());
        for switch in &switches {
            changes.push(Change {
                at: switch.at.to_rfc3339(),
                kind: match switch.way {
                    Way::Upgrade => ChangeKind::Upgrade,
                    Way::RollBack => ChangeKind::Rollback,
                    Way::Promotion => ChangeKind::Promotion,
                },
                from: Version::of(db, &switch.from).await?,
                to: Version::of(db, &switch.to).await?,
                state: match switch.state {
                    StateKept::Carried => Kept::Carried,
                    StateKept::Own => Kept::Own,
                    StateKept::Fresh => Kept::Fresh,
                },
            });
        }
        let current = Version::of(db, &found.plugin).await?;
        Ok(Json(Versions { current, previous, offered: offered.collect(), changes }))
    }

    /// Upgrade a deployment
    ///
    /// Puts another version of the same plugin in its place, with its settings and its state. With other settings it begins
    /// anew, from the bars before and what is open. When the settings do not fit or the state is not taken, nothing changes
    /// and the old version goes on. One that is stopped is upgraded where it stands.
    #[oai(
        path = "/deployments/:deployment/upgrade",
        method = "post",
        operation_id = "upgrade_deployment",
        transform = "once"
    )]
    async fn upgrade_deployment(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        chosen: Json<Chosen>,
    ) -> Result<Json<Deployment>, Refused> {
        let whose = caller.who.may(Operation::ChangeVersion)?;
        let (id, definition) = (id_of(&deployment.0)?, &caller.tenant().definition);
        let done = succession::upgrade(caller.asked(), caller.db(), definition, whose, id, chosen.wanted()).await?;
        Ok(shown(&done, &caller.app))
    }

    /// Roll a deployment back
    ///
    /// Puts the version before back. It takes over the state if it reads it, and else begins anew. A quarantined strategy
    /// starts again with it, within the limits of the plan.
    #[oai(
        path = "/deployments/:deployment/rollback",
        method = "post",
        operation_id = "roll_deployment_back",
        transform = "once"
    )]
    async fn roll_deployment_back(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<Deployment>, Refused> {
        let whose = caller.who.may(Operation::ChangeVersion)?;
        let (id, definition) = (id_of(&deployment.0)?, &caller.tenant().definition);
        let done = succession::roll_back(caller.asked(), caller.db(), definition, whose, id).await?;
        Ok(shown(&done, &caller.app))
    }
}
