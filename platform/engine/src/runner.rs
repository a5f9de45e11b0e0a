//! One deployed strategy as the shard runs it: its instance, its timer, its faults, and the state to go
//! back to when it traps.

use crate::{
    event::ClosedBar,
    port::{BarRun, Fault, Hooks, Strategy},
    told::Told,
};
use marque_domain::{
    account::Deployment,
    bar::{Bar, Timeframe},
    id::{AccountId, DeploymentId, InstrumentId},
    plugin::PluginRef,
    time::{MINUTE_MS, Millis},
    usage::Usage,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Faults within [`FAULT_WINDOW_MS`] that quarantine a strategy.
pub const FAULTS_MAX: usize = 3;
/// How long a fault counts, in market time.
pub const FAULT_WINDOW_MS: i64 = 10 * MINUTE_MS;
/// The shortest and the longest rest after faults of the host, in milliseconds of market time.
const REST_MS: core::ops::RangeInclusive<i64> = REST_MS_MIN..=MINUTE_MS;
pub(crate) const REST_MS_MIN: i64 = 1_000;

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
    /// Recent faults of the host in it.
    pub host_faults: Vec<Millis>,
    /// When it is shown the market again, if it rests.
    pub rests_until: Option<Millis>,
}

/// A running strategy.
pub(crate) struct Runner {
    pub deployment: DeploymentId,
    pub account: AccountId,
    pub instrument: InstrumentId,
    pub timeframe: Timeframe,
    /// The release that runs.
    pub plugin: PluginRef,
    pub hooks: Hooks,
    /// Taken out while it is being called.
    pub strategy: Option<Box<dyn Strategy>>,
    pub timer: Option<Millis>,
    pub faults: Vec<Millis>,
    /// Faults of the host within [`FAULT_WINDOW_MS`].
    pub host_faults: Vec<Millis>,
    /// Until when it is not shown the market, after faults of the host. Its saved state is that of the moment when it began
    /// to rest.
    pub rests_until: Option<Millis>,
    /// Bars that opened before this were shown to it as history, and are not told again.
    pub shown_until: Millis,
    pub saved: Saved,
    /// Its state now, when it is known without asking.
    known: Option<Vec<u8>>,
}

impl Runner {
    /// A release of a deployment's plugin, started.
    pub fn new(deployment: &Deployment, plugin: &PluginRef, strategy: Box<dyn Strategy>) -> Self {
        let mut runner = Self::without_instance(deployment, plugin);
        runner.run(strategy);
        runner
    }

    /// The same before it has an instance. What it listens for only an instance can say: until then it may be anything.
    pub fn without_instance(deployment: &Deployment, plugin: &PluginRef) -> Self {
        Self {
            deployment: deployment.id,
            account: deployment.account,
            instrument: deployment.instrument,
            timeframe: deployment.timeframe,
            plugin: plugin.clone(),
            hooks: Hooks { bars: true, ticks: true, history_bars: 0 },
            strategy: None,
            timer: None,
            faults: Vec::new(),
            host_faults: Vec::new(),
            rests_until: None,
            shown_until: Millis(i64::MIN),
            saved: Saved::default(),
            known: None,
        }
    }

    /// An instance of it runs from here on.
    pub fn run(&mut self, strategy: Box<dyn Strategy>) {
        self.hooks = strategy.hooks();
        self.strategy = Some(strategy);
        self.known = None;
    }

    /// Whether it is told of this: it has a hook for it, and was not shown it as history already.
    pub fn listens(&self, told: Told<'_>) -> bool {
        told.concerns(self.hooks) && !matches!(told, Told::Bar(bar) if bar.open_at < self.shown_until)
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
            host_faults: self.host_faults.clone(),
            rests_until: self.rests_until,
        }
    }

    /// Takes over what a mark says beside the strategy's state.
    pub fn resume(&mut self, mark: &RunnerMark) {
        (self.saved, self.timer, self.rests_until) = (mark.saved.clone(), mark.timer, mark.rests_until);
        (self.faults, self.host_faults) = (mark.faults.clone(), mark.host_faults.clone());
    }

    /// Takes a mark over without an instance: what it goes back to is its state at the mark. One that rested then goes back to
    /// where it began to rest, as it would have.
    pub fn resume_without_instance(&mut self, mark: &RunnerMark, now: Millis) {
        self.resume(mark);
        if mark.rests_until.is_none() {
            self.saved = Saved { bytes: mark.now.clone(), until: self.timeframe.open_of(now) };
        }
    }

    /// Counts a fault; answers whether it was one too many.
    pub fn fault(&mut self, at: Millis) -> bool {
        self.faults.retain(|earlier| at.since(*earlier) < FAULT_WINDOW_MS);
        self.faults.push(at);
        self.faults.len() >= FAULTS_MAX
    }

    /// Counts a fault of the host; answers how long the strategy is to rest. The first is retried at once: it may have been
    /// the machine's, and over. Each further one within the window doubles the rest.
    pub fn host_fault(&mut self, at: Millis) -> Option<i64> {
        self.host_faults.retain(|earlier| at.since(*earlier) < FAULT_WINDOW_MS);
        self.host_faults.push(at);
        rest_after(self.host_faults.len())
    }
}

/// How long a strategy rests after so many faults of the host, in milliseconds.
fn rest_after(faults: usize) -> Option<i64> {
    let doublings = u32::try_from(faults.checked_sub(2)?).unwrap_or(u32::MAX);
    let rest = 2_i64.checked_pow(doublings).and_then(|factor| REST_MS.start().checked_mul(factor));
    Some(rest.unwrap_or(i64::MAX).min(*REST_MS.end()))
}

/// The running strategies of a shard, by deployment, and by what each waits for: an event concerns only those that
/// listen for it.
#[derive(Default)]
pub(crate) struct Runners {
    running: BTreeMap<DeploymentId, Runner>,
    listening: BTreeMap<InstrumentId, Listeners>,
    timers: BTreeSet<(Millis, DeploymentId)>,
    accounts: BTreeSet<(AccountId, DeploymentId)>,
    /// Who was called or changed since the last mark.
    changed: BTreeSet<DeploymentId>,
    /// What was used up and not taken yet, also by those that do not run any more.
    used: BTreeMap<DeploymentId, Usage>,
}

/// Who listens to an instrument.
#[derive(Default)]
struct Listeners {
    ticks: BTreeSet<DeploymentId>,
    bars: BTreeMap<Timeframe, BTreeSet<DeploymentId>>,
}

impl Runners {
    /// A running strategy.
    pub fn get(&self, deployment: DeploymentId) -> Option<&Runner> {
        self.running.get(&deployment)
    }

    /// A running strategy, to call it. Its timer is set by [`Runners::set_timer`].
    pub fn get_mut(&mut self, deployment: DeploymentId) -> Option<&mut Runner> {
        let runner = self.running.get_mut(&deployment)?;
        self.changed.insert(deployment);
        Some(runner)
    }

    /// Takes note of what a strategy used up.
    pub fn meter(&mut self, deployment: DeploymentId, usage: Usage) {
        if !usage.is_nothing() {
            *self.used.entry(deployment).or_default() += usage;
        }
    }

    /// What was used up since this was last asked.
    pub fn take_used(&mut self) -> BTreeMap<DeploymentId, Usage> {
        core::mem::take(&mut self.used)
    }

    /// Takes up a strategy.
    pub fn insert(&mut self, mut runner: Runner) {
        let id = runner.deployment;
        if let Some(strategy) = runner.strategy.as_mut() {
            self.meter(id, strategy.take_usage());
        }
        let listeners = self.listening.entry(runner.instrument).or_default();
        if runner.hooks.ticks {
            listeners.ticks.insert(id);
        }
        if runner.hooks.bars {
            listeners.bars.entry(runner.timeframe).or_default().insert(id);
        }
        self.timers.extend(runner.timer.map(|at| (at, id)));
        self.accounts.insert((runner.account, id));
        self.changed.insert(id);
        self.running.insert(id, runner);
    }

    /// Lets a strategy go.
    pub fn remove(&mut self, deployment: DeploymentId) -> Option<Runner> {
        let runner = self.running.remove(&deployment)?;
        if let Some(listeners) = self.listening.get_mut(&runner.instrument) {
            listeners.ticks.remove(&deployment);
            if let Some(bars) = listeners.bars.get_mut(&runner.timeframe) {
                bars.remove(&deployment);
            }
        }
        if let Some(at) = runner.timer {
            self.timers.remove(&(at, deployment));
        }
        self.accounts.remove(&(runner.account, deployment));
        Some(runner)
    }

    /// Sets or ends a strategy's timer.
    pub fn set_timer(&mut self, deployment: DeploymentId, timer: Option<Millis>) {
        let Some(runner) = self.running.get_mut(&deployment) else { return };
        let before = core::mem::replace(&mut runner.timer, timer);
        before.map(|at| self.timers.remove(&(at, deployment)));
        self.timers.extend(timer.map(|at| (at, deployment)));
        self.changed.insert(deployment);
    }

    /// The earliest timer.
    pub fn next_timer(&self) -> Millis {
        self.timers.first().map_or(Millis(i64::MAX), |(at, _)| *at)
    }

    /// Ends the timers that are due; answers whose they are, in the order of deployments.
    pub fn take_due(&mut self, now: Millis) -> Vec<DeploymentId> {
        let mut due = Vec::new();
        while self.next_timer() <= now {
            let Some((_, deployment)) = self.timers.pop_first() else { break };
            if let Some(runner) = self.running.get_mut(&deployment) {
                runner.timer = None;
                self.changed.insert(deployment);
            }
            due.push(deployment);
        }
        due.sort_unstable();
        due
    }

    /// Who wants to see a quote of this instrument that closes bars of these timeframes, in the order of deployments.
    pub fn concerned(&self, instrument: InstrumentId, closed: &[ClosedBar], out: &mut Vec<DeploymentId>) {
        out.clear();
        let Some(listeners) = self.listening.get(&instrument) else { return };
        out.extend(&listeners.ticks);
        let timeframes = closed.iter().filter(|c| c.instrument == instrument).map(|c| c.timeframe);
        out.extend(timeframes.filter_map(|t| listeners.bars.get(&t)).flatten());
        out.sort_unstable();
        out.dedup();
    }

    /// As [`Runners::concerned`], added to those that others named.
    pub fn concerned_too(&self, instrument: InstrumentId, closed: &[ClosedBar], out: &mut Vec<DeploymentId>) {
        if self.running.is_empty() {
            return;
        }
        let mut own = Vec::new();
        self.concerned(instrument, closed, &mut own);
        out.append(&mut own);
        out.sort_unstable();
        out.dedup();
    }

    /// The strategies of an account.
    pub fn of_account(&self, account: AccountId) -> impl Iterator<Item = DeploymentId> + '_ {
        let all = (account, DeploymentId(i64::MIN))..=(account, DeploymentId(i64::MAX));
        self.accounts.range(all).map(|(_, deployment)| *deployment)
    }

    /// What a restart must find again of all of them.
    pub fn marks(&mut self) -> Vec<RunnerMark> {
        self.changed.clear();
        self.running.values_mut().map(Runner::mark).collect()
    }

    /// Likewise of those that were called or changed since the last time.
    pub fn marks_changed(&mut self) -> Vec<RunnerMark> {
        let changed = core::mem::take(&mut self.changed);
        changed.iter().filter_map(|id| self.running.get_mut(id).map(Runner::mark)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_doubles_up_to_a_minute() {
        let rests = [0, 1, 2, 3, 4, 7, 8, 9, 70, usize::MAX].map(rest_after);
        let seconds = rests.map(|rest| rest.map(|ms| ms / 1_000));
        let expected = [None, None, Some(1), Some(2), Some(4), Some(32), Some(60), Some(60), Some(60), Some(60)];
        assert_eq!(seconds, expected);
    }
}
