//! What strategies use up: instructions, time, memory.

use super::{Tag, caller::Caller, page_query::Limit, refused::Refused};
use crate::{
    identity::{Operation, Reach},
    problem::Problem,
    trading::meter::{self, Span},
};
use marque_domain::usage;
use marque_store::{DeploymentUsage, PlanUsage, Whose};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};

pub(super) struct UsageReports;

/// What was used up.
#[derive(Object)]
#[oai(rename = "Usage")]
struct Used {
    /// Calls of strategies.
    calls: u64,
    /// Fuel: about one for each instruction.
    fuel: u64,
    /// Time spent in the calls, in microseconds.
    time_us: u64,
    /// The most memory that one strategy had, in bytes.
    memory_bytes_peak: u64,
}

impl From<usage::Usage> for Used {
    fn from(used: usage::Usage) -> Self {
        Self {
            calls: used.calls,
            fuel: used.fuel,
            time_us: used.time_ns / 1_000,
            memory_bytes_peak: used.memory_bytes_peak,
        }
    }
}

/// What was used up on a day.
#[derive(Object)]
#[oai(rename = "UsageOfDay")]
struct Day {
    /// When the day began, in UTC.
    day: String,
    /// What was used.
    usage: Used,
}

/// What a deployment used up.
#[derive(Object)]
#[oai(rename = "UsageOfDeployment")]
struct OfDeployment {
    /// The deployment.
    deployment: String,
    /// Its account.
    account: String,
    /// Whose that is.
    user: String,
    /// What was used.
    usage: Used,
}

impl From<DeploymentUsage> for OfDeployment {
    fn from(row: DeploymentUsage) -> Self {
        Self {
            deployment: row.deployment.to_string(),
            account: row.account.to_string(),
            user: row.user.to_string(),
            usage: row.usage.into(),
        }
    }
}

/// What the people on a plan used up together.
#[derive(Object)]
#[oai(rename = "UsageOfPlan", skip_serializing_if_is_none)]
struct OfPlan {
    /// The plan's code; absent for people who were put on none.
    plan: Option<String>,
    /// How many people used something.
    people: u64,
    /// What was used.
    usage: Used,
}

impl From<PlanUsage> for OfPlan {
    fn from(row: PlanUsage) -> Self {
        Self { plan: row.plan, people: row.people, usage: row.usage.into() }
    }
}

/// What strategies used up over some days.
#[derive(Object)]
#[oai(rename = "UsageReport", skip_serializing_if_is_none)]
struct Report {
    /// When the first day began, in UTC.
    from: String,
    /// All of it together.
    total: Used,
    /// Fuel that the caller's plan allows in a day; absent without a limit, and for who sees more than their own.
    fuel_per_day: Option<u64>,
    /// By days, the newest first.
    days: Vec<Day>,
    /// By deployments, those first that used most; at most 500.
    deployments: Vec<OfDeployment>,
    /// By the plans that people are on now; only for who sees all of the brand's.
    plans: Option<Vec<OfPlan>>,
}

/// What a deployment used up over some days.
#[derive(Object)]
#[oai(rename = "DeploymentUsageReport")]
struct DeploymentReport {
    /// When the first day began, in UTC.
    from: String,
    /// All of it together.
    total: Used,
    /// By days, the newest first.
    days: Vec<Day>,
}

fn days(found: Vec<(marque_domain::time::Millis, usage::Usage)>) -> Vec<Day> {
    found.into_iter().map(|(day, used)| Day { day: day.to_rfc3339(), usage: used.into() }).collect()
}

#[OpenApi(tag = "Tag::Deployments")]
impl UsageReports {
    /// What strategies use up
    ///
    /// Of a trader's own deployments; an owner sees all of the brand's, by plan. Hours are those of the server's clock and
    /// kept for 62 days.
    #[oai(path = "/usage", method = "get", operation_id = "get_usage")]
    async fn get_usage(
        &self,
        caller: Caller,
        /// How many days, today included; 7 when left out.
        days: Query<Option<Limit<62>>>,
    ) -> Result<Json<Report>, Refused> {
        let whose = caller.who.may(Operation::ReadUsage)?;
        let span = Span::of_days(caller.app.0.clock.now(), days.0.map_or(meter::DAYS_SHOWN, |days| days.0));
        let found = meter::report(caller.db(), whose, span).await?;
        let everybodys = Operation::ReadUsage.reach(caller.who.role) == Reach::Tenant;
        let plans = if everybodys {
            let plans = caller.db().usage_by_plan(span.from, span.until).await.map_err(Problem::from)?;
            Some(plans.into_iter().map(OfPlan::from).collect())
        } else {
            None
        };
        let fuel_per_day = match whose {
            Whose::User(user) => meter::limit_of(caller.db(), &caller.tenant().definition, user).await?,
            _ => None,
        };
        Ok(Json(Report {
            from: span.from.to_rfc3339(),
            total: found.total.into(),
            fuel_per_day,
            days: self::days(found.days),
            deployments: found.deployments.into_iter().map(OfDeployment::from).collect(),
            plans,
        }))
    }

    /// What a deployment uses up
    #[oai(path = "/deployments/:deployment/usage", method = "get", operation_id = "get_deployment_usage")]
    async fn get_deployment_usage(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
        /// How many days, today included; 7 when left out.
        days: Query<Option<Limit<62>>>,
    ) -> Result<Json<DeploymentReport>, Refused> {
        let whose = caller.who.may(Operation::ReadDeployments)?;
        let id = deployment.0.parse().map_err(|_| Problem::not_found())?;
        let found = caller.db().deployment(whose, id).await.map_err(Problem::from)?;
        let span = Span::of_days(caller.app.0.clock.now(), days.0.map_or(meter::DAYS_SHOWN, |days| days.0));
        let by_day = caller.db().usage_of_deployment(found.id, span.from, span.until).await.map_err(Problem::from)?;
        Ok(Json(DeploymentReport {
            from: span.from.to_rfc3339(),
            total: meter::total(by_day.iter().map(|(_, used)| *used)).into(),
            days: self::days(by_day),
        }))
    }
}
