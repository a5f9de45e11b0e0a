//! An EA's side of the protocol: its keys, and its requests as bytes on the wire.
//!
//! Everything of licence `n` follows from its number, so that a million of them need not be kept.

use anyhow::{Context as _, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use marque_domain::{
    id::ActivationId,
    licence::{Kid, LicenceKey, SignedKind, activation_info, signed_bytes},
};
use sha2::{Digest as _, Sha256};

/// What the EA calls itself.
pub const PRODUCT: &str = "bench-ea";
/// The version that is offered and asked with.
pub const VERSION: &str = "1.20";
/// The broker's server.
pub const SERVER: &str = "Broker-Demo";

/// The EA that licence `n` was made for, on the computer that has its seat.
pub struct Ea {
    n: u64,
    secret: [u8; 32],
}

/// HMAC-SHA-256.
pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn drawn(what: &str, n: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(what.as_bytes());
    hash.update(n.to_be_bytes());
    hash.finalize().into()
}

impl Ea {
    /// That of licence `n`.
    pub fn new(n: u64) -> Self {
        let secret = mac(b"marque-ea-1 licence", &[Self::key(n).canonical().as_bytes()]);
        Self { n, secret }
    }

    fn key(n: u64) -> LicenceKey {
        let random = drawn("licence", n);
        LicenceKey::of_random(random.first_chunk().copied().unwrap_or_default())
    }

    /// The licence key.
    pub fn licence_key(&self) -> LicenceKey {
        Self::key(self.n)
    }

    /// The number of every row of it, within its tenant.
    pub fn id(&self) -> i64 {
        i64::try_from(self.n).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// What requests name the licence by.
    pub fn key_id(&self) -> [u8; 16] {
        mac(&self.secret, &[b"key-id", &[1]]).first_chunk().copied().unwrap_or_default()
    }

    /// The server's half of its key.
    pub fn salt(&self) -> [u8; 32] {
        drawn("salt", self.n)
    }

    /// The trading account.
    pub fn account(&self) -> String {
        (5_000_000 + self.n).to_string()
    }

    /// The computer.
    pub fn machine(&self) -> String {
        hex(&drawn("machine", self.n))
    }

    /// From where it asks.
    pub fn address(&self) -> String {
        let [_, a, b, c] = u32::try_from(self.n % (1 << 24)).unwrap_or(0).to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    fn kid(&self) -> Kid {
        Kid::Activation { id: ActivationId(self.id()).to_string(), generation: 1 }
    }

    /// The key of its seat.
    pub fn activation_key(&self) -> [u8; 32] {
        let info = activation_info(&ActivationId(self.id()).to_string(), 1, &hex(&self.salt()));
        mac(&self.secret, &[info.as_bytes(), &[1]])
    }

    fn fields(&self, turn: u64) -> serde_json::Map<String, serde_json::Value> {
        let nonce = drawn(&format!("nonce {turn}"), self.n);
        let fields = serde_json::json!({
            "protocol": 1, "key_id": hex(&self.key_id()), "product": PRODUCT, "version": VERSION,
            "nonce": hex(nonce.get(..16).unwrap_or_default()), "account": self.account(), "server": SERVER,
            "kind": "demo", "machine": self.machine(), "platform": "mt5", "build": 4150,
            "activation": ActivationId(self.id()).to_string(), "config_version": 0,
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    /// `validate`, at a host, as it goes over the wire.
    ///
    /// # Errors
    /// Never: the fields can be written.
    pub fn validate(&self, host: &str) -> Result<Vec<u8>> {
        let body = serde_json::to_vec(&self.fields(0)).context("a body")?;
        Ok(self.posted("validate", host, &body))
    }

    /// The `turn`th heartbeat with its report.
    ///
    /// # Errors
    /// Never: the fields can be written.
    pub fn heartbeat(&self, host: &str, turn: u64) -> Result<Vec<u8>> {
        let mut fields = self.fields(turn);
        let report = serde_json::json!({ "sequence": turn, "orders": turn, "lots": "0.25", "runtime_s": turn * 200 });
        fields.extend(report.as_object().cloned().unwrap_or_default());
        let body = serde_json::to_vec(&fields).context("a body")?;
        Ok(self.posted("heartbeat", host, &body))
    }

    fn posted(&self, operation: &str, host: &str, body: &[u8]) -> Vec<u8> {
        let kid = self.kid();
        let signed = mac(&self.activation_key(), &[&signed_bytes(SignedKind::Request, operation, &kid, body)]);
        let mut bytes = format!(
            "POST /api/ea/v1/{operation} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: MetaTrader 5 Terminal/5.4150\r\n\
             X-Forwarded-For: {}\r\nContent-Type: application/json\r\n\
             Marque-Signature: kid={kid}, hmac-sha256={}\r\nContent-Length: {}\r\n\r\n",
            self.address(),
            hex(&signed),
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden vectors hold for this client as for every other.
    #[test]
    fn keys_are_those_of_the_golden_vectors() {
        let path = marque_testkit::site::workspace().join("ea/vectors/derivations.json");
        let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let text = |vector: &serde_json::Value, name: &str| vector[name].as_str().unwrap_or_default().to_owned();
        let mut checked = 0;
        for vector in vectors["vectors"].as_array().unwrap().iter().filter(|vector| vector["derive"] == "key-id") {
            let Ok(key) = text(vector, "licence_key").parse::<LicenceKey>() else { continue };
            let secret = mac(b"marque-ea-1 licence", &[key.canonical().as_bytes()]);
            assert_eq!(hex(&Ea { n: 0, secret }.key_id()), text(vector, "want"), "{vector}");
            checked += 1;
        }
        assert!(checked > 0, "no vector of a key id");
    }

    #[test]
    fn every_licence_has_keys_of_its_own() {
        let (one, other) = (Ea::new(1), Ea::new(2));
        assert_ne!(one.key_id(), other.key_id());
        assert_ne!(one.activation_key(), other.activation_key());
        assert_ne!(one.address(), other.address());
        let request = String::from_utf8(one.validate("t1.localhost").unwrap()).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }
}
