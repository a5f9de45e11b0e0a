//! Envelope encryption: a master key wraps each tenant's data keys, a data key seals values in their places.
//!
//! A sealed value opens only in the tenant, table, column and row it was sealed for: they are its associated data. What
//! may be sealed is the list [`SealedColumn`], because changing keys must find all of it.

use super::{
    NoRandomness, Secret,
    cipher::{self, Key, SealError, concat},
    master::{MasterKeyError, MasterKeys, MasterSource},
};
use crate::{audit::Chain, clock::Clock, config::Config, problem::Problem};
use marque_domain::{id::TenantId, time::Millis};
use marque_store::{DataKey, RowKey, SealedColumn, StoreError, TenantDb};
use moka::future::Cache;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use zeroize::Zeroizing;

/// The version whose key makes MACs. It stays when the sealing keys change.
pub(super) const MACS: u32 = 0;
/// How long a process goes on with the keys it knows.
pub(super) const KNOWN_FOR: Duration = Duration::from_secs(2);
/// A new key seals nothing before it is this old: by then every process knows it and can open what it sealed.
pub(super) const SPREAD_MS: i64 = 4_000;
/// Tenants whose keys are kept in memory.
const TENANTS_MAX: u64 = 10_000;
/// The first byte of a sealed value: how it is written.
const FORMAT: u8 = 1;

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key.
    #[error(transparent)]
    Master(#[from] MasterKeyError),
    /// The tenant's keys.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness for a key.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A tenant has some of its keys and lacks others.
    #[error("a tenant's data keys are incomplete. Restore the table data_keys from a back-up")]
    Incomplete,
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::internal(&error)
    }
}

/// The way to tenants' keys. Cloning shares it. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub struct Vault(Arc<Parts>);

struct Parts {
    source: MasterSource,
    master: RwLock<MasterKeys>,
    known: Cache<TenantId, TenantKeys>,
    clock: Clock,
}

impl Vault {
    /// Reads the master key that the settings name.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn open(config: &Config, clock: Clock) -> Result<Self, MasterKeyError> {
        let source = config.master_key_source();
        let master = source.read()?;
        Ok(Self::with(source, master, clock))
    }

    /// Keys under a master key that everybody knows.
    #[cfg(test)]
    pub fn for_tests(clock: Clock) -> Self {
        let source = MasterSource::Given(Secret::new("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE".to_owned()));
        let master = source.read().unwrap();
        Self::with(source, master, clock)
    }

    pub(super) fn with(source: MasterSource, master: MasterKeys, clock: Clock) -> Self {
        let known = Cache::builder().max_capacity(TENANTS_MAX).time_to_live(KNOWN_FOR).build();
        Self(Arc::new(Parts { source, master: RwLock::new(master), known, clock }))
    }

    /// A tenant's keys; makes its first ones. Ask anew for every piece of work: keys change.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn of(&self, db: &TenantDb) -> Result<TenantKeys, VaultError> {
        if let Some(keys) = self.0.known.get(&db.tenant()).await {
            return Ok(keys);
        }
        let keys = self.load(db).await?;
        self.0.known.insert(db.tenant(), keys.clone()).await;
        Ok(keys)
    }

    /// Past what is remembered.
    pub(super) async fn load(&self, db: &TenantDb) -> Result<TenantKeys, VaultError> {
        let mut stored = db.data_keys().await?;
        if stored.is_empty() {
            self.make_first(db).await?;
            stored = db.data_keys().await?;
        }
        let keys = self.unwrap(db.tenant(), &stored)?;
        TenantKeys::new(db.tenant(), keys, &stored, self.0.clock.now()).ok_or(VaultError::Incomplete)
    }

    async fn make_first(&self, db: &TenantDb) -> Result<(), VaultError> {
        let (tenant, now) = (db.tenant(), self.0.clock.now());
        let (macs, sealing) = (Key::random()?, Key::random()?);
        let mut rows = Vec::new();
        for (version, key) in [(MACS, &macs), (MACS + 1, &sealing)] {
            let wrapped = self.master().wrap(tenant, version, key)?;
            rows.push(DataKey { version, wrapped, created_at: now, completed_at: Some(now) });
        }
        let keys: BTreeMap<u32, Key> = [(MACS, macs), (MACS + 1, sealing)].into();
        let keys = TenantKeys::new(tenant, keys, &rows, now).ok_or(VaultError::Incomplete)?;
        Ok(db.begin_keys(&rows, &Chain::new(&keys)).await?)
    }

    fn unwrap(&self, tenant: TenantId, stored: &[DataKey]) -> Result<BTreeMap<u32, Key>, VaultError> {
        let with = |master: &MasterKeys| {
            let keys = stored.iter().map(|row| Ok((row.version, master.unwrap(tenant, row.version, &row.wrapped)?)));
            keys.collect::<Result<_, SealError>>()
        };
        match with(&self.master()) {
            // Another process may have changed the master key since this one read it.
            Err(SealError::WrongMaster) => {
                let fresh = self.0.source.read()?;
                let keys = with(&fresh)?;
                *self.0.master.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                Ok(keys)
            }
            keys => Ok(keys?),
        }
    }

    pub(super) fn source(&self) -> &MasterSource {
        &self.0.source
    }

    pub(super) fn set_master(&self, keys: MasterKeys) {
        *self.0.master.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) async fn forget(&self, tenant: TenantId) {
        self.0.known.invalidate(&tenant).await;
    }

    /// What compiled plugins are sealed with on this installation's disks. Another one after each change of the master key.
    ///
    /// # Errors
    /// [`SealError`] when there is no master key.
    pub fn compiled_key(&self) -> Result<Zeroizing<[u8; 32]>, SealError> {
        Ok(Zeroizing::new(*self.master().derive(b"marque compiled plugins 1")?.bytes()))
    }

    pub(super) fn master(&self) -> MasterKeys {
        self.0.master.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where a sealed value lies. It opens nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    column: SealedColumn,
    row: RowKey,
}

impl Place {
    /// The place of a sealed column in the row with this key.
    #[must_use]
    pub fn new(column: SealedColumn, row: impl Into<RowKey>) -> Self {
        Self { column, row: row.into() }
    }

    fn about(&self, tenant: TenantId, version: u32) -> Vec<u8> {
        let (kind, row) = match &self.row {
            RowKey::Id(id) => (b"id".as_slice(), id.to_be_bytes().to_vec()),
            RowKey::Digest(digest) => (b"digest".as_slice(), digest.clone()),
        };
        concat(&[
            b"marque sealed 1",
            &tenant.0.to_be_bytes(),
            self.column.table().as_bytes(),
            self.column.column().as_bytes(),
            kind,
            &row,
            &version.to_be_bytes(),
        ])
    }
}

/// What was sealed, open. It is wiped when dropped. No `Debug`, no `Serialize`.
pub struct Opened(Zeroizing<Vec<u8>>);

impl Opened {
    pub(super) const fn new(plain: Zeroizing<Vec<u8>>) -> Self {
        Self(plain)
    }

    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is one.
    ///
    /// # Errors
    /// [`SealError::Broken`] when it is not UTF-8.
    pub fn text(&self) -> Result<Secret, SealError> {
        let text = core::str::from_utf8(&self.0).map_err(|_| SealError::Broken)?;
        Ok(Secret::new(text.to_owned()))
    }
}

/// One tenant's keys. Cloning shares them. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub struct TenantKeys(Arc<Keys>);

struct Keys {
    tenant: TenantId,
    macs: Key,
    sealing: BTreeMap<u32, Key>,
    /// The version that seals.
    current: u32,
}

impl TenantKeys {
    fn new(tenant: TenantId, mut keys: BTreeMap<u32, Key>, stored: &[DataKey], now: Millis) -> Option<Self> {
        let macs = keys.remove(&MACS)?;
        let spread = |row: &&DataKey| row.version != MACS && row.created_at.plus(SPREAD_MS) <= now;
        let current = stored.iter().filter(spread).map(|row| row.version).max();
        let current = current.or_else(|| keys.keys().next().copied())?;
        keys.contains_key(&current).then(|| Self(Arc::new(Keys { tenant, macs, sealing: keys, current })))
    }

    /// Whose they are.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.0.tenant
    }

    /// The version that seals now.
    pub(super) fn current(&self) -> u32 {
        self.0.current
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`], [`SealError::TooLong`].
    pub fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let version = self.0.current;
        let key = self.0.sealing.get(&version).ok_or(SealError::NoKey(version))?;
        let sealed = cipher::encrypt(key, plain, &place.about(self.0.tenant, version))?;
        Ok([&[FORMAT], version.to_be_bytes().as_slice(), &sealed].concat())
    }

    /// Opens a value in its place.
    ///
    /// # Errors
    /// [`SealError::Broken`] when it was changed or sealed for another place, [`SealError::NoKey`].
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<Opened, SealError> {
        let version = version_of(sealed).ok_or(SealError::Broken)?;
        let key = self.0.sealing.get(&version).ok_or(SealError::NoKey(version))?;
        let (_, sealed) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::Broken)?;
        cipher::decrypt(key, sealed, &place.about(self.0.tenant, version)).map(Opened)
    }

    /// A MAC for a purpose. It is the same as long as the tenant lives: changing the sealing keys does not change it.
    #[must_use]
    pub fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        self.mac_key(purpose).mac(message)
    }

    fn mac_key(&self, purpose: &str) -> Key {
        Key::new(self.0.macs.mac(&concat(&[b"marque mac 1", purpose.as_bytes()])))
    }
}

/// Format and version, before the nonce.
const HEAD_BYTES: usize = 5;

/// The version of the key that sealed a value.
pub(super) fn version_of(sealed: &[u8]) -> Option<u32> {
    let (format, rest) = sealed.split_first()?;
    let (version, _) = rest.split_first_chunk::<4>()?;
    (*format == FORMAT).then(|| u32::from_be_bytes(*version))
}
