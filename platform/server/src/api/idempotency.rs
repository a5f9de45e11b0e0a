//! Requests that may be sent twice and count once.
//!
//! The first request with a key runs to its end even when its client goes away; its answer is kept and given again.
//! A refusal that changed nothing gives the key back.

use super::refused::Untouched;
use crate::{
    identity::SignedIn,
    problem::{self, Problem, ProblemCode},
};
use marque_domain::{
    id::UserId,
    time::{MINUTE_MS, Millis},
};
use marque_store::{KeyUse, StoreError, TenantDb};
use poem::{Body, Endpoint, IntoResponse as _, Request, Response, http::StatusCode};
use sha2::{Digest as _, Sha256};
use std::{sync::Arc, time::Duration};

/// The header.
pub(super) const HEADER: &str = "idempotency-key";
const KEY_MAX: usize = 255;
/// How often, and after which pauses, an answer is offered again that could not be kept.
const FINISH_TRIES: u32 = 600;
const FINISH_PAUSE: Duration = Duration::from_secs(1);
/// How long a key is kept with its answer.
const KEPT_MS: i64 = crate::housekeeping::KEYS_KEPT_MS;

/// Wraps an operation so that a request with a known key is not carried out again.
pub(super) fn once<E: Endpoint<Output = Response> + 'static>(inner: E) -> Once<E> {
    Once(Arc::new(inner))
}

/// An operation that counts once for each key.
pub(super) struct Once<E>(Arc<E>);

impl<E: Endpoint<Output = Response> + 'static> Endpoint for Once<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let who = SignedIn::of(&request)?;
        let clock = request.data::<super::App>().map(|app| app.0.clock.clone());
        let clock = clock.ok_or_else(|| Problem::internal(&OutsideApi))?;
        let key = key_of(&request)?;
        let body = request.take_body().into_bytes().await?;
        let fingerprint = fingerprint(&request, &body);
        request.set_body(Body::from_bytes(body));
        let used = who.db().begin_key(who.user, &key, fingerprint, clock.now()).await.map_err(Problem::from)?;
        match used {
            KeyUse::Fresh => {
                if fingerprint.first() == Some(&0) {
                    forget_old(who.db(), clock.now()).await;
                }
                self.first(request, who, key).await
            }
            KeyUse::Answered { status, body } => Ok(replay(status, body)?),
            KeyUse::Pending { since } => Err(pending(clock.now().since(since)).into()),
            KeyUse::Mismatch => Err(Problem::new(
                ProblemCode::IdempotencyMismatch,
                "Use a new key for a new request; send the first request's address and body to see its answer again.",
            )
            .into()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("an operation that counts once is routed outside of `api::routes`")]
struct OutsideApi;

impl<E: Endpoint<Output = Response> + 'static> Once<E> {
    async fn first(&self, request: Request, who: SignedIn, key: String) -> poem::Result<Response> {
        let inner = Arc::clone(&self.0);
        // A task of its own: a client that goes away leaves no request half recorded.
        let work = tokio::spawn(async move {
            let result = inner.call(request).await;
            keep(who.db(), &who, &key, result).await
        });
        work.await.map_err(|error| Problem::internal(&error))?
    }
}

/// Keeps the answer with the key, or gives the key back when nothing was changed.
async fn keep(db: &TenantDb, who: &SignedIn, key: &str, result: poem::Result<Response>) -> poem::Result<Response> {
    let response = match result {
        Ok(response) => response,
        Err(error) => {
            let untouched = error.data::<Untouched>().is_some();
            let problem = problem::from_poem(error);
            if untouched || problem.code.status().is_client_error() {
                release(db, who, key).await;
            } else {
                let body = serde_json::to_vec(&problem.body(None)).unwrap_or_default();
                finish(db, who, key, problem.code.status(), &body).await;
            }
            return Err(problem.into());
        }
    };
    let (parts, body) = response.into_parts();
    let body = body.into_bytes().await.map_err(|error| Problem::internal(&error))?;
    finish(db, who, key, parts.status, &body).await;
    Ok(Response::from_parts(parts, Body::from_bytes(body)))
}

/// Takes out keys that nobody will send again. One request of 256 does it, so that the table stays as small as a
/// week's requests without a job of its own.
async fn forget_old(db: &TenantDb, now: Millis) {
    if let Err(error) = db.forget_keys(now.plus(-KEPT_MS)).await {
        tracing::warn!(%error, "old idempotency keys could not be forgotten");
    }
}

async fn finish(db: &TenantDb, who: &SignedIn, key: &str, status: StatusCode, body: &[u8]) {
    // What was asked for is done and committed. That its answer cannot be kept must not hide that: the key stays
    // taken, so that nothing is done twice.
    if let Err(error) = db.finish_key(who.user, key, status.as_u16(), body).await {
        tracing::error!(%error, "an answer could not be kept with its idempotency key");
        tokio::spawn(finish_later(db.clone(), who.user, key.to_owned(), status.as_u16(), body.to_vec()));
    }
}

/// Tries again until the database takes it. Few wait so: without the database no request gets as far as an answer.
async fn finish_later(db: TenantDb, user: UserId, key: String, status: u16, body: Vec<u8>) {
    for _ in 0..FINISH_TRIES {
        tokio::time::sleep(FINISH_PAUSE).await;
        match db.finish_key(user, &key, status, &body).await {
            Err(StoreError::Unavailable { .. } | StoreError::Uncertain { .. }) => {}
            // Kept, or there is nothing any more to keep it with.
            _ => return,
        }
    }
}

async fn release(db: &TenantDb, who: &SignedIn, key: &str) {
    if let Err(error) = db.release_key(who.user, key).await {
        tracing::error!(%error, "an idempotency key could not be given back");
    }
}

fn replay(status: u16, body: Vec<u8>) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(status).map_err(|error| Problem::internal(&error))?;
    let kind = if status.is_success() { "application/json; charset=utf-8" } else { "application/problem+json" };
    Ok(Body::from_vec(body).with_content_type(kind).with_status(status).into_response())
}

fn pending(for_ms: i64) -> Problem {
    if for_ms < MINUTE_MS {
        return Problem::new(ProblemCode::IdempotencyInFlight, "Wait for the first request's answer, then ask again.")
            .retry_after_s(1);
    }
    Problem::new(
        ProblemCode::IdempotencyInFlight,
        "The first request was cut off. Look whether it was carried out; if not, send it under a new key.",
    )
}

/// What tells one request from another: who wrote the body does not matter, what it asks for does.
fn fingerprint(request: &Request, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(request.method().as_str());
    hash.update([0]);
    hash.update(request.original_uri().path_and_query().map_or("/", |path| path.as_str()));
    hash.update([0]);
    hash.update(body);
    hash.finalize().into()
}

fn key_of(request: &Request) -> Result<String, Problem> {
    let mut keys = request.headers().get_all(HEADER).iter();
    let Some(key) = keys.next() else {
        return Err(Problem::new(
            ProblemCode::IdempotencyKeyMissing,
            "Send a header Idempotency-Key with a text of your own that no other request has, such as a UUID.",
        ));
    };
    let key = key.as_bytes();
    if keys.next().is_some() || key.is_empty() || key.len() > KEY_MAX || !key.iter().all(u8::is_ascii_graphic) {
        return Err(Problem::new(ProblemCode::BadRequest, "Send one Idempotency-Key.")
            .field("Idempotency-Key", "1 to 255 visible ASCII characters without spaces"));
    }
    Ok(key.iter().map(|byte| char::from(*byte)).collect())
}
