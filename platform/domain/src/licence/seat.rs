//! A licence with its seats, and what an EA says of itself.

use super::{Policy, Since, Term, Version};
use crate::{
    id::{ActivationId, LicenceId, ProductId},
    time::Millis,
};
use core::fmt;
use serde::{Deserialize, Serialize};

/// How a licence stands, by what people did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may be used.
    Active,
    /// Stopped until it is reinstated.
    Suspended,
    /// Ended for good.
    Revoked,
}

/// A licence as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// Which.
    pub id: LicenceId,
    /// For which EA.
    pub product: ProductId,
    /// What it allows.
    pub policy: Policy,
    /// How it stands.
    pub state: State,
    /// Whether the plan of its owner grants the EA.
    pub granted: bool,
    /// When it was made.
    pub created_at: Millis,
    /// The first question that named it.
    pub first_used_at: Option<Millis>,
    /// The first seat that was taken.
    pub first_activated_at: Option<Millis>,
    /// When it last moved: a seat was taken by somebody new, or by whom it had left. None: not since its owner has it.
    pub moved_at: Option<Millis>,
    /// Its seats, the released ones too.
    pub activations: Vec<Activation>,
}

impl Licence {
    /// When its time is over; none when it does not end, or has not begun.
    #[must_use]
    pub fn expires_at(&self) -> Option<Millis> {
        self.ends(self.first_used_at, self.first_activated_at)
    }

    /// The same, counting what is being asked now as its first use, and a seat that is asked for as its first.
    pub(super) fn expires_once_asked(&self, ask: Ask, now: Millis) -> Option<Millis> {
        let activated = self.first_activated_at.or((ask == Ask::Activate).then_some(now));
        self.ends(self.first_used_at.or(Some(now)), activated)
    }

    fn ends(&self, first_used_at: Option<Millis>, first_activated_at: Option<Millis>) -> Option<Millis> {
        match self.policy.term {
            Term::Perpetual => None,
            Term::Until(end) => Some(end),
            Term::For { since, ms } => {
                let began = match since {
                    Since::Creation => Some(self.created_at),
                    Since::FirstUse => first_used_at,
                    Since::Activation => first_activated_at,
                };
                began.map(|began| began.plus(ms))
            }
        }
    }

    /// The seats that are held at an instant.
    pub fn held(&self, now: Millis) -> impl Iterator<Item = &Activation> {
        self.activations.iter().filter(move |seat| seat.is_held(&self.policy, now))
    }
}

/// A seat: the account and computer that have taken one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    /// Which.
    pub id: ActivationId,
    /// The trading account's number.
    pub account: String,
    /// The broker's server.
    pub server: String,
    /// The computer's fingerprint.
    pub machine: String,
    /// When it was last taken or held by a heartbeat.
    pub seen_at: Millis,
    /// Whether it was given back.
    pub released: bool,
    /// Whether it was lost because it was not heard from: it stays unheard, whatever the policy says later.
    pub lapsed: bool,
}

impl Activation {
    /// Whether it was heard from in time. Without heartbeats nobody need be.
    pub(super) fn is_heard(&self, policy: &Policy, now: Millis) -> bool {
        let heard = |window_ms: i64| !self.lapsed && now <= self.seen_at.plus(window_ms);
        policy.floating.is_none_or(|f| heard(f.window_ms.saturating_add(f.drift_ms)))
    }

    /// Whether it counts as taken.
    pub(super) fn is_held(&self, policy: &Policy, now: Millis) -> bool {
        !self.released && self.is_heard(policy, now)
    }

    /// What of it a claim differs in.
    #[must_use]
    pub fn differs(&self, claim: &Claim<'_>) -> Vec<Bound> {
        let same = [
            (Bound::Account, self.account == claim.account),
            (Bound::Server, self.server == claim.server),
            (Bound::Machine, self.machine == claim.machine),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(bound, _)| bound).collect()
    }

    /// Whether what differs is what the policy forgives.
    pub(super) fn is_bound_to(&self, policy: &Policy, claim: &Claim<'_>) -> bool {
        self.differs(claim).len() <= policy.binding.may_differ()
    }

    /// Whether it counts for the account and computer of a claim, and for no others. No binding forgives these in whoever has
    /// a seat: one would serve as many as like, and count once.
    pub(super) fn counts_for(&self, claim: &Claim<'_>) -> bool {
        self.account == claim.account && self.machine == claim.machine
    }
}

/// What a seat is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bound {
    /// The trading account.
    Account,
    /// The broker's server.
    Server,
    /// The computer.
    Machine,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Server => "server",
            Self::Machine => "machine",
        })
    }
}

/// What kind of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Play money.
    Demo,
    /// A contest's, which counts as demo.
    Contest,
    /// Real money.
    Live,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A seat.
    Activate,
    /// Whether this seat is good.
    Seat(ActivationId),
    /// Whether the licence is good; no seat is named.
    Nothing,
}

/// What an EA says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// What it asks for.
    pub ask: Ask,
    /// Which EA it is.
    pub product: ProductId,
    /// Its version.
    pub version: Version,
    /// The trading account's number.
    pub account: &'a str,
    /// The broker's server.
    pub server: &'a str,
    /// The computer's fingerprint.
    pub machine: &'a str,
    /// What kind of account.
    pub kind: Kind,
    /// Whether the key it knows was replaced by another.
    pub key_replaced: bool,
    /// Whether its version was withdrawn.
    pub yanked: bool,
    /// The newest version that it could download, if there is one.
    pub latest: Option<Version>,
}
