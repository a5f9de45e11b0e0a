//! Many combinations of settings on the same quotes, and which of them did best.

use super::{
    run::{RunError, Runner, Step},
    spec::Spec,
};
use core::{cmp::Ordering, fmt, ops::ControlFlow, str::FromStr};
use marque_domain::{fixed::Money, time::Millis};
use marque_engine::backtest::{Outcome, Statistics, stats::Measured};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering as Atomic},
    },
};

/// Values that are tried, by setting. A combination takes one of each.
pub type Grid = BTreeMap<String, Vec<Value>>;

/// A combination: settings with a value each, by name.
pub type Combination = Vec<(String, Value)>;

/// What combinations are ranked by. The best comes first; what has no such figure comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// What was earned.
    NetProfit,
    /// Sharpe ratio.
    Sharpe,
    /// Sortino ratio.
    Sortino,
    /// Calmar ratio.
    Calmar,
    /// Profit factor.
    ProfitFactor,
    /// Expectancy.
    Expectancy,
    /// The smallest maximum drawdown.
    Drawdown,
}

impl Rank {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NetProfit,
        Self::Sharpe,
        Self::Sortino,
        Self::Calmar,
        Self::ProfitFactor,
        Self::Expectancy,
        Self::Drawdown,
    ];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetProfit => "net_profit",
            Self::Sharpe => "sharpe",
            Self::Sortino => "sortino",
            Self::Calmar => "calmar",
            Self::ProfitFactor => "profit_factor",
            Self::Expectancy => "expectancy",
            Self::Drawdown => "drawdown",
        }
    }

    /// The figure, larger for better.
    fn figure(self, statistics: &Statistics) -> Option<f64> {
        match self {
            Self::NetProfit => Some(statistics.net_profit.units() as f64),
            Self::Sharpe => statistics.sharpe,
            Self::Sortino => statistics.sortino,
            Self::Calmar => statistics.calmar,
            Self::ProfitFactor => statistics.profit_factor,
            Self::Expectancy => statistics.expectancy,
            Self::Drawdown => Some(-statistics.drawdown.share),
        }
    }

    /// Which of two is better; better is less, so that it sorts first.
    #[must_use]
    pub fn compare(self, a: &Statistics, b: &Statistics) -> Ordering {
        match (self.figure(a), self.figure(b)) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that nothing is ranked by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rank by one of net_profit, sharpe, sortino, calmar, profit_factor, expectancy, drawdown")]
pub struct UnknownRank;

impl FromStr for Rank {
    type Err = UnknownRank;
    fn from_str(text: &str) -> Result<Self, UnknownRank> {
        Self::ALL.into_iter().find(|rank| rank.name() == text).ok_or(UnknownRank)
    }
}

/// A combination and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its settings, as the text of a JSON object of those that were varied.
    pub settings: String,
    /// Its figures; none when it could not be tested.
    pub statistics: Option<Statistics>,
    /// Why it could not.
    pub fault: Option<String>,
}

/// How many combinations there are; none when that does not fit a number.
#[must_use]
pub fn count(grid: &Grid) -> Option<usize> {
    grid.values().try_fold(1_usize, |count, values| count.checked_mul(values.len()))
}

/// Every combination, the last setting varying fastest.
#[must_use]
pub fn combinations(grid: &Grid) -> Vec<Combination> {
    let mut all: Vec<Combination> = vec![Vec::new()];
    for (name, values) in grid {
        all = all
            .iter()
            .flat_map(|begun| {
                values.iter().map(move |value| {
                    let mut whole = begun.clone();
                    whole.push((name.clone(), value.clone()));
                    whole
                })
            })
            .collect();
    }
    all
}

/// What one combination came to.
type Ran = Result<Outcome, RunError>;

/// Runs every combination over `[from, to)` on all cores that are free. Rows come best first; of equals, the first in the
/// order of the grid. The number of threads changes nothing but the time.
///
/// # Errors
/// [`RunError::Cancelled`], [`RunError::NoneRan`].
pub fn run(
    runner: &Runner<'_>,
    spec: &Spec,
    (grid, rank): (&Grid, Rank),
    span: (Millis, Millis),
    balance: Money,
) -> Result<Vec<(Combination, Row)>, RunError> {
    let all = combinations(grid);
    let next = AtomicUsize::new(0);
    let found: Vec<Mutex<Option<Result<Statistics, RunError>>>> = all.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some((combination, place)) = {
            let index = next.fetch_add(1, Atomic::Relaxed);
            all.get(index).zip(found.get(index))
        } {
            let ran: Ran = runner.run(&spec.with_settings(combination), span, balance, false);
            let cancelled = matches!(ran, Err(RunError::Cancelled));
            let figures = ran.map(|outcome| Measured::of(&outcome).statistics());
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(figures);
            if cancelled || (runner.watch)(Step::Done) == ControlFlow::Break(()) {
                next.store(all.len(), Atomic::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..runner.permits.total().min(all.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut rows = Vec::with_capacity(all.len());
    for (combination, place) in all.into_iter().zip(found) {
        let ran = place.into_inner().unwrap_or_else(PoisonError::into_inner);
        let settings = Value::Object(combination.iter().cloned().collect()).to_string();
        let (statistics, fault) = match ran {
            Some(Ok(statistics)) => (Some(statistics), None),
            None | Some(Err(RunError::Cancelled)) => return Err(RunError::Cancelled),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        rows.push((combination, Row { settings, statistics, fault }));
    }
    ranked(rows, rank)
}

fn ranked(mut rows: Vec<(Combination, Row)>, rank: Rank) -> Result<Vec<(Combination, Row)>, RunError> {
    // Stable: of equals the first of the grid stays first.
    rows.sort_by(|(_, a), (_, b)| match (&a.statistics, &b.statistics) {
        (Some(a), Some(b)) => rank.compare(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    match rows.first() {
        Some((_, Row { statistics: None, fault, .. })) => Err(RunError::NoneRan(fault.clone().unwrap_or_default())),
        _ => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_grid_is_every_combination_once() {
        let grid = Grid::from([("b".into(), vec![json!(1), json!(2)]), ("a".into(), vec![json!("x"), json!("y")])]);
        let all: Vec<String> =
            combinations(&grid).into_iter().map(|c| Value::Object(c.into_iter().collect()).to_string()).collect();
        let want = [r#"{"a":"x","b":1}"#, r#"{"a":"x","b":2}"#, r#"{"a":"y","b":1}"#, r#"{"a":"y","b":2}"#];
        assert_eq!(all, want);
        assert_eq!(count(&grid), Some(4));
        assert_eq!((count(&Grid::new()), combinations(&Grid::new()).len()), (Some(1), 1));
        assert_eq!(count(&Grid::from([("a".into(), vec![])])), Some(0));
        let huge = (0..20).map(|n| (n.to_string(), vec![json!(0); 10_000]));
        assert_eq!(count(&huge.collect()), None);
    }

    #[test]
    fn ranks_have_their_names() {
        for rank in Rank::ALL {
            assert_eq!(rank.name().parse(), Ok(rank));
        }
        assert_eq!("luck".parse::<Rank>(), Err(UnknownRank));
    }
}
