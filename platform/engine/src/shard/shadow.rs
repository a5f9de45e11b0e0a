//! A release beside the live one: told the same at the same moments, asked what it wants, and nothing comes of it.
//!
//! A shadow sees the account as it is: what became of the live release's orders. A wish that only the shadow has is
//! answered as one that was denied, so that it does not wait for an order that never was. So both know the same at every
//! event, and each difference is one of judgement, not an echo of an earlier one. Whatever a shadow does, the live release
//! is not asked and nothing of the account is touched; a fault ends at most the shadow.

use super::{
    Shard,
    strategies::{ROUNDS_MAX, WISHES_MAX},
};
use crate::{
    event::{Effects, Record, Refusal},
    port::{Action, Fault, OrderUpdate, Room},
    runner::{FAULTS_MAX, Runner, RunnerMark},
    state::AccountState,
    told::{Told, beyond, in_words, shorten},
};
use marque_domain::{
    account::DeploymentStatus,
    id::DeploymentId,
    plugin::PluginRef,
    succession::{Difference, Moment, ShadowEnd},
};

/// What a line that a shadow logged begins with.
const LOG_MARK: &str = "shadow: ";

impl Shard {
    /// Starts a release beside the live one, from the live one's state of this moment, or anew with other settings.
    pub(super) fn start_shadow(&mut self, id: DeploymentId, to: PluginRef, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.succeeds(id, &to)?;
        if deployment.status != DeploymentStatus::Running {
            return Err(Refusal::NotRunning);
        }
        self.quiet(&deployment)?;
        let (runner, _) = self.heir(&deployment, &to)?;
        self.end_shadow(id, ShadowEnd::Overtaken, fx);
        self.shadows.insert(runner);
        self.emit(Record::ShadowStarted { deployment: id, plugin: to, at: self.market.now() }, fx);
        Ok(())
    }

    pub(super) fn drop_shadow(&mut self, id: DeploymentId, fx: &mut Effects) -> Result<(), Refusal> {
        if !self.state.deployments.contains_key(&id) {
            return Err(Refusal::NoSuchDeployment);
        }
        if !self.state.shadows.contains_key(&id) {
            return Err(Refusal::NoShadow);
        }
        self.end_shadow(id, ShadowEnd::Dropped, fx);
        Ok(())
    }

    /// Ends a shadow, if there is one.
    pub(super) fn end_shadow(&mut self, id: DeploymentId, end: ShadowEnd, fx: &mut Effects) {
        self.shadows.remove(id);
        if self.state.shadows.contains_key(&id) {
            self.emit(Record::ShadowEnded { deployment: id, end, at: self.market.now() }, fx);
        }
    }

    /// Tells a shadow what the live release was told, and compares what both want.
    pub(super) fn mirror(&mut self, id: DeploymentId, told: Told<'_>, live: &[Action], fx: &mut Effects) {
        let Some(listens) = self.shadows.get(id).map(|shadow| shadow.listens(told)) else { return };
        let mut wishes = Vec::new();
        if listens && let Err(fault) = self.ask_shadow(id, told, &mut wishes, fx) {
            self.differed(id, told.moment(), live, fault.to_string(), true, fx);
            return self.shadow_faulted(id, &fault, fx);
        }
        *self.compared.entry(id).or_default() += 1;
        let only_its_own = beyond(&wishes, live).len();
        if only_its_own > 0 || !beyond(live, &wishes).is_empty() {
            self.differed(id, told.moment(), live, in_words(&wishes), false, fx);
        }
        self.refuse_shadow(id, only_its_own, fx);
    }

    /// A decision of the live release at an event that was none for its shadow.
    pub(super) fn unmatched(&mut self, id: DeploymentId, told: Told<'_>, live: &[Action], fx: &mut Effects) {
        if self.shadows.get(id).is_none() {
            return;
        }
        *self.compared.entry(id).or_default() += 1;
        if !beyond(live, &[]).is_empty() {
            self.differed(id, told.moment(), live, String::new(), false, fx);
        }
    }

    /// Answers wishes that only the shadow had as the gate answers what it denies. What it wants then is its own, too.
    fn refuse_shadow(&mut self, id: DeploymentId, mut refused: usize, fx: &mut Effects) {
        let now = self.market.now();
        for _ in 0..ROUNDS_MAX {
            if refused == 0 {
                return;
            }
            if refused > WISHES_MAX {
                let fault = Fault::Plugin(format!("it wanted more than {WISHES_MAX} things in one event"));
                self.differed(id, Moment::Refusal, &[], fault.to_string(), true, fx);
                return self.shadow_faulted(id, &fault, fx);
            }
            let mut wishes = Vec::new();
            for _ in 0..refused {
                if let Err(fault) = self.ask_shadow(id, Told::Update(now, &OrderUpdate::Refused), &mut wishes, fx) {
                    self.differed(id, Moment::Refusal, &[], fault.to_string(), true, fx);
                    return self.shadow_faulted(id, &fault, fx);
                }
                if wishes.len() > WISHES_MAX {
                    break;
                }
            }
            refused = beyond(&wishes, &[]).len();
            if refused > 0 {
                self.differed(id, Moment::Refusal, &[], in_words(&wishes), false, fx);
            }
        }
    }

    /// One call across the boundary. Its timer is set; its other wishes go nowhere.
    fn ask_shadow(
        &mut self,
        id: DeploymentId,
        told: Told<'_>,
        wishes: &mut Vec<Action>,
        fx: &mut Effects,
    ) -> Result<(), Fault> {
        let gone = || Fault::Host("the shadow does not run".to_owned());
        let runner = self.shadows.get_mut(id).ok_or_else(gone)?;
        let strategy = runner.strategy.as_mut().ok_or_else(gone)?;
        strategy.set_room(self.state.accounts.get(&runner.account).map_or_else(Room::default, AccountState::room));
        let before = wishes.len();
        let answer = told.tell(strategy.as_mut(), wishes);
        let (log, used) = (strategy.take_log(), strategy.take_usage());
        runner.called();
        fx.logs.extend(log.into_iter().map(|(at, text)| (id, at, format!("{LOG_MARK}{text}"))));
        self.shadows.meter(id, used);
        answer?;
        for wish in wishes.get(before..).unwrap_or_default() {
            if let Action::SetTimer { at } = wish {
                self.shadows.set_timer(id, Some(*at));
            }
        }
        Ok(())
    }

    fn differed(
        &self,
        deployment: DeploymentId,
        moment: Moment,
        live: &[Action],
        shadow: String,
        failed: bool,
        fx: &mut Effects,
    ) {
        let (at, live, shadow) = (self.market.now(), in_words(live), shorten(&shadow));
        fx.differences.push(Difference { deployment, at, moment, live, shadow, failed });
    }

    /// As for a live release: a new instance takes over from the saved state, and three faults in ten minutes end it; those of
    /// the host too, because a shadow may not take time from the others for as long as it likes, and nobody needs it to live.
    fn shadow_faulted(&mut self, id: DeploymentId, fault: &Fault, fx: &mut Effects) {
        let at = self.market.now();
        let Some(mut runner) = self.shadows.remove(id) else { return };
        let too_many = match fault {
            Fault::Plugin(_) => runner.fault(at),
            Fault::Host(_) => {
                runner.host_fault(at);
                runner.host_faults.len() >= FAULTS_MAX
            }
        };
        if !too_many && self.revive(&mut runner).is_ok() {
            return self.shadows.insert(runner);
        }
        self.end_shadow(id, ShadowEnd::Failed(fault.to_string()), fx);
    }

    /// Starts the shadows again after a restart, each from its mark.
    pub(super) fn restore_shadows(&mut self, marks: &[RunnerMark]) {
        let shadows: Vec<(DeploymentId, PluginRef)> =
            self.state.shadows.iter().map(|(id, shadow)| (*id, shadow.plugin.clone())).collect();
        for (id, plugin) in shadows {
            let Ok(mark) = marks.binary_search_by_key(&id, |mark| mark.deployment) else { continue };
            let (Some(mark), Some(deployment)) = (marks.get(mark), self.state.deployments.get(&id).cloned()) else {
                continue;
            };
            let Ok(strategy) = self.instance(id, &plugin, Some(&mark.now)) else { continue };
            let mut runner = Runner::new(&deployment, &plugin, strategy);
            runner.resume(mark);
            self.shadows.insert(runner);
        }
    }

    /// Shadows that ran before a restart and could not be started again.
    pub(super) fn end_missing_shadows(&mut self, fx: &mut Effects) {
        let missing: Vec<DeploymentId> =
            self.state.shadows.keys().filter(|id| self.shadows.get(**id).is_none()).copied().collect();
        for id in missing {
            let reason = "it could not be started again after a restart".to_owned();
            self.end_shadow(id, ShadowEnd::Failed(reason), fx);
        }
    }
}
