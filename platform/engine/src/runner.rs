//! One deployed strategy as the shard runs it: its instance, its timer, its faults, and the state to go
//! back to when it traps.

use crate::port::{BarRun, Fault, Hooks, Strategy};
use marque_domain::{
    account::Deployment,
    bar::{Bar, Timeframe},
    id::{AccountId, DeploymentId, InstrumentId},
    time::{MINUTE_MS, Millis},
};
use serde::{Deserialize, Serialize};

/// Faults within [`FAULT_WINDOW_MS`] that quarantine a strategy.
pub const FAULTS_MAX: usize = 3;
/// How long a fault counts, in market time.
pub const FAULT_WINDOW_MS: i64 = 10 * MINUTE_MS;

/// A snapshot and how much of the market it has seen: bars that opened before `until`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// What the strategy gave.
    pub bytes: Vec<u8>,
    /// Bars that opened before this are in it.
    pub until: Millis,
}

/// What a restart must find again of a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerMark {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Its state at the mark.
    pub now: Vec<u8>,
    /// The state to go back to after a trap.
    pub saved: Saved,
    /// When its timer is due.
    pub timer: Option<Millis>,
    /// Its recent faults.
    pub faults: Vec<Millis>,
}

/// A running strategy.
pub(crate) struct Runner {
    pub deployment: DeploymentId,
    pub account: AccountId,
    pub instrument: InstrumentId,
    pub timeframe: Timeframe,
    pub hooks: Hooks,
    /// Taken out while it is being called.
    pub strategy: Option<Box<dyn Strategy>>,
    pub timer: Option<Millis>,
    pub faults: Vec<Millis>,
    pub saved: Saved,
    /// Its state now, when it is known without asking.
    known: Option<Vec<u8>>,
}

impl Runner {
    pub fn new(deployment: &Deployment, strategy: Box<dyn Strategy>) -> Self {
        Self {
            deployment: deployment.id,
            account: deployment.account,
            instrument: deployment.instrument,
            timeframe: deployment.timeframe,
            hooks: strategy.hooks(),
            strategy: Some(strategy),
            timer: None,
            faults: Vec::new(),
            saved: Saved::default(),
            known: None,
        }
    }

    /// Takes note that the strategy was called, so its state is not known any more.
    pub fn called(&mut self) {
        self.known = None;
    }

    /// Makes the strategy's present state the one to go back to after a trap.
    ///
    /// # Errors
    /// The strategy's own [`Fault`].
    pub fn save(&mut self, seen_until: Millis) -> Result<(), Fault> {
        self.saved = Saved { bytes: self.state()?, until: seen_until };
        Ok(())
    }

    /// The strategy's state now.
    pub fn state(&mut self) -> Result<Vec<u8>, Fault> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let strategy = self.strategy.as_mut().ok_or_else(|| Fault::Host("the strategy is not running".to_owned()))?;
        let state = strategy.snapshot()?;
        self.known = Some(state.clone());
        Ok(state)
    }

    /// What a restart must find again. A strategy that cannot say its state restarts from the saved one.
    pub fn mark(&mut self) -> RunnerMark {
        let now = self.state().unwrap_or_else(|_| self.saved.bytes.clone());
        RunnerMark {
            deployment: self.deployment,
            now,
            saved: self.saved.clone(),
            timer: self.timer,
            faults: self.faults.clone(),
        }
    }

    /// Counts a fault; answers whether it was one too many.
    pub fn fault(&mut self, at: Millis) -> bool {
        self.faults.retain(|earlier| at.since(*earlier) < FAULT_WINDOW_MS);
        self.faults.push(at);
        self.faults.len() >= FAULTS_MAX
    }
}

/// A single bar as a run of one.
pub(crate) fn single(bar: &Bar, call: impl FnOnce(BarRun<'_>) -> Result<usize, Fault>) -> Result<usize, Fault> {
    let column = core::slice::from_ref;
    call(BarRun {
        open_at: column(&bar.open_at.0),
        open: column(&bar.open.units()),
        high: column(&bar.high.units()),
        low: column(&bar.low.units()),
        close: column(&bar.close.units()),
        spread: column(&bar.spread.units()),
        volume: column(&bar.volume),
    })
}
