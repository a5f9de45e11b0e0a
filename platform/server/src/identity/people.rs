//! Adding people to a tenant.

use super::{PasswordError, Passwords, Role};
use crate::{
    edge::HostName,
    secrets::{self, NoRandomness, Secret},
};
use marque_domain::{id::UserId, time::Millis};
use marque_store::{StoreError, TenantDb, User, UserStatus, normalise_email};

/// RFC 5321, errata 1690.
const EMAIL_BYTES_MAX: usize = 254;
const NAME_CHARS_MAX: usize = 100;

/// A person to be added.
pub struct NewPerson {
    /// Their address.
    pub email: String,
    /// What they are called.
    pub display_name: String,
    /// What they sign in with.
    pub password: Secret,
    /// What they may do.
    pub role: Role,
}

/// Why a person was not added.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// Not an address that mail could reach.
    #[error("{0:?} is not an e-mail address: write it like trader@aurora.example")]
    Email(String),
    /// Not a name.
    #[error("the name must have 1 to {NAME_CHARS_MAX} characters on one line")]
    Name,
    /// The password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Somebody has it.
    #[error("{0} is taken: this tenant has a person with that address. Use another address")]
    Taken(String),
    /// There is no randomness for an id.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The database refused or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a person to a tenant.
///
/// # Errors
/// See [`PersonError`].
pub async fn create_person(
    db: &TenantDb,
    passwords: &Passwords,
    person: NewPerson,
    at: Millis,
) -> Result<User, PersonError> {
    let display_name = display_name(&person.display_name).ok_or(PersonError::Name)?;
    let user = User {
        id: UserId(secrets::new_id(at)?),
        email: email(&person.email)?,
        display_name,
        password_hash: passwords.hash(person.password).await?,
        role: person.role.name().to_owned(),
        created_at: at,
        // Whoever adds them vouches for their address.
        email_verified_at: Some(at),
        status: UserStatus::Active,
        plan: None,
        failures: 0,
        failed_at: None,
    };
    match db.create_user(&user).await {
        Ok(()) => Ok(user),
        Err(StoreError::Conflict(_)) => Err(PersonError::Taken(user.email)),
        Err(error) => Err(error.into()),
    }
}

/// A name on one line, if it is one.
pub(super) fn display_name(text: &str) -> Option<String> {
    let name = text.trim();
    let good = (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    good.then(|| name.to_owned())
}

/// An address in the form it is stored in, if mail could reach it.
#[must_use]
pub(crate) fn mail_address(text: &str) -> Option<String> {
    email(text).ok()
}

/// Only what every mail system takes: a local part without quotes, and a domain name.
pub(super) fn email(text: &str) -> Result<String, PersonError> {
    let email = normalise_email(text);
    let refused = || PersonError::Email(text.chars().take(80).collect());
    let (local, domain) = email.rsplit_once('@').ok_or_else(refused)?;
    let good_local = (1..=64).contains(&local.len())
        && local.split('.').all(|atom| {
            !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        });
    let host = HostName::from_setting(domain).map_err(|_| refused())?;
    if good_local && !host.is_address() && email.len() <= EMAIL_BYTES_MAX {
        Ok(format!("{local}@{host}"))
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::email;

    #[test]
    fn addresses() {
        let table = [
            ("Trader@Aurora.Example ", Some("trader@aurora.example")),
            ("a.b+c@x.example", Some("a.b+c@x.example")),
            ("o'neil@bücher.example", Some("o'neil@xn--bcher-kva.example")),
            ("", None),
            ("a", None),
            ("@x.example", None),
            ("a@", None),
            ("a b@x.example", None),
            ("a@b@x.example", None),
            (".a@x.example", None),
            ("a..b@x.example", None),
            ("a@127.0.0.1", None),
            ("a@x.example\r\nBcc: b@x.example", None),
            ("\"a\"@x.example", None),
            ("a,b@x.example", None),
        ];
        for (text, expect) in table {
            assert_eq!(email(text).ok().as_deref(), expect, "{text:?}");
        }
        assert!(email(&format!("{}@x.example", "a".repeat(65))).is_err());
    }
}
