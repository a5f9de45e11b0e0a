//! The two primitives: AES-256-GCM with a fresh random nonce, and HMAC-SHA-256. Nothing else in this program uses
//! either directly, except the signatures of the EA protocol (`licensing/mac.rs`).

use super::{NoRandomness, random_bytes};
use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

const NONCE_BYTES: usize = 12;

/// Why something sealed was not opened, or not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was changed, or it belongs to another place.
    #[error(
        "a sealed value was changed or moved; it stays closed. Restore the row from a back-up, or have its owner set it anew"
    )]
    Broken,
    /// The data key is not there.
    #[error(
        "a sealed value needs the tenant's data key {0}, which is not in the database. Restore the table data_keys from a back-up"
    )]
    NoKey(u32),
    /// The master key is another one.
    #[error(
        "the tenant's data keys were wrapped by another master key. Set master_key_file or MARQUE_MASTER_KEY to the one of this database"
    )]
    WrongMaster,
    /// Too long to seal.
    #[error("a value of this length cannot be sealed")]
    TooLong,
    /// No randomness for a nonce.
    #[error("the operating system gave no random bytes; nothing can be sealed until it does")]
    NoRandomness,
}

impl From<NoRandomness> for SealError {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

/// 256 bits that are wiped when dropped. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub(super) struct Key([u8; 32]);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Key {
    pub(super) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn random() -> Result<Self, NoRandomness> {
        random_bytes().map(Self)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA-256 of a message.
    pub(super) fn mac(&self, message: &[u8]) -> [u8; 32] {
        // A shorter key is padded to a block with zeros (RFC 2104, 2).
        let mut block = Zeroizing::new([0_u8; 64]);
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new((&*block).into());
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// Nonce, ciphertext, tag. With random nonces a key is good for 2^32 messages (NIST SP 800-38D, 8.3), far beyond what
/// a tenant seals before its next key.
pub(super) fn encrypt(key: &Key, plain: &[u8], about: &[u8]) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; NONCE_BYTES] = random_bytes()?;
    let cipher = Aes256Gcm::new((&key.0).into());
    let sealed = cipher.encrypt((&nonce).into(), Payload { msg: plain, aad: about }).map_err(|_| SealError::TooLong)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// The plain text, if key, nonce, ciphertext and `about` are those of one [`encrypt`].
pub(super) fn decrypt(key: &Key, sealed: &[u8], about: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Broken)?;
    let cipher = Aes256Gcm::new((&key.0).into());
    let plain = cipher.decrypt(nonce.into(), Payload { msg: sealed, aad: about });
    plain.map(Zeroizing::new).map_err(|_| SealError::Broken)
}

/// Parts one after the other, each with its length before it: no two lists of parts read the same.
pub(crate) fn concat(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        all.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}
