//! What happens to a strategy that fails, and how instances come about: anew, from a saved state, after a restart.

use super::Shard;
use crate::{
    event::{Effects, Record},
    port::{BarRun, Fault, OrderUpdate, Strategy, StrategyStart},
    runner::{REST_MS_MIN, Runner, RunnerMark},
    told::Told,
};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    id::DeploymentId,
    order::Order,
    plugin::PluginRef,
    time::Millis,
};

impl Shard {
    /// Whether a strategy that rests is told of this now. It is when its rest is over, or when it must be: a new instance is
    /// shown the bars that closed meanwhile first.
    pub(super) fn awake(&mut self, deployment: DeploymentId, until: Millis, told: Told<'_>, fx: &mut Effects) -> bool {
        if told.can_wait() && self.market.now() < until {
            return false;
        }
        let Some(mut runner) = self.runners.remove(deployment) else { return false };
        runner.rests_until = None;
        let revived = self.revive(&mut runner);
        let listens = runner.listens(told);
        self.runners.insert(runner);
        if let Err(fault) = &revived {
            self.faulted(deployment, fault, fx);
        }
        revived.is_ok() && listens
    }

    /// The strategy's instance is thrown away. Three faults in ten minutes quarantine it; before that a new
    /// instance takes over from the last saved state and the bars since. Faults of the host quarantine nobody; if they
    /// come again, the strategy rests longer each time.
    pub(super) fn faulted(&mut self, deployment: DeploymentId, fault: &Fault, fx: &mut Effects) {
        self.missed |= !self.keeps;
        self.host_faults += u64::from(matches!(fault, Fault::Host(_)));
        let at = self.market.now();
        let Some(mut runner) = self.runners.remove(deployment) else { return };
        let (too_many, rest) = match fault {
            Fault::Plugin(_) => (runner.fault(at), None),
            Fault::Host(_) => (false, runner.host_fault(at)),
        };
        let said = match rest {
            Some(rest) => format!("{fault} It is shown the market again in {} s.", rest / 1_000),
            None => fault.to_string(),
        };
        self.emit(Record::Faulted { deployment, at, fault: said }, fx);
        match if too_many { Err(fault.clone()) } else { self.revive(&mut runner) } {
            Ok(()) => {
                if let Some(rest) = rest {
                    // What it missed is counted from here.
                    let _ = runner.save(runner.timeframe.open_of(at));
                    runner.rests_until = Some(at.plus(rest));
                }
                return self.runners.insert(runner);
            }
            // No room or no time for an instance just now: nobody's fault either. It has none while it rests.
            Err(Fault::Host(_)) => {
                runner.strategy = None;
                let rest = rest.or_else(|| runner.host_fault(at)).unwrap_or(REST_MS_MIN);
                runner.rests_until = Some(at.plus(rest));
                return self.runners.insert(runner);
            }
            Err(Fault::Plugin(_)) => {}
        }
        self.curve.unfollow(runner.instrument, runner.account);
        self.halt(deployment, DeploymentStatus::Quarantined(fault.to_string()), fx);
    }

    /// A new instance from the saved state, with the bars that it missed.
    pub(super) fn revive(&mut self, runner: &mut Runner) -> Result<(), Fault> {
        let saved = (!runner.saved.bytes.is_empty()).then(|| runner.saved.bytes.clone());
        let strategy = self.instance(runner.deployment, &runner.plugin, saved.as_deref())?;
        runner.run(strategy);
        if saved.is_none() {
            return self.warm_up(runner);
        }
        let now = self.market.now();
        let missed = now.since(runner.saved.until) / runner.timeframe.length_ms();
        let count = u32::try_from(missed).unwrap_or(0).min(10_000);
        self.show_history(runner, count, runner.saved.until)
    }

    /// Shows a fresh instance the history it asked for, the positions it holds and its orders that wait, and saves it.
    pub(super) fn warm_up(&mut self, runner: &mut Runner) -> Result<(), Fault> {
        self.show_history(runner, runner.hooks.history_bars.min(10_000), Millis(i64::MIN))?;
        let now = self.market.now();
        let account = self.state.accounts.get(&runner.account);
        let waits = |o: &Order| o.deployment == Some(runner.deployment) && o.is_working() && o.kind.is_pending();
        let held: Vec<OrderUpdate> = account
            .into_iter()
            .flat_map(|a| a.positions.iter().map(move |p| (a.balance, p)))
            .filter(|(_, p)| p.deployment == Some(runner.deployment))
            .map(|(balance, p)| OrderUpdate::Opened {
                position: p.id,
                side: p.side,
                lots: p.lots,
                price: p.open_price,
                balance,
            })
            .chain(account.into_iter().flat_map(|a| &a.orders).filter(|o| waits(o)).map(OrderUpdate::working))
            .collect();
        let mut ignored = Vec::new();
        for update in held {
            if let Some(strategy) = runner.strategy.as_mut() {
                strategy.on_order_update(now, &update, &mut ignored)?;
            }
        }
        runner.called();
        runner.save(runner.timeframe.open_of(now))
    }

    /// Shows an instance up to `count` closed bars that opened at or after `from`.
    fn show_history(&mut self, runner: &mut Runner, count: u32, from: Millis) -> Result<(), Fault> {
        if count == 0 {
            return Ok(());
        }
        let before = runner.timeframe.open_of(self.market.now());
        let columns = self.history.bars(runner.instrument, runner.timeframe, before, count);
        let [open_at, open, high, low, close, spread, volume] = &columns;
        let skip = open_at.partition_point(|at| *at < from.0);
        let cut = |column: &'_ Vec<i64>| column.get(skip..).map(<[i64]>::to_vec).unwrap_or_default();
        let cut: [Vec<i64>; 7] = [cut(open_at), cut(open), cut(high), cut(low), cut(close), cut(spread), cut(volume)];
        let [open_at, open, high, low, close, spread, volume] = &cut;
        let run = BarRun { open_at, open, high, low, close, spread, volume };
        if let Some(last) = open_at.last() {
            runner.shown_until = Millis(*last).plus(runner.timeframe.length_ms());
        }
        match runner.strategy.as_mut() {
            Some(strategy) if !run.is_empty() => strategy.on_history(run),
            _ => Ok(()),
        }
    }

    /// An instance of a release for a deployment.
    pub(super) fn instance(
        &self,
        deployment: DeploymentId,
        plugin: &PluginRef,
        restore: Option<&[u8]>,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let gone = || Fault::Host("the deployment or its instrument is gone".to_owned());
        let deployment = self.state.deployments.get(&deployment).ok_or_else(gone)?;
        let instrument = self.market.instrument(deployment.instrument).ok_or_else(gone)?;
        let deployment = &Deployment { plugin: plugin.clone(), ..deployment.clone() };
        self.host.strategy(&StrategyStart { deployment, instrument, restore, seed: deployment.id.0.unsigned_abs() })
    }

    /// Starts the running deployments again after a restart, each from its mark. One for which the host has no room or no time just
    /// now has no instance yet; [`Shard::rest_unstarted`] lets it rest. Any other that cannot start is left without a runner;
    /// [`Shard::quarantine_missing`] sees to that.
    pub(super) fn restore_runners(&mut self, marks: &[RunnerMark]) {
        let running: Vec<_> =
            self.state.deployments.values().filter(|d| d.status == DeploymentStatus::Running).cloned().collect();
        for deployment in running {
            let mark = marks.binary_search_by_key(&deployment.id, |m| m.deployment).ok().and_then(|at| marks.get(at));
            match self.started_again(&deployment, mark) {
                Ok(runner) => self.take_up(runner),
                // Without its instrument it can never run.
                Err(fault @ Fault::Host(_)) if self.market.instrument(deployment.instrument).is_some() => {
                    let mut runner = Runner::without_instance(&deployment, &deployment.plugin);
                    if let Some(mark) = mark {
                        runner.resume_without_instance(mark, self.market.now());
                    }
                    self.take_up(runner);
                    self.unstarted.push((deployment.id, fault));
                }
                Err(_) => {}
            }
        }
    }

    fn started_again(&mut self, deployment: &Deployment, mark: Option<&RunnerMark>) -> Result<Runner, Fault> {
        // One that begins anew when its rest is over has no state to begin with now.
        let known = mark.filter(|mark| mark.rests_until.is_none() || !mark.saved.bytes.is_empty());
        let strategy = self.instance(deployment.id, &deployment.plugin, known.map(|mark| mark.now.as_slice()))?;
        let mut runner = Runner::new(deployment, &deployment.plugin, strategy);
        match mark {
            Some(mark) => runner.resume(mark),
            None => self.warm_up(&mut runner)?,
        }
        Ok(runner)
    }

    /// Those for which the host had no room or no time at a restart: it is a fault of the host as at any other time, tried again
    /// once and then after a rest. One that rested already goes on resting.
    pub(super) fn rest_unstarted(&mut self, fx: &mut Effects) {
        for (deployment, fault) in core::mem::take(&mut self.unstarted) {
            if self.runners.get(deployment).is_some_and(|runner| runner.rests_until.is_none()) {
                self.faulted(deployment, &fault, fx);
            }
        }
    }

    /// Deployments that were running before a restart and could not be started again.
    pub(super) fn quarantine_missing(&mut self, fx: &mut Effects) {
        let missing: Vec<DeploymentId> = self
            .state
            .deployments
            .values()
            .filter(|d| d.status == DeploymentStatus::Running && self.runners.get(d.id).is_none())
            .map(|d| d.id)
            .collect();
        for deployment in missing {
            let reason = "it could not be started again after a restart".to_owned();
            self.halt(deployment, DeploymentStatus::Quarantined(reason), fx);
        }
    }
}
