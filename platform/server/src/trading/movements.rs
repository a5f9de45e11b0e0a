//! Money that people move: the command, and the line of the statement that it became. Pages and the API both come here.

use super::Asked;
use crate::problem::Problem;
use marque_domain::{
    id::AccountId,
    ledger::movement::{Movement, MovementDenial},
};
use marque_engine::Command;
use marque_store::{StatementLine, TenantDb};

/// Makes a movement on an account, or answers with the line of the one that was made under its reference before.
///
/// # Errors
/// What [`MovementDenial`] says, with its numbers; that the desk or the database does not answer.
pub async fn make(
    asked: Asked<'_>,
    db: &TenantDb,
    account: AccountId,
    movement: Movement,
) -> Result<StatementLine, Problem> {
    let reference = movement.memo.reference.clone();
    let desk = asked.floor.desk(db.tenant()).await?;
    desk.command(Command::MoveMoney { account, movement }, asked.asker).await?;
    Ok(db.movement(account, &reference).await?)
}

/// Whether a denial is about what was written and not about what the account has.
pub(super) const fn is_mistyped(denial: &MovementDenial) -> bool {
    matches!(denial, MovementDenial::Amount { .. } | MovementDenial::Memo)
}
