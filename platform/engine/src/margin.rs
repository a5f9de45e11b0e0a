//! The margin levels at which something happens, and the equity that they mean.

use crate::{book, market::Market, state::AccountState};
use marque_domain::fixed::Money;

/// Below this margin level, in basis points, an account is called.
pub const CALL_BP: i64 = 10_000;
/// At or above this level it is calm again.
pub const CALM_BP: i64 = 11_000;
/// At or below this level positions are closed.
pub const STOP_OUT_BP: i64 = 5_000;

/// The equity at or below which, and at or above which, an account's margin must be looked at.
pub(crate) fn levels(account: &AccountState, market: &Market) -> (Money, Money) {
    if account.positions.is_empty() {
        return (Money::MIN, Money::MAX);
    }
    let bound = book::margin_used(account, market);
    let share = |bp: i64| bound.basis_points(bp).unwrap_or(Money::MAX);
    if account.margin_called {
        (share(STOP_OUT_BP), share(CALM_BP))
    } else {
        // A call is below its level, not at it.
        (share(CALL_BP).saturating_sub(Money::from_units(1)), Money::MAX)
    }
}
