//! What every call of the API passes before its operation: the limits of who calls, and what is offered at its path.
//!
//! Knows each operation by method and path from the OpenAPI document, so that no operation can be forgotten.

use super::{PREFIX, authorization, authorization::Unauthorized};
use crate::{
    edge::{ClientAddress, Tenant},
    identity::{
        Identity, Operation, SignedIn, gate,
        limits::{self, Budget, By, Left},
    },
    problem::{self, Problem, ProblemCode},
};
use poem::{Endpoint, FromRequest as _, IntoResponse as _, Request, Response, http::Method};
use serde_json::Value;

/// An operation where it lies.
struct Place {
    /// The segments of its path; none is any text.
    segments: Vec<Option<String>>,
    method: Method,
    /// None where nobody need be signed in.
    operation: Option<Operation>,
}

impl Place {
    fn is_at(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        let same = self.segments.iter().all(|segment| match (segment, asked.next()) {
            (None, Some(text)) => !text.is_empty(),
            (Some(segment), Some(text)) => segment == text,
            (_, None) => false,
        });
        same && asked.next().is_none()
    }
}

/// The operations of the API behind their limits.
pub(super) struct Guarded<E> {
    places: Vec<Place>,
    inner: E,
}

impl<E> Guarded<E> {
    /// Puts the limits before the operations of a document.
    pub(super) fn new(document: &str, inner: E) -> Result<Self, Unauthorized> {
        Ok(Self { places: places(document)?, inner })
    }

    /// The methods that are offered at a path, as `Allow` lists them.
    fn allow(&self, path: &str) -> String {
        gate::allow(self.places.iter().filter(|place| place.is_at(path)).map(|place| &place.method))
    }
}

fn places(document: &str) -> Result<Vec<Place>, Unauthorized> {
    let document: Value = serde_json::from_str(document).map_err(|error| Unauthorized(error.to_string()))?;
    let mut places = Vec::new();
    for (path, methods) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let below = path.strip_prefix(PREFIX).unwrap_or(path);
        for (method, described) in methods.as_object().into_iter().flatten() {
            let missing = || Unauthorized(format!("{method} {path}"));
            let id = described.get("operationId").and_then(Value::as_str);
            let segment = |text: &str| (!text.starts_with('{')).then(|| text.to_owned());
            places.push(Place {
                segments: below.split('/').map(segment).collect(),
                method: method.to_ascii_uppercase().parse().map_err(|_| missing())?,
                operation: match id {
                    Some(id) if authorization::OPEN.contains(&id) => None,
                    id => Some(id.and_then(authorization::row).ok_or_else(missing)?),
                },
            });
        }
    }
    Ok(places)
}

impl<E: Endpoint> Endpoint for Guarded<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        let mut left = spend_call(&request).await?;
        let place = self.places.iter().find(|place| place.method == *request.method() && place.is_at(&path));
        if let Some(operation) = place.and_then(|place| place.operation)
            && let Some(traded) = gate::spend_trading(&request, operation).await?
        {
            left = traded.and(left);
        }
        match self.inner.call(request).await {
            Ok(answer) => {
                let mut response = answer.into_response();
                left.add_headers(&mut response);
                Ok(response)
            }
            Err(error) => Err(self.refusal(error, &path, &left)),
        }
    }
}

impl<E> Guarded<E> {
    /// The error of an operation, with what is left of the limits and, for a method that is not offered, what is.
    fn refusal(&self, error: poem::Error, path: &str, left: &Left) -> poem::Error {
        let known = error
            .downcast_ref::<Problem>()
            .is_some_and(|problem| problem.headers.iter().any(|(name, _)| *name == limits::POLICY));
        if known {
            return error;
        }
        let mut problem = problem::from_poem(error);
        if problem.code == ProblemCode::MethodNotAllowed {
            problem = Problem::not_offered(&self.allow(path));
        }
        problem.limits(left).into()
    }
}

/// Counts a call, of the person or, when nobody is signed in, of the address.
async fn spend_call(request: &Request) -> poem::Result<Left> {
    let tenant = Tenant::from_request_without_body(request).await?;
    let ClientAddress(address) = ClientAddress::from_request_without_body(request).await?;
    let identity = request.data::<Identity>().ok_or_else(|| Problem::internal(&OutsideLayer))?;
    let person = request.data::<SignedIn>().map(|who| who.user.to_string());
    let by = By { tenant: tenant.id, address, person: person.as_deref() };
    Ok(identity.limits().spend(Budget::Api, by, identity.now()).await?)
}

#[derive(Debug, thiserror::Error)]
#[error("the API is routed outside of `IdentityLayer`")]
struct OutsideLayer;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_that_of_one_operation() {
        let document = crate::api::document();
        let guarded = Guarded::new(&document, ()).unwrap();
        let table = [
            ("/accounts", "GET, HEAD, POST"),
            ("/accounts/acc_1", "GET, HEAD"),
            ("/accounts/acc_1/orders", "GET, HEAD, POST"),
            ("/positions/pos_1/close", "POST"),
            ("/accounts/", ""),
            ("/accounts//orders", ""),
            ("/accounts/acc_1/orders/x", ""),
            ("/nothing", ""),
        ];
        for (path, want) in table {
            assert_eq!(guarded.allow(path), want, "{path}");
        }
    }

    #[test]
    fn an_operation_without_a_row_stops_the_boot() {
        let document = r#"{"paths": {"/api/v1/x": {"get": {"operationId": "grow"}}}}"#;
        let refused = Guarded::new(document, ()).err();
        assert_eq!(refused, Some(Unauthorized("get /api/v1/x".to_owned())));
    }
}
