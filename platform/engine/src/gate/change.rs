//! What may be done to what is there: closing positions, guarding them, changing and withdrawing working orders.

use super::{
    Draft, Hearing, active,
    asked::{Scene, leaves},
    heed, shape, unkilled,
};
use crate::venue::{behind, exit_price};
use marque_domain::{
    decision::{Denial, RuleAnswer, Verdict},
    fixed::{Lots, Price},
    id::{OrderId, PositionId},
    order::{Order, Origin, Position, Purpose, Side},
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
        self.heard()?;
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
    pub(super) fn protect(&mut self, id: PositionId, levels: Levels) -> Result<Position, Denial> {
        let position = self.position(id)?.clone();
        let instrument = self.market.instrument(position.instrument).ok_or(Denial::UnknownInstrument)?;
        let quote = self.market.last(position.instrument).ok_or(Denial::NoFreshQuote)?;
        let mut shaped = shape::guarding(levels, position.side, quote, instrument)?;
        if let (Some(trail), None) = (shaped.trail, shaped.stop_loss) {
            let exit = exit_price(position.side, quote);
            shaped.stop_loss = Some(behind(position.side, exit, trail, instrument.tick_size));
        }
        let (stop_loss, take_profit, trail) = (shaped.stop_loss, shaped.take_profit, shaped.trail);
        let guarded = Position { stop_loss, take_profit, trail, ..position.clone() };
        if is_looser(&position, stop_loss) {
            self.ask_about(&position, &guarded)?;
        }
        Ok(guarded)
    }

    /// Asks each rule about a position of which the stop-loss goes further away. Its lots stay, so a rule that would shrink them
    /// denies. What a rule holds against the position as it stands (that its market is about to close, or the day's orders
    /// are used up) is nothing against the change.
    fn ask_about(&mut self, held: &Position, guarded: &Position) -> Result<(), Denial> {
        let (account, market) = (self.account, &*self.market);
        let scene = Scene::of(account, market, held.instrument, Some(held))?;
        for (index, rule) in account.terms.rules.iter().enumerate() {
            let mut verdict = scene.ask(self.rules, (index, rule), &scene.position(guarded));
            if matches!(verdict, Verdict::Shrink(_) | Verdict::Refuse(_)) {
                let before = scene.ask(self.rules, (index, rule), &scene.position(held));
                if leaves(&verdict, held.lots) >= leaves(&before, held.lots) {
                    verdict = Verdict::Allow;
                }
            }
            self.answers.push(RuleAnswer { rule: rule.name.clone(), verdict: verdict.clone() });
            let left = heed(&verdict, &rule.name, held.lots, scene.instrument)?;
            if left < held.lots {
                let reason = format!("guarded like this it would allow only {left} lots");
                return Err(Denial::RuleRefused { rule: rule.name.clone(), reason });
            }
        }
        Ok(())
    }
}

/// Whether a position's stop-loss would go, or stand further from the price than it does.
fn is_looser(position: &Position, to: Option<Price>) -> bool {
    match (position.stop_loss, to, position.side) {
        (None, _, _) => false,
        (Some(_), None, _) => true,
        (Some(from), Some(to), Side::Buy) => to < from,
        (Some(from), Some(to), Side::Sell) => to > from,
    }
}
