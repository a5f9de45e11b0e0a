//! What is remembered of licences, bounded, and how it is kept true on many servers.
//!
//! Whoever changes a licence moves its tenant's revision on in the same transaction. Every server looks often which tenants
//! have moved and reads which licences did; what it remembers of those from before is not used again. When no look has
//! succeeded for a second, nothing that is remembered is used: then every answer is read from the database, or there is
//! none. So what was revoked is refused everywhere within a second ([0074](../../../decisions/0074-memory-counts-for-a-second.md)).

use super::known::Known;
use crate::{
    bounded::Bounded,
    problem::Problem,
    secrets::{Vault, VaultError},
};
use marque_domain::id::{LicenceId, TenantId};
use marque_store::{Seat, StoreError, SystemDb, TenantDb};
use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

/// How often a server looks for changes.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long what is remembered counts after the begin of a look that succeeded.
const GOOD_FOR: Duration = Duration::from_millis(900);
/// Keys of licences by which they are found, for each licence that is remembered.
const KEYS_FACTOR: u64 = 2;

/// Tables of tenants.
const SEEN_TABLES: usize = 16;

/// How far a tenant was at the last look.
#[derive(Debug, Clone, Copy)]
struct Seen {
    revision: i64,
    epoch: i64,
    /// The begin of the first look that saw it: what was read before may have missed something.
    since: Instant,
}

/// What is remembered of licences. Cloning shares it.
#[derive(Clone)]
pub struct Snapshots(Arc<Parts>);

struct Parts {
    system: SystemDb,
    vault: Vault,
    ids: Bounded<(TenantId, [u8; 16]), LicenceId>,
    slots: Bounded<(TenantId, LicenceId), Arc<Inner>>,
    /// In several tables by the tenants' numbers: one lock would be every request's.
    seen: [RwLock<HashMap<TenantId, Seen>>; SEEN_TABLES],
    begun: Instant,
    /// The begin of the last look that succeeded, in nanoseconds since then; 0 when none has.
    looked_at_ns: AtomicU64,
    /// One look at a time.
    looking: Mutex<Looking>,
}

/// What looks need of those before.
#[derive(Default)]
struct Looking {
    /// What all changes came to, if the last look that saw some succeeded.
    changes: Option<(i64, i64)>,
    tenants: HashMap<TenantId, TenantDb>,
}

struct Inner {
    known: RwLock<Option<Arc<Known>>>,
    /// The revision that a look has seen: older ones are not used.
    wanted: AtomicI64,
    turn: Mutex<()>,
}

/// A licence's place in the snapshot.
pub(super) struct Slot {
    id: LicenceId,
    inner: Arc<Inner>,
    all: Snapshots,
}

fn table_of(tenant: TenantId) -> usize {
    // The last digits of a number are random.
    usize::try_from(tenant.0.unsigned_abs() % SEEN_TABLES as u64).unwrap_or(0)
}

fn read<T: Clone>(lock: &RwLock<T>) -> T {
    lock.read().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Snapshots {
    pub(super) fn new(system: SystemDb, vault: Vault, licences_max: u64) -> Self {
        Self(Arc::new(Parts {
            system,
            vault,
            ids: Bounded::new(licences_max.saturating_mul(KEYS_FACTOR)),
            slots: Bounded::new(licences_max),
            seen: core::array::from_fn(|_| RwLock::default()),
            begun: Instant::now(),
            looked_at_ns: AtomicU64::new(0),
            looking: Mutex::default(),
        }))
    }

    /// Looks once which licences have changed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what is remembered then counts for less than a second more.
    pub async fn look(&self) -> Result<(), StoreError> {
        let mut looking = self.0.looking.lock().await;
        let began = Instant::now();
        // Read first: what changes after it is seen by the next look.
        let changes = self.0.system.licensing_changes().await?;
        if looking.changes != Some(changes) {
            looking.changes = None;
            self.catch_up(&mut looking.tenants, began).await?;
            looking.changes = Some(changes);
        }
        self.0.looked_at_ns.store(self.since_begun_ns(began).max(1), Ordering::Release);
        Ok(())
    }

    /// Takes note of every tenant that has moved.
    async fn catch_up(&self, tenants: &mut HashMap<TenantId, TenantDb>, began: Instant) -> Result<(), StoreError> {
        for (tenant, revision, epoch) in self.0.system.licensing_revisions().await? {
            let seen = self.seen(tenant);
            let since = seen.map_or(began, |seen| seen.since);
            if let Some(seen) = seen.filter(|seen| seen.revision < revision) {
                let db = tenants.entry(tenant).or_insert_with(|| self.0.system.tenant_db(tenant));
                self.outdate(db, seen.revision).await?;
            }
            let now = Seen { revision, epoch, since };
            if let Some(table) = self.0.seen.get(table_of(tenant)) {
                table.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, now);
            }
        }
        Ok(())
    }

    /// Lets nobody use what is remembered from before of licences that changed after a revision.
    async fn outdate(&self, db: &TenantDb, after: i64) -> Result<(), StoreError> {
        let mut last = None;
        loop {
            let changed = db.changed_licences(after, last).await?;
            if changed.is_empty() {
                return Ok(());
            }
            last = changed.last().copied();
            for (id, revision) in changed {
                if let Some(inner) = self.0.slots.get(&(db.tenant(), id)) {
                    inner.wanted.fetch_max(revision, Ordering::AcqRel);
                }
            }
        }
    }

    /// Looks for changes until it is aborted.
    pub async fn keep(self) {
        let mut told = false;
        loop {
            match self.look().await {
                Ok(()) => told = false,
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, "what changed in licensing cannot be looked up; licences are read from the database");
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The place of the licence that a key belongs to; none when there is no such key.
    pub(super) async fn slot(&self, db: &TenantDb, key: [u8; 16]) -> Result<Option<Slot>, StoreError> {
        let place = (db.tenant(), key);
        let id = match self.0.ids.get(&place) {
            Some(id) => id,
            None => {
                let Some(id) = db.licence_of_key(key).await? else { return Ok(None) };
                self.0.ids.insert(place, id);
                id
            }
        };
        Ok(Some(self.slot_of(db, id)))
    }

    /// The place of a licence. Whether there is one turns out when it is read.
    pub(super) fn slot_of(&self, db: &TenantDb, id: LicenceId) -> Slot {
        let fresh = || Inner { known: RwLock::new(None), wanted: AtomicI64::new(0), turn: Mutex::new(()) };
        let inner = self.0.slots.get_or_insert_with(&(db.tenant(), id), || Arc::new(fresh()));
        Slot { id, inner, all: self.clone() }
    }

    /// How far a tenant was at the last look that saw it.
    fn seen(&self, tenant: TenantId) -> Option<Seen> {
        let table = self.0.seen.get(table_of(tenant))?;
        table.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied()
    }

    fn since_begun_ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.0.begun).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether a look has succeeded a short time ago.
    fn has_looked(&self) -> bool {
        let at = self.0.looked_at_ns.load(Ordering::Acquire);
        at > 0 && u128::from(self.since_begun_ns(Instant::now()).saturating_sub(at)) < GOOD_FOR.as_nanos()
    }

    /// Whether what was read may still be used.
    fn holds(&self, tenant: TenantId, inner: &Inner, known: &Known) -> bool {
        self.has_looked()
            && self.seen(tenant).is_some_and(|seen| known.epoch >= seen.epoch && known.read_at >= seen.since)
            && known.row.revision >= inner.wanted.load(Ordering::Acquire)
    }
}

impl Slot {
    /// The licence's lock in this process.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.inner.turn.lock().await
    }

    /// What is known of the licence: remembered while that is good, else read.
    pub async fn known(&self, db: &TenantDb) -> Result<Arc<Known>, Problem> {
        let known = read(&self.inner.known);
        match known.filter(|known| self.all.holds(db.tenant(), &self.inner, known)) {
            Some(known) => Ok(known),
            None => self.load(db).await,
        }
    }

    /// Reads the licence, and remembers it.
    pub async fn load(&self, db: &TenantDb) -> Result<Arc<Known>, Problem> {
        let read_at = Instant::now();
        let image = db.licence_image(self.id).await?;
        let keys = self.all.0.vault.of(db).await?;
        let known = Arc::new(Known::open(image, &keys, read_at).map_err(VaultError::from)?);
        let mut there = self.inner.known.write().unwrap_or_else(PoisonError::into_inner);
        // Of two that read at once, the older reading must not win.
        let newer = there.as_ref().is_none_or(|there| there.row.revision <= known.row.revision);
        if newer {
            *there = Some(Arc::clone(&known));
        }
        Ok(known)
    }

    /// Remembers what a seat has reported. Other seats may have reported at the same time.
    pub fn heard(&self, known: &Arc<Known>, seat: &Seat) -> Arc<Known> {
        let mut there = self.inner.known.write().unwrap_or_else(PoisonError::into_inner);
        let basis = there.as_ref().filter(|there| there.row.revision == known.row.revision).unwrap_or(known);
        let next = Arc::new(basis.with_seat(seat));
        if there.as_ref().is_none_or(|there| there.row.revision <= next.row.revision) {
            *there = Some(Arc::clone(&next));
        }
        next
    }
}
