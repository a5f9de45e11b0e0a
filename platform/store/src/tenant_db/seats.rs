//! Seats: taken, held, given back; the server's half of their keys; and what happened to them.
//!
//! Whoever changes a seat moves the licence's revision on in the same transaction, and a seat is taken only at the revision
//! at which that was decided. So of many who want the last one, on however many servers, one has it.

use super::{TenantDb, licences::active, lists::cut};
use crate::{
    codec::{event, event_row, salt_row, seat, seat_row},
    entity::{licence_activations, licence_events, licence_salts, licences},
    error::StoreError,
    page::{PAGE_MAX, Page, Paged},
    record::{LicenceEvent, LicenceEventKind, Seat, SeatReport, SeatSalt, SeatTaken},
    scope::TenantTx,
    together::{self, Write},
};
use licence_activations::{Column as C, Entity};
use marque_domain::{
    id::{ActivationId, LicenceId},
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, sea_query::Expr};

/// Seats of one licence that are kept, those that were given back too.
pub const SEATS_KEPT_MAX: u64 = 500;
/// The largest page of what happened.
pub const EVENTS_PAGE_MAX: u32 = PAGE_MAX;
/// Events of one licence that are kept: so many of its seats, and so many of new addresses, of which an EA can make as many as
/// it likes.
const EVENTS_KEPT_MAX: u64 = 2_000;

impl TenantDb {
    /// Takes a seat, if the licence is as it was when that was decided. Answers whether it was; if not, nothing was done
    /// and it must be decided anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such licence, [`StoreError::Unavailable`].
    pub async fn take_seat(&self, taken: &SeatTaken) -> Result<bool, StoreError> {
        let tx = self.write().await?;
        let (licence, at) = (taken.seat.licence, taken.seat.taken_at);
        let revision = tx.advance_licensing(false).await?;
        if !write_taken(&tx, taken).await? || !move_on(&tx, taken, revision).await? {
            tx.end().await;
            return Ok(false);
        }
        retire_older(&tx, taken, at).await?;
        tx.insert::<licence_salts::Entity>(vec![salt_row(tx.tenant_id(), &taken.salt)], None).await?;
        note(&tx, licence, &taken.events).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a report, together with those of other seats that wait. One whose number was seen, or whose totals are below the
    /// last, changes nothing; nor does one that would hold a seat which is given back, lapsed or of a revoked licence.
    /// Answers whether it was taken, once that lasts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; after [`StoreError::Uncertain`] it may have lasted.
    pub async fn report_usage(&self, report: &SeatReport) -> Result<bool, StoreError> {
        together::write(&self.pools, |pools| &pools.reports, self.tenant, report.clone()).await
    }

    /// Gives a seat back. Answers it, and whether it was held.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the licence has no such seat, [`StoreError::Unavailable`].
    pub async fn release_seat(
        &self,
        licence: LicenceId,
        id: ActivationId,
        at: Millis,
        event: &LicenceEvent,
    ) -> Result<(Seat, bool), StoreError> {
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        let row = tx.find::<Entity>().filter(C::Id.eq(id.0)).filter(C::LicenceId.eq(licence.0));
        let mut seat = seat(tx.one(row).await?.ok_or(StoreError::NotFound("activation"))?);
        let held = seat.released_at.is_none();
        if held {
            let update = tx.update::<Entity>().filter(C::Id.eq(id.0)).col_expr(C::ReleasedAt, Expr::val(at.0));
            tx.run_update(update).await?;
            touch(&tx, licence, revision).await?;
            note(&tx, licence, std::slice::from_ref(event)).await?;
            seat.released_at = Some(at);
        }
        tx.commit().await?;
        Ok((seat, held))
    }

    /// Gives seats new keys beside their old ones, which retire at an instant.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a seat has got another key meanwhile, [`StoreError::Unavailable`].
    pub async fn add_salts(
        &self,
        licence: LicenceId,
        salts: &[SeatSalt],
        retires_at: Millis,
    ) -> Result<(), StoreError> {
        use licence_salts::{Column as S, Entity as Salts};
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        for salt in salts {
            let old = tx.update::<Salts>().filter(S::ActivationId.eq(salt.activation.0)).filter(S::RetiresAt.is_null());
            tx.run_update(old.col_expr(S::RetiresAt, Expr::val(retires_at.0))).await?;
        }
        tx.insert::<Salts>(salts.iter().map(|salt| salt_row(tx.tenant_id(), salt)).collect(), None).await?;
        touch(&tx, licence, revision).await?;
        tx.commit().await
    }

    /// Notes that a seat's EA signs with a newer key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn arrive_at(&self, licence: LicenceId, id: ActivationId, generation: i64) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        let update = tx.update::<Entity>().filter(C::Id.eq(id.0)).filter(C::Generation.lt(generation));
        tx.run_update(update.col_expr(C::Generation, Expr::val(generation))).await?;
        touch(&tx, licence, revision).await?;
        tx.commit().await
    }

    /// Retires, at once, every key of the tenant's seats that a newer one was made for. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn retire_salts(&self, at: Millis) -> Result<u64, StoreError> {
        use licence_salts::{Column as S, Entity as Salts};
        let tx = self.write().await?;
        tx.advance_licensing(true).await?;
        let update = tx.update::<Salts>().filter(S::RetiresAt.gt(at.0)).col_expr(S::RetiresAt, Expr::val(at.0));
        let retired = tx.run_update(update).await?;
        tx.commit().await?;
        Ok(retired)
    }

    /// Whether a seat of the licence was taken by a request with this nonce, as far back as events are kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn has_taken(&self, licence: LicenceId, nonce: &str) -> Result<bool, StoreError> {
        use licence_events::{Column as E, Entity as Events};
        let found = self
            .first(|tx| tx.find::<Events>().filter(E::LicenceId.eq(licence.0)).filter(E::Nonce.eq(nonce)).limit(1))
            .await?;
        Ok(found.is_some())
    }

    /// A page of what happened to a licence's seats, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn licence_events(&self, licence: LicenceId, wanted: Page) -> Result<Paged<LicenceEvent>, StoreError> {
        use licence_events::{Column as E, Entity as Events};
        let rows = self
            .every(|tx| cut(tx.find::<Events>().filter(E::LicenceId.eq(licence.0)), E::Id, wanted, EVENTS_PAGE_MAX))
            .await?;
        Paged::cut(rows, wanted.bounded(EVENTS_PAGE_MAX), |row| row.id, event)
    }

    /// What happened to a licence's seats since an instant, of these kinds: newest first, at most so many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn licence_events_since(
        &self,
        licence: LicenceId,
        kinds: &[LicenceEventKind],
        since: Millis,
        most: u64,
    ) -> Result<Vec<LicenceEvent>, StoreError> {
        use licence_events::{Column as E, Entity as Events};
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let rows = self.every(|tx| {
            let rows = tx.find::<Events>().filter(E::LicenceId.eq(licence.0)).filter(E::Kind.is_in(names));
            rows.filter(E::At.gte(since.0)).order_by_desc(E::Id).limit(most)
        });
        rows.await?.into_iter().map(event).collect()
    }

    /// A licence's seats, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn seats(&self, licence: LicenceId) -> Result<Vec<Seat>, StoreError> {
        let tx = self.read().await?;
        let found = of_licence(&tx, licence).await;
        tx.end().await;
        found
    }
}

/// A licence's seats, oldest first.
pub(super) async fn of_licence(tx: &TenantTx, licence: LicenceId) -> Result<Vec<Seat>, StoreError> {
    let rows = tx.find::<Entity>().filter(C::LicenceId.eq(licence.0)).order_by_asc(C::Id).limit(SEATS_KEPT_MAX);
    Ok(tx.all(rows).await?.into_iter().map(seat).collect())
}

/// Forgets every seat of a licence with its keys.
pub(super) async fn forget_all(tx: &TenantTx, licence: LicenceId) -> Result<(), StoreError> {
    let salts = tx.delete::<licence_salts::Entity>();
    tx.run_delete(salts.filter(licence_salts::Column::LicenceId.eq(licence.0))).await?;
    tx.run_delete(tx.delete::<Entity>().filter(C::LicenceId.eq(licence.0))).await?;
    Ok(())
}

impl Write for SeatReport {
    type Done = bool;

    fn place(&self) -> (i64, i64) {
        (self.seat.0, self.usage.sequence)
    }

    async fn write(&self, tx: &TenantTx) -> Result<bool, StoreError> {
        write_report(tx, self).await
    }
}

/// Takes a report, if it is new and nothing stands against it. Answers whether it was taken.
async fn write_report(tx: &TenantTx, report: &SeatReport) -> Result<bool, StoreError> {
    let usage = report.usage;
    let mut update = tx
        .update::<Entity>()
        .filter(C::Id.eq(report.seat.0))
        .filter(C::LicenceId.eq(report.licence.0))
        .filter(C::Sequence.lt(usage.sequence))
        .filter(C::Orders.lte(usage.orders))
        .filter(C::Lots.lte(usage.lots.units()))
        .filter(C::RuntimeS.lte(usage.runtime_s))
        .col_expr(C::Sequence, Expr::val(usage.sequence))
        .col_expr(C::Orders, Expr::val(usage.orders))
        .col_expr(C::Lots, Expr::val(usage.lots.units()))
        .col_expr(C::RuntimeS, Expr::val(usage.runtime_s))
        .col_expr(C::Address, Expr::val(report.address.clone()))
        .col_expr(C::Version, Expr::val(report.version.clone()));
    if let Some(at) = report.alive_at {
        // In the same statement: what a person decides meanwhile waits for it or is seen by it.
        let active = active(tx, report.licence).select_only().column(licences::Column::Id).into_query();
        update = update
            .filter(C::LicenceId.in_subquery(active))
            .filter(C::ReleasedAt.is_null())
            .filter(C::LapsedAt.is_null())
            .col_expr(C::SeenAt, Expr::val(at.0));
    }
    let taken = tx.run_update(update).await? == 1;
    if taken && let Some(event) = &report.event {
        note(tx, report.licence, std::slice::from_ref(event)).await?;
    }
    Ok(taken)
}

async fn touch(tx: &TenantTx, licence: LicenceId, revision: i64) -> Result<(), StoreError> {
    use licences::{Column as L, Entity as Licences};
    let update = tx.update::<Licences>().filter(L::Id.eq(licence.0)).col_expr(L::Revision, Expr::val(revision));
    tx.run_update(update).await?;
    Ok(())
}

/// Moves the licence on from the revision at which the seat was decided. Answers whether it still was there.
async fn move_on(tx: &TenantTx, taken: &SeatTaken, revision: i64) -> Result<bool, StoreError> {
    use licences::{Column as L, Entity as Licences};
    let (licence, at) = (taken.seat.licence.0, taken.seat.taken_at.0);
    let mut update = tx.update::<Licences>().filter(L::Id.eq(licence)).filter(L::Revision.eq(taken.revision));
    update = update.col_expr(L::Revision, Expr::val(revision));
    if taken.moved {
        update = update.col_expr(L::MovedAt, Expr::val(at));
    }
    if tx.run_update(update).await? != 1 {
        return Ok(false);
    }
    for first in [L::FirstUsedAt, L::FirstActivatedAt] {
        let update = tx.update::<Licences>().filter(L::Id.eq(licence)).filter(first.is_null());
        tx.run_update(update.col_expr(first, Expr::val(at))).await?;
    }
    Ok(true)
}

/// Writes the seat, and takes those away that lapsed, are replaced or are forgotten. Answers whether all were as they were
/// read.
async fn write_taken(tx: &TenantTx, taken: &SeatTaken) -> Result<bool, StoreError> {
    for lost in &taken.lapsed {
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(lost.id.0))
            // A heartbeat that came in between has held it.
            .filter(C::SeenAt.eq(lost.seen_at.0))
            .filter(C::ReleasedAt.is_null())
            .filter(C::LapsedAt.is_null())
            .col_expr(C::LapsedAt, Expr::val(taken.seat.taken_at.0));
        if tx.run_update(update).await? != 1 {
            return Ok(false);
        }
    }
    if let Some(replaced) = taken.replaced {
        let held = tx.update::<Entity>().filter(C::Id.eq(replaced.0)).filter(C::LicenceId.eq(taken.seat.licence.0));
        let held = held.filter(C::ReleasedAt.is_null());
        if tx.run_update(held.col_expr(C::ReleasedAt, Expr::val(taken.seat.taken_at.0))).await? != 1 {
            return Ok(false);
        }
    }
    let forgotten: Vec<i64> = taken.forgotten.iter().map(|id| id.0).collect();
    if !forgotten.is_empty() {
        let salts = tx.delete::<licence_salts::Entity>();
        tx.run_delete(salts.filter(licence_salts::Column::ActivationId.is_in(forgotten.clone()))).await?;
        tx.run_delete(tx.delete::<Entity>().filter(C::Id.is_in(forgotten))).await?;
    }
    let seat = &taken.seat;
    if taken.new {
        return Ok(tx.insert::<Entity>(vec![seat_row(tx.tenant_id(), seat)], None).await? == 1);
    }
    let update = tx
        .update::<Entity>()
        .filter(C::Id.eq(seat.id.0))
        .filter(C::LicenceId.eq(seat.licence.0))
        .col_expr(C::Account, Expr::val(seat.account.clone()))
        .col_expr(C::Server, Expr::val(seat.server.clone()))
        .col_expr(C::Machine, Expr::val(seat.machine.clone()))
        .col_expr(C::Kind, Expr::val(seat.kind.clone()))
        .col_expr(C::Platform, Expr::val(seat.platform.clone()))
        .col_expr(C::Version, Expr::val(seat.version.clone()))
        .col_expr(C::Address, Expr::val(seat.address.clone()))
        .col_expr(C::Nonce, Expr::val(seat.nonce.clone()))
        .col_expr(C::Generation, Expr::val(seat.generation))
        .col_expr(C::TakenAt, Expr::val(seat.taken_at.0))
        .col_expr(C::SeenAt, Expr::val(seat.seen_at.0))
        .col_expr(C::ReleasedAt, Expr::val(None::<i64>))
        .col_expr(C::LapsedAt, Expr::val(None::<i64>));
    Ok(tx.run_update(update).await? == 1)
}

/// Older keys of a seat that is taken sign nothing any more.
async fn retire_older(tx: &TenantTx, taken: &SeatTaken, at: Millis) -> Result<(), StoreError> {
    use licence_salts::{Column as S, Entity as Salts};
    if taken.new {
        return Ok(());
    }
    // Of a seat that is taken up again and again only the last keys are kept: to tell retired from unknown.
    let kept = taken.salt.generation.saturating_sub(10);
    let ancient = tx.delete::<Salts>().filter(S::ActivationId.eq(taken.seat.id.0)).filter(S::Generation.lt(kept));
    tx.run_delete(ancient).await?;
    let older = tx
        .update::<Salts>()
        .filter(S::ActivationId.eq(taken.seat.id.0))
        .filter(S::Generation.lt(taken.salt.generation));
    tx.run_update(older.col_expr(S::RetiresAt, Expr::val(at.0))).await?;
    Ok(())
}

/// Notes what happened, and forgets what is too long ago.
pub(super) async fn note(tx: &TenantTx, licence: LicenceId, events: &[LicenceEvent]) -> Result<(), StoreError> {
    use licence_events::{Column as E, Entity as Events};
    if events.is_empty() {
        return Ok(());
    }
    tx.insert::<Events>(events.iter().map(|event| event_row(tx.tenant_id(), event)).collect(), None).await?;
    let moved = |event: &LicenceEvent| event.kind == LicenceEventKind::Moved;
    for of_moves in [true, false] {
        if !events.iter().any(|event| moved(event) == of_moves) {
            continue;
        }
        let name = LicenceEventKind::Moved.name();
        let of_these = || if of_moves { E::Kind.eq(name) } else { E::Kind.ne(name) };
        let oldest = tx.find::<Events>().filter(E::LicenceId.eq(licence.0)).filter(of_these()).order_by_desc(E::Id);
        let oldest = oldest.offset(EVENTS_KEPT_MAX).limit(1).select_only().column(E::Id);
        if let Some((id,)) = tx.tuples::<_, (i64,)>(oldest).await?.first() {
            let gone = tx.delete::<Events>().filter(E::LicenceId.eq(licence.0)).filter(of_these());
            tx.run_delete(gone.filter(E::Id.lte(*id))).await?;
        }
    }
    Ok(())
}
