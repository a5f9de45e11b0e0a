//! Codes of authenticator apps: RFC 6238 with what every app supports (SHA-1, six digits, 30 seconds).
//!
//! Owns: the shared secret, sealed where it is stored; the picture that an app reads it from; that the code of a time
//! step counts once.

use super::FactorError;
use crate::secrets::{Place, TenantKeys, random_bytes};
use core::fmt::Write as _;
use marque_domain::{id::UserId, time::Millis};
use marque_store::{Authenticator, SealedColumn, TenantDb};
use qrcode::{EcLevel, QrCode, render::svg};
use totp_rs::{Builder, Totp};

/// As RFC 4226 recommends: 160 bits.
const SECRET_BYTES: usize = 20;
const DIGITS: usize = 6;
/// Codes of the step before and after are taken too: clocks differ, and typing takes time.
const SKEW_STEPS: u16 = 1;

/// An authenticator that waits for its first code, as a person sees it.
pub struct Enrolment {
    /// When it was set up: names it among others of the person.
    pub created_at: Millis,
    secret: Vec<u8>,
}

impl Enrolment {
    /// The secret for typing: base 32 in groups of four.
    #[must_use]
    pub fn key(&self) -> String {
        let text = base32(&self.secret);
        let groups: Vec<&str> =
            text.as_bytes().chunks(4).filter_map(|group| core::str::from_utf8(group).ok()).collect();
        groups.join(" ")
    }

    /// What an app shows at a time.
    #[cfg(test)]
    pub(crate) fn code_at(&self, now: Millis) -> String {
        totp(&self.secret).unwrap().generate(u64::try_from(now.0 / 1_000).unwrap()).to_string()
    }

    /// The picture for an app to read: an SVG image of an `otpauth` address.
    ///
    /// # Errors
    /// [`FactorError::Picture`] when the names are too long for one.
    pub fn picture(&self, brand: &str, email: &str) -> Result<String, FactorError> {
        let address = otpauth(brand, email, &self.secret);
        let code = QrCode::with_error_correction_level(address, EcLevel::M).map_err(|_| FactorError::Picture)?;
        Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).build())
    }
}

/// Sets up an authenticator that waits for its first code.
///
/// # Errors
/// [`FactorError::Store`] with a conflict when the person has one.
pub async fn begin(db: &TenantDb, keys: &TenantKeys, user: UserId, now: Millis) -> Result<(), FactorError> {
    let secret: [u8; SECRET_BYTES] = random_bytes()?;
    let sealed = keys.seal(&place(user), &secret)?;
    let new = Authenticator { user, secret: sealed, confirmed_at: None, last_step: 0, created_at: now };
    Ok(db.begin_authenticator(&new).await?)
}

/// The authenticator of a person that waits for its first code.
///
/// # Errors
/// [`FactorError`].
pub async fn waiting(db: &TenantDb, keys: &TenantKeys, user: UserId) -> Result<Option<Enrolment>, FactorError> {
    let found = db.authenticator(user).await?.filter(|found| found.confirmed_at.is_none());
    let Some(found) = found else { return Ok(None) };
    let secret = keys.open(&place(user), &found.secret)?.expose().to_vec();
    Ok(Some(Enrolment { created_at: found.created_at, secret }))
}

/// The time step of a code that an authenticator which waits would show now.
pub(super) fn first_step(enrolment: &Enrolment, code: &str, now: Millis) -> Result<Option<i64>, FactorError> {
    step(&enrolment.secret, code, now)
}

/// Whether `code` is the authenticator's and unused. It is used up by this.
pub(super) async fn redeem(
    db: &TenantDb,
    keys: &TenantKeys,
    user: UserId,
    code: &str,
    now: Millis,
) -> Result<bool, FactorError> {
    let found = db.authenticator(user).await?.filter(|found| found.confirmed_at.is_some());
    let Some(found) = found else { return Ok(false) };
    let secret = keys.open(&place(user), &found.secret)?;
    match step(secret.expose(), code, now)? {
        Some(step) => Ok(db.use_step(user, step).await?),
        None => Ok(false),
    }
}

/// Whether a text has the form of a code: six digits.
pub(super) fn looks_like(code: &str) -> bool {
    code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit())
}

fn place(user: UserId) -> Place {
    Place::new(SealedColumn::Authenticators, user.0)
}

fn step(secret: &[u8], code: &str, now: Millis) -> Result<Option<i64>, FactorError> {
    let seconds = u64::try_from(now.0 / 1_000).unwrap_or_default();
    let step = looks_like(code).then(|| totp(secret).map(|totp| totp.check(code, seconds))).transpose()?.flatten();
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn totp(secret: &[u8]) -> Result<Totp, FactorError> {
    let secret: [u8; SECRET_BYTES] = secret.try_into().map_err(|_| FactorError::Secret)?;
    Builder::new().with_secret(secret).with_skew(SKEW_STEPS).build().map_err(|_| FactorError::Secret)
}

/// What apps read: <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
fn otpauth(brand: &str, email: &str, secret: &[u8]) -> String {
    let (brand, email) = (escape(brand), escape(email));
    format!("otpauth://totp/{brand}:{email}?secret={}&issuer={brand}&algorithm=SHA1&digits=6&period=30", base32(secret))
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// RFC 4648 without padding, as apps expect it.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(letter(LETTERS, held >> bits));
        }
    }
    if bits > 0 {
        out.push(letter(LETTERS, held << (5 - bits)));
    }
    out
}

fn letter(letters: &[u8; 32], value: u32) -> char {
    letters.get(usize::try_from(value & 31).unwrap_or_default()).map_or('A', |byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret and codes of RFC 6238, appendix B, of which apps show the last six digits.
    const RFC: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let now = Millis(seconds * 1_000);
            assert_eq!(step(RFC, code, now).unwrap(), Some(seconds / 30), "{seconds}");
            // A step of difference is forgiven, two are not.
            assert_eq!(step(RFC, code, now.plus(30_000)).unwrap(), Some(seconds / 30));
            assert_eq!(step(RFC, code, now.plus(60_000)).unwrap(), None);
            let early = now.plus(-60_000);
            assert!(early.0 < 0 || step(RFC, code, early).unwrap().is_none());
        }
        for bad in ["", "28708", "2870822", "28708a", " 287082", "２８７０８２"] {
            assert_eq!(step(RFC, bad, Millis(59_000)).unwrap(), None, "{bad}");
        }
    }

    #[test]
    fn secrets_are_written_as_apps_read_them() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        assert_eq!(
            otpauth("Aurora & Co", "a+b@x.example", b"foobar"),
            "otpauth://totp/Aurora%20%26%20Co:a%2Bb@x.example?secret=MZXW6YTBOI&issuer=Aurora%20%26%20Co\
             &algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn the_longest_names_fit_a_picture() {
        let enrolment = Enrolment { created_at: Millis(0), secret: RFC.to_vec() };
        let svg = enrolment.picture(&"Ä".repeat(60), &format!("{}@x.example", "a".repeat(240))).unwrap();
        assert!(svg.contains("<svg") && !svg.contains("<script"), "{svg}");
        assert_eq!(enrolment.key(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }
}
