//! The kill switch: what it stops, how, and who may let go of it.
//!
//! Owns: its scopes, modes and the latch. Refuses to know: how strategies are stopped and positions closed.

use crate::{
    id::{AccountId, DeploymentId, InstrumentId},
    time::Millis,
};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Characters of a reason at most.
pub const REASON_CHARS_MAX: usize = 200;
/// Switches of one authority that may be on at once in one shard; those that stop everybody are not counted.
pub const KILLS_MAX: usize = 1_000;

/// What a switch stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KillScope {
    /// Everything, at every tenant.
    Platform,
    /// Everything of the tenant.
    Tenant,
    /// An instrument, on all of the tenant's accounts.
    Instrument(InstrumentId),
    /// An account.
    Account(AccountId),
    /// One strategy.
    Deployment(DeploymentId),
}

impl KillScope {
    /// Whether it stops what a strategy (none for a person) does on an account in an instrument.
    #[must_use]
    pub fn covers(self, account: AccountId, instrument: InstrumentId, deployment: Option<DeploymentId>) -> bool {
        match self {
            Self::Platform | Self::Tenant => true,
            Self::Instrument(id) => id == instrument,
            Self::Account(id) => id == account,
            Self::Deployment(id) => Some(id) == deployment,
        }
    }

    /// A stable lower-case name of its kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Tenant => "tenant",
            Self::Instrument(_) => "instrument",
            Self::Account(_) => "account",
            Self::Deployment(_) => "deployment",
        }
    }

    /// What a person reads.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Platform => "the whole platform",
            Self::Tenant => "all accounts here",
            Self::Instrument(_) => "this instrument",
            Self::Account(_) => "this account",
            Self::Deployment(_) => "this strategy",
        }
    }
}

impl fmt::Display for KillScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// What a switch does besides denying new orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KillMode {
    /// Strategies stop and working orders are withdrawn. Open positions stay, with their stops.
    Stop,
    /// Open positions are closed as well.
    Close,
}

impl KillMode {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Close => "close",
        }
    }
}

/// In whose name a switch is on. Who is higher lets go of what who is lower pressed, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Authority {
    /// The account's owner.
    Trader,
    /// Who works for the brand.
    Broker,
    /// Who runs the platform.
    Operator,
}

impl Authority {
    /// Everybody, lowest first.
    pub const ALL: [Self; 3] = [Self::Trader, Self::Broker, Self::Operator];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trader => "trader",
            Self::Broker => "broker",
            Self::Operator => "operator",
        }
    }
}

/// A switch that is on. It stays so until a person lets go of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// What it stops.
    pub scope: KillScope,
    /// How.
    pub mode: KillMode,
    /// In whose name.
    pub authority: Authority,
    /// Who pressed it: a name for people.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in market time.
    pub at: Millis,
}

/// Why nothing new happens where a switch is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "The kill switch is on for {}: {by} pressed it at {}, because: {reason}. Nothing new is traded until it is released.",
    scope.words(), at.to_rfc3339()
)]
pub struct Killed {
    /// What it stops.
    pub scope: KillScope,
    /// Who pressed it.
    pub by: String,
    /// When, in market time.
    pub at: Millis,
    /// Why.
    pub reason: String,
}

impl Kill {
    /// Why nothing new happens.
    #[must_use]
    pub fn answer(&self) -> Killed {
        Killed { scope: self.scope, by: self.by.clone(), at: self.at, reason: self.reason.clone() }
    }

    /// Whether name and reason can be kept and shown.
    #[must_use]
    pub fn is_worded(&self) -> bool {
        let good = |text: &str| {
            let count = text.trim().chars().count();
            (1..=REASON_CHARS_MAX).contains(&count) && !text.chars().any(char::is_control)
        };
        good(&self.reason) && good(&self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_switch_stops_is_this_table() {
        let (account, instrument, deployment) = (AccountId(1), InstrumentId(2), Some(DeploymentId(3)));
        for (scope, by_strategy, by_hand) in [
            (KillScope::Platform, true, true),
            (KillScope::Tenant, true, true),
            (KillScope::Instrument(InstrumentId(2)), true, true),
            (KillScope::Instrument(InstrumentId(1)), false, false),
            (KillScope::Account(AccountId(1)), true, true),
            (KillScope::Account(AccountId(2)), false, false),
            (KillScope::Deployment(DeploymentId(3)), true, false),
            (KillScope::Deployment(DeploymentId(1)), false, false),
        ] {
            let covers = (scope.covers(account, instrument, deployment), scope.covers(account, instrument, None));
            assert_eq!(covers, (by_strategy, by_hand), "{scope:?}");
        }
    }

    #[test]
    fn the_answer_names_who_when_and_why() {
        let kill = Kill {
            scope: KillScope::Account(AccountId(1)),
            mode: KillMode::Stop,
            authority: Authority::Broker,
            by: "risk@aurora.example".to_owned(),
            reason: "prices look wrong".to_owned(),
            at: Millis(1_398_902_400_000),
        };
        assert!(kill.is_worded());
        assert_eq!(
            kill.answer().to_string(),
            "The kill switch is on for this account: risk@aurora.example pressed it at 2014-05-01T00:00:00.000Z, because: \
             prices look wrong. Nothing new is traded until it is released."
        );
        for (by, reason) in [("", "x"), ("x", ""), ("x", "  "), ("x", "a\nb"), ("x", &*"y".repeat(201))] {
            assert!(
                !Kill { by: by.to_owned(), reason: reason.to_owned(), ..kill.clone() }.is_worded(),
                "{by:?} {reason:?}"
            );
        }
    }
}
