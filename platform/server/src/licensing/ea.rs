//! `/api/ea/v1`: the endpoints that EAs ask. `ea/protocol.md` is the contract; nobody is signed in here, the signature of
//! each request speaks for itself.

use super::{
    From, Licensing,
    ask::{Ask, Operation},
    document,
    fields::is_number,
    flat::Fields,
};
use crate::{
    edge::{ClientAddress, Tenant},
    identity::gate,
    problem::{Problem, ProblemCode},
};
use poem::{
    Body, Endpoint, Request, Response,
    http::{HeaderName, HeaderValue, Method, header},
};

/// Where the endpoints lie.
pub const PREFIX: &str = "/api/ea/v1";
/// The header that carries a signature.
const SIGNATURE: HeaderName = HeaderName::from_static("marque-signature");
pub(super) const BODY_BYTES_MAX: usize = 8_192;
const ADDRESS_CHARS_MAX: usize = 1_024;
/// Headers of an answer, those of the edge included.
const HEADERS_USUAL: usize = 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whether a path is one of ours.
#[must_use]
pub fn is_ours(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The endpoints.
pub struct Ea(Licensing);

impl Ea {
    /// Over what answers them.
    #[must_use]
    pub const fn new(licensing: Licensing) -> Self {
        Self(licensing)
    }
}

/// What a path names.
enum Named {
    Keys,
    Document,
    Operation(Operation),
}

fn named(path: &str) -> Option<Named> {
    let name = path.strip_prefix(PREFIX).unwrap_or(path).strip_prefix('/')?;
    match name {
        "keys" => Some(Named::Keys),
        "openapi.json" => Some(Named::Document),
        _ => Operation::ALL.into_iter().find(|operation| operation.name() == name).map(Named::Operation),
    }
}

impl Endpoint for Ea {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let tenant = Tenant::of(&request)?.clone();
        match named(request.uri().path()).ok_or_else(Problem::not_found)? {
            Named::Keys if request.method() == Method::GET => Ok(self.0.public_keys(tenant.db()).await?),
            Named::Document if request.method() == Method::GET => Ok(document::answer()),
            Named::Keys | Named::Document => Err(Problem::not_offered(&gate::allow(&[Method::GET])).into()),
            Named::Operation(operation) if !operation.methods().contains(request.method()) => {
                Err(Problem::not_offered(&gate::allow(operation.methods())).into())
            }
            Named::Operation(operation) => {
                let payload = payload(&mut request)?.into_bytes().await?;
                if payload.len() > BODY_BYTES_MAX {
                    return Err(too_large().into());
                }
                let fields = fields(&request, &payload)?;
                let ask = Ask::read(operation, &fields)?;
                let ClientAddress(address) = ClientAddress::of(&request)?;
                let signature = request.header(SIGNATURE).unwrap_or_default();
                let from = From { db: tenant.db(), address };
                let (signed, left) = self.0.answer(from, operation, &ask, &payload, signature).await?;
                let signature = HeaderValue::try_from(signed.header).map_err(|_| Problem::internal(&NoHeader))?;
                let mut response = Response::builder().body(signed.body);
                let headers = response.headers_mut();
                headers.reserve(HEADERS_USUAL);
                headers.insert(header::CONTENT_TYPE, JSON);
                headers.insert(SIGNATURE, signature);
                left.add_headers(&mut response);
                Ok(response)
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a signature cannot be written as a header")]
struct NoHeader;

impl Licensing {
    async fn public_keys(&self, db: &marque_store::TenantDb) -> Result<Response, Problem> {
        let keys = self.0.signers.of(db).await?.published();
        Ok(Response::builder().header(header::CONTENT_TYPE, JSON).body(keys))
    }
}

fn unreadable() -> Problem {
    Problem::new(ProblemCode::BadRequest, "Send one flat JSON object.")
}

fn too_large() -> Problem {
    Problem::new(ProblemCode::TooLarge, format!("Send at most {BODY_BYTES_MAX} bytes."))
}

/// The bytes that are signed: a query, or a body that the edge has read.
fn payload(request: &mut Request) -> Result<Body, Problem> {
    if *request.method() == Method::GET {
        let address = request.original_uri().path_and_query().map_or("", |path| path.as_str());
        if address.chars().count() > ADDRESS_CHARS_MAX {
            return Err(Problem::new(ProblemCode::BadRequest, "The address is too long; use POST."));
        }
        return Ok(Body::from_vec(request.uri().query().unwrap_or_default().as_bytes().to_vec()));
    }
    let kind = request.header(header::CONTENT_TYPE).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(ProblemCode::UnsupportedType, "Send application/json."));
    }
    Ok(request.take_body())
}

/// The fields of a request.
fn fields<'a>(request: &Request, payload: &'a [u8]) -> Result<Fields<'a>, Problem> {
    if *request.method() == Method::GET {
        let pairs = request.params::<Vec<(String, String)>>().map_err(|_| unreadable())?;
        return Fields::of_query(pairs, is_number).ok_or_else(unreadable);
    }
    Fields::of_json(payload).ok_or_else(unreadable)
}
