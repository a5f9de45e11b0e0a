//! Making licences, and their keys.

use super::super::mac::LicenceSecret;
use crate::{
    problem::Problem,
    secrets::{Place, SealedColumn, Vault, new_id, random_bytes},
};
use marque_domain::{
    id::{LicenceId, UserId},
    licence::{LicenceKey, State},
    time::Millis,
};
use marque_store::{LicenceKeyRow, LicencePolicy, LicenceRow, TenantDb};
use zeroize::Zeroizing;

/// A licence to be made.
#[derive(Debug, Clone)]
pub struct NewLicence {
    /// Whose.
    pub user: UserId,
    /// Under which policy.
    pub policy: LicencePolicy,
    /// When it ends; none: as the policy says.
    pub ends_at: Option<Millis>,
}

/// A licence that was made, with its key.
pub struct Issued {
    /// The licence.
    pub licence: LicenceRow,
    /// Its key, as people type it.
    pub key: String,
}

/// Makes a licence, without asking who wants it.
///
/// # Errors
/// [`crate::problem::ProblemCode::Internal`], [`crate::problem::ProblemCode::Unavailable`].
pub async fn issue(db: &TenantDb, vault: &Vault, new: NewLicence, now: Millis) -> Result<Issued, Problem> {
    let period = new.policy.terms.period_ms.map(|ms| now.plus(ms));
    let id = LicenceId(new_id(now)?);
    let licence = LicenceRow {
        id,
        product: new.policy.product,
        policy: new.policy.id,
        user: new.user,
        state: State::Active,
        reason: String::new(),
        ends_at: new.ends_at.or(period),
        created_at: now,
        first_used_at: None,
        first_activated_at: None,
        moved_at: None,
        revision: 0,
    };
    let (row, key) = new_key(db, vault, id, now).await?;
    db.add_licence(&licence, &row).await?;
    Ok(Issued { licence, key: key.shown() })
}

/// A new key for a licence: sealed, and as it is shown.
pub(super) async fn new_key(
    db: &TenantDb,
    vault: &Vault,
    licence: LicenceId,
    now: Millis,
) -> Result<(LicenceKeyRow, LicenceKey), Problem> {
    let random = Zeroizing::new(random_bytes::<15>()?);
    let key = LicenceKey::of_random(*random);
    let id = new_id(now)?;
    let place = Place::new(SealedColumn::LicenceKeys, id);
    let secret = vault.of(db).await?.seal(&place, key.canonical().as_bytes())?;
    let key_id = LicenceSecret::of(&key).key_id();
    Ok((LicenceKeyRow { id, licence, key_id, secret, created_at: now, replaced_at: None }, key))
}

/// The key of a licence that is good now, as people type it.
pub(super) async fn shown_key(db: &TenantDb, vault: &Vault, licence: LicenceId) -> Result<String, Problem> {
    let row = db.licence_key(licence).await?;
    let opened = vault.of(db).await?.open(&Place::new(SealedColumn::LicenceKeys, row.id), &row.secret)?;
    let key: LicenceKey = opened.text()?.expose().parse().map_err(|error| Problem::internal(&BrokenKey(error)))?;
    Ok(key.shown())
}

#[derive(Debug, thiserror::Error)]
#[error("a stored licence key cannot be read: {0}. Reissue it")]
struct BrokenKey(marque_domain::licence::KeyFault);
