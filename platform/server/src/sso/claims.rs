//! Whether an ID token says who somebody is: pure decisions over a token, an issuer's keys and the time.
//!
//! The library checks signature, issuer, audience, expiry and nonce when it is told with what; this module tells it, and
//! adds what it leaves open: which algorithms, `at_hash`, `azp`, when the token was made, and when the person was asked.

use super::{Refused, provider::Metadata};
use marque_domain::time::{MINUTE_MS, Millis};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, ClientId, IdToken, IdTokenClaims, Nonce,
    core::{CoreGenderClaim, CoreIdTokenVerifier, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

/// How far an issuer's clock may be ahead of ours.
const CLOCK_SKEW_MS: i64 = 2 * MINUTE_MS;
/// How old a token may be when it reaches us: it comes straight from the issuer, which has just made it.
const AGE_MS_MAX: i64 = 10 * MINUTE_MS;
/// OpenID Connect Core, section 2.
const SUBJECT_BYTES_MAX: usize = 255;

/// Signatures with a key that only the issuer has. Never `none`, never one made with a secret that we also know.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What a token says beyond OpenID Connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct More {
    /// Google's: the domain whose organisation the person belongs to. Read as whatever it is, for it may mean something else elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hd: Option<Value>,
}

impl AdditionalClaims for More {}

/// A token as it comes.
pub(super) type Token = IdToken<More, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
/// What it says.
pub(super) type Claims = IdTokenClaims<More, CoreGenderClaim>;

/// Google's word of whose organisation somebody belongs to, where it gives one.
pub(super) fn organisation(claims: &Claims) -> Option<String> {
    claims.additional_claims().hd.as_ref()?.as_str().map(str::to_owned)
}

/// What a token must fit.
pub(super) struct Expected<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a AccessToken,
    /// When the issuer was told to ask the person anew.
    pub(super) asked_at: Option<Millis>,
    pub(super) now: Millis,
}

/// Verifies a token and answers what it says.
pub(super) fn verify(token: &Token, expected: &Expected<'_>) -> Result<Claims, Refused> {
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(expected.now.0).unwrap_or_default());
    // A public client's verifier knows no secret, so no token can be signed with it.
    let verifier = CoreIdTokenVerifier::new_public_client(
        ClientId::new(expected.client_id.to_owned()),
        expected.metadata.issuer().clone(),
        expected.metadata.jwks().clone(),
    )
    .set_allowed_algs(ALGORITHMS)
    .set_time_fn(|| now.into());
    let claims = token.claims(&verifier, &Nonce::new(expected.nonce.to_owned())).map_err(Refused::Token)?;
    check_maker(claims, expected)?;
    check_shown(claims, expected)?;
    check_access_token(token, claims, &verifier, expected.access_token)?;
    Ok(claims.clone())
}

fn check_maker(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refused> {
    // Made for another client, though we are among those who may read it.
    if claims.authorized_party().is_some_and(|party| party.as_str() != expected.client_id) {
        return Err(Refused::OtherClient);
    }
    let age_ms = expected.now.since(Millis(claims.issue_time().timestamp_millis()));
    if !(-CLOCK_SKEW_MS..=AGE_MS_MAX).contains(&age_ms) {
        return Err(Refused::Stale);
    }
    let subject = claims.subject().as_str();
    let good =
        (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && subject.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if good { Ok(()) } else { Err(Refused::Subject) }
}

/// When the person last showed the issuer who they are, where it says.
pub(super) fn shown_at(claims: &Claims) -> Option<Millis> {
    claims.auth_time().map(|at| Millis(at.timestamp_millis()))
}

/// An issuer that was told to ask anew must say when it did (OpenID Connect Core, section 3.1.2.1). One that does not say may have
/// let pass whoever sits before a browser that was left open.
fn check_shown(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refused> {
    let Some(asked_at) = expected.asked_at else { return Ok(()) };
    let shown_at = shown_at(claims).ok_or(Refused::NotAsked)?;
    let anew = shown_at.since(asked_at) >= -CLOCK_SKEW_MS && shown_at.since(expected.now) <= CLOCK_SKEW_MS;
    if anew { Ok(()) } else { Err(Refused::NotAsked) }
}

/// The access token must be the one that the ID token was made with, where it says so.
fn check_access_token(
    token: &Token,
    claims: &Claims,
    verifier: &CoreIdTokenVerifier<'_>,
    access_token: &AccessToken,
) -> Result<(), Refused> {
    let Some(said) = claims.access_token_hash() else { return Ok(()) };
    let algorithm = token.signing_alg().map_err(|_| Refused::AccessToken)?;
    let key = token.signing_key(verifier).map_err(|_| Refused::AccessToken)?;
    let hash = AccessTokenHash::from_token(access_token, algorithm, key).map_err(|_| Refused::AccessToken)?;
    if hash == *said { Ok(()) } else { Err(Refused::AccessToken) }
}
