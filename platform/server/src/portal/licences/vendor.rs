//! What a vendor looks after: everybody's licences, and the products. One product's page is in `product`.

use super::{
    LIST,
    detail::Names,
    id_of, line,
    product::{self, plans_of, product_of},
};
use crate::{
    identity::{
        Identity, Operation, Reach, SignedIn,
        gate::{Pages, may},
    },
    licensing::manage::{self, NewProduct, Step},
    portal::{
        Scene,
        brand::see_other,
        view::{Field, FieldKind, LicenceQuery, Pager, ProductLine, VendorPage},
    },
    problem::{Problem, ProblemCode},
};
use marque_domain::{
    id::{LicenceId, ProductId},
    licence::State,
    time::DAY_MS,
};
use marque_store::{EaProduct, LicenceFilter, Page};
use poem::{
    IntoResponse as _, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Path, Query},
};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) const HOME: &str = "/admin/eas";
/// Licences on a page.
const ROWS: u32 = 50;

pub(super) type Filled = BTreeMap<String, String>;

pub(super) fn pages(pages: Pages) -> Pages {
    use Operation as O;
    // Traders may list what is offered and see their own licences, but not here.
    let looks = || may(O::OpenAdmin);
    let pages = pages
        .at(HOME, looks().get(home).and(O::ManageEas).post(add_product))
        .at("/admin/licences.csv", looks().get(export))
        .at("/admin/licences", may(O::ManageLicences).post(issue))
        .at("/admin/licences/:licence/:step", may(O::ManageLicences).post(step));
    product::pages(pages)
}

#[derive(Deserialize, Default)]
struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    ea: String,
    #[serde(default)]
    state: String,
    before: Option<i64>,
}

impl Search {
    fn query(&self) -> LicenceQuery {
        LicenceQuery {
            text: self.q.chars().take(100).collect(),
            ea: self.ea.parse::<ProductId>().map(|id| id.to_string()).unwrap_or_default(),
            state: self.standing().map_or("", |(name, _)| name).to_owned(),
        }
    }

    fn standing(&self) -> Option<(&'static str, State)> {
        let states = [("active", State::Active), ("suspended", State::Suspended), ("revoked", State::Revoked)];
        states.into_iter().find(|(name, _)| *name == self.state)
    }

    fn filter<'a>(&self, query: &'a LicenceQuery) -> LicenceFilter<'a> {
        let state = self.standing().map(|(_, state)| state);
        LicenceFilter { text: &query.text, product: self.ea.parse().ok(), state }
    }
}

/// Text as it stands in a query.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}

pub(super) fn may_do(who: &SignedIn, operation: Operation) -> bool {
    operation.reach(who.role) == Reach::Tenant
}

pub(super) async fn product_line(who: &SignedIn, product: &EaProduct) -> Result<ProductLine, Problem> {
    let versions = who.db().ea_versions(product.id).await?;
    let newest = versions.iter().find(|version| version.yanked_at.is_none());
    Ok(ProductLine {
        href: format!("{HOME}/{}", product.id),
        name: product.name.clone(),
        code: product.code.clone(),
        plans: if product.plans.is_empty() { "every plan".to_owned() } else { product.plans.join(", ") },
        version: newest.map_or_else(|| "none yet".to_owned(), |version| version.version.to_string()),
    })
}

async fn view(scene: &Scene, who: &SignedIn, search: &Search) -> Result<VendorPage, Problem> {
    let whose = who.may(Operation::ReadLicences)?;
    let query = search.query();
    let page = Page { after: search.before, limit: ROWS };
    let found = who.db().licences(whose, search.filter(&query), page).await?;
    let names = Names::of(who, &found.items).await?;
    let mut licences = Vec::new();
    for licence in &found.items {
        licences.push(line(scene, who, &names, licence).await?);
    }
    let (mut products, mut choices) = (Vec::new(), Vec::new());
    for product in who.db().ea_products().await? {
        products.push(product_line(who, &product).await?);
        choices.push((product.id.to_string(), product.name));
    }
    let named = |id: ProductId| names.product(id);
    let policies = who.db().licence_policies(None).await?;
    let policies: Vec<(String, String)> = policies
        .iter()
        .map(|policy| (policy.id.to_string(), format!("{} · {}", named(policy.product), policy.name)))
        .collect();
    let narrowed = format!("?q={}&ea={}&state={}", escaped(&query.text), query.ea, query.state);
    let older = found.next.map(|before| format!("{narrowed}&before={before}"));
    Ok(VendorPage {
        products,
        search: VendorPage::search(&query, &choices),
        narrowed: query != LicenceQuery::default(),
        licences,
        pager: Pager { newer: search.before.map(|_| narrowed.clone()), older },
        csv: format!("/admin/licences.csv{narrowed}"),
        new_product: may_do(who, Operation::ManageEas).then(|| VendorPage::product_form(&plans_of(who)).in_form("new")),
        new_licence: if may_do(who, Operation::ManageLicences) {
            VendorPage::licence_form(&policies)
        } else {
            Vec::new()
        },
        error: None,
        zone: scene.clock().name().to_owned(),
        csrf: scene.csrf.clone(),
    })
}

#[handler]
async fn home(scene: Scene, who: SignedIn, Query(search): Query<Search>) -> poem::Result<Response> {
    scene.page("Expert Advisors", &view(&scene, &who, &search).await?)
}

#[handler]
async fn export(who: SignedIn, Query(search): Query<Search>) -> poem::Result<Response> {
    let query = search.query();
    let table = manage::licences_csv(&who, search.filter(&query)).await?;
    let attached = table
        .with_content_type("text/csv; charset=utf-8; header=present")
        .with_header(header::CONTENT_DISPOSITION, "attachment; filename=\"licences.csv\"");
    Ok(attached.into_response())
}

pub(super) fn text(form: &Filled, name: &str) -> String {
    form.get(name).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Puts back what was sent, with why it was refused.
pub(super) fn refuse<'a>(fields: impl IntoIterator<Item = &'a mut Field>, form: &Filled, problem: &Problem) {
    for field in fields {
        // A description of settings is long; nothing of it may be lost.
        let chars_max = if field.kind == FieldKind::Area { 20_000 } else { 2_000 };
        field.value = text(form, &field.name).chars().take(chars_max).collect();
        field.checked = form.contains_key(&field.name);
        for choice in &mut field.choices {
            choice.selected = choice.value == field.value;
        }
        let mine =
            |of: &str| of.trim_start_matches('/') == field.name || FIELDS_OF.contains(&(field.name.as_str(), of));
        field.error = problem.errors.iter().find(|error| mine(&error.field)).map(|error| error.detail.clone());
    }
}

/// Fields that a form asks for in another unit than what is refused, by both names.
const FIELDS_OF: &[(&str, &str)] = &[
    ("days", "/term_s"),
    ("grace_days", "/grace_s"),
    ("cooldown_h", "/cooldown_s"),
    ("lease_h", "/lease_s"),
    ("offline_h", "/offline_grace_s"),
];

pub(super) fn is_refusal(problem: &Problem) -> bool {
    matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict)
}

#[handler]
async fn add_product(scene: Scene, who: SignedIn, Form(form): Form<Filled>) -> poem::Result<Response> {
    let product = product_of(&who, &form);
    let added = match product {
        Ok(product) => {
            let new = NewProduct {
                code: text(&form, "code"),
                name: product.name,
                summary: product.summary,
                plans: product.plans,
                settings_schema: Some(product.settings),
            };
            manage::add_product(&who, new, scene.clock_now()).await
        }
        Err(problem) => Err(problem),
    };
    match added {
        Ok(product) => Ok(see_other(&format!("{HOME}/{}", product.id))),
        Err(problem) if is_refusal(&problem) => {
            let mut page = view(&scene, &who, &Search::default()).await?;
            if let Some(new) = &mut page.new_product {
                refuse(new.every(), &form, &problem);
            }
            page.error = Some(problem.detail);
            let page = scene.page("Expert Advisors", &page)?;
            Ok(page.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

#[handler]
async fn issue(
    scene: Scene,
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let policy = id_of(&text(&form, "policy"))?;
    let owner = text(&form, "owner");
    match manage::issue_to(&who, identity.vault(), policy, &owner, None, scene.clock_now()).await {
        Ok(issued) => Ok(see_other(&format!("{LIST}/{}?done=issued", issued.licence.id))),
        Err(problem) if is_refusal(&problem) => {
            let mut page = view(&scene, &who, &Search::default()).await?;
            refuse(&mut page.new_licence, &form, &problem);
            page.error = Some(problem.detail);
            let page = scene.page("Expert Advisors", &page)?;
            Ok(page.with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

#[handler]
async fn step(
    scene: Scene,
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Path((id, step)): Path<(String, String)>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let (id, now): (LicenceId, _) = (id_of(&id)?, scene.clock_now());
    who.may(Operation::ManageLicences)?;
    let (step, done) = match step.as_str() {
        "suspend" => (Step::Suspend(text(&form, "reason")), "suspended"),
        "reinstate" => (Step::Reinstate, "reinstated"),
        "revoke" => (Step::Revoke(text(&form, "reason")), "revoked"),
        "renew" => {
            let days: Option<i64> = text(&form, "days").parse().ok().filter(|days| (1..=3_660).contains(days));
            (Step::Renew(days.map(|days| now.plus(days * DAY_MS))), "renewed")
        }
        "transfer" => {
            manage::transfer(&who, identity.vault(), id, &text(&form, "owner"), now).await?;
            return Ok(see_other(&format!("{LIST}/{id}?done=transferred")));
        }
        _ => return Err(Problem::not_found().into()),
    };
    manage::change(&who, id, step, now).await?;
    Ok(see_other(&format!("{LIST}/{id}?done={done}")))
}
