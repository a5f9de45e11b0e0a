//! The golden vectors of `ea/vectors`, and the codes that `ea/protocol.md` lists.

use super::*;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use std::{collections::BTreeSet, fs, path::PathBuf};

fn ea(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ea").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The vectors of a file, which has some.
fn vectors(file: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(&ea(&format!("vectors/{file}.json"))).unwrap();
    let vectors = document["vectors"].as_array().unwrap().clone();
    assert!(vectors.len() >= 8, "{file}");
    vectors
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} of {vector}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn expand(secret: &[u8], info: &str) -> Vec<u8> {
    mac(secret, &[info.as_bytes(), &[1]].concat())
}

#[test]
fn derivations() {
    for vector in vectors("derivations") {
        let name = text(&vector, "name");
        let found = match text(&vector, "licence_key").parse::<LicenceKey>() {
            Err(_) => "mistyped".to_owned(),
            Ok(key) => {
                let secret = mac(b"marque-ea-1 licence", key.canonical().as_bytes());
                match text(&vector, "derive") {
                    "key-id" => hex(&expand(&secret, "key-id")[..16]),
                    "licence" => hex(&expand(&secret, "licence-mac")),
                    "state" => hex(&expand(&secret, &state_info(text(&vector, "machine")))),
                    _ => {
                        let generation = vector["generation"].as_u64().unwrap();
                        let info = activation_info(text(&vector, "activation"), generation, text(&vector, "salt"));
                        hex(&expand(&secret, &info))
                    }
                }
            }
        };
        assert_eq!(found, text(&vector, "want"), "{name}");
    }
}

#[test]
fn signed_bytes_and_signatures() {
    let mut seen = 0;
    for vector in vectors("signatures") {
        let kind = match text(&vector, "kind") {
            "request" => SignedKind::Request,
            "answer" => SignedKind::Answer,
            // A client's own file, which no server signs.
            _ => continue,
        };
        let kid: Kid = text(&vector, "kid").parse().unwrap();
        let bytes = signed_bytes(kind, text(&vector, "operation"), &kid, text(&vector, "payload").as_bytes());
        assert_eq!(hex(&bytes), text(&vector, "signed_hex"));
        let signature = hex(&mac(&of_hex(text(&vector, "mac_key_hex")), &bytes));
        assert_eq!(format!("kid={kid}, hmac-sha256={signature}"), text(&vector, "want"));
        seen += 1;
    }
    assert!(seen >= 7);
}

#[test]
fn the_codes_are_those_of_the_protocol() {
    let at = NOW;
    let refusals = [
        Refusal::NotFound,
        Refusal::KeyReplaced,
        Refusal::Revoked,
        Refusal::Suspended,
        Refusal::ProductMismatch,
        Refusal::PlanRequired,
        Refusal::Expired { at },
        Refusal::DemoOnly,
        Refusal::LiveOnly,
        Refusal::VersionTooOld { minimum: Version([1, 0, 0]) },
        Refusal::VersionYanked { latest: Some(Version([1, 0, 0])) },
        Refusal::VersionYanked { latest: None },
        Refusal::NotActivated,
        Refusal::Released,
        Refusal::HeartbeatMissed,
        Refusal::BindingMismatch { mismatched: vec![Bound::Server] },
        Refusal::TooManyMachines { max: 1 },
        Refusal::TooManyAccounts { max: 1 },
        Refusal::TransferCooldown { retry_at: at },
    ];
    let notices = [Notice::ExpiresSoon, Notice::ExpiredGrace, Notice::Overage, Notice::UpdateAvailable];
    let own: BTreeSet<&str> =
        refusals.iter().map(Refusal::code).chain(notices.map(Notice::name)).chain(["VALID"]).collect();
    let protocol = ea("protocol.md");
    let listed: BTreeSet<&str> = protocol
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code)
        .filter(|code| code.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'))
        .collect();
    assert_eq!(own, listed);
    for refusal in refusals {
        let words = refusal.to_string();
        assert!(words.ends_with('.') && words.chars().count() <= 200, "{words}");
    }
}
