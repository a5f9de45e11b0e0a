//! What an author signs, and how a signature is checked.
//!
//! The statement binds what a signature must never be carried over to: another component, name, version or contract. It
//! is text, so that anybody can make and check it with other tools; its first line keeps it apart from everything else
//! that may ever be signed with the same key.

use crate::secrets::{NoRandomness, Secret};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use marque_domain::plugin::PluginDigest;

const HEADER: &str = "marque plugin release 1";
/// First line of a key's file.
const FILE_HEADER: &str = "marque author key 1";

/// What is signed of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Which component.
    pub digest: PluginDigest,
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The contract that it is built for.
    pub contract: &'a str,
}

impl Statement<'_> {
    /// The bytes that are signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { digest, name, version, contract } = self;
        format!("{HEADER}\nsha256: {digest}\nname: {name}\nversion: {version}\ncontract: {contract}\n")
    }

    /// Whether this key signed exactly this.
    #[must_use]
    pub fn is_signed(&self, public_key: &[u8], signature: &[u8]) -> bool {
        let Ok(key) =
            <[u8; 32]>::try_from(public_key).map_err(drop).and_then(|b| VerifyingKey::from_bytes(&b).map_err(drop))
        else {
            return false;
        };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        key.verify_strict(self.text().as_bytes(), &signature).is_ok()
    }
}

/// Whether these bytes can be somebody's key: a point of the curve that does not verify everything.
#[must_use]
pub fn is_public_key(bytes: &[u8]) -> bool {
    let key = <[u8; 32]>::try_from(bytes).ok().and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    key.is_some_and(|key| !key.is_weak())
}

/// An author's own key.
pub struct AuthorKey(SigningKey);

/// The file holds no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no author's key: make one with `marque plugin key`")]
pub struct NotAKey;

impl AuthorKey {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new() -> Result<Self, NoRandomness> {
        Ok(Self(SigningKey::from_bytes(&crate::secrets::random_bytes()?)))
    }

    /// From its file.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn read(text: &str) -> Result<Self, NotAKey> {
        let body = text.strip_prefix(FILE_HEADER).ok_or(NotAKey)?.trim();
        let bytes = BASE64_STANDARD.decode(body).map_err(|_| NotAKey)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| NotAKey)?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }

    /// As it stands in its file. Whoever has it can publish in its owner's name.
    #[must_use]
    pub fn file(&self) -> Secret {
        Secret::new(format!("{FILE_HEADER}\n{}\n", BASE64_STANDARD.encode(self.0.as_bytes())))
    }

    /// The public half, for the registry.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64_STANDARD.encode(self.0.verifying_key().as_bytes())
    }

    /// Signs a statement.
    #[must_use]
    pub fn sign(&self, statement: &Statement<'_>) -> String {
        BASE64_STANDARD.encode(self.0.sign(statement.text().as_bytes()).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64_STANDARD.decode(text).unwrap()
    }

    #[test]
    fn a_signature_is_for_one_release_and_one_key() {
        let (key, other) = (AuthorKey::new().unwrap(), AuthorKey::new().unwrap());
        let told = Statement { digest: PluginDigest([7; 32]), name: "gap-fade", version: "1.0.0", contract: "1.1" };
        let (public, signature) = (bytes(&key.public()), bytes(&key.sign(&told)));
        assert!(is_public_key(&public) && told.is_signed(&public, &signature));
        for changed in [
            Statement { digest: PluginDigest([8; 32]), ..told.clone() },
            Statement { name: "gap-fad", ..told.clone() },
            Statement { version: "1.0.1", ..told.clone() },
            Statement { contract: "1.2", ..told.clone() },
        ] {
            assert!(!changed.is_signed(&public, &signature), "{changed:?}");
        }
        assert!(!told.is_signed(&bytes(&other.public()), &signature));
        for bit in 0..signature.len() * 8 {
            let mut bent = signature.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!told.is_signed(&public, &bent), "bit {bit}");
        }
        assert!(!told.is_signed(&public[1..], &signature) && !told.is_signed(&public, &signature[1..]));
    }

    #[test]
    fn a_key_survives_its_file_and_nothing_else_is_one() {
        let key = AuthorKey::new().unwrap();
        let again = AuthorKey::read(key.file().expose()).unwrap();
        assert_eq!(again.public(), key.public());
        for bad in ["", "marque author key 1", "marque author key 1\nAAAA\n", "ssh-ed25519 AAAA"] {
            assert!(AuthorKey::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_that_verify_everything_are_none() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!is_public_key(&identity) && !is_public_key(&[0; 32]) && !is_public_key(&[1; 31]));
    }

    /// The statement is a format that others sign: it never changes without another first line.
    #[test]
    fn the_statement_is_what_it_was() {
        let told = Statement { digest: PluginDigest([0xab; 32]), name: "a", version: "1.0.0", contract: "1.1" };
        let digest = "ab".repeat(32);
        let wanted = format!("marque plugin release 1\nsha256: {digest}\nname: a\nversion: 1.0.0\ncontract: 1.1\n");
        assert_eq!(told.text(), wanted);
    }
}
