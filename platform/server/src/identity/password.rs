//! Passwords: Argon2id, bounded in memory and time.

use super::strength::refuse_weak;
use crate::{
    config::Limits,
    secrets::{self, NoRandomness, Secret},
};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use marque_store::Concealed;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Semaphore;

/// More lanes would not help: checks of several people already use every core.
const LANES: u32 = 1;
/// As NIST SP 800-63B asks: no composition rules, a minimum of eight, and long pass phrases are welcome.
const CHARS_MIN: usize = 8;
const BYTES_MAX: usize = 1_024;

/// Why a password was not hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short to be one.
    #[error("the password is too short: use at least {CHARS_MIN} characters")]
    TooShort,
    /// Too long to be read.
    #[error("the password is too long: use at most {BYTES_MAX} bytes")]
    TooLong,
    /// It stands in lists of leaked passwords.
    #[error("this password stands in lists of leaked passwords, which attackers try first: choose another")]
    Leaked,
    /// It is soon guessed.
    #[error("this password is too easy to guess: {0}. Three or four unrelated words make a good one")]
    Guessable(String),
    /// More checks wait than the server allows.
    #[error("too many sign-ins at once: try again in a few seconds")]
    Busy,
    /// What is stored is not a hash.
    #[error("a stored password hash cannot be read; the person must be given a new password")]
    Corrupt,
    /// The hash could not be computed.
    #[error("a password could not be hashed: {0}")]
    Failed(&'static str),
    /// There is no salt.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Hashes and checks passwords, a few at a time.
pub struct Passwords {
    /// Checks under way.
    running: Arc<Semaphore>,
    /// Checks under way or waiting.
    admitted: Arc<Semaphore>,
    /// Passwords that are measured for who registers: in a line of their own, so that they keep nobody from signing in.
    measuring: Arc<Semaphore>,
    /// What a hash costs now.
    cost: Cost,
    /// Hashes and measures made so far, for who watches the load.
    computed: Arc<AtomicU64>,
    /// Memory times passes of all checks so far, in KiB.
    effort: Arc<AtomicU64>,
    /// A hash that no password has, checked when there is no such person: the answer takes as long either way.
    nobody: Concealed,
}

impl Passwords {
    /// Prepares the hasher.
    ///
    /// # Errors
    /// When there is no randomness or no memory for a hash.
    pub fn new(limits: &Limits) -> Result<Self, PasswordError> {
        let permits = |count: u32| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(1)));
        let cost = Cost { memory_kib: limits.password_memory_kib, passes: limits.password_passes };
        Ok(Self {
            running: permits(limits.passwords),
            admitted: permits(limits.passwords.saturating_add(limits.password_queue)),
            measuring: permits(limits.passwords.saturating_add(limits.password_queue).div_ceil(2)),
            nobody: cost.hash(&secrets::random_bytes::<32>()?)?,
            computed: Arc::default(),
            effort: Arc::default(),
            cost,
        })
    }

    /// Hashes and measures that were made since the start.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// What checks have cost since the start: memory times passes, in KiB. For one that fails it says nothing of whose it was.
    #[must_use]
    pub fn effort(&self) -> u64 {
        self.effort.load(Ordering::Relaxed)
    }

    /// Whether a password that a person wants may be had; as [`Passwords::choose`], without its hash.
    ///
    /// # Errors
    /// As [`Passwords::choose`].
    pub async fn measure(&self, password: &Secret, about: Vec<String>) -> Result<(), PasswordError> {
        check_length(password)?;
        let password = password.clone();
        let line = self.measuring.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let computed = Arc::clone(&self.computed);
        let done = tokio::task::spawn_blocking(move || {
            let result = refuse_weak(password.expose(), &about);
            computed.fetch_add(1, Ordering::Relaxed);
            drop(line);
            result
        });
        done.await.map_err(|_| PasswordError::Failed("its thread ended"))?
    }

    /// The PHC string of a password that a person chose. `about` is what an attacker would try first: their name and
    /// address, the brand.
    ///
    /// # Errors
    /// When it is too short, too long, leaked or too easy to guess, or too much waits.
    pub async fn choose(&self, password: Secret, about: Vec<String>) -> Result<Concealed, PasswordError> {
        check_length(&password)?;
        let cost = self.cost;
        // Measured where hashes are computed: it takes some time too, and waits in the same line.
        self.work(move || {
            refuse_weak(password.expose(), &about)?;
            cost.hash(password.expose().as_bytes())
        })
        .await
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// When it is too short or long, or too much waits.
    pub async fn hash(&self, password: Secret) -> Result<Concealed, PasswordError> {
        check_length(&password)?;
        let cost = self.cost;
        self.work(move || cost.hash(password.expose().as_bytes())).await
    }

    /// Whether `password` is the one behind `stored`. Nobody's password is behind none, and finding that out takes
    /// as long.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too much waits; [`PasswordError::Corrupt`].
    pub async fn verify(&self, password: Secret, stored: Option<Concealed>) -> Result<bool, PasswordError> {
        self.check(password, stored, |_, _| Ok(())).await.map(|right| right.is_some())
    }

    /// As [`Passwords::verify`]; when it is right and was hashed at another cost than today's, also its hash at today's.
    ///
    /// # Errors
    /// As [`Passwords::verify`].
    pub async fn verify_and_renew(
        &self,
        password: Secret,
        stored: Option<Concealed>,
    ) -> Result<Verified, PasswordError> {
        let cost = self.cost;
        let right = self.check(password, stored, move |password, stored| {
            if cost.is_of(stored) { Ok(None) } else { cost.hash(password.expose().as_bytes()).map(Some) }
        });
        Ok(right.await?.map_or(Verified::Wrong, Verified::Right))
    }

    /// What `then` makes of a password that is right.
    async fn check<T: Send + 'static>(
        &self,
        password: Secret,
        stored: Option<Concealed>,
        then: impl FnOnce(&Secret, &PasswordHash) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<Option<T>, PasswordError> {
        if password.expose().len() > BYTES_MAX {
            return Ok(None);
        }
        // Who comes by single sign-on has no password, so none is right; finding that out takes as long.
        let stored = stored.filter(|hash| !hash.expose().is_empty());
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.clone());
        let (cost, effort) = (self.cost, Arc::clone(&self.effort));
        self.work(move || {
            let parsed = PasswordHash::new(stored.expose()).map_err(|_| PasswordError::Corrupt)?;
            let right = cost.argon2()?.verify_password(password.expose().as_bytes(), &parsed).is_ok() && known;
            effort.fetch_add(Cost::of(&parsed).map_or(0, Cost::work), Ordering::Relaxed);
            if right {
                return then(&password, &parsed).map(Some);
            }
            // A hash from before a recalibration is found wrong sooner than nobody's, which would tell that it is there.
            if let Some(rest) = cost.beyond(&parsed) {
                rest.hash(password.expose().as_bytes())?;
                effort.fetch_add(rest.work(), Ordering::Relaxed);
            }
            Ok(None)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        let computed = Arc::clone(&self.computed);
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            computed.fetch_add(1, Ordering::Relaxed);
            // Released here, not by the request: one that goes away does not stop the work it asked for.
            drop((running, admitted));
            result
        });
        done.await.map_err(|_| PasswordError::Failed("its thread ended"))?
    }
}

fn check_length(password: &Secret) -> Result<(), PasswordError> {
    if password.expose().chars().count() < CHARS_MIN {
        return Err(PasswordError::TooShort);
    }
    if password.expose().len() > BYTES_MAX { Err(PasswordError::TooLong) } else { Ok(()) }
}

/// What came of checking a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// It is not the one, or there is none.
    Wrong,
    /// It is the one. With its hash at today's cost, if it was hashed at another.
    Right(Option<Concealed>),
}

/// What a hash costs whoever guesses, and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Cost {
    fn params(self) -> Result<Params, PasswordError> {
        Params::new(self.memory_kib, self.passes, LANES, None).map_err(|_| PasswordError::Failed("its parameters"))
    }

    fn argon2(self) -> Result<Argon2<'static>, PasswordError> {
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params()?))
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// [`PasswordError::Failed`], [`PasswordError::NoRandomness`].
    pub fn hash(self, password: &[u8]) -> Result<Concealed, PasswordError> {
        let salt = secrets::random_bytes::<16>()?;
        let hash = self.argon2()?.hash_password_with_salt(password, &salt);
        Ok(Concealed::new(hash.map_err(|_| PasswordError::Failed("no memory"))?.to_string()))
    }

    /// What is left of this cost after a hash that was cheaper. Argon2's time grows with memory times passes (RFC 9106, 3.1);
    /// never more memory at once than this cost has.
    fn beyond(self, hash: &PasswordHash) -> Option<Self> {
        let rest = self.work().checked_sub(Self::of(hash)?.work())?;
        let passes = rest.div_ceil(u64::from(self.memory_kib.max(1))).max(1);
        let rest = Self { memory_kib: u32::try_from(rest / passes).ok()?, passes: u32::try_from(passes).ok()? };
        (rest.memory_kib >= Params::MIN_M_COST).then_some(rest)
    }

    /// Memory times passes, in KiB.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// What a hash was computed at; none of one with more lanes than ours.
    fn of(hash: &PasswordHash) -> Option<Self> {
        let stored = Params::try_from(hash).ok().filter(|stored| stored.p_cost() == LANES)?;
        Some(Self { memory_kib: stored.m_cost(), passes: stored.t_cost() })
    }

    /// Whether a hash was computed at this cost.
    fn is_of(self, hash: &PasswordHash) -> bool {
        Self::of(hash) == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_cheaper_hash_is_made_up_for() {
        let today = Cost { memory_kib: 19_456, passes: 2 };
        for (memory_kib, passes) in
            [(19_456, 1), (8_192, 1), (8, 1), (4_096, 3), (19_455, 2), (19_456, 2), (65_536, 1), (7_168, 5)]
        {
            let stored = Cost { memory_kib, passes }.hash(b"correct horse").unwrap();
            let rest = today.beyond(&PasswordHash::new(stored.expose()).unwrap());
            let stored = Cost { memory_kib, passes }.work();
            let done = stored + rest.map_or(0, Cost::work);
            let missing = today.work().saturating_sub(done);
            assert!(missing < 8 && done <= today.work().max(stored), "{memory_kib} {passes}");
            assert!(rest.is_none_or(|rest| rest.memory_kib <= today.memory_kib), "no more memory than a check has");
        }
    }

    #[tokio::test]
    async fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::new(&config("").limits).unwrap();
        let stored = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(stored.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.expose());
        assert_ne!(passwords.hash(secret("correct horse")).await.unwrap().expose(), stored.expose());
        assert!(passwords.verify(secret("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(secret("correct Horse"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(secret(""), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(secret("correct horse"), None).await.unwrap());
        assert!(!passwords.verify(secret(""), Some(Concealed::new(String::new()))).await.unwrap());
        assert!(!passwords.verify(secret(&"x".repeat(5_000)), Some(stored)).await.unwrap());
        let broken = passwords.verify(secret("x"), Some(Concealed::new("plain".into()))).await;
        assert!(matches!(broken, Err(PasswordError::Corrupt)));
        assert!(matches!(passwords.hash(secret("seven77")).await, Err(PasswordError::TooShort)));
        assert!(matches!(passwords.hash(secret(&"x".repeat(5_000))).await, Err(PasswordError::TooLong)));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_renewed_when_the_password_is_right() {
        let cheap =
            Passwords::new(&config("[limits]\npassword_memory_kib = 8192\npassword_passes = 1").limits).unwrap();
        let today = Passwords::new(&config("").limits).unwrap();
        let old = cheap.hash(secret("correct horse")).await.unwrap();
        let check = async |password: &str, stored: &Concealed| {
            today.verify_and_renew(secret(password), Some(stored.clone())).await.unwrap()
        };
        assert_eq!(check("correct Horse", &old).await, Verified::Wrong);
        let Verified::Right(Some(new)) = check("correct horse", &old).await else { panic!("it is renewed") };
        assert!(new.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(check("correct horse", &new).await, Verified::Right(None));
        // Who has no password has no right one, and finding out takes one hash as for anybody.
        let before = today.computed();
        assert_eq!(check("", &Concealed::new(String::new())).await, Verified::Wrong);
        assert_eq!(today.computed() - before, 1);
    }

    #[tokio::test]
    async fn a_weak_password_is_not_chosen() {
        let passwords = Passwords::new(&config("").limits).unwrap();
        let choose = async |text: &str| passwords.choose(secret(text), vec!["Aurora".to_owned()]).await;
        assert!(matches!(choose("short").await, Err(PasswordError::TooShort)));
        assert!(matches!(choose("password1").await, Err(PasswordError::Leaked)));
        assert!(matches!(choose("aurora2026").await, Err(PasswordError::Guessable(_))));
        let hash = choose("correct horse battery").await.unwrap();
        assert!(passwords.verify(secret("correct horse battery"), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let limits = config("[limits]\npasswords = 1\npassword_queue = 2").limits;
        let passwords = Passwords::new(&limits).unwrap();
        let checks = (0..10).map(|_| passwords.verify(secret("x"), None));
        let outcomes = futures_util::future::join_all(checks).await;
        let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(PasswordError::Busy))).count();
        assert_eq!(busy, 7, "one runs, two wait");
        assert!(!passwords.verify(secret("x"), None).await.unwrap(), "and then there is room again");
    }
}
