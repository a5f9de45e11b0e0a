//! Money that people move into and out of accounts.

use super::Shard;
use crate::{
    book,
    event::{Effects, Record, Refusal},
    facts::Facts,
    port::{AccountView, Assessment, Standing},
    state::AccountState,
};
use marque_domain::{
    account::AccountStatus,
    fixed::Money,
    id::{AccountId, TransactionId},
    ledger::{
        Transaction,
        movement::{Funds, MOVEMENTS_MAX, Movement, MovementDenial, MovementKind},
    },
};

impl Shard {
    /// Decided here and not before the command: of a hundred withdrawals that come at once, as many as fit are made.
    pub(super) fn move_money(
        &mut self,
        account: AccountId,
        movement: Movement,
        fx: &mut Effects,
    ) -> Result<(), Refusal> {
        let state = self.state.accounts.get(&account).ok_or(Refusal::NoSuchAccount)?;
        movement.validate()?;
        if was_made(state, &movement)? {
            return Ok(());
        }
        self.permit(state, &movement)?;
        let id = TransactionId(self.state.last_id + 1);
        let (kind, other, cash) = (movement.kind.transaction(), movement.kind.other_book(), movement.cash());
        let moved = Transaction::transfer(id, account, self.market.now(), kind, 0, other, cash);
        let moved = moved.with_memo(Some(movement.memo));
        self.spares_the_floors(account, &moved)?;
        self.emit(Record::Moved(moved), fx);
        self.look_at(account, fx);
        Ok(())
    }

    fn permit(&self, state: &AccountState, movement: &Movement) -> Result<(), MovementDenial> {
        if state.movements.len() >= MOVEMENTS_MAX {
            return Err(MovementDenial::TooMany);
        }
        // What an order of unknown fate binds is not known either.
        let leaves = movement.cash() < Money::ZERO;
        if leaves && state.is_uncertain() {
            return Err(MovementDenial::Uncertain);
        }
        if movement.kind == MovementKind::Payout {
            permit_payout(state, movement.amount)?;
        }
        let free = book::equity(state, &self.market).saturating_sub(book::margin_used(state, &self.market));
        movement.permit(Funds { balance: state.balance, free })
    }

    /// Whether the account lives on after what leaves it. Marks move with that, and with them the floors that follow them; others
    /// stand still. So its rules are asked about the account as it would be; while one gives no answer, nobody knows.
    fn spares_the_floors(&mut self, account: AccountId, moved: &Transaction) -> Result<(), MovementDenial> {
        let Some(before) = self.state.accounts.get(&account) else { return Ok(()) };
        if moved.cash() >= Money::ZERO || matches!(before.status, AccountStatus::Failed(_)) {
            return Ok(());
        }
        let after = before.after(moved);
        // Who takes all there is has nothing left to lose.
        if after.balance.is_zero() && after.positions.is_empty() {
            return Ok(());
        }
        let funded = if moved.kind().is_funding() { moved.cash() } else { Money::ZERO };
        let (equity, mut positions) = (book::equity(&after, &self.market), Vec::new());
        book::exposures(&after, &self.market, &mut positions);
        for (index, rule) in after.terms.rules.iter().enumerate() {
            let view = AccountView {
                now: self.market.now(),
                initial_balance: after.facts.capital,
                balance: after.balance,
                equity,
                day: self.rules.day_after((before, &after), &self.market, index, funded),
                positions: &positions,
                facts: Facts::of(&after, index, &self.market),
            };
            let Ok(answer) = self.rules.foresee(rule, &view) else {
                return Err(MovementDenial::RuleFailed { rule: rule.name.clone() });
            };
            let Assessment { standing: Standing::Fail, floor: Some(floor), .. } = answer else { continue };
            if equity <= floor {
                return Err(MovementDenial::BelowFloor { rule: rule.name.clone(), floor, equity });
            }
        }
        Ok(())
    }
}

/// A payout is of profit, when the book is flat: of what nobody knows yet whether it is earned, nothing goes out.
fn permit_payout(state: &AccountState, asked: Money) -> Result<(), MovementDenial> {
    if !state.positions.is_empty() {
        return Err(MovementDenial::PositionsOpen);
    }
    let profit = state.balance.saturating_sub(state.facts.capital).max(Money::ZERO);
    if asked > profit { Err(MovementDenial::AboveProfit { asked, profit }) } else { Ok(()) }
}

/// Whether this very movement was made before. A reference that names another one is refused.
fn was_made(state: &AccountState, movement: &Movement) -> Result<bool, MovementDenial> {
    match state.movements.get(&movement.memo.reference) {
        None => Ok(false),
        Some(made) if made.kind == movement.kind.transaction() && made.cash == movement.cash() => Ok(true),
        Some(made) => Err(MovementDenial::ReferenceTaken {
            reference: movement.memo.reference.clone(),
            kind: made.kind,
            amount: made.cash.abs(),
        }),
    }
}
