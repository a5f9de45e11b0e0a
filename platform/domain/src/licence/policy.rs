//! What a licence allows, as the vendor set it.

use super::Version;
use crate::time::{HOUR_MS, MINUTE_MS, Millis, SECOND_MS};
use serde::{Deserialize, Serialize};

/// From when a licence's time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// When it was made.
    Creation,
    /// The first question that named it.
    FirstUse,
    /// The first seat that was taken.
    Activation,
}

/// How long a licence lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// For ever.
    Perpetual,
    /// To an instant, which renewals move: a subscription.
    Until(Millis),
    /// So many milliseconds: a trial.
    For {
        /// From when.
        since: Since,
        /// How long.
        ms: i64,
    },
}

/// How many may use it at once. None means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    /// Computers.
    pub machines: Option<u32>,
    /// Trading accounts.
    pub accounts: Option<u32>,
    /// What happens beyond.
    pub overage: Overage,
}

/// What happens when more want a seat than there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overage {
    /// They are refused.
    Strict,
    /// They are let in, and it is told.
    Allowed,
}

/// How much of account, broker server and computer must be the seat's. What is forgiven is a server with another name, and in
/// an activation a computer with another fingerprint; how many computers and accounts there are is counted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// One of the three.
    Any,
    /// Two of the three.
    Most,
    /// All three.
    All,
}

impl Binding {
    /// How many of the three may differ.
    pub(super) const fn may_differ(self) -> usize {
        match self {
            Self::Any => 2,
            Self::Most => 1,
            Self::All => 0,
        }
    }
}

/// Which accounts a licence is for. Contest accounts count as demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kinds {
    /// Demo and live.
    Both,
    /// Demo only.
    Demo,
    /// Live only.
    Live,
}

/// A seat that is held by heartbeats and becomes free without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floating {
    /// How long a heartbeat holds the seat, in milliseconds.
    pub window_ms: i64,
    /// What is forgiven beyond it, in milliseconds.
    pub drift_ms: i64,
}

impl Default for Floating {
    fn default() -> Self {
        Self { window_ms: 10 * MINUTE_MS, drift_ms: 30 * SECOND_MS }
    }
}

/// What a licence allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How long it lasts.
    pub term: Term,
    /// How long it works beyond its end, in milliseconds.
    pub grace_ms: i64,
    /// How many may use it.
    pub seats: Seats,
    /// How firmly a seat is bound.
    pub binding: Binding,
    /// Which accounts.
    pub kinds: Kinds,
    /// Whether seats are held by heartbeats.
    pub floating: Option<Floating>,
    /// How long after one seat was taken another may be, in milliseconds: so that one licence does not wander.
    pub cooldown_ms: i64,
    /// The oldest version that still runs.
    pub minimum_version: Option<Version>,
    /// How long a valid answer holds as if it were fresh, in milliseconds.
    pub lease_ms: i64,
    /// How long the EA trades on with a warning after that, in milliseconds.
    pub offline_grace_ms: i64,
}

impl Default for Policy {
    /// One computer and one account for ever, a day's lease and three days of grace.
    fn default() -> Self {
        Self {
            term: Term::Perpetual,
            grace_ms: 0,
            seats: Seats { machines: Some(1), accounts: Some(1), overage: Overage::Strict },
            binding: Binding::All,
            kinds: Kinds::Both,
            floating: None,
            cooldown_ms: 0,
            minimum_version: None,
            lease_ms: 24 * HOUR_MS,
            offline_grace_ms: 72 * HOUR_MS,
        }
    }
}
