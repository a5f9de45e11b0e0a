//! What deployments use up: collected from the shard, kept by hours, and held against plans.
//!
//! Nothing that a shard decides depends on it. A pause follows from it, but as a command with its own record.

use super::terms;
use crate::{
    problem::{Problem, ProblemCode},
    tenants::Definition,
};
use marque_domain::{
    account::DeploymentStatus,
    id::{DeploymentId, UserId},
    tenant::Plan,
    time::{DAY_MS, HOUR_MS, Millis},
    usage::Usage,
};
use marque_engine::{Shard, state::State};
use marque_store::{DeploymentUsage, MeteredHour, StoreError, SystemDb, TenantDb, Whose};
use std::collections::BTreeMap;

/// What was used waits so long for a commit, in milliseconds of the server's clock: a process that is killed forgets at
/// most that.
const WAITS_MS: i64 = 2_000;
/// How often what was used is held against plans.
pub(super) const HELD_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// What was used and is not committed yet.
#[derive(Debug, Default)]
pub(super) struct Meter {
    waiting: BTreeMap<DeploymentId, Usage>,
    /// When something was last committed.
    committed_at: Millis,
}

impl Meter {
    /// Takes what the shard has counted; answers what is to be committed now.
    pub fn take(&mut self, shard: &mut Shard, now: Millis, all: bool) -> Vec<MeteredHour> {
        for (deployment, usage) in shard.take_usage() {
            *self.waiting.entry(deployment).or_default() += usage;
        }
        if !all && now.since(self.committed_at) < WAITS_MS {
            return Vec::new();
        }
        self.committed_at = now;
        let waiting = core::mem::take(&mut self.waiting);
        waiting.into_iter().filter_map(|(id, usage)| metered(id, usage, shard.state(), now)).collect()
    }
}

fn metered(deployment: DeploymentId, usage: Usage, state: &State, now: Millis) -> Option<MeteredHour> {
    let account = state.deployments.get(&deployment)?.account;
    let user = state.accounts.get(&account)?.terms.user;
    Some(MeteredHour { deployment, account, user, hour: beginning(now, HOUR_MS), usage })
}

/// When the span of this length began in which `now` lies.
#[must_use]
pub const fn beginning(now: Millis, length_ms: i64) -> Millis {
    Millis(now.0 - now.0.rem_euclid(length_ms))
}

/// The running strategies of people whose plan has no fuel left for this day, with the reason for each.
pub(super) async fn exhausted(
    system: &SystemDb,
    db: &TenantDb,
    state: &State,
    now: Millis,
) -> Result<Vec<(DeploymentId, String)>, terms::TermsError> {
    if !state.deployments.values().any(|deployment| deployment.status == DeploymentStatus::Running) {
        return Ok(Vec::new());
    }
    let definition = terms::definition(system, db.tenant()).await?;
    let Some(least) = definition.plans.iter().filter_map(|plan| plan.quotas.fuel_per_day).min() else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (user, used) in db.heavy_users(beginning(now, DAY_MS), least).await? {
        let plan = plan_of(db, &definition, user).await?;
        let Some(reason) = plan.and_then(|plan| over(plan, used)) else { continue };
        let mine = state.deployments.values().filter(|d| d.status == DeploymentStatus::Running);
        let mine = mine.filter(|d| state.accounts.get(&d.account).is_some_and(|a| a.terms.user == user));
        all.extend(mine.map(|deployment| (deployment.id, reason.clone())));
    }
    Ok(all)
}

async fn plan_of<'a>(db: &TenantDb, definition: &'a Definition, user: UserId) -> Result<Option<&'a Plan>, StoreError> {
    Ok(definition.plan(db.user(user).await?.plan.as_deref()))
}

/// Why strategies may not run on a plan for the rest of the day, if they may not.
fn over(plan: &Plan, used: u64) -> Option<String> {
    let limit = plan.quotas.fuel_per_day.filter(|limit| used >= *limit)?;
    let (name, limit) = (&plan.name, millions(limit));
    Some(format!(
        "The plan {name} runs strategies for {limit} instructions a day, on all your accounts together, and today's are used up. Start it again tomorrow (UTC), or choose a larger plan."
    ))
}

/// A number of instructions in words: `12.5 million`.
#[must_use]
pub fn millions(fuel: u64) -> String {
    const MILLION: u64 = 1_000_000;
    match fuel {
        0..1_000 => fuel.to_string(),
        1_000..MILLION => format!("{} thousand", fuel / 1_000),
        _ if fuel.is_multiple_of(MILLION) => format!("{} million", fuel / MILLION),
        _ => format!("{}.{} million", fuel / MILLION, fuel % MILLION / 100_000),
    }
}

/// Days that a report is over when nobody says how many.
pub const DAYS_SHOWN: u32 = 7;
/// Days whose hours are kept; older ones are forgotten.
pub const DAYS_KEPT: i64 = 62;

/// Whole days of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When the first begins.
    pub from: Millis,
    /// When the last ends.
    pub until: Millis,
}

impl Span {
    /// The last `days`, with that in which `now` lies.
    #[must_use]
    pub fn of_days(now: Millis, days: u32) -> Self {
        let until = beginning(now, DAY_MS).plus(DAY_MS);
        Self { from: until.plus(-DAY_MS.saturating_mul(i64::from(days.max(1)))), until }
    }
}

/// What deployments used over a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// All of it together.
    pub total: Usage,
    /// By days, the newest first.
    pub days: Vec<(Millis, Usage)>,
    /// By deployments, those first that used most.
    pub deployments: Vec<DeploymentUsage>,
}

/// What `whose` deployments used.
///
/// # Errors
/// What the store answers.
pub async fn report(db: &TenantDb, whose: Whose, span: Span) -> Result<Report, Problem> {
    let days = db.usage_by_day(whose, span.from, span.until).await?;
    let deployments = db.usage_by_deployment(whose, span.from, span.until).await?;
    Ok(Report { total: total(days.iter().map(|(_, used)| *used)), days, deployments })
}

/// All of it together.
pub fn total(used: impl IntoIterator<Item = Usage>) -> Usage {
    used.into_iter().fold(Usage::default(), |mut sum, used| {
        sum += used;
        sum
    })
}

/// Fuel that a person's plan allows in a day.
///
/// # Errors
/// What the store answers.
pub async fn limit_of(db: &TenantDb, definition: &Definition, user: UserId) -> Result<Option<u64>, Problem> {
    Ok(plan_of(db, definition, user).await?.and_then(|plan| plan.quotas.fuel_per_day))
}

/// Refuses to start a strategy on a plan that has nothing left for it.
///
/// # Errors
/// [`ProblemCode::PlanRefused`] with the limit and when it begins anew.
pub async fn gate(db: &TenantDb, plan: &Plan, owner: UserId, now: Millis) -> Result<(), Problem> {
    if plan.quotas.fuel_per_day.is_none() {
        return Ok(());
    }
    let used = db.usage_total(Whose::User(owner), beginning(now, DAY_MS), Millis(i64::MAX)).await?;
    over(plan, used.fuel).map_or(Ok(()), |reason| Err(Problem::new(ProblemCode::PlanRefused, reason)))
}

/// Refuses a backtest on a plan that has nothing left for it: what strategies and backtests used today counts together. It
/// is one-sided: no test ends what trades.
///
/// # Errors
/// [`ProblemCode::PlanRefused`] with the limit and when it begins anew.
pub async fn gate_tests(db: &TenantDb, plan: &Plan, owner: UserId, now: Millis) -> Result<(), Problem> {
    let Some(limit) = plan.quotas.fuel_per_day else { return Ok(()) };
    let day = beginning(now, DAY_MS);
    let traded = db.usage_total(Whose::User(owner), day, Millis(i64::MAX)).await?.fuel;
    if traded.saturating_add(db.fuel_of_backtests(owner, day).await?) < limit {
        return Ok(());
    }
    let (name, limit) = (&plan.name, millions(limit));
    Err(Problem::new(
        ProblemCode::PlanRefused,
        format!(
            "The plan {name} has {limit} instructions a day for strategies and backtests together, and today's are used up. Start it again tomorrow (UTC), or choose a larger plan."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_told_in_words() {
        for (fuel, words) in [
            (0, "0"),
            (999, "999"),
            (1_500, "1 thousand"),
            (1_000_000, "1 million"),
            (12_540_000, "12.5 million"),
            (5_000_000_000, "5000 million"),
        ] {
            assert_eq!(millions(fuel), words);
        }
    }

    #[test]
    fn a_span_is_of_whole_days_with_today() {
        let noon = Millis(10 * DAY_MS + 12 * HOUR_MS);
        for (days, from) in [(0, 10), (1, 10), (7, 4)] {
            let span = Span { from: Millis(from * DAY_MS), until: Millis(11 * DAY_MS) };
            assert_eq!(Span::of_days(noon, days), span);
        }
    }

    #[test]
    fn a_span_begins_before_what_lies_in_it() {
        for (now, begins) in [(0, 0), (HOUR_MS - 1, 0), (HOUR_MS, HOUR_MS), (-1, -HOUR_MS)] {
            assert_eq!(beginning(Millis(now), HOUR_MS), Millis(begins));
        }
    }
}
