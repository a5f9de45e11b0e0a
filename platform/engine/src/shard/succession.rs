//! One release of a strategy follows another on a deployment: upgrade, roll-back, promotion of a shadow.
//!
//! All of it happens between two events and is one record, committed with the state that the new release begins with: a
//! restart finds the one or the other and nothing between.

use super::Shard;
use crate::{
    event::{Effects, Record, Refusal},
    port::Fault,
    runner::Runner,
};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    id::DeploymentId,
    order::OrderState,
    plugin::PluginRef,
    succession::{ShadowEnd, StateKept, Switch, Way},
    tenant::Quotas,
};

impl Shard {
    /// Puts another release in the place of the one of this deployment. One that runs hands its state over unless the settings are
    /// others, and goes on running if the new one does not take over; one that does not run is only tried.
    pub(super) fn upgrade(&mut self, id: DeploymentId, to: PluginRef, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.succeeds(id, &to)?;
        let state = if deployment.status == DeploymentStatus::Running {
            self.quiet(&deployment)?;
            let (next, state) = self.heir(&deployment, &to)?;
            self.replace(next);
            state
        } else {
            // Whether it starts with these settings; it is started when somebody asks for that.
            self.fresh(&Deployment { plugin: to.clone(), ..deployment.clone() }).map_err(not_taken_up)?;
            StateKept::Fresh
        };
        self.switched(&deployment, Way::Upgrade, to, state, fx);
        Ok(())
    }

    /// Puts the release before back, whatever the present one does: it may be what stands in the way.
    pub(super) fn roll_back(&mut self, id: DeploymentId, quotas: Quotas, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?.clone();
        let to = self.state.former.get(&id).ok_or(Refusal::NothingToRollBack)?.clone();
        let back = Deployment { plugin: to.clone(), ..deployment.clone() };
        let mut state = StateKept::Fresh;
        match deployment.status {
            DeploymentStatus::Running => {
                // A release from before the present one's state may not read it. It begins anew then.
                let next = match self.heir(&deployment, &to) {
                    Ok((next, kept)) => {
                        state = kept;
                        next
                    }
                    Err(_) => self.fresh(&back).map_err(not_taken_up)?,
                };
                self.replace(next);
            }
            DeploymentStatus::Quarantined(_) => {
                self.may_run(&deployment, quotas)?;
                self.launch(&back).map_err(not_taken_up)?;
            }
            DeploymentStatus::Stopped | DeploymentStatus::Paused(_) => {}
        }
        self.switched(&deployment, Way::RollBack, to, state, fx);
        if matches!(deployment.status, DeploymentStatus::Quarantined(_)) {
            let at = self.market.now();
            self.emit(Record::DeploymentChanged { deployment: id, status: DeploymentStatus::Running, at }, fx);
        }
        Ok(())
    }

    /// Puts the shadow, with the state that it has come to, in the place of the live release.
    pub(super) fn promote(&mut self, id: DeploymentId, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?.clone();
        let to = self.state.shadows.get(&id).ok_or(Refusal::NoShadow)?.plugin.clone();
        self.quiet(&deployment)?;
        let until = deployment.timeframe.open_of(self.market.now());
        let mut next = self.shadows.remove(id).ok_or(Refusal::NoShadow)?;
        if let Err(fault) = next.save(until) {
            self.shadows.insert(next);
            return Err(Refusal::NotTakenUp(fault.to_string()));
        }
        next.faults.clear();
        self.replace(next);
        let at = self.market.now();
        self.emit(Record::ShadowEnded { deployment: id, end: ShadowEnd::Promoted, at }, fx);
        self.switched(&deployment, Way::Promotion, to, StateKept::Own, fx);
        Ok(())
    }

    /// Whether a release may follow on a deployment at all; answers the deployment.
    pub(super) fn succeeds(&self, id: DeploymentId, to: &PluginRef) -> Result<Deployment, Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?;
        if deployment.plugin.name != to.name {
            return Err(Refusal::OtherPlugin(deployment.plugin.name.clone()));
        }
        if deployment.plugin == *to {
            return Err(Refusal::SameRelease);
        }
        Ok(deployment.clone())
    }

    /// Whether nothing of a strategy is on its way to the venue: who sent an order hears what became of it.
    pub(super) fn quiet(&self, deployment: &Deployment) -> Result<(), Refusal> {
        let sent = |state: OrderState| matches!(state, OrderState::Intent | OrderState::Sending | OrderState::Unknown);
        let account = self.state.accounts.get(&deployment.account).ok_or(Refusal::NoSuchAccount)?;
        let waits = account.orders.iter().any(|o| o.deployment == Some(deployment.id) && sent(o.state));
        if waits { Err(Refusal::NotQuiet) } else { Ok(()) }
    }

    /// An instance of another release that may follow on a deployment, and with which state it begins. With the same settings that
    /// is the live one's. With others it begins anew, as after a stop: what a strategy restores it need not read from its settings,
    /// so that new ones would be ignored without a word.
    pub(super) fn heir(&mut self, deployment: &Deployment, to: &PluginRef) -> Result<(Runner, StateKept), Refusal> {
        if deployment.plugin.settings == to.settings {
            return Ok((self.successor(deployment, to)?, StateKept::Carried));
        }
        let anew = Deployment { plugin: to.clone(), ..deployment.clone() };
        Ok((self.fresh(&anew).map_err(not_taken_up)?, StateKept::Fresh))
    }

    /// An instance of another release with the state of the live one, as it is now. That goes on running as it was.
    fn successor(&mut self, deployment: &Deployment, to: &PluginRef) -> Result<Runner, Refusal> {
        self.catch_up(deployment.id).map_err(|fault| Refusal::NotTakenUp(fault.to_string()))?;
        let live = self.runners.get_mut(deployment.id).ok_or(Refusal::NotRunning)?;
        let (state, timer, shown_until) = (live.state(), live.timer, live.shown_until);
        let state = state.map_err(|fault| Refusal::NotTakenUp(fault.to_string()))?;
        let strategy = self.instance(deployment.id, to, Some(&state));
        let strategy = strategy.map_err(|fault| Refusal::NotTakenUp(fault.to_string()))?;
        let mut next = Runner::new(deployment, to, strategy);
        (next.timer, next.shown_until) = (timer, shown_until);
        // One that cannot say its own state could never be restarted.
        let saved = next.save(deployment.timeframe.open_of(self.market.now()));
        saved.map_err(|fault| Refusal::NotTakenUp(fault.to_string()))?;
        Ok(next)
    }

    /// Shows a strategy that rests the bars that closed meanwhile: its state is of the moment when it began to rest, and whoever
    /// takes it over is shown nothing from before. It goes on resting all the same, and is shown them anew when that is over.
    fn catch_up(&mut self, id: DeploymentId) -> Result<(), Fault> {
        if self.runners.get(id).is_none_or(|live| live.rests_until.is_none()) {
            return Ok(());
        }
        let Some(mut live) = self.runners.remove(id) else { return Ok(()) };
        let (strategy, shown_until) = (live.strategy.take(), live.shown_until);
        let caught_up = self.revive(&mut live);
        if caught_up.is_err() {
            (live.strategy, live.shown_until) = (strategy, shown_until);
        }
        live.called();
        self.runners.insert(live);
        caught_up
    }

    /// The account's curve follows the deployment as before.
    fn replace(&mut self, next: Runner) {
        self.runners.remove(next.deployment);
        self.runners.insert(next);
    }

    fn switched(&mut self, deployment: &Deployment, way: Way, to: PluginRef, state: StateKept, fx: &mut Effects) {
        self.end_shadow(deployment.id, ShadowEnd::Overtaken, fx);
        let (id, at, from) = (deployment.id, self.market.now(), deployment.plugin.clone());
        self.emit(Record::Switched(Switch { deployment: id, at, way, from, to, state }), fx);
    }
}

/// A release that did not start is no fault of the one that was there.
fn not_taken_up(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Plugin(reason) => Refusal::NotTakenUp(reason),
        other => other,
    }
}
