//! The server's only source of randomness, the types that hold what must not be shown, and the keys that seal it.
//!
//! Owns: random bytes, tokens, their digests, secret text, the [`Vault`]. A [`Secret`] has no `Debug` and no
//! `Serialize`, so a log line or an answer that would hold one does not compile. Nor has anything else here that
//! holds one.

pub(crate) mod cipher;
mod content;
mod master;
mod rotate;
mod vault;

pub use cipher::SealError;
pub use content::ContentKey;
pub use marque_store::{RowKey, SealedColumn};
pub use master::MasterKeyError;
pub(crate) use master::MasterSource;
pub use rotate::Rotated;
pub use vault::{Opened, Place, TenantKeys, Vault, VaultError};

use crate::config::Config;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::{id, time::Millis};
use marque_store::Store;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Makes the first master key, where there is none yet. Where data keys are already wrapped by one, a new one could not
/// unwrap them, and making it would only hide that theirs is missing.
///
/// # Errors
/// [`VaultError`].
pub async fn create_master_key(config: &Config, store: &Store) -> Result<(), VaultError> {
    let source = config.master_key_source();
    if !source.is_missing() {
        source.read()?;
        return Ok(());
    }
    let system = store.system("make the master key");
    for tenant in system.tenants().await? {
        if !system.tenant_db(tenant.id).data_keys().await?.is_empty() {
            source.read()?;
        }
    }
    Ok(source.create()?)
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes; nothing secret can be made until it does")]
pub struct NoRandomness;

/// Random bytes from the operating system.
///
/// # Errors
/// When it has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new row's id: sortable by time, not guessable.
///
/// # Errors
/// When there is no randomness.
pub fn new_id(at: Millis) -> Result<i64, NoRandomness> {
    Ok(id::compose(at.0, u32::from_le_bytes(random_bytes()?)))
}

/// Text that must not reach a log or an answer: a password, a database address with one in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// 256 random bits that are handed to a browser; only [`Token::digest`] is stored.
#[derive(Clone)]
pub struct Token([u8; 32]);

/// The SHA-256 of a token. Without the token it opens nothing: the preimage has 256 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub [u8; 32]);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Result<Self, NoRandomness> {
        random_bytes().map(Self)
    }

    /// Reads what [`Token::expose`] wrote; nothing else is a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // 43 characters hold 32 bytes; the bound keeps a hostile cookie from being decoded at all.
        (text.len() == 43).then(|| URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)).flatten()
    }

    /// The text for a cookie or a form field.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0).into())
    }

    /// Whether `text` is this token, in time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        Self::parse(text).is_some_and(|other| other.0.ct_eq(&self.0).into())
    }
}

#[cfg(test)]
mod vault_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_survives_a_cookie_and_nothing_else_is_one() {
        let token = Token::new().unwrap();
        let text = token.expose();
        assert!(token.matches(&text));
        assert_eq!(Token::parse(&text).map(|t| t.digest()), Some(token.digest()));
        assert!(!token.matches(&Token::new().unwrap().expose()));
        for bad in ["", "a", &text[1..], &format!("{text}A"), &"=".repeat(43), &"é".repeat(22)] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_never_panics(text in ".{0,80}") {
            let _ = Token::parse(&text);
        }
    }
}
