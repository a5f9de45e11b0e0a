//! Why an EA may not trade: stable codes, and what a person does about it.

use super::{Bound, Version};
use crate::time::Millis;

/// Why a licence does not hold for who asks. The codes are those of `ea/protocol.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such licence here. [`super::decide`] never says it: it has one.
    #[error("This licence key is not known here. Check that it belongs to this portal, and copy it again.")]
    NotFound,
    /// The key was reissued.
    #[error("This licence key was replaced by a new one. Copy the new key into the EA's inputs.")]
    KeyReplaced,
    /// Ended for good.
    #[error("This licence was revoked for good. Ask support if you think that is a mistake.")]
    Revoked,
    /// Stopped for now.
    #[error("This licence is suspended. Ask support why; the EA goes on by itself once it is reinstated.")]
    Suspended,
    /// The key is another EA's.
    #[error("This licence key is for another EA. Use the key that the portal shows beside this one.")]
    ProductMismatch,
    /// The plan does not grant it.
    #[error("Your plan does not include this EA any more. Choose a plan that does.")]
    PlanRequired,
    /// Its time and its grace are over.
    #[error("This licence ended on {}. Renew it in the portal; the EA goes on by itself.", .at.to_rfc3339())]
    Expired {
        /// When its time was over, without the grace.
        at: Millis,
    },
    /// On a live account, and the licence is for demo.
    #[error("This licence is for demo accounts. Attach the EA to a demo account, or choose another plan.")]
    DemoOnly,
    /// On a demo account, and the licence is for live.
    #[error("This licence is for live accounts. Attach the EA to a live account.")]
    LiveOnly,
    /// Below the oldest version that still runs.
    #[error("This version of the EA is too old: at least {minimum} is needed. Download it from the portal.")]
    VersionTooOld {
        /// The oldest that runs.
        minimum: Version,
    },
    /// This version was withdrawn.
    #[error("This version of the EA was withdrawn. {}", instead(.latest.as_ref()))]
    VersionYanked {
        /// What to take instead, if there is anything.
        latest: Option<Version>,
    },
    /// There is no such seat.
    #[error("This computer and account are not activated. The EA asks for an activation by itself.")]
    NotActivated,
    /// The seat was given back.
    #[error("This activation was released. To use the EA here again, remove it from the chart and attach it anew.")]
    Released,
    /// The seat became free because it was not heard from.
    #[error("The EA was not heard from in time, and its seat became free. It asks for a seat again by itself.")]
    HeartbeatMissed,
    /// The seat is another's.
    #[error("This activation belongs to another {}. Release it in the portal, then start the EA again.", names(.mismatched, " and another "))]
    BindingMismatch {
        /// What differs.
        mismatched: Vec<Bound>,
    },
    /// No seat is left for another computer.
    #[error("All computers of this licence are in use ({max}). Release one in the portal; the EA goes on by itself.")]
    TooManyMachines {
        /// How many there are.
        max: u32,
    },
    /// No seat is left for another account.
    #[error(
        "All trading accounts of this licence are in use ({max}). Release one in the portal; the EA goes on by itself."
    )]
    TooManyAccounts {
        /// How many there are.
        max: u32,
    },
    /// It was moved a short while ago.
    #[error("This licence was moved a short while ago and can be moved again at {}.", .retry_at.to_rfc3339())]
    TransferCooldown {
        /// When it can be moved again.
        retry_at: Millis,
    },
}

/// What to do about a version that was withdrawn.
fn instead(latest: Option<&Version>) -> String {
    latest.map_or_else(
        || "There is no other yet: ask support when there will be.".to_owned(),
        |latest| format!("Download version {latest} from the portal."),
    )
}

/// Several things that a seat is bound to, in a row.
pub(super) fn names(bound: &[Bound], between: &str) -> String {
    bound.iter().map(Bound::to_string).collect::<Vec<_>>().join(between)
}

macro_rules! codes {
    ($($variant:ident $code:literal,)*) => {
        impl Refusal {
            /// Every code, in the order in which they are asked for.
            pub const CODES: &'static [&'static str] = &[$($code,)*];

            /// The stable code.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $code,)* }
            }
        }
    };
}

codes! {
    NotFound "NOT_FOUND",
    KeyReplaced "KEY_REPLACED",
    Revoked "REVOKED",
    Suspended "SUSPENDED",
    ProductMismatch "PRODUCT_MISMATCH",
    PlanRequired "PLAN_REQUIRED",
    Expired "EXPIRED",
    DemoOnly "DEMO_ONLY",
    LiveOnly "LIVE_ONLY",
    VersionTooOld "VERSION_TOO_OLD",
    VersionYanked "VERSION_YANKED",
    NotActivated "NOT_ACTIVATED",
    Released "RELEASED",
    HeartbeatMissed "HEARTBEAT_MISSED",
    BindingMismatch "BINDING_MISMATCH",
    TooManyMachines "TOO_MANY_MACHINES",
    TooManyAccounts "TOO_MANY_ACCOUNTS",
    TransferCooldown "TRANSFER_COOLDOWN",
}
