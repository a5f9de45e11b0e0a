//! Typed ids. In memory and in the database an id is a positive `i64`; people and programs see it with
//! a prefix that says what it names, such as `acc_01h4…`, so that one kind is never taken for another.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// Crockford's base 32 without `i`, `l`, `o`, `u`; <https://www.crockford.com/base32.html>.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters that hold 63 bits.
const WIDTH: usize = 13;

/// Text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id: it starts with {prefix}_ and has 13 more characters")]
pub struct IdError {
    kind: &'static str,
    prefix: &'static str,
}

/// Composes an id from a wall-clock millisecond and random bits: sortable by time of creation, and not
/// guessable within its millisecond. 41 bits of time last until 2079 from 2010; 22 bits are random.
#[must_use]
pub const fn compose(at_ms: i64, random: u32) -> i64 {
    const EPOCH_2010_MS: i64 = 1_262_304_000_000;
    let time = (at_ms - EPOCH_2010_MS) & 0x1FF_FFFF_FFFF;
    (time << 22) | (random & 0x3F_FFFF) as i64
}

/// What a byte stands for: its place in the alphabet.
static DIGITS: [u8; 256] = digits();
const NO_DIGIT: u8 = u8::MAX;

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 32 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
}

fn encode(prefix: &str, value: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'0'; WIDTH];
    let mut rest = value.unsigned_abs();
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    write!(f, "{prefix}_{}", core::str::from_utf8(&text).unwrap_or_default())
}

fn decode(text: &str, kind: &'static str, prefix: &'static str) -> Result<i64, IdError> {
    let error = IdError { kind, prefix };
    let digits = text.strip_prefix(prefix).and_then(|t| t.strip_prefix('_')).ok_or(error.clone())?;
    if digits.len() != WIDTH {
        return Err(error);
    }
    digits
        .bytes()
        .try_fold(0_i64, |value, byte| {
            let digit = DIGITS[usize::from(byte)];
            if digit == NO_DIGIT { None } else { value.checked_mul(32)?.checked_add(digit.into()) }
        })
        .ok_or(error)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// What stands before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                encode($prefix, self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(text, $kind, $prefix).map(Self)
            }
        }
    };
}

id!(
    /// A brand: one broker on the platform.
    TenantId, "tenant", "ten"
);
id!(
    /// A person at one tenant. The same e-mail at two tenants is two users.
    UserId, "user", "usr"
);
id!(
    /// A signed-in browser.
    SessionId, "session", "ses"
);
id!(
    /// A program that somebody let in with their password.
    GrantId, "grant", "grt"
);
id!(
    /// A token that a person made for a program of theirs.
    PersonalTokenId, "personal token", "pat"
);
id!(
    /// A trading account.
    AccountId, "account", "acc"
);
id!(
    /// A strategy running on an account.
    DeploymentId, "deployment", "dep"
);
id!(
    /// An order. It is also the client order id at the venue.
    OrderId, "order", "ord"
);
id!(
    /// An open or closed position.
    PositionId, "position", "pos"
);
id!(
    /// What a strategy or person wanted and what was answered.
    DecisionId, "decision", "dec"
);
id!(
    /// A balanced set of ledger postings.
    TransactionId, "transaction", "txn"
);
id!(
    /// A stored plugin artifact.
    PluginId, "plugin", "plg"
);
id!(
    /// A public key that an author signs plugins with.
    AuthorKeyId, "author key", "aky"
);
id!(
    /// An Expert Advisor that a brand offers.
    ProductId, "product", "prd"
);
id!(
    /// A version of an Expert Advisor.
    EaVersionId, "version", "eav"
);
id!(
    /// A file of a version of an Expert Advisor.
    EaFileId, "file", "eaf"
);
id!(
    /// What licences of an Expert Advisor allow.
    LicencePolicyId, "policy", "pol"
);
id!(
    /// The right of one person to run an Expert Advisor.
    LicenceId, "licence", "lic"
);
id!(
    /// A licence's seat: one account on one computer.
    ActivationId, "activation", "act"
);

id!(
    /// A backtest that somebody started.
    BacktestId, "backtest", "bkt"
);
id!(
    /// A key that a brand signs with.
    SigningKeyId, "signing key", "key"
);

/// An instrument's number in the catalogue: small, dense, and an index in the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstrumentId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_are_not_confused() {
        let account = AccountId(42);
        assert_eq!(account.to_string(), "acc_000000000001a");
        assert_eq!("acc_000000000001a".parse(), Ok(account));
        assert!("acc_000000000001a".parse::<OrderId>().is_err());
        for bad in ["", "acc", "acc_", "acc_1a", "acc_00000000000il", "acc_zzzzzzzzzzzzz", "acc_000000000001a0"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(value in 0..i64::MAX) {
            prop_assert_eq!(OrderId(value).to_string().parse(), Ok(OrderId(value)));
        }

        #[test]
        fn composed_ids_are_positive_and_sorted(at in 1_262_304_000_000_i64..3_000_000_000_000, random: u32) {
            prop_assert!(compose(at, random) >= 0);
            prop_assert!(compose(at + 1, 0) > compose(at, random));
        }
    }
}
