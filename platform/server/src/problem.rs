//! Every refusal and failure the server can answer with, in one place: stable codes, RFC 9457 bodies.
//!
//! Owns: the table of codes, what of an error a client may see. Refuses to know how a page looks; `edge`
//! decides whether an answer is JSON or a page and hands the problem on.

use crate::identity::limits::{self, Left};
use core::fmt;
use marque_store::StoreError;
use poem::{
    Body, Response,
    error::ResponseError,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use serde::Serialize;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident, $code:literal, $status:ident, $title:literal;)*) => {
        /// What went wrong, as a stable code. Programs may rely on the code and the status, never on texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[doc = $doc])* $name,)*
        }

        impl ProblemCode {
            /// All of them, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it means, for people: the page that [`ProblemCode::type_uri`] leads to says it.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_start(),)* }
            }

            /// A short sentence that is the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The request is malformed.
    BadRequest, "bad-request", BAD_REQUEST, "The request could not be read";
    /// The request names no host, or not exactly one.
    BadHost, "bad-host", BAD_REQUEST, "The request names no valid host";
    /// `Idempotency-Key` is required here.
    IdempotencyKeyMissing, "idempotency-key-missing", BAD_REQUEST, "An Idempotency-Key header is needed";
    /// Nobody is signed in, or the session has ended.
    SignInRequired, "sign-in-required", UNAUTHORIZED, "Sign in first";
    /// E-mail and password do not belong together.
    WrongCredentials, "wrong-credentials", UNAUTHORIZED, "E-mail and password do not match";
    /// The person may not sign in.
    Suspended, "suspended", FORBIDDEN, "Your access is suspended";
    /// Signed in, but too long ago for this.
    StepUpRequired, "step-up-required", FORBIDDEN, "Confirm that it is you first";
    /// The password is right, and a second proof is asked for besides.
    CodeRequired, "code-required", UNAUTHORIZED, "A code of your second factor is needed";
    /// A token that is not known here, has ended, or is of the wrong kind.
    InvalidToken, "invalid-token", UNAUTHORIZED, "This token opens nothing here";
    /// The signature of an EA's request does not fit, or its key is not known.
    SignatureRefused, "signature-refused", UNAUTHORIZED, "The signature does not fit the request";
    /// The key that an EA's request was signed with was retired.
    KeyRetired, "key-retired", UNAUTHORIZED, "This key was retired";
    /// A program shows a token that is not meant for this.
    ScopeMissing, "scope-missing", FORBIDDEN, "This token is not for that";
    /// Signed in, but this role may not.
    Forbidden, "forbidden", FORBIDDEN, "Your role does not allow this";
    /// Tried often: a question must be answered as well.
    QuestionAsked, "question-asked", FORBIDDEN, "Answer the question as well";
    /// The form or call does not come from this site's own page.
    CsrfRefused, "csrf-refused", FORBIDDEN, "The request does not come from this site's own page";
    /// The call came over plain http.
    HttpsRequired, "https-required", FORBIDDEN, "This is served over https only";
    /// What another site said of somebody does not let them in.
    SsoRefused, "sso-refused", FORBIDDEN, "Signing in by another site did not work";
    /// The person's address is not confirmed yet.
    VerificationRequired, "verification-required", FORBIDDEN, "Confirm your address first";
    /// No licence and no plan of the person's gives them this file now.
    NotEntitled, "not-entitled", FORBIDDEN, "Your licence does not include this now";
    /// The plan does not open this.
    PlanRefused, "plan-refused", FORBIDDEN, "Your plan does not include this";
    /// There is no such page or row, or it is another's: the two are answered alike.
    NotFound, "not-found", NOT_FOUND, "There is nothing here";
    /// The path exists, the method does not.
    MethodNotAllowed, "method-not-allowed", METHOD_NOT_ALLOWED, "This method is not offered here";
    /// None of the offered formats is acceptable.
    NotAcceptable, "not-acceptable", NOT_ACCEPTABLE, "None of the offered formats is accepted";
    /// The client took too long to send its request.
    RequestTimeout, "request-timeout", REQUEST_TIMEOUT, "The request took too long to arrive";
    /// The state of the resource does not allow this now.
    Conflict, "conflict", CONFLICT, "This is not possible in the present state";
    /// A request with the same `Idempotency-Key` is being worked on.
    IdempotencyInFlight, "idempotency-in-flight", CONFLICT, "The same request is still being worked on";
    /// The version of an Expert Advisor was withdrawn, and nobody gets its files any more.
    VersionWithdrawn, "version-withdrawn", CONFLICT, "This version was withdrawn";
    /// A link from a mail, or to a file, was used before or has ended.
    LinkEnded, "link-ended", GONE, "This link does not work any more";
    /// The body is larger than is read here.
    TooLarge, "too-large", PAYLOAD_TOO_LARGE, "The request is too large";
    /// The body's type is not read here.
    UnsupportedType, "unsupported-type", UNSUPPORTED_MEDIA_TYPE, "This kind of body is not read here";
    /// No tenant has this host.
    UnknownHost, "unknown-host", MISDIRECTED_REQUEST, "No site has this address";
    /// Fields are missing or wrong; `errors` names them.
    Invalid, "invalid", UNPROCESSABLE_ENTITY, "Some fields are not valid";
    /// The key was used with another body.
    IdempotencyMismatch, "idempotency-mismatch", UNPROCESSABLE_ENTITY, "This Idempotency-Key was used for another request";
    /// Too many attempts; `Retry-After` says when to come back.
    TooManyRequests, "too-many-requests", TOO_MANY_REQUESTS, "Too many requests";
    /// A fault of ours. The log has the cause under the request's id.
    Internal, "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side";
    /// Something this server needs does not answer.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "The service is not available right now";
    /// The tenant is closed.
    TenantClosed, "tenant-closed", SERVICE_UNAVAILABLE, "This site is closed for now";
    /// The work took longer than allowed.
    TimedOut, "timed-out", GATEWAY_TIMEOUT, "The answer took too long";
}

impl ProblemCode {
    /// The `type` member: a path of this server that explains the code.
    #[must_use]
    pub fn type_uri(self) -> String {
        format!("/problems/{}", self.code())
    }

    /// The one of a stable text.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name as the client sent it: a JSON pointer or a form field.
    pub field: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// A refusal or failure as a client sees it. Causes that a client must not see go to the log instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub code: ProblemCode,
    /// What happened this time and what to do next.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
    /// Seconds after which a further try makes sense.
    pub retry_after_s: Option<u64>,
    /// Headers that go with it: what is offered instead, which limits were reached.
    pub headers: Vec<(HeaderName, String)>,
}

impl Problem {
    /// A problem with what to do next.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_s: None, headers: Vec::new() }
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        self
    }

    /// Says after how many seconds a further try makes sense.
    #[must_use]
    pub const fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Says which limits were reached.
    #[must_use]
    pub fn limits(mut self, left: &Left) -> Self {
        self.headers.extend([(limits::POLICY, left.policy()), (limits::REMAINING, left.remaining())]);
        self
    }

    /// There is nothing here, or nothing for you: the two are answered alike.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ProblemCode::NotFound, "Check the address; what it named may have been removed, or may not be yours.")
    }

    /// The path is there, the method is not; these are.
    #[must_use]
    pub fn not_offered(allow: &str) -> Self {
        let detail = format!("Use one of these methods: {allow}.");
        let headers = vec![(header::ALLOW, allow.to_owned())];
        Self { headers, ..Self::new(ProblemCode::MethodNotAllowed, detail) }
    }

    /// Logs `cause` and answers with a fault of ours that shows nothing of it.
    #[must_use]
    pub fn internal(cause: &dyn core::error::Error) -> Self {
        tracing::error!(error = %Chain(cause), "internal fault");
        Self::new(ProblemCode::Internal, "Try again; if it stays, tell support the request id of this answer.")
    }

    /// The RFC 9457 body.
    #[must_use]
    pub fn body(&self, request_id: Option<&str>) -> ProblemBody {
        ProblemBody {
            type_uri: self.code.type_uri(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.code(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The answer as `application/problem+json`.
    #[must_use]
    pub fn to_json_response(&self, request_id: Option<&str>) -> Response {
        let body = serde_json::to_vec(&self.body(request_id)).unwrap_or_default();
        let mut response = Response::builder()
            .status(self.code.status())
            .header(header::CONTENT_TYPE, "application/problem+json")
            .body(Body::from_vec(body));
        if self.code.status() == StatusCode::UNAUTHORIZED {
            // RFC 9110 asks for it. Not on pages: there a person signs in.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        self.add_headers(&mut response);
        response
    }

    /// Sets the headers that go with the problem whatever its body is.
    pub fn add_headers(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.title(), self.detail)
    }
}

impl core::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        self.to_json_response(None)
    }
}

impl From<StoreError> for Problem {
    /// A row that is not there is not found; what the database cannot do now may work later; the rest is ours.
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound(_) => Self::not_found(),
            // The database's own words name tables; they stay in the log.
            StoreError::Conflict(detail) => {
                tracing::info!(detail, "refused as already taken");
                Self::new(ProblemCode::Conflict, "Something else already has this name or key; choose another.")
            }
            StoreError::Unavailable { .. } | StoreError::Uncertain { .. } => {
                tracing::error!(error = %Chain(&error), "the database is not available");
                Self::new(ProblemCode::Unavailable, "Try again in a moment.").retry_after_s(5)
            }
            _ => Self::internal(&error),
        }
    }
}

/// The members of a problem+json body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemBody {
    /// A path that explains the code.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The same for every occurrence.
    pub title: &'static str,
    /// The HTTP status, repeated.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What happened and what to do next.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What support needs to find it in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Turns any error of a handler or of poem into a problem. A text of poem is shown only where it tells the
/// client what it sent wrong; everything that is our fault is logged and hidden.
#[must_use]
pub fn from_poem(error: poem::Error) -> Problem {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone();
    }
    let status = error.status();
    let text = error.to_string();
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::UNAUTHORIZED => Problem::new(ProblemCode::SignInRequired, "Sign in and send the request again."),
        StatusCode::FORBIDDEN => {
            Problem::new(ProblemCode::Forbidden, "Ask an owner of this site for the right to do it.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(ProblemCode::MethodNotAllowed, "Use a method that the API description lists for this path.")
        }
        StatusCode::NOT_ACCEPTABLE => Problem::new(ProblemCode::NotAcceptable, "Accept application/json or text/html."),
        StatusCode::REQUEST_TIMEOUT => Problem::new(ProblemCode::RequestTimeout, "Send the request again."),
        StatusCode::CONFLICT => Problem::new(ProblemCode::Conflict, text),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemCode::TooLarge, "Send less at once."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(ProblemCode::UnsupportedType, text),
        StatusCode::UNPROCESSABLE_ENTITY => Problem::new(ProblemCode::Invalid, text),
        StatusCode::TOO_MANY_REQUESTS => Problem::new(ProblemCode::TooManyRequests, "Wait a little and try again."),
        StatusCode::SERVICE_UNAVAILABLE => Problem::new(ProblemCode::Unavailable, "Try again in a moment."),
        status if status.is_client_error() => Problem::new(ProblemCode::BadRequest, text),
        _ => Problem::internal(&error),
    }
}

/// An error with its causes, for the log.
pub struct Chain<'a>(pub &'a dyn core::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_codes_are_stable() {
        let table: String =
            ProblemCode::ALL.iter().map(|p| format!("{} {} {}\n", p.status().as_u16(), p.code(), p.title())).collect();
        insta::assert_snapshot!(table);
        let unique: BTreeSet<_> = ProblemCode::ALL.iter().map(|p| p.code()).collect();
        assert_eq!(unique.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            let meaning = code.meaning();
            assert!(
                meaning.len() > 20 && meaning.ends_with('.') && !meaning.contains("[`"),
                "{meaning:?} is no sentence"
            );
            assert_eq!(ProblemCode::named(code.code()), Some(*code));
        }
        assert_eq!(ProblemCode::named("none"), None);
    }

    #[tokio::test]
    async fn a_body_has_the_members_of_rfc_9457() {
        let problem = Problem::new(ProblemCode::Invalid, "Correct the fields.")
            .field("/lots", "must be a multiple of 0.01")
            .retry_after_s(3);
        let response = problem.to_json_response(Some("r1"));
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert_eq!(response.header("retry-after"), Some("3"));
        insta::assert_snapshot!(response.into_body().into_string().await.unwrap());
    }

    #[test]
    fn our_own_faults_show_nothing() {
        let leak = std::io::Error::other("password of database is hunter2");
        for error in [poem::error::InternalServerError(leak), poem::Error::from_status(StatusCode::NOT_IMPLEMENTED)] {
            let problem = from_poem(error);
            assert_eq!(problem.code, ProblemCode::Internal);
            assert!(!problem.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn errors_of_poem_keep_their_status() {
        for status in [400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(from_poem(poem::Error::from_status(status)).code.status(), status);
        }
        assert_eq!(from_poem(poem::error::NotFoundError.into()).code, ProblemCode::NotFound);
        let own = Problem::new(ProblemCode::UnknownHost, "x");
        assert_eq!(from_poem(own.clone().into()), own);
    }
}
