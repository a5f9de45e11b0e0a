//! `/api/v1`: what programs may ask for, described by OpenAPI.
//!
//! Owns: the shape of requests and answers, pages and cursors, idempotency. Each resource is a file.
//! Refuses to know: who is signed in (`identity`), how hosts and bodies are read (`edge`), what a request does to
//! an account (`trading`). Every refusal leaves as an error and becomes problem+json at the edge, so that a path
//! that does not exist, a method that is not offered and a body that cannot be read look like all others.

mod accounts;
mod activations;
mod audit;
mod authorization;
mod backtest_view;
mod backtests;
mod books;
mod caller;
mod decisions;
mod deployments;
mod ea_files;
mod eas;
mod guard;
mod idempotency;
mod kills;
mod licences;
mod live;
mod market;
mod movements;
mod number;
mod order;
mod orders;
mod page;
mod page_query;
mod plugins;
mod policies;
mod positions;
mod refused;
mod releases;
mod session;
mod shadows;
mod succession;
mod text;
mod ticket;
mod tokens;
mod usage;

use crate::{clock::Clock, plugins::registry::Gatekeeper, trading::Floor};
pub use authorization::Unauthorized;

use marque_domain::{id::InstrumentId, instrument::Instrument};
use poem::{Body, EndpointExt as _, IntoEndpoint as _, IntoResponse as _, Route, get, handler, web::Data};
use poem_openapi::{OpenApiService, Tags};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Semaphore;

/// Live streams at once.
const STREAMS_MAX: usize = 2_000;
/// Requests for bars that are read at once: each may read files or make up a market.
const BARS_AT_ONCE: usize = 2;

const DESCRIPTION: &str = "\
Everything a trader's pages show and do, for programs.

**Signing in.** A program shows a token: `Authorization: Bearer …`. It signs in with `POST /api/v1/tokens`, which gives an \
access token for ten minutes and a refresh token that is exchanged once, at `POST /api/v1/tokens/refresh`, for the next \
two. A refresh token that is used twice ends all tokens of that sign-in. Or a person makes a token for it on the site, \
with only the scopes it needs (`mq_…`). A script in a page uses the session of its browser: the cookie `__Host-marque`, \
and with a request that changes something the session's `csrf_token` (see `GET /api/v1/session`) in `X-CSRF-Token`. A \
request that has both a token and a cookie is a program's.

**Numbers and times.** Prices, lots and money are decimal strings with at most eight digits after the point. Times are \
RFC 3339 in UTC; times of trading are the market's own, which in a replay is the past.

**Refusals** are `application/problem+json` (RFC 9457) with a stable `code`. What is another's is answered exactly like \
what does not exist: 404.

**Sending once.** Every POST, except those for tokens, needs an `Idempotency-Key` of your own making. Sent again with the same key and the same \
body it is answered as it was the first time, and nothing is done twice. A request that was refused with a 4xx changed \
nothing and does not use its key up. After a 5xx look at the account before you send it again under a new key. Keys are \
kept for seven days.

**Lists** are newest first. `next` and the `Link` header with `rel=\"next\"` lead to the next page.";

/// What the resources share. Cloning shares it.
#[derive(Clone)]
struct App(Arc<Parts>);

struct Parts {
    floor: Arc<Floor>,
    clock: Clock,
    instruments: BTreeMap<InstrumentId, Instrument>,
    streams: Arc<Semaphore>,
    bars: Semaphore,
    gatekeeper: Gatekeeper,
}

impl App {
    fn symbol(&self, id: InstrumentId) -> String {
        self.0.instruments.get(&id).map_or_else(|| "?".to_owned(), |i| i.symbol.clone())
    }
}

/// What operations are about.
#[derive(Tags)]
enum Tag {
    /// Who is signed in.
    Session,
    /// What programs show to speak for a person.
    Tokens,
    /// What can be traded, and at what price.
    Market,
    /// The strategies and rules that are offered.
    Plugins,
    /// Accounts, their money and their limits.
    Accounts,
    /// Orders: what was approved and sent.
    Orders,
    /// Positions, open and closed.
    Positions,
    /// Strategies that run on accounts.
    Deployments,
    /// Strategies on recorded prices, and what came of them.
    Backtests,
    /// What was wanted, what each rule answered, and why.
    Decisions,
    /// Expert Advisors for MetaTrader: what is offered, who may run it, where it runs.
    Licences,
    /// What was done at the brand.
    Admin,
}

type Resources = (
    session::Session,
    tokens::Tokens,
    market::Market,
    plugins::Plugins,
    releases::Releases,
    accounts::Accounts,
    books::Books,
    movements::Movements,
    kills::Kills,
    live::LiveAccount,
    orders::Orders,
    positions::Positions,
    (deployments::Deployments, succession::Succession, shadows::Shadows, usage::UsageReports),
    decisions::Decisions,
    backtests::Backtests,
    // A list has sixteen places; a list in it counts as one.
    (eas::Eas, ea_files::Files, policies::Policies, licences::Licences, activations::Activations, audit::Audit),
);

fn service() -> OpenApiService<Resources, ()> {
    let resources = (
        session::Session,
        tokens::Tokens,
        market::Market,
        plugins::Plugins,
        releases::Releases,
        accounts::Accounts,
        books::Books,
        movements::Movements,
        kills::Kills,
        live::LiveAccount,
        orders::Orders,
        positions::Positions,
        (deployments::Deployments, succession::Succession, shadows::Shadows, usage::UsageReports),
        decisions::Decisions,
        backtests::Backtests,
        (eas::Eas, ea_files::Files, policies::Policies, licences::Licences, activations::Activations, audit::Audit),
    );
    OpenApiService::new(resources, "Marque", "1.0").description(DESCRIPTION).url_prefix(PREFIX)
}

/// Where the API lies.
pub const PREFIX: &str = "/api/v1";

/// The OpenAPI document, as JSON.
#[must_use]
pub fn document() -> String {
    closed_bodies(service().spec())
}

/// Bodies are read strictly: a field that is not described is refused. The library does so and does not say so. Written
/// into the text, which keeps the order in which the document is meant to be read.
fn closed_bodies(mut spec: String) -> String {
    const PLACE: &str = "#/components/schemas/";
    let document: Value = serde_json::from_str(&spec).unwrap_or_default();
    let bodies: BTreeSet<&str> = operations(&document)
        .filter_map(|operation| operation.pointer("/requestBody/content")?.as_object())
        .flat_map(|kinds| kinds.values())
        .filter_map(|kind| kind.pointer("/schema/$ref")?.as_str()?.strip_prefix(PLACE))
        .collect();
    let parts: BTreeSet<&str> = bodies
        .iter()
        .filter_map(|body| document.pointer(&format!("/components/schemas/{body}/properties"))?.as_object())
        .flat_map(|properties| properties.values())
        .filter_map(|property| property.pointer("/allOf/0/$ref").or_else(|| property.get("$ref"))?.as_str())
        .filter_map(|reference| reference.strip_prefix(PLACE))
        .collect();
    for body in bodies.union(&parts) {
        let open = format!("\n      \"{body}\": {{\n        \"type\": \"object\",\n");
        let closed = format!("{open}        \"additionalProperties\": false,\n");
        spec = spec.replacen(&open, &closed, 1);
        let schema = document.pointer(&format!("/components/schemas/{body}")).unwrap_or(&Value::Null);
        spec = nullable(spec, &closed, schema);
    }
    spec
}

/// What may be left out may be null too, as programs write what they do not have.
fn nullable(mut spec: String, opening: &str, schema: &Value) -> String {
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let properties = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys());
    for name in properties.filter(|name| !required(name)) {
        let property = format!("\n          \"{name}\": {{\n");
        let place = spec.find(opening).and_then(|begin| Some(begin + spec.get(begin..)?.find(&property)?));
        if let Some(place) = place {
            spec.insert_str(place + property.len(), "            \"nullable\": true,\n");
        }
    }
    spec
}

/// Every operation of a document.
fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flat_map(|paths| paths.values());
    paths.filter_map(Value::as_object).flat_map(|methods| methods.values())
}

#[handler]
fn show_document(Data(document): Data<&Arc<str>>) -> poem::Response {
    // It is the same for everybody. A text would say that it is plain, beside what it is.
    Body::from_string(document.to_string())
        .with_content_type("application/json")
        .with_header("cache-control", "public, max-age=300")
        .into_response()
}

/// `/api/openapi.json` and everything below `/api/v1`, added to the routes of tenants: inside the identity layer
/// and the edge.
///
/// # Errors
/// [`Unauthorized`] when an operation does not stand in the authorization table; the server must not start.
pub fn routes(route: Route, floor: Arc<Floor>, clock: Clock) -> Result<Route, Unauthorized> {
    let document = document();
    authorization::check(&document)?;
    let instruments = floor.instruments().into_iter().map(|i| (i.id, i)).collect();
    let app = App(Arc::new(Parts {
        floor,
        clock,
        instruments,
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        bars: Semaphore::new(BARS_AT_ONCE),
        gatekeeper: Gatekeeper::new(),
    }));
    let api = guard::Guarded::new(&document, service().into_endpoint().data(app))?;
    let document: Arc<str> = document.into();
    Ok(route.at("/api/openapi.json", get(show_document).data(document)).nest(PREFIX, api))
}

#[cfg(test)]
mod tests;
