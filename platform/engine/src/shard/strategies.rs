//! Calling strategies: with the market, with what became of their orders.

use super::Shard;
use crate::{
    event::{ClosedBar, Effects},
    gate::Request,
    port::{Action, BarRun, Fault, OrderUpdate, Room, Strategy, TickRun},
    runner::{REST_MS_MIN, Saved},
    state::AccountState,
    told::Told,
};
use marque_domain::{
    account::DeploymentStatus,
    bar::Quote,
    decision::{Intent, Outcome},
    id::{DeploymentId, OrderId, PositionId},
    order::Origin,
    ticket::Ticket,
};

/// How many times a strategy may act on the answers to its own actions within one event.
pub(super) const ROUNDS_MAX: usize = 8;
/// Wishes of one event at most, with those that answers to them led to. A call has 256; without this, answers to answers would
/// multiply.
pub(super) const WISHES_MAX: usize = 512;

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
    /// number of times and with a bounded number of wishes: who wants more has failed.
    pub(crate) fn follow_up(&mut self, deployment: DeploymentId, mut actions: Vec<Action>, fx: &mut Effects) {
        if actions.is_empty() {
            return;
        }
        // An order that ends on the way is told at once, and what its strategy wants then comes through here again.
        let outermost = self.wishes.is_none();
        for _ in 0..ROUNDS_MAX {
            let wanted = self.wishes.unwrap_or(0).saturating_add(actions.len());
            self.wishes = Some(wanted);
            if wanted > WISHES_MAX {
                let fault = Fault::Plugin(format!("it wanted more than {WISHES_MAX} things in one event"));
                self.faulted(deployment, &fault, fx);
                break;
            }
            let answers = self.act(deployment, &actions, fx);
            actions.clear();
            let now = self.market.now();
            for update in answers.iter().filter_map(|answer| self.told(*answer)).collect::<Vec<_>>() {
                self.call_once(deployment, &mut actions, fx, Told::Update(now, &update));
                if actions.len() > WISHES_MAX {
                    break;
                }
            }
            if actions.is_empty() {
                break;
            }
        }
        if outermost {
            self.wishes = None;
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
        if runner.rests_until.is_some() {
            return None;
        }
        // The state to go back to, should something fail in the middle of the run.
        let before = if keeps { Some(runner.state().ok()?) } else { None };
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
        match self.instance(deployment, &plugin, before.as_deref()) {
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

    /// One call across the boundary, if it listens for that; answers whether it gave an answer. What the host stopped is told
    /// once more, if it cannot wait.
    fn call_live(
        &mut self,
        deployment: DeploymentId,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
        told: Told<'_>,
    ) -> bool {
        let Some(runner) = self.runners.get(deployment).filter(|runner| runner.listens(told)) else { return false };
        if runner.rests_until.is_some_and(|until| !self.awake(deployment, until, told, fx)) {
            return self.told_again(deployment, actions, fx, told);
        }
        let Some(answer) = self.ask_live(deployment, actions, fx, told) else { return false };
        let Err(fault) = answer else { return true };
        actions.clear();
        self.faulted(deployment, &fault, fx);
        matches!(fault, Fault::Host(_)) && self.told_again(deployment, actions, fx, told)
    }

    /// Tells the instance that took over what the host stopped the one before at: what became of an order nobody tells later,
    /// and a timer is over. One that was begun anew was shown the account as it is. Answers whether it gave an answer.
    fn told_again(
        &mut self,
        deployment: DeploymentId,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
        told: Told<'_>,
    ) -> bool {
        let Some(runner) = self.runners.get(deployment).filter(|runner| runner.listens(told)) else { return false };
        let begun_anew = runner.strategy.is_some() && runner.saved.bytes.is_empty();
        if told.can_wait() || begun_anew {
            return false;
        }
        match self.ask_live(deployment, actions, fx, told) {
            Some(Ok(())) => {
                // If it rests, this is what it goes back to.
                self.save(deployment);
                true
            }
            Some(Err(fault)) => {
                actions.clear();
                self.faulted(deployment, &fault, fx);
                false
            }
            None => {
                self.missed_by(deployment, told);
                false
            }
        }
    }

    /// What cannot wait came while the host had no room for an instance, and nobody tells it later. So the next instance begins
    /// anew and is shown the account as it is: from its state it would not know of a position, and never close it. A timer
    /// rings again.
    fn missed_by(&mut self, deployment: DeploymentId, told: Told<'_>) {
        let Some(runner) = self.runners.get_mut(deployment) else { return };
        match told {
            Told::Update(..) => runner.saved = Saved::default(),
            Told::Timer(at) => {
                let again = runner.rests_until.unwrap_or_else(|| at.plus(REST_MS_MIN));
                self.runners.set_timer(deployment, Some(again));
            }
            Told::Tick(_) | Told::Bar(_) => {}
        }
    }

    /// Tells the running instance, if there is one. What it logged and used is taken, whatever it answers.
    fn ask_live(
        &mut self,
        deployment: DeploymentId,
        actions: &mut Vec<Action>,
        fx: &mut Effects,
        told: Told<'_>,
    ) -> Option<Result<(), Fault>> {
        let runner = self.runners.get_mut(deployment)?;
        let strategy = runner.strategy.as_mut()?;
        strategy.set_room(self.state.accounts.get(&runner.account).map_or_else(Room::default, AccountState::room));
        let answer = told.tell(strategy.as_mut(), actions);
        let (log, used) = (strategy.take_log(), strategy.take_usage());
        fx.logs.extend(log.into_iter().map(|(at, text)| (deployment, at, text)));
        runner.called();
        self.runners.meter(deployment, used);
        Some(answer)
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
}
