//! New keys for seats that are held: `ea/protocol.md`, section Rotation.

use crate::{
    problem::Problem,
    secrets::{Place, SealedColumn, Vault, new_id, random_bytes},
};
use marque_domain::{id::LicenceId, time::Millis};
use marque_store::{LicenceFilter, LicenceImage, PAGE_MAX, Page, SeatSalt, StoreError, TenantDb, Whose};

/// Gives every seat that is held a new key beside the one it has, which retires at an instant. Of one licence, or of all.
/// Answers how many seats got one. Run again after it was cut off, seats get one more, and lose nothing.
///
/// # Errors
/// [`crate::problem::ProblemCode::NotFound`] when there is no such licence.
pub async fn rotate_seats(
    db: &TenantDb,
    vault: &Vault,
    only: Option<LicenceId>,
    retires_at: Millis,
    now: Millis,
) -> Result<u64, Problem> {
    if let Some(id) = only {
        return rotate_one(db, vault, id, retires_at, now).await;
    }
    let (mut rotated, mut page) = (0, Page::first(PAGE_MAX));
    loop {
        let found = db.licences(Whose::Everyone, LicenceFilter::default(), page).await?;
        for licence in &found.items {
            rotated += rotate_one(db, vault, licence.id, retires_at, now).await?;
        }
        match found.next {
            Some(next) => page.after = Some(next),
            None => return Ok(rotated),
        }
    }
}

async fn rotate_one(
    db: &TenantDb,
    vault: &Vault,
    id: LicenceId,
    retires_at: Millis,
    now: Millis,
) -> Result<u64, Problem> {
    // A seat that is taken up meanwhile has a newer key already: then its number is taken, and there is nothing to do.
    for _ in 0..super::TRIES {
        let image = db.licence_image(id).await?;
        let salts = next_salts(db, vault, &image, now).await?;
        if salts.is_empty() {
            return Ok(0);
        }
        match db.add_salts(id, &salts, retires_at).await {
            Err(StoreError::Conflict(_)) => {}
            other => {
                other?;
                return Ok(u64::try_from(salts.len()).unwrap_or(u64::MAX));
            }
        }
    }
    Err(super::crowded())
}

async fn next_salts(db: &TenantDb, vault: &Vault, image: &LicenceImage, now: Millis) -> Result<Vec<SeatSalt>, Problem> {
    let mut salts = Vec::new();
    for seat in image.seats.iter().filter(|seat| seat.released_at.is_none() && seat.lapsed_at.is_none()) {
        let newest = image.salts.iter().filter(|salt| salt.activation == seat.id).map(|salt| salt.generation).max();
        let generation = newest.unwrap_or(seat.generation).saturating_add(1);
        salts.push(new_salt(db, vault, seat, generation, now).await?);
    }
    Ok(salts)
}

/// The server's half of a new generation of a seat's key.
pub(super) async fn new_salt(
    db: &TenantDb,
    vault: &Vault,
    seat: &marque_store::Seat,
    generation: i64,
    now: Millis,
) -> Result<SeatSalt, Problem> {
    let id = new_id(now)?;
    let plain = zeroize::Zeroizing::new(random_bytes::<32>()?);
    let salt = vault.of(db).await?.seal(&Place::new(SealedColumn::LicenceSalts, id), plain.as_slice())?;
    let (licence, activation) = (seat.licence, seat.id);
    Ok(SeatSalt { id, licence, activation, generation, salt, created_at: now, retires_at: None })
}
