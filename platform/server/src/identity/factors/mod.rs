//! Second factors: what somebody has besides what they know.
//!
//! Owns: authenticator apps, backup codes and passkeys; that each proof counts once. Two-step sign-in is on as soon as
//! somebody has an app or a passkey; backup codes come with the first of them and go with the last.
//! Refuses to know: when a proof is asked for (`admission`, `step_up`).

mod backup;
pub mod passkey;
pub mod totp;

use crate::{
    problem::{Problem, ProblemCode},
    secrets::{NoRandomness, SealError, TenantKeys, VaultError},
};
use marque_domain::{id::UserId, time::Millis};
use marque_store::{StoreError, TenantDb};

/// Why a second factor was not set up or checked.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// The database refused or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tenant's keys cannot be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The secret is not sealed as it was.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no randomness for a secret.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// What is stored is not a secret that makes codes.
    #[error("the secret of an authenticator is too short to make codes; its owner must set the app up anew")]
    Secret,
    /// A device's answer is not one to our question, or was given before.
    #[error("the passkey was refused")]
    Passkey,
    /// The names do not fit.
    #[error("the names of brand and person are too long for a QR code")]
    Picture,
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Store(StoreError::Conflict(_)) => {
                Self::new(ProblemCode::Conflict, "You have this already. Remove it first to set it up anew.")
            }
            FactorError::Passkey => Self::new(ProblemCode::BadRequest, "Ask for the passkey again from this page."),
            FactorError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

/// Which of somebody's codes one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Of the authenticator app.
    App,
    /// A backup code.
    Backup,
}

/// Which of this person's codes `code` is, if it is one that was not used. It is used up by this.
///
/// # Errors
/// [`FactorError`].
pub async fn redeem(
    db: &TenantDb,
    keys: &TenantKeys,
    user: UserId,
    code: &str,
    now: Millis,
) -> Result<Option<Code>, FactorError> {
    // Apps show their code in two groups.
    let digits: String = code.chars().take(20).filter(|c| !c.is_whitespace()).collect();
    if totp::looks_like(&digits) {
        return Ok(totp::redeem(db, keys, user, &digits, now).await?.then_some(Code::App));
    }
    Ok(backup::redeem(db, keys, user, code, now).await?.then_some(Code::Backup))
}

/// Puts the person's authenticator that waits into force with its first code. Answers new backup codes, none when
/// the code was wrong; they are the person's only if they had none before.
///
/// # Errors
/// [`FactorError`].
pub async fn confirm_app(
    db: &TenantDb,
    keys: &TenantKeys,
    user: UserId,
    code: &str,
    now: Millis,
) -> Result<Option<Vec<String>>, FactorError> {
    let Some(waiting) = totp::waiting(db, keys, user).await? else { return Ok(None) };
    let digits: String = code.chars().take(20).filter(|c| !c.is_whitespace()).collect();
    let Some(step) = totp::first_step(&waiting, &digits, now)? else { return Ok(None) };
    let first = !db.second_factors(user).await?.are_on();
    let (shown, stored) = backup::make(keys, user, now)?;
    let done = db.confirm_authenticator(user, waiting.created_at, step, now, &stored).await?;
    Ok(done.then_some(if first { shown } else { Vec::new() }))
}

/// New backup codes in place of all former ones, to be shown this once.
///
/// # Errors
/// [`FactorError`].
pub async fn new_backup_codes(
    db: &TenantDb,
    keys: &TenantKeys,
    user: UserId,
    now: Millis,
) -> Result<Vec<String>, FactorError> {
    let (shown, stored) = backup::make(keys, user, now)?;
    db.replace_backup_codes(user, &stored, now).await?;
    Ok(shown)
}
