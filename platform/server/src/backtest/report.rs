//! What is kept of a test: the outcome, its figures, and what a chart needs. Stored as postcard.

use super::{
    certificate::{Proof, Uncertified},
    data::{Recorded, quotes_digest},
    forward::{self, Window},
    run::{RunError, Runner, Step, result_digest},
    spec::{Kind, Spec},
    sweep::{self, Row},
};
use core::ops::ControlFlow;
use marque_domain::{bar::Timeframe, time::Millis};
use marque_engine::backtest::{Outcome, Pace, Statistics, stats::Measured};
use serde::{Deserialize, Serialize};

/// Candles of a chart, at most.
const CANDLES_MAX: usize = 1_500;
/// Combinations that are kept of a sweep: the best.
pub const ROWS_KEPT: usize = 1_000;

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The outcome: of the one run; of the best combination; of all tries of a walk-forward.
    pub outcome: Outcome,
    /// Its figures.
    pub statistics: Statistics,
    /// Combinations of a sweep, best first.
    pub rows: Vec<Row>,
    /// Windows of a walk-forward, oldest first.
    pub windows: Vec<Window>,
    /// The settings of the outcome, as JSON: a sweep's best; empty for a walk-forward, whose windows have their own.
    pub settings: String,
    /// Rows of the recording that were gone through.
    pub data_rows: u64,
    /// Times of its first and last row.
    pub data_span: (Millis, Millis),
    /// What names the recording.
    pub data_digest: [u8; 32],
    /// What names the outcome.
    pub result_digest: [u8; 32],
    /// The bars of the chart.
    pub chart: Timeframe,
    /// Its candles.
    pub candles: Vec<Candle>,
}

/// A candle: when it opens, and its prices in units of 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// When it opens.
    pub at: i64,
    /// First bid.
    pub open: i64,
    /// Highest bid.
    pub high: i64,
    /// Lowest bid.
    pub low: i64,
    /// Last bid.
    pub close: i64,
}

impl Report {
    /// Runs a test and reports on it.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn make(runner: &Runner<'_>, spec: &Spec) -> Result<Self, RunError> {
        Self::searched(runner, spec, 0)
    }

    /// As [`Report::make`], and then what a certificate is signed on: the same bar by bar. It takes longer.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn certifiable(runner: &Runner<'_>, spec: &Spec) -> Result<(Self, Result<Proof, Uncertified>), RunError> {
        if matches!(spec.kind, Kind::Forward { .. }) {
            return Ok((Self::make(runner, spec)?, Err(Uncertified::ManyRuns)));
        }
        let report = Self::searched(runner, spec, 1)?;
        if (runner.watch)(Step::Done) == ControlFlow::Break(()) {
            return Err(RunError::Cancelled);
        }
        let proof = Proof::of(runner, spec, &report)?;
        Ok((report, proof))
    }

    /// Runs a test that is one run quote by quote, as live, and reports on it: nothing later lies in the strategy's memory.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn stepped(runner: &Runner<'_>, spec: &Spec) -> Result<Self, RunError> {
        tell(runner, 1)?;
        Ok(Self::of(runner, spec, runner.run_whole(spec, Pace::Steps)?))
    }

    /// `further` runs follow.
    fn searched(runner: &Runner<'_>, spec: &Spec, further: u64) -> Result<Self, RunError> {
        let (mut rows, mut windows, mut settings) = (Vec::new(), Vec::new(), spec.strategy.settings.clone());
        let outcome = match &spec.kind {
            Kind::Single => {
                tell(runner, 1 + further)?;
                runner.run_whole(spec, Pace::Runs)?
            }
            Kind::Sweep { grid, rank } => {
                tell(runner, sweep::count(grid).unwrap_or(0) as u64 + 1 + further)?;
                let whole = (Millis(i64::MIN), Millis(i64::MAX));
                let ranked = sweep::run(runner, spec, (grid, *rank), whole, spec.account.balance)?;
                let best = ranked.first().map(|(combination, _)| spec.with_settings(combination));
                rows = ranked.into_iter().map(|(_, row)| row).take(ROWS_KEPT).collect();
                let best = best.unwrap_or_else(|| spec.clone());
                settings.clone_from(&best.strategy.settings);
                // Once more, for its trades: the same, byte for byte.
                runner.run(&best, whole, spec.account.balance, false)?
            }
            Kind::Forward { grid, rank, choose_days, try_days } => {
                let mut stretches = forward::stretches(spec.from, spec.to, *choose_days, *try_days);
                if let Some((first, last)) = runner.recorded.span() {
                    // Where nothing is recorded, nothing is tried.
                    stretches.retain(|stretch| stretch.tried_from <= last && stretch.tried_to > first);
                }
                let each = sweep::count(grid).unwrap_or(0) as u64 + 1;
                tell(runner, each * stretches.len() as u64)?;
                settings.clear();
                let (found, whole) = forward::run(runner, spec, (grid, *rank), &stretches)?;
                windows = found;
                whole
            }
        };
        Ok(Self { rows, windows, settings, ..Self::of(runner, spec, outcome) })
    }

    /// On an outcome of the spec as it stands.
    fn of(runner: &Runner<'_>, spec: &Spec, outcome: Outcome) -> Self {
        let (chart, candles) = candles(runner.recorded, spec.timeframe);
        Self {
            statistics: Measured::of(&outcome).statistics(),
            result_digest: result_digest(&outcome),
            outcome,
            rows: Vec::new(),
            windows: Vec::new(),
            settings: spec.strategy.settings.clone(),
            data_rows: runner.recorded.len() as u64,
            data_span: runner.recorded.span().unwrap_or((spec.from, spec.to)),
            data_digest: quotes_digest(runner.recorded),
            chart,
            candles,
        }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    /// As it was stored.
    ///
    /// # Errors
    /// When these are no report's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

fn tell(runner: &Runner<'_>, runs: u64) -> Result<(), RunError> {
    match (runner.watch)(Step::Runs(runs)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RunError::Cancelled),
    }
}

/// Candles of the strategy's own bars, or of the shortest longer ones that a chart can hold.
fn candles(recorded: &Recorded, timeframe: Timeframe) -> (Timeframe, Vec<Candle>) {
    let longer = Timeframe::ALL.into_iter().filter(|longer| *longer >= timeframe);
    let mut last = (timeframe, Vec::new());
    for chart in longer {
        let bars = recorded.bars(chart);
        let price = |bar: marque_domain::bar::Bar| Candle {
            at: bar.open_at.0,
            open: bar.open.units(),
            high: bar.high.units(),
            low: bar.low.units(),
            close: bar.close.units(),
        };
        last = (chart, bars.iter().map(price).collect());
        if last.1.len() <= CANDLES_MAX {
            break;
        }
    }
    let surplus = last.1.len().saturating_sub(CANDLES_MAX * 3);
    last.1.drain(..surplus);
    last
}
