//! Passwords: Argon2id, bounded in memory and time.

use crate::{
    config::Limits,
    secrets::{self, NoRandomness, Secret},
};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use marque_store::Concealed;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// 19 MiB of memory, two passes, one lane: the first of the equally strong Argon2id settings of the OWASP Password
/// Storage Cheat Sheet. More lanes would not help: checks of several people already use every core.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
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
        Ok(Self {
            running: permits(limits.passwords),
            admitted: permits(limits.passwords.saturating_add(limits.password_queue)),
            nobody: hash(&secrets::random_bytes::<32>()?)?,
        })
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// When it is too short or long, or too much waits.
    pub async fn hash(&self, password: Secret) -> Result<Concealed, PasswordError> {
        if password.expose().chars().count() < CHARS_MIN {
            return Err(PasswordError::TooShort);
        }
        if password.expose().len() > BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        self.work(move || hash(password.expose().as_bytes())).await
    }

    /// Whether `password` is the one behind `stored`. Nobody's password is behind none, and finding that out takes
    /// as long.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too much waits; [`PasswordError::Corrupt`].
    pub async fn verify(&self, password: Secret, stored: Option<Concealed>) -> Result<bool, PasswordError> {
        if password.expose().len() > BYTES_MAX {
            return Ok(false);
        }
        // Who comes by single sign-on has no password: none is theirs.
        let stored = stored.filter(|stored| !stored.expose().is_empty());
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.clone());
        self.work(move || {
            let parsed = PasswordHash::new(stored.expose()).map_err(|_| PasswordError::Corrupt)?;
            Ok(argon2()?.verify_password(password.expose().as_bytes(), &parsed).is_ok() && known)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            // Released here, not by the request: one that goes away does not stop the work it asked for.
            drop((running, admitted));
            result
        });
        done.await.map_err(|_| PasswordError::Failed("its thread ended"))?
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed("its parameters"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8]) -> Result<Concealed, PasswordError> {
    let salt = secrets::random_bytes::<16>()?;
    let hash = argon2()?.hash_password_with_salt(password, &salt).map_err(|_| PasswordError::Failed("no memory"))?;
    Ok(Concealed::new(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
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
