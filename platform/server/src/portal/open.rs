//! The page on which a person opens an account.

use super::{
    Scene,
    brand::see_other,
    view::{Figure, OpenAccount, RuleCard},
};
use crate::{
    identity::{Operation, SignedIn},
    problem::ProblemCode,
    trading::requests,
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
pub(super) fn show_form(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    who.may(Operation::OpenAccount)?;
    show(&scene, "", None)
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
            Ok(show(&scene, &name, Some(problem.detail))?.with_status(status).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// The form, with what an account is opened with.
fn show(scene: &Scene, name: &str, error: Option<String>) -> poem::Result<Response> {
    let terms = &scene.tenant.definition.accounts;
    let rules =
        terms.rules.iter().map(|rule| RuleCard::named(&rule.plugin, &Value::Object(rule.settings.clone()).to_string()));
    let page = OpenAccount::new(
        name,
        Figure::money(terms.initial_balance, terms.currency),
        terms.leverage,
        rules.collect(),
        error,
        &scene.csrf,
    );
    scene.page("Open an account", &page)
}
