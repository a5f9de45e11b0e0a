//! What a brand shows to anybody: its front page, its style sheet, its sign, its errors.

use super::{
    Portal, Scene,
    scene::{MODE_COOKIE, shell},
    view::{ApiDocs, ErrorPage, Front, Link, UnknownHost},
};
use crate::{
    edge::{ErrorPages, Refusal, Tenant},
    identity::cookies,
    problem::{Problem, ProblemCode},
    theme::{Mode, Themes},
};
use poem::{
    Body, IntoResponse as _, Request, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Path},
};
use serde::Deserialize;
use std::sync::Arc;

/// How long a browser keeps light or dark: a year.
const MODE_KEPT_S: i64 = 31_536_000;
/// A year, in which a hashed URL never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_NOW: &str = "public, max-age=60";

#[handler]
pub(super) fn front(scene: Scene) -> poem::Result<Response> {
    let definition = &scene.tenant.definition;
    let page = Front::new(&definition.words.headline, &definition.words.intro, &definition.plans, scene.is_signed_in());
    scene.page("Automated trading you can check", &page)
}

#[handler]
pub(super) fn style(request: &Request, tenant: Tenant, portal: Data<&Portal>) -> poem::Result<Response> {
    let (css, hash) =
        portal.themes().brand_css(&tenant.definition.theme, &tenant.definition.tokens).map_err(Problem::from)?;
    let exact = request.uri().query().is_some_and(|query| query == format!("v={hash}"));
    Ok(file("text/css; charset=utf-8", if exact { FOR_EVER } else { FOR_NOW }, css))
}

#[handler]
pub(super) fn favicon(tenant: Tenant) -> Response {
    file("image/svg+xml", FOR_NOW, tenant.definition.tokens.favicon(&tenant.definition.name))
}

#[handler]
pub(super) fn robots() -> Response {
    file(
        "text/plain; charset=utf-8",
        FOR_NOW,
        "User-agent: *\nDisallow: /accounts/\nDisallow: /dashboard\nDisallow: /decisions/\n",
    )
}

#[handler]
pub(super) fn asset(Path((hash, path)): Path<(String, String)>, portal: Data<&Portal>) -> poem::Result<Response> {
    let (asset, exact) = portal.themes().asset(&hash, &path).ok_or_else(Problem::not_found)?;
    Ok(file(asset.content_type, if exact { FOR_EVER } else { FOR_NOW }, asset.bytes.to_vec()))
}

fn file(mime: &str, cache: &str, body: impl Into<Body>) -> Response {
    Response::builder().header(header::CONTENT_TYPE, mime).header(header::CACHE_CONTROL, cache).body(body)
}

#[handler]
pub(super) fn api_docs(scene: Scene) -> poem::Result<Response> {
    scene.page("API", &ApiDocs { spec_url: "/api/openapi.json".to_owned() })
}

#[derive(Deserialize)]
struct Switch {
    mode: String,
    #[serde(default)]
    return_to: String,
}

#[handler]
pub(super) fn theme_mode(Form(switch): Form<Switch>) -> poem::Result<Response> {
    let mode = Mode::named(&switch.mode)
        .ok_or_else(|| Problem::new(ProblemCode::BadRequest, "Choose auto, light or dark."))?;
    let mut response = see_other(own_path(&switch.return_to));
    cookies::set(&mut response, MODE_COOKIE, mode.name(), Some(MODE_KEPT_S));
    Ok(response)
}

/// A path of this site, and never another site's address.
fn own_path(path: &str) -> &str {
    let own =
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']) && path.len() <= 1_000;
    if own { path } else { "/" }
}

/// On to another page after a form.
pub(super) fn see_other(location: &str) -> Response {
    StatusCode::SEE_OTHER.with_header(header::LOCATION, location).into_response()
}

/// Refusals in the brand's looks, and a neutral page where there is no brand.
#[must_use]
pub fn error_pages(themes: Arc<Themes>) -> ErrorPages {
    Arc::new(move |refusal| error_page(&themes, refusal))
}

fn error_page(themes: &Themes, refusal: &Refusal<'_>) -> Option<String> {
    let problem = refusal.problem;
    let Some(tenant) = refusal.tenant else {
        let host = refusal.host.filter(|_| problem.code == ProblemCode::UnknownHost)?;
        return themes.fragment(UnknownHost::THEME, &UnknownHost { host: host.to_owned() }).ok();
    };
    let definition = &tenant.definition;
    let status = problem.code.status().as_u16();
    let mut page = ErrorPage::of(status, Some(refusal.request.as_str().to_owned()));
    // What a person can do about it says more than what fits any page.
    let says_more = status < 500 || problem.code == ProblemCode::TenantClosed;
    if says_more && problem.code != ProblemCode::NotFound {
        page.title = problem.code.title().to_owned();
        page.text.clone_from(&problem.detail);
        for field in &problem.errors {
            page.text.push_str(&format!(" {}: {}.", field.field, field.detail));
        }
        page.action = Link::new("Back to your accounts", "/dashboard");
    }
    page.retry_s = problem.retry_after_s.and_then(|s| u32::try_from(s).ok());
    let shell = shell(themes, definition, &page.title, "").ok()?;
    themes.render(&definition.theme, &shell, &page).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_returns_to_this_site_only() {
        for (given, want) in [
            ("/dashboard", "/dashboard"),
            ("", "/"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nX: y", "/"),
        ] {
            assert_eq!(own_path(given), want, "{given}");
        }
    }
}
