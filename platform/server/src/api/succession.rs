//! Which version of a strategy a deployment runs: upgrade, roll-back, and a version beside the live one.

use super::{
    App, Tag,
    caller::Caller,
    deployments::Deployment,
    idempotency::once,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    releases::Channel,
    text::Text,
};
use crate::{identity::Operation, problem::Problem, trading::succession};
use marque_domain::{
    id::DeploymentId,
    plugin::{self, PluginRef},
    succession::{self as domain, ShadowEnd, StateKept, Way},
};
use marque_store::{NumberedDifference, ShadowReport, TenantDb, Whose};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};

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
struct Version {
    /// Its semantic version; absent when the catalogue does not hold it any more.
    version: Option<String>,
    /// The SHA-256 of its component.
    digest: String,
}

impl Version {
    async fn of(db: &TenantDb, release: &PluginRef) -> Result<Self, Problem> {
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
    /// Whether the deployment's settings fit it. One that they do not fit cannot take over.
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
struct Chosen {
    /// One of those that are offered, such as `1.2.0`.
    version: Text,
}

impl Example for Chosen {
    fn example() -> Self {
        Self { version: "1.2.0".into() }
    }
}

/// How a shadow ended.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "ShadowEndKind")]
enum EndKind {
    /// Its owner did not want it any more.
    Dropped,
    /// It took over.
    Promoted,
    /// The live version was changed.
    Overtaken,
    /// The live version was stopped.
    Stopped,
    /// It failed too often.
    Failed,
}

/// A version that runs, or ran, beside the live one.
#[derive(Object)]
#[oai(rename = "Shadow", skip_serializing_if_is_none)]
struct Shadow {
    /// The version.
    version: Version,
    /// Since when, in market time.
    since: String,
    /// Decisions that were compared.
    compared: u64,
    /// Those in which it differed, those included that it failed at.
    differing: u64,
    /// Those that it failed at.
    failed: u64,
    /// When it ended; absent while it runs.
    ended_at: Option<String>,
    /// How.
    ended: Option<EndKind>,
    /// The last fault of one that failed.
    reason: Option<String>,
}

impl Shadow {
    async fn of(db: &TenantDb, report: &ShadowReport) -> Result<Self, Problem> {
        let (ended_at, end) = report.ended.clone().unzip();
        Ok(Self {
            version: Version::of(db, &report.shadow.plugin).await?,
            since: report.shadow.since.to_rfc3339(),
            compared: report.compared,
            differing: report.differing,
            failed: report.failed,
            ended_at: ended_at.map(|at| at.to_rfc3339()),
            reason: end.as_ref().and_then(ShadowEnd::reason).map(str::to_owned),
            ended: end.map(|end| match end {
                ShadowEnd::Dropped => EndKind::Dropped,
                ShadowEnd::Promoted => EndKind::Promoted,
                ShadowEnd::Overtaken => EndKind::Overtaken,
                ShadowEnd::Stopped => EndKind::Stopped,
                ShadowEnd::Failed(_) => EndKind::Failed,
            }),
        })
    }
}

/// What runs beside the live version.
#[derive(Object)]
#[oai(rename = "ShadowOfDeployment", skip_serializing_if_is_none)]
struct ShadowView {
    /// The last one that ran, or runs; absent when there was none.
    shadow: Option<Shadow>,
}

/// What both versions were told when they decided.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "DecisionMoment")]
enum Moment {
    /// A quote.
    Tick,
    /// A bar that closed.
    Bar,
    /// What became of an order.
    OrderUpdate,
    /// A timer that was due.
    Timer,
    /// To the shadow alone, that a wish which only it had was not carried out.
    Refusal,
}

/// A decision in which the shadow differed.
#[derive(Object)]
#[oai(rename = "ShadowDifference")]
struct Difference {
    /// Its number within the shadow's run.
    number: i64,
    /// When, in market time.
    at: String,
    /// At what.
    moment: Moment,
    /// What the live version wanted, in words; empty for nothing.
    live: String,
    /// What the shadow wanted, in words; empty for nothing. Of one that failed, the fault.
    shadow: String,
    /// Whether the shadow failed.
    failed: bool,
}

impl From<NumberedDifference> for Difference {
    fn from(found: NumberedDifference) -> Self {
        let difference = found.difference;
        Self {
            number: found.seq,
            at: difference.at.to_rfc3339(),
            moment: match difference.moment {
                domain::Moment::Tick => Moment::Tick,
                domain::Moment::Bar => Moment::Bar,
                domain::Moment::OrderUpdate => Moment::OrderUpdate,
                domain::Moment::Timer => Moment::Timer,
                domain::Moment::Refusal => Moment::Refusal,
            },
            live: difference.live,
            shadow: difference.shadow,
            failed: difference.failed,
        }
    }
}

fn id_of(text: &str) -> Result<DeploymentId, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

fn shown(deployment: &marque_domain::account::Deployment, app: &App) -> Json<Deployment> {
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
    /// Puts another version of the same plugin in its place, with its settings and its state. When the settings do not fit
    /// or the state is not taken, nothing changes and the old version goes on. One that is stopped is upgraded where it
    /// stands.
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
        let version = &chosen.version.0;
        let done = succession::upgrade(caller.asked(), caller.db(), definition, whose, id, version).await?;
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

    /// Get the shadow of a deployment
    ///
    /// The version that runs beside the live one, or did last, with how often it decided otherwise.
    #[oai(path = "/deployments/:deployment/shadow", method = "get", operation_id = "get_shadow")]
    async fn get_shadow(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
    ) -> Result<Json<ShadowView>, Refused> {
        let whose = caller.who.may(Operation::ReadDeployments)?;
        let report = caller.db().shadow(whose, id_of(&deployment.0)?).await.map_err(Problem::from)?;
        let shadow = match &report {
            Some(report) => Some(Shadow::of(caller.db(), report).await?),
            None => None,
        };
        Ok(Json(ShadowView { shadow }))
    }

    /// The decisions in which a shadow differed
    ///
    /// Newest first; the last 1,000 are kept.
    #[oai(
        path = "/deployments/:deployment/shadow/differences",
        method = "get",
        operation_id = "list_shadow_differences"
    )]
    async fn list_shadow_differences(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Difference>, Refused> {
        let whose = caller.who.may(Operation::ReadDeployments)?;
        let id = id_of(&deployment.0)?;
        caller.db().deployment(whose, id).await.map_err(Problem::from)?;
        let list = List::new(caller.db().tenant(), format!("/deployments/{id}/shadow/differences"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().differences(Whose::Everyone, id, page).await.map_err(Problem::from)?;
        Ok(list.answer(page, found, Difference::from))
    }

    /// Run a version beside the live one
    ///
    /// It begins with the live version's state, sees the same events, and its orders go nowhere. Each decision in which it
    /// differs is reported. It takes the place of an earlier shadow.
    #[oai(path = "/deployments/:deployment/shadow", method = "post", operation_id = "start_shadow", transform = "once")]
    async fn start_shadow(
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
        let version = &chosen.version.0;
        let done = succession::start_shadow(caller.asked(), caller.db(), definition, whose, id, version).await?;
        Ok(shown(&done, &caller.app))
    }

    /// Promote a shadow
    ///
    /// Puts the version that runs beside the live one in its place, with the state that it has come to.
    #[oai(
        path = "/deployments/:deployment/shadow/promote",
        method = "post",
        operation_id = "promote_shadow",
        transform = "once"
    )]
    async fn promote_shadow(
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
        let done = succession::promote(caller.asked(), caller.db(), whose, id_of(&deployment.0)?).await?;
        Ok(shown(&done, &caller.app))
    }

    /// End a shadow
    ///
    /// Its report stays until another one begins.
    #[oai(
        path = "/deployments/:deployment/shadow/drop",
        method = "post",
        operation_id = "drop_shadow",
        transform = "once"
    )]
    async fn drop_shadow(
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
        let done = succession::drop_shadow(caller.asked(), caller.db(), whose, id_of(&deployment.0)?).await?;
        Ok(shown(&done, &caller.app))
    }
}
