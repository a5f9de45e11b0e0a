//! A deployment's own page: its version, what runs beside it, what it used, logged and wanted. And what all use.

use super::{
    Scene,
    account::RowSource,
    actions,
    brand::see_other,
    version,
    view::{
        Banner, ChangeRow, Choice, DeploymentPage, DeploymentRow, DifferenceRow, Link, LogRow, Pager, ShadowPanel, Tab,
        Tone, UsagePage, UsageRow,
    },
};
use crate::{
    identity::{
        Operation, Reach, SignedIn,
        gate::{Pages, may},
    },
    problem::Problem,
    tenants::Feature,
    trading::{
        Asked,
        meter::{self, Span},
        requests, succession,
    },
};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    id::{DecisionId, DeploymentId},
    plugin::PluginRef,
    time::Millis,
    usage::Usage,
};
use marque_store::{Account, Page, TenantDb, Whose};
use poem::{
    IntoResponse as _, Response, handler,
    web::{Path, Query},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Rows of each list on the page.
const ROWS: u32 = 25;
/// Choices of how many days the usage is shown of.
const SPANS: [(&str, u32); 3] = [("Today", 1), ("7 days", 7), ("30 days", 30)];

/// `/deployments/{id}` and `/usage`.
pub(super) fn pages(pages: Pages) -> Pages {
    use Operation as O;
    pages
        .at("/deployments/:deployment", may(O::ReadDeployments).get(show))
        .at("/deployments/:deployment/version", may(O::ChangeVersion).get(version::show_form))
        .at("/deployments/:deployment/upgrade", may(O::ChangeVersion).post(version::upgrade))
        .at("/deployments/:deployment/rollback", may(O::ChangeVersion).post(roll_back))
        .at("/deployments/:deployment/shadow", may(O::ChangeVersion).post(version::start_shadow))
        .at("/deployments/:deployment/shadow/promote", may(O::ChangeVersion).post(promote))
        .at("/deployments/:deployment/shadow/drop", may(O::ChangeVersion).post(drop_shadow))
        .at("/usage", may(O::ReadUsage).get(show_usage))
}

/// Where each list of the page begins.
#[derive(Deserialize, Default)]
struct Older {
    before: Option<String>,
    lines: Option<i64>,
    differences: Option<i64>,
}

#[derive(Deserialize)]
struct Days {
    days: Option<u32>,
}

/// The deployment of a path with its account, if it is within reach of an operation.
pub(super) async fn find(who: &SignedIn, operation: Operation, id: &str) -> Result<(Deployment, Account), Problem> {
    let whose = who.may(operation)?;
    let id: DeploymentId = id.parse().map_err(|_| Problem::not_found())?;
    let deployment = who.db().deployment(whose, id).await?;
    let account = who.db().account(whose, deployment.account).await?;
    Ok((deployment, account))
}

#[handler]
async fn show(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(older): Query<Older>,
) -> poem::Result<Response> {
    let (deployment, account) = find(&who, Operation::ReadDeployments, &id).await?;
    if older.before.is_some() {
        requests::gate(&who, Feature::DecisionHistory).await?;
    }
    let page = page(&scene, &who, &deployment, &account, &older).await?;
    scene.page(&page.strategy, &page)
}

async fn page(
    scene: &Scene,
    who: &SignedIn,
    deployment: &Deployment,
    account: &Account,
    older: &Older,
) -> Result<DeploymentPage, Problem> {
    let db = who.db();
    let source = RowSource::of(scene, db, account).await?;
    let row = DeploymentRow::of(deployment, &source.desk);
    let may_change = may_change(who, account);
    let offered = succession::versions(db, &scene.tenant.definition, deployment).await?;
    let switches = db.switches(Whose::Everyone, deployment.id).await?;
    let previous = match succession::former(&switches) {
        Some(former) => Some(version_of(db, former).await?),
        None => None,
    };
    let mut changes = Vec::with_capacity(switches.len());
    for switch in &switches {
        let (from, to) = (version_of(db, &switch.from).await?, version_of(db, &switch.to).await?);
        changes.push(ChangeRow::new(source.desk.clock.show(switch.at), switch.way, &from, &to, switch.state));
    }
    let href = format!("/deployments/{}", deployment.id);
    let mut page = DeploymentPage {
        account: Link::new(account.terms.name.clone(), format!("/accounts/{}", account.terms.id)),
        id: row.id,
        strategy: row.strategy,
        version: version_of(db, &deployment.plugin).await?,
        about: format!("{} · {}", row.symbol, row.timeframe),
        status: row.status,
        reason: row.reason,
        banner: None,
        settings: row.settings,
        stop_url: row.stop_url.map(actions::staying),
        start_url: row.start_url.map(actions::staying),
        may_change,
        running: deployment.status == DeploymentStatus::Running,
        versions: offered.iter().map(choice).collect(),
        previous,
        shadow: shadow(scene, db, deployment.id, may_change, older, &href).await?,
        changes,
        usage: usage(scene, db, deployment.id).await?,
        log: Vec::new(),
        log_pager: Pager { newer: None, older: None },
        decisions: Vec::new(),
        decisions_pager: Pager { newer: None, older: None },
        zone: source.desk.clock.name().to_owned(),
        csrf: scene.csrf.clone(),
        href,
    };
    fill_lists(db, &source, deployment.id, older, &mut page).await?;
    Ok(page)
}

/// What a strategy logged and wanted, a page of each.
async fn fill_lists(
    db: &TenantDb,
    source: &RowSource,
    id: DeploymentId,
    older: &Older,
    page: &mut DeploymentPage,
) -> Result<(), Problem> {
    let lines = db.logs(Whose::Everyone, id, Page { after: older.lines, limit: ROWS }).await?;
    page.log = lines.items.iter().map(|line| LogRow::of(line, &source.desk.clock)).collect();
    page.log_pager = pager(&page.href, "lines", "log", older.lines.is_some(), lines.next.map(|n| n.to_string()));
    let before = older.before.as_deref().map(str::parse::<DecisionId>);
    let before = before.transpose().map_err(|_| Problem::not_found())?.map(|id| id.0);
    let decisions = db.decisions_of(Whose::Everyone, id, Page { after: before, limit: ROWS }).await?;
    for decision in &decisions.items {
        page.decisions.push(source.decision(db, decision).await?);
    }
    let next = decisions.next.map(|id| DecisionId(id).to_string());
    page.decisions_pager = pager(&page.href, "before", "decisions", before.is_some(), next);
    Ok(())
}

fn pager(href: &str, name: &str, part: &str, is_older: bool, next: Option<String>) -> Pager {
    Pager {
        newer: is_older.then(|| format!("{href}#{part}")),
        older: next.map(|after| format!("{href}?{name}={after}#{part}")),
    }
}

/// The semantic version of a release; of one that the catalogue does not hold any more, the beginning of its digest.
pub(super) async fn version_of(db: &TenantDb, release: &PluginRef) -> Result<String, Problem> {
    let known = db.plugin_by_digest(release.digest).await?;
    Ok(known.map_or_else(|| release.digest.to_string().chars().take(12).collect(), |plugin| plugin.plugin.version))
}

fn choice(offered: &succession::Version) -> Choice {
    let plugin = &offered.plugin;
    let version = plugin.plugin.version.clone();
    let channel = plugin.channel.name();
    let note = if offered.fits { "" } else { ", these settings do not fit" };
    Choice { label: format!("{version} ({channel}{note})"), value: version, selected: false }
}

fn may_change(who: &SignedIn, account: &Account) -> bool {
    match Operation::ChangeVersion.reach(who.role) {
        Reach::Nothing => false,
        Reach::Own => account.terms.user == who.user,
        Reach::Tenant => true,
    }
}

async fn shadow(
    scene: &Scene,
    db: &TenantDb,
    id: DeploymentId,
    may_change: bool,
    older: &Older,
    href: &str,
) -> Result<Option<ShadowPanel>, Problem> {
    let Some(report) = db.shadow(Whose::Everyone, id).await? else { return Ok(None) };
    let clock = scene.clock();
    let mut panel = ShadowPanel::of(&report, version_of(db, &report.shadow.plugin).await?, &clock);
    panel.may_change = may_change && report.ended.is_none();
    let found = db.differences(Whose::Everyone, id, Page { after: older.differences, limit: ROWS }).await?;
    panel.differences = found.items.iter().map(|found| DifferenceRow::of(found, &clock)).collect();
    let next = found.next.map(|next| next.to_string());
    panel.pager = pager(href, "differences", "shadow", older.differences.is_some(), next);
    Ok(Some(panel))
}

/// What a deployment used on the last days.
async fn usage(scene: &Scene, db: &TenantDb, id: DeploymentId) -> Result<Vec<UsageRow>, Problem> {
    let span = Span::of_days(scene.portal.clock().now(), meter::DAYS_SHOWN);
    let days = db.usage_of_deployment(id, span.from, span.until).await?;
    Ok(days.into_iter().map(|(day, used)| day_row(day, used)).collect())
}

/// Days are of UTC, whatever clock the reader lives by: plans count them so.
fn day_row(day: Millis, used: Usage) -> UsageRow {
    UsageRow::new(day.to_rfc3339().chars().take(10).collect::<String>(), used)
}

/// Leads back to the page, or shows it with why nothing was done.
pub(super) async fn answered(
    scene: &Scene,
    who: &SignedIn,
    id: &str,
    part: &str,
    done: Result<Deployment, Problem>,
) -> poem::Result<Response> {
    let problem = match done {
        Ok(deployment) => return Ok(see_other(&format!("/deployments/{}#{part}", deployment.id))),
        Err(problem) if problem.code.status().is_server_error() => return Err(problem.into()),
        Err(problem) => problem,
    };
    let (deployment, account) = find(who, Operation::ChangeVersion, id).await?;
    let mut page = page(scene, who, &deployment, &account, &Older::default()).await?;
    let faults: Vec<String> = problem.errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    let text = if faults.is_empty() { problem.detail } else { format!("{} ({})", problem.detail, faults.join("; ")) };
    page.banner = Some(Banner::new(Tone::Bad, "Nothing was changed", text));
    Ok(scene.page(&page.strategy, &page)?.with_status(problem.code.status()).into_response())
}

pub(super) fn asked<'a>(scene: &'a Scene, who: &SignedIn) -> Asked<'a> {
    scene.portal.floor().asked_by(who.asker())
}

#[handler]
async fn roll_back(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::ChangeVersion)?;
    let (deployment, _) = find(&who, Operation::ChangeVersion, &id).await?;
    let definition = &scene.tenant.definition;
    let done = succession::roll_back(asked(&scene, &who), who.db(), definition, whose, deployment.id).await;
    answered(&scene, &who, &id, "version", done).await
}

#[handler]
async fn promote(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::ChangeVersion)?;
    let (deployment, _) = find(&who, Operation::ChangeVersion, &id).await?;
    let done = succession::promote(asked(&scene, &who), who.db(), whose, deployment.id).await;
    answered(&scene, &who, &id, "version", done).await
}

#[handler]
async fn drop_shadow(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::ChangeVersion)?;
    let (deployment, _) = find(&who, Operation::ChangeVersion, &id).await?;
    let done = succession::drop_shadow(asked(&scene, &who), who.db(), whose, deployment.id).await;
    answered(&scene, &who, &id, "shadow", done).await
}

#[handler]
async fn show_usage(scene: Scene, who: SignedIn, Query(days): Query<Days>) -> poem::Result<Response> {
    let whose = who.may(Operation::ReadUsage)?;
    let days = days.days.unwrap_or(meter::DAYS_SHOWN).clamp(1, 62);
    let (db, now) = (who.db(), scene.portal.clock().now());
    let span = Span::of_days(now, days);
    let report = meter::report(db, whose, span).await?;
    let everybodys = Operation::ReadUsage.reach(who.role) == Reach::Tenant;
    let today = Span::of_days(now, 1);
    let limit = match whose {
        Whose::User(user) => meter::limit_of(db, &scene.tenant.definition, user).await?,
        _ => None,
    };
    let used_today = report.days.iter().find(|(day, _)| *day == today.from).map_or(0, |(_, used)| used.fuel);
    let page = UsagePage {
        title: if everybodys { "All strategies" } else { "Your strategies" },
        span: if days == 1 { "today (UTC)".to_owned() } else { format!("the last {days} days (UTC)") },
        total: report.total.into(),
        limit: limit.map(|limit| UsagePage::limit(limit, used_today)),
        days: report.days.iter().map(|(day, used)| day_row(*day, *used)).collect(),
        deployments: deployment_rows(&scene, db, &report.deployments, everybodys).await?,
        plans: if everybodys { plan_rows(&scene, db, span).await? } else { Vec::new() },
        spans: SPANS.iter().map(|(label, choice)| span_tab(label, *choice, days)).collect(),
    };
    scene.page("Usage", &page)
}

fn span_tab(label: &'static str, choice: u32, chosen: u32) -> Tab {
    Tab { label, href: format!("/usage?days={choice}"), current: choice == chosen }
}

/// Those that used most, named by their strategies. Only as many are named as a page holds.
async fn deployment_rows(
    scene: &Scene,
    db: &TenantDb,
    used: &[marque_store::DeploymentUsage],
    with_owner: bool,
) -> Result<Vec<UsageRow>, Problem> {
    let instruments = scene.portal.floor().instruments();
    let mut rows = Vec::new();
    for row in used.iter().take(ROWS as usize) {
        let deployment = db.deployment(Whose::Everyone, row.deployment).await?;
        let symbol = instruments.iter().find(|i| i.id == deployment.instrument).map_or("", |i| i.symbol.as_str());
        let note = if with_owner { db.user(row.user).await?.email } else { String::new() };
        rows.push(UsageRow {
            href: Some(format!("/deployments/{}", row.deployment)),
            note,
            ..UsageRow::new(format!("{} on {symbol}", deployment.plugin.name), row.usage)
        });
    }
    Ok(rows)
}

async fn plan_rows(scene: &Scene, db: &TenantDb, span: Span) -> Result<Vec<UsageRow>, Problem> {
    let definition = &scene.tenant.definition;
    let rows = db.usage_by_plan(span.from, span.until).await?;
    // Who is on none, or on one that is not sold any more, has the brand's first.
    let mut plans: BTreeMap<&str, (u64, Usage)> = BTreeMap::new();
    for row in rows {
        let name = definition.plan(row.plan.as_deref()).map_or("No plan", |plan| plan.name.as_str());
        let (people, used) = plans.entry(name).or_default();
        *people += row.people;
        *used += row.usage;
    }
    let people = |n: u64| if n == 1 { "1 person".to_owned() } else { format!("{n} people") };
    let row = |(name, (n, used)): (&str, (u64, Usage))| UsageRow { note: people(n), ..UsageRow::new(name, used) };
    Ok(plans.into_iter().map(row).collect())
}
