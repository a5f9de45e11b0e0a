//! The tenant's own keys (Ed25519), with which answers are signed for servers and tools, for EAs that have one of them in their
//! source, and those of `NOT_FOUND`. The newest signs, unless a request names others that are good
//! ([0104](../../../decisions/0104-answers-are-signed-with-the-key-that-an-ea-has.md)).

use super::mac::hex;
use crate::{
    clock::Clock,
    problem::Problem,
    secrets::{NoRandomness, Place, SealError, SealedColumn, TenantKeys, Vault, VaultError, new_id, random_bytes},
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

/// A key that is not retired. No `Debug`, no `Serialize`.
pub(super) struct GoodKey {
    kid: Kid,
    public: [u8; 32],
    key: SigningKey,
}

/// A tenant's keys that are good. No `Debug`, no `Serialize`.
pub(super) struct TenantSigner {
    /// The newest.
    current: GoodKey,
    /// Those before it, newest first.
    former: Vec<GoodKey>,
}

impl GoodKey {
    /// Opens one that is stored.
    fn open(keys: &TenantKeys, stored: &EaKey) -> Result<Self, EaKeyError> {
        let secret = keys.open(&place(stored.id), &stored.secret)?;
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(secret.expose().try_into().map_err(|_| EaKeyError::Broken)?);
        let key = SigningKey::from_bytes(&secret);
        let public = key.verifying_key().to_bytes();
        if public.as_slice() != stored.public {
            return Err(EaKeyError::Broken);
        }
        Ok(Self { kid: Kid::Tenant(stored.name.clone()), public, key })
    }

    /// What the key is called.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The header with the signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> String {
        format!("kid={}, ed25519={}", self.kid, hex(&self.key.sign(bytes).to_bytes()))
    }
}

impl TenantSigner {
    fn all(&self) -> impl Iterator<Item = &GoodKey> {
        core::iter::once(&self.current).chain(&self.former)
    }

    /// The key that signs for who knows these public keys: the newest of them that is good. Where none is, the current one:
    /// who checks it against `keys` believes it, and who knows no other key than these takes it for no answer.
    pub fn for_who_knows(&self, public: &[[u8; 32]]) -> &GoodKey {
        self.all().find(|key| public.contains(&key.public)).unwrap_or(&self.current)
    }

    /// The public keys, as `keys` answers them.
    pub fn published(&self) -> Vec<u8> {
        let mut object = Map::new();
        object.insert("protocol".to_owned(), 1.into());
        object.insert("current".to_owned(), self.current.kid.to_string().into());
        object.extend(self.all().map(|key| (key.kid.to_string(), Value::String(hex(&key.public)))));
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
    let keys = vault.of(db).await?;
    let mut good = stored.iter().filter(|key| key.retired_at.is_none()).map(|key| GoodKey::open(&keys, key));
    let current = good.next().ok_or(EaKeyError::Broken)??;
    Ok(TenantSigner { current, former: good.collect::<Result<Vec<_>, _>>()? })
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

/// Makes a key that signs from now on; the old ones stay good until they are retired, and sign for who asks for them. Answers
/// its name.
///
/// # Errors
/// [`EaKeyError`].
pub async fn new_key(db: &TenantDb, vault: &Vault, now: Millis) -> Result<String, EaKeyError> {
    if db.ea_keys().await?.is_empty() {
        make(db, vault, now, true).await?;
    }
    Ok(make(db, vault, now, false).await?.name)
}

/// Retires a key: it signs no more, for nobody, and is not published any more.
///
/// # Errors
/// [`EaKeyError::Store`] when there is no such key, or it is the only good one.
pub async fn retire_key(db: &TenantDb, name: &str, now: Millis) -> Result<(), EaKeyError> {
    db.retire_ea_key(name, now).await?;
    Ok(())
}
