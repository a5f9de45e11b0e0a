//! How one release of a strategy follows another on a deployment, and how a release is tried beside the live one.

use crate::{id::DeploymentId, plugin::PluginRef, time::Millis};
use serde::{Deserialize, Serialize};

/// Why a deployment runs another release than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Its owner chose another release.
    Upgrade,
    /// Its owner went back to the release before.
    RollBack,
    /// The release that ran beside it took over.
    Promotion,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Upgrade, Self::RollBack, Self::Promotion];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::RollBack => "rollback",
            Self::Promotion => "promotion",
        }
    }
}

/// With which state a release begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateKept {
    /// With that of the release before, as it was at that moment.
    Carried,
    /// With its own, from running beside the release before.
    Own,
    /// With none: from the bars before, the open positions and the working orders, as after a stop.
    Fresh,
}

impl StateKept {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Carried, Self::Own, Self::Fresh];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Own => "own",
            Self::Fresh => "fresh",
        }
    }
}

/// A deployment runs another release of its plugin from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// When, in market time.
    pub at: Millis,
    /// Why.
    pub way: Way,
    /// What it ran.
    pub from: PluginRef,
    /// What it runs.
    pub to: PluginRef,
    /// With which state the new release begins.
    pub state: StateKept,
}

/// A release that runs beside the live one: on the same events, with its own state, and its orders go nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// The release with its settings.
    pub plugin: PluginRef,
    /// Since when, in market time.
    pub since: Millis,
}

/// Why a shadow does not run any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShadowEnd {
    /// Its owner did not want it any more.
    Dropped,
    /// It took over.
    Promoted,
    /// The live release was changed, so there was nothing left to compare it with.
    Overtaken,
    /// The live release was stopped.
    Stopped,
    /// It failed too often, with the last fault.
    Failed(String),
}

impl ShadowEnd {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Promoted => "promoted",
            Self::Overtaken => "overtaken",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
        }
    }

    /// The last fault of one that failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) => Some(reason),
            _ => None,
        }
    }
}

/// What both releases were told when they decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// A quote.
    Tick,
    /// A bar that closed.
    Bar,
    /// What became of an order.
    OrderUpdate,
    /// A timer that was due.
    Timer,
    /// To the shadow alone, that a wish which only it had was not carried out.
    Refusal,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tick, Self::Bar, Self::OrderUpdate, Self::Timer, Self::Refusal];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Bar => "bar",
            Self::OrderUpdate => "order_update",
            Self::Timer => "timer",
            Self::Refusal => "refusal",
        }
    }
}

/// A decision in which a shadow differs from the live release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// When, in market time.
    pub at: Millis,
    /// At what.
    pub moment: Moment,
    /// What the live release wanted, in words; empty for nothing.
    pub live: String,
    /// What the shadow wanted, in words; empty for nothing.
    pub shadow: String,
    /// Whether the shadow failed instead of deciding; then its words are the fault.
    pub failed: bool,
}
