//! The tenant's own keys (Ed25519), with which answers are signed for servers and tools, and those of `NOT_FOUND`.

use super::mac::hex;
use crate::{
    clock::Clock,
    problem::Problem,
    secrets::{NoRandomness, Place, SealError, SealedColumn, Vault, VaultError, new_id, random_bytes},
};
use ed25519_dalek::{Signer as _, SigningKey};
use marque_domain::{id::TenantId, licence::Kid, time::Millis};
use marque_store::{EaKey, StoreError, TenantDb};
use moka::future::Cache;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// Tenants whose keys are kept in memory, and for how long: a retired key signs nothing after that.
const TENANTS_MAX: u64 = 10_000;
const KNOWN_FOR: Duration = Duration::from_millis(500);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum EaKeyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tenant's keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// No randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// What is stored is no key.
    #[error("a key that signs answers to EAs cannot be used. Restore the table ea_keys from a back-up")]
    Broken,
}

impl From<SealError> for EaKeyError {
    fn from(error: SealError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<EaKeyError> for Problem {
    fn from(error: EaKeyError) -> Self {
        match error {
            EaKeyError::Store(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

/// A tenant's keys: the newest signs. No `Debug`, no `Serialize`.
pub(super) struct TenantSigner {
    kid: Kid,
    key: SigningKey,
    /// Names and public keys of all that are good.
    good: Vec<(String, String)>,
}

impl TenantSigner {
    /// What the key is called.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The header with the signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> String {
        format!("kid={}, ed25519={}", self.kid, hex(&self.key.sign(bytes).to_bytes()))
    }

    /// The public keys, as `keys` answers them.
    pub fn published(&self) -> Vec<u8> {
        let mut object = Map::new();
        object.insert("protocol".to_owned(), 1.into());
        object.insert("current".to_owned(), self.kid.to_string().into());
        object.extend(self.good.iter().map(|(name, key)| (format!("t.{name}"), Value::String(key.clone()))));
        serde_json::to_vec(&Value::Object(object)).unwrap_or_default()
    }
}

/// The keys of tenants.
pub(super) struct Signers {
    vault: Vault,
    clock: Clock,
    known: Cache<TenantId, Arc<TenantSigner>>,
}

impl Signers {
    pub fn new(vault: Vault, clock: Clock) -> Self {
        Self { vault, clock, known: Cache::builder().max_capacity(TENANTS_MAX).time_to_live(KNOWN_FOR).build() }
    }

    /// A tenant's; makes its first one.
    pub async fn of(&self, db: &TenantDb) -> Result<Arc<TenantSigner>, EaKeyError> {
        if let Some(known) = self.known.get(&db.tenant()).await {
            return Ok(known);
        }
        let mut stored = db.ea_keys().await?;
        if stored.iter().all(|key| key.retired_at.is_some()) {
            make(db, &self.vault, self.clock.now(), true).await?;
            stored = db.ea_keys().await?;
        }
        let signer = Arc::new(opened(db, &self.vault, &stored).await?);
        self.known.insert(db.tenant(), Arc::clone(&signer)).await;
        Ok(signer)
    }
}

async fn opened(db: &TenantDb, vault: &Vault, stored: &[EaKey]) -> Result<TenantSigner, EaKeyError> {
    let good: Vec<&EaKey> = stored.iter().filter(|key| key.retired_at.is_none()).collect();
    let newest = good.first().ok_or(EaKeyError::Broken)?;
    let secret = vault.of(db).await?.open(&place(newest.id), &newest.secret)?;
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(secret.expose().try_into().map_err(|_| EaKeyError::Broken)?);
    let key = SigningKey::from_bytes(&secret);
    if key.verifying_key().as_bytes().as_slice() != newest.public {
        return Err(EaKeyError::Broken);
    }
    let good = good.iter().map(|key| (key.name.clone(), hex(&key.public))).collect();
    Ok(TenantSigner { kid: Kid::Tenant(newest.name.clone()), key, good })
}

fn place(id: i64) -> Place {
    Place::new(SealedColumn::EaKeys, id)
}

/// Makes a key, named by its month: the first of them such as `2026-11`, the next `2026-11-2`.
async fn make(db: &TenantDb, vault: &Vault, now: Millis, first: bool) -> Result<EaKey, EaKeyError> {
    let secret = Zeroizing::new(random_bytes::<32>()?);
    let month: String = now.to_rfc3339().chars().take(7).collect();
    let same = db.ea_keys().await?.into_iter().filter(|key| key.name.starts_with(&month)).count();
    let name = if same == 0 { month } else { format!("{month}-{}", same + 1) };
    let id = new_id(now)?;
    let key = EaKey {
        id,
        name,
        public: SigningKey::from_bytes(&secret).verifying_key().to_bytes().to_vec(),
        secret: vault.of(db).await?.seal(&place(id), secret.as_slice())?,
        created_at: now,
        retired_at: None,
    };
    db.add_ea_key(&key, first).await?;
    Ok(key)
}

/// Makes a key that signs from now on; the old ones stay good until they are retired. Answers its name.
///
/// # Errors
/// [`EaKeyError`].
pub async fn new_key(db: &TenantDb, vault: &Vault, now: Millis) -> Result<String, EaKeyError> {
    if db.ea_keys().await?.is_empty() {
        make(db, vault, now, true).await?;
    }
    Ok(make(db, vault, now, false).await?.name)
}

/// Retires a key: what it signs from then on counts for nobody who asks for the tenant's keys.
///
/// # Errors
/// [`EaKeyError::Store`] when there is no such key, or it is the only good one.
pub async fn retire_key(db: &TenantDb, name: &str, now: Millis) -> Result<(), EaKeyError> {
    db.retire_ea_key(name, now).await?;
    Ok(())
}
