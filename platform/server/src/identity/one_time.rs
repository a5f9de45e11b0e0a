//! Tokens that work once: links in mails, sign-ins that wait for a second proof.
//!
//! Owns: their making, their end, and that one of many who show the same token wins. The text of a token is known to
//! whoever got the link; the database holds its hash. What a token is about lies with it as JSON and is no secret.

use crate::{
    problem::Problem,
    secrets::{self, NoRandomness, Token},
};
use marque_domain::{
    id::UserId,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
};
use marque_store::{OneTimeToken, StoreError, TenantDb, TokenHash};
use serde::{Serialize, de::DeserializeOwned};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $ttl:expr;)*) => {
        /// What a token is for. One kind's token is nothing to another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum TokenKind {
            $($(#[$doc])* $name,)*
        }

        impl TokenKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its stable name, as it is stored.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How long one lasts, in words.
            #[must_use]
            pub fn lasts(self) -> String {
                let (hours, minutes) = (self.ttl_ms() / HOUR_MS, self.ttl_ms() / MINUTE_MS);
                match (hours, minutes) {
                    (0, minutes) => format!("{minutes} minutes"),
                    (1, _) => "1 hour".to_owned(),
                    (hours, _) if hours > 48 => format!("{} days", hours / 24),
                    (hours, _) => format!("{hours} hours"),
                }
            }

            /// How long one lasts, in milliseconds.
            #[must_use]
            pub const fn ttl_ms(self) -> i64 {
                match self { $(Self::$name => $ttl,)* }
            }
        }
    };
}

kinds! {
    /// Shows that mail to an address reaches its owner.
    VerifyEmail, "verify-email", DAY_MS;
    /// Lets the owner of an address choose a new password.
    ResetPassword, "reset-password", HOUR_MS;
    /// Shows that mail to a new address reaches the person who wants it.
    ChangeEmail, "change-email", DAY_MS;
    /// Shows that who came by another site has the address of an account here.
    LinkSso, "link-sso", HOUR_MS;
    /// Lets somebody who was invited choose a password.
    Invitation, "invitation", 7 * DAY_MS;
    /// A sign-in that waits for a second proof.
    Challenge, "challenge", 10 * MINUTE_MS;
}

/// Why a token was not made or found.
#[derive(Debug, thiserror::Error)]
pub enum OneTimeError {
    /// The database refused or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no randomness for one.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// What it is about cannot be written or read.
    #[error("what a one-time token is about is not what its kind says: {0}")]
    Data(#[from] serde_json::Error),
}

impl From<OneTimeError> for Problem {
    fn from(error: OneTimeError) -> Self {
        match error {
            OneTimeError::Store(error) => error.into(),
            OneTimeError::NoRandomness(_) | OneTimeError::Data(_) => Self::internal(&error),
        }
    }
}

/// A token that was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// Whose it is.
    pub user: UserId,
    /// When it ends.
    pub expires_at: Millis,
    /// How often a further proof was tried with it.
    pub attempts: i64,
    data: String,
}

impl Redeemed {
    /// What it is about.
    ///
    /// # Errors
    /// [`OneTimeError::Data`] when it is about something else.
    pub fn data<D: DeserializeOwned>(&self) -> Result<D, OneTimeError> {
        Ok(serde_json::from_str(&self.data)?)
    }

    fn of(row: OneTimeToken) -> Self {
        Self { user: row.user, expires_at: row.expires_at, attempts: row.attempts, data: row.data }
    }
}

/// Makes a token of a person that lasts as long as its kind does, and its row, which the caller stores: alone by
/// [`issue`], or with the mail that carries it.
///
/// # Errors
/// [`OneTimeError::NoRandomness`], [`OneTimeError::Data`].
pub fn prepare<D: Serialize>(
    kind: TokenKind,
    user: UserId,
    data: &D,
    now: Millis,
) -> Result<(Token, OneTimeToken), OneTimeError> {
    let token = Token::new()?;
    let row = OneTimeToken {
        id: secrets::new_id(now)?,
        user,
        kind: kind.name().to_owned(),
        digest: TokenHash(token.digest().0),
        data: serde_json::to_string(data)?,
        attempts: 0,
        created_at: now,
        expires_at: now.plus(kind.ttl_ms()),
    };
    Ok((token, row))
}

/// Makes a token of a person. `data` is what it is about; never a secret.
///
/// # Errors
/// See [`OneTimeError`].
pub async fn issue<D: Serialize + Sync>(
    db: &TenantDb,
    kind: TokenKind,
    user: UserId,
    data: &D,
    now: Millis,
) -> Result<Token, OneTimeError> {
    let (token, row) = prepare(kind, user, data, now)?;
    db.create_one_time(&row).await?;
    Ok(token)
}

/// Uses a token up. Of all who ever show it, one gets an answer.
///
/// # Errors
/// [`OneTimeError::Store`].
pub async fn redeem(
    db: &TenantDb,
    kind: TokenKind,
    token: &Token,
    now: Millis,
) -> Result<Option<Redeemed>, OneTimeError> {
    Ok(db.use_one_time(kind.name(), hash(token), now).await?.map(Redeemed::of))
}

/// Whether a token could be used now, for a page that asks for more before it is.
///
/// # Errors
/// [`OneTimeError::Store`].
pub async fn look(
    db: &TenantDb,
    kind: TokenKind,
    token: &Token,
    now: Millis,
) -> Result<Option<Redeemed>, OneTimeError> {
    Ok(db.one_time(kind.name(), hash(token), now).await?.map(Redeemed::of))
}

/// Counts a try with a token that asks for a further proof, before the proof is looked at; none when it was tried
/// `attempts_max` times. Redeem it when the proof is good.
///
/// # Errors
/// [`OneTimeError::Store`].
pub async fn attempt(
    db: &TenantDb,
    kind: TokenKind,
    token: &Token,
    attempts_max: i64,
    now: Millis,
) -> Result<Option<Redeemed>, OneTimeError> {
    Ok(db.try_one_time(kind.name(), hash(token), attempts_max, now).await?.map(Redeemed::of))
}

/// Takes back all tokens of a person of these kinds.
///
/// # Errors
/// [`OneTimeError::Store`].
pub async fn revoke(db: &TenantDb, user: UserId, kinds: &[TokenKind]) -> Result<(), OneTimeError> {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    db.delete_one_time(user, &names).await?;
    Ok(())
}

fn hash(token: &Token) -> TokenHash {
    TokenHash(token.digest().0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Limits,
        identity::{NewPerson, Passwords, Role, create_person},
        secrets::Secret,
        testing::{NOON, TestStore, config},
    };
    use std::collections::BTreeSet;

    async fn person(db: &TenantDb, email: &str) -> UserId {
        let limits: Limits = config("").limits;
        let new = NewPerson {
            email: email.to_owned(),
            display_name: "Ann".to_owned(),
            password: Secret::new("aurora password".to_owned()),
            role: Role::Trader,
        };
        create_person(db, &Passwords::new(&limits).unwrap(), new, NOON).await.unwrap().id
    }

    async fn two_tenants() -> (TestStore, TenantDb, TenantDb) {
        let store = TestStore::with_demo(&[]).await;
        let ids: Vec<_> = store.system().tenants().await.unwrap().iter().map(|t| t.id).collect();
        let (here, there) = (store.system().tenant_db(ids[0]), store.system().tenant_db(ids[1]));
        (store, here, there)
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: BTreeSet<_> = TokenKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), TokenKind::ALL.len());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_of_a_hundred_redeems() {
        let (_store, db, _) = two_tenants().await;
        let user = person(&db, "ann@x.example").await;
        let token = issue(&db, TokenKind::ResetPassword, user, &"data", NOON).await.unwrap();
        let tries = (0..100).map(|_| {
            let (db, token) = (db.clone(), token.clone());
            tokio::spawn(async move { redeem(&db, TokenKind::ResetPassword, &token, NOON).await.unwrap() })
        });
        let mut won = Vec::new();
        for one in tries.collect::<Vec<_>>() {
            won.extend(one.await.unwrap());
        }
        assert_eq!(won.len(), 1);
        assert_eq!((won[0].user, won[0].data::<String>().unwrap().as_str()), (user, "data"));
        assert!(won[0].data::<u32>().is_err());
    }

    #[tokio::test]
    async fn a_token_is_of_one_kind_one_tenant_and_one_hour() {
        let (_store, db, other) = two_tenants().await;
        let user = person(&db, "ann@x.example").await;
        let token = issue(&db, TokenKind::ResetPassword, user, &(), NOON).await.unwrap();
        let end = NOON.plus(HOUR_MS);
        let usable = async |db: &TenantDb, kind, token: &Token, at| look(db, kind, token, at).await.unwrap().is_some();
        assert!(usable(&db, TokenKind::ResetPassword, &token, end.plus(-1)).await);
        assert!(!usable(&db, TokenKind::ResetPassword, &token, end).await);
        assert!(!usable(&db, TokenKind::VerifyEmail, &token, NOON).await);
        assert!(!usable(&other, TokenKind::ResetPassword, &token, NOON).await);
        assert!(!usable(&db, TokenKind::ResetPassword, &Token::new().unwrap(), NOON).await);
        // A new one sweeps what has ended; then the clock is set back.
        issue(&db, TokenKind::VerifyEmail, user, &(), end).await.unwrap();
        assert!(!usable(&db, TokenKind::ResetPassword, &token, NOON).await, "what has ended does not come back");
    }

    #[tokio::test]
    async fn tries_are_counted_and_the_oldest_of_many_tokens_gives_way() {
        let (_store, db, _) = two_tenants().await;
        let user = person(&db, "ann@x.example").await;
        let kind = TokenKind::Challenge;
        let first = issue(&db, kind, user, &(), NOON).await.unwrap();
        for n in 1..=3 {
            assert_eq!(attempt(&db, kind, &first, 3, NOON).await.unwrap().unwrap().attempts, n);
        }
        assert_eq!(attempt(&db, kind, &first, 3, NOON).await.unwrap(), None);
        for n in 1..=8 {
            assert!(look(&db, kind, &first, NOON).await.unwrap().is_some(), "{n}");
            issue(&db, kind, user, &(), NOON.plus(n)).await.unwrap();
        }
        assert_eq!(look(&db, kind, &first, NOON).await.unwrap(), None);
        let last = issue(&db, kind, user, &(), NOON.plus(9)).await.unwrap();
        revoke(&db, user, &[kind]).await.unwrap();
        assert_eq!(redeem(&db, kind, &last, NOON).await.unwrap(), None);
    }
}
