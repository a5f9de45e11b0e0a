//! What a fill does: to the order, to the positions of its account, and in the ledger.

use super::Shard;
use crate::{
    book,
    event::{Effects, Record},
    port::OrderUpdate,
    venue::{behind, exit_price},
};
use marque_domain::{
    fixed::{Lots, Money, Price},
    id::{OrderId, PositionId},
    ledger::{Book, TransactionKind},
    order::{Closed, Order, OrderState, OrderStep, Origin, Position, Purpose, average},
    ticket::{Levels, OrderKind, TimeInForce},
};

/// One fill, once its order has taken note of it.
#[derive(Clone, Copy)]
pub(super) struct Fill {
    pub order: OrderId,
    pub lots: Lots,
    pub price: Price,
    pub origin: Origin,
}

impl Shard {
    /// Some of an order trades; what is more than it has left does not.
    pub(super) fn traded(&mut self, id: OrderId, lots: Lots, price: Price, commission: Money, fx: &mut Effects) {
        let Some(order) = self.state.order(id) else { return };
        let open = |position: PositionId| self.state.position(position).map(|p| p.lots);
        let most = match order.purpose {
            Purpose::Open => Some(lots),
            Purpose::Close(position) => open(position).map(|held| lots.min(held)),
            Purpose::CloseBy { position, by } => open(position).zip(open(by)).map(|(a, b)| lots.min(a).min(b)),
        };
        let Some(lots) = most.map(|lots| lots.min(order.remaining())).filter(|lots| *lots > Lots::ZERO) else {
            return self.ended(id, OrderStep::Cancel, "the position is not open any more".to_owned(), fx);
        };
        let price = match order.purpose {
            // Against each other, two positions are worth the distance between their opening prices.
            Purpose::CloseBy { by, .. } => self.state.position(by).map_or(price, |p| p.open_price),
            _ => price,
        };
        let step = if lots == order.remaining() { OrderStep::FillAll } else { OrderStep::FillPart };
        let stopped = order.kind.stop().is_some();
        let change = |order: &mut Order| {
            order.fill(lots, price);
            order.triggered |= stopped;
        };
        let Some(order) = self.advance(id, step, change, fx) else { return };
        let fill = Fill { order: id, lots, price, origin: order.origin };
        match order.purpose {
            Purpose::Open => self.entered(&order, fill, commission, fx),
            Purpose::Close(position) => self.close(position, fill, commission, fx),
            Purpose::CloseBy { position, by } => {
                self.close(position, fill, commission, fx);
                self.close(by, fill, Money::ZERO, fx);
            }
        }
        // Only now: a strategy that acts on what follows is checked against an account that holds what has traded.
        self.cancel_others(&order, fx);
        if let Some(deployment) = order.deployment.filter(|_| order.kind.is_pending()) {
            let update = OrderUpdate::Traded { order: id, lots, price, left: order.remaining() };
            self.tell(deployment, &update, fx);
        }
    }

    /// A fill that opens: onto the order's own position, or netted with what is there.
    pub(super) fn entered(&mut self, order: &Order, fill: Fill, commission: Money, fx: &mut Effects) {
        let account = self.state.accounts.get(&order.account);
        let netted = account.and_then(|a| a.netted(order.instrument)).cloned();
        match netted.or_else(|| self.state.position(PositionId(order.id.0)).cloned()) {
            Some(held) if held.side == order.side => self.grown(&held, order, fill, commission, fx),
            Some(held) if fill.lots <= held.lots => self.close(held.id, fill, commission, fx),
            Some(held) => {
                // The part that closes is charged with the part that opens: it is one fill.
                let rest = Fill { lots: fill.lots.saturating_sub(held.lots), ..fill };
                self.close(held.id, Fill { lots: held.lots, ..fill }, Money::ZERO, fx);
                self.opened(order, rest, commission, fx);
            }
            None => self.opened(order, fill, commission, fx),
        }
    }

    fn opened(&mut self, order: &Order, fill: Fill, commission: Money, fx: &mut Effects) {
        let levels = self.first_levels(order);
        // What trades after the order's position was closed opens it again: it goes on with what it earned.
        let before = self.state.routed(order.id).and_then(|(_, routed)| routed.closed.as_ref());
        let position = Position {
            id: PositionId(order.id.0),
            account: order.account,
            deployment: order.deployment,
            instrument: order.instrument,
            side: order.side,
            lots: fill.lots,
            closed_lots: before.map_or(Lots::ZERO, Position::opened_lots),
            realised: before.and_then(|p| p.closed).map_or(Money::ZERO, |closed| closed.profit),
            open_price: fill.price,
            opened_at: self.market.now(),
            stop_loss: levels.stop_loss,
            take_profit: levels.take_profit,
            trail: levels.trail,
            closed: None,
        };
        let (id, side, lots, price) = (position.id, position.side, position.lots, position.open_price);
        self.emit(Record::PositionOpened(position), fx);
        self.charge(order.account, order.id, commission, fx);
        self.book_changed(order.account, fx);
        if let Some(deployment) = order.deployment {
            let balance = self.balance(order.account);
            self.tell(deployment, &OrderUpdate::Opened { position: id, side, lots, price, balance }, fx);
        }
    }

    /// The order's levels; a trail without a stop-loss begins at its distance from the price of now.
    fn first_levels(&self, order: &Order) -> Levels {
        let mut levels = order.levels();
        if let (Some(trail), None) = (levels.trail, levels.stop_loss)
            && let (Some(quote), Some(instrument)) =
                (self.market.last(order.instrument), self.market.instrument(order.instrument))
        {
            levels.stop_loss = Some(behind(order.side, exit_price(order.side, quote), trail, instrument.tick_size));
        }
        levels
    }

    /// More of the same side: at the average price. Levels that the order brings replace those that are there.
    fn grown(&mut self, held: &Position, order: &Order, fill: Fill, commission: Money, fx: &mut Effects) {
        let own = held.id.0 == order.id.0;
        let levels = if own { Levels::default() } else { self.first_levels(order) };
        let position = Position {
            lots: held.lots.saturating_add(fill.lots),
            open_price: average((held.open_price, held.lots), (fill.price, fill.lots)),
            stop_loss: levels.stop_loss.or(held.stop_loss),
            take_profit: levels.take_profit.or(held.take_profit),
            trail: levels.trail.or(held.trail),
            ..held.clone()
        };
        self.emit(Record::PositionChanged(position.clone()), fx);
        self.charge(order.account, order.id, commission, fx);
        self.changed(&position, fx);
    }

    /// The venue closed a position, or so much of it, at one of its levels. The order that did it is recorded with it.
    pub(super) fn exited(
        &mut self,
        id: PositionId,
        origin: Origin,
        part: Option<Lots>,
        price: Price,
        commission: Money,
        fx: &mut Effects,
    ) {
        let Some(position) = self.state.position(id).cloned() else { return };
        let lots = part.unwrap_or(position.lots);
        let (order, at) = (OrderId(self.state.last_id + 1), self.market.now());
        let exit = Order {
            id: order,
            account: position.account,
            deployment: position.deployment,
            instrument: position.instrument,
            side: position.side.opposite(),
            lots,
            purpose: Purpose::Close(id),
            origin,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Gtc,
            expires_at: None,
            stop_loss: None,
            take_profit: None,
            trail: None,
            oco: None,
            triggered: false,
            state: OrderState::Filled,
            filled: lots,
            fill_price: Some(price),
            reason: None,
            created_at: at,
            updated_at: at,
        };
        self.emit(Record::OrderPlaced(exit), fx);
        self.close(id, Fill { order, lots, price, origin }, commission, fx);
    }

    /// Closes lots of a position: all that it has, or a part of it.
    pub(super) fn close(&mut self, id: PositionId, fill: Fill, commission: Money, fx: &mut Effects) {
        let Some(held) = self.state.position(id).cloned() else { return };
        let Some(instrument) = self.market.instrument(held.instrument) else { return };
        // What is open has its rate: nothing is opened without one, and the last one is kept.
        let rate =
            self.state.accounts.get(&held.account).and_then(|a| self.market.rate(instrument.quote, a.terms.currency));
        let earned = rate.map_or(Money::ZERO, |rate| {
            book::profit(held.side, held.open_price, fill.price, fill.lots, instrument, rate)
                .unwrap_or_else(|_| book::overflowed(held.side, held.open_price, fill.price))
        });
        let realised = held.realised.saturating_add(earned);
        let position = if fill.lots < held.lots {
            Position {
                lots: held.lots.saturating_sub(fill.lots),
                closed_lots: held.closed_lots.saturating_add(fill.lots),
                realised,
                ..held.clone()
            }
        } else {
            let closed = Closed { at: self.market.now(), price: fill.price, profit: realised, origin: fill.origin };
            Position { closed: Some(closed), ..held.clone() }
        };
        let whole = position.closed.is_some();
        self.emit(
            if whole { Record::PositionClosed(position.clone()) } else { Record::PositionChanged(position.clone()) },
            fx,
        );
        self.transfer(held.account, fill.order, TransactionKind::Profit, Book::Venue, earned, fx);
        self.charge(held.account, fill.order, commission, fx);
        if !whole {
            return self.changed(&position, fx);
        }
        self.cancel_pointless(&position, fx);
        self.book_changed(held.account, fx);
        if let Some(deployment) = held.deployment {
            let (price, origin, balance) = (fill.price, fill.origin, self.balance(held.account));
            let update = OrderUpdate::Closed { position: id, price, profit: realised, origin, balance };
            self.tell(deployment, &update, fx);
        }
    }

    /// A position that stays open has other lots.
    fn changed(&mut self, position: &Position, fx: &mut Effects) {
        self.book_changed(position.account, fx);
        if let Some(deployment) = position.deployment {
            let (lots, price, balance) = (position.lots, position.open_price, self.balance(position.account));
            self.tell(deployment, &OrderUpdate::Changed { position: position.id, lots, price, balance }, fx);
        }
    }
}
