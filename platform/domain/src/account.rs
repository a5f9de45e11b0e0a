//! Trading accounts and the strategies deployed on them.

use crate::{
    bar::Timeframe,
    fixed::Money,
    id::{AccountId, DeploymentId, InstrumentId, UserId},
    instrument::Currency,
    plugin::PluginRef,
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// Whether an account may trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountStatus {
    /// It may.
    Active,
    /// New orders are held, with the reason; closing is allowed.
    Held(String),
    /// A rule failed it, with the reason. A breach latches: nothing undoes it.
    Failed(String),
}

impl AccountStatus {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held(_) => "held",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it may not trade.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Active => None,
            Self::Held(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

/// How positions in one instrument live together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PositionMode {
    /// Each order that opens makes a position of its own, also against another.
    #[default]
    Hedging,
    /// At most one position in each instrument: what trades adds to it, reduces it or turns it.
    Netting,
}

impl PositionMode {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hedging => "hedging",
            Self::Netting => "netting",
        }
    }
}

/// The margin levels at which something happens to an account: equity over the margin that its positions bind, in basis
/// points. They rise in this order: stop-out, call, calm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarginLevels {
    /// Below it the account is called.
    pub call_bp: i64,
    /// At or above it a called account is calm again.
    pub calm_bp: i64,
    /// At or below it positions are closed.
    pub stop_out_bp: i64,
}

impl Default for MarginLevels {
    /// A call below 100 %, calm from 110 %, a stop-out at 50 %: what the European regulator asks of brokers, and what
    /// accounts have whose terms do not say.
    fn default() -> Self {
        Self { call_bp: 10_000, calm_bp: 11_000, stop_out_bp: 5_000 }
    }
}

/// What an account is opened with. All of it is pinned: what the brand changes later holds for later accounts. Only
/// the orders of a day follow the owner's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTerms {
    /// Its id.
    pub id: AccountId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// The currency of its money.
    pub currency: Currency,
    /// What it is funded with.
    pub initial_balance: Money,
    /// Units of exposure per unit of margin, such as 100.
    pub leverage: i64,
    /// How its positions in one instrument live together.
    #[serde(default)]
    pub mode: PositionMode,
    /// The margin levels at which it is called and closed.
    #[serde(default)]
    pub margin: MarginLevels,
    /// Orders that may open a position in a UTC day, on all accounts of the owner together; none means no limit.
    pub trades_per_day: Option<u32>,
    /// The rules that watch it, in the order in which they are asked.
    pub rules: Vec<PluginRef>,
}

/// Whether a deployed strategy runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// It sees the market and may trade.
    Running,
    /// Its owner stopped it.
    Stopped,
    /// It failed too often, with the last fault.
    Quarantined(String),
    /// Its owner's plan has nothing left for it, with the limit that was reached.
    Paused(String),
}

impl DeploymentStatus {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Quarantined(_) => "quarantined",
            Self::Paused(_) => "paused",
        }
    }

    /// Why it was quarantined or paused.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Quarantined(reason) | Self::Paused(reason) => Some(reason),
            _ => None,
        }
    }
}

/// A strategy on an account, on one instrument and timeframe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The account it trades for.
    pub account: AccountId,
    /// The strategy and its settings.
    pub plugin: PluginRef,
    /// What it watches and trades.
    pub instrument: InstrumentId,
    /// The bars it sees.
    pub timeframe: Timeframe,
    /// Whether it runs.
    pub status: DeploymentStatus,
    /// When it was created.
    pub created_at: Millis,
}

/// What an account was worth at an instant: a point of its equity curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// Whose.
    pub account: AccountId,
    /// When, in market time.
    pub at: Millis,
    /// Closed balance.
    pub balance: Money,
    /// Balance plus what open positions would bring now.
    pub equity: Money,
}
