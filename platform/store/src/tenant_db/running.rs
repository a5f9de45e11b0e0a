//! How deployments run: which releases followed each other, what a shadow differed in, what was used up.

use super::{TenantDb, lists::cut};
use crate::{
    codec::{self, count},
    entity::{
        backtest_usage, decisions, deployment_shadows, deployment_switches, deployment_usage, shadow_differences, users,
    },
    error::StoreError,
    page::{PAGE_MAX, Page, Paged, Whose},
    record::{DeploymentUsage, NumberedDifference, PlanUsage, ShadowReport},
    scope::TenantTx,
};
use marque_domain::{
    decision::Decision,
    id::{AccountId, DeploymentId, UserId},
    succession::Switch,
    time::{DAY_MS, Millis},
    usage::Usage,
};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Alias, Expr, Order, SimpleExpr},
};

/// Rows of one answer about what was used up: those who used most.
pub const USAGE_LIST_MAX: u64 = 500;
/// Changes of release in one answer.
const SWITCHES_MAX: u64 = 100;

/// Sums as a query answers them: calls, fuel, time, peak of memory.
type Sums = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);

fn usage((calls, fuel, time, memory): Sums) -> Usage {
    let read = |amount: Option<i64>| count(amount.unwrap_or_default());
    Usage { calls: read(calls), fuel: read(fuel), time_ns: read(time), memory_bytes_peak: read(memory) }
}

/// PostgreSQL adds big integers up to a wider type.
fn sum(column: deployment_usage::Column) -> SimpleExpr {
    column.sum().cast_as("BIGINT")
}

/// What `whose` deployments used from one hour up to another.
fn used(tx: &TenantTx, whose: Whose, from: Millis, until: Millis) -> Select<deployment_usage::Entity> {
    use deployment_usage::{Column as C, Entity};
    let rows = tx.find::<Entity>().filter(C::Hour.gte(from.0)).filter(C::Hour.lt(until.0));
    match whose {
        Whose::Everyone => rows,
        Whose::User(user) => rows.filter(C::UserId.eq(user.0)),
        Whose::Account(account) => rows.filter(C::AccountId.eq(account.0)),
        Whose::UsersAccount(user, account) => rows.filter(C::UserId.eq(user.0)).filter(C::AccountId.eq(account.0)),
    }
}

fn with_sums(rows: Select<deployment_usage::Entity>) -> Select<deployment_usage::Entity> {
    use deployment_usage::Column as C;
    rows.column_as(sum(C::Calls), "calls_used")
        .column_as(sum(C::Fuel), "fuel_used")
        .column_as(sum(C::TimeNs), "time_used")
        .column_as(C::MemoryBytesPeak.max(), "memory_used")
}

/// Sums by days of UTC, the newest first.
async fn days(tx: &TenantTx, rows: Select<deployment_usage::Entity>) -> Result<Vec<(Millis, Usage)>, StoreError> {
    // By its name: two values bound to one expression would be two expressions to PostgreSQL.
    let day = || Expr::col(Alias::new("day"));
    let rows = rows.select_only().column_as(Expr::col(deployment_usage::Column::Hour).div(DAY_MS), "day");
    let rows = with_sums(rows).group_by(day()).order_by(day(), Order::Desc).limit(USAGE_LIST_MAX);
    let rows = tx.tuples::<_, (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(rows).await?;
    let row = |(day, calls, fuel, time, memory): (i64, _, _, _, _)| {
        (Millis(day.saturating_mul(DAY_MS)), usage((calls, fuel, time, memory)))
    };
    Ok(rows.into_iter().map(row).collect())
}

impl TenantDb {
    /// Which releases followed each other on a deployment, the newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has no such deployment, [`StoreError::Unavailable`],
    /// [`StoreError::Corrupt`]; so for everything here.
    pub async fn switches(&self, whose: Whose, deployment: DeploymentId) -> Result<Vec<Switch>, StoreError> {
        use deployment_switches::{Column as C, Entity};
        self.deployment(whose, deployment).await?;
        let rows = self.every(|tx| {
            let mine = tx.find::<Entity>().filter(C::DeploymentId.eq(deployment.0));
            mine.order_by_desc(C::Seq).limit(SWITCHES_MAX)
        });
        rows.await?.into_iter().map(codec::switch).collect()
    }

    /// The last shadow of a deployment, whether it still runs or not.
    ///
    /// # Errors
    /// See [`TenantDb::switches`].
    pub async fn shadow(&self, whose: Whose, deployment: DeploymentId) -> Result<Option<ShadowReport>, StoreError> {
        use deployment_shadows::{Column as C, Entity};
        self.deployment(whose, deployment).await?;
        let found = self.first(|tx| tx.find::<Entity>().filter(C::DeploymentId.eq(deployment.0)));
        found.await?.map(codec::shadow).transpose()
    }

    /// A page of the decisions in which a deployment's last shadow differed, newest first; `after` is the number of the
    /// page before's last.
    ///
    /// # Errors
    /// See [`TenantDb::switches`].
    pub async fn differences(
        &self,
        whose: Whose,
        deployment: DeploymentId,
        wanted: Page,
    ) -> Result<Paged<NumberedDifference>, StoreError> {
        use shadow_differences::{Column as C, Entity};
        self.deployment(whose, deployment).await?;
        let rows = self
            .every(|tx| cut(tx.find::<Entity>().filter(C::DeploymentId.eq(deployment.0)), C::Seq, wanted, PAGE_MAX));
        Paged::cut(rows.await?, wanted.bounded(PAGE_MAX), |row| row.seq, codec::difference)
    }

    /// A page of what a deployment wanted and what was answered, newest first.
    ///
    /// # Errors
    /// See [`TenantDb::switches`].
    pub async fn decisions_of(
        &self,
        whose: Whose,
        deployment: DeploymentId,
        wanted: Page,
    ) -> Result<Paged<Decision>, StoreError> {
        use decisions::{Column as C, Entity};
        self.deployment(whose, deployment).await?;
        let rows =
            self.every(|tx| cut(tx.find::<Entity>().filter(C::DeploymentId.eq(deployment.0)), C::Id, wanted, PAGE_MAX));
        Paged::cut(rows.await?, wanted.bounded(PAGE_MAX), |row| row.id, codec::decision)
    }

    /// What `whose` deployments used from the hour of `from` up to that of `until`, those first that used most fuel; up to
    /// [`USAGE_LIST_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usage_by_deployment(
        &self,
        whose: Whose,
        from: Millis,
        until: Millis,
    ) -> Result<Vec<DeploymentUsage>, StoreError> {
        use deployment_usage::Column as C;
        let tx = self.read().await?;
        let rows =
            with_sums(used(&tx, whose, from, until).select_only().columns([C::DeploymentId, C::AccountId, C::UserId]));
        let rows = rows.group_by(C::DeploymentId).group_by(C::AccountId).group_by(C::UserId);
        let rows = rows.order_by(sum(C::Fuel), Order::Desc).order_by_asc(C::DeploymentId).limit(USAGE_LIST_MAX);
        let rows = tx.tuples::<_, (i64, i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(rows).await?;
        tx.end().await;
        let row = |(deployment, account, user, calls, fuel, time, memory)| DeploymentUsage {
            deployment: DeploymentId(deployment),
            account: AccountId(account),
            user: UserId(user),
            usage: usage((calls, fuel, time, memory)),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// What all deployments of `whose` used together in that time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usage_total(&self, whose: Whose, from: Millis, until: Millis) -> Result<Usage, StoreError> {
        let tx = self.read().await?;
        let rows = tx.tuples::<_, Sums>(with_sums(used(&tx, whose, from, until).select_only())).await?;
        tx.end().await;
        Ok(rows.into_iter().next().map(usage).unwrap_or_default())
    }

    /// The same by days of UTC, the newest first; days without use are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usage_by_day(
        &self,
        whose: Whose,
        from: Millis,
        until: Millis,
    ) -> Result<Vec<(Millis, Usage)>, StoreError> {
        let tx = self.read().await?;
        let found = days(&tx, used(&tx, whose, from, until)).await;
        tx.end().await;
        found
    }

    /// What one deployment used by days of UTC, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usage_of_deployment(
        &self,
        deployment: DeploymentId,
        from: Millis,
        until: Millis,
    ) -> Result<Vec<(Millis, Usage)>, StoreError> {
        let mine = deployment_usage::Column::DeploymentId.eq(deployment.0);
        let tx = self.read().await?;
        let found = days(&tx, used(&tx, Whose::Everyone, from, until).filter(mine)).await;
        tx.end().await;
        found
    }

    /// What people used, by the plan that they are on now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usage_by_plan(&self, from: Millis, until: Millis) -> Result<Vec<PlanUsage>, StoreError> {
        use deployment_usage::{Column as C, Entity};
        let owner = Entity::belongs_to(users::Entity)
            .from((C::TenantId, C::UserId))
            .to((users::Column::TenantId, users::Column::Id))
            .into();
        let tx = self.read().await?;
        let rows = used(&tx, Whose::Everyone, from, until).join(JoinType::InnerJoin, owner).select_only();
        let rows =
            rows.column(users::Column::Plan).column_as(Expr::col((Entity, C::UserId)).count_distinct(), "people");
        let rows = with_sums(rows).group_by(users::Column::Plan).order_by_asc(users::Column::Plan);
        let rows = tx
            .tuples::<_, (Option<String>, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>)>(
                rows.limit(USAGE_LIST_MAX),
            )
            .await?;
        tx.end().await;
        let row = |(plan, people, calls, fuel, time, memory)| PlanUsage {
            plan,
            people: count(people),
            usage: usage((calls, fuel, time, memory)),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The fuel of everybody who used at least `least` since the hour of `from`, the most first; up to
    /// [`USAGE_LIST_MAX`] people.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn heavy_users(&self, from: Millis, least: u64) -> Result<Vec<(UserId, u64)>, StoreError> {
        use deployment_usage::Column as C;
        let tx = self.read().await?;
        let rows = used(&tx, Whose::Everyone, from, Millis(i64::MAX)).select_only().column(C::UserId);
        let rows = rows.column_as(sum(C::Fuel), "fuel_used").group_by(C::UserId);
        let rows = rows.having(sum(C::Fuel).gte(codec::amount(least))).order_by(sum(C::Fuel), Order::Desc);
        let rows = tx.tuples::<_, (i64, Option<i64>)>(rows.limit(USAGE_LIST_MAX)).await?;
        tx.end().await;
        Ok(rows.into_iter().map(|(user, fuel)| (UserId(user), count(fuel.unwrap_or_default()))).collect())
    }

    /// Forgets what was used before an hour, by backtests too; answers how many rows that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_usage(&self, before: Millis) -> Result<u64, StoreError> {
        use deployment_usage::{Column as C, Entity};
        let tx = self.write().await?;
        let gone = tx.run_delete(tx.delete::<Entity>().filter(C::Hour.lt(before.0))).await?;
        let tested = tx.delete::<backtest_usage::Entity>().filter(backtest_usage::Column::Hour.lt(before.0));
        let gone = gone + tx.run_delete(tested).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
