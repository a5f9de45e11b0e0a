//! The golden vectors of `ea/vectors`, against the very code that answers.

use super::super::{
    flat::Fields,
    mac::{LicenceSecret, hex, of_hex},
};
use ed25519_dalek::{Signature, VerifyingKey};
use marque_domain::licence::{Kid, LicenceKey, SignedKind, signed_bytes};
use serde_json::Value;
use std::path::Path;

fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../ea/vectors/{file}.json"));
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = document["vectors"].as_array().unwrap().clone();
    assert!(vectors.len() >= 3, "{file}");
    vectors
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} of {vector}"))
}

#[test]
fn derived_keys() {
    let mut seen = 0;
    for vector in vectors("derivations") {
        let Ok(key) = text(&vector, "licence_key").parse::<LicenceKey>() else {
            assert_eq!(text(&vector, "want"), "mistyped");
            continue;
        };
        let secret = LicenceSecret::of(&key);
        // A key is seen by what it signs.
        let kid = Kid::Licence("0".repeat(32));
        let signed = |mac: &super::super::mac::Mac| mac.header(&kid, b"x");
        let wanted = |bytes: [u8; 32]| signed(&super::super::mac::Mac::for_tests(bytes));
        match text(&vector, "derive") {
            "key-id" => assert_eq!(hex(&secret.key_id()), text(&vector, "want")),
            "licence" => {
                assert_eq!(signed(&secret.licence_mac()), wanted(of_hex(text(&vector, "want")).unwrap()));
            }
            "state" => continue,
            _ => {
                // The vectors name activations as other servers might; ours have a form of their own.
                let generation = vector["generation"].as_u64().unwrap();
                let mac = secret.mac_of(text(&vector, "activation"), generation, text(&vector, "salt"));
                assert_eq!(signed(&mac), wanted(of_hex(text(&vector, "want")).unwrap()));
            }
        }
        seen += 1;
    }
    assert!(seen >= 5);
}

#[test]
fn signatures() {
    for vector in vectors("signatures") {
        let kind = match text(&vector, "kind") {
            "request" => SignedKind::Request,
            "answer" => SignedKind::Answer,
            _ => continue,
        };
        let kid: Kid = text(&vector, "kid").parse().unwrap();
        let bytes = signed_bytes(kind, text(&vector, "operation"), &kid, text(&vector, "payload").as_bytes());
        let mac = super::super::mac::Mac::for_tests(of_hex(text(&vector, "mac_key_hex")).unwrap());
        let header = mac.header(&kid, &bytes);
        assert_eq!(header, text(&vector, "want"));
        let read = super::super::mac::Signature::read(&header).unwrap();
        assert!(read.kid == kid && mac.verifies(&bytes, &read.mac));
        assert!(!mac.verifies(&[&bytes[..], b" "].concat(), &read.mac));
    }
}

#[test]
fn ed25519() {
    for vector in vectors("ed25519") {
        let public: [u8; 32] = of_hex(text(&vector, "public_key")).unwrap();
        let (kid, operation) = (text(&vector, "kid"), text(&vector, "operation"));
        let signature = text(&vector, "signature").strip_prefix(&format!("kid={kid}, ed25519=")).and_then(of_hex::<64>);
        let bytes =
            signed_bytes(SignedKind::Answer, operation, &kid.parse().unwrap(), text(&vector, "body").as_bytes());
        let good = VerifyingKey::from_bytes(&public)
            .ok()
            .zip(signature)
            .is_some_and(|(key, signature)| key.verify_strict(&bytes, &Signature::from_bytes(&signature)).is_ok());
        assert_eq!(if good { "good" } else { "bad" }, text(&vector, "want"), "{vector}");
    }
}

#[test]
fn flat_texts() {
    for vector in vectors("texts").iter().filter(|vector| vector["test"] == "json") {
        let read = Fields::of_json(text(vector, "text").as_bytes());
        assert_eq!(read.is_none(), text(vector, "want") == "unreadable", "{vector}");
    }
}
