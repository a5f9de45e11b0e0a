//! Calling strategies: with history, with the market, with what became of their orders; and what happens
//! when one fails.

use super::Shard;
use crate::{
    event::{ClosedBar, Effects, Record},
    gate::Request,
    port::{Action, BarRun, Fault, OrderUpdate, Room, Strategy, StrategyStart, TickRun},
    runner::{Runner, RunnerMark},
    state::AccountState,
    told::Told,
};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    bar::Quote,
    decision::{Intent, Outcome},
    id::{DeploymentId, OrderId, PositionId},
    order::{Order, Origin},
    plugin::PluginRef,
    ticket::Ticket,
    time::Millis,
};

/// How many times a strategy may act on the answers to its own actions within one event.
pub(super) const ROUNDS_MAX: usize = 8;

/// What no venue answers.
#[derive(Clone, Copy)]
enum Answer {
    Denied,
    Amended(OrderId),
    Protected(PositionId),
}

impl Shard {
    pub(super) fn run_strategies(&mut self, quote: &Quote, closed: &[ClosedBar], fx: &mut Effects) {
        let mut concerned = core::mem::take(&mut self.concerned);
        self.runners.concerned(quote.instrument, closed, &mut concerned);
        self.shadows.concerned_too(quote.instrument, closed, &mut concerned);
        for deployment in &concerned {
            // Read anew each time: a breach on the way may have stopped some.
            let Some(timeframe) = self.runners.get(*deployment).map(|runner| runner.timeframe) else { continue };
            self.call(*deployment, Told::Tick(quote), fx);
            if let Some(closed) = closed.iter().find(|c| c.timeframe == timeframe) {
                self.call(*deployment, Told::Bar(&closed.bar), fx);
            }
        }
        self.concerned = concerned;
    }

    pub(super) fn run_timers(&mut self, fx: &mut Effects) {
        let now = self.market.now();
        let due = self.runners.take_due(now);
        let mut shadows_due = self.shadows.take_due(now);
        for deployment in due {
            let mut actions = Vec::new();
            let answered = self.call_live(deployment, &mut actions, fx, Told::Timer(now));
            if let Ok(at) = shadows_due.binary_search(&deployment) {
                shadows_due.remove(at);
                self.mirror(deployment, Told::Timer(now), &actions, fx);
            } else {
                self.unmatched(deployment, Told::Timer(now), &actions, fx);
            }
            if answered {
                self.follow_up(deployment, actions, fx);
            }
        }
        for deployment in shadows_due {
            self.mirror(deployment, Told::Timer(now), &[], fx);
        }
    }

    /// Tells a strategy what became of an order.
    pub(super) fn tell(&mut self, deployment: DeploymentId, update: &OrderUpdate, fx: &mut Effects) {
        let now = self.market.now();
        self.call(deployment, Told::Update(now, update), fx);
        self.save(deployment);
    }

    /// Tells a strategy what happened and carries its wishes to the gate.
    fn call(&mut self, deployment: DeploymentId, told: Told<'_>, fx: &mut Effects) {
        let mut actions = Vec::new();
        if self.call_once(deployment, &mut actions, fx, told) {
            self.follow_up(deployment, actions, fx);
        }
    }

    /// Carries wishes to the gate. What no venue answers (a denial, a change) is answered within the event, a bounded
    /// number of times.
    pub(crate) fn follow_up(&mut self, deployment: DeploymentId, mut actions: Vec<Action>, fx: &mut Effects) {
        if actions.is_empty() {
            return;
        }
        for _ in 0..ROUNDS_MAX {
            let answers = self.act(deployment, &actions, fx);
            actions.clear();
            let now = self.market.now();
            for update in answers.iter().filter_map(|answer| self.told(*answer)).collect::<Vec<_>>() {
                self.call_once(deployment, &mut actions, fx, Told::Update(now, &update));
            }
            if actions.is_empty() {
                break;
            }
        }
        self.save(deployment);
    }

    /// Shows a strategy a run of closed bars and answers how many it consumed, with its wishes. A fault
    /// leaves it as it was before the run: the caller goes through the run bar by bar.
    pub(crate) fn run_bars(
        &mut self,
        deployment: DeploymentId,
        run: BarRun<'_>,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
    ) -> Option<usize> {
        self.run(deployment, actions, fx, |s, actions| s.on_bars(run, actions))
    }

    /// As [`Shard::run_bars`], for quotes.
    pub(crate) fn run_ticks(
        &mut self,
        deployment: DeploymentId,
        run: TickRun<'_>,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
    ) -> Option<usize> {
        self.run(deployment, actions, fx, |s, actions| s.on_ticks(run, actions))
    }

    fn run(
        &mut self,
        deployment: DeploymentId,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
        call: impl FnOnce(&mut dyn Strategy, &mut Vec<Action>) -> Result<usize, Fault>,
    ) -> Option<usize> {
        let keeps = self.keeps;
        let runner = self.runners.get_mut(deployment)?;
        // The state to go back to, should something fail in the middle of the run.
        let before = if keeps { runner.state().ok()? } else { Vec::new() };
        let strategy = runner.strategy.as_mut()?;
        strategy.set_room(self.state.accounts.get(&runner.account).map_or_else(Room::default, AccountState::room));
        if let Ok(consumed) = call(strategy.as_mut(), actions) {
            let log = strategy.take_log();
            let used = strategy.take_usage();
            fx.logs.extend(log.into_iter().map(|(at, text)| (deployment, at, text)));
            runner.called();
            self.runners.meter(deployment, used);
            return Some(consumed);
        }
        let used = strategy.take_usage();
        actions.clear();
        runner.called();
        let plugin = runner.plugin.clone();
        self.runners.meter(deployment, used);
        if !keeps {
            // There is nothing to go back to, and whoever keeps no states begins again.
            self.missed = true;
            return None;
        }
        match self.instance(deployment, &plugin, Some(&before)) {
            Ok(strategy) => self.runners.get_mut(deployment)?.strategy = Some(strategy),
            Err(fault) => self.halt(deployment, DeploymentStatus::Quarantined(fault.to_string()), fx),
        }
        None
    }

    /// Tells a strategy what happened, and then its shadow the same; answers whether the strategy gave an answer.
    fn call_once(
        &mut self,
        deployment: DeploymentId,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
        told: Told<'_>,
    ) -> bool {
        let before = actions.len();
        let answered = self.call_live(deployment, actions, fx, told);
        if self.shadows.get(deployment).is_some() {
            self.mirror(deployment, told, actions.get(before..).unwrap_or_default(), fx);
        }
        answered
    }

    /// One call across the boundary, if it listens for that; answers whether it gave an answer.
    fn call_live(
        &mut self,
        deployment: DeploymentId,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
        told: Told<'_>,
    ) -> bool {
        if !self.runners.get(deployment).is_some_and(|runner| told.concerns(runner.hooks)) {
            return false;
        }
        let Some(runner) = self.runners.get_mut(deployment) else { return false };
        let Some(strategy) = runner.strategy.as_mut() else { return false };
        strategy.set_room(self.state.accounts.get(&runner.account).map_or_else(Room::default, AccountState::room));
        let answer = told.tell(strategy.as_mut(), actions);
        let (log, used) = (strategy.take_log(), strategy.take_usage());
        fx.logs.extend(log.into_iter().map(|(at, text)| (deployment, at, text)));
        runner.called();
        self.runners.meter(deployment, used);
        if let Err(fault) = answer {
            actions.clear();
            self.faulted(deployment, &fault, fx);
            return false;
        }
        true
    }

    /// An answer in the words of the port; none for what has ended meanwhile, which was told.
    fn told(&self, answer: Answer) -> Option<OrderUpdate> {
        match answer {
            Answer::Denied => Some(OrderUpdate::Refused),
            Answer::Amended(id) => self.state.order(id).filter(|o| o.is_working()).map(OrderUpdate::working),
            Answer::Protected(id) => self.state.position(id).map(|held| OrderUpdate::Changed {
                position: id,
                lots: held.lots,
                price: held.open_price,
                balance: self.balance(held.account),
            }),
        }
    }

    /// Carries a strategy's actions out; answers what no venue will.
    fn act(&mut self, deployment: DeploymentId, actions: &[Action], fx: &mut Effects) -> Vec<Answer> {
        let mut answers = Vec::new();
        for action in actions {
            let Some(runner) = self.runners.get(deployment) else { break };
            let (account, instrument) = (runner.account, runner.instrument);
            let intent = match *action {
                Action::SetTimer { at } => {
                    self.runners.set_timer(deployment, Some(at));
                    continue;
                }
                Action::Open { side, lots, stop_loss, take_profit } => {
                    Intent::Open { instrument, side, lots, stop_loss, take_profit }
                }
                Action::Close { position } => Intent::Close { position },
                Action::Place { side, lots, kind, time_in_force, levels, oco } => {
                    Intent::Place(Ticket { instrument, side, lots, kind, time_in_force, levels, oco })
                }
                Action::Amend { order, to } => Intent::Amend { order, to },
                Action::Cancel { order } => Intent::Cancel { order },
                Action::Reduce { position, lots } => Intent::Reduce { position, lots },
                Action::CloseBy { position, by } => Intent::CloseBy { position, by },
                Action::Protect { position, levels } => Intent::Protect { position, levels },
            };
            let request = Request { deployment: Some(deployment), origin: Origin::Strategy, intent };
            match (self.decide(account, &request, fx).map(|d| d.outcome), intent) {
                (Some(Outcome::Denied(_)), _) => answers.push(Answer::Denied),
                (Some(_), Intent::Amend { order, .. }) => answers.push(Answer::Amended(order)),
                (Some(_), Intent::Protect { position, .. }) => answers.push(Answer::Protected(position)),
                _ => {}
            }
        }
        answers
    }

    /// Whether a strategy can say its state, if it runs and states are not kept: where they are, it was asked all along.
    pub(crate) fn says_state(&mut self, deployment: DeploymentId) -> bool {
        self.keeps || self.runners.get_mut(deployment).is_none_or(|runner| runner.state().is_ok())
    }

    /// Makes the present state of a strategy the one to go back to.
    fn save(&mut self, deployment: DeploymentId) {
        if !self.keeps {
            return;
        }
        let now = self.market.now();
        for runners in [&mut self.runners, &mut self.shadows] {
            if runners.get(deployment).is_none() {
                continue;
            }
            let Some(runner) = runners.get_mut(deployment) else { continue };
            let until = runner.timeframe.open_of(now);
            // A strategy that cannot say its state goes back to an earlier one.
            let _ = runner.save(until);
        }
    }

    /// The strategy's instance is thrown away. Three faults in ten minutes quarantine it; before that a new
    /// instance takes over from the last saved state and the bars since.
    fn faulted(&mut self, deployment: DeploymentId, fault: &Fault, fx: &mut Effects) {
        self.missed |= !self.keeps;
        let at = self.market.now();
        self.emit(Record::Faulted { deployment, at, fault: fault.to_string() }, fx);
        let own = matches!(fault, Fault::Plugin(_));
        let Some(mut runner) = self.runners.remove(deployment) else { return };
        let too_many = own && runner.fault(at);
        if !too_many && self.revive(&mut runner).is_ok() {
            return self.runners.insert(runner);
        }
        self.curve.unfollow(runner.instrument, runner.account);
        self.halt(deployment, DeploymentStatus::Quarantined(fault.to_string()), fx);
    }

    /// A new instance from the saved state, with the bars that it missed.
    pub(super) fn revive(&mut self, runner: &mut Runner) -> Result<(), Fault> {
        let saved = (!runner.saved.bytes.is_empty()).then(|| runner.saved.bytes.clone());
        runner.strategy = Some(self.instance(runner.deployment, &runner.plugin, saved.as_deref())?);
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

    /// Starts the running deployments again after a restart, each from its mark. One that cannot start is
    /// left without a runner; [`Shard::recovered`] quarantines it.
    pub(super) fn restore_runners(&mut self, marks: &[RunnerMark]) {
        let running: Vec<_> =
            self.state.deployments.values().filter(|d| d.status == DeploymentStatus::Running).cloned().collect();
        for deployment in running {
            let mark = marks.binary_search_by_key(&deployment.id, |m| m.deployment).ok().and_then(|at| marks.get(at));
            let started = self.instance(deployment.id, &deployment.plugin, mark.map(|m| m.now.as_slice()));
            let started = started.map(|strategy| Runner::new(&deployment, &deployment.plugin, strategy));
            let Ok(mut runner) = started else { continue };
            match mark {
                Some(mark) => {
                    (runner.saved, runner.timer, runner.faults) = (mark.saved.clone(), mark.timer, mark.faults.clone());
                }
                None if self.warm_up(&mut runner).is_err() => continue,
                None => {}
            }
            self.take_up(runner);
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
