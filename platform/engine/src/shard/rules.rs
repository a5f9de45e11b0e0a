//! When rules are asked about accounts, and what follows from their answers.
//!
//! A rule that gives no answer is silent, and holds its account. That the account is held is a fact and survives a restart; which
//! rule is silent is in no mark, and need not be: after a restart all of them count as silent, [`Event::Recovered`] asks each once
//! before anything else can happen on the account, and the gate lets nothing new through until it was asked and has answered.
//! An account that was held goes on only when every rule did; one that was not is held where one does not.
//!
//! [`Event::Recovered`]: crate::event::Event::Recovered

use super::Shard;
use crate::{
    book,
    event::{Effects, Record},
    facts::Facts,
    monitor::RULE_SILENT,
    port::{AccountView, Assessment, DayAnchor, Fault, Objective, Standing},
    state::AccountState,
};
use marque_domain::{
    account::{AccountStatus, DeploymentStatus},
    bar::Quote,
    fixed::Money,
    id::{AccountId, DeploymentId},
    time::Millis,
};

/// How far an account is from a breach, by one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distance {
    /// The rule's name.
    pub rule: String,
    /// The equity at which it breaches.
    pub floor: Money,
    /// Equity less the floor.
    pub left: Money,
    /// When the rule's next day begins, if it has days.
    pub resets_at: Option<Millis>,
}

impl Shard {
    /// The distance to breach by each rule that has a floor, nearest first.
    #[must_use]
    pub fn distances(&self, account: AccountId) -> Vec<Distance> {
        let Some(state) = self.state.accounts.get(&account) else { return Vec::new() };
        let equity = book::equity(state, &self.market);
        let mut distances: Vec<Distance> = state
            .terms
            .rules
            .iter()
            .zip(&state.rules)
            .filter_map(|(rule, known)| {
                let floor = known.last.as_ref()?.floor?;
                let resets_at = known.day.map(|d| d.next_at).filter(|at| *at < Millis(i64::MAX));
                Some(Distance { rule: rule.name.clone(), floor, left: equity.saturating_sub(floor), resets_at })
            })
            .collect();
        distances.sort_by_key(|d| d.left);
        distances
    }

    /// The goals that the account's rules report, in the order of its rules.
    #[must_use]
    pub fn objectives(&self, account: AccountId) -> Vec<Objective> {
        let rules = self.state.accounts.get(&account).map_or(&[][..], |a| &a.rules);
        rules.iter().filter_map(|rule| rule.last.as_ref()).flat_map(|last| last.objectives.iter().cloned()).collect()
    }

    /// Begins the days of an account's rules where one is due, and asks each rule once.
    pub(super) fn begin_days(&mut self, account: AccountId, fx: &mut Effects) {
        let rules = self.rules_of(account);
        for rule in rules.clone() {
            self.roll_day(account, rule, fx);
        }
        self.look_and_ask(account, &rules.collect::<Vec<u16>>(), fx);
    }

    /// Keeps the days of those rules that ask for them.
    pub(super) fn keep_days(&mut self, account: AccountId, fx: &mut Effects) {
        for rule in self.rules_of(account) {
            let bound = self.state.accounts.get(&account).and_then(|a| a.terms.rules.get(usize::from(rule)));
            if bound.is_some_and(|bound| self.rules.wants_days(bound)) {
                self.emit(Record::DaysKept { account, rule }, fx);
            }
        }
    }

    /// Begins the days that are due, before anything else of the moment is taken in: what fills on the first quote of a
    /// day belongs to that day.
    pub(super) fn roll_days(&mut self, fx: &mut Effects) {
        let now = self.market.now();
        for (account, rule) in self.rules.due_by(now) {
            self.roll_day(account, rule, fx);
        }
    }

    pub(super) fn wake_by_time(&mut self, fx: &mut Effects) {
        let now = self.market.now();
        if now < self.rules.next_due() {
            return;
        }
        let mut due = Vec::new();
        self.rules.take_due(now, &mut due);
        for one in due.chunk_by(|a, b| a.0 == b.0) {
            let Some((account, _)) = one.first() else { continue };
            let rules: Vec<u16> = one.iter().map(|(_, rule)| *rule).collect();
            for rule in &rules {
                self.roll_day(*account, *rule, fx);
            }
            self.look_and_ask(*account, &rules, fx);
        }
    }

    /// The account's book changed, so every rule is asked.
    pub(super) fn ask_all(&mut self, account: AccountId, fx: &mut Effects) {
        let rules: Vec<u16> = self.rules_of(account).collect();
        self.look_and_ask(account, &rules, fx);
    }

    fn rules_of(&self, account: AccountId) -> core::ops::Range<u16> {
        let count = self.state.accounts.get(&account).map_or(0, |a| a.rules.len());
        0..u16::try_from(count).unwrap_or(u16::MAX)
    }

    pub(super) fn wake_by_equity(&mut self, quote: &Quote, fx: &mut Effects) {
        let mut touched = core::mem::take(&mut self.touched);
        self.rules.moved(quote, &self.state.accounts, &self.market, &mut touched);
        if self.scans {
            let holds = |a: &&AccountState| a.positions.iter().any(|p| p.instrument == quote.instrument);
            touched.clear();
            touched.extend(self.state.accounts.values().filter(holds).map(|a| a.terms.id));
        }
        for account in &touched {
            self.look_at(*account, fx);
        }
        self.touched = touched;
    }

    /// Compares an account's equity with its rules' levels; asks those it reached.
    pub(super) fn look_at(&mut self, account: AccountId, fx: &mut Effects) {
        self.look_and_ask(account, &[], fx);
    }

    /// Takes the account's equity into the marks; then asks those rules whose levels it reached, and those of `also`.
    fn look_and_ask(&mut self, account: AccountId, also: &[u16], fx: &mut Effects) {
        let Some(state) = self.state.accounts.get(&account) else { return };
        self.rules.settle(state, &self.market);
        let equity = book::equity(state, &self.market);
        let mut woken = core::mem::take(&mut self.woken);
        woken.clear();
        self.rules.touch(account, equity, &mut woken);
        if !also.is_empty() {
            woken.extend_from_slice(also);
            woken.sort_unstable();
            woken.dedup();
        }
        if !woken.is_empty() {
            self.ask(account, &woken, fx);
        }
        self.woken = woken;
        self.check_margin(account, fx);
    }

    /// Asks rules about an account and acts on their answers. A breach comes first: what else the same moment would
    /// have brought, such as a target that is reached, the account did not live to see. Then silence, so that the account is
    /// held before a strategy hears of what other rules want closed.
    fn ask(&mut self, account: AccountId, rules: &[u16], fx: &mut Effects) {
        let mut answers: Vec<(u16, Result<Assessment, Fault>)> =
            rules.iter().filter_map(|rule| Some((*rule, self.assess(account, *rule)?))).collect();
        answers.sort_by_key(|(_, answer)| match answer {
            Ok(assessment) if assessment.standing == Standing::Fail => 0,
            Err(_) => 1,
            Ok(_) => 2,
        });
        for (rule, answer) in answers {
            match answer {
                Ok(assessment) => self.heed(account, rule, assessment, fx),
                Err(_) => self.hold(account, fx),
            }
        }
    }

    /// Begins a rule's day when its local clock says so. Equity that was legal a moment ago is measured
    /// against the new day from here on.
    fn roll_day(&mut self, account: AccountId, index: u16, fx: &mut Effects) {
        let now = self.market.now();
        let Some(state) = self.state.accounts.get(&account) else { return };
        let Some(rule) = state.terms.rules.get(usize::from(index)) else { return };
        let day = state.rules.get(usize::from(index)).and_then(|r| r.day);
        if day.is_some_and(|d| now < d.next_at) {
            return;
        }
        let Ok(Some((began_at, next_at))) = self.rules.day_bounds(rule, now) else { return };
        let equity = book::equity(state, &self.market);
        let anchor = DayAnchor { began_at, next_at, balance: state.balance, equity, peak_equity: equity };
        self.rules.begin_day(state, index, equity, &self.market);
        self.emit(Record::DayBegan { account, rule: index, anchor }, fx);
    }

    /// What a rule says of an account; nothing of one that has failed.
    fn assess(&mut self, account: AccountId, index: u16) -> Option<Result<Assessment, Fault>> {
        let state = self.state.accounts.get(&account)?;
        if matches!(state.status, AccountStatus::Failed(_)) {
            let day = state.rules.get(usize::from(index)).and_then(|r| r.day);
            self.rules.rest(account, index, day.map_or(Millis(i64::MAX), |d| d.next_at));
            return None;
        }
        let rule = state.terms.rules.get(usize::from(index))?;
        let mut positions = Vec::new();
        book::exposures(state, &self.market, &mut positions);
        let view = AccountView {
            now: self.market.now(),
            initial_balance: state.facts.capital,
            balance: state.balance,
            equity: book::equity(state, &self.market),
            day: self.rules.day(state, &self.market, usize::from(index)),
            positions: &positions,
            facts: Facts::of(state, usize::from(index), &self.market),
        };
        Some(self.rules.assess(account, index, rule, &view))
    }

    /// Acts on a rule's answer. It is recorded when its standing, its floor or its goals changed.
    fn heed(&mut self, account: AccountId, index: u16, assessment: Assessment, fx: &mut Effects) {
        let Some(state) = self.state.accounts.get(&account) else { return };
        if matches!(state.status, AccountStatus::Failed(_)) {
            return;
        }
        let acts = matches!(assessment.standing, Standing::Fail | Standing::Flatten);
        if acts && self.doubts(account, index, &assessment, fx) {
            return;
        }
        let Some(state) = self.state.accounts.get(&account) else { return };
        let equity = book::equity(state, &self.market);
        // One that answers speaks for itself, not for another that does not.
        let heard = state.status == AccountStatus::Held(RULE_SILENT.to_owned()) && !self.rules.is_any_silent(account);
        let known = state.rules.get(usize::from(index)).and_then(|r| r.last.as_ref());
        let said = |a: &Assessment| (a.standing, a.floor);
        let news = known.is_none_or(|k| {
            said(k) != said(&assessment) || k.objectives != assessment.objectives || k.only != assessment.only
        });
        let (standing, reason, at) = (assessment.standing, assessment.reason.clone(), self.market.now());
        let only = assessment.only.clone();
        if news {
            self.emit(Record::Assessed { account, rule: index, assessment, equity, at }, fx);
        }
        if heard {
            self.emit(Record::AccountChanged { account, status: AccountStatus::Active, at }, fx);
        }
        match standing {
            Standing::Ok | Standing::Warn => {}
            Standing::Flatten => self.flatten(account, &only, fx),
            Standing::Fail => self.fail(account, reason, fx),
        }
    }

    /// A breach latches: the account ends, its strategies stop and its positions are closed.
    pub(super) fn fail(&mut self, account: AccountId, reason: String, fx: &mut Effects) {
        self.emit(Record::AccountChanged { account, status: AccountStatus::Failed(reason), at: self.market.now() }, fx);
        let running: Vec<DeploymentId> = self.runners.of_account(account).collect();
        for deployment in running {
            self.halt(deployment, DeploymentStatus::Stopped, fx);
        }
        self.flatten(account, &[], fx);
    }

    /// A rule that gives no answer holds new orders; it never closes anything.
    fn hold(&mut self, account: AccountId, fx: &mut Effects) {
        let active = self.state.accounts.get(&account).is_some_and(|a| a.status == AccountStatus::Active);
        if active {
            self.emit(
                Record::AccountChanged {
                    account,
                    status: AccountStatus::Held(RULE_SILENT.to_owned()),
                    at: self.market.now(),
                },
                fx,
            );
        }
    }
}
