//! What may be done to what is there: closing positions, guarding them, changing and withdrawing working orders.

use super::{Draft, Hearing, active, shape, unkilled};
use crate::venue::{behind, exit_price};
use marque_domain::{
    decision::Denial,
    fixed::Lots,
    id::{OrderId, PositionId},
    order::{Order, Origin, Position, Purpose},
    ticket::{Amendment, Levels, Ticket},
};

impl Hearing<'_> {
    /// Closes a position, or `part` of it, at the market.
    pub(super) fn close(&self, id: PositionId, part: Option<Lots>) -> Result<Draft, Denial> {
        let position = self.closable(id)?;
        self.market.last(position.instrument).ok_or(Denial::NoFreshQuote)?;
        let lots = match part {
            None => position.lots,
            Some(wanted) => {
                let instrument = self.market.instrument(position.instrument).ok_or(Denial::UnknownInstrument)?;
                let lots = shape::lots(wanted, instrument)?;
                if lots > position.lots {
                    return Err(Denial::LotsAbovePosition { wanted, open: position.lots });
                }
                lots
            }
        };
        Ok(Draft::closing(position, lots, Purpose::Close(id)))
    }

    /// Closes two opposite positions against each other.
    pub(super) fn close_by(&self, id: PositionId, by: PositionId) -> Result<Draft, Denial> {
        let (position, other) = (self.closable(id)?, self.closable(by)?);
        if position.instrument != other.instrument || position.side == other.side {
            return Err(Denial::NotOpposite);
        }
        self.market.last(position.instrument).ok_or(Denial::NoFreshQuote)?;
        Ok(Draft::closing(position, position.lots.min(other.lots), Purpose::CloseBy { position: id, by }))
    }

    fn closable(&self, id: PositionId) -> Result<&Position, Denial> {
        self.position(id).and_then(|p| if self.account.is_closing(id) { Err(Denial::PositionNotOpen) } else { Ok(p) })
    }

    /// Changes a working order that has not begun to trade: it passes as a new one would, in place of what it was.
    pub(super) fn amend(&mut self, id: OrderId, to: &Amendment) -> Result<Order, Denial> {
        let order = self.working(id)?.clone();
        unkilled(self.state, self.account, order.instrument, self.request.deployment)?;
        active(self.account)?;
        if order.triggered || order.filled > Lots::ZERO {
            return Err(Denial::OrderNotWorking);
        }
        if order.kind.name() != to.kind.name() || !order.kind.is_pending() {
            return Err(Denial::KindFixed { kind: order.kind.name().to_owned() });
        }
        let ticket = Ticket {
            instrument: order.instrument,
            side: order.side,
            lots: order.lots,
            kind: to.kind,
            time_in_force: to.time_in_force,
            levels: to.levels,
            oco: order.oco,
        };
        if to.time_in_force.is_immediate() {
            let (kind, time_in_force) = (order.kind.name().to_owned(), to.time_in_force.name().to_owned());
            return Err(Denial::TimeInForceUnfit { kind, time_in_force });
        }
        let draft = self.draft(&ticket, Some(order.group()))?;
        // Its lots stay: a rule that would shrink them has its word when the order is placed anew.
        let draft = self.ask_rules(draft)?;
        if draft.lots < order.lots {
            let rule = self.answers.last().map(|a| a.rule.clone()).unwrap_or_default();
            let reason = format!("changed like this it would allow only {} lots", draft.lots);
            return Err(Denial::RuleRefused { rule, reason });
        }
        Ok(Order {
            kind: draft.kind,
            time_in_force: draft.time_in_force,
            expires_at: draft.expires_at,
            stop_loss: draft.levels.stop_loss,
            take_profit: draft.levels.take_profit,
            trail: draft.levels.trail,
            updated_at: self.market.now(),
            ..order
        })
    }

    /// Withdraws a working order, unless it closes what a rule, the margin or a switch wants closed: that waits only because
    /// the market does.
    pub(super) fn cancel(&self, id: OrderId) -> Result<OrderId, Denial> {
        let order = self.working(id)?;
        let asked_by = match order.origin {
            Origin::Rule => "a rule of this account",
            Origin::KillSwitch => "the kill switch",
            Origin::StopOut => "the venue, for want of margin,",
            Origin::Strategy | Origin::Trader | Origin::StopLoss | Origin::TakeProfit => return Ok(order.id),
        };
        Err(Denial::CloseRequired { asked_by: asked_by.to_owned() })
    }

    /// Changes what guards a position. A trail without a stop-loss begins at its distance from the price.
    pub(super) fn protect(&self, id: PositionId, levels: Levels) -> Result<Position, Denial> {
        let position = self.position(id)?;
        let instrument = self.market.instrument(position.instrument).ok_or(Denial::UnknownInstrument)?;
        let quote = self.market.last(position.instrument).ok_or(Denial::NoFreshQuote)?;
        let mut shaped = shape::guarding(levels, position.side, quote, instrument)?;
        if let (Some(trail), None) = (shaped.trail, shaped.stop_loss) {
            let exit = exit_price(position.side, quote);
            shaped.stop_loss = Some(behind(position.side, exit, trail, instrument.tick_size));
        }
        Ok(Position {
            stop_loss: shaped.stop_loss,
            take_profit: shaped.take_profit,
            trail: shaped.trail,
            ..position.clone()
        })
    }
}
