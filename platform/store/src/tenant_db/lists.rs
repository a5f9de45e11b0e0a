//! Accounts and what happened on them: one by id, or a page, newest first.

use super::TenantDb;
use crate::{
    codec,
    entity::{
        AccountEntity, TenantEntity, accounts, decisions, deployment_logs, deployments, equity_points, orders,
        positions,
    },
    error::StoreError,
    page::{PAGE_MAX, Page, Paged, Whose},
    record::{Account, LoggedLine},
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

/// The part of `rows` after `page.after` by `key`, newest first, and one more.
pub(super) fn cut<E: TenantEntity>(rows: Select<E>, key: E::Column, page: Page, max: u32) -> Select<E> {
    let rows = match page.after {
        Some(after) => rows.filter(key.lt(after)),
        None => rows,
    };
    rows.order_by_desc(key).limit(u64::try_from(page.bounded(max)).unwrap_or_default() + 1)
}

impl TenantDb {
    /// The one with this id among those of `whose`.
    async fn one<E: AccountEntity>(&self, whose: Whose, id: i64, what: &'static str) -> Result<E::Model, StoreError> {
        let found = self.first(|tx| tx.find_of::<E>(whose).filter(E::ID.eq(id))).await?;
        found.ok_or(StoreError::NotFound(what))
    }

    /// A page of `whose` rows that `choose` leaves.
    async fn page<E: AccountEntity, T>(
        &self,
        whose: Whose,
        wanted: Page,
        choose: impl FnOnce(Select<E>) -> Select<E> + Send,
        id: impl Fn(&E::Model) -> i64,
        decode: impl Fn(E::Model) -> Result<T, StoreError>,
    ) -> Result<Paged<T>, StoreError> {
        let rows = self.every(|tx| cut(choose(tx.find_of::<E>(whose)), E::ID, wanted, PAGE_MAX)).await?;
        Paged::cut(rows, wanted.bounded(PAGE_MAX), id, decode)
    }

    /// An account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has none with this id, [`StoreError::Unavailable`],
    /// [`StoreError::Corrupt`]; so for everything here.
    pub async fn account(&self, whose: Whose, id: AccountId) -> Result<Account, StoreError> {
        codec::account(self.one::<accounts::Entity>(whose, id.0, "account").await?)
    }

    /// A page of accounts.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn accounts(&self, whose: Whose, wanted: Page) -> Result<Paged<Account>, StoreError> {
        self.page::<accounts::Entity, _>(whose, wanted, |rows| rows, |row| row.id, codec::account).await
    }

    /// A deployment.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn deployment(&self, whose: Whose, id: DeploymentId) -> Result<Deployment, StoreError> {
        codec::deployment(self.one::<deployments::Entity>(whose, id.0, "deployment").await?)
    }

    /// A page of deployments.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn deployments(&self, whose: Whose, wanted: Page) -> Result<Paged<Deployment>, StoreError> {
        self.page::<deployments::Entity, _>(whose, wanted, |rows| rows, |row| row.id, codec::deployment).await
    }

    /// An order.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn order(&self, whose: Whose, id: OrderId) -> Result<Order, StoreError> {
        codec::order(self.one::<orders::Entity>(whose, id.0, "order").await?)
    }

    /// A page of orders.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn orders(&self, whose: Whose, wanted: Page) -> Result<Paged<Order>, StoreError> {
        self.page::<orders::Entity, _>(whose, wanted, |rows| rows, |row| row.id, codec::order).await
    }

    /// A position.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn position(&self, whose: Whose, id: PositionId) -> Result<Position, StoreError> {
        codec::position(self.one::<positions::Entity>(whose, id.0, "position").await?)
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
        let choose = |rows: Select<positions::Entity>| match open {
            None => rows,
            Some(true) => rows.filter(positions::Column::ClosedAt.is_null()),
            Some(false) => rows.filter(positions::Column::ClosedAt.is_not_null()),
        };
        self.page(whose, wanted, choose, |row| row.id, codec::position).await
    }

    /// A decision.
    ///
    /// # Errors
    /// See [`TenantDb::account`].
    pub async fn decision(&self, whose: Whose, id: DecisionId) -> Result<Decision, StoreError> {
        codec::decision(self.one::<decisions::Entity>(whose, id.0, "decision").await?)
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
        let choose = |rows: Select<decisions::Entity>| match denied {
            None => rows,
            Some(true) => rows.filter(decisions::Column::Denial.is_not_null()),
            Some(false) => rows.filter(decisions::Column::Denial.is_null()),
        };
        self.page(whose, wanted, choose, |row| row.id, codec::decision).await
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
        self.one::<accounts::Entity>(whose, account.0, "account").await?;
        let points = self
            .every(|tx| cut(tx.find::<Entity>().filter(C::AccountId.eq(account.0)), C::At, wanted, EQUITY_PAGE_MAX));
        let limit = wanted.bounded(EQUITY_PAGE_MAX);
        Paged::cut(points.await?, limit, |row| row.at, |row| Ok(codec::equity_point(&row)))
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
        self.one::<deployments::Entity>(whose, deployment.0, "deployment").await?;
        let lines = self
            .every(|tx| cut(tx.find::<Entity>().filter(C::DeploymentId.eq(deployment.0)), C::Seq, wanted, PAGE_MAX));
        let line = |row: Model| Ok(LoggedLine { seq: row.seq, at: Millis(row.at), text: row.text });
        Paged::cut(lines.await?, wanted.bounded(PAGE_MAX), |row| row.seq, line)
    }
}
