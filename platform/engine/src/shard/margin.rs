//! Margin: what positions bind, the call, and the stop-out.
//!
//! The margin level is equity over the margin that open positions bind; the account's own terms say at which levels
//! something happens. Below its call the account is called, once, until it is calm again. At or below its stop-out the venue
//! closes the position with the largest loss, then looks again, until the level is above. One order at a time: what a close brings decides whether another is needed.

use super::Shard;
use crate::{
    book,
    event::{Effects, Record},
    gate::Request,
};
use marque_domain::{decision::Intent, fixed::Money, id::AccountId, order::Origin};

impl Shard {
    /// Looks at an account's margin level and does what it asks for.
    pub(super) fn check_margin(&mut self, account: AccountId, fx: &mut Effects) {
        let Some(state) = self.state.accounts.get(&account) else { return };
        if state.positions.is_empty() && !state.margin_called {
            return;
        }
        let (equity, bound) = (book::equity(state, &self.market), book::margin_used(state, &self.market));
        let share = |bp: i64| bound.basis_points(bp).unwrap_or(Money::MAX);
        let levels = state.terms.margin;
        let called = equity < share(if state.margin_called { levels.calm_bp } else { levels.call_bp });
        let level = share(levels.stop_out_bp);
        // What a price that is being confirmed would close waits for the next one, like what it would end.
        let stopped_out = !state.positions.is_empty() && equity <= level && !self.is_doubtful(state, level);
        if called != state.margin_called {
            let at = self.market.now();
            self.emit(Record::MarginCalled { account, called, equity, bound, at }, fx);
        }
        if stopped_out {
            self.stop_out(account, fx);
        }
    }

    /// Closes the position with the largest loss of those that can be closed now, unless one of them is being closed: its
    /// fill looks again. A market that is closed, or in which nobody quoted for a minute, holds up nothing: what waits for it brings no
    /// money back now. Nor does a position that the venue would not close a moment ago.
    fn stop_out(&mut self, account: AccountId, fx: &mut Effects) {
        let Some(state) = self.state.accounts.get(&account) else { return };
        let resting: Vec<_> = state.positions.iter().map(|p| p.id).filter(|id| self.rests(*id)).collect();
        let (mut open, mut closed) = (Vec::new(), Vec::new());
        for position in state.positions.iter().filter(|p| !resting.contains(&p.id)) {
            let is_open = self.market.is_open(position.instrument) && self.market.fresh(position.instrument).is_some();
            if is_open && state.is_closing(position.id) {
                return;
            }
            let loss = book::floating(position, state.terms.currency, &self.market);
            if is_open { &mut open } else { &mut closed }.push((loss, position.id));
        }
        // Of equal ones the oldest. One that gains is closed only when none loses. Where no market trades, one close waits.
        let waits = open.is_empty() && closed.iter().any(|(_, id)| state.is_closing(*id));
        let worst = if open.is_empty() { closed.into_iter().min() } else { open.into_iter().min() };
        if let Some((_, position)) = worst.filter(|_| !waits) {
            let intent = Intent::Close { position };
            self.decide(account, &Request { deployment: None, origin: Origin::StopOut, intent }, fx);
        }
    }
}
