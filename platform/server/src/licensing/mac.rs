//! The protocol's keys and signatures: HKDF and HMAC-SHA-256, and the header that carries a signature.

pub(super) use crate::hex::hex;
use core::fmt::Write as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use marque_domain::{
    id::ActivationId,
    licence::{Kid, LicenceKey, activation_info},
};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of a signature's header, or a few more.
const HEADER_USUAL: usize = 144;

/// What a licence's keys are derived from. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub(super) struct LicenceSecret(Zeroizing<[u8; 32]>);

/// A key that makes signatures. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub(super) struct Mac(Zeroizing<[u8; 32]>);

/// What a `Marque-Signature` says.
pub(super) struct Signature {
    pub kid: Kid,
    pub mac: [u8; 32],
}

fn mac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length; without one nothing would verify.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    message.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

impl LicenceSecret {
    /// HKDF-Extract (RFC 5869) of the licence key.
    pub fn of(key: &LicenceKey) -> Self {
        Self(Zeroizing::new(mac(b"marque-ea-1 licence", &[key.canonical().as_bytes()])))
    }

    /// The first block of HKDF-Expand.
    fn expand(&self, info: &str) -> [u8; 32] {
        mac(self.0.as_slice(), &[info.as_bytes(), &[1]])
    }

    /// What requests name the licence by.
    pub fn key_id(&self) -> [u8; 16] {
        let expanded = self.expand("key-id");
        expanded.first_chunk::<16>().copied().unwrap_or_default()
    }

    /// The licence's own key.
    pub fn licence_mac(&self) -> Mac {
        Mac(Zeroizing::new(self.expand("licence-mac")))
    }

    /// An activation's key, of a generation, with the half that the server gave: 64 hexadecimal digits.
    pub fn activation_mac(&self, id: ActivationId, generation: u64, salt: &str) -> Mac {
        self.mac_of(&id.to_string(), generation, salt)
    }

    /// The same, of an activation by its name.
    pub fn mac_of(&self, activation: &str, generation: u64, salt: &str) -> Mac {
        Mac(Zeroizing::new(self.expand(&activation_info(activation, generation, salt))))
    }
}

impl Mac {
    /// A key that everybody knows.
    #[cfg(test)]
    pub fn for_tests(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Whether this is the signature of these bytes. Takes as long wherever they differ.
    pub fn verifies(&self, bytes: &[u8], signature: &[u8; 32]) -> bool {
        mac(self.0.as_slice(), &[bytes]).ct_eq(signature).into()
    }

    /// The header with the signature of these bytes.
    pub fn header(&self, kid: &Kid, bytes: &[u8]) -> String {
        let mut header = String::with_capacity(HEADER_USUAL);
        // Writing to a String cannot fail.
        let _ = write!(header, "kid={kid}, hmac-sha256={}", hex(&mac(self.0.as_slice(), &[bytes])));
        header
    }
}

impl Signature {
    /// Reads the header of a request. Servers sign with Ed25519, EAs do not.
    pub fn read(header: &str) -> Option<Self> {
        let (kid, signature) = header.split_once(',')?;
        let kid = kid.trim().strip_prefix("kid=")?.parse().ok()?;
        let mac = of_hex(signature.trim().strip_prefix("hmac-sha256=")?)?;
        Some(Self { kid, mac })
    }
}

/// Bytes of exactly so many lower-case hexadecimal digits.
pub(super) fn of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}
