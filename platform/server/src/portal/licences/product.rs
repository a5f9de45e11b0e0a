//! One product on its vendor's page: versions, files, policies, what traders can set.

use super::{
    Done,
    detail::{Shows, policy_words, version_line},
    files, id_of,
    vendor::{Filled, HOME, is_refusal, may_do, product_line, refuse, text},
};
use crate::{
    identity::{
        Operation, SignedIn,
        gate::{Pages, may},
    },
    licensing::manage::{self, NewVersion, PolicyWish, ProductChange, TermWish},
    portal::{
        Scene,
        brand::see_other,
        view::{Banner, Field, PolicyLine, ProductFilled, ProductForm, ProductPage, Tone},
    },
    problem::{Problem, ProblemCode},
};
use marque_domain::{
    id::ProductId,
    licence::{Binding, Kinds, Since},
    plugin::Channel,
    time::{DAY_MS, HOUR_MS, SECOND_MS},
};
use marque_store::EaProduct;
use poem::{
    IntoResponse as _, Response, handler,
    http::StatusCode,
    web::{Form, Path, Query},
};
use serde_json::{Value, json};

pub(super) fn pages(pages: Pages) -> Pages {
    use Operation as O;
    pages
        .at("/admin/eas/:ea", may(O::OpenAdmin).get(show_product).and(O::ManageEas).post(change))
        .at("/admin/eas/:ea/versions", may(O::ManageEas).post(add_version))
        .at("/admin/eas/:ea/policies", may(O::ManageEas).post(add_policy))
        .at("/admin/eas/:ea/files", may(O::ManageEas).post(files::upload))
        .at("/admin/ea-files/:ea_file/remove", may(O::ManageEas).post(files::remove))
        .at("/admin/ea-versions/:ea_version/yank", may(O::ManageEas).post(yank))
}

/// The plans of the brand: code and name.
pub(super) fn plans_of(who: &SignedIn) -> Vec<(String, String)> {
    who.tenant.definition.plans.iter().map(|plan| (plan.code.clone(), plan.name.clone())).collect()
}

/// What a form says of a product.
pub(super) struct Wanted {
    pub name: String,
    pub summary: String,
    pub plans: Vec<String>,
    pub settings: Value,
}

/// No settings.
fn nothing_to_set() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// Reads a form of a product. What it means is checked by who keeps it.
pub(super) fn product_of(who: &SignedIn, form: &Filled) -> Result<Wanted, Problem> {
    let plans = plans_of(who).into_iter().map(|(code, _)| code);
    let typed = text(form, "settings_schema");
    let settings = if typed.is_empty() { Ok(nothing_to_set()) } else { serde_json::from_str(&typed) };
    let settings = settings.map_err(|error| {
        let detail = format!("is no JSON: {error}. Compare it with the example");
        Problem::new(ProblemCode::Invalid, "Correct what is marked and send the form again.")
            .field("/settings_schema", detail)
    })?;
    Ok(Wanted {
        name: text(form, "name"),
        summary: text(form, "summary"),
        plans: plans.filter(|code| form.contains_key(&format!("plan.{code}"))).collect(),
        settings,
    })
}

/// A product as its form shows it.
fn filled(product: &EaProduct) -> ProductFilled {
    let settings: Value = serde_json::from_str(&product.settings_schema).unwrap_or_default();
    let has_settings = settings.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    let settings = if has_settings { serde_json::to_string_pretty(&settings).ok() } else { None };
    ProductFilled {
        name: product.name.clone(),
        summary: product.summary.clone(),
        plans: product.plans.clone(),
        settings: settings.unwrap_or_default(),
    }
}

/// What a form has just done, in words.
fn notice(done: &str) -> Option<Banner> {
    let (title, text) = match done {
        "uploaded" => {
            ("File added", "Whoever has a licence that is good, or a plan that you name, can download it now.")
        }
        "removed" => ("File removed", "Nobody gets it any more."),
        "changed" => ("Saved", "Expert Advisors have it with their next answer, within a few minutes."),
        _ => return None,
    };
    Some(Banner::new(Tone::Good, title, text))
}

pub(super) async fn product_view(scene: &Scene, who: &SignedIn, id: ProductId) -> Result<ProductPage, Problem> {
    who.may(Operation::ListEas)?;
    let product = who.db().ea_product(id).await?;
    let manages = may_do(who, Operation::ManageEas);
    let versions = who.db().ea_versions(id).await?;
    let offered = versions.iter().filter(|version| version.yanked_at.is_none());
    let offered: Vec<_> = offered.map(|version| (version.id.to_string(), version.version.to_string())).collect();
    let files = who.db().ea_files_of(id).await?;
    let shows = Shows { downloads: may_do(who, Operation::DownloadEaFile), manages };
    let policies = who.db().licence_policies(Some(id)).await?;
    let only = |fields: fn() -> Vec<Field>| if manages { fields() } else { Vec::new() };
    Ok(ProductPage {
        line: product_line(who, &product).await?,
        summary: product.summary.clone(),
        versions: versions.iter().map(|version| version_line(scene, version, &files, shows)).collect(),
        policies: policies
            .iter()
            .map(|policy| PolicyLine { name: policy.name.clone(), terms: policy_words(policy) })
            .collect(),
        new_version: only(ProductPage::version_form),
        new_file: if manages { ProductPage::file_form(&offered) } else { Vec::new() },
        new_policy: only(ProductPage::policy_form),
        more_policy: only(ProductPage::policy_form_more),
        change: manages.then(|| ProductForm::of(&plans_of(who), &filled(&product)).in_form("change")),
        notice: None,
        error: None,
        zone: scene.clock().name().to_owned(),
        csrf: scene.csrf.clone(),
    })
}

#[handler]
async fn show_product(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> poem::Result<Response> {
    let mut page = product_view(&scene, &who, id_of(&id)?).await?;
    page.notice = notice(&done.done);
    scene.page(&page.line.name, &page)
}

#[handler]
async fn change(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let id: ProductId = id_of(&id)?;
    let changed = match product_of(&who, &form) {
        Ok(wanted) => {
            let change = ProductChange {
                name: Some(wanted.name),
                summary: Some(wanted.summary),
                plans: Some(wanted.plans),
                settings_schema: Some(wanted.settings),
            };
            manage::change_product(&who, id, change).await
        }
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(_) => Ok(see_other(&format!("{HOME}/{id}?done=changed"))),
        Err(problem) if is_refusal(&problem) => {
            let mut page = product_view(&scene, &who, id).await?;
            if let Some(change) = &mut page.change {
                refuse(change.every(), &form, &problem);
            }
            refused(&scene, page, problem)
        }
        Err(problem) => Err(problem.into()),
    }
}

#[handler]
async fn add_version(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let id: ProductId = id_of(&id)?;
    let channel = if text(&form, "channel") == Channel::Beta.name() { Channel::Beta } else { Channel::Stable };
    let new = NewVersion { version: text(&form, "version"), channel, changelog: text(&form, "changelog") };
    match manage::add_version(&who, id, new, scene.clock_now()).await {
        Ok(_) => Ok(see_other(&format!("{HOME}/{id}#versions"))),
        Err(problem) if is_refusal(&problem) => {
            let mut page = product_view(&scene, &who, id).await?;
            refuse(&mut page.new_version, &form, &problem);
            refused(&scene, page, problem)
        }
        Err(problem) => Err(problem.into()),
    }
}

pub(super) fn refused(scene: &Scene, mut page: ProductPage, problem: Problem) -> poem::Result<Response> {
    page.error = Some(problem.detail);
    let answer = scene.page(&page.line.name, &page)?;
    Ok(answer.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn policy_wish(form: &Filled) -> Result<PolicyWish, Problem> {
    let days_s = text(form, "days").parse::<i64>().unwrap_or(0).saturating_mul(DAY_MS / SECOND_MS);
    let plain = PolicyWish::default();
    // What a form leaves out stays as it is for most.
    let seconds = |name: &str, unit_ms: i64, otherwise: i64| {
        text(form, name).parse::<i64>().map_or(otherwise, |count| count.saturating_mul(unit_ms / SECOND_MS))
    };
    let oldest = text(form, "minimum_version");
    let oldest = if oldest.is_empty() { Ok(None) } else { oldest.parse().map(Some) };
    let minimum_version = oldest.map_err(|_| {
        Problem::new(ProblemCode::Invalid, "Correct what is marked and send the form again.")
            .field("/minimum_version", "one to three numbers with points, such as 1.20")
    })?;
    Ok(PolicyWish {
        name: text(form, "name"),
        term: match text(form, "term").as_str() {
            "subscription" => TermWish::Subscription(days_s),
            "trial" => TermWish::Trial(Since::Activation, days_s),
            _ => TermWish::Perpetual,
        },
        machines: text(form, "machines").parse().ok(),
        accounts: text(form, "accounts").parse().ok(),
        kinds: match text(form, "kinds").as_str() {
            "demo" => Kinds::Demo,
            "live" => Kinds::Live,
            _ => Kinds::Both,
        },
        binding: match text(form, "binding").as_str() {
            "any" => Binding::Any,
            "most" => Binding::Most,
            _ => Binding::All,
        },
        grace_s: seconds("grace_days", DAY_MS, plain.grace_s),
        cooldown_s: seconds("cooldown_h", HOUR_MS, plain.cooldown_s),
        lease_s: seconds("lease_h", HOUR_MS, plain.lease_s),
        offline_grace_s: seconds("offline_h", HOUR_MS, plain.offline_grace_s),
        minimum_version,
        requests_per_minute: text(form, "requests_per_minute").parse().ok(),
        window_s: if form.contains_key("floating") { 600 } else { 0 },
        ..plain
    })
}

#[handler]
async fn add_policy(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let id: ProductId = id_of(&id)?;
    let added = match policy_wish(&form) {
        Ok(wish) => manage::add_policy(&who, id, &wish, scene.clock_now()).await,
        Err(problem) => Err(problem),
    };
    match added {
        Ok(_) => Ok(see_other(&format!("{HOME}/{id}#policies"))),
        Err(problem) if is_refusal(&problem) => {
            let mut page = product_view(&scene, &who, id).await?;
            refuse(page.new_policy.iter_mut().chain(&mut page.more_policy), &form, &problem);
            refused(&scene, page, problem)
        }
        Err(problem) => Err(problem.into()),
    }
}

#[handler]
async fn yank(scene: Scene, who: SignedIn, Path(id): Path<String>, Form(form): Form<Filled>) -> poem::Result<Response> {
    let yanked = manage::yank_version(&who, id_of(&id)?, &text(&form, "reason"), scene.clock_now()).await?;
    Ok(see_other(&format!("{HOME}/{}#versions", yanked.product)))
}
