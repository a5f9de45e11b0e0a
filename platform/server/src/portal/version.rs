//! Another version of a deployment: upgraded to or run beside at once, or set up first in a form of its own settings, filled in
//! with those that run.

use super::{
    Scene,
    deploy::given,
    deployment::{answered, asked, find, version_of},
    view::{Banner, Link, Tone, VersionCard, VersionPage, fields_of, settings_from},
};
use crate::{
    identity::{Operation, SignedIn},
    plugins::Described,
    problem::Problem,
    trading::succession::{self, Version, settings_of},
};
use marque_domain::account::{Deployment, DeploymentStatus};
use marque_store::Account;
use poem::{
    IntoResponse as _, Response, handler,
    http::StatusCode,
    web::{Form, Path, Query},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The field that says that the settings stand in the form, and are not those of the deployment.
const SET_UP: &str = "set_up";

#[derive(Deserialize)]
pub(super) struct Chosen {
    version: Option<String>,
}

/// What stands in the form, and why it was refused.
#[derive(Default)]
struct Filled {
    settings: Value,
    errors: BTreeMap<String, String>,
    /// Settings that run and that this version does not know.
    dropped: Vec<String>,
    refused: Option<String>,
}

impl Filled {
    /// The settings that run, as far as a version knows them, and what of them it does not take.
    fn carried(described: &Described, present: &Value) -> Result<Self, Problem> {
        let mut filled = Self::default();
        let mut known = Map::new();
        for (name, value) in present.as_object().into_iter().flatten() {
            if described.knows(name) {
                known.insert(name.clone(), value.clone());
            } else {
                filled.dropped.push(name.clone());
            }
        }
        filled.settings = Value::Object(known);
        for (path, fault) in described.faults(&filled.settings)? {
            // What is missing has no path of its own.
            path.strip_prefix('/').map(|name| filled.errors.insert(name.to_owned(), fault));
        }
        for (name, field) in described.fields() {
            let is_wanted = described.required().any(|required| required == name) && field.get("default").is_none();
            if is_wanted && filled.settings.get(name).is_none() {
                filled.errors.insert(name.clone(), "This version asks for it.".to_owned());
            }
        }
        Ok(filled)
    }

    /// What somebody wrote, with why it was refused: beside the settings that are named, and the rest above all of them.
    fn refused(self, problem: Problem) -> Self {
        let (mut errors, mut rest) = (self.errors, Vec::new());
        for error in problem.errors {
            match error.field.strip_prefix("settings/") {
                Some(name) => drop(errors.insert(name.to_owned(), error.detail)),
                None => rest.push(error.detail),
            }
        }
        let text = problem.detail;
        let text = if rest.is_empty() { text } else { format!("{text} ({})", rest.join("; ")) };
        Self { errors, refused: Some(text), ..self }
    }
}

#[handler]
pub(super) async fn show_form(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(chosen): Query<Chosen>,
) -> poem::Result<Response> {
    let (deployment, account) = find(&who, Operation::ChangeVersion, &id).await?;
    let offered = succession::versions(who.db(), &scene.tenant.definition, &deployment).await?;
    let wanted = offered.iter().find(|offered| Some(&offered.plugin.plugin.version) == chosen.version.as_ref());
    let Some(version) = wanted.or(offered.first()) else {
        return show(&scene, &who, (&deployment, &account), &offered, None).await;
    };
    let filled = Filled::carried(&Described::read(&version.plugin)?, &settings_of(&deployment))?;
    show(&scene, &who, (&deployment, &account), &offered, Some((version, filled))).await
}

#[handler]
pub(super) async fn upgrade(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> poem::Result<Response> {
    send(&scene, &who, &id, &form, "version").await
}

#[handler]
pub(super) async fn start_shadow(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> poem::Result<Response> {
    send(&scene, &who, &id, &form, "shadow").await
}

/// Asks for a version, in the place of the live one or beside it. Where its settings are what stands in the way, its form is shown.
async fn send(
    scene: &Scene,
    who: &SignedIn,
    id: &str,
    form: &BTreeMap<String, String>,
    part: &str,
) -> poem::Result<Response> {
    let whose = who.may(Operation::ChangeVersion)?;
    let (deployment, account) = find(who, Operation::ChangeVersion, id).await?;
    let (db, definition) = (who.db(), &scene.tenant.definition);
    let version = form.get("version").map(String::as_str).unwrap_or_default();
    let offered = succession::versions(db, definition, &deployment).await?;
    let found = offered.iter().find(|offered| offered.plugin.plugin.version == version);
    let described = found.map(|found| Described::read(&found.plugin)).transpose()?;
    let mut settings = None;
    if let (Some(found), Some(described), true) = (found, &described, form.contains_key(SET_UP)) {
        match settings_from(&described.settings_schema, form) {
            Ok(read) => settings = Some(read),
            Err(errors) => {
                let errors = errors.into_iter().map(|error| (error.name, error.message)).collect();
                let refused = Some("Some settings could not be read.".to_owned());
                let filled = Filled { settings: given(form), errors, refused, ..Filled::default() };
                let page = show(scene, who, (&deployment, &account), &offered, Some((found, filled))).await?;
                return Ok(page.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response());
            }
        }
    }
    let wanted = succession::Chosen { version, settings: settings.as_ref() };
    let done = if part == "shadow" {
        succession::start_shadow(asked(scene, who), db, definition, whose, deployment.id, wanted).await
    } else {
        succession::upgrade(asked(scene, who), db, definition, whose, deployment.id, wanted).await
    };
    let misfit = found.is_some_and(|found| settings.is_some() || !found.fits);
    match (done, found, described) {
        (Err(problem), Some(found), Some(described)) if misfit && !problem.code.status().is_server_error() => {
            let status = problem.code.status();
            let filled = match settings {
                Some(settings) => Filled { settings, ..Filled::default() },
                None => Filled::carried(&described, &settings_of(&deployment))?,
            };
            let filled = Some((found, filled.refused(problem)));
            let page = show(scene, who, (&deployment, &account), &offered, filled).await?;
            Ok(page.with_status(status).into_response())
        }
        (done, ..) => answered(scene, who, id, part, done).await,
    }
}

async fn show(
    scene: &Scene,
    who: &SignedIn,
    (deployment, account): (&Deployment, &Account),
    offered: &[Version],
    chosen: Option<(&Version, Filled)>,
) -> poem::Result<Response> {
    let href = format!("/deployments/{}", deployment.id);
    let (version, filled) = chosen.unzip();
    let filled = filled.unwrap_or_default();
    let name = version.map(|version| version.plugin.plugin.version.clone()).unwrap_or_default();
    let card = |offered: &Version| {
        let plugin = &offered.plugin;
        VersionCard::new(
            &href,
            &plugin.plugin.version,
            plugin.channel.name(),
            offered.fits,
            plugin.plugin.version == name,
        )
    };
    let settings = match version {
        Some(version) => {
            fields_of(&Described::read(&version.plugin)?.settings_schema, &filled.settings, &filled.errors)
        }
        None => Vec::new(),
    };
    let page = VersionPage {
        account: Link::new(account.terms.name.clone(), format!("/accounts/{}", account.terms.id)),
        strategy: deployment.plugin.name.clone(),
        current: version_of(who.db(), &deployment.plugin).await?,
        versions: offered.iter().map(card).collect(),
        version: name,
        settings,
        banner: filled.refused.map(|text| Banner::new(Tone::Bad, "Nothing was changed", text)),
        dropped: VersionPage::dropped(&filled.dropped),
        running: deployment.status == DeploymentStatus::Running,
        csrf: scene.csrf.clone(),
        href,
    };
    scene.page("Another version", &page)
}
