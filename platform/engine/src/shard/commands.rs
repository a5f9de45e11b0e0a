//! What people and programs ask of a shard.

use super::Shard;
use crate::{
    event::{Effects, Record, Refusal},
    gate::Request,
    port::StrategyStart,
    runner::Runner,
};
use marque_domain::{
    account::{AccountStatus, AccountTerms, Deployment, DeploymentStatus},
    decision::Intent,
    id::{AccountId, DeploymentId, InstrumentId, TransactionId, UserId},
    ledger::{Book, Transaction, TransactionKind},
    order::{Order, Origin, Purpose},
    succession::ShadowEnd,
    tenant::Quotas,
};
use std::collections::BTreeSet;

impl Shard {
    pub(super) fn open_account(&mut self, terms: AccountTerms, fx: &mut Effects) -> Result<(), Refusal> {
        if self.state.accounts.contains_key(&terms.id) {
            return Err(Refusal::Duplicate);
        }
        for rule in &terms.rules {
            self.rules.day_bounds(rule, self.market.now()).map_err(|fault| Refusal::Plugin(fault.to_string()))?;
        }
        let (id, at, funding) = (terms.id, self.market.now(), terms.initial_balance);
        self.emit(Record::AccountOpened { terms, at }, fx);
        let transaction = TransactionId(self.state.last_id + 1);
        let deposit = Transaction::transfer(transaction, id, at, TransactionKind::Deposit, 0, Book::External, funding);
        self.emit(Record::Moved(deposit), fx);
        if let Some(account) = self.state.accounts.get(&id) {
            self.rules.enrol(account, &self.market);
        }
        self.keep_days(id, fx);
        self.begin_days(id, fx);
        Ok(())
    }

    pub(super) fn deploy(&mut self, deployment: Deployment, quotas: Quotas, fx: &mut Effects) -> Result<(), Refusal> {
        if self.state.deployments.contains_key(&deployment.id) {
            return Err(Refusal::Duplicate);
        }
        self.may_run(&deployment, quotas)?;
        self.launch(&deployment)?;
        self.emit(Record::Deployed(Deployment { status: DeploymentStatus::Running, ..deployment }), fx);
        Ok(())
    }

    pub(super) fn start(&mut self, id: DeploymentId, quotas: Quotas, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?.clone();
        if deployment.status == DeploymentStatus::Running {
            return Ok(());
        }
        self.may_run(&deployment, quotas)?;
        self.launch(&deployment)?;
        self.emit(
            Record::DeploymentChanged { deployment: id, status: DeploymentStatus::Running, at: self.market.now() },
            fx,
        );
        Ok(())
    }

    pub(super) fn stop(&mut self, id: DeploymentId, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?;
        if deployment.status == DeploymentStatus::Running {
            self.halt(id, DeploymentStatus::Stopped, fx);
        }
        Ok(())
    }

    /// Stops a strategy for which its owner's plan has nothing left.
    pub(super) fn pause(&mut self, id: DeploymentId, reason: String, fx: &mut Effects) -> Result<(), Refusal> {
        let deployment = self.state.deployments.get(&id).ok_or(Refusal::NoSuchDeployment)?;
        if deployment.status == DeploymentStatus::Running {
            self.halt(id, DeploymentStatus::Paused(reason), fx);
        }
        Ok(())
    }

    /// Ends a running strategy. Its positions stay open and keep their levels; its working orders are withdrawn, because
    /// nobody would mind what they open.
    pub(super) fn halt(&mut self, id: DeploymentId, status: DeploymentStatus, fx: &mut Effects) {
        if let Some(runner) = self.runners.remove(id) {
            self.curve.unfollow(runner.instrument, runner.account);
        }
        self.end_shadow(id, ShadowEnd::Stopped, fx);
        self.emit(Record::DeploymentChanged { deployment: id, status, at: self.market.now() }, fx);
        if let Some(account) = self.state.deployments.get(&id).map(|d| d.account) {
            let theirs = |order: &Order| order.deployment == Some(id) && order.purpose == Purpose::Open;
            self.withdraw_where(account, "its strategy was stopped", fx, theirs);
        }
    }

    pub(super) fn want(&mut self, account: AccountId, intent: Intent, fx: &mut Effects) -> Result<(), Refusal> {
        if !self.state.accounts.contains_key(&account) {
            return Err(Refusal::NoSuchAccount);
        }
        self.decide(account, &Request { deployment: None, origin: Origin::Trader, intent }, fx);
        Ok(())
    }

    /// A person's accounts take the orders a day of their plan.
    pub(super) fn limit_trades(&mut self, user: UserId, per_day: Option<u32>, fx: &mut Effects) {
        let terms = self.state.of(user).map(|a| &a.terms);
        let differing: Vec<AccountId> = terms.filter(|t| t.trades_per_day != per_day).map(|t| t.id).collect();
        for account in differing {
            self.emit(Record::TradesLimited { account, per_day }, fx);
        }
    }

    /// Whether a strategy may start: its account is open, no kill switch is in the way, and its owner's plan has room.
    pub(super) fn may_run(&self, deployment: &Deployment, quotas: Quotas) -> Result<(), Refusal> {
        let account = self.state.accounts.get(&deployment.account).ok_or(Refusal::NoSuchAccount)?;
        if let AccountStatus::Failed(reason) = &account.status {
            return Err(Refusal::AccountClosed(reason.clone()));
        }
        self.unkilled(deployment)?;
        self.within(quotas, account.terms.user, deployment.instrument)
    }

    /// Whether one more running strategy, on this instrument, is within a person's quotas. Asked here and not before
    /// the command: of a hundred that come at once, as many as fit are carried out.
    fn within(&self, quotas: Quotas, user: UserId, instrument: InstrumentId) -> Result<(), Refusal> {
        let owner = |account: &AccountId| self.state.accounts.get(account).map(|a| a.terms.user);
        let running = || {
            let running = self.state.deployments.values().filter(|d| d.status == DeploymentStatus::Running);
            running.filter(|d| owner(&d.account) == Some(user))
        };
        if let Some(limit) = quotas.deployments.filter(|limit| running().count() >= *limit as usize) {
            return Err(Refusal::TooManyStrategies { limit });
        }
        if let Some(limit) = quotas.instruments {
            let instruments: BTreeSet<InstrumentId> = running().map(|d| d.instrument).chain([instrument]).collect();
            if instruments.len() > limit as usize {
                return Err(Refusal::TooManyInstruments { limit });
            }
        }
        Ok(())
    }

    /// Starts an instance with history, and with the positions it already holds.
    pub(super) fn launch(&mut self, deployment: &Deployment) -> Result<(), Refusal> {
        let runner = self.fresh(deployment)?;
        self.take_up(runner);
        Ok(())
    }

    /// An instance of a deployment's release, from nothing but history and what is open, not taken up yet.
    pub(super) fn fresh(&mut self, deployment: &Deployment) -> Result<Runner, Refusal> {
        let instrument = self.market.instrument(deployment.instrument).ok_or(Refusal::NoSuchInstrument)?;
        let start = StrategyStart { deployment, instrument, restore: None, seed: deployment.id.0.unsigned_abs() };
        let strategy = self.host.strategy(&start).map_err(|fault| Refusal::Plugin(fault.to_string()))?;
        let mut runner = Runner::new(deployment, &deployment.plugin, strategy);
        self.warm_up(&mut runner).map_err(|fault| Refusal::Plugin(fault.to_string()))?;
        Ok(runner)
    }

    pub(super) fn take_up(&mut self, runner: Runner) {
        self.curve.follow(runner.instrument, runner.account);
        self.runners.insert(runner);
    }
}
