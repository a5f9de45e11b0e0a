//! A version of a strategy beside the live one: started, reported, promoted, ended.

use super::{
    Tag,
    caller::Caller,
    deployments::Deployment,
    idempotency::once,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    succession::{Chosen, Version, id_of, shown},
};
use crate::{identity::Operation, problem::Problem, trading::succession};
use marque_domain::succession::{self as domain, ShadowEnd};
use marque_store::{NumberedDifference, ShadowReport, TenantDb, Whose};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

pub(super) struct Shadows;

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

#[OpenApi(tag = "Tag::Deployments")]
impl Shadows {
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
    /// It begins with the live version's state, or anew with other settings, sees the same events, and its orders go nowhere.
    /// Each decision in which it differs is reported. It takes the place of an earlier shadow.
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
        let done =
            succession::start_shadow(caller.asked(), caller.db(), definition, whose, id, chosen.wanted()).await?;
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
