//! How a strategy says which orders it wants, beyond opening and closing at the market.

use crate::{Action, Amendment, Bracket, Context, Levels, Lots, OrderKind, Price, Side, Ticket, Trail, WorkingOrder};

impl Context {
    /// Its orders that stand at the venue, oldest first. An order is here from its `Working` update on.
    #[must_use]
    pub fn orders(&self) -> &[WorkingOrder] {
        &self.book.orders
    }

    /// Places an order of any kind, whatever is held or waited for.
    ///
    /// ```
    /// use marque_plugin::{Context, Levels, Lots, OrderKind, Price, Side, Ticket, TimeInForce, Trail};
    ///
    /// fn chase(ctx: &mut Context, lots: Lots, top: Price, distance: Price) {
    ///     let trail = Some(Trail::by(distance));
    ///     let stop = Ticket::new(Side::Buy, lots, OrderKind::Stop { price: top });
    ///     ctx.place(stop.good(TimeInForce::Day).guarded(Levels { trail, ..Levels::default() }));
    /// }
    /// ```
    pub fn place(&mut self, ticket: Ticket) {
        self.wish(Action::Place(ticket));
    }

    /// Buys at this price or a better one, with a stop-loss and a take-profit at these distances from it.
    pub fn buy_limit(&mut self, lots: Lots, price: Price, bracket: Bracket) {
        self.pending(Side::Buy, lots, OrderKind::Limit { price }, bracket);
    }

    /// Sells at this price or a better one; as [`Context::buy_limit`].
    pub fn sell_limit(&mut self, lots: Lots, price: Price, bracket: Bracket) {
        self.pending(Side::Sell, lots, OrderKind::Limit { price }, bracket);
    }

    /// Buys at the market once the price has risen to this level; as [`Context::buy_limit`].
    pub fn buy_stop(&mut self, lots: Lots, price: Price, bracket: Bracket) {
        self.pending(Side::Buy, lots, OrderKind::Stop { price }, bracket);
    }

    /// Sells at the market once the price has fallen to this level; as [`Context::buy_limit`].
    pub fn sell_stop(&mut self, lots: Lots, price: Price, bracket: Bracket) {
        self.pending(Side::Sell, lots, OrderKind::Stop { price }, bracket);
    }

    /// Trades at the market once the price has turned by this much, measured from the best price from now on; as
    /// [`Context::buy_limit`].
    pub fn trailing_stop(&mut self, side: Side, lots: Lots, distance: Price, bracket: Bracket) {
        let stop = if side == Side::Buy { self.ask() + distance } else { self.bid() - distance };
        self.pending(side, lots, OrderKind::TrailingStop { stop, trail: Trail::by(distance) }, bracket);
    }

    fn pending(&mut self, side: Side, lots: Lots, kind: OrderKind, bracket: Bracket) {
        let levels = kind.price().map(|price| bracket.around(side, price)).unwrap_or_default();
        self.place(Ticket::new(side, lots, kind).guarded(levels));
    }

    /// Changes a working order. [`WorkingOrder::amendment`] gives it as it is.
    pub fn amend(&mut self, order: i64, to: Amendment) {
        self.wish(Action::Amend { order, to });
    }

    /// Moves a working order to another price; its levels stay where they are. Does nothing for one that is not there.
    pub fn move_order(&mut self, order: i64, price: Price) {
        if let Some(known) = self.orders().iter().find(|known| known.id == order) {
            let to = known.amendment();
            self.amend(order, Amendment { kind: to.kind.at(price), ..to });
        }
    }

    /// Withdraws a working order. Asked again before it was answered, it does nothing.
    pub fn cancel(&mut self, order: i64) {
        if self.muted || self.book.cancelling.contains(&order) {
            return;
        }
        if self.orders().iter().any(|known| known.id == order) {
            self.book.cancelling.push(order);
        }
        self.wish(Action::Cancel { order });
    }

    /// Withdraws all its working orders.
    pub fn cancel_all(&mut self) {
        let ids: Vec<i64> = self.orders().iter().map(|order| order.id).collect();
        for id in ids {
            self.cancel(id);
        }
    }

    /// Closes a part of a position at the market, whatever is waited for.
    pub fn reduce(&mut self, position: i64, lots: Lots) {
        self.wish(Action::Reduce { position, lots });
    }

    /// Closes two opposite positions against each other, as far as the smaller one goes.
    pub fn close_by(&mut self, position: i64, by: i64) {
        self.wish(Action::CloseBy { position, by });
    }

    /// Changes what guards a position: these levels replace those that are there.
    pub fn protect(&mut self, position: i64, levels: Levels) {
        self.wish(Action::Protect { position, levels });
    }
}
