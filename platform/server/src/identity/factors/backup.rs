//! Backup codes: for when the phone is gone. Each counts once; only a MAC of each is stored.

use super::FactorError;
use crate::secrets::{self, TenantKeys, random_bytes};
use marque_domain::{id::UserId, time::Millis};
use marque_store::{BackupCode, TenantDb, TokenHash};

/// Codes that a person is given at once.
const CODES: usize = 10;
/// 50 random bits: with five tries a sign-in, nobody guesses one.
const CHARS: usize = 10;
/// Without those that look like others: no I, L, O, U. Crockford's base 32.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PURPOSE: &str = "backup-code";

/// New codes: as the person sees them this once, and as they are stored.
///
/// # Errors
/// [`FactorError::NoRandomness`].
pub(super) fn make(
    keys: &TenantKeys,
    user: UserId,
    now: Millis,
) -> Result<(Vec<String>, Vec<BackupCode>), FactorError> {
    let mut shown = Vec::with_capacity(CODES);
    let mut stored = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let random: [u8; CHARS] = random_bytes()?;
        // 256 is a multiple of 32: every letter is as likely.
        let code: String =
            random.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31))).map(|b| char::from(*b)).collect();
        stored.push(BackupCode { id: secrets::new_id(now)?, digest: digest(keys, user, &code) });
        shown.push(match code.split_at_checked(CHARS / 2) {
            Some((first, second)) => format!("{first}-{second}"),
            None => code,
        });
    }
    Ok((shown, stored))
}

/// Whether `code` is one of the person's and unused. It is used up by this.
///
/// # Errors
/// [`FactorError::Store`].
pub(super) async fn redeem(
    db: &TenantDb,
    keys: &TenantKeys,
    user: UserId,
    code: &str,
    now: Millis,
) -> Result<bool, FactorError> {
    match read(code) {
        Some(code) => Ok(db.use_backup_code(user, digest(keys, user, &code), now).await?),
        None => Ok(false),
    }
}

/// A code as it is stored, however it was typed.
fn read(text: &str) -> Option<String> {
    let mut code = String::with_capacity(CHARS);
    for char in text.chars().take(4 * CHARS).filter(|c| !matches!(c, '-' | ' ')) {
        let char = match char.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        code.push(char);
    }
    let whole = code.len() == CHARS && code.bytes().all(|b| LETTERS.contains(&b));
    whole.then_some(code)
}

/// Under the tenant's key and for this person: what is read from a stolen database can be tried on nobody.
fn digest(keys: &TenantKeys, user: UserId, code: &str) -> TokenHash {
    let message = [user.0.to_be_bytes().as_slice(), code.as_bytes()].concat();
    TokenHash(keys.mac(PURPOSE, &message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for text in ["01ab2-cdefg", "01AB2CDEFG", " o1ab2 - cdefg ", "OIAB2-CDEFG", "olab2cdefg"] {
            assert_eq!(read(text).as_deref(), Some("01ab2cdefg"), "{text}");
        }
        for text in ["", "123456", "01ab2-cdef", "01ab2-cdefgh", "01ab2-cdefu", "01ab2-cdefé", &"a".repeat(500)] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
