//! Licences: who has which, what changes one, and all of one that an answer needs.

use super::{TenantDb, lists::cut, offered, seats};
use crate::{
    codec,
    entity::{
        ea_products, licence_activations, licence_keys, licence_policies, licence_salts, licence_settings, licences,
        users,
    },
    error::StoreError,
    page::{PAGE_MAX, Page, Paged, Whose},
    record::{LicenceChange, LicenceImage, LicenceKeyRow, LicenceRow, LicenceSettings, LicenceTransfer},
    scope::TenantTx,
};
use licences::{Column as C, Entity, Model};
use marque_domain::{
    id::{LicenceId, LicencePolicyId, ProductId, UserId},
    licence::State,
    time::Millis,
};
use sea_orm::{
    ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Select,
    sea_query::{Expr, OnConflict},
};

/// Changed licences that one look reads.
const CHANGED_MAX: u64 = 1_000;
/// Keys of one licence: the good one and those that were replaced.
const KEYS_MAX: u64 = 100;

/// Which licences are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LicenceFilter<'a> {
    /// The beginning of the owner's address or of a trading account's number; empty for any.
    pub text: &'a str,
    /// Of which product.
    pub product: Option<ProductId>,
    /// How they stand.
    pub state: Option<State>,
}

impl TenantDb {
    /// Makes a licence with its first key.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when product, policy or owner are not this tenant's; [`StoreError::Conflict`],
    /// [`StoreError::Unavailable`].
    pub async fn add_licence(&self, licence: &LicenceRow, key: &LicenceKeyRow) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        let row = Model {
            tenant_id: tx.tenant_id(),
            id: licence.id.0,
            product_id: licence.product.0,
            policy_id: licence.policy.0,
            user_id: licence.user.0,
            state: state_name(licence.state).to_owned(),
            reason: licence.reason.clone(),
            ends_at: licence.ends_at.map(|at| at.0),
            created_at: licence.created_at.0,
            first_used_at: licence.first_used_at.map(|at| at.0),
            first_activated_at: licence.first_activated_at.map(|at| at.0),
            moved_at: licence.moved_at.map(|at| at.0),
            revision,
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.insert::<licence_keys::Entity>(vec![key_row(&tx, key)], None).await?;
        tx.commit().await
    }

    /// A licence.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `whose` has none with this id, [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn licence(&self, whose: Whose, id: LicenceId) -> Result<LicenceRow, StoreError> {
        let found = self.first(|tx| of(tx.find::<Entity>(), whose).filter(C::Id.eq(id.0))).await?;
        decode(found.ok_or(StoreError::NotFound("licence"))?)
    }

    /// A page of licences, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn licences(
        &self,
        whose: Whose,
        filter: LicenceFilter<'_>,
        wanted: Page,
    ) -> Result<Paged<LicenceRow>, StoreError> {
        let rows = self.every(|tx| cut(chosen(tx, whose, filter), C::Id, wanted, PAGE_MAX)).await?;
        Paged::cut(rows, wanted.bounded(PAGE_MAX), |row| row.id, decode)
    }

    /// The licence that a key belongs to, good or replaced.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn licence_of_key(&self, key_id: [u8; 16]) -> Result<Option<LicenceId>, StoreError> {
        use licence_keys::{Column as K, Entity as Keys};
        let found = self.first(|tx| tx.find::<Keys>().filter(K::KeyId.eq(key_id.to_vec()))).await?;
        Ok(found.map(|row| LicenceId(row.licence_id)))
    }

    /// The key of a licence that is good now, sealed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn licence_key(&self, licence: LicenceId) -> Result<LicenceKeyRow, StoreError> {
        use licence_keys::{Column as K, Entity as Keys};
        let found = self.first(|tx| {
            tx.find::<Keys>().filter(K::LicenceId.eq(licence.0)).filter(K::ReplacedAt.is_null()).order_by_desc(K::Id)
        });
        decode_key(found.await?.ok_or(StoreError::NotFound("licence"))?)
    }

    /// All of a licence that an answer needs, at one instant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn licence_image(&self, id: LicenceId) -> Result<LicenceImage, StoreError> {
        let tx = self.snapshot().await?;
        let image = image(&tx, id).await;
        tx.end().await;
        image
    }

    /// Licences that were changed after a revision, with their own, in their order: the first thousand, or those that follow
    /// on the last of these. One change may be of many, as when their owner has another plan.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn changed_licences(
        &self,
        after: i64,
        last: Option<(LicenceId, i64)>,
    ) -> Result<Vec<(LicenceId, i64)>, StoreError> {
        let tx = self.read().await?;
        let following = match last {
            None => Condition::all().add(C::Revision.gt(after)),
            Some((id, revision)) => {
                let rest = Condition::any().add(C::Revision.gt(revision)).add(C::Id.gt(id.0));
                Condition::all().add(C::Revision.gte(revision)).add(rest)
            }
        };
        let rows = tx.find::<Entity>().filter(following).order_by_asc(C::Revision).order_by_asc(C::Id);
        let rows = rows.limit(CHANGED_MAX);
        let rows = tx.tuples::<_, (i64, i64)>(rows.select_only().columns([C::Id, C::Revision])).await?;
        tx.end().await;
        Ok(rows.into_iter().map(|(id, revision)| (LicenceId(id), revision)).collect())
    }

    /// Notes the first question that named a licence.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn use_licence(&self, id: LicenceId, at: Millis) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        let first = tx.update::<Entity>().filter(C::Id.eq(id.0)).filter(C::FirstUsedAt.is_null());
        let first = first.col_expr(C::FirstUsedAt, Expr::val(at.0)).col_expr(C::Revision, Expr::val(revision));
        tx.run_update(first).await?;
        tx.commit().await
    }

    /// Changes a licence. Answers what it is now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it was revoked; [`StoreError::BrokenReference`] when a new
    /// policy is not this tenant's; [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn change_licence(
        &self,
        id: LicenceId,
        change: &LicenceChange,
        at: Millis,
    ) -> Result<LicenceRow, StoreError> {
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        let mut licence = not_revoked(&tx, id).await?;
        licence.revision = revision;
        match change {
            LicenceChange::State(state, reason) => (licence.state, licence.reason) = (*state, reason.clone()),
            LicenceChange::Ends(ends_at) => licence.ends_at = *ends_at,
            LicenceChange::Policy(policy) => licence.policy = *policy,
            LicenceChange::Key(key) => replace_key(&tx, key, at).await?,
        }
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .col_expr(C::State, Expr::val(state_name(licence.state)))
            .col_expr(C::Reason, Expr::val(licence.reason.clone()))
            .col_expr(C::EndsAt, Expr::val(licence.ends_at.map(|at| at.0)))
            .col_expr(C::PolicyId, Expr::val(licence.policy.0))
            .col_expr(C::Revision, Expr::val(revision));
        tx.run_update(update).await?;
        tx.commit().await?;
        Ok(licence)
    }

    /// Gives a licence to another person, if it is as it was when it was read: under another key, without the seats of who
    /// had it, and as if it had never moved. Answers what it is now; none when it was changed meanwhile, then nothing was done.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it was revoked, or has had as many keys as it may;
    /// [`StoreError::BrokenReference`] when the person is not this tenant's; [`StoreError::Unavailable`],
    /// [`StoreError::Corrupt`].
    pub async fn transfer_licence(&self, transfer: &LicenceTransfer) -> Result<Option<LicenceRow>, StoreError> {
        let (id, tx) = (transfer.licence, self.write().await?);
        let revision = tx.advance_licensing(false).await?;
        let licence = not_revoked(&tx, id).await?;
        if licence.revision != transfer.revision {
            tx.end().await;
            return Ok(None);
        }
        replace_key(&tx, &transfer.key, transfer.at).await?;
        seats::forget_all(&tx, id).await?;
        seats::note(&tx, id, &transfer.events).await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .col_expr(C::UserId, Expr::val(transfer.to.0))
            .col_expr(C::MovedAt, Expr::val(None::<i64>))
            .col_expr(C::Revision, Expr::val(revision));
        tx.run_update(update).await?;
        tx.commit().await?;
        Ok(Some(LicenceRow { user: transfer.to, moved_at: None, revision, ..licence }))
    }

    /// Keeps the settings of a licence's EA, and counts their version on.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when there is no such licence; [`StoreError::Unavailable`].
    pub async fn set_licence_settings(
        &self,
        id: LicenceId,
        schema_version: i64,
        settings: &str,
        at: Millis,
    ) -> Result<i64, StoreError> {
        use licence_settings::{Column as S, Entity as Settings, Model as Row};
        let tx = self.write().await?;
        let revision = tx.advance_licensing(false).await?;
        let before = tx.one(tx.find::<Settings>().filter(S::LicenceId.eq(id.0))).await?;
        let version = before.map_or(0, |row| row.version).saturating_add(1);
        let row = Row {
            tenant_id: tx.tenant_id(),
            licence_id: id.0,
            version,
            schema_version,
            settings: settings.to_owned(),
            updated_at: at.0,
        };
        let replace = OnConflict::columns([S::TenantId, S::LicenceId])
            .update_columns([S::Version, S::SchemaVersion, S::Settings, S::UpdatedAt])
            .to_owned();
        tx.insert::<Settings>(vec![row], Some(replace)).await?;
        let touched = tx.update::<Entity>().filter(C::Id.eq(id.0)).col_expr(C::Revision, Expr::val(revision));
        tx.run_update(touched).await?;
        tx.commit().await?;
        Ok(version)
    }
}

/// Makes servers forget what they know of a person's licences: their plan is another.
pub(super) async fn touch_licences_of(tx: &TenantTx, user: UserId) -> Result<(), StoreError> {
    let theirs = tx.find::<Entity>().filter(C::UserId.eq(user.0)).limit(1);
    if tx.one(theirs).await?.is_some() {
        let revision = tx.advance_licensing(false).await?;
        let update = tx.update::<Entity>().filter(C::UserId.eq(user.0)).col_expr(C::Revision, Expr::val(revision));
        tx.run_update(update).await?;
    }
    Ok(())
}

/// A licence, unless it has ended for good.
async fn not_revoked(tx: &TenantTx, id: LicenceId) -> Result<LicenceRow, StoreError> {
    let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id.0))).await?.ok_or(StoreError::NotFound("licence"))?;
    let licence = decode(row)?;
    if licence.state == State::Revoked {
        return Err(StoreError::Conflict("the licence was revoked for good".to_owned()));
    }
    Ok(licence)
}

async fn replace_key(tx: &TenantTx, key: &LicenceKeyRow, at: Millis) -> Result<(), StoreError> {
    use licence_keys::{Column as K, Entity as Keys};
    let had = tx.all(tx.find::<Keys>().filter(K::LicenceId.eq(key.licence.0)).limit(KEYS_MAX)).await?;
    if u64::try_from(had.len()).is_ok_and(|had| had >= KEYS_MAX) {
        return Err(StoreError::Conflict(format!("a licence has had {KEYS_MAX} keys; make another licence")));
    }
    let old = tx.update::<Keys>().filter(K::LicenceId.eq(key.licence.0)).filter(K::ReplacedAt.is_null());
    tx.run_update(old.col_expr(K::ReplacedAt, Expr::val(at.0))).await?;
    tx.insert::<Keys>(vec![key_row(tx, key)], None).await?;
    Ok(())
}

async fn image(tx: &TenantTx, id: LicenceId) -> Result<LicenceImage, StoreError> {
    let (_, epoch) = tx.licensing().await?;
    let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id.0))).await?.ok_or(StoreError::NotFound("licence"))?;
    let missing = |what: &'static str| move || StoreError::corrupt("licence", format!("its {what} is not there"));
    let keys = tx.find::<licence_keys::Entity>().filter(licence_keys::Column::LicenceId.eq(id.0)).limit(KEYS_MAX);
    let keys = tx.all(keys).await?.into_iter().map(decode_key).collect::<Result<_, _>>()?;
    let policy = tx.find::<licence_policies::Entity>().filter(licence_policies::Column::Id.eq(row.policy_id));
    let policy = offered::policy(tx.one(policy).await?.ok_or_else(missing("policy"))?)?;
    let product = tx.find::<ea_products::Entity>().filter(ea_products::Column::Id.eq(row.product_id));
    let product = offered::product(tx.one(product).await?.ok_or_else(missing("product"))?)?;
    let versions = offered::versions(tx, product.id).await?;
    let seats = seats::of_licence(tx, id).await?;
    let salts = tx.find::<licence_salts::Entity>().filter(licence_salts::Column::LicenceId.eq(id.0));
    let salts = tx.all(salts).await?.into_iter().map(codec::salt).collect();
    let settings = tx.find::<licence_settings::Entity>().filter(licence_settings::Column::LicenceId.eq(id.0));
    let settings = tx.one(settings).await?.map(|row| LicenceSettings {
        version: row.version,
        schema_version: row.schema_version,
        settings: row.settings,
        updated_at: Millis(row.updated_at),
    });
    let owner = tx.one(tx.find::<users::Entity>().filter(users::Column::Id.eq(row.user_id))).await?;
    let plan = owner.ok_or_else(missing("owner"))?.plan;
    Ok(LicenceImage { epoch, licence: decode(row)?, keys, policy, product, versions, seats, salts, settings, plan })
}

/// Those of `whose`. A licence is a person's and no account's.
fn of(rows: Select<Entity>, whose: Whose) -> Select<Entity> {
    match whose {
        Whose::Everyone => rows,
        Whose::User(user) | Whose::UsersAccount(user, _) => rows.filter(C::UserId.eq(user.0)),
        Whose::Account(_) => rows.filter(C::UserId.is_null()),
    }
}

fn chosen(tx: &TenantTx, whose: Whose, filter: LicenceFilter<'_>) -> Select<Entity> {
    let mut rows = of(tx.find::<Entity>(), whose);
    if let Some(product) = filter.product {
        rows = rows.filter(C::ProductId.eq(product.0));
    }
    if let Some(state) = filter.state {
        rows = rows.filter(C::State.eq(state_name(state)));
    }
    let text = filter.text.trim();
    if !text.is_empty() {
        let people = tx.find::<users::Entity>().filter(users::Column::Email.starts_with(text.to_lowercase()));
        let seats = tx.find::<licence_activations::Entity>();
        let seats = seats.filter(licence_activations::Column::Account.starts_with(text));
        let people = people.select_only().column(users::Column::Id).into_query();
        let seats = seats.select_only().column(licence_activations::Column::LicenceId).into_query();
        rows = rows.filter(Condition::any().add(C::UserId.in_subquery(people)).add(C::Id.in_subquery(seats)));
    }
    rows
}

/// A stable lower-case name.
const fn state_name(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Suspended => "suspended",
        State::Revoked => "revoked",
    }
}

fn decode(row: Model) -> Result<LicenceRow, StoreError> {
    let states = [State::Active, State::Suspended, State::Revoked];
    let state = states.into_iter().find(|state| state_name(*state) == row.state);
    Ok(LicenceRow {
        id: LicenceId(row.id),
        product: ProductId(row.product_id),
        policy: LicencePolicyId(row.policy_id),
        user: UserId(row.user_id),
        state: state.ok_or_else(|| StoreError::corrupt("licence", format!("state {:?}", row.state)))?,
        reason: row.reason,
        ends_at: row.ends_at.map(Millis),
        created_at: Millis(row.created_at),
        first_used_at: row.first_used_at.map(Millis),
        first_activated_at: row.first_activated_at.map(Millis),
        moved_at: row.moved_at.map(Millis),
        revision: row.revision,
    })
}

fn decode_key(row: licence_keys::Model) -> Result<LicenceKeyRow, StoreError> {
    let key_id = <[u8; 16]>::try_from(row.key_id);
    Ok(LicenceKeyRow {
        id: row.id,
        licence: LicenceId(row.licence_id),
        key_id: key_id.map_err(|_| StoreError::corrupt("licence key", "its id is not 16 bytes"))?,
        secret: row.secret,
        created_at: Millis(row.created_at),
        replaced_at: row.replaced_at.map(Millis),
    })
}

fn key_row(tx: &TenantTx, key: &LicenceKeyRow) -> licence_keys::Model {
    licence_keys::Model {
        tenant_id: tx.tenant_id(),
        id: key.id,
        licence_id: key.licence.0,
        key_id: key.key_id.to_vec(),
        secret: key.secret.clone(),
        created_at: key.created_at.0,
        replaced_at: key.replaced_at.map(|at| at.0),
    }
}

/// The licence, if it is neither suspended nor revoked.
pub(super) fn active(tx: &TenantTx, id: LicenceId) -> Select<Entity> {
    tx.find::<Entity>().filter(C::Id.eq(id.0)).filter(C::State.eq(state_name(State::Active)))
}
