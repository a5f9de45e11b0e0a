//! The bytes that signatures cover, the texts that keys are derived from, and how key ids are written: `ea/protocol.md`, sections
//! Keys and Signatures. What turns them into signatures stands where keys are kept.

use core::{
    fmt::{self, Write as _},
    str::FromStr,
};

/// Bytes before the payload, or a few more.
const HEAD_USUAL: usize = 96;

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedKind {
    /// What an EA asks.
    Request,
    /// What it is answered.
    Answer,
}

impl SignedKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

/// Which key signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kid {
    /// The licence's, by its key id: 32 hexadecimal digits.
    Licence(String),
    /// An activation's, in its generation.
    Activation {
        /// Which activation.
        id: String,
        /// Counts its keys, from 1.
        generation: u64,
    },
    /// The tenant's, by its name.
    Tenant(String),
}

/// A text that names no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key id is l.<licence>, a.<activation>.<generation> or t.<name>")]
pub struct NoKid;

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Licence(id) => write!(f, "l.{id}"),
            Self::Activation { id, generation } => write!(f, "a.{id}.{generation}"),
            Self::Tenant(name) => write!(f, "t.{name}"),
        }
    }
}

impl FromStr for Kid {
    type Err = NoKid;

    fn from_str(text: &str) -> Result<Self, NoKid> {
        let plain = |text: &str| {
            let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
            ((1..=40).contains(&text.len()) && text.bytes().all(good)).then(|| text.to_owned())
        };
        let (kind, rest) = text.split_once('.').ok_or(NoKid)?;
        let kid = match kind {
            "l" if rest.len() == 32 => plain(rest).map(Self::Licence),
            "t" => plain(rest).map(Self::Tenant),
            "a" => rest.split_once('.').and_then(|(id, generation)| {
                let number = generation.parse().ok().filter(|n: &u64| *n > 0 && n.to_string() == generation)?;
                Some(Self::Activation { id: plain(id)?, generation: number })
            }),
            _ => None,
        };
        kid.ok_or(NoKid)
    }
}

/// What a signature covers: four lines, then the payload exactly as it travels.
#[must_use]
pub fn signed_bytes(kind: SignedKind, operation: &str, kid: &Kid, payload: &[u8]) -> Vec<u8> {
    let mut head = String::with_capacity(HEAD_USUAL + payload.len());
    // Writing to a String cannot fail.
    let _ = write!(head, "marque-ea-1\n{}\n{operation}\n{kid}\n", kind.name());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// What an activation's key is derived with, from the licence's secret.
#[must_use]
pub fn activation_info(activation: &str, generation: u64, salt: &str) -> String {
    format!("activation-mac\n{activation}\n{generation}\n{salt}\n")
}

/// What the key of a client's state file is derived with.
#[must_use]
pub fn state_info(machine: &str) -> String {
    format!("state-mac\n{machine}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_read_as_they_are_written() {
        for text in ["l.0123456789abcdef0123456789abcdef", "a.act_01h4.1", "a.6f1d.4000000000", "t.2026-11"] {
            assert_eq!(text.parse::<Kid>().unwrap().to_string(), text);
        }
        for text in [
            "", "l.", "l.short", "a.x", "a.x.0", "a.x.01", "a.x.+1", "a..1", "a.X.1", "t.", "t.a b", "x.y", "local",
            "t.a.b",
        ] {
            assert_eq!(text.parse::<Kid>(), Err(NoKid), "{text:?}");
        }
    }
}
