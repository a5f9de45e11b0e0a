//! The form that puts a strategy on an account.

use super::{
    Scene,
    account::{find, instruments, strategies},
    brand::see_other,
    view::{Deploy, Field, Link, fields_of, settings_from},
};
use crate::{
    identity::{Operation, SignedIn},
    plugins::Described,
    problem::{Problem, ProblemCode},
    trading::requests::{self, NewDeployment},
};
use marque_domain::{bar::Timeframe, plugin::Channel};
use marque_store::Account;
use poem::{
    IntoResponse as _, Response, handler,
    http::StatusCode,
    web::{Form, Path, Query},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Chosen {
    strategy: Option<String>,
}

/// What stands in the form, and why it was refused.
#[derive(Default)]
struct Filled {
    strategy: String,
    instrument: String,
    timeframe: String,
    settings: Value,
    errors: BTreeMap<String, String>,
    error: Option<String>,
}

#[handler]
pub(super) async fn show_form(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(chosen): Query<Chosen>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::CreateDeployment, &id).await?;
    let filled =
        Filled { strategy: chosen.strategy.unwrap_or_default(), timeframe: "M1".to_owned(), ..Filled::default() };
    show(&scene, &who, &account, filled).await
}

#[handler]
pub(super) async fn send_form(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::CreateDeployment, &id).await?;
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let mut filled = Filled {
        strategy: field("strategy"),
        instrument: field("instrument"),
        timeframe: field("timeframe"),
        ..Filled::default()
    };
    let Some(schema) = schema(&who, &filled.strategy).await? else {
        return Err(Problem::new(ProblemCode::Invalid, "Choose one of the offered strategies.").into());
    };
    match settings_from(&schema, &form) {
        Ok(settings) => filled.settings = settings,
        Err(errors) => {
            filled.settings = given(&form);
            filled.errors = errors.into_iter().map(|e| (e.name, e.message)).collect();
        }
    }
    let Ok(timeframe) = filled.timeframe.parse::<Timeframe>() else {
        filled.error = Some("Choose the bars that the strategy sees.".to_owned());
        return refused(&scene, &who, &account, filled).await;
    };
    if !filled.errors.is_empty() {
        return refused(&scene, &who, &account, filled).await;
    }
    let wanted = NewDeployment {
        account: account.terms.id,
        strategy: filled.strategy.clone(),
        channel: Channel::Stable,
        symbol: filled.instrument.clone(),
        timeframe,
        settings: filled.settings.clone(),
    };
    let whose = who.may(Operation::CreateDeployment)?;
    let (floor, clock) = (scene.portal.floor(), &scene.portal.0.clock);
    match requests::deploy(floor.asked_by(who.asker()), who.db(), &scene.tenant.definition, whose, wanted, clock).await
    {
        Ok(_) => Ok(see_other(&format!("/accounts/{}#strategies", account.terms.id))),
        Err(problem) if problem.code.status().is_server_error() => Err(problem.into()),
        Err(problem) => {
            for error in &problem.errors {
                let name = error.field.trim_start_matches("settings").trim_start_matches('/').to_owned();
                filled.errors.insert(name, error.detail.clone());
            }
            filled.error = Some(problem.detail);
            refused(&scene, &who, &account, filled).await
        }
    }
}

async fn refused(scene: &Scene, who: &SignedIn, account: &Account, filled: Filled) -> poem::Result<Response> {
    let page = show(scene, who, account, filled).await?;
    Ok(page.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

async fn show(scene: &Scene, who: &SignedIn, account: &Account, mut filled: Filled) -> poem::Result<Response> {
    let mut offered = strategies(scene, who, account.terms.id).await?;
    if filled.strategy.is_empty() {
        filled.strategy = offered.first().map(|s| s.name.clone()).unwrap_or_default();
    }
    for strategy in &mut offered {
        strategy.selected = strategy.name == filled.strategy;
    }
    let settings: Vec<Field> = match schema(who, &filled.strategy).await? {
        Some(schema) => fields_of(&schema, &filled.settings, &filled.errors),
        None => Vec::new(),
    };
    let id = account.terms.id;
    let page = Deploy {
        account: Link::new(account.terms.name.clone(), format!("/accounts/{id}")),
        action: format!("/accounts/{id}/deploy"),
        strategies: offered,
        strategy: filled.strategy,
        instrument: Deploy::instrument_field(&instruments(scene), &filled.instrument),
        timeframe: Deploy::timeframe_field(&filled.timeframe),
        settings,
        error: filled.error,
        csrf: scene.csrf.clone(),
    };
    scene.page("Deploy a strategy", &page)
}

/// The settings schema of a strategy, if it is in the catalogue.
async fn schema(who: &SignedIn, strategy: &str) -> Result<Option<Value>, Problem> {
    let plugin = who.db().plugin_by_name(strategy).await?;
    plugin.map(|p| Described::read(&p).map(|d| d.settings_schema)).transpose()
}

/// The settings as they were typed, to be corrected.
pub(super) fn given(form: &BTreeMap<String, String>) -> Value {
    let typed = form
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("setting.")?.to_owned(), Value::String(value.clone()))));
    Value::Object(typed.collect::<Map<_, _>>())
}
