//! Changing keys while people go on working.
//!
//! A tenant's new data key seals nothing before every process knows it; then everything that is sealed is sealed anew, some
//! rows at a time. Killed at any moment, everything can still be opened, and the next run goes on where this one
//! stopped. An old key is removed once nothing is sealed under it and no process can still be using it.

use super::{
    cipher::{Key, SealError},
    vault::{MACS, Place, SPREAD_MS, TenantKeys, Vault, VaultError, version_of},
};
use marque_domain::time::{HOUR_MS, Millis};
use marque_store::{DataKey, RowKey, SealedColumn, SealedRow, TenantDb};
use std::{collections::BTreeSet, time::Duration};

/// How long an old key stays after its successor was made, for processes that sealed with it to the last.
const KEPT_MS: i64 = HOUR_MS;
/// Times that all rows are looked through until none is left under an old key.
const PASSES_MAX: usize = 10;
/// How often it is looked whether a new key has spread.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What came of a change of a tenant's data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals now.
    pub version: u32,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
    /// Values sealed anew.
    pub resealed: u64,
    /// Values that cannot be opened: they were changed or moved. They stay as they are, and so does their key.
    pub broken: Vec<(SealedColumn, RowKey)>,
    /// Old keys that were removed.
    pub removed: Vec<u32>,
    /// Old keys that stay for now.
    pub kept: Vec<u32>,
}

impl Vault {
    /// Gives a tenant a new data key and seals everything anew, or goes on with a change that was cut off. `seen` is told
    /// how many values were sealed anew so far.
    ///
    /// # Errors
    /// [`VaultError`]; everything can be opened as before, and the next run goes on.
    pub async fn rotate(&self, db: &TenantDb, mut seen: impl FnMut(u64)) -> Result<Rotated, VaultError> {
        // A tenant that has no keys yet gets its first.
        self.load(db).await?;
        let (version, resumed) = self.begin(db).await?;
        let keys = self.spread(db, version).await?;
        let (mut resealed, mut broken) = (0, Vec::new());
        for _ in 0..PASSES_MAX {
            let mut pass =
                Pass { db, keys: &keys, resealed, broken: Vec::new(), old: BTreeSet::new(), seen: &mut seen };
            pass.run().await?;
            let changed = pass.resealed - resealed;
            (resealed, broken) = (pass.resealed, pass.broken);
            if changed == 0 {
                break;
            }
        }
        db.complete_data_key(version, self.clock().now()).await?;
        let (removed, kept) = self.remove_old(db, &keys).await?;
        self.forget(db.tenant()).await;
        Ok(Rotated { version, resumed, resealed, broken, removed, kept })
    }

    /// The version that is being changed to: one that was begun, or a new one.
    async fn begin(&self, db: &TenantDb) -> Result<(u32, bool), VaultError> {
        let stored = db.data_keys().await?;
        let newest = stored.iter().max_by_key(|key| key.version).ok_or(VaultError::Incomplete)?;
        if newest.completed_at.is_none() {
            return Ok((newest.version, true));
        }
        let version = newest.version + 1;
        let wrapped = self.master().wrap(db.tenant(), version, &Key::random()?)?;
        let created_at = self.clock().now();
        db.add_data_key(&DataKey { version, wrapped, created_at, completed_at: None }).await?;
        Ok((version, false))
    }

    /// Waits until every process knows the new key.
    async fn spread(&self, db: &TenantDb, version: u32) -> Result<TenantKeys, VaultError> {
        loop {
            let keys = self.load(db).await?;
            if keys.current() >= version {
                return Ok(keys);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn remove_old(&self, db: &TenantDb, keys: &TenantKeys) -> Result<(Vec<u32>, Vec<u32>), VaultError> {
        let mut pass = Pass { db, keys, resealed: 0, broken: Vec::new(), old: BTreeSet::new(), seen: &mut |_| () };
        pass.run().await?;
        let (now, stored) = (self.clock().now(), db.data_keys().await?);
        let (mut removed, mut kept) = (Vec::new(), Vec::new());
        for version in stored.iter().map(|key| key.version).filter(|v| *v != MACS && *v < keys.current()) {
            if !pass.old.contains(&version) && is_past_use(&stored, version, now) {
                db.delete_data_key(version).await?;
                removed.push(version);
            } else {
                kept.push(version);
            }
        }
        Ok((removed, kept))
    }

    /// Wraps every tenant's keys under a new master key, and forgets the old one. Goes on with a change that was cut off.
    /// Answers how many keys were wrapped anew, and whether the old master key is gone from where it was: from the
    /// environment only the operator can take it.
    ///
    /// # Errors
    /// [`VaultError`]; both master keys stay, and the next run goes on.
    pub async fn rotate_master(&self, tenants: &[TenantDb]) -> Result<(u64, bool), VaultError> {
        let master = self.source().begin_change()?;
        self.set_master(master.clone());
        let mut rewrapped = 0;
        for db in tenants {
            // One that another process adds meanwhile may be under the old key, so it is looked at until none is.
            for _ in 0..PASSES_MAX {
                let old: Vec<_> =
                    db.data_keys().await?.into_iter().filter(|key| !master.is_current(&key.wrapped)).collect();
                if old.is_empty() {
                    break;
                }
                for key in old {
                    let plain = master.unwrap(db.tenant(), key.version, &key.wrapped)?;
                    let new = master.wrap(db.tenant(), key.version, &plain)?;
                    rewrapped += u64::from(db.rewrap_data_key(key.version, &key.wrapped, &new).await?);
                }
            }
        }
        let alone = self.source().end_change()?;
        Ok((rewrapped, alone))
    }
}

/// Whether no process can still seal with a version: its successor was made long ago.
fn is_past_use(stored: &[DataKey], version: u32, now: Millis) -> bool {
    let successor = stored.iter().filter(|key| key.version > version).min_by_key(|key| key.version);
    successor.is_some_and(|key| key.created_at.plus(SPREAD_MS).plus(KEPT_MS) <= now)
}

/// One look through everything that is sealed.
struct Pass<'a, F> {
    db: &'a TenantDb,
    keys: &'a TenantKeys,
    resealed: u64,
    broken: Vec<(SealedColumn, RowKey)>,
    /// Versions that something is still sealed under.
    old: BTreeSet<u32>,
    seen: &'a mut F,
}

impl<F: FnMut(u64)> Pass<'_, F> {
    async fn run(&mut self) -> Result<(), VaultError> {
        for column in SealedColumn::ALL {
            let mut after = None;
            loop {
                let rows = self.db.sealed(*column, after.as_ref()).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.key.clone());
                self.page(*column, rows).await?;
            }
        }
        Ok(())
    }

    async fn page(&mut self, column: SealedColumn, rows: Vec<SealedRow>) -> Result<(), VaultError> {
        let mut fresh = Vec::new();
        for row in rows {
            let version = version_of(&row.sealed);
            if version == Some(self.keys.current()) {
                continue;
            }
            let place = Place::new(column, row.key.clone());
            match self.keys.open(&place, &row.sealed) {
                Ok(plain) => {
                    let sealed = self.keys.seal(&place, plain.expose())?;
                    fresh.push((row, sealed));
                }
                Err(SealError::Broken | SealError::NoKey(_)) => {
                    self.old.extend(version);
                    self.broken.push((column, row.key));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !fresh.is_empty() {
            self.resealed += self.db.reseal(column, &fresh).await?;
            (self.seen)(self.resealed);
        }
        Ok(())
    }
}
