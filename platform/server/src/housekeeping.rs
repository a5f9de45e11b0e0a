//! What is forgotten when its time is over, whether or not anybody comes by.
//!
//! Whatever expires is refused from its last moment on by whoever looks it up; this only removes the rows, so that the
//! database does not grow with the dead and a clock that is set back revives nothing.

use crate::{clock::Clock, licensing::files::EaFiles, trading::meter::DAYS_KEPT};
use marque_domain::time::{DAY_MS, Millis};
use marque_store::{Store, StoreError, TenantDb};
use std::time::Duration;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(3_600);
/// An answer is given again for so long to who sends the same `Idempotency-Key`.
pub const KEYS_KEPT_MS: i64 = 7 * DAY_MS;
/// A browser that was away for longer is new when it comes back.
const DEVICES_KEPT_MS: i64 = 400 * DAY_MS;

/// What one round removed at one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Sessions that ended.
    pub sessions: u64,
    /// Access and refresh tokens that ended.
    pub tokens: u64,
    /// Personal tokens that ended.
    pub personal_tokens: u64,
    /// Idempotency keys that are too old.
    pub keys: u64,
    /// Browsers that nobody uses.
    pub devices: u64,
    /// People who were sent to sign in elsewhere and did not come back.
    pub sso_attempts: u64,
    /// Hours of what strategies used up.
    pub usage: u64,
}

/// Removes, at one tenant, what has ended at `now`.
///
/// # Errors
/// [`StoreError::Unavailable`]; what was removed before it stays removed.
pub async fn forget(db: &TenantDb, now: Millis) -> Result<Forgotten, StoreError> {
    Ok(Forgotten {
        sessions: db.delete_ended_sessions(now).await?,
        tokens: db.forget_ended_grants(now).await?,
        personal_tokens: db.forget_ended_personal_tokens(now).await?,
        keys: db.forget_keys(now.plus(-KEYS_KEPT_MS)).await?,
        devices: db.forget_devices(now.plus(-DEVICES_KEPT_MS)).await?,
        sso_attempts: db.forget_sso_attempts(now).await?,
        usage: db.forget_usage(now.plus(-DAYS_KEPT * DAY_MS)).await?,
    })
}

/// Goes its rounds over every tenant until it is dropped. A tenant that cannot be tidied up now is tidied up next time.
pub async fn run(store: Store, clock: Clock, files: EaFiles) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        round(&store, &clock, &files).await;
    }
}

async fn round(store: &Store, clock: &Clock, files: &EaFiles) {
    let system = store.system("housekeeping");
    let tenants = match system.tenants().await {
        Ok(tenants) => tenants,
        Err(error) => return tracing::warn!(%error, "housekeeping waits: the tenants cannot be listed"),
    };
    for tenant in tenants {
        let db = system.tenant_db(tenant.id);
        match files.sweep(&db).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(tenant = %tenant.spec.slug, swept, "swept bytes that no file names"),
            Err(problem) => tracing::warn!(tenant = %tenant.spec.slug, %problem, "the sweep waits for the next round"),
        }
        match forget(&db, clock.now()).await {
            Ok(forgotten) if forgotten == Forgotten::default() => {}
            Ok(forgotten) => tracing::info!(tenant = %tenant.spec.slug, ?forgotten, "forgot what has ended"),
            Err(error) => tracing::warn!(tenant = %tenant.spec.slug, %error, "housekeeping waits for the next round"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identity::{NewPerson, Passwords, Role, create_person},
        secrets::Secret,
        testing::{NOON, TestStore, config, ea_files},
    };
    use marque_store::KeyUse;

    #[tokio::test]
    async fn a_round_forgets_what_has_ended_and_nothing_else() {
        let store = TestStore::with_demo(&[]).await;
        let tenant = store.system().tenants().await.unwrap().remove(0);
        let db = store.system().tenant_db(tenant.id);
        let person = NewPerson {
            email: "ann@x.example".to_owned(),
            display_name: "Ann".to_owned(),
            password: Secret::new("correct horse battery".to_owned()),
            role: Role::Trader,
        };
        let passwords = Passwords::new(&config("").limits).unwrap();
        let user = create_person(&db, &passwords, person, NOON).await.unwrap().id;
        for (key, age) in [("old", KEYS_KEPT_MS + 1), ("young", KEYS_KEPT_MS)] {
            assert_eq!(db.begin_key(user, key, [1; 32], NOON.plus(-age)).await.unwrap(), KeyUse::Fresh);
        }
        assert_eq!(forget(&db, NOON).await.unwrap(), Forgotten { keys: 1, ..Forgotten::default() });
        assert_eq!(forget(&db, NOON).await.unwrap(), Forgotten::default());
        assert_eq!(db.begin_key(user, "old", [1; 32], NOON).await.unwrap(), KeyUse::Fresh);
        let young = db.begin_key(user, "young", [1; 32], NOON).await.unwrap();
        assert_eq!(young, KeyUse::Pending { since: NOON.plus(-KEYS_KEPT_MS) });
        let clock = Clock::from_fn(|| NOON.plus(DAY_MS));
        let folder = tempfile::tempdir().unwrap();
        round(&store.store, &clock, &ea_files(folder.path(), clock.clone())).await;
        assert_eq!(
            db.begin_key(user, "young", [2; 32], NOON).await.unwrap(),
            KeyUse::Fresh,
            "a round reaches every tenant"
        );
    }
}
