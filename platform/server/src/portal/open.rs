//! The page on which a person opens an account.

use super::{
    Scene,
    account::schemas,
    brand::see_other,
    view::{CostRow, Figure, OpenAccount, RuleCard, account_terms},
};
use crate::{
    identity::{Operation, SignedIn},
    problem::ProblemCode,
    trading::{requests, terms},
};
use poem::{IntoResponse as _, Response, handler, web::Form};
use serde::Deserialize;
use serde_json::Value;

/// As long as a name may be, and a little more to be shown again.
const SHOWN_CHARS_MAX: usize = 80;

#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    name: String,
}

#[handler]
pub(super) async fn show_form(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    who.may(Operation::OpenAccount)?;
    show(&scene, &who, "", None).await
}

#[handler]
pub(super) async fn send_form(scene: Scene, who: SignedIn, Form(form): Form<Filled>) -> poem::Result<Response> {
    who.may(Operation::OpenAccount)?;
    let (portal, definition) = (&scene.portal, &scene.tenant.definition);
    let opened = requests::open_account(
        portal.floor().asked_by(who.asker()),
        who.db(),
        definition,
        who.user,
        &form.name,
        portal.clock(),
    )
    .await;
    match opened {
        Ok(terms) => Ok(see_other(&format!("/accounts/{}", terms.id))),
        Err(problem) if matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) => {
            let name: String = form.name.chars().take(SHOWN_CHARS_MAX).collect();
            let status = problem.code.status();
            Ok(show(&scene, &who, &name, Some(problem.detail)).await?.with_status(status).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// The form, with what an account is opened with.
async fn show(scene: &Scene, who: &SignedIn, name: &str, error: Option<String>) -> poem::Result<Response> {
    let account = &scene.tenant.definition.accounts;
    let schemas = schemas(who.db()).await?;
    let rules = account.rules.iter().map(|rule| {
        let schema = schemas.iter().find(|(name, _)| *name == rule.plugin).map(|(_, schema)| schema);
        RuleCard::new(&rule.plugin, &Value::Object(rule.settings.clone()).to_string(), schema)
    });
    let venue = &scene.tenant.definition.venue;
    let costs = requests::tradable(scene.portal.floor());
    let costs = costs.iter().map(|instrument| {
        let model = terms::model(venue, instrument, 0);
        CostRow::of(&terms::listed(venue, instrument), &model, account.currency)
    });
    let page = OpenAccount {
        name: OpenAccount::name_field(name),
        balance: Figure::money(account.initial_balance, account.currency),
        terms: account_terms(account.position_mode, account.leverage, account.margin),
        costs: costs.collect(),
        latency: (venue.latency_ms > 0).then(|| format!("{} ms", venue.latency_ms)),
        rules: rules.collect(),
        error,
        csrf: scene.csrf.clone(),
    };
    scene.page("Open an account", &page)
}
