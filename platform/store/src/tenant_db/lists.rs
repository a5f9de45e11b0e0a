//! Accounts and what happened on them: one by id, or a page, newest first.

use super::TenantDb;
use crate::{
    codec,
    entity::{AccountEntity, accounts, decisions, deployment_logs, deployments, equity_points, orders, positions},
    error::StoreError,
    page::{PAGE_MAX, Page, Paged, Whose},
    record::{Account, LoggedLine},
    scope::TenantTx,
};
use marque_domain::{
    account::{Deployment, EquityPoint},
    decision::Decision,
    id::{AccountId, DecisionId, DeploymentId, OrderId, PositionId},
    order::{Order, Position},
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select};

/// The largest page of an equity curve.
pub const EQUITY_PAGE_MAX: u32 = 1_000;

/// The one with this id among those of `whose`.
async fn one<E: AccountEntity>(
    tx: &TenantTx,
    whose: Whose,
    id: i64,
    what: &'static str,
) -> Result<E::Model, StoreError> {
    let found = tx.find_of::<E>(whose).filter(E::ID.eq(id));
    tx.one(found).await?.ok_or(StoreError::NotFound(what))
}

async fn page<E: AccountEntity, T>(
    tx: &TenantTx,
    rows: Select<E>,
    page: Page,
    id: impl Fn(&E::Model) -> i64,
    decode: impl Fn(E::Model) -> Result<T, StoreError>,
) -> Result<Paged<T>, StoreError> {
    let limit = page.bounded(PAGE_MAX);
    let rows = match page.after {
        Some(after) => rows.filter(E::ID.lt(after)),
        None => rows,
    };
    let rows = rows.order_by_desc(E::ID).limit(u64::try_from(limit).unwrap_or_default() + 1);
    Paged::cut(tx.all(rows).await?, limit, id, decode)
}

impl TenantDb {
    /// An account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has none with this id, [`StoreError::Unavailable`],
    /// [`StoreError::Corrupt`]; so for everything here.
    pub async fn account(&self, whose: Whose, id: AccountId) -> Result<Account, StoreError> {
        codec::account(one::<accounts::Entity>(&self.read().await?, whose, id.0, "account").await?)
    }

    /// A page of accounts.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn accounts(&self, whose: Whose, wanted: Page) -> Result<Paged<Account>, StoreError> {
        let tx = self.read().await?;
        page(&tx, tx.find_of::<accounts::Entity>(whose), wanted, |row| row.id, codec::account).await
    }

    /// A deployment.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn deployment(&self, whose: Whose, id: DeploymentId) -> Result<Deployment, StoreError> {
        codec::deployment(one::<deployments::Entity>(&self.read().await?, whose, id.0, "deployment").await?)
    }

    /// A page of deployments.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn deployments(&self, whose: Whose, wanted: Page) -> Result<Paged<Deployment>, StoreError> {
        let tx = self.read().await?;
        page(&tx, tx.find_of::<deployments::Entity>(whose), wanted, |row| row.id, codec::deployment).await
    }

    /// An order.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn order(&self, whose: Whose, id: OrderId) -> Result<Order, StoreError> {
        codec::order(one::<orders::Entity>(&self.read().await?, whose, id.0, "order").await?)
    }

    /// A page of orders.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn orders(&self, whose: Whose, wanted: Page) -> Result<Paged<Order>, StoreError> {
        let tx = self.read().await?;
        page(&tx, tx.find_of::<orders::Entity>(whose), wanted, |row| row.id, codec::order).await
    }

    /// A position.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn position(&self, whose: Whose, id: PositionId) -> Result<Position, StoreError> {
        codec::position(one::<positions::Entity>(&self.read().await?, whose, id.0, "position").await?)
    }

    /// A page of positions: all, or only those that are open, or only those that are closed.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn positions(
        &self,
        whose: Whose,
        open: Option<bool>,
        wanted: Page,
    ) -> Result<Paged<Position>, StoreError> {
        let tx = self.read().await?;
        let rows = tx.find_of::<positions::Entity>(whose);
        let rows = match open {
            None => rows,
            Some(true) => rows.filter(positions::Column::ClosedAt.is_null()),
            Some(false) => rows.filter(positions::Column::ClosedAt.is_not_null()),
        };
        page(&tx, rows, wanted, |row| row.id, codec::position).await
    }

    /// A decision.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn decision(&self, whose: Whose, id: DecisionId) -> Result<Decision, StoreError> {
        codec::decision(one::<decisions::Entity>(&self.read().await?, whose, id.0, "decision").await?)
    }

    /// A page of decisions: all, or only the denied, or only the approved.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn decisions(
        &self,
        whose: Whose,
        denied: Option<bool>,
        wanted: Page,
    ) -> Result<Paged<Decision>, StoreError> {
        let tx = self.read().await?;
        let rows = tx.find_of::<decisions::Entity>(whose);
        let rows = match denied {
            None => rows,
            Some(true) => rows.filter(decisions::Column::Denial.is_not_null()),
            Some(false) => rows.filter(decisions::Column::Denial.is_null()),
        };
        page(&tx, rows, wanted, |row| row.id, codec::decision).await
    }

    /// A page of an account's equity curve, newest first; `after` is the time of the page before's last point. Holds up
    /// to [`EQUITY_PAGE_MAX`] points.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn equity(
        &self,
        whose: Whose,
        account: AccountId,
        wanted: Page,
    ) -> Result<Paged<EquityPoint>, StoreError> {
        use equity_points::{Column as C, Entity};
        let tx = self.snapshot().await?;
        one::<accounts::Entity>(&tx, whose, account.0, "account").await?;
        let limit = wanted.bounded(EQUITY_PAGE_MAX);
        let mut rows = tx.find::<Entity>().filter(C::AccountId.eq(account.0));
        if let Some(after) = wanted.after {
            rows = rows.filter(C::At.lt(after));
        }
        let rows = rows.order_by_desc(C::At).limit(u64::try_from(limit).unwrap_or_default() + 1);
        Paged::cut(tx.all(rows).await?, limit, |row| row.at, |row| Ok(codec::equity_point(&row)))
    }

    /// A page of a deployment's log, newest first; `after` is the number of the page before's last line.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn logs(
        &self,
        whose: Whose,
        deployment: DeploymentId,
        wanted: Page,
    ) -> Result<Paged<LoggedLine>, StoreError> {
        use deployment_logs::{Column as C, Entity, Model};
        let tx = self.snapshot().await?;
        one::<deployments::Entity>(&tx, whose, deployment.0, "deployment").await?;
        let limit = wanted.bounded(PAGE_MAX);
        let mut rows = tx.find::<Entity>().filter(C::DeploymentId.eq(deployment.0));
        if let Some(after) = wanted.after {
            rows = rows.filter(C::Seq.lt(after));
        }
        let rows = rows.order_by_desc(C::Seq).limit(u64::try_from(limit).unwrap_or_default() + 1);
        let line = |row: Model| Ok(LoggedLine { seq: row.seq, at: Millis(row.at), text: row.text });
        Paged::cut(tx.all(rows).await?, limit, |row| row.seq, line)
    }
}
