//! What authors publish, as pages: the gate's report beside each version, and what may be decided about it.

use super::{
    Scene,
    brand::see_other,
    view::{ReleasePage, ReleaseRow, ReleasesPage},
};
use crate::{
    identity::{
        Operation, Reach, SignedIn,
        gate::{Pages, may},
    },
    plugins::registry,
    problem::Problem,
};
use marque_domain::{
    id::{PluginId, UserId},
    plugin::ReleaseStatus,
};
use marque_sandbox::gate::Report;
use marque_store::Release;
use poem::{
    Response, handler,
    web::{Form, Path},
};
use serde::Deserialize;
use std::collections::{BTreeMap, btree_map::Entry};

const LIST: &str = "/releases";

/// `/releases`.
pub(super) fn pages(pages: Pages) -> Pages {
    use Operation as O;
    pages
        .at(LIST, may(O::ReadReleases).get(list))
        .at("/releases/:release", may(O::ReadReleases).get(show))
        .at("/releases/:release/approve", may(O::ApprovePlugin).post(approve))
        .at("/releases/:release/refuse", may(O::ApprovePlugin).post(refuse))
        .at("/releases/:release/yank", may(O::PublishPlugin).post(yank))
}

#[derive(Deserialize)]
struct Why {
    #[serde(default)]
    reason: String,
}

fn id_of(text: &str) -> Result<PluginId, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

fn report_of(release: &Release) -> Option<Report> {
    serde_json::from_str(&release.report).ok()
}

fn row(scene: &Scene, release: &Release, author: &str) -> ReleaseRow {
    let plugin = &release.plugin;
    ReleaseRow {
        href: format!("{LIST}/{}", plugin.id),
        title: format!("{} {}", plugin.name, plugin.version),
        channel: release.channel.name(),
        author: author.to_owned(),
        at: scene.clock().show(release.created_at),
        score: report_of(release).map_or_else(|| "–".to_owned(), |report| report.score.to_string()),
        status: ReleaseRow::badge(release.status),
    }
}

#[handler]
async fn list(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    let releases = who.db().releases(who.may(Operation::ReadReleases)?).await.map_err(Problem::from)?;
    let mut authors: BTreeMap<UserId, String> = BTreeMap::new();
    for release in &releases {
        if let Entry::Vacant(author) = authors.entry(release.user) {
            author.insert(who.db().user(release.user).await.map_err(Problem::from)?.email);
        }
    }
    let named = |user: &UserId| authors.get(user).map(String::as_str).unwrap_or_default();
    let rows = releases.iter().map(|release| row(&scene, release, named(&release.user))).collect();
    scene.page("Releases", &ReleasesPage { releases: rows, zone: scene.clock().name().to_owned() })
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::ReadReleases)?;
    let release = who.db().release(whose, id_of(&id)?).await.map_err(Problem::from)?;
    let author = who.db().user(release.user).await.map_err(Problem::from)?;
    let (findings, fuel) = ReleasePage::report(report_of(&release).as_ref());
    let withdrawable = matches!(release.status, ReleaseStatus::Pending | ReleaseStatus::Approved);
    let reach = Operation::PublishPlugin.reach(who.role);
    let page = ReleasePage {
        row: row(&scene, &release, &author.email),
        kind: release.plugin.kind.name(),
        digest: release.plugin.digest.to_string(),
        contract: release.contract.clone(),
        key: release.key.to_string(),
        reason: release.reason.clone(),
        changelog: release.changelog.lines().map(str::to_owned).collect(),
        findings,
        fuel,
        may_decide: release.status == ReleaseStatus::Pending
            && Operation::ApprovePlugin.reach(who.role) > Reach::Nothing,
        may_yank: withdrawable && (reach == Reach::Tenant || release.user == who.user),
        csrf: scene.csrf.clone(),
    };
    scene.page(&page.row.title, &page)
}

#[handler]
async fn approve(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    who.may(Operation::ApprovePlugin)?;
    let release = registry::decide(&who, id_of(&id)?, None, &scene.portal.0.clock).await?;
    Ok(see_other(&format!("{LIST}/{}", release.plugin.id)))
}

#[handler]
async fn refuse(scene: Scene, who: SignedIn, Path(id): Path<String>, Form(why): Form<Why>) -> poem::Result<Response> {
    who.may(Operation::ApprovePlugin)?;
    let release = registry::decide(&who, id_of(&id)?, Some(&why.reason), &scene.portal.0.clock).await?;
    Ok(see_other(&format!("{LIST}/{}", release.plugin.id)))
}

#[handler]
async fn yank(scene: Scene, who: SignedIn, Path(id): Path<String>, Form(why): Form<Why>) -> poem::Result<Response> {
    who.may(Operation::PublishPlugin)?;
    let release = registry::yank(&who, id_of(&id)?, &why.reason, &scene.portal.0.clock).await?;
    Ok(see_other(&format!("{LIST}/{}", release.plugin.id)))
}
