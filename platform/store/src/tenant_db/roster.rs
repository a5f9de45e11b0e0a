//! The people of a tenant as those see them who run it: lists, and what they are.

use super::TenantDb;
use crate::{
    codec,
    entity::{
        sessions,
        users::{Column, Entity},
    },
    error::StoreError,
    page::{PAGE_MAX, Page, Paged},
    record::{User, UserStatus},
};
use marque_domain::id::UserId;
use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};

/// Which people are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeopleFilter<'a> {
    /// A part of their address or name; empty for any.
    pub text: &'a str,
    /// What they are.
    pub role: Option<&'a str>,
    /// Whether they may sign in.
    pub status: Option<UserStatus>,
}

/// What somebody is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Of this role.
    Role(&'a str),
    /// Shut out, with every session ended; or let in again.
    Status(UserStatus),
}

impl TenantDb {
    /// A page of the tenant's people, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn people(&self, filter: PeopleFilter<'_>, page: Page) -> Result<Paged<User>, StoreError> {
        let limit = page.bounded(PAGE_MAX);
        let rows = self.every(|tx| {
            let mut rows = tx.find::<Entity>();
            if !filter.text.trim().is_empty() {
                let like = LikeExpr::new(pattern(filter.text)).escape('\\');
                let holds = |column| Expr::expr(Func::lower(Expr::col(column))).like(like.clone());
                rows = rows.filter(Condition::any().add(holds(Column::Email)).add(holds(Column::DisplayName)));
            }
            if let Some(role) = filter.role {
                rows = rows.filter(Column::Role.eq(role));
            }
            if let Some(status) = filter.status {
                rows = rows.filter(Column::Status.eq(status.name()));
            }
            if let Some(after) = page.after {
                rows = rows.filter(Column::Id.lt(after));
            }
            rows.order_by_desc(Column::Id).limit(u64::try_from(limit).unwrap_or_default() + 1)
        });
        Paged::cut(rows.await?, limit, |row| row.id, codec::user)
    }

    /// Changes what somebody is, unless it would leave the tenant without anybody of the role `kept` who may sign in:
    /// answers whether it was done. Who is shut out loses every session in the same step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn change_standing(&self, user: UserId, to: Standing<'_>, kept: &str) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        // Locked, so that two who shut each other out at once cannot both succeed.
        let keepers = tx
            .find::<Entity>()
            .filter(Column::Role.eq(kept))
            .filter(Column::Status.eq(UserStatus::Active.name()))
            .order_by_asc(Column::Id)
            .limit(u64::from(PAGE_MAX))
            .lock_exclusive();
        let keepers = tx.all(keepers).await?;
        let stays = match to {
            Standing::Role(role) => role == kept,
            Standing::Status(status) => status == UserStatus::Active,
        };
        if !stays && keepers.iter().all(|keeper| keeper.id == user.0) && !keepers.is_empty() {
            tx.end().await;
            return Ok(false);
        }
        let theirs = tx.update::<Entity>().filter(Column::Id.eq(user.0));
        let update = match to {
            Standing::Role(role) => theirs.col_expr(Column::Role, Expr::val(role)),
            Standing::Status(status) => theirs.col_expr(Column::Status, Expr::val(status.name())),
        };
        if tx.run_update(update).await? == 0 {
            tx.end().await;
            return Err(StoreError::NotFound("user"));
        }
        if to == Standing::Status(UserStatus::Suspended) {
            tx.run_delete(tx.delete::<sessions::Entity>().filter(sessions::Column::UserId.eq(user.0))).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Puts somebody on a plan, by its name in the tenant's file; none is the tenant's first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn set_plan(&self, user: UserId, plan: Option<&str>) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let theirs = tx.update::<Entity>().filter(Column::Id.eq(user.0));
        let done = tx.run_update(theirs.col_expr(Column::Plan, Expr::val(plan.map(str::to_owned)))).await?;
        super::licences::touch_licences_of(&tx, user).await?;
        tx.commit().await?;
        if done == 1 { Ok(()) } else { Err(StoreError::NotFound("user")) }
    }
}

/// Text anywhere in a value; its own signs of a pattern are taken as they stand.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.trim().to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
