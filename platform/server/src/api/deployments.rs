//! Strategies that run on accounts.

use super::{
    App, Tag,
    accounts::BoundPlugin,
    caller::{Caller, invalid},
    idempotency::once,
    market::Timeframe,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    releases::Channel,
    text::Text,
};
use crate::{
    identity::Operation,
    problem::Problem,
    trading::requests::{self, NewDeployment},
};
use marque_domain::{
    account,
    id::{AccountId, DeploymentId},
};
use marque_engine::Command;
use marque_store::{LoggedLine, Whose};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};

pub(super) struct Deployments;

/// Whether a deployed strategy runs.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum DeploymentStatus {
    /// It sees the market and may trade.
    Running,
    /// Its owner stopped it.
    Stopped,
    /// It failed too often.
    Quarantined,
    /// Its owner's plan has nothing left for it today.
    Paused,
}

/// A strategy on an account, on one instrument and timeframe.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Deployment {
    /// Its id: `dep_…`.
    id: String,
    /// The account it trades for.
    account: String,
    /// The strategy and its settings.
    strategy: BoundPlugin,
    /// What it watches and trades, such as `EURUSD`.
    instrument: String,
    /// The bars it sees.
    timeframe: Timeframe,
    /// Whether it runs.
    status: DeploymentStatus,
    /// Why it was quarantined or paused.
    status_reason: Option<String>,
    /// When it was created.
    created_at: String,
}

impl Deployment {
    pub fn of(found: &account::Deployment, app: &App) -> Self {
        Self {
            id: found.id.to_string(),
            account: found.account.to_string(),
            strategy: BoundPlugin::from(&found.plugin),
            instrument: app.symbol(found.instrument),
            timeframe: found.timeframe.into(),
            status: match found.status {
                account::DeploymentStatus::Running => DeploymentStatus::Running,
                account::DeploymentStatus::Stopped => DeploymentStatus::Stopped,
                account::DeploymentStatus::Quarantined(_) => DeploymentStatus::Quarantined,
                account::DeploymentStatus::Paused(_) => DeploymentStatus::Paused,
            },
            status_reason: found.status.reason().map(str::to_owned),
            created_at: found.created_at.to_rfc3339(),
        }
    }
}

/// A strategy to be deployed. It starts at once.
#[derive(Object)]
#[oai(rename = "NewDeployment", deny_unknown_fields, example)]
struct Wanted {
    /// On which account.
    account: Text,
    /// The strategy's name in the catalogue, such as `ema-cross`.
    strategy: Text,
    /// `beta` takes the newest version of all; left out, the newest stable one.
    #[oai(skip_serializing_if_is_none)]
    channel: Option<Channel>,
    /// What it watches and trades, such as `EURUSD`.
    instrument: Text,
    /// The bars it sees.
    timeframe: Timeframe,
    /// Its settings: a JSON object that its `settings_schema` accepts.
    settings: Any<Value>,
}

impl Example for Wanted {
    fn example() -> Self {
        Self {
            account: "acc_0r3v4k8m2n6p1".into(),
            strategy: "ema-cross".into(),
            channel: None,
            instrument: "EURUSD".into(),
            timeframe: Timeframe::M1,
            settings: Any(json!({ "fast": 12, "slow": 26, "lots": 0.1 })),
        }
    }
}

/// A line that a strategy logged.
#[derive(Object)]
#[oai(rename = "LogLine")]
struct Line {
    /// Its number within the deployment.
    number: i64,
    /// When, in market time.
    at: String,
    /// What it said.
    text: String,
}

impl From<LoggedLine> for Line {
    fn from(line: LoggedLine) -> Self {
        Self { number: line.seq, at: line.at.to_rfc3339(), text: line.text }
    }
}

impl Caller {
    async fn deployment(&self, whose: Whose, id: &str) -> Result<account::Deployment, Problem> {
        let id: DeploymentId = id.parse().map_err(|_| Problem::not_found())?;
        Ok(self.db().deployment(whose, id).await?)
    }
}

#[OpenApi(tag = "Tag::Deployments")]
impl Deployments {
    /// List deployments
    ///
    /// A trader's own, or those of one account; an owner sees all of the brand's.
    #[oai(path = "/deployments", method = "get", operation_id = "list_deployments")]
    async fn list_deployments(
        &self,
        caller: Caller,
        /// Only those of this account.
        account: Query<Option<String>>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Deployment>, Refused> {
        let mut whose = caller.who.may(Operation::ReadDeployments)?;
        let mut here = "/deployments".to_owned();
        if let Some(account) = account.0 {
            let id = caller.account(whose, &account).await?.terms.id;
            whose = Whose::Account(id);
            here = format!("/deployments?account={id}");
        }
        let list = List::new(caller.db().tenant(), here);
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().deployments(whose, page).await?;
        Ok(list.answer(page, found, |deployment| Deployment::of(&deployment, &caller.app)))
    }

    /// Get a deployment
    #[oai(path = "/deployments/:deployment", method = "get", operation_id = "get_deployment")]
    async fn get_deployment(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
    ) -> Result<Json<Deployment>, Refused> {
        let whose = caller.who.may(Operation::ReadDeployments)?;
        Ok(Json(Deployment::of(&caller.deployment(whose, &deployment.0).await?, &caller.app)))
    }

    /// Deploy a strategy
    ///
    /// Puts a strategy on an account and starts it, within the limits of the plan.
    #[oai(path = "/deployments", method = "post", operation_id = "create_deployment", transform = "once")]
    async fn create_deployment(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<Wanted>,
    ) -> Result<Json<Deployment>, Refused> {
        let whose = caller.who.may(Operation::CreateDeployment)?;
        let wanted = wanted.0;
        let account: AccountId = wanted.account.0.parse().map_err(|_| Problem::not_found())?;
        if !wanted.settings.0.is_object() {
            return Err(invalid("/settings", "must be a JSON object").into());
        }
        let new = NewDeployment {
            account,
            strategy: wanted.strategy.0,
            channel: wanted.channel.map(Into::into).unwrap_or_default(),
            symbol: wanted.instrument.0,
            timeframe: wanted.timeframe.into(),
            settings: wanted.settings.0,
        };
        let (definition, clock) = (&caller.tenant().definition, &caller.app.0.clock);
        let deployed = requests::deploy(caller.asked(), caller.db(), definition, whose, new, clock).await?;
        Ok(Json(Deployment::of(&deployed, &caller.app)))
    }

    /// Start a deployment
    ///
    /// Lets a stopped or quarantined strategy run again, within the limits of the plan. One that runs is left as it is.
    #[oai(
        path = "/deployments/:deployment/start",
        method = "post",
        operation_id = "start_deployment",
        transform = "once"
    )]
    async fn start_deployment(
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
        let whose = caller.who.may(Operation::StartDeployment)?;
        let id = caller.deployment(whose, &deployment.0).await?.id;
        let definition = &caller.tenant().definition;
        let started = requests::start(caller.asked(), caller.db(), definition, whose, id).await?;
        Ok(Json(Deployment::of(&started, &caller.app)))
    }

    /// Stop a deployment
    ///
    /// Its positions stay open, with their stop-loss and take-profit.
    #[oai(
        path = "/deployments/:deployment/stop",
        method = "post",
        operation_id = "stop_deployment",
        transform = "once"
    )]
    async fn stop_deployment(
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
        let whose = caller.who.may(Operation::StopDeployment)?;
        let id = caller.deployment(whose, &deployment.0).await?.id;
        caller.command(Command::Stop(id)).await?;
        Ok(Json(Deployment::of(&caller.db().deployment(whose, id).await?, &caller.app)))
    }

    /// The log of a deployment
    ///
    /// What the strategy logged, newest first.
    #[oai(path = "/deployments/:deployment/log", method = "get", operation_id = "list_deployment_log")]
    async fn list_deployment_log(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Lines of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Line>, Refused> {
        let whose = caller.who.may(Operation::ReadDeployments)?;
        let id = caller.deployment(whose, &deployment.0).await?.id;
        let list = List::new(caller.db().tenant(), format!("/deployments/{id}/log"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        Ok(list.answer(page, caller.db().logs(whose, id, page).await?, Line::from))
    }
}
