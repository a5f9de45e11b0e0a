//! Backtests, their reports, and signing keys.

use super::{TenantDb, lists::cut};
use crate::{
    codec,
    entity::{backtest_reports, backtest_usage, backtests, signing_keys},
    error::StoreError,
    page::{PAGE_MAX, Page, Paged, Whose},
    record::{Backtest, BacktestReport, BacktestStatus as Status, SigningKey},
    scope::TenantTx,
};
use backtests::{Column as C, Entity, Model};
use marque_domain::{
    id::{BacktestId, SigningKeyId, UserId},
    time::Millis,
};
use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Alias, Expr, ExprTrait as _, OnConflict},
};

/// Backtests of a tenant that wait or run, at most.
pub const BACKTESTS_UNFINISHED_MAX: u64 = 1_000;
/// How often a backtest is begun, at most: who ran it fell silent every time.
pub const BACKTEST_ATTEMPTS_MAX: i64 = 2;
/// What its owner reads then.
const GIVEN_UP: &str = "It was begun twice, and both times the server that ran it stopped before the end. It is not begun \
     again. Try less time, fewer combinations or other settings; if that fails too, tell us.";
/// Signing keys that are kept, at most.
const KEYS_MAX: u64 = 100;

impl TenantDb {
    /// Adds a backtest that waits for its turn, unless its owner has `most` that wait or run, or the tenant
    /// [`BACKTESTS_UNFINISHED_MAX`]. Answers whether there was room.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Unavailable`].
    pub async fn add_backtest(&self, backtest: &Backtest, most: u64) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let unfinished =
            || tx.find::<Entity>().filter(C::Status.is_in([Status::Queued.name(), Status::Running.name()]));
        let mine = unfinished().filter(C::UserId.eq(backtest.user.0));
        let full = tx.one(mine.offset(most.saturating_sub(1)).limit(1)).await?.is_some()
            || tx.one(unfinished().offset(BACKTESTS_UNFINISHED_MAX - 1).limit(1)).await?.is_some();
        if full || most == 0 {
            tx.end().await;
            return Ok(false);
        }
        let row = Model {
            tenant_id: tx.tenant_id(),
            id: backtest.id.0,
            user_id: backtest.user.0,
            kind: backtest.kind.clone(),
            spec: backtest.spec.clone(),
            status: backtest.status.name().to_owned(),
            done: 0,
            runs: 0,
            cancel_asked: 0,
            fault: None,
            summary: None,
            created_at: backtest.created_at.0,
            started_at: None,
            heard_at: None,
            finished_at: None,
            attempts: 0,
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A backtest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has none with this id, [`StoreError::Unavailable`],
    /// [`StoreError::Corrupt`].
    pub async fn backtest(&self, whose: Whose, id: BacktestId) -> Result<Backtest, StoreError> {
        let found = self.first(|tx| of(tx.find::<Entity>(), whose).filter(C::Id.eq(id.0))).await?;
        decode(found.ok_or(StoreError::NotFound("backtest"))?)
    }

    /// A page of backtests, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn backtests(&self, whose: Whose, wanted: Page) -> Result<Paged<Backtest>, StoreError> {
        let rows = self.every(|tx| cut(of(tx.find::<Entity>(), whose), C::Id, wanted, PAGE_MAX)).await?;
        Paged::cut(rows, wanted.bounded(PAGE_MAX), |row| row.id, decode)
    }

    /// What came of a backtest; none while nothing has.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has none with this id, [`StoreError::Unavailable`].
    pub async fn backtest_report(&self, whose: Whose, id: BacktestId) -> Result<Option<BacktestReport>, StoreError> {
        self.backtest(whose, id).await?;
        let found =
            self.first(|tx| tx.find::<backtest_reports::Entity>().filter(backtest_reports::Column::Id.eq(id.0)));
        let found = found.await?;
        Ok(found.map(|row| BacktestReport { report: row.report, certificate: row.certificate }))
    }

    /// Backtests that wait, and those whose runner was not heard of since `silent_since`: oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn waiting_backtests(&self, silent_since: Millis) -> Result<Vec<Backtest>, StoreError> {
        let rows = self.every(|tx| {
            tx.find::<Entity>().filter(is_free(silent_since)).order_by_asc(C::Id).limit(BACKTESTS_UNFINISHED_MAX)
        });
        rows.await?.into_iter().map(decode).collect()
    }

    /// Takes a backtest to run it. Of many who try at once, one does. Of one that was taken [`BACKTEST_ATTEMPTS_MAX`] times
    /// and not given back nobody does: it may be what ends whoever runs it, and has failed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn claim_backtest(&self, id: BacktestId, now: Millis, silent_since: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let given_up = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .filter(is_free(silent_since))
            .filter(C::Attempts.gte(BACKTEST_ATTEMPTS_MAX))
            .col_expr(C::Status, Expr::val(Status::Failed.name()))
            .col_expr(C::Fault, Expr::val(GIVEN_UP))
            .col_expr(C::FinishedAt, Expr::val(now.0));
        tx.run_update(given_up).await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .filter(is_free(silent_since))
            .col_expr(C::Status, Expr::val(Status::Running.name()))
            .col_expr(C::Attempts, Expr::col(C::Attempts).add(1_i64))
            .col_expr(C::StartedAt, Expr::val(now.0))
            .col_expr(C::HeardAt, Expr::val(now.0))
            .col_expr(C::Done, Expr::val(0_i64));
        let claimed = tx.run_update(update).await? == 1;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Notes how far a running backtest is. Answers whether somebody does not want it any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn note_backtest(&self, id: BacktestId, done: u64, runs: u64, now: Millis) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let whole = |number: u64| Expr::val(i64::try_from(number).unwrap_or(i64::MAX));
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .filter(C::Status.eq(Status::Running.name()))
            .col_expr(C::Done, whole(done))
            .col_expr(C::Runs, whole(runs))
            .col_expr(C::HeardAt, Expr::val(now.0));
        tx.run_update(update).await?;
        let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id.0))).await?;
        tx.commit().await?;
        Ok(row.is_none_or(|row| row.cancel_asked != 0))
    }

    /// Gives a running backtest back: it waits again, and was not begun in vain.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn give_backtest_back(&self, id: BacktestId) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .filter(C::Status.eq(Status::Running.name()))
            .col_expr(C::Attempts, Expr::col(C::Attempts).sub(1_i64))
            .col_expr(C::Status, Expr::val(Status::Queued.name()));
        tx.run_update(update).await?;
        tx.commit().await
    }

    /// Ends a backtest that runs, with its report if it has one. One that has ended is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish_backtest(&self, ended: &Backtest, report: Option<&BacktestReport>) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(ended.id.0))
            .filter(C::Status.eq(Status::Running.name()))
            .col_expr(C::Status, Expr::val(ended.status.name()))
            .col_expr(C::Done, Expr::val(i64::try_from(ended.done).unwrap_or(i64::MAX)))
            .col_expr(C::Runs, Expr::val(i64::try_from(ended.runs).unwrap_or(i64::MAX)))
            .col_expr(C::Fault, Expr::val(ended.fault.clone()))
            .col_expr(C::Summary, Expr::val(ended.summary.clone()))
            .col_expr(C::FinishedAt, Expr::val(ended.finished_at.map(|at| at.0)));
        if tx.run_update(update).await? == 1
            && let Some(BacktestReport { report, certificate }) = report
        {
            let row = backtest_reports::Model {
                tenant_id: tx.tenant_id(),
                id: ended.id.0,
                report: report.clone(),
                certificate: certificate.clone(),
            };
            tx.insert::<backtest_reports::Entity>(vec![row], None).await?;
        }
        tx.commit().await
    }

    /// Asks for a backtest's end: one that waits is cancelled at once, one that runs soon. One that has ended is left as it
    /// is. Answers the backtest as it is then, and whether this asked first: of many at once one did.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has none with this id, [`StoreError::Unavailable`].
    pub async fn cancel_backtest(
        &self,
        whose: Whose,
        id: BacktestId,
        now: Millis,
    ) -> Result<(Backtest, bool), StoreError> {
        self.backtest(whose, id).await?;
        let tx = self.write().await?;
        let asked = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .filter(C::Status.is_in([Status::Queued.name(), Status::Running.name()]))
            .filter(C::CancelAsked.eq(0_i64))
            .col_expr(C::CancelAsked, Expr::val(1_i64));
        let first = tx.run_update(asked).await? > 0;
        let waiting = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .filter(C::Status.eq(Status::Queued.name()))
            .col_expr(C::Status, Expr::val(Status::Cancelled.name()))
            .col_expr(C::FinishedAt, Expr::val(now.0));
        tx.run_update(waiting).await?;
        tx.commit().await?;
        Ok((self.backtest(whose, id).await?, first))
    }

    /// Adds to what a person's backtests used in an hour.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when this tenant has no such user; [`StoreError::Unavailable`].
    pub async fn meter_backtest(&self, user: UserId, hour: Millis, fuel: u64) -> Result<(), StoreError> {
        use backtest_usage::{Column as U, Entity, Model};
        let tx = self.write().await?;
        let row = Model { tenant_id: tx.tenant_id(), user_id: user.0, hour: hour.0, fuel: codec::amount(fuel) };
        let sum = Expr::col((Entity, U::Fuel)).add(Expr::col((Alias::new("excluded"), U::Fuel)));
        let add = OnConflict::columns([U::TenantId, U::UserId, U::Hour]).value(U::Fuel, sum).to_owned();
        tx.insert::<Entity>(vec![row], Some(add)).await?;
        tx.commit().await
    }

    /// What a person's backtests used since the hour of `from`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn fuel_of_backtests(&self, user: UserId, from: Millis) -> Result<u64, StoreError> {
        use backtest_usage::{Column as U, Entity};
        let tx = self.read().await?;
        let rows = tx.find::<Entity>().filter(U::UserId.eq(user.0)).filter(U::Hour.gte(from.0));
        // A sum has another type on each database; a cast makes them alike.
        let rows = rows.select_only().expr(U::Fuel.sum().cast_as("BIGINT"));
        let sum = tx.tuples::<_, (Option<i64>,)>(rows).await?.into_iter().find_map(|(sum,)| sum);
        tx.end().await;
        Ok(codec::count(sum.unwrap_or_default()))
    }

    /// Forgets a person's oldest finished backtests beyond the newest `kept`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_backtests(&self, user: UserId, kept: u64) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let ended = [Status::Done.name(), Status::Failed.name(), Status::Cancelled.name()];
        let old = tx.find::<Entity>().filter(C::UserId.eq(user.0)).filter(C::Status.is_in(ended));
        let old = old.order_by_desc(C::Id).offset(kept).limit(100).select_only().column(C::Id);
        let ids: Vec<i64> = tx.tuples::<_, (i64,)>(old).await?.into_iter().map(|(id,)| id).collect();
        let reports = tx.delete::<backtest_reports::Entity>();
        tx.run_delete(reports.filter(backtest_reports::Column::Id.is_in(ids.clone()))).await?;
        let gone = tx.run_delete(tx.delete::<Entity>().filter(C::Id.is_in(ids))).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// The tenant's signing keys, newest first; those that are retired too.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let newest =
            |tx: &TenantTx| tx.find::<signing_keys::Entity>().order_by_desc(signing_keys::Column::Id).limit(KEYS_MAX);
        Ok(self.every(newest).await?.into_iter().map(decode_key).collect())
    }

    /// Adds the tenant's first signing key. Of several at once one wins: read what is stored.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn add_first_signing_key(&self, key: &SigningKey) -> Result<(), StoreError> {
        let tx = self.write().await?;
        if tx.one(tx.find::<signing_keys::Entity>().limit(1)).await?.is_some() {
            tx.end().await;
            return Ok(());
        }
        let row = signing_keys::Model {
            tenant_id: tx.tenant_id(),
            id: key.id.0,
            public_key: key.public.clone(),
            secret: key.secret.clone(),
            created_at: key.created_at.0,
            retired_at: key.retired_at.map(|at| at.0),
        };
        tx.insert::<signing_keys::Entity>(vec![row], None).await?;
        tx.commit().await
    }
}

/// Those of `whose`. A backtest is a person's and no account's.
fn of(rows: Select<Entity>, whose: Whose) -> Select<Entity> {
    match whose {
        Whose::Everyone => rows,
        Whose::User(user) | Whose::UsersAccount(user, _) => rows.filter(C::UserId.eq(user.0)),
        Whose::Account(_) => rows.filter(C::UserId.is_null()),
    }
}

/// Whether it waits for who runs it: nobody has it, or who had it fell silent.
fn is_free(silent_since: Millis) -> Condition {
    let silent = Condition::all().add(C::Status.eq(Status::Running.name())).add(C::HeardAt.lt(silent_since.0));
    Condition::any().add(C::Status.eq(Status::Queued.name())).add(silent)
}

fn decode(row: Model) -> Result<Backtest, StoreError> {
    let status = Status::ALL.into_iter().find(|status| status.name() == row.status);
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(Backtest {
        id: BacktestId(row.id),
        user: UserId(row.user_id),
        kind: row.kind,
        spec: row.spec,
        status: status.ok_or_else(|| StoreError::corrupt("backtest", format!("status {:?}", row.status)))?,
        done: whole(row.done),
        runs: whole(row.runs),
        cancel_asked: row.cancel_asked != 0,
        fault: row.fault,
        summary: row.summary,
        created_at: Millis(row.created_at),
        started_at: row.started_at.map(Millis),
        finished_at: row.finished_at.map(Millis),
    })
}

fn decode_key(row: signing_keys::Model) -> SigningKey {
    SigningKey {
        id: SigningKeyId(row.id),
        public: row.public_key,
        secret: row.secret,
        created_at: Millis(row.created_at),
        retired_at: row.retired_at.map(Millis),
    }
}
