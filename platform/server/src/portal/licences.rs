//! Licences of Expert Advisors, as pages: a trader's own here, all that a vendor looks after in `vendor`.

mod detail;
mod files;
mod product;
mod vendor;

use super::{
    Scene,
    brand::see_other,
    view::{EasPage, IncludedEa, LicenceLine, LicencePage, licence_badge, settings_from},
};
use crate::{
    identity::{
        Identity, Operation, SignedIn,
        gate::{Pages, may, public},
    },
    licensing::manage,
    problem::{Problem, ProblemCode},
};
use detail::{Names, Shows};
use marque_domain::{
    id::{ActivationId, LicenceId},
    licence::State,
};
use marque_store::{LicenceFilter, LicenceRow, Page, Whose};
use poem::{
    IntoResponse as _, Response, handler,
    http::StatusCode,
    web::{Data, Form, Path, Query},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const LIST: &str = "/eas";
/// Licences of one person that a page shows.
const ROWS: u32 = 100;

/// `/eas` and `/admin/eas`.
pub(super) fn pages(pages: Pages) -> Pages {
    use Operation as O;
    let pages = pages
        .at(LIST, may(O::ReadLicences).get(list))
        .at("/eas/:licence", may(O::ReadLicences).get(show))
        .at("/eas/:licence/key", may(O::ShowLicenceKey).post(show_key))
        .at("/eas/:licence/reissue", may(O::ReissueLicenceKey).post(reissue))
        .at("/eas/:licence/settings", may(O::SetUpEa).post(set_up))
        .at("/eas/:licence/seats/:activation/release", may(O::ReleaseSeat).post(release))
        .at("/ea-files/:ea_file/download", may(O::DownloadEaFile).post(files::begin_download))
        // The link is what opens it: it is signed, and says for whom and until when.
        .at("/ea-downloads/:link", public().get(files::download));
    vendor::pages(pages)
}

/// An id of an address.
fn id_of<T: core::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// A licence as lists show it.
async fn line(scene: &Scene, who: &SignedIn, names: &Names, licence: &LicenceRow) -> Result<LicenceLine, Problem> {
    let (policy, now) = (names.policy(licence.policy), scene.clock_now());
    let seats = who.db().seats(licence.id).await?;
    let ended = licence.state == State::Active && licence.ends_at.is_some_and(|end| now >= end);
    Ok(LicenceLine {
        href: format!("{LIST}/{}", licence.id),
        ea: names.product(licence.product),
        policy: policy.map(|policy| policy.name.clone()).unwrap_or_default(),
        owner: names.owner(licence.user),
        status: licence_badge(licence.state, ended),
        ends: licence.ends_at.map(|at| scene.clock().show(at)),
        seats: detail::seats_words(&seats, policy, now),
    })
}

#[handler]
async fn list(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    who.may(Operation::ReadLicences)?;
    // Also who sees everybody's finds one's own here.
    let found = who.db().licences(Whose::User(who.user), LicenceFilter::default(), Page::first(ROWS)).await;
    let found = found.map_err(Problem::from)?.items;
    let names = Names::of(&who, &found).await?;
    let mut licences = Vec::new();
    for licence in &found {
        licences.push(line(&scene, &who, &names, licence).await?);
    }
    let page =
        EasPage { licences, included: included(&scene, &who, &found).await?, zone: scene.clock().name().to_owned() };
    scene.page("Expert Advisors", &page)
}

/// What the reader's plan gives them and no licence of theirs is for: products that name the plan, in their newest
/// version that has files.
async fn included(scene: &Scene, who: &SignedIn, licences: &[LicenceRow]) -> Result<Vec<IncludedEa>, Problem> {
    let Some(plan) = who.db().user(who.user).await?.plan else { return Ok(Vec::new()) };
    let shows = Shows { downloads: true, manages: false };
    let mut included = Vec::new();
    for product in who.db().ea_products().await? {
        if !product.plans.contains(&plan) || licences.iter().any(|licence| licence.product == product.id) {
            continue;
        }
        let files = who.db().ea_files_of(product.id).await?;
        let versions = who.db().ea_versions(product.id).await?;
        let newest = versions
            .iter()
            .find(|version| version.yanked_at.is_none() && files.iter().any(|file| file.version == version.id));
        included.extend(newest.map(|version| IncludedEa {
            name: product.name,
            summary: product.summary,
            version: detail::version_line(scene, version, &files, shows),
        }));
    }
    Ok(included)
}

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Path(id): Path<String>, Query(done): Query<Done>) -> poem::Result<Response> {
    let mut page = detail::page(&scene, &who, id_of(&id)?).await?;
    page.notice = detail::notice(&done.done);
    answer(&scene, &page)
}

fn answer(scene: &Scene, page: &LicencePage) -> poem::Result<Response> {
    scene.page(&page.line.ea, page)
}

/// Shown in the answer itself and kept nowhere: to load the page again does not show it again.
#[handler]
async fn show_key(
    scene: Scene,
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Path(id): Path<String>,
) -> poem::Result<Response> {
    let id: LicenceId = id_of(&id)?;
    let key = manage::key_shown(&who, identity.vault(), id).await?;
    let mut page = detail::page(&scene, &who, id).await?;
    page.key = Some(key);
    answer(&scene, &page)
}

#[handler]
async fn reissue(
    scene: Scene,
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Path(id): Path<String>,
) -> poem::Result<Response> {
    let id: LicenceId = id_of(&id)?;
    let key = manage::reissue(&who, identity.vault(), id, scene.clock_now()).await?;
    let mut page = detail::page(&scene, &who, id).await?;
    page.notice = detail::notice("reissued");
    // Whoever had another's key replaced does not see the new one.
    page.key = Some(key).filter(|_| page.may_show_key);
    answer(&scene, &page)
}

#[handler]
async fn release(
    scene: Scene,
    who: SignedIn,
    Path((licence, activation)): Path<(String, String)>,
) -> poem::Result<Response> {
    let (licence, activation): (LicenceId, ActivationId) = (id_of(&licence)?, id_of(&activation)?);
    manage::release_seat(&who, licence, activation, scene.clock_now()).await?;
    Ok(see_other(&format!("{LIST}/{licence}?done=released#seats")))
}

#[handler]
async fn set_up(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> poem::Result<Response> {
    let id: LicenceId = id_of(&id)?;
    who.db().licence(who.may(Operation::SetUpEa)?, id).await.map_err(Problem::from)?;
    let (schema, ..) = manage::settings_of(&who, id).await?;
    let typed = settings_from(&schema, &form);
    let (errors, text) = match typed {
        Ok(Value::Object(settings)) => match manage::settings_set(&who, id, &settings, scene.clock_now()).await {
            Ok(_) => return Ok(see_other(&format!("{LIST}/{id}?done=settings#settings"))),
            Err(problem) if problem.code != ProblemCode::Invalid => return Err(problem.into()),
            Err(problem) => {
                let named = |field: &str| field.trim_start_matches("/settings").trim_start_matches('/').to_owned();
                let errors = problem.errors.iter().map(|error| (named(&error.field), error.detail.clone()));
                let errors: BTreeMap<String, String> = errors.collect();
                // What is wrong with all of them together stands beside none.
                let of_all = errors.get("").map(|detail| format!("Correct the settings: {detail}."));
                (errors, of_all.unwrap_or(problem.detail))
            }
        },
        Ok(_) => (BTreeMap::new(), "Fill in the settings and send the form again.".to_owned()),
        Err(errors) => {
            let errors = errors.into_iter().map(|error| (error.name, error.message)).collect();
            (errors, "Correct the settings that are marked.".to_owned())
        }
    };
    let mut page = detail::page(&scene, &who, id).await?;
    let given = form.iter().filter_map(|(name, value)| Some((name.strip_prefix("setting.")?, value)));
    let given: Map<String, Value> = given.map(|(name, value)| (name.to_owned(), value.clone().into())).collect();
    page.settings = super::view::fields_of(&schema, &Value::Object(given), &errors);
    page.error = Some(text);
    Ok(answer(&scene, &page)?.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}
