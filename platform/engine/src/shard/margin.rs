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
    state::AccountState,
};
use marque_domain::{
    decision::Intent,
    fixed::Money,
    id::{AccountId, PositionId},
    order::Origin,
};

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
        let stopped_out = !state.positions.is_empty() && equity <= share(levels.stop_out_bp);
        if called != state.margin_called {
            let at = self.market.now();
            self.emit(Record::MarginCalled { account, called, equity, bound, at }, fx);
        }
        if stopped_out {
            self.stop_out(account, fx);
        }
    }

    /// Closes the position with the largest loss, unless one is being closed: its fill looks again.
    fn stop_out(&mut self, account: AccountId, fx: &mut Effects) {
        let Some(state) = self.state.accounts.get(&account) else { return };
        if state.positions.iter().any(|p| state.is_closing(p.id)) {
            return;
        }
        if let Some(position) = largest_loser(state, |p| book::floating(p, state.terms.currency, &self.market)) {
            let intent = Intent::Close { position };
            self.decide(account, &Request { deployment: None, origin: Origin::StopOut, intent }, fx);
        }
    }
}

/// The position that loses most; of equal ones the oldest. One that gains is closed only when none loses.
fn largest_loser(
    account: &AccountState,
    floating: impl Fn(&marque_domain::order::Position) -> Money,
) -> Option<PositionId> {
    account.positions.iter().min_by_key(|p| (floating(p), p.id)).map(|p| p.id)
}
