//! Pressing and releasing kill switches: an account's, from its page; any of the brand's, from `/admin/kill`.

use super::{
    Scene,
    account::find,
    brand::see_other,
    view::{Banner, KillPanel, KillRow, KillsPage, Tone, mode_badge},
};
use crate::{
    identity::{
        Operation, Reach, SignedIn,
        gate::{Pages, may},
    },
    problem::{Problem, ProblemCode},
    trading::{
        View,
        kill::{self, Press},
    },
};
use marque_domain::{
    id::{AccountId, InstrumentId},
    kill::{Authority, Kill, KillMode, KillScope},
};
use poem::{
    IntoResponse as _, Response, handler,
    http::StatusCode,
    web::{Form, Path, Query},
};
use serde::Deserialize;

/// The forms of an account's page, and `/admin/kill`.
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/accounts/:account/kill", may(Operation::PressKill).post(press_account))
        .at("/accounts/:account/release", may(Operation::ReleaseKill).post(release_account))
        .at("/admin/kill", may(Operation::OpenAdmin).get(show).and(Operation::PressKill).post(press_any))
        .at("/admin/kill/release", may(Operation::ReleaseKill).post(release_any))
}

/// In whose name a person presses; none for who may not.
fn own(who: &SignedIn) -> Option<Authority> {
    match Operation::PressKill.reach(who.role) {
        Reach::Tenant => Some(Authority::Broker),
        Reach::Own => Some(Authority::Trader),
        Reach::Nothing => None,
    }
}

/// The switch on an account's page.
pub(super) fn panel(scene: &Scene, who: &SignedIn, view: &View, account: AccountId) -> KillPanel {
    let of_account = |kill: &&Kill| kill.scope == KillScope::Account(account);
    let lowest = view.kills.iter().filter(of_account).map(|kill| kill.authority).min();
    KillPanel::of(&account.to_string(), kill::over_account(view, account), lowest, own(who), &scene.clock())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pressed {
    mode: String,
    reason: String,
}

fn mode_of(text: &str) -> Result<KillMode, Problem> {
    let mode = [KillMode::Stop, KillMode::Close].into_iter().find(|mode| mode.name() == text);
    mode.ok_or_else(|| Problem::new(ProblemCode::Invalid, "Choose whether to stop only or to close as well."))
}

#[handler]
async fn press_account(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<Pressed>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::PressKill, &id).await?.terms.id;
    let wanted = Press { scope: KillScope::Account(account), mode: mode_of(&form.mode)?, reason: form.reason };
    kill::press(scene.portal.floor().asked_by(who.asker()), &who, wanted).await?;
    Ok(see_other(&format!("/accounts/{account}#kill")))
}

#[handler]
async fn release_account(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let account = find(&who, Operation::ReleaseKill, &id).await?.terms.id;
    kill::release(scene.portal.floor().asked_by(who.asker()), &who, KillScope::Account(account)).await?;
    Ok(see_other(&format!("/accounts/{account}#kill")))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filled {
    what: String,
    id: String,
    reason: String,
    mode: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Query(Done { done }): Query<Done>) -> poem::Result<Response> {
    let notice = match done.as_str() {
        "pressed" => Some(("Pressed", "It stays on until somebody here releases it.")),
        "released" => Some(("Released", "New orders are taken again. Strategies stay stopped until they are started.")),
        _ => None,
    };
    let notice = notice.map(|(title, text)| Banner::new(Tone::Good, title, text));
    page(&scene, &who, &Filled::default(), notice, None).await
}

async fn page(
    scene: &Scene,
    who: &SignedIn,
    filled: &Filled,
    notice: Option<Banner>,
    error: Option<String>,
) -> poem::Result<Response> {
    who.may(Operation::OpenAdmin)?;
    let floor = scene.portal.floor();
    let desk = floor.desk(who.db().tenant()).await.map_err(Problem::from)?;
    let kills = kill::visible(who, &desk).await?;
    let symbols = super::account::instruments(scene).into_iter().map(|i| i.symbol).collect::<Vec<_>>();
    let own = own(who);
    let page = KillsPage {
        notice,
        rows: kills.iter().map(|kill| row(scene, kill, own)).collect(),
        fields: KillsPage::form(&filled.what, &filled.id, &filled.reason, &symbols),
        error,
        may_press: own.is_some(),
        zone: scene.clock().name().to_owned(),
        csrf: scene.csrf.clone(),
    };
    scene.page("Kill switch", &page)
}

fn row(scene: &Scene, kill: &Kill, own: Option<Authority>) -> KillRow {
    let symbol = |id: InstrumentId| {
        let all = scene.portal.floor().instruments();
        all.into_iter().find(|i| i.id == id).map_or_else(|| "?".to_owned(), |i| i.symbol)
    };
    let (field, value) = match kill.scope {
        KillScope::Platform | KillScope::Tenant => ("tenant", String::new()),
        KillScope::Instrument(id) => ("instrument", symbol(id)),
        KillScope::Account(id) => ("account", id.to_string()),
        KillScope::Deployment(id) => ("deployment", id.to_string()),
    };
    KillRow {
        stops: kill.scope.words().to_owned(),
        target: value.clone(),
        mode: mode_badge(kill.mode),
        by: kill.by.clone(),
        reason: kill.reason.clone(),
        at: scene.clock().show(kill.at),
        field,
        value,
        may_release: kill.scope != KillScope::Platform && own.is_some_and(|own| kill.authority <= own),
    }
}

/// What a form names, as a scope.
fn scope(scene: &Scene, what: &str, id: &str) -> Result<KillScope, Problem> {
    let id = id.trim();
    match what {
        "account" => kill::scope_of(Some(id), None, None),
        "deployment" => kill::scope_of(None, Some(id), None),
        "instrument" => {
            let found = super::account::instruments(scene).into_iter().find(|i| i.symbol == id.to_uppercase());
            let found =
                found.ok_or_else(|| Problem::new(ProblemCode::Invalid, "Choose one of the offered instruments."))?;
            kill::scope_of(None, None, Some(found.id))
        }
        "tenant" if id.is_empty() => Ok(KillScope::Tenant),
        "tenant" => Err(Problem::new(
            ProblemCode::Invalid,
            "Everything here needs no id. Empty it, or choose what the id is of.",
        )),
        _ => Err(Problem::new(ProblemCode::Invalid, "Choose what to stop.")),
    }
}

#[handler]
async fn press_any(scene: Scene, who: SignedIn, Form(filled): Form<Filled>) -> poem::Result<Response> {
    let done = async {
        let (scope, mode) = (scope(&scene, &filled.what, &filled.id)?, mode_of(&filled.mode)?);
        let wanted = Press { scope, mode, reason: filled.reason.clone() };
        kill::press(scene.portal.floor().asked_by(who.asker()), &who, wanted).await
    };
    match done.await {
        Ok(_) => Ok(see_other("/admin/kill?done=pressed")),
        Err(problem)
            if matches!(problem.code, ProblemCode::Invalid | ProblemCode::NotFound | ProblemCode::Conflict) =>
        {
            let text = if problem.code == ProblemCode::NotFound {
                "There is no such account or strategy here. Copy its id from its page.".to_owned()
            } else {
                problem.detail.clone()
            };
            let shown = page(&scene, &who, &filled, None, Some(text)).await?;
            Ok(shown.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    what: String,
    id: String,
}

#[handler]
async fn release_any(scene: Scene, who: SignedIn, Form(form): Form<Named>) -> poem::Result<Response> {
    let scope = scope(&scene, &form.what, &form.id)?;
    kill::release(scene.portal.floor().asked_by(who.asker()), &who, scope).await?;
    Ok(see_other("/admin/kill?done=released"))
}
