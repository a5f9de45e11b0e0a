//! What leaves: a problem as JSON or as a page, and the headers that every answer carries.

use super::{resolver::Tenant, serve::RequestId};
use crate::problem::Problem;
use poem::{
    Body, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use std::sync::Arc;

/// A refusal that is to become a page.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// What happened and what to do.
    pub problem: &'a Problem,
    /// For whom, where that was found out; else the page is neutral and names no brand.
    pub tenant: Option<&'a Tenant>,
    /// The host as it was asked for, when it was valid.
    pub host: Option<&'a str>,
    /// For support.
    pub request: &'a RequestId,
}

/// Renders refusals as pages. Answers none when it cannot; then a page without any looks is sent.
pub type ErrorPages = Arc<dyn Fn(&Refusal<'_>) -> Option<String> + Send + Sync>;

/// How a client wants to be told of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Json,
    Page,
}

impl Style {
    /// The API always answers with JSON; elsewhere what the client prefers, and a page when it does not say.
    pub(super) fn of(request: &Request) -> Self {
        if wants_page(request) { Self::Page } else { Self::Json }
    }
}

/// Whether a path belongs to the API.
#[must_use]
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Whether an answer to this request is for a person.
#[must_use]
pub fn wants_page(request: &Request) -> bool {
    !is_api(request.uri().path()) && !prefers_json(request.headers())
}

fn prefers_json(headers: &HeaderMap) -> bool {
    let quality = |wanted: &[&str]| {
        let accepted =
            headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        let qualities = accepted.filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next()?;
            wanted.iter().any(|w| media.eq_ignore_ascii_case(w)).then_some(())?;
            let q = parts.find_map(|p| p.strip_prefix("q=")).map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            Some(q)
        });
        qualities.fold(0.0_f32, f32::max)
    };
    quality(&["application/json", "application/problem+json"]) > quality(&["text/html", "application/xhtml+xml"])
}

pub(super) fn refuse(style: Style, refusal: &Refusal<'_>, pages: &ErrorPages) -> Response {
    if style == Style::Json {
        return refusal.problem.to_json_response(Some(refusal.request.as_str()));
    }
    let html = pages(refusal).unwrap_or_else(|| bare_page(refusal));
    let mut response = Response::builder()
        .status(refusal.problem.code.status())
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .body(Body::from_string(html));
    refusal.problem.add_headers(&mut response);
    response
}

/// A page for when no theme can help: words alone.
fn bare_page(refusal: &Refusal<'_>) -> String {
    let (title, detail) = (refusal.problem.code.title(), escape(&refusal.problem.detail));
    let request = escape(refusal.request.as_str());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n<p>{detail}</p>\n\
         <p><small>Request {request}</small></p></body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Headers of every answer. A handler that set one of them keeps its own.
static HEADERS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // Pages and API answers are somebody's own; what may be kept says so itself.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What else browsers are told, in answers that one of them might get.
static FOR_BROWSERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'",
        ),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// A year, as browsers ask for.
const HSTS: &str = "max-age=31536000";

/// Sets the headers that every answer carries; `browsers` tells whether one of them might get it.
pub(super) fn add_headers(response: &mut Response, browsers: bool, secure: bool, request: &RequestId) {
    let for_browsers: &[(HeaderName, HeaderValue)] = if browsers { &FOR_BROWSERS } else { &[] };
    let headers = response.headers_mut();
    headers.reserve(HEADERS.len() + for_browsers.len() + 2);
    for (name, value) in HEADERS.iter().chain(for_browsers) {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if secure {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(HSTS));
    }
    if let Ok(value) = HeaderValue::from_str(request.as_str()) {
        headers.insert(RequestId::HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_where_it_is_preferred() {
        let table = [
            ("/api/v1/orders", None, Style::Json),
            ("/api/v1/orders", Some("text/html"), Style::Json),
            ("/api", None, Style::Json),
            ("/apiary", None, Style::Page),
            ("/", None, Style::Page),
            ("/", Some("*/*"), Style::Page),
            ("/", Some("text/html,application/xhtml+xml,*/*;q=0.8"), Style::Page),
            ("/", Some("application/json"), Style::Json),
            ("/", Some("Application/JSON"), Style::Json),
            ("/", Some("application/problem+json, text/html;q=0.9"), Style::Json),
            ("/", Some("application/json;q=0.5, text/html"), Style::Page),
            ("/", Some("application/json;q=x, text/html;q=0.1"), Style::Page),
        ];
        for (path, accept, expect) in table {
            let mut request = Request::builder().uri_str(path);
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            assert_eq!(Style::of(&request.finish()), expect, "{path} {accept:?}");
        }
    }
}
