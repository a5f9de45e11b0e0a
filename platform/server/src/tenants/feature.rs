//! What plans may open.

/// A gate: closed to whose plan lacks it, as long as any plan of the brand sells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Decisions beyond the latest page.
    DecisionHistory,
    /// The API, for programs.
    ApiAccess,
    /// Backtests.
    Backtests,
    /// Backtests of many settings.
    Sweeps,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DecisionHistory, Self::ApiAccess, Self::Backtests, Self::Sweeps];

    /// As tenant files name it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::DecisionHistory => "decision-history",
            Self::ApiAccess => "api-access",
            Self::Backtests => "backtests",
            Self::Sweeps => "backtest-sweeps",
        }
    }

    /// As a plan's card names it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::DecisionHistory => "Decision history",
            Self::ApiAccess => "API access",
            Self::Backtests => "Backtests",
            Self::Sweeps => "Backtests of many settings",
        }
    }

    /// In the words of a refusal.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::DecisionHistory => "older decisions",
            Self::ApiAccess => "the API",
            Self::Backtests => "backtests",
            Self::Sweeps => "backtests of many settings",
        }
    }
}
