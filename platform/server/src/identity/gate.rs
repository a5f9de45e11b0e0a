//! The routes of pages, each with who may ask for it: a page cannot be routed without saying so.
//!
//! Owns: the check before a page's handler runs, the limit on acts of trading, and `Allow` where a method is not
//! offered. The handler still asks
//! [`SignedIn::may`] for whose rows it reaches.

use super::{
    Identity, Operation, Scope, SignedIn,
    limits::{Budget, By, Left},
};
use crate::{edge::ClientAddress, problem::Problem};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};
use poem::{
    Endpoint, FromRequest as _, IntoEndpoint, IntoResponse as _, Request, Response, Route, RouteMethod,
    error::MethodNotAllowedError, http::Method,
};

/// Who may ask for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, signed in or not.
    Public,
    /// Who may do this, by the table.
    May(Operation),
}

impl Access {
    fn check(self, request: &Request) -> Result<(), Problem> {
        let Self::May(operation) = self else { return Ok(()) };
        SignedIn::of(request)?.may(operation).map(drop)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::May(operation) => f.write_str(operation.code()),
        }
    }
}

/// The methods of one path. Begins with [`public`] or [`may`].
pub struct Gate {
    access: Access,
    methods: RouteMethod,
    rows: Vec<(Method, Access)>,
}

/// What follows is for anybody.
#[must_use]
pub fn public() -> Gate {
    Gate { access: Access::Public, methods: RouteMethod::new(), rows: Vec::new() }
}

/// What follows is for who may do this.
#[must_use]
pub fn may(operation: Operation) -> Gate {
    Gate { access: Access::May(operation), ..public() }
}

impl Gate {
    /// What follows stands under another row.
    #[must_use]
    pub fn and(self, operation: Operation) -> Self {
        Self { access: Access::May(operation), ..self }
    }

    /// Answers GET.
    #[must_use]
    pub fn get<E>(mut self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.rows.push((Method::GET, self.access));
        let guarded = Guarded { access: self.access, inner: endpoint.into_endpoint() };
        Self { methods: self.methods.get(guarded), ..self }
    }

    /// Answers POST.
    #[must_use]
    pub fn post<E>(mut self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.rows.push((Method::POST, self.access));
        let guarded = Guarded { access: self.access, inner: endpoint.into_endpoint() };
        Self { methods: self.methods.post(guarded), ..self }
    }
}

struct Guarded<E> {
    access: Access,
    inner: E,
}

impl<E: Endpoint> Endpoint for Guarded<E> {
    type Output = E::Output;

    async fn call(&self, request: Request) -> poem::Result<E::Output> {
        self.access.check(&request)?;
        if let Access::May(operation) = self.access {
            spend_trading(&request, operation).await?;
        }
        self.inner.call(request).await
    }
}

/// Counts an act of trading; anything else is let through.
pub(crate) async fn spend_trading(request: &Request, operation: Operation) -> Result<Option<Left>, Problem> {
    let (Some(identity), Some(who)) = (request.data::<Identity>(), request.data::<SignedIn>()) else { return Ok(None) };
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // Nobody waits to pull the brake.
    if safe || operation.scope() != Scope::Trade || operation == Operation::PressKill {
        return Ok(None);
    }
    let address = ClientAddress::from_request_without_body(request).await.map_or(UNKNOWN, |client| client.0);
    let person = who.user.to_string();
    let by = By { tenant: who.tenant.id, address, person: Some(&person) };
    identity.limits().spend(Budget::Trading, by, identity.now()).await.map(Some)
}

/// Stands for an address that is not known; who shares it shares its limits.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The methods of a path, and what they are when another was asked for.
struct Offered {
    methods: RouteMethod,
    allow: String,
}

impl Endpoint for Offered {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        match self.methods.call(request).await {
            Err(error) if error.is::<MethodNotAllowedError>() => Err(Problem::not_offered(&self.allow).into()),
            answer => Ok(answer?.into_response()),
        }
    }
}

/// The value of `Allow` for methods: where there is GET there is HEAD.
pub(crate) fn allow<'a>(methods: impl IntoIterator<Item = &'a Method>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for method in methods {
        names.push(method.as_str());
        if *method == Method::GET {
            names.push(Method::HEAD.as_str());
        }
    }
    names.join(", ")
}

/// A page: its method, its path, and who may ask for it.
pub type PageRow = (Method, String, Access);

/// Pages with who may ask for them.
#[derive(Default)]
pub struct Pages {
    route: Route,
    rows: Vec<PageRow>,
}

impl Pages {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path. A path that is there already is a fault of ours that stops the boot.
    #[must_use]
    pub fn at(mut self, path: &str, gate: Gate) -> Self {
        let allow = allow(gate.rows.iter().map(|(method, _)| method));
        self.rows.extend(gate.rows.into_iter().map(|(method, access)| (method, path.to_owned(), access)));
        Self { route: self.route.at(path, Offered { methods: gate.methods, allow }), ..self }
    }

    /// Every page, in the order of the routes.
    #[must_use]
    pub fn rows(&self) -> &[PageRow] {
        &self.rows
    }

    /// The routes.
    #[must_use]
    pub fn into_route(self) -> Route {
        self.route
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem::{handler, http::StatusCode};

    #[handler]
    fn hello() -> &'static str {
        "hello"
    }

    async fn ask(route: &Route, method: Method, path: &str) -> (StatusCode, Option<String>) {
        let request = Request::builder().method(method).uri_str(path).finish();
        match route.call(request).await {
            Ok(answer) => (answer.status(), None),
            Err(error) => {
                let problem = crate::problem::from_poem(error);
                let answer = problem.to_json_response(None);
                (answer.status(), answer.header("allow").map(str::to_owned))
            }
        }
    }

    #[tokio::test]
    async fn a_page_is_for_whom_its_row_says() {
        let pages = Pages::new()
            .at("/", public().get(hello))
            .at("/people", may(Operation::ReadPeople).get(hello).and(Operation::InvitePerson).post(hello));
        let rows: Vec<_> = pages.rows().iter().map(|(m, p, a)| format!("{m} {p} {a}")).collect();
        assert_eq!(rows, ["GET / public", "GET /people read_people", "POST /people invite_person"]);
        let route = pages.into_route();
        assert_eq!(ask(&route, Method::GET, "/").await, (StatusCode::OK, None));
        assert_eq!(ask(&route, Method::HEAD, "/").await, (StatusCode::OK, None));
        for method in [Method::GET, Method::HEAD, Method::POST] {
            assert_eq!(ask(&route, method, "/people").await, (StatusCode::UNAUTHORIZED, None));
        }
        assert_eq!(ask(&route, Method::POST, "/").await, (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD".into())));
        let all = Some("GET, HEAD, POST".to_owned());
        assert_eq!(ask(&route, Method::DELETE, "/people").await, (StatusCode::METHOD_NOT_ALLOWED, all));
    }
}
