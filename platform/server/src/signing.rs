//! What a brand signs: its Ed25519 keys (RFC 8032), sealed, and their public halves, which anybody may have.
//!
//! Owns: making a tenant's key on first use, signing, the list at [`WELL_KNOWN`]. Refuses to know what is signed: each kind
//! of statement begins with a line of its own, so that none can be taken for another.

use crate::{
    clock::Clock,
    problem::Problem,
    secrets::{NoRandomness, Place, SealError, SealedColumn, Vault, VaultError, new_id, random_bytes},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use marque_domain::{id::SigningKeyId, time::Millis};
use marque_store::{SigningKey as StoredKey, StoreError, TenantDb};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Where a brand's public keys are, on each of its hosts.
pub const WELL_KNOWN: &str = "/.well-known/marque-keys.json";
/// What a key is called in text: this, and 43 characters of base64url.
const PREFIX: &str = "ed25519:";

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tenant's keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The sealed key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No randomness for a key.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// What is stored is no key.
    #[error("a signing key of this tenant cannot be used. Restore the table signing_keys from a back-up")]
    Broken,
}

impl From<SigningError> for Problem {
    fn from(error: SigningError) -> Self {
        Self::internal(&error)
    }
}

/// A brand's signing key, open. No `Debug`, no `Serialize`.
pub struct Signatory(SigningKey);

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a public key: it reads ed25519: and 43 characters of base64url")]
pub struct NotAKey;

impl Signatory {
    /// A tenant's key; makes its first one.
    ///
    /// # Errors
    /// [`SigningError`].
    pub async fn of(db: &TenantDb, vault: &Vault, clock: &Clock) -> Result<Self, SigningError> {
        if let Some(key) = Self::current(db, vault).await? {
            return Ok(key);
        }
        let secret = Zeroizing::new(random_bytes::<32>()?);
        let (now, public) = (clock.now(), SigningKey::from_bytes(&secret).verifying_key());
        let id = SigningKeyId(new_id(now)?);
        let sealed = vault.of(db).await?.seal(&place(id), secret.as_slice())?;
        let row =
            StoredKey { id, public: public.to_bytes().to_vec(), secret: sealed, created_at: now, retired_at: None };
        db.add_first_signing_key(&row).await?;
        Self::current(db, vault).await?.ok_or(SigningError::Broken)
    }

    async fn current(db: &TenantDb, vault: &Vault) -> Result<Option<Self>, SigningError> {
        let stored = db.signing_keys().await?;
        let Some(row) = stored.into_iter().find(|key| key.retired_at.is_none()) else { return Ok(None) };
        let opened = vault.of(db).await?.open(&place(row.id), &row.secret)?;
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(opened.expose().try_into().map_err(|_| SigningError::Broken)?);
        let key = SigningKey::from_bytes(&secret);
        // A row whose halves do not belong together would sign what nobody can check.
        if key.verifying_key().as_bytes().as_slice() == row.public {
            Ok(Some(Self(key)))
        } else {
            Err(SigningError::Broken)
        }
    }

    /// A key that everybody knows, for tests.
    #[cfg(test)]
    pub fn for_tests(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The signature of a message, as text.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.0.sign(message).to_bytes())
    }
}

impl PublicKey {
    /// Whether this is the signature of a message. Strict: a signature that could be another's of the same message, or a weak
    /// key, is none (RFC 8032, 5.1.7, and what *Taming the many EdDSAs*, Chalkias et al. 2020, adds).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let bytes = URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        bytes.is_some_and(|bytes| self.0.verify_strict(message, &Signature::from_bytes(&bytes)).is_ok())
    }
}

impl core::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl core::str::FromStr for PublicKey {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(NotAKey)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| NotAKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| NotAKey)
    }
}

/// A brand's public keys, as they are published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKeys {
    /// All that it ever signed with, newest first.
    pub keys: Vec<PublishedKey>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// The key.
    pub key: String,
    /// Since when it signs (RFC 3339).
    pub since: String,
    /// Since when it does not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<String>,
}

impl PublishedKeys {
    /// A tenant's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn of(db: &TenantDb) -> Result<Self, StoreError> {
        let text = |at: Millis| at.to_rfc3339();
        let key = |row: StoredKey| {
            let bytes: [u8; 32] = row.public.try_into().ok()?;
            let key = VerifyingKey::from_bytes(&bytes).ok().map(PublicKey)?;
            Some(PublishedKey { key: key.to_string(), since: text(row.created_at), retired: row.retired_at.map(text) })
        };
        Ok(Self { keys: db.signing_keys().await?.into_iter().filter_map(key).collect() })
    }

    /// Whether a key is one of them.
    #[must_use]
    pub fn have(&self, key: &str) -> bool {
        self.keys.iter().any(|published| published.key == key)
    }
}

fn place(id: SigningKeyId) -> Place {
    Place::new(SealedColumn::SigningKeys, id.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestStore, vault};

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&secret[2 * i..2 * i + 2], 16).unwrap()).collect();
        let key = Signatory(SigningKey::from_bytes(&bytes.try_into().unwrap()));
        let signature = URL_SAFE_NO_PAD.decode(key.sign(&[0x72])).unwrap();
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        let public = key.public();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert!(public.verifies(&[0x72], &key.sign(&[0x72])));
        assert!(!public.verifies(&[0x73], &key.sign(&[0x72])));
        assert!(!public.verifies(&[0x72], ""));
        for bad in ["", "ed25519:", "rsa:AAAA", "ed25519:AAAA"] {
            assert_eq!(bad.parse::<PublicKey>(), Err(NotAKey), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_brand_has_one_key_of_its_own() {
        let store = TestStore::with_demo(&[]).await;
        let (vault, clock) = (vault(), Clock::system());
        let system = store.system();
        let of = async |host: &str| system.tenant_db(system.tenant_by_host(host).await.unwrap().unwrap().id);
        let (aurora, borealis) = (of("aurora.localhost").await, of("borealis.localhost").await);
        let first = Signatory::of(&aurora, &vault, &clock).await.unwrap().public();
        assert_eq!(Signatory::of(&aurora, &vault, &clock).await.unwrap().public(), first);
        let other = Signatory::of(&borealis, &vault, &clock).await.unwrap().public();
        assert_ne!(first, other);
        let published = PublishedKeys::of(&aurora).await.unwrap();
        assert!(published.have(&first.to_string()) && !published.have(&other.to_string()));
        // It is still the same after the keys that seal it have changed.
        vault.rotate(&aurora, |_| {}).await.unwrap();
        assert_eq!(Signatory::of(&aurora, &vault, &clock).await.unwrap().public(), first);
    }
}
