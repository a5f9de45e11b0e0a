//! The kill switch: pressing it, carrying it out, letting go of it.
//!
//! A switch is a record like any other, so it is committed before anything follows from it and a restart finds it on.
//! It is in force with its step: the gate makes no order of its scope that could open anything; what was approved before and has
//! not left is withdrawn instead of sent, and what was on its way is withdrawn when the venue says that it is there
//! ([`super::arrivals`]).
//!
//! What it asks for comes in steps of its own ([`Shard::carry_out`]): its record is not held up by the thousands that follow, and
//! some of these can be written while others are made. First strategies are stopped and orders withdrawn, then positions are closed,
//! so many at a time. A restart on the way carries on ([`Shard::resume_killed`]).

use super::Shard;
use crate::{
    event::{Effects, Record, Refusal},
    gate::Request,
    state::{AccountState, State},
};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    decision::Intent,
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId},
    kill::{Authority, KILLS_MAX, Kill, KillMode, KillScope},
    order::{Order, OrderState, OrderStep, Origin, Position, Purpose},
};
use std::collections::BTreeSet;

/// What a switch asks for next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Carrying {
    /// That what it covers stops.
    Stop(KillScope),
    /// That positions are closed, of this account and of those after it.
    Close(KillScope, AccountId),
}

/// Why an order ended because of a switch.
pub(super) const WITHDRAWN: &str = "the kill switch was pressed";

impl Shard {
    /// Presses a switch. One that is on in the same name stays as it was pressed; it only becomes stronger. Either way
    /// everything that it asks for will be carried out (again).
    pub(super) fn kill(&mut self, kill: Kill, fx: &mut Effects) -> Result<(), Refusal> {
        let kill = Kill { at: self.market.now(), ..kill };
        if !kill.is_worded() {
            return Err(Refusal::KillWords);
        }
        match kill.scope {
            KillScope::Platform | KillScope::Tenant => {}
            KillScope::Instrument(id) => drop(self.market.instrument(id).ok_or(Refusal::NoSuchInstrument)?),
            KillScope::Account(id) => drop(self.state.accounts.get(&id).ok_or(Refusal::NoSuchAccount)?),
            KillScope::Deployment(id) => drop(self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?),
        }
        let (scope, known) = (kill.scope, self.state.kills.get(&(kill.scope, kill.authority)));
        if known.is_none_or(|known| known.mode < kill.mode) {
            if known.is_none() && self.has_many_kills(&kill) {
                return Err(Refusal::TooManyKills);
            }
            self.emit(Record::KillPressed(kill), fx);
        }
        self.carrying.push_back(Carrying::Stop(scope));
        Ok(())
    }

    /// Whether a switch that was pressed asks for more than was done.
    pub(crate) fn is_carrying(&self) -> bool {
        !self.carrying.is_empty()
    }

    /// Does what switches ask for, until this is about so many orders and positions. What stops is not parted: it is less than what
    /// closes, and should not wait for it.
    pub(super) fn carry_out(&mut self, most: usize, fx: &mut Effects) {
        let mut left = most;
        while left > 0
            && let Some(next) = self.carrying.pop_front()
        {
            let done = match next {
                Carrying::Stop(scope) => {
                    self.carrying.push_front(Carrying::Close(scope, AccountId(i64::MIN)));
                    let covered =
                        |_: &State, account, instrument, deployment| scope.covers(account, instrument, deployment);
                    self.stop_killed(covered, fx) + self.withdraw_killed(covered, fx)
                }
                Carrying::Close(scope, from) => self.close_some(scope, from, left, fx),
            };
            left = left.saturating_sub(done);
        }
    }

    /// After a restart: a switch may be durable and only some of what it asks for.
    pub(super) fn resume_killed(&mut self, fx: &mut Effects) {
        if self.state.kills.is_empty() {
            return;
        }
        let under =
            |state: &State, account, instrument, deployment| state.kill_over(account, instrument, deployment).is_some();
        self.stop_killed(under, fx);
        self.withdraw_killed(under, fx);
        if !self.is_closing_nothing() {
            let open = self.state.accounts.values().flat_map(|account| self.doomed(account, |_| true)).collect();
            self.close_doomed(open, fx);
        }
    }

    /// Whether a switch would be one too many. Those that stop everybody, and the operator's, never are: however many others
    /// have pressed theirs, the brake works. So an authority is counted by itself.
    fn has_many_kills(&self, kill: &Kill) -> bool {
        let always =
            matches!(kill.scope, KillScope::Platform | KillScope::Tenant) || kill.authority == Authority::Operator;
        let pressed = self.state.kills.keys().filter(|(_, authority)| *authority == kill.authority);
        !always && pressed.count() >= KILLS_MAX
    }

    /// Lets go of the switches of a scope that were pressed in this name or a lower one. Strategies stay stopped until
    /// somebody starts them.
    pub(super) fn release(
        &mut self,
        scope: KillScope,
        authority: Authority,
        by: &str,
        fx: &mut Effects,
    ) -> Result<(), Refusal> {
        let on = |name: Authority| self.state.kills.get(&(scope, name));
        let mine: Vec<Authority> =
            Authority::ALL.into_iter().filter(|name| *name <= authority && on(*name).is_some()).collect();
        let higher = Authority::ALL.into_iter().filter(|name| *name > authority).find_map(on);
        if let (true, Some(kill)) = (mine.is_empty(), higher) {
            return Err(Refusal::Killed(kill.answer()));
        }
        for authority in mine {
            let (by, at) = (by.to_owned(), self.market.now());
            self.emit(Record::KillReleased { scope, authority, by, at }, fx);
        }
        Ok(())
    }

    /// Whether a switch is in the way of letting this strategy run.
    pub(super) fn unkilled(&self, deployment: &Deployment) -> Result<(), Refusal> {
        let (account, instrument) = (deployment.account, deployment.instrument);
        match self.state.kill_over(account, instrument, Some(deployment.id)) {
            Some(kill) => Err(Refusal::Killed(kill.answer())),
            None => Ok(()),
        }
    }

    /// Whether a switch is in the way of sending an order that could open something.
    pub(super) fn is_killed(&self, order: &Order) -> bool {
        order.purpose == Purpose::Open
            && self.state.kill_over(order.account, order.instrument, order.deployment).is_some()
    }

    /// Ends an order that a switch is in the way of.
    pub(super) fn withdraw(&mut self, order: OrderId, fx: &mut Effects) {
        self.ended(order, OrderStep::Cancel, WITHDRAWN.to_owned(), fx);
    }

    /// Stops the strategies that are covered; answers how many.
    fn stop_killed(
        &mut self,
        covered: impl Fn(&State, AccountId, InstrumentId, Option<DeploymentId>) -> bool,
        fx: &mut Effects,
    ) -> usize {
        let running = self.state.deployments.values().filter(|d| d.status == DeploymentStatus::Running);
        let running = running.filter(|d| covered(&self.state, d.account, d.instrument, Some(d.id)));
        let running: Vec<DeploymentId> = running.map(|d| d.id).collect();
        for deployment in &running {
            self.halt(*deployment, DeploymentStatus::Stopped, fx);
        }
        running.len()
    }

    /// Withdraws orders that are covered, could open something and wait: on their way to the venue or working there. Answers
    /// how many.
    fn withdraw_killed(
        &mut self,
        covered: impl Fn(&State, AccountId, InstrumentId, Option<DeploymentId>) -> bool,
        fx: &mut Effects,
    ) -> usize {
        let waits = |o: &Order| matches!(o.state, OrderState::Intent | OrderState::Acked | OrderState::Partial);
        let orders = self.state.accounts.values().flat_map(|a| &a.orders);
        let waiting: Vec<OrderId> = orders
            .filter(|o| o.purpose == Purpose::Open && waits(o))
            .filter(|o| covered(&self.state, o.account, o.instrument, o.deployment))
            .map(|o| o.id)
            .collect();
        for order in &waiting {
            self.withdraw(*order, fx);
        }
        waiting.len()
    }

    /// Closes about so many of the positions in a scope over which a closing switch is on, beginning with an account; the others
    /// remain to be carried out. Whoever presses anew does not wait for those of which a close came to nothing a moment ago.
    /// Answers how many.
    fn close_some(&mut self, scope: KillScope, from: AccountId, most: usize, fx: &mut Effects) -> usize {
        if self.is_closing_nothing() {
            return 0;
        }
        let picked = |p: &Position| scope.covers(p.account, p.instrument, p.deployment);
        let (mut open, mut next) = (Vec::new(), None);
        for (id, account) in self.state.accounts.range(from..) {
            if open.len() >= most {
                next = Some(*id);
                break;
            }
            open.extend(self.doomed(account, picked));
        }
        if let Some(next) = next {
            self.carrying.push_front(Carrying::Close(scope, next));
        }
        let closed = open.len();
        self.close_doomed(open, fx);
        closed
    }

    /// Likewise of one account, of which the book changed, what may be wanted again by now: nobody else is looked at, since a
    /// switch over everybody may close on thousands of them.
    pub(super) fn close_killed_of(&mut self, account: AccountId, fx: &mut Effects) {
        if self.is_closing_nothing() {
            return;
        }
        let account = self.state.accounts.get(&account).into_iter();
        let open = account.flat_map(|account| self.doomed(account, |p| !self.rests(p.id))).collect();
        self.close_doomed(open, fx);
    }

    /// Likewise in an instrument of which a quote has come: what could not be closed before. Looked up where a switch names who
    /// it is about, so that one which stays on costs the quotes of all others nothing.
    pub(super) fn close_killed_in(&mut self, instrument: InstrumentId, fx: &mut Effects) {
        if self.is_closing_nothing() {
            return;
        }
        let held = |p: &Position| p.instrument == instrument && !self.rests(p.id);
        let under = self.under_closing_switches(instrument);
        let accounts = under.iter().filter_map(|id| self.state.accounts.get(id));
        let open = accounts.flat_map(|account| self.doomed(account, held)).collect();
        self.close_doomed(open, fx);
    }

    fn is_closing_nothing(&self) -> bool {
        self.state.kills.values().all(|kill| kill.mode != KillMode::Close)
    }

    /// The accounts on which a closing switch may be over a position in an instrument, in the order of their ids.
    fn under_closing_switches(&self, instrument: InstrumentId) -> Vec<AccountId> {
        let mut named = BTreeSet::new();
        for kill in self.state.kills.values().filter(|kill| kill.mode == KillMode::Close) {
            match kill.scope {
                KillScope::Platform | KillScope::Tenant => return self.curve.followed(instrument).collect(),
                KillScope::Instrument(id) if id == instrument => return self.curve.followed(instrument).collect(),
                KillScope::Instrument(_) => {}
                KillScope::Account(id) => drop(named.insert(id)),
                KillScope::Deployment(id) => named.extend(self.state.deployments.get(&id).map(|d| d.account)),
            }
        }
        named.into_iter().collect()
    }

    /// The positions of an account that a switch closes and that nothing closes yet, of those that `picked` has.
    fn doomed(&self, account: &AccountState, picked: impl Fn(&Position) -> bool) -> Vec<(AccountId, PositionId)> {
        let doomed = account.positions.iter().filter(|p| {
            picked(p) && !account.is_closing(p.id) && self.state.must_close(p.account, p.instrument, p.deployment)
        });
        doomed.map(|p| (p.account, p.id)).collect()
    }

    fn close_doomed(&mut self, open: Vec<(AccountId, PositionId)>, fx: &mut Effects) {
        for (account, position) in open {
            let intent = Intent::Close { position };
            self.decide(account, &Request { deployment: None, origin: Origin::KillSwitch, intent }, fx);
        }
    }
}
