//! What is written of idempotency keys: with whatever else is written at the time (see [`crate::together`]).

use crate::{entity::idempotency, error::StoreError, scope::TenantTx, tenant_db::KeyUse, together::Write};
use marque_domain::{id::UserId, time::Millis};
use sea_orm::{
    ColumnTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};

/// What is written of a key.
#[derive(Debug)]
pub(crate) enum KeyWrite {
    /// It is taken by a request.
    Begin { user: UserId, key: String, request: [u8; 32], at: Millis },
    /// Its request was answered.
    Finish { user: UserId, key: String, status: u16, body: Vec<u8> },
    /// Its request changed nothing.
    Release { user: UserId, key: String },
}

impl Write for KeyWrite {
    type Done = KeyUse;

    async fn write(&self, tx: &TenantTx) -> Result<KeyUse, StoreError> {
        use idempotency::{Column as C, Entity};
        match self {
            Self::Begin { user, key, request, at } => begin(tx, *user, key, request, *at).await,
            Self::Finish { user, key, status, body } => {
                let update = tx
                    .update::<Entity>()
                    .filter(C::UserId.eq(user.0))
                    .filter(C::Key.eq(key))
                    .filter(C::Status.is_null())
                    .col_expr(C::Status, Expr::val(i64::from(*status)))
                    .col_expr(C::Body, Expr::val(body.clone()));
                if tx.run_update(update).await? == 0 {
                    return Err(StoreError::NotFound("idempotency key"));
                }
                Ok(KeyUse::Fresh)
            }
            Self::Release { user, key } => {
                let mine = tx.delete::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Key.eq(key));
                tx.run_delete(mine.filter(C::Status.is_null())).await?;
                Ok(KeyUse::Fresh)
            }
        }
    }
}

async fn begin(tx: &TenantTx, user: UserId, key: &str, request: &[u8; 32], at: Millis) -> Result<KeyUse, StoreError> {
    use idempotency::{Column as C, Entity, Model};
    let row = Model {
        tenant_id: tx.tenant_id(),
        user_id: user.0,
        key: key.to_owned(),
        request_hash: request.to_vec(),
        status: None,
        body: None,
        created_at: at.0,
    };
    let keep = OnConflict::columns([C::TenantId, C::UserId, C::Key]).do_nothing().to_owned();
    if tx.insert::<Entity>(vec![row], Some(keep)).await? == 1 {
        return Ok(KeyUse::Fresh);
    }
    let held = tx.find::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Key.eq(key));
    let held = tx.one(held).await?.ok_or(StoreError::NotFound("idempotency key"))?;
    if held.request_hash != request {
        return Ok(KeyUse::Mismatch);
    }
    let Some(status) = held.status else { return Ok(KeyUse::Pending { since: Millis(held.created_at) }) };
    let status = u16::try_from(status).map_err(|fault| StoreError::corrupt("idempotency key", fault))?;
    Ok(KeyUse::Answered { status, body: held.body.unwrap_or_default() })
}
