//! A refusal as OpenAPI describes it. The edge turns it into its answer, with the request's id.

use crate::{
    problem::{Problem, ProblemCode},
    trading::CommandError,
};
use marque_store::StoreError;
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type as _,
};
use std::collections::BTreeMap;

/// Why an operation did not do what it was asked.
#[derive(Debug)]
pub(super) struct Refused {
    problem: Problem,
    untouched: bool,
}

/// Carried by an error of an operation that surely changed nothing although its status does not say so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untouched;

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, untouched: false }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        let untouched = matches!(error, CommandError::Busy | CommandError::Refused(_));
        Self { problem: error.into(), untouched }
    }
}

impl From<Refused> for poem::Error {
    fn from(refused: Refused) -> Self {
        let mut error = Self::from(refused.problem);
        if refused.untouched {
            error.set_data(Untouched);
        }
        error
    }
}

/// Why a request was refused (RFC 9457).
#[derive(Object)]
#[oai(rename = "Problem")]
struct ProblemSchema {
    /// A path that explains the code.
    #[oai(rename = "type")]
    type_uri: String,
    /// The same for every occurrence.
    title: String,
    /// The HTTP status, repeated.
    status: u16,
    /// The stable code; programs may rely on it.
    code: String,
    /// What happened and what to do next.
    detail: String,
    /// The fields that are wrong.
    #[oai(skip_serializing_if_is_none)]
    errors: Option<Vec<FieldErrorSchema>>,
    /// What support needs to find it in the log.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<String>,
}

/// One field that is wrong.
#[derive(Object)]
#[oai(rename = "FieldError")]
struct FieldErrorSchema {
    /// The field's name: a JSON pointer.
    field: String,
    /// What is wrong and what would be right.
    detail: String,
}

/// What an operation of the API can be refused with.
const CODES: &[ProblemCode] = &[
    ProblemCode::BadRequest,
    ProblemCode::SignInRequired,
    ProblemCode::Forbidden,
    ProblemCode::NotFound,
    ProblemCode::MethodNotAllowed,
    ProblemCode::RequestTimeout,
    ProblemCode::Conflict,
    ProblemCode::TooLarge,
    ProblemCode::UnsupportedType,
    ProblemCode::UnknownHost,
    ProblemCode::Invalid,
    ProblemCode::TooManyRequests,
    ProblemCode::Internal,
    ProblemCode::Unavailable,
    ProblemCode::TimedOut,
];

impl ApiResponse for Refused {
    fn meta() -> MetaResponses {
        let by_status: BTreeMap<u16, &'static str> =
            CODES.iter().map(|code| (code.status().as_u16(), code.title())).collect();
        let response = |(status, description)| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: "application/problem+json",
                schema: ProblemSchema::schema_ref(),
            }],
            headers: vec![],
        };
        MetaResponses { responses: by_status.into_iter().map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemSchema::register(registry);
    }
}
