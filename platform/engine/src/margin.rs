//! The equity that an account's margin levels mean.

use crate::{book, market::Market, state::AccountState};
use marque_domain::fixed::Money;

/// The equity at or below which, and at or above which, an account's margin must be looked at.
pub(crate) fn levels(account: &AccountState, market: &Market) -> (Money, Money) {
    if account.positions.is_empty() {
        return (Money::MIN, Money::MAX);
    }
    let bound = book::margin_used(account, market);
    let share = |bp: i64| bound.basis_points(bp).unwrap_or(Money::MAX);
    let levels = account.terms.margin;
    if account.margin_called {
        (share(levels.stop_out_bp), share(levels.calm_bp))
    } else {
        // A call is below its level, not at it.
        (share(levels.call_bp).saturating_sub(Money::from_units(1)), Money::MAX)
    }
}
