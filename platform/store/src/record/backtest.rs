//! Backtests and the keys that sign their certificates.

use core::fmt;
use marque_domain::{
    id::{BacktestId, SigningKeyId, UserId},
    time::Millis,
};

/// Where a backtest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BacktestStatus {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It has a report.
    Done,
    /// It has none, and [`Backtest::fault`] says why.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl BacktestStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will come of it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A backtest without its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backtest {
    /// Its id.
    pub id: BacktestId,
    /// Whose.
    pub user: UserId,
    /// One run or many: `single`, `sweep`, `walk_forward`.
    pub kind: String,
    /// What is tested, as JSON.
    pub spec: String,
    /// Where it is.
    pub status: BacktestStatus,
    /// Thousandths of all runs that are done.
    pub done: u64,
    /// How many runs there are.
    pub runs: u64,
    /// Whether somebody does not want it any more.
    pub cancel_asked: bool,
    /// Why it failed.
    pub fault: Option<String>,
    /// Figures for lists, as JSON.
    pub summary: Option<String>,
    /// When it was asked for.
    pub created_at: Millis,
    /// When it began to run.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub finished_at: Option<Millis>,
}

/// What came of a backtest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacktestReport {
    /// The report's bytes.
    pub report: Vec<u8>,
    /// The signed certificate, as text.
    pub certificate: Option<String>,
}

/// A key that a brand signs with. It shows nothing of its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id.
    pub id: SigningKeyId,
    /// The public key: 32 bytes.
    pub public: Vec<u8>,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// From when on nothing is signed with it.
    pub retired_at: Option<Millis>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, concealed)", self.id)
    }
}
