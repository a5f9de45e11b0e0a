//! The client that a connection is at its issuer: how it proves itself, and how it asks.

use super::Refused;
use crate::secrets::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use marque_domain::time::Millis;
use openidconnect::{AuthType, ClientSecret};
use serde::Serialize;

/// How long a secret that we sign is good for: one exchange. Apple allows six months.
const SIGNED_SECRET_S: i64 = 300;
/// What Apple's secrets are addressed to.
const APPLE: &str = "https://appleid.apple.com";

/// What this tenant is at an issuer.
#[derive(Clone)]
pub(super) struct Client {
    /// The issuer, exactly as it writes itself.
    pub(super) issuer: String,
    /// Our name there.
    pub(super) client_id: String,
    /// How it knows us.
    pub(super) proof: Proof,
    /// What is asked for besides `openid`.
    pub(super) scopes: &'static [&'static str],
    /// Whether the answer comes as a form of another site instead of a link. Apple does it when asked for a name.
    pub(super) form_post: bool,
}

/// How an issuer knows that it is us.
#[derive(Clone)]
pub(super) enum Proof {
    /// By a text that both know.
    Shared(Secret),
    /// By a signature, as Apple wants it.
    Signed {
        /// The developer team.
        team: String,
        /// Which of its keys.
        key: String,
        /// The key: PKCS #8, PEM.
        pem: Secret,
    },
}

#[derive(Serialize)]
struct SecretClaims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    aud: &'a str,
    sub: &'a str,
}

impl Client {
    /// The secret for an exchange at `now`, and where it goes. `basic` says that the issuer takes it in a header.
    pub(super) fn secret(&self, basic: bool, now: Millis) -> Result<(ClientSecret, AuthType), Refused> {
        match &self.proof {
            Proof::Shared(secret) => {
                let place = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
                Ok((ClientSecret::new(secret.expose().to_owned()), place))
            }
            Proof::Signed { team, key, pem } => {
                let (iat, sub) = (now.0 / 1_000, self.client_id.as_str());
                let claims = SecretClaims { iss: team, iat, exp: iat + SIGNED_SECRET_S, aud: APPLE, sub };
                let header = Header { kid: Some(key.clone()), ..Header::new(Algorithm::ES256) };
                let signed = jsonwebtoken::encode(&header, &claims, &signing_key(pem)?).map_err(|_| Refused::Key)?;
                Ok((ClientSecret::new(signed), AuthType::RequestBody))
            }
        }
    }
}

/// A P-256 key from its PEM.
///
/// # Errors
/// [`Refused::Key`], also for a key that reads well but cannot sign.
pub(super) fn signing_key(pem: &Secret) -> Result<EncodingKey, Refused> {
    let key = EncodingKey::from_ec_pem(pem.expose().trim().as_bytes()).map_err(|_| Refused::Key)?;
    jsonwebtoken::encode(&Header::new(Algorithm::ES256), &(), &key).map_err(|_| Refused::Key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use jsonwebtoken::{DecodingKey, Validation, jwk::Jwk};
    use serde_json::Value;

    fn pem() -> Secret {
        let der = STANDARD.encode(crate::sso::issuer::key(7));
        Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n"))
    }

    fn client(proof: Proof) -> Client {
        Client {
            issuer: "https://appleid.apple.com".to_owned(),
            client_id: "example.aurora.web".to_owned(),
            proof,
            scopes: &["email", "name"],
            form_post: true,
        }
    }

    #[test]
    fn apple_gets_a_fresh_signature() {
        let apple = client(Proof::Signed { team: "TEAM123".to_owned(), key: "KEY123".to_owned(), pem: pem() });
        let (secret, place) = apple.secret(true, NOON).unwrap();
        assert!(matches!(place, AuthType::RequestBody), "Apple reads no header");
        let header = jsonwebtoken::decode_header(secret.secret()).unwrap();
        assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::ES256, Some("KEY123")));
        let public = Jwk::from_encoding_key(&signing_key(&pem()).unwrap(), Algorithm::ES256).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&["https://appleid.apple.com"]);
        rules.validate_exp = false;
        let key = DecodingKey::from_jwk(&public).unwrap();
        let claims = jsonwebtoken::decode::<Value>(secret.secret(), &key, &rules).unwrap().claims;
        let now = NOON.0 / 1_000;
        assert_eq!((&claims["iss"], &claims["sub"]), (&"TEAM123".into(), &"example.aurora.web".into()));
        assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(now), Some(now + SIGNED_SECRET_S)));
    }

    #[test]
    fn a_shared_secret_goes_where_the_issuer_reads_it() {
        let shared = client(Proof::Shared(Secret::new("s".to_owned())));
        assert!(matches!(shared.secret(true, NOON), Ok((_, AuthType::BasicAuth))));
        assert!(matches!(shared.secret(false, NOON), Ok((_, AuthType::RequestBody))));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let half: String = pem().expose().chars().take(60).collect();
        for text in ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &half] {
            assert!(matches!(signing_key(&Secret::new(text.to_owned())), Err(Refused::Key)), "{text}");
        }
    }
}
