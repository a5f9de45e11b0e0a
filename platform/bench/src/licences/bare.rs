//! What a validation is measured against: a poem-openapi handler that does what no answer can do without, and nothing else.
//!
//! It parses the request, checks its signature, looks the licence up in a map that is full from the start, and signs an answer
//! of the same fields. It knows no tenants, limits, seats, policies, versions, clocks or databases.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use anyhow::Result;
use marque_domain::licence::{Kid, SignedKind, signed_bytes};
use poem::{Route, Server, listener::TcpAcceptor};
use poem_openapi::{ApiRequest, ApiResponse, OpenApi, OpenApiService, param::Header, payload::Binary};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};

use super::client::{Ea, hex, mac};

/// What an answer's lease and grace are.
const DAY_S: i64 = 86_400;

/// A bare server on a free port, until it is dropped.
pub struct BareEa {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl BareEa {
    /// One that knows these licences.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(licences: impl Iterator<Item = u64>) -> Result<Self> {
        let keys = licences.map(Ea::new).map(|ea| (hex(&ea.key_id()), ea.activation_key())).collect();
        let service = OpenApiService::new(Bare { keys: Arc::new(keys) }, "Bare", "1");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
        let task = tokio::spawn(async move {
            // It ends when the task is aborted; an earlier end shows as a refused connection.
            let _ = server.run(Route::new().nest("/", service)).await;
        });
        Ok(Self { address, task })
    }
}

impl Drop for BareEa {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Bare {
    keys: Arc<HashMap<String, [u8; 32]>>,
}

/// What is asked. Every field is read.
#[derive(Deserialize)]
struct Ask<'a> {
    protocol: i64,
    key_id: &'a str,
    product: &'a str,
    version: &'a str,
    nonce: &'a str,
    account: &'a str,
    server: &'a str,
    kind: &'a str,
    machine: &'a str,
    platform: &'a str,
    activation: &'a str,
    config_version: i64,
}

/// The fields of a valid answer.
#[derive(Serialize)]
struct Answer<'a> {
    protocol: i64,
    operation: &'a str,
    valid: bool,
    code: &'a str,
    message: &'a str,
    nonce: &'a str,
    server_time: i64,
    key_id: &'a str,
    product: &'a str,
    account: &'a str,
    machine: &'a str,
    activation: &'a str,
    lease_until: i64,
    grace_until: i64,
    expires_at: i64,
    heartbeat_s: i64,
    latest_version: &'a str,
    notice: &'a str,
    config_version: i64,
}

/// The body as it came: what is signed is bytes.
#[derive(ApiRequest)]
enum Asked {
    /// Flat JSON.
    #[oai(content_type = "application/json")]
    Json(Binary<Vec<u8>>),
}

#[derive(ApiResponse)]
enum Answered {
    /// Signed.
    #[oai(status = 200, content_type = "application/json")]
    Signed(Binary<Vec<u8>>, #[oai(header = "Marque-Signature")] String),
    /// The signature does not fit.
    #[oai(status = 401)]
    Refused,
}

#[OpenApi]
impl Bare {
    #[oai(path = "/api/ea/v1/validate", method = "post")]
    async fn validate(&self, #[oai(name = "Marque-Signature")] signature: Header<String>, body: Asked) -> Answered {
        let Asked::Json(Binary(body)) = body;
        self.answer(&signature.0, &body).unwrap_or(Answered::Refused)
    }
}

impl Bare {
    fn answer(&self, header: &str, body: &[u8]) -> Option<Answered> {
        let (kid, signature) = header.strip_prefix("kid=")?.split_once(", hmac-sha256=")?;
        let kid: Kid = kid.parse().ok()?;
        let ask: Ask<'_> = serde_json::from_slice(body).ok()?;
        let key = self.keys.get(ask.key_id)?;
        let asked = mac(key, &[&signed_bytes(SignedKind::Request, "validate", &kid, body)]);
        if hex(&asked) != signature || ask.protocol != 1 || ask.server.is_empty() || ask.platform.is_empty() {
            return None;
        }
        let now = 1_795_176_000 + ask.config_version;
        let answer = serde_json::to_vec(&Answer {
            protocol: ask.protocol,
            operation: "validate",
            valid: ask.kind == "demo",
            code: "VALID",
            message: "The licence is valid.",
            nonce: ask.nonce,
            server_time: now,
            key_id: ask.key_id,
            product: ask.product,
            account: ask.account,
            machine: ask.machine,
            activation: ask.activation,
            lease_until: now + DAY_S,
            grace_until: now + 4 * DAY_S,
            expires_at: 0,
            heartbeat_s: 200,
            latest_version: ask.version,
            notice: "",
            config_version: 0,
        })
        .ok()?;
        let signed = mac(key, &[&signed_bytes(SignedKind::Answer, "validate", &kid, &answer)]);
        Some(Answered::Signed(Binary(answer), format!("kid={kid}, hmac-sha256={}", hex(&signed))))
    }
}
