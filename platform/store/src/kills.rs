//! What who runs the platform asks of the kill switch. Written by a command, done by the servers.

use crate::{
    codec,
    entity::kill_requests::{Column as C, Entity, Model},
    error::StoreError,
    scope::Access,
    system::SystemDb,
};
use marque_domain::{
    id::TenantId,
    kill::{KillMode, KillScope},
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

/// Requests that are looked at in one round.
const AT_ONCE: u64 = 100;

/// What is asked of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillAct {
    /// To be pressed.
    Press(KillMode),
    /// To be released.
    Release,
}

impl KillAct {
    const ALL: [Self; 3] = [Self::Press(KillMode::Stop), Self::Press(KillMode::Close), Self::Release];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Press(mode) => mode.name(),
            Self::Release => "release",
        }
    }
}

/// A request of who runs the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillRequest {
    /// Its id: later ones are larger.
    pub id: i64,
    /// Of which tenant; all of them when none.
    pub tenant: Option<TenantId>,
    /// What to stop.
    pub scope: KillScope,
    /// How, or that it is over.
    pub act: KillAct,
    /// Why.
    pub reason: String,
    /// When it was asked, by the clock of who asked.
    pub asked_at: Millis,
    /// When every desk that it concerns had committed it.
    pub done_at: Option<Millis>,
    /// Why it cannot be done, when it cannot.
    pub refused: Option<String>,
}

fn request(row: Model) -> Result<KillRequest, StoreError> {
    let corrupt = |what: String| StoreError::corrupt("kill request", what);
    Ok(KillRequest {
        id: row.id,
        tenant: row.only_tenant.map(TenantId),
        scope: serde_json::from_str(&row.scope).map_err(|fault| corrupt(fault.to_string()))?,
        act: KillAct::ALL.into_iter().find(|act| act.name() == row.act).ok_or_else(|| corrupt(row.act))?,
        reason: row.reason,
        asked_at: Millis(row.asked_at),
        done_at: row.done_at.map(Millis),
        refused: row.refused,
    })
}

impl SystemDb {
    /// Asks for something. When this answers it is durable: a server that runs does it at once, one that starts later
    /// before it trades.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the id is taken, [`StoreError::Unavailable`].
    pub async fn request_kill(&self, wanted: &KillRequest) -> Result<(), StoreError> {
        self.audit("request_kill");
        let row = Model {
            id: wanted.id,
            only_tenant: wanted.tenant.map(|tenant| tenant.0),
            scope: codec::to_json("kill request", &wanted.scope)?,
            act: wanted.act.name().to_owned(),
            reason: wanted.reason.clone(),
            asked_at: wanted.asked_at.0,
            done_at: None,
            refused: None,
        };
        let tx = self.pools().system(Access::Write).await?;
        tx.insert::<Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Requests that are not done, oldest first. Asked many times a second, so it is not logged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn kills_to_do(&self) -> Result<Vec<KillRequest>, StoreError> {
        let tx = self.pools().system(Access::Read).await?;
        let rows = tx.find::<Entity>().filter(C::DoneAt.is_null()).order_by_asc(C::Id).limit(AT_ONCE);
        let rows = tx.all(rows).await?;
        tx.end().await;
        rows.into_iter().map(request).collect()
    }

    /// The newest request for the whole platform, done or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn platform_kill(&self) -> Result<Option<KillRequest>, StoreError> {
        let tx = self.pools().system(Access::Read).await?;
        let newest = tx.find::<Entity>().filter(C::OnlyTenant.is_null()).order_by_desc(C::Id).limit(1);
        let row = tx.one(newest).await?;
        tx.end().await;
        row.map(request).transpose()
    }

    /// A request.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn kill_request(&self, id: i64) -> Result<KillRequest, StoreError> {
        let tx = self.pools().system(Access::Read).await?;
        let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id))).await?;
        tx.end().await;
        request(row.ok_or(StoreError::NotFound("kill request"))?)
    }

    /// Notes that a request is done, or why it cannot be.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish_kill(&self, id: i64, at: Millis, refused: Option<String>) -> Result<(), StoreError> {
        self.audit("finish_kill");
        let tx = self.pools().system(Access::Write).await?;
        let update = tx.update::<Entity>().filter(C::Id.eq(id)).filter(C::DoneAt.is_null());
        let update = update.col_expr(C::DoneAt, Expr::val(at.0)).col_expr(C::Refused, Expr::val(refused));
        tx.run_update(update).await?;
        tx.commit().await
    }
}
