//! Asking an issuer: what it is (discovery), who a code stands for (exchange), and what it knows of them (user info).
//!
//! Everything goes through [`Outbound`]; where an issuer's own document points to is asked under the same rules.

use super::{
    Refused,
    answer::Answer,
    claims::{self, Expected},
    client::Client,
};
use crate::{
    outbound::{Outbound, OutboundError},
    secrets::Token,
};
use marque_domain::{id::TenantId, time::Millis};
use moka::future::Cache;
use openidconnect::{
    AccessToken, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode, ClientId, CsrfToken,
    EmptyAdditionalClaims, EmptyExtraTokenFields, EndpointNotSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope,
    SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
        CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
        CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use std::{pin::Pin, sync::Arc, time::Duration};

/// How long what an issuer says of itself is believed without asking again. Keys rotate over days.
const METADATA_KEPT: Duration = Duration::from_secs(600);
/// Issuers kept in memory.
const ISSUERS_MAX: u64 = 1_000;

/// What we need to know of an issuer beyond OpenID Connect Discovery.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct More {
    /// RFC 9207: it names itself in its answers.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

/// What an issuer says of itself, with its keys.
pub(super) type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What comes for a code.
type Exchanged = StandardTokenResponse<
    IdTokenFields<
        claims::More,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

/// The library's client, which reads [`claims::More`] of a token besides what every issuer says.
type Library<
    HasAuthUrl = EndpointNotSet,
    HasDeviceAuthUrl = EndpointNotSet,
    HasIntrospectionUrl = EndpointNotSet,
    HasRevocationUrl = EndpointNotSet,
    HasTokenUrl = EndpointNotSet,
    HasUserInfoUrl = EndpointNotSet,
> = openidconnect::Client<
    claims::More,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Exchanged,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    HasAuthUrl,
    HasDeviceAuthUrl,
    HasIntrospectionUrl,
    HasRevocationUrl,
    HasTokenUrl,
    HasUserInfoUrl,
>;

impl<'c> AsyncHttpClient<'c> for Outbound {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Asks issuers. Cloning shares what is remembered.
#[derive(Clone)]
pub(super) struct Providers {
    outbound: Outbound,
    known: Cache<(TenantId, String), Arc<Metadata>>,
}

/// What only we know of an attempt: kept sealed until its answer comes.
#[derive(Serialize, Deserialize)]
pub(super) struct Hidden {
    /// Whom we asked: an answer counts for no other.
    pub(super) issuer: String,
    nonce: String,
    verifier: String,
    redirect_uri: String,
    /// When we told the issuer to ask the person anew; none when whom it knows already is good enough.
    #[serde(default)]
    pub(super) asked_at: Option<Millis>,
}

/// An attempt that has begun.
pub(super) struct Begun {
    /// Where the browser goes.
    pub(super) url: String,
    /// What it brings back.
    pub(super) state: Token,
    pub(super) hidden: Hidden,
}

/// Who somebody is, in an issuer's words that were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) email: Option<String>,
    /// Whether the issuer made sure that mail reaches them there.
    pub(super) email_verified: bool,
    pub(super) name: Option<String>,
    /// When they last showed the issuer who they are, where it says.
    pub(super) shown_at: Option<Millis>,
    /// The domain of the organisation that they belong to, in Google's words.
    pub(super) organisation: Option<String>,
}

impl Providers {
    pub(super) fn new(outbound: Outbound) -> Self {
        Self { outbound, known: Cache::builder().max_capacity(ISSUERS_MAX).time_to_live(METADATA_KEPT).build() }
    }

    /// What an issuer says of itself, remembered for a while. A tenant's memory is its own.
    pub(super) async fn metadata(&self, tenant: TenantId, issuer: &str) -> Result<Arc<Metadata>, Refused> {
        let key = (tenant, issuer.to_owned());
        if let Some(known) = self.known.get(&key).await {
            return Ok(known);
        }
        let asked = Arc::new(self.discover(issuer).await?);
        self.known.insert(key, asked.clone()).await;
        Ok(asked)
    }

    /// Asks an issuer what it is.
    pub(super) async fn discover(&self, issuer: &str) -> Result<Metadata, Refused> {
        self.outbound.check(issuer)?;
        let url =
            IssuerUrl::new(issuer.to_owned()).map_err(|_| Refused::Discovery("its address is none".to_owned()))?;
        let metadata = Metadata::discover_async(url, &self.outbound).await.map_err(discovery)?;
        let missing = |what: &str| Refused::Discovery(format!("its description names no {what}"));
        let token = metadata.token_endpoint().ok_or_else(|| missing("token endpoint"))?;
        // A browser is sent to the first, this server asks the others: none of them may be inside.
        self.outbound.check(metadata.authorization_endpoint().as_str())?;
        self.outbound.check(token.as_str())?;
        if let Some(user_info) = metadata.userinfo_endpoint() {
            self.outbound.check(user_info.as_str())?;
        }
        if metadata.jwks().keys().is_empty() {
            return Err(missing("signing keys"));
        }
        Ok(metadata)
    }

    /// Where to send a browser so that it comes back to `redirect_uri` with an answer. With `asked_at`, which is now, the
    /// issuer is told to ask the person anew, however recently it did.
    pub(super) async fn begin(
        &self,
        tenant: TenantId,
        client: &Client,
        redirect_uri: &str,
        asked_at: Option<Millis>,
    ) -> Result<Begun, Refused> {
        let metadata = self.metadata(tenant, &client.issuer).await?;
        let (state, nonce, verifier) = (Token::new()?, Token::new()?.expose(), Token::new()?.expose());
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| Refused::Answer)?;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let (said, meant) = (state.expose(), nonce.clone());
        let library =
            Library::from_provider_metadata(Metadata::clone(&metadata), ClientId::new(client.client_id.clone()), None)
                .set_redirect_uri(redirect);
        let mut request = library
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(said),
                move || Nonce::new(meant),
            )
            .add_scopes(client.scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(challenge);
        if client.form_post {
            request = request.add_extra_param("response_mode", "form_post");
        }
        if asked_at.is_some() {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        let (url, _, _) = request.url();
        let redirect_uri = redirect_uri.to_owned();
        let hidden = Hidden { issuer: client.issuer.clone(), nonce, verifier, redirect_uri, asked_at };
        Ok(Begun { url: url.into(), state, hidden })
    }

    /// Turns an answer into who somebody is.
    pub(super) async fn finish(
        &self,
        tenant: TenantId,
        client: &Client,
        hidden: &Hidden,
        answer: &Answer,
        now: Millis,
    ) -> Result<Known, Refused> {
        if hidden.issuer != client.issuer {
            return Err(Refused::OtherIssuer);
        }
        let metadata = self.metadata(tenant, &client.issuer).await?;
        answer.check_issuer(
            &client.issuer,
            metadata.additional_metadata().authorization_response_iss_parameter_supported,
        )?;
        if let Some(error) = &answer.error {
            return Err(Refused::Declined(error.chars().filter(char::is_ascii_graphic).take(60).collect()));
        }
        let code = answer.code.clone().ok_or(Refused::Answer)?;
        let exchanged = self.exchange(&metadata, client, hidden, code, now).await?;
        let claims = match self.verified(&metadata, client, hidden, &exchanged, now) {
            // The issuer may have new keys since it was asked.
            Err(Refused::Token(error)) if is_unknown_key(&error) => {
                self.known.invalidate(&(tenant, client.issuer.clone())).await;
                let metadata = self.metadata(tenant, &client.issuer).await?;
                self.verified(&metadata, client, hidden, &exchanged, now)?
            }
            verified => verified?,
        };
        self.known_of(&metadata, client, claims, exchanged.access_token().clone()).await
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        client: &Client,
        hidden: &Hidden,
        code: String,
        now: Millis,
    ) -> Result<Exchanged, Refused> {
        // Without a list the standard says: in a header.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let (secret, place) = client.secret(basic, now)?;
        let redirect = RedirectUrl::new(hidden.redirect_uri.clone()).map_err(|_| Refused::Answer)?;
        let library =
            Library::from_provider_metadata(metadata.clone(), ClientId::new(client.client_id.clone()), Some(secret))
                .set_auth_type(place)
                .set_redirect_uri(redirect);
        let request = library.exchange_code(AuthorizationCode::new(code)).map_err(|_| Refused::Exchange)?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(hidden.verifier.clone()));
        request.request_async(&self.outbound).await.map_err(|error| match error {
            openidconnect::RequestTokenError::Request(error) => Refused::Outbound(error),
            error => {
                // The library's own text says which step failed; a body of the issuer is not repeated.
                tracing::info!(%error, issuer = client.issuer, "an issuer did not exchange a code");
                Refused::Exchange
            }
        })
    }

    fn verified(
        &self,
        metadata: &Metadata,
        client: &Client,
        hidden: &Hidden,
        exchanged: &Exchanged,
        now: Millis,
    ) -> Result<claims::Claims, Refused> {
        let token = exchanged.id_token().ok_or(Refused::NoToken)?;
        let (nonce, access_token) = (hidden.nonce.as_str(), exchanged.access_token());
        let (client_id, asked_at) = (client.client_id.as_str(), hidden.asked_at);
        claims::verify(token, &Expected { metadata, client_id, nonce, access_token, asked_at, now })
    }

    /// The person of verified claims. Many issuers tell the address only to who asks for it with the access token.
    async fn known_of(
        &self,
        metadata: &Metadata,
        client: &Client,
        claims: claims::Claims,
        access_token: AccessToken,
    ) -> Result<Known, Refused> {
        let mut known = Known {
            issuer: client.issuer.clone(),
            subject: claims.subject().as_str().to_owned(),
            email: claims.email().map(|email| email.as_str().to_owned()),
            email_verified: claims.email_verified() == Some(true),
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()),
            shown_at: claims::shown_at(&claims),
            organisation: claims::organisation(&claims),
        };
        if known.email.is_some() || metadata.userinfo_endpoint().is_none() {
            return Ok(known);
        }
        let library = Library::from_provider_metadata(metadata.clone(), ClientId::new(client.client_id.clone()), None);
        // An answer about anybody else than the token's subject is refused by the library.
        let request = library.user_info(access_token, Some(claims.subject().clone())).map_err(|_| Refused::UserInfo)?;
        let more: CoreUserInfoClaims = request
            .request_async::<EmptyAdditionalClaims, _, CoreGenderClaim>(&self.outbound)
            .await
            .map_err(|error| {
                tracing::info!(%error, issuer = client.issuer, "an issuer did not say who somebody is");
                Refused::UserInfo
            })?;
        known.email = more.email().map(|email| email.as_str().to_owned());
        known.email_verified = more.email_verified() == Some(true);
        known.name = known.name.or_else(|| more.name()?.get(None).map(|name| name.as_str().to_owned()));
        Ok(known)
    }
}

fn is_unknown_key(error: &openidconnect::ClaimsVerificationError) -> bool {
    use openidconnect::ClaimsVerificationError::SignatureVerification;
    matches!(error, SignatureVerification(SignatureVerificationError::NoMatchingKey))
}

fn discovery(error: openidconnect::DiscoveryError<OutboundError>) -> Refused {
    use openidconnect::DiscoveryError;
    match error {
        DiscoveryError::Request(error) => Refused::Outbound(error),
        DiscoveryError::Validation(_) => {
            Refused::Discovery("its description names another issuer: write the address exactly as it does".to_owned())
        }
        DiscoveryError::Response(status, ..) if status.as_u16() != 200 => {
            Refused::Discovery(format!("it answers {} where its description should be", status.as_u16()))
        }
        _ => Refused::Discovery("its description cannot be read".to_owned()),
    }
}
