//! The state of a shard as the fold of its records. Nothing else may change it, so what a restart rebuilds
//! from the journal is what was there before.

use crate::{
    event::Record,
    facts::{AccountFacts, DayTally, Execution, Filling},
    port::{Assessment, DayAnchor, Room},
    routed::{Asking, ENDED_KEPT, Routed},
};
use marque_domain::{
    account::{AccountStatus, AccountTerms, Deployment, DeploymentStatus, PositionMode},
    fixed::Money,
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId, TransactionId, UserId},
    kill::{Authority, Kill, KillMode, KillScope},
    ledger::{Transaction, TransactionKind},
    order::{Order, OrderState, Position, Purpose},
    plugin::PluginRef,
    succession::{Shadow, Switch, Way},
    time::{DAY_MS, Millis},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one of an account's rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RuleState {
    /// Its current day.
    pub day: Option<DayAnchor>,
    /// What it last said that differed from before.
    pub last: Option<Assessment>,
    /// Highest closed balance at which one of its days began.
    pub peak_day_balance: Money,
    /// What happened on its days; none for a rule that asks for no facts.
    pub days: Option<Vec<DayTally>>,
}

/// A movement that a person asked for and that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// As what it stands in the ledger.
    pub transaction: TransactionId,
    /// What it was.
    pub kind: TransactionKind,
    /// What it added to the account's cash.
    pub cash: Money,
}

/// An account with everything that is open on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// What it was opened with.
    pub terms: AccountTerms,
    /// When.
    pub opened_at: Millis,
    /// Whether it may trade.
    pub status: AccountStatus,
    /// Closed balance: the sum of its cash postings.
    pub balance: Money,
    /// What its owner put in less what was taken out: all movements that were neither earned nor lost, the first
    /// funding included. What rules measure profit against moves with it.
    pub funded: Money,
    /// Movements that people asked for, by their reference.
    pub movements: BTreeMap<String, Made>,
    /// Until when open positions were charged for their nights.
    pub swaps: BTreeMap<PositionId, Millis>,
    /// Whether it was called because of its margin.
    pub margin_called: bool,
    /// Open positions, oldest first.
    pub positions: Vec<Position>,
    /// Orders that are not final, oldest first.
    pub orders: Vec<Order>,
    /// What is remembered of orders that went to a venue with books of its own.
    pub routed: BTreeMap<OrderId, Routed>,
    /// The UTC day that `trades_today` counts, in days since 1970.
    pub trade_day: i64,
    /// Opening orders approved on that day.
    pub trades_today: u32,
    /// One for each rule of its terms.
    pub rules: Vec<RuleState>,
    /// What rules may ask of its history.
    pub facts: AccountFacts,
}

impl AccountState {
    /// An open position.
    #[must_use]
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.positions.iter().find(|p| p.id == id)
    }

    /// An order that is not final.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.iter().find(|o| o.id == id)
    }

    /// Whether it is not known what an order of it did: no answer came, and perhaps nobody asks any more.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.orders.iter().any(|o| o.state == OrderState::Unknown)
            || self.routed.values().any(|r| r.asking.is_some_and(|asking| asking.is_unanswered()))
    }

    /// Whether an order is on its way that closes this position.
    #[must_use]
    pub fn is_closing(&self, id: PositionId) -> bool {
        self.orders.iter().any(|o| o.purpose.closes(id))
    }

    /// The position that what trades in an instrument is netted with: none on a hedging account.
    #[must_use]
    pub fn netted(&self, instrument: InstrumentId) -> Option<&Position> {
        let netting = self.terms.mode == PositionMode::Netting;
        self.positions.iter().find(|p| netting && p.instrument == instrument)
    }

    fn changed(&mut self, position: &Position, part: Option<Execution>) {
        let Some(known) = self.positions.iter_mut().find(|p| p.id == position.id) else { return };
        let traded = known.lots != position.lots;
        known.clone_from(position);
        if traded {
            // The money that moves next is its.
            self.filled(part, position.opened_at);
        }
    }

    /// The account as it would be once this money has moved.
    pub(crate) fn after(&self, moved: &Transaction) -> Self {
        let mut after = self.clone();
        after.booked(moved);
        after.moved_money(moved);
        after
    }

    fn booked(&mut self, moved: &Transaction) {
        let cash = moved.cash();
        self.balance = self.balance.saturating_add(cash);
        if moved.kind().is_funding() {
            self.funded = self.funded.saturating_add(cash);
        }
        if moved.kind() == TransactionKind::Swap {
            self.swaps.insert(PositionId(moved.reference()), moved.at());
        }
        if let Some(memo) = moved.memo() {
            let made = Made { transaction: moved.id(), kind: moved.kind(), cash };
            self.movements.insert(memo.reference.clone(), made);
        }
    }

    fn moved(&mut self, order: &Order) {
        if order.state.is_final() {
            self.orders.retain(|o| o.id != order.id);
            if let Some(routed) = self.routed.get_mut(&order.id) {
                routed.ended = Some(order.clone());
            }
        } else if let Some(known) = self.orders.iter_mut().find(|o| o.id == order.id) {
            known.clone_from(order);
        }
    }

    /// The nearest floor of its rules, as its strategies may know it.
    #[must_use]
    pub fn room(&self) -> Room {
        let floors = self.rules.iter().filter_map(|r| Some((r.last.as_ref()?.floor?, r.day)));
        let nearest = floors.max_by_key(|(floor, _)| *floor);
        let resets_at = nearest.and_then(|(_, day)| day).map(|d| d.next_at);
        Room { floor: nearest.map(|(floor, _)| floor), resets_at, balance: self.balance }
    }

    /// Opening orders approved on the UTC day of `at`.
    #[must_use]
    pub const fn trades_on(&self, at: Millis) -> u32 {
        if at.0.div_euclid(DAY_MS) == self.trade_day { self.trades_today } else { 0 }
    }
}

/// Where things are: what else would be found only by looking through all accounts. It follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Whereabouts {
    /// The accounts of orders that are not final.
    orders: BTreeMap<OrderId, AccountId>,
    /// The accounts of open positions.
    positions: BTreeMap<PositionId, AccountId>,
    /// The accounts of orders of which something is remembered.
    routed: BTreeMap<OrderId, AccountId>,
    /// Questions that go out again, by when.
    questions: BTreeSet<(Millis, OrderId)>,
    /// Each person's accounts.
    owned: BTreeMap<UserId, BTreeSet<AccountId>>,
}

/// All accounts and deployments of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The last id given out.
    pub last_id: i64,
    /// Accounts by id.
    pub accounts: BTreeMap<AccountId, AccountState>,
    /// Deployments by id.
    pub deployments: BTreeMap<DeploymentId, Deployment>,
    /// Kill switches that are on, by what they stop and in whose name.
    pub kills: BTreeMap<(KillScope, Authority), Kill>,
    /// The release that a deployment ran before the present one: where a roll-back leads.
    pub former: BTreeMap<DeploymentId, PluginRef>,
    /// Releases that run beside the live one.
    pub shadows: BTreeMap<DeploymentId, Shadow>,
    whereabouts: Whereabouts,
    /// Of use within one commit only.
    #[serde(skip)]
    pub(crate) filling: Filling,
}

impl State {
    /// Folds one record in. Records come from this engine, so one that does not fit (an order that is not
    /// there) can only be a journal of another shard; it is passed over.
    pub fn apply(&mut self, record: &Record) {
        self.note_fill(record);
        match record {
            Record::AccountOpened { terms, at } => self.open_account(terms, *at),
            Record::AccountChanged { account, status, .. } => self.account(*account, |a| a.status = status.clone()),
            Record::Deployed(deployment) => {
                self.deployments.insert(deployment.id, deployment.clone());
            }
            Record::DeploymentChanged { deployment, status, .. } => self.deployment(*deployment, status),
            Record::Faulted { .. } | Record::DaysKept { .. } => {}
            Record::Decided(decision) => self.last_id = self.last_id.max(decision.id.0),
            Record::OrderPlaced(order) => self.place(order),
            Record::OrderMoved(order) => {
                if order.state.is_final() {
                    self.whereabouts.orders.remove(&order.id);
                }
                self.account(order.account, |a| a.moved(order));
                if order.state.is_final() {
                    self.forget(order.account);
                }
            }
            Record::PositionOpened(position) => {
                self.whereabouts.positions.insert(position.id, position.account);
                self.account(position.account, |a| {
                    a.positions.push(position.clone());
                    if let Some(routed) = a.routed.get_mut(&OrderId(position.id.0)) {
                        routed.closed = None;
                    }
                });
            }
            Record::PositionChanged(position) => self.changed(position),
            Record::PositionClosed(position) => {
                self.whereabouts.positions.remove(&position.id);
                self.account(position.account, |a| {
                    a.positions.retain(|p| p.id != position.id);
                    a.swaps.remove(&position.id);
                    if let Some(routed) = a.routed.get_mut(&OrderId(position.id.0)) {
                        routed.closed = Some(position.clone());
                    }
                });
            }
            Record::Moved(transaction) => {
                self.last_id = self.last_id.max(transaction.id().0);
                self.account(transaction.account(), |a| a.booked(transaction));
            }
            Record::DayBegan { account, rule, anchor } => self.rule(*account, *rule, |r| r.day = Some(*anchor)),
            Record::Assessed { account, rule, assessment, .. } => {
                self.rule(*account, *rule, |r| r.last = Some(assessment.clone()))
            }
            Record::MarginCalled { account, called, .. } => self.account(*account, |a| a.margin_called = *called),
            Record::KillPressed(kill) => drop(self.kills.insert((kill.scope, kill.authority), kill.clone())),
            Record::KillReleased { scope, authority, .. } => drop(self.kills.remove(&(*scope, *authority))),
            Record::TradesLimited { account, per_day } => self.account(*account, |a| a.terms.trades_per_day = *per_day),
            Record::Routed { account, order } => {
                self.whereabouts.routed.insert(*order, *account);
                self.account(*account, |a| drop(a.routed.insert(*order, Routed::default())));
            }
            Record::Executed { account, order, execution, .. } => {
                self.account(*account, |a| a.routed.get_mut(order).map_or((), |r| r.count(execution)));
            }
            Record::Asked { account, order, asking, .. } => self.ask(*account, *order, Some(*asking)),
            Record::Answered { account, order, over, .. } => {
                self.account(*account, |a| a.routed.get_mut(order).map_or((), |r| r.over = *over));
                self.ask(*account, *order, None);
            }
            Record::Disputed(_) => {}
            Record::Switched(switch) => self.switched(switch),
            Record::ShadowStarted { deployment, plugin, at } => self.shadowed(*deployment, plugin, *at),
            Record::ShadowEnded { deployment, .. } => drop(self.shadows.remove(deployment)),
        }
        self.apply_to_facts(record);
    }

    /// The switch that is on over what a strategy (none for a person) does on an account in an instrument, the widest
    /// first.
    #[must_use]
    pub fn kill_over(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        deployment: Option<DeploymentId>,
    ) -> Option<&Kill> {
        self.kills_over(account, instrument, deployment).next()
    }

    /// Whether a switch that is on closes such a position.
    #[must_use]
    pub fn must_close(&self, account: AccountId, instrument: InstrumentId, deployment: Option<DeploymentId>) -> bool {
        self.kills_over(account, instrument, deployment).any(|kill| kill.mode == KillMode::Close)
    }

    /// Looked up and not searched: switches may be on for many accounts, and every order asks.
    fn kills_over(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        deployment: Option<DeploymentId>,
    ) -> impl Iterator<Item = &Kill> {
        let scopes = (!self.kills.is_empty()).then_some([
            Some(KillScope::Platform),
            Some(KillScope::Tenant),
            Some(KillScope::Instrument(instrument)),
            Some(KillScope::Account(account)),
            deployment.map(KillScope::Deployment),
        ]);
        let keys = scopes.into_iter().flatten().flatten();
        let kills = &self.kills;
        keys.flat_map(move |scope| Authority::ALL.into_iter().filter_map(move |name| kills.get(&(scope, name))))
    }

    /// Opening orders approved on the UTC day of `at` on all accounts of a person: what a plan counts.
    #[must_use]
    pub fn trades_of(&self, user: UserId, at: Millis) -> u32 {
        self.of(user).fold(0, |sum, account| sum.saturating_add(account.trades_on(at)))
    }

    /// A person's accounts, by id.
    pub fn of(&self, user: UserId) -> impl Iterator<Item = &AccountState> {
        self.whereabouts.owned.get(&user).into_iter().flatten().filter_map(|id| self.accounts.get(id))
    }

    /// An order that is not final, on whichever account.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.accounts.get(self.whereabouts.orders.get(&id)?)?.order(id)
    }

    /// An open position, on whichever account.
    #[must_use]
    pub fn position(&self, id: PositionId) -> Option<&Position> {
        self.accounts.get(self.whereabouts.positions.get(&id)?)?.position(id)
    }

    /// What is remembered of an order that went to a venue with books of its own, and on which account.
    #[must_use]
    pub fn routed(&self, id: OrderId) -> Option<(AccountId, &Routed)> {
        let account = *self.whereabouts.routed.get(&id)?;
        Some((account, self.accounts.get(&account)?.routed.get(&id)?))
    }

    /// An order that is not final, or one that ended and is remembered.
    #[must_use]
    pub fn remembered(&self, id: OrderId) -> Option<&Order> {
        self.order(id).or_else(|| self.routed(id)?.1.ended.as_ref())
    }

    /// When the next question to a venue goes out again.
    #[must_use]
    pub fn next_question(&self) -> Millis {
        self.whereabouts.questions.first().map_or(Millis(i64::MAX), |(at, _)| *at)
    }

    /// The questions that are due, up to `most` of them, the oldest first.
    #[must_use]
    pub fn questions_due(&self, now: Millis, most: usize) -> Vec<OrderId> {
        let due = self.whereabouts.questions.iter().take_while(|(at, _)| *at <= now);
        due.take(most).map(|(_, order)| *order).collect()
    }

    fn ask(&mut self, account: AccountId, order: OrderId, asking: Option<Asking>) {
        let Some(routed) = self.accounts.get_mut(&account).and_then(|a| a.routed.get_mut(&order)) else { return };
        let before = core::mem::replace(&mut routed.asking, asking);
        let due = |asking: Option<Asking>| asking.and_then(|a| a.next_at).map(|at| (at, order));
        if let Some(before) = due(before) {
            self.whereabouts.questions.remove(&before);
        }
        self.whereabouts.questions.extend(due(asking));
        if asking.is_none() {
            self.forget(account);
        }
    }

    /// Of what is remembered the oldest goes, when there is too much: of orders that ended, that nobody asks about and of
    /// which no position is open.
    fn forget(&mut self, account: AccountId) {
        let Some(account) = self.accounts.get_mut(&account).filter(|a| a.routed.len() > ENDED_KEPT) else { return };
        let open: BTreeSet<i64> = account.positions.iter().map(|p| p.id.0).collect();
        let over = |(id, routed): &(&OrderId, &Routed)| {
            routed.ended.is_some() && routed.asking.is_none() && !open.contains(&id.0)
        };
        let ended: Vec<OrderId> = account.routed.iter().filter(over).map(|(id, _)| *id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT)) {
            account.routed.remove(id);
            self.whereabouts.routed.remove(id);
        }
    }

    fn account(&mut self, id: AccountId, change: impl FnOnce(&mut AccountState)) {
        if let Some(account) = self.accounts.get_mut(&id) {
            change(account);
        }
    }

    fn rule(&mut self, account: AccountId, rule: u16, change: impl FnOnce(&mut RuleState)) {
        self.account(account, |a| a.rules.get_mut(usize::from(rule)).map_or((), change));
    }

    fn changed(&mut self, position: &Position) {
        let part = self.traded_part(position);
        self.account(position.account, |a| a.changed(position, part));
    }

    fn deployment(&mut self, id: DeploymentId, status: &DeploymentStatus) {
        if let Some(deployment) = self.deployments.get_mut(&id) {
            deployment.status = status.clone();
        }
    }

    fn switched(&mut self, switch: &Switch) {
        if let Some(deployment) = self.deployments.get_mut(&switch.deployment) {
            deployment.plugin = switch.to.clone();
        }
        match switch.way {
            Way::Upgrade | Way::Promotion => drop(self.former.insert(switch.deployment, switch.from.clone())),
            Way::RollBack => drop(self.former.remove(&switch.deployment)),
        }
    }

    fn shadowed(&mut self, deployment: DeploymentId, plugin: &PluginRef, since: Millis) {
        self.shadows.insert(deployment, Shadow { plugin: plugin.clone(), since });
    }

    fn open_account(&mut self, terms: &AccountTerms, at: Millis) {
        let account = AccountState {
            opened_at: at,
            status: AccountStatus::Active,
            balance: Money::ZERO,
            funded: Money::ZERO,
            movements: BTreeMap::new(),
            swaps: BTreeMap::new(),
            margin_called: false,
            positions: Vec::new(),
            orders: Vec::new(),
            routed: BTreeMap::new(),
            trade_day: 0,
            trades_today: 0,
            rules: vec![RuleState::default(); terms.rules.len()],
            facts: AccountFacts::default(),
            terms: terms.clone(),
        };
        self.whereabouts.owned.entry(terms.user).or_default().insert(terms.id);
        self.accounts.insert(terms.id, account);
    }

    fn place(&mut self, order: &Order) {
        self.last_id = self.last_id.max(order.id.0);
        if !order.state.is_final() {
            self.whereabouts.orders.insert(order.id, order.account);
        }
        self.account(order.account, |a| {
            if order.purpose == Purpose::Open {
                a.trades_today = a.trades_on(order.created_at).saturating_add(1);
                a.trade_day = order.created_at.0.div_euclid(DAY_MS);
            }
            if !order.state.is_final() {
                a.orders.push(order.clone());
            }
        });
    }
}
