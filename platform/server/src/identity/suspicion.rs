//! Sign-ins that look unlike the person: from a country where none of their browsers was last, or with a browser that was never seen
//! right after wrong passwords. They need a code that is mailed.
//!
//! Only of passwords: a passkey is bound to what its owner holds, another site does its own looking, and a second factor
//! is proof enough. Nobody is asked for what cannot reach them: an address that was never shown to work gets no code.

use super::{
    Identity,
    admission::{Demand, Method, Proven},
    agent,
    place::Place,
};
use crate::{
    edge::Tenant,
    mail::{Mail, MailKind},
    problem::Problem,
    secrets::{self, NoRandomness},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::{id::UserId, time::DAY_MS};
use marque_store::{User, UserStatus};
use subtle::ConstantTimeEq as _;

/// Wrong passwords after which a browser that was never seen is not believed.
const FAILURES: i64 = 3;
/// For how long they count.
pub(super) const FAILURES_COUNT_MS: i64 = DAY_MS;
const PURPOSE: &str = "sign-in code";
const DIGITS: usize = 6;

/// What is known of a sign-in and of those before it.
#[derive(Debug, Clone, Default)]
struct Signs {
    /// Where it comes from, when that is known.
    country: Option<String>,
    /// Where the person was before.
    countries: Vec<String>,
    /// Whether the browser was seen before.
    known_device: bool,
    /// Wrong passwords since the last sign-in.
    failures: i64,
}

impl Signs {
    fn are_unusual(&self) -> bool {
        let new_country =
            self.country.as_ref().is_some_and(|here| !self.countries.is_empty() && !self.countries.contains(here));
        new_country || (!self.known_device && self.failures >= FAILURES)
    }
}

impl Identity {
    /// Whether a sign-in must be confirmed by a code that is mailed.
    pub(super) async fn is_unusual(&self, tenant: &Tenant, proven: &Proven<'_>) -> Result<bool, Problem> {
        let (db, user, now) = (tenant.db(), &proven.user, self.now());
        let reachable = user.email_verified_at.is_some() && user.status == UserStatus::Active;
        if proven.method != Method::Password || !reachable {
            return Ok(false);
        }
        let known_device = match proven.recorder.device() {
            Some(device) => db.knows_device(user.id, device).await?,
            None => false,
        };
        let recent = user.failed_at.is_some_and(|at| now.since(at) < FAILURES_COUNT_MS);
        let here = proven.recorder.origin().address.parse().map_or(Place::Unknown, Place::of);
        let signs = Signs {
            country: here.code(),
            countries: db.countries_of(user.id).await?,
            known_device,
            failures: if recent { user.failures } else { 0 },
        };
        Ok(signs.are_unusual())
    }

    /// Mails a code; what is answered knows the code again.
    pub(super) async fn mail_code(&self, tenant: &Tenant, proven: &Proven<'_>, lasts: &str) -> Result<Demand, Problem> {
        let code = code().map_err(|error| Problem::internal(&error))?;
        let (user, origin) = (&proven.user, proven.recorder.origin());
        let place = origin.address.parse().map_or(Place::Unknown, Place::of).words();
        let shown = code.split_at_checked(3).map_or_else(|| code.clone(), |(first, rest)| format!("{first} {rest}"));
        let mail = Mail::new(MailKind::SignInCode, &user.email, &user.display_name)
            .with("code", shown)
            .with("lasts", lasts)
            .with("device", agent::words(&origin.agent))
            .with("place", place);
        self.outbox().queue(tenant, mail).await?;
        Ok(Demand::MailedCode { mac: self.code_mac(tenant, user.id, &code).await? })
    }

    /// Whether this is the code that was mailed.
    pub(super) async fn is_mailed(
        &self,
        tenant: &Tenant,
        user: &User,
        mac: &str,
        typed: &str,
    ) -> Result<bool, Problem> {
        let typed: String = typed.chars().filter(|c| !c.is_whitespace()).take(DIGITS + 1).collect();
        let expect = self.code_mac(tenant, user.id, &typed).await?;
        Ok(expect.as_bytes().ct_eq(mac.as_bytes()).into())
    }

    /// Six digits are soon tried through by who has their hash: so it is a MAC under the tenant's key.
    async fn code_mac(&self, tenant: &Tenant, user: UserId, code: &str) -> Result<String, Problem> {
        let keys = self.vault().of(tenant.db()).await?;
        Ok(URL_SAFE_NO_PAD.encode(keys.mac(PURPOSE, format!("{user} {code}").as_bytes())))
    }
}

/// Six digits, each as likely as any.
fn code() -> Result<String, NoRandomness> {
    // 2^64 is so much larger than a million that no code is noticeably likelier.
    let number = u64::from_le_bytes(secrets::random_bytes()?) % 1_000_000;
    Ok(format!("{number:06}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unusual() {
        let signs = |country: Option<&str>, countries: &[&str], known_device, failures| Signs {
            country: country.map(str::to_owned),
            countries: countries.iter().map(|c| (*c).to_owned()).collect(),
            known_device,
            failures,
        };
        let table = [
            (signs(Some("CZ"), &["CZ"], true, 0), false),
            (signs(Some("CZ"), &["CZ"], false, 0), false),
            (signs(Some("CZ"), &["CZ"], false, 2), false),
            (signs(Some("CZ"), &["CZ"], false, 3), true),
            (signs(Some("CZ"), &["CZ"], true, 9), false),
            (signs(Some("DE"), &["CZ", "AT"], true, 0), true),
            (signs(Some("DE"), &["CZ", "DE"], true, 0), false),
            // The first sign-in of all, and one from nobody knows where.
            (signs(Some("DE"), &[], false, 0), false),
            (signs(None, &["CZ"], false, 0), false),
            (signs(None, &[], false, 3), true),
        ];
        for (signs, expect) in table {
            assert_eq!(signs.are_unusual(), expect, "{signs:?}");
        }
    }

    #[test]
    fn codes_are_six_digits() {
        for _ in 0..100 {
            let code = code().unwrap();
            assert!(code.len() == DIGITS && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        }
    }
}
