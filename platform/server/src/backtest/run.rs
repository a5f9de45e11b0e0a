//! One run: a spec, quotes and the sandbox in, an outcome out.

use super::{
    data::{DataError, Recorded},
    permits::Permits,
    spec::Spec,
};
use core::ops::ControlFlow;
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus},
    fixed::Money,
    id::{AccountId, DeploymentId, UserId},
    instrument::Instrument,
    time::Millis,
};
use marque_engine::{
    backtest::{self, BacktestError, Outcome, Pace, Recorder, Setup},
    event::Refusal,
    port::PluginHost,
};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The strategy or a rule was refused.
    #[error("the test could not start: {0}")]
    Refused(Refusal),
    /// Somebody did not want the rest.
    #[error("the test was cancelled")]
    Cancelled,
    /// No combination of settings gave an outcome; why the first did not.
    #[error("no combination of settings could be tested. The first: {0}")]
    NoneRan(String),
}

/// Why a test has no report.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// There are no quotes.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It did not run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What all runs of a test share.
pub struct Runner<'a> {
    /// What is traded.
    pub instrument: &'a Instrument,
    /// The quotes.
    pub recorded: &'a Recorded,
    /// Starts the plugins.
    pub host: Arc<dyn PluginHost>,
    /// How many runs go on at once.
    pub permits: &'a Permits,
    /// Hears how far the test is and what it uses, many times a second; says whether to go on.
    pub watch: &'a (dyn Fn(Step) -> ControlFlow<()> + Sync),
}

/// What happened in a test that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It will take so many runs.
    Runs(u64),
    /// A run is so far, in thousandths. Only told of a test that is one run.
    Within(u64),
    /// So much fuel was used since this was last told of the same run.
    Used(u64),
    /// A run has ended.
    Done,
}

impl Runner<'_> {
    /// Runs a spec over the quotes in `[from, to)`, beginning with `balance`.
    ///
    /// # Errors
    /// [`RunError::Refused`], [`RunError::Cancelled`].
    pub fn run(&self, spec: &Spec, span: (Millis, Millis), balance: Money, alone: bool) -> Result<Outcome, RunError> {
        self.go(spec, span, balance, alone, Pace::Runs)
    }

    /// Runs a spec over all quotes, in runs or, as live, quote by quote.
    ///
    /// # Errors
    /// [`RunError::Refused`], [`RunError::Cancelled`].
    pub fn run_whole(&self, spec: &Spec, pace: Pace) -> Result<Outcome, RunError> {
        self.go(spec, (Millis(i64::MIN), Millis(i64::MAX)), spec.account.balance, true, pace)
    }

    fn go(
        &self,
        spec: &Spec,
        span: (Millis, Millis),
        balance: Money,
        alone: bool,
        pace: Pace,
    ) -> Result<Outcome, RunError> {
        let begins = self.recorded.span().map_or(span.0, |(first, _)| first.max(span.0));
        let setup = setup(spec, self.instrument, balance, begins);
        let recording = self.recorded.between(span.0, span.1);
        let mut told = 0;
        let mut watch = |progress: backtest::Progress| {
            let now = (progress.done as u64 * 1_000).checked_div(progress.total as u64).unwrap_or(0);
            let wanted = (self.watch)(Step::Used(progress.fuel));
            if wanted.is_break() || now == told {
                return wanted;
            }
            told = now;
            (self.watch)(Step::Within(if alone { now } else { 0 }))
        };
        let permit = self.permits.take();
        let host = Arc::clone(&self.host);
        let ran = backtest::run_quick::<Recorder>(&setup, recording, pace, host, &mut watch);
        drop(permit);
        match ran {
            Ok((recorder, summary)) => Ok(recorder.outcome(balance, summary)),
            Err(BacktestError::Refused(refusal)) => Err(RunError::Refused(refusal)),
            Err(BacktestError::Cancelled) => Err(RunError::Cancelled),
            Err(BacktestError::Stopped(never)) => match never {},
        }
    }
}

/// Ids are the same in every test: a strategy's random numbers follow from them.
fn setup(spec: &Spec, instrument: &Instrument, balance: Money, from: Millis) -> Setup {
    let account = AccountId(1);
    Setup {
        instrument: instrument.clone(),
        terms: AccountTerms {
            id: account,
            user: UserId(1),
            name: "Backtest".to_owned(),
            currency: spec.account.currency,
            initial_balance: balance,
            leverage: spec.account.leverage,
            mode: spec.account.mode,
            margin: spec.account.margin,
            trades_per_day: None,
            rules: spec.rules.iter().map(|rule| rule.reference()).collect(),
        },
        deployment: Deployment {
            id: DeploymentId(1),
            account,
            plugin: spec.strategy.reference(),
            instrument: instrument.id,
            timeframe: spec.timeframe,
            status: DeploymentStatus::Running,
            created_at: from,
        },
        venue: spec.venue,
    }
}

/// SHA-256 of an outcome's canonical bytes.
#[must_use]
pub fn result_digest(outcome: &Outcome) -> [u8; 32] {
    let mut hash = Sha256::new();
    outcome.canonical(|bytes| hash.update(bytes));
    hash.finalize().into()
}
