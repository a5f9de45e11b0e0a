//! An issuer for tests: it does everything right, but for the one lie it is told to tell.

use crate::testing::{NOON, TestServer};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use poem::{Request, Response, Route, endpoint::make};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

pub(super) const CLIENT: &str = "our-client";
pub(super) const SECRET: &str = "our secret & more";

/// How an ID token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Well,
    /// `alg: none`.
    Not,
    /// HS256 with the client's secret.
    WithSecret,
    /// HS256 with the public key, as the document of keys writes it.
    WithPublicKey,
    /// By a key that is not the issuer's, under its name.
    ByAnother,
}

/// The one thing that is wrong.
#[derive(Clone)]
pub(super) struct Lie {
    pub(super) claims: fn(&mut Value),
    pub(super) signed: Signed,
    pub(super) discovery: fn(&mut Value),
    /// What the token endpoint answers instead.
    pub(super) token: Option<fn() -> Response>,
    pub(super) user_info: fn(&mut Value),
}

impl Lie {
    pub(super) const NONE: Self =
        Self { claims: |_| {}, signed: Signed::Well, discovery: |_| {}, token: None, user_info: |_| {} };
}

/// How the token endpoint was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange {
    pub(super) authorization: String,
    pub(super) form: HashMap<String, String>,
}

struct Code {
    nonce: String,
    challenge: String,
    redirect_uri: String,
    /// Whether the person was to be asked anew.
    anew: bool,
}

pub(super) struct Issuer {
    pub(super) url: String,
    shared: Arc<Shared>,
    _server: TestServer,
}

struct Shared {
    lie: Mutex<Lie>,
    subject: Mutex<String>,
    codes: Mutex<HashMap<String, Code>>,
    made: AtomicUsize,
    key: EncodingKey,
    /// Requests to the token endpoint.
    exchanges: AtomicUsize,
    /// The last of them.
    last: Mutex<Exchange>,
    /// Whether a client shows its secret in the body, as Apple wants it. Whoever sends another one is let pass: the
    /// test looks at what was sent.
    in_body: AtomicBool,
}

/// A P-256 key of a number, as PKCS #8.
pub(super) fn key(number: u8) -> Vec<u8> {
    let mut der = vec![0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    der.extend([6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20]);
    der.extend([number; 32]);
    der
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared {
            lie: Mutex::new(Lie::NONE),
            subject: Mutex::new("ann-at-the-issuer".to_owned()),
            codes: Mutex::default(),
            made: AtomicUsize::new(0),
            key: EncodingKey::from_ec_der(&key(1)),
            exchanges: AtomicUsize::new(0),
            last: Mutex::default(),
            in_body: AtomicBool::new(false),
        });
        let endpoint = |answer: fn(&Shared, &str, &str, &str) -> Response| {
            let shared = shared.clone();
            make(move |mut request: Request| {
                let shared = shared.clone();
                async move {
                    let url = format!("http://{}", request.header("host").unwrap_or_default());
                    let basic = request.header("authorization").unwrap_or_default().to_owned();
                    let body = request.take_body().into_string().await.unwrap_or_default();
                    Ok::<_, poem::Error>(answer(&shared, &url, &basic, &body))
                }
            })
        };
        let routes = Route::new()
            .at("/.well-known/openid-configuration", endpoint(discovery))
            .at("/jwks", endpoint(jwks))
            .at("/token", endpoint(token))
            .at("/me", endpoint(user_info))
            .at(
                "/giant",
                endpoint(|_, _, _, _| Response::builder().content_type("application/json").body(vec![b' '; 4 << 20])),
            );
        let server = TestServer::start(routes).await;
        Self { url: format!("http://{}", server.address), shared, _server: server }
    }

    pub(super) fn lies(&self, lie: Lie) {
        *self.shared.lie.lock().unwrap() = lie;
    }

    pub(super) fn knows(&self, subject: &str) {
        *self.shared.subject.lock().unwrap() = subject.to_owned();
    }

    /// From now on a client shows its secret in the body.
    pub(super) fn reads_bodies(&self) {
        self.shared.in_body.store(true, Ordering::Relaxed);
    }

    pub(super) fn last_exchange(&self) -> Exchange {
        self.shared.last.lock().unwrap().clone()
    }

    pub(super) fn exchanges(&self) -> usize {
        self.shared.exchanges.load(Ordering::Relaxed)
    }

    /// What happens in the browser at the authorization endpoint: a code for the request of `url`, and its state.
    pub(super) fn authorize(&self, url: &str) -> (String, String) {
        let url = reqwest::Url::parse(url).unwrap();
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        let code = format!("code/{}", self.shared.made.fetch_add(1, Ordering::Relaxed));
        let of = |name: &str| asked[name].clone();
        let anew = asked.contains_key("max_age");
        let kept = Code { nonce: of("nonce"), challenge: of("code_challenge"), redirect_uri: of("redirect_uri"), anew };
        self.shared.codes.lock().unwrap().insert(code.clone(), kept);
        (code, of("state"))
    }
}

fn json_answer(body: &Value) -> Response {
    Response::builder().content_type("application/json").body(body.to_string())
}

fn discovery(shared: &Shared, url: &str, _: &str, _: &str) -> Response {
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/me"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": true,
    });
    (shared.lie.lock().unwrap().discovery)(&mut document);
    match document.get("redirect").and_then(Value::as_str) {
        Some(to) => Response::builder().status(poem::http::StatusCode::FOUND).header("location", to).finish(),
        None => json_answer(&document),
    }
}

fn public_key(shared: &Shared) -> Value {
    let mut key = serde_json::to_value(Jwk::from_encoding_key(&shared.key, Algorithm::ES256).unwrap()).unwrap();
    key["kid"] = json!("k1");
    key["use"] = json!("sig");
    key
}

fn jwks(shared: &Shared, _: &str, _: &str, _: &str) -> Response {
    json_answer(&json!({ "keys": [public_key(shared)] }))
}

fn token(shared: &Shared, url: &str, basic: &str, body: &str) -> Response {
    shared.exchanges.fetch_add(1, Ordering::Relaxed);
    let lie = shared.lie.lock().unwrap().clone();
    if let Some(answer) = lie.token {
        return answer();
    }
    let form: HashMap<String, String> =
        openidconnect::url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    *shared.last.lock().unwrap() = Exchange { authorization: basic.to_owned(), form: form.clone() };
    let code = shared.codes.lock().unwrap().remove(form.get("code").map_or("", String::as_str));
    let Some(code) = code else { return refused("invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier").map_or("", String::as_str)));
    if challenge != code.challenge || form.get("redirect_uri") != Some(&code.redirect_uri) {
        return refused("invalid_grant");
    }
    if !is_client(shared, basic, &form) {
        return refused("invalid_client");
    }
    let access_token = "the access token";
    let half = URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16]);
    let now = NOON.0 / 1_000;
    let mut claims = json!({
        "iss": url, "sub": *shared.subject.lock().unwrap(), "aud": CLIENT, "nonce": code.nonce,
        "iat": now, "exp": now + 300, "at_hash": half,
        "email": "ann@x.example", "email_verified": true, "name": "Ann Lee",
    });
    if code.anew {
        claims["auth_time"] = json!(now);
    }
    (lie.claims)(&mut claims);
    let id_token = sign(shared, lie.signed, &claims);
    json_answer(
        &json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 60, "id_token": id_token }),
    )
}

fn is_client(shared: &Shared, basic: &str, form: &HashMap<String, String>) -> bool {
    if shared.in_body.load(Ordering::Relaxed) {
        return basic.is_empty() && form.contains_key("client_secret");
    }
    // RFC 6749: both parts form-encoded, then base64.
    let ours = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:our+secret+%26+more"));
    basic == format!("Basic {ours}")
}

fn sign(shared: &Shared, how: Signed, claims: &Value) -> String {
    let encode = |algorithm, key: &EncodingKey| {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, claims, key).unwrap()
    };
    match how {
        Signed::Well => encode(Algorithm::ES256, &shared.key),
        Signed::ByAnother => encode(Algorithm::ES256, &EncodingKey::from_ec_der(&key(2))),
        Signed::WithSecret => encode(Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes())),
        Signed::WithPublicKey => {
            encode(Algorithm::HS256, &EncodingKey::from_secret(public_key(shared).to_string().as_bytes()))
        }
        Signed::Not => {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(claims))
        }
    }
}

fn user_info(shared: &Shared, _: &str, authorization: &str, _: &str) -> Response {
    if authorization != "Bearer the access token" {
        return refused("invalid_token");
    }
    let mut claims =
        json!({ "sub": *shared.subject.lock().unwrap(), "email": "from-user-info@x.example", "email_verified": true });
    (shared.lie.lock().unwrap().user_info)(&mut claims);
    json_answer(&claims)
}

fn refused(error: &str) -> Response {
    let mut response = json_answer(&json!({ "error": error }));
    response.set_status(poem::http::StatusCode::BAD_REQUEST);
    response
}
