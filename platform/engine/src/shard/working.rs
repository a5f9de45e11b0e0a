//! Orders that wait at the venue: whether one still fits when its price comes, and what withdraws one.

use super::Shard;
use crate::{
    event::{Effects, Record},
    gate,
};
use marque_domain::{
    fixed::{Lots, Price},
    id::{AccountId, OrderId, PositionId},
    order::{Order, OrderState, OrderStep, Position},
    ticket::OrderKind,
};

impl Shard {
    /// The price of a waiting order has come: whether it may trade. When the account no longer has the margin, or takes
    /// no new risk, it is rejected with the numbers that decided; what of it traded before stays.
    pub(super) fn admit(&mut self, id: OrderId, lots: Lots, fx: &mut Effects) -> bool {
        let Some(order) = self.state.order(id) else { return false };
        let Some(account) = self.state.accounts.get(&order.account) else { return false };
        let step = if order.filled.is_zero() { OrderStep::Reject } else { OrderStep::Cancel };
        match gate::still_fits(account, &self.market, order, lots) {
            Ok(()) => true,
            Err(denial) => {
                self.ended(id, step, denial.to_string(), fx);
                false
            }
        }
    }

    /// The stop of a stop-limit order was reached.
    pub(super) fn armed(&mut self, id: OrderId, fx: &mut Effects) {
        self.rework(id, |order| order.triggered = true, fx);
    }

    /// The level of a trailing stop order followed the price.
    pub(super) fn trailed(&mut self, id: OrderId, stop: Price, fx: &mut Effects) {
        let follow = |order: &mut Order| {
            if let OrderKind::TrailingStop { stop: level, .. } = &mut order.kind {
                *level = stop;
            }
        };
        self.rework(id, follow, fx);
    }

    /// The stop-loss of a position followed the price.
    pub(super) fn followed(&mut self, id: PositionId, stop_loss: Price, fx: &mut Effects) {
        if let Some(position) = self.state.position(id).cloned() {
            self.emit(Record::PositionChanged(Position { stop_loss: Some(stop_loss), ..position }), fx);
        }
    }

    /// Changes a working order without moving it along.
    fn rework(&mut self, id: OrderId, change: impl FnOnce(&mut Order), fx: &mut Effects) {
        let Some(mut order) = self.state.order(id).filter(|o| o.is_working()).cloned() else { return };
        change(&mut order);
        order.updated_at = self.market.now();
        self.emit(Record::OrderMoved(order), fx);
    }

    /// Withdraws the orders of an account that stand at the venue, or have not left for it, and that `which` picks, oldest
    /// first.
    pub(super) fn withdraw_where(
        &mut self,
        account: AccountId,
        reason: &str,
        fx: &mut Effects,
        which: impl Fn(&Order) -> bool,
    ) {
        let orders = self.state.accounts.get(&account).map_or(&[][..], |a| &a.orders);
        let stays = |o: &Order| o.is_working() || o.state == OrderState::Intent;
        let picked: Vec<OrderId> = orders.iter().filter(|o| stays(o) && which(o)).map(|o| o.id).collect();
        for order in picked {
            self.ended(order, OrderStep::Cancel, reason.to_owned(), fx);
        }
    }

    /// One order of a group trades: the others are withdrawn, so that at most one ever does.
    pub(super) fn cancel_others(&mut self, order: &Order, fx: &mut Effects) {
        let (id, group) = (order.id, order.group());
        let alone = |account: &crate::state::AccountState| {
            order.oco.is_none() && account.orders.iter().all(|o| o.oco != Some(group))
        };
        if self.state.accounts.get(&order.account).is_none_or(alone) {
            return;
        }
        let other = |o: &Order| o.id != id && o.group() == group;
        self.withdraw_where(order.account, "the other order of its pair traded", fx, other);
    }

    /// Orders that have nothing left to do once a position is closed: those that would close it, and what is left of the
    /// order that opened it.
    pub(super) fn cancel_pointless(&mut self, position: &Position, fx: &mut Effects) {
        let id = position.id;
        let pointless = |o: &Order| o.purpose.closes(id) || (o.id.0 == id.0 && o.state == OrderState::Partial);
        self.withdraw_where(position.account, "its position was closed", fx, pointless);
    }
}
