//! What the platform knows of a plugin without running it.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// What a plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Turns market events into intents.
    Strategy,
    /// Allows, shrinks or refuses orders, and watches accounts.
    RiskRule,
}

impl PluginKind {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::RiskRule => "risk-rule",
        }
    }
}

/// Through which a release reaches those who deploy it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// What everybody gets.
    #[default]
    Stable,
    /// What those get who ask for it by name.
    Beta,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Stable, Self::Beta];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        }
    }
}

/// Text that names no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such channel: write stable or beta")]
pub struct UnknownChannel;

impl FromStr for Channel {
    type Err = UnknownChannel;
    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        Self::ALL.into_iter().find(|channel| channel.name() == text).ok_or(UnknownChannel)
    }
}

/// Where a release is on its way into a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseStatus {
    /// The gate accepted it; nobody has decided.
    Pending,
    /// It may be deployed.
    Approved,
    /// Somebody decided against it.
    Refused,
    /// It was withdrawn: what runs goes on, nothing new starts with it.
    Yanked,
}

impl ReleaseStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Refused, Self::Yanked];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Yanked => "yanked",
        }
    }
}

/// The SHA-256 of a plugin's component: its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PluginDigest(pub [u8; 32]);

impl fmt::Display for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a plugin digest: it has 64 lower-case hexadecimal digits")]
pub struct NotADigest;

impl FromStr for PluginDigest {
    type Err = NotADigest;
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut digest = [0_u8; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(NotADigest);
        }
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = core::str::from_utf8(pair).map_err(|_| NotADigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(digest))
    }
}

/// A plugin with the settings it runs under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRef {
    /// Which code.
    pub digest: PluginDigest,
    /// Its name, as it stands in the catalogue: `ema-cross`.
    pub name: String,
    /// A JSON object that satisfies the plugin's settings schema.
    pub settings: String,
}
