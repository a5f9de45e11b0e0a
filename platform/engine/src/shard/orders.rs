//! From wish to order to fill: the gate, the order machine and the ledger.

use super::Shard;
use crate::{
    book,
    event::{Effects, Record},
    gate::{self, Request},
    port::{OrderUpdate, VenueReport},
};
use marque_domain::{
    account::AccountStatus,
    decision::{Decision, Intent},
    fixed::{Money, Price},
    id::{AccountId, InstrumentId, OrderId, PositionId, TransactionId},
    ledger::{Book, Transaction, TransactionKind},
    order::{Closed, Order, OrderState, OrderStep, Origin, Position, Purpose},
};

/// How long after its approval an order that never reached the venue may still be sent, in market time.
const RENEW_AGE_MS_MAX: i64 = 2_000;

impl Shard {
    /// Puts an intent through the gate. The decision is recorded either way.
    pub(super) fn decide(&mut self, account: AccountId, request: &Request, fx: &mut Effects) -> Option<Decision> {
        let state = self.state.accounts.get(&account)?;
        let (decision, approved) = gate::decide(&self.state, state, &mut self.market, &mut self.rules, request);
        self.emit(Record::Decided(decision.clone()), fx);
        if let Some(approved) = approved {
            self.emit(Record::OrderPlaced(approved.order().clone()), fx);
            fx.orders.push(approved);
        }
        Some(decision)
    }

    /// Closes everything in these instruments, or in all when none is named, in the name of a rule.
    pub(super) fn flatten(&mut self, account: AccountId, only: &[InstrumentId], fx: &mut Effects) {
        let meant = |p: &&Position| only.is_empty() || only.contains(&p.instrument);
        let open = self.state.accounts.get(&account).map(|a| {
            let open = a.positions.iter().filter(meant).map(|p| p.id);
            open.filter(|id| !a.is_closing(*id)).collect::<Vec<_>>()
        });
        for position in open.unwrap_or_default() {
            let request = Request { deployment: None, origin: Origin::Rule, intent: Intent::Close { position } };
            self.decide(account, &request, fx);
        }
    }

    pub(super) fn sent(&mut self, order: OrderId, fx: &mut Effects) {
        self.advance(order, OrderStep::Send, |_| {}, fx);
    }

    /// Takes what the venue said. A report that the order machine has no arrow for (a second fill, an
    /// acknowledgement after the fill) changes nothing.
    pub(super) fn report(&mut self, report: VenueReport, fx: &mut Effects) {
        match report {
            VenueReport::Acked { order } => drop(self.advance(order, OrderStep::Ack, |_| {}, fx)),
            VenueReport::Lost { order } => {
                if self.advance(order, OrderStep::Lose, |_| {}, fx).is_some() {
                    fx.queries.push(order);
                }
            }
            VenueReport::Rejected { order, reason } => self.ended(order, OrderStep::Reject, reason, fx),
            VenueReport::NotFound { order } => self.not_found(order, fx),
            VenueReport::Filled { order, price, commission } => self.filled(order, price, commission, fx),
            VenueReport::Exited { position, origin, price, commission } => {
                self.exited(position, origin, price, commission, fx)
            }
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
            fx.queries.push(order);
        }
        self.quarantine_missing(fx);
        let accounts: Vec<(AccountId, bool)> =
            self.state.accounts.iter().map(|(id, a)| (*id, matches!(a.status, AccountStatus::Failed(_)))).collect();
        for (account, failed) in accounts {
            self.begin_days(account, fx);
            if failed {
                self.flatten(account, &[], fx);
            }
        }
        self.close_killed(|_, _, _| true, fx);
    }

    /// Moves an order along; answers the order as it is then, if the machine has that arrow.
    fn advance(
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

    pub(super) fn ended(&mut self, id: OrderId, step: OrderStep, reason: String, fx: &mut Effects) {
        if let Some(order) = self.advance(id, step, |o| o.reason = Some(reason), fx)
            && let Some(deployment) = order.deployment
        {
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
        if self.is_killed(order) {
            return self.withdraw(id, fx);
        }
        self.advance(id, OrderStep::Renew, |_| {}, fx);
        fx.orders.extend(self.state.order(id).and_then(gate::renew));
    }

    fn filled(&mut self, id: OrderId, price: Price, commission: Money, fx: &mut Effects) {
        let Some(order) = self.advance(id, OrderStep::FillAll, |o| o.fill_price = Some(price), fx) else { return };
        match order.purpose {
            Purpose::Open => self.opened(&order, price, commission, fx),
            Purpose::Close(position) => self.close(order.account, position, id, price, order.origin, commission, fx),
        }
    }

    fn opened(&mut self, order: &Order, price: Price, commission: Money, fx: &mut Effects) {
        let position = Position {
            id: PositionId(order.id.0),
            account: order.account,
            deployment: order.deployment,
            instrument: order.instrument,
            side: order.side,
            lots: order.lots,
            open_price: price,
            opened_at: self.market.now(),
            stop_loss: order.stop_loss,
            take_profit: order.take_profit,
            closed: None,
        };
        let update =
            |balance| OrderUpdate::Opened { position: position.id, side: order.side, lots: order.lots, price, balance };
        self.emit(Record::PositionOpened(position.clone()), fx);
        self.charge(order.account, order.id, commission, fx);
        self.book_changed(order.account, fx);
        if let Some(deployment) = order.deployment {
            let balance = self.balance(order.account);
            self.tell(deployment, &update(balance), fx);
        }
    }

    /// The venue closed a position at a stop. The order that did it is recorded with it.
    fn exited(&mut self, id: PositionId, origin: Origin, price: Price, commission: Money, fx: &mut Effects) {
        let Some(position) = self.state.position(id).cloned() else { return };
        let (order, at) = (OrderId(self.state.last_id + 1), self.market.now());
        let exit = Order {
            id: order,
            account: position.account,
            deployment: position.deployment,
            instrument: position.instrument,
            side: position.side.opposite(),
            lots: position.lots,
            purpose: Purpose::Close(id),
            origin,
            stop_loss: None,
            take_profit: None,
            state: OrderState::Filled,
            fill_price: Some(price),
            reason: None,
            created_at: at,
            updated_at: at,
        };
        self.emit(Record::OrderPlaced(exit), fx);
        self.close(position.account, id, order, price, origin, commission, fx);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one fill, each of its own type")]
    fn close(
        &mut self,
        account: AccountId,
        id: PositionId,
        order: OrderId,
        price: Price,
        origin: Origin,
        commission: Money,
        fx: &mut Effects,
    ) {
        let Some(position) = self.state.accounts.get(&account).and_then(|a| a.position(id)).cloned() else { return };
        let Some(instrument) = self.market.instrument(position.instrument) else { return };
        let profit = book::profit(position.side, position.open_price, price, position.lots, instrument)
            .unwrap_or_else(|_| book::floating(&position, &self.market));
        let closed = Some(Closed { at: self.market.now(), price, profit, origin });
        self.emit(Record::PositionClosed(Position { closed, ..position.clone() }), fx);
        self.transfer(account, order, TransactionKind::Profit, Book::Venue, profit, fx);
        self.charge(account, order, commission, fx);
        self.book_changed(account, fx);
        if let Some(deployment) = position.deployment {
            let balance = self.balance(account);
            self.tell(deployment, &OrderUpdate::Closed { position: id, price, profit, origin, balance }, fx);
        }
    }

    fn charge(&mut self, account: AccountId, order: OrderId, commission: Money, fx: &mut Effects) {
        if commission > Money::ZERO {
            self.transfer(account, order, TransactionKind::Commission, Book::Fees, commission.negated(), fx);
        }
    }

    fn transfer(
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

    fn balance(&self, account: AccountId) -> Money {
        self.state.accounts.get(&account).map_or(Money::ZERO, |a| a.balance)
    }

    /// Positions or balance changed: the monitor looks at the account at once. What fills after a rule ended
    /// the account or wanted it flat is closed again.
    fn book_changed(&mut self, account: AccountId, fx: &mut Effects) {
        self.ask_all(account, fx);
        // A rule that still wants the account flat has just said so; only of one that failed nobody is asked.
        if self.state.accounts.get(&account).is_some_and(|a| matches!(a.status, AccountStatus::Failed(_))) {
            self.flatten(account, &[], fx);
        }
        self.close_killed(|of, _, _| of == account, fx);
    }
}
