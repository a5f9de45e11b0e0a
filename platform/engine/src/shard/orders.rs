//! From wish to order to fill: the gate, the order machine and the ledger.

use super::{Shard, remote::Execution};
use crate::{
    event::{Effects, Record},
    gate::{self, Granted, Request},
    port::{OrderUpdate, VenueReport},
};
use marque_domain::{
    account::AccountStatus,
    decision::{Decision, Intent},
    fixed::Money,
    id::{AccountId, InstrumentId, OrderId, TransactionId},
    ledger::{Book, Transaction, TransactionKind},
    order::{Order, OrderState, OrderStep, Origin, Purpose},
};

/// How long after its approval an order that never reached the venue may still be sent, in market time.
const RENEW_AGE_MS_MAX: i64 = 2_000;

/// Why an order was withdrawn, for people.
const fn withdrawn(origin: Origin) -> &'static str {
    match origin {
        Origin::Strategy => "its strategy cancelled it",
        Origin::Rule => "a rule wants the account flat",
        Origin::KillSwitch => "the kill switch was pressed",
        _ => "it was cancelled",
    }
}

impl Shard {
    /// Puts an intent through the gate. The decision is recorded either way.
    pub(super) fn decide(&mut self, account: AccountId, request: &Request, fx: &mut Effects) -> Option<Decision> {
        let state = self.state.accounts.get(&account)?;
        let (decision, granted) = gate::decide(&self.state, state, &mut self.market, &mut self.rules, request);
        self.emit(Record::Decided(decision.clone()), fx);
        match granted {
            None => {}
            Some(Granted::Order(approved)) => {
                self.emit(Record::OrderPlaced(approved.order().clone()), fx);
                self.route(approved.order(), fx);
                fx.orders.push(approved);
            }
            Some(Granted::Amended(order)) => {
                let id = order.id;
                self.emit(Record::OrderMoved(order), fx);
                self.question(id, fx);
            }
            Some(Granted::Protected(position)) => {
                let id = OrderId(position.id.0);
                self.emit(Record::PositionChanged(position), fx);
                self.question(id, fx);
            }
            Some(Granted::Withdrawn(order)) => {
                self.ended(order, OrderStep::Cancel, withdrawn(request.origin).to_owned(), fx);
            }
        }
        Some(decision)
    }

    /// Closes everything in these instruments, or in all when none is named, in the name of a rule, and withdraws what
    /// would open anew. What the venue would not close a moment ago waits ([`super::arrivals`]).
    pub(super) fn flatten(&mut self, account: AccountId, only: &[InstrumentId], fx: &mut Effects) {
        let meant = |instrument: InstrumentId| only.is_empty() || only.contains(&instrument);
        let opens = |order: &Order| order.purpose == Purpose::Open && meant(order.instrument);
        self.withdraw_where(account, withdrawn(Origin::Rule), fx, opens);
        let open = self.state.accounts.get(&account).map(|a| {
            let open = a.positions.iter().filter(|p| meant(p.instrument)).map(|p| p.id);
            open.filter(|id| !a.is_closing(*id) && !self.rests(*id)).collect::<Vec<_>>()
        });
        for position in open.unwrap_or_default() {
            let request = Request { deployment: None, origin: Origin::Rule, intent: Intent::Close { position } };
            self.decide(account, &request, fx);
        }
    }

    /// An order is about to leave. Under a switch that was pressed since its approval it does not.
    pub(super) fn sent(&mut self, id: OrderId, fx: &mut Effects) {
        if self.state.order(id).is_some_and(|o| o.state == OrderState::Intent && self.is_killed(o)) {
            return self.withdraw(id, fx);
        }
        self.advance(id, OrderStep::Send, |_| {}, fx);
    }

    /// Takes what the venue said. A report that the order machine has no arrow for (a second fill, an
    /// acknowledgement after the fill) changes nothing.
    pub(super) fn report(&mut self, report: VenueReport, fx: &mut Effects) {
        match report {
            VenueReport::Acked { order } => self.acked(order, fx),
            VenueReport::Lost { order } => {
                if self.advance(order, OrderStep::Lose, |_| {}, fx).is_some() {
                    self.inquire(order, fx);
                }
            }
            VenueReport::Rejected { order, reason } => self.ended_there(order, OrderStep::Reject, reason, fx),
            VenueReport::NotFound { order } => {
                self.unheard_of(order, fx);
                self.not_found(order, fx);
            }
            VenueReport::Found { order, said, waits } => self.found(order, said, waits, fx),
            VenueReport::Gap => self.question_all(fx),
            VenueReport::Filled { order, execution: None, lots, price, commission } => {
                self.traded(order, lots, price, commission, fx)
            }
            VenueReport::Filled { order, execution: Some(id), lots, price, commission } => {
                self.executed(order, Execution { id, lots, price, commission }, fx)
            }
            VenueReport::Triggered { order, lots, price, commission } => {
                if self.admit(order, lots, fx) {
                    self.traded(order, lots, price, commission, fx);
                }
            }
            VenueReport::Armed { order } => self.armed(order, fx),
            VenueReport::Trailed { order, stop } => self.trailed(order, stop, fx),
            VenueReport::Ended { order, reason } => self.ended_there(order, OrderStep::Cancel, reason, fx),
            VenueReport::Exited { position, execution: None, origin, price, commission } => {
                self.exited(position, origin, None, price, commission, fx)
            }
            VenueReport::Exited { position, execution: Some((id, lots)), origin, price, commission } => {
                self.left(position, origin, Execution { id, lots, price, commission }, false, fx)
            }
            VenueReport::Followed { position, stop_loss } => self.followed(position, stop_loss, fx),
        }
    }

    /// After a restart every order that may have been sent is unknown until the venue says otherwise.
    pub(super) fn recovered(&mut self, fx: &mut Effects) {
        let waiting: Vec<(OrderId, OrderState)> =
            self.state.accounts.values().flat_map(|a| a.orders.iter().map(|o| (o.id, o.state))).collect();
        for (order, state) in waiting {
            if state == OrderState::Intent {
                self.advance(order, OrderStep::Send, |_| {}, fx);
            }
            if matches!(state, OrderState::Intent | OrderState::Sending) {
                self.advance(order, OrderStep::Lose, |_| {}, fx);
            }
            if self.state.routed(order).is_none() {
                fx.queries.push(order);
            }
        }
        self.question_all(fx);
        self.quarantine_missing(fx);
        self.rest_unstarted(fx);
        self.end_missing_shadows(fx);
        let accounts: Vec<(AccountId, bool)> =
            self.state.accounts.iter().map(|(id, a)| (*id, matches!(a.status, AccountStatus::Failed(_)))).collect();
        for (account, failed) in accounts {
            self.begin_days(account, fx);
            if failed {
                self.flatten(account, &[], fx);
            }
        }
        self.settle_doubts(fx);
        // Before the market opens for them, so that no quote waits for all accounts.
        self.rules.place_stale(&self.state.accounts, &self.market);
        self.resume_killed(fx);
    }

    /// Moves an order along; answers the order as it is then, if the machine has that arrow.
    pub(super) fn advance(
        &mut self,
        id: OrderId,
        step: OrderStep,
        change: impl FnOnce(&mut Order),
        fx: &mut Effects,
    ) -> Option<Order> {
        let mut order = self.state.order(id)?.clone();
        order.state = order.state.after(step).ok()?;
        order.updated_at = self.market.now();
        change(&mut order);
        self.emit(Record::OrderMoved(order.clone()), fx);
        Some(order)
    }

    pub(super) fn acked(&mut self, id: OrderId, fx: &mut Effects) {
        let Some(order) = self.advance(id, OrderStep::Ack, |_| {}, fx) else { return self.acked_late(id, fx) };
        if let Some(deployment) = order.deployment.filter(|_| order.kind.is_pending()) {
            self.tell(deployment, &OrderUpdate::working(&order), fx);
        }
        self.arrived(id, fx);
    }

    /// An order is ended here before all of it traded. A venue with its own books may not have heard, or have been faster.
    pub(super) fn ended(&mut self, id: OrderId, step: OrderStep, reason: String, fx: &mut Effects) {
        self.end(id, step, reason, fx);
        self.question(id, fx);
    }

    /// An order ends before all of it traded.
    pub(super) fn end(&mut self, id: OrderId, step: OrderStep, reason: String, fx: &mut Effects) {
        let Some(order) = self.advance(id, step, |o| o.reason = Some(reason), fx) else { return };
        self.came_to_nothing(&order);
        let Some(deployment) = order.deployment else { return };
        if order.kind.is_pending() {
            self.tell(deployment, &OrderUpdate::Ended { order: id }, fx);
        } else if order.filled.is_zero() {
            self.tell(deployment, &OrderUpdate::Refused, fx);
        }
    }

    /// The venue never had it. A young order is sent after all; an old one is not wanted any more.
    fn not_found(&mut self, id: OrderId, fx: &mut Effects) {
        let Some(order) = self.state.order(id).filter(|o| o.state == OrderState::Unknown) else { return };
        if self.market.now().since(order.created_at) > RENEW_AGE_MS_MAX {
            let reason = "it did not reach the venue in time".to_owned();
            return self.ended(id, OrderStep::Cancel, reason, fx);
        }
        if let Some(reason) = self.forgone(order) {
            return self.ended(id, OrderStep::Cancel, reason.to_owned(), fx);
        }
        if !self.renews(id) {
            return self.question(id, fx);
        }
        self.advance(id, OrderStep::Renew, |_| {}, fx);
        fx.orders.extend(self.state.order(id).and_then(gate::renew));
    }

    pub(super) fn charge(&mut self, account: AccountId, order: OrderId, commission: Money, fx: &mut Effects) {
        if commission > Money::ZERO {
            self.transfer(account, order, TransactionKind::Commission, Book::Fees, commission.negated(), fx);
        }
    }

    pub(super) fn transfer(
        &mut self,
        account: AccountId,
        order: OrderId,
        kind: TransactionKind,
        other: Book,
        amount: Money,
        fx: &mut Effects,
    ) {
        let id = TransactionId(self.state.last_id + 1);
        let moved = Transaction::transfer(id, account, self.market.now(), kind, order.0, other, amount);
        self.emit(Record::Moved(moved), fx);
    }

    pub(super) fn balance(&self, account: AccountId) -> Money {
        self.state.accounts.get(&account).map_or(Money::ZERO, |a| a.balance)
    }

    /// Positions or balance changed: the monitor looks at the account at once. What fills after a rule ended
    /// the account or wanted it flat is closed again.
    pub(super) fn book_changed(&mut self, account: AccountId, fx: &mut Effects) {
        self.ask_all(account, fx);
        // A rule that still wants the account flat has just said so; only of one that failed nobody is asked.
        if self.state.accounts.get(&account).is_some_and(|a| matches!(a.status, AccountStatus::Failed(_))) {
            self.flatten(account, &[], fx);
        }
        self.close_killed_of(account, fx);
    }
}
