//! From the first click to a person: what is kept in between, and that an answer counts once and only where it was asked.

use super::{
    Refused, Sso,
    answer::Answer,
    arrival::{self, Arrival},
    connection::{Connection, domain},
    provider::{Hidden, Known},
};
use crate::{
    edge::{Origin, Tenant},
    identity::mail_address,
    problem::Problem,
    secrets::{self, Place, TenantKeys, Token},
};
use marque_domain::{
    id::UserId,
    time::{MINUTE_MS, Millis},
};
use marque_store::{
    Concealed, SealedColumn, SsoAttempt, SsoIdentity, StoreError, TenantDb, User, UserStatus, normalise_email,
};

/// How long somebody may take at the issuer.
pub(super) const ATTEMPT_MS: i64 = 10 * MINUTE_MS;

/// What somebody wants to happen when they come back.
pub(super) struct Errand<'a> {
    /// Where they go then: a path of this site.
    pub(super) next: &'a str,
    /// What for.
    pub(super) purpose: Purpose,
}

/// What somebody goes to an issuer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To sign in.
    SignIn,
    /// To link who they are there.
    Link(UserId),
    /// To show anew that it is them.
    Prove(UserId),
}

impl Purpose {
    /// Who is signed in already.
    const fn person(self) -> Option<UserId> {
        match self {
            Self::SignIn => None,
            Self::Link(user) | Self::Prove(user) => Some(user),
        }
    }
}

/// Somebody is on their way to an issuer.
pub(super) struct Leaving {
    /// Where to.
    pub(super) url: String,
    /// What the button said.
    pub(super) name: String,
    /// For the cookie that only this browser has.
    pub(super) browser: Token,
}

/// An answer that held.
pub(super) struct Returned {
    pub(super) connection: Connection,
    pub(super) next: String,
    pub(super) purpose: Purpose,
    pub(super) known: Known,
    /// The name that nobody vouches for.
    said_name: Option<String>,
}

/// An answer of an attempt that was ours, but did not hold.
pub(super) struct Failed {
    pub(super) connection: Option<Connection>,
    pub(super) refused: Refused,
}

impl<E: Into<Refused>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { connection: None, refused: error.into() }
    }
}

impl Sso {
    /// Remembers an attempt and says where the browser goes.
    pub(super) async fn begin(
        &self,
        tenant: &Tenant,
        slug: &str,
        origin: &Origin,
        browser: Option<Token>,
        errand: Errand<'_>,
    ) -> Result<Leaving, Refused> {
        let (db, now) = (tenant.db(), self.0.clock.now());
        let connection = self.enabled(db, slug).await?;
        let keys = self.keys(db).await?;
        let client = connection.client(&keys)?;
        let asked_at = matches!(errand.purpose, Purpose::Prove(_)).then_some(now);
        let begun = self.0.providers.begin(db.tenant(), &client, &return_address(origin, slug), asked_at).await?;
        // One cookie for all attempts of a browser: two tabs do not shut each other out.
        let browser = browser.map_or_else(Token::new, Ok)?;
        let digest = begun.state.digest().0;
        let hidden = serde_json::to_vec(&begun.hidden).map_err(|_| Refused::Corrupt)?;
        let attempt = SsoAttempt {
            digest,
            connection: connection.row.id,
            browser: browser.digest().0,
            secrets: keys.seal(&place(digest), &hidden)?,
            next: errand.next.to_owned(),
            user: errand.purpose.person(),
            created_at: now,
            expires_at: now.plus(ATTEMPT_MS),
        };
        db.begin_sso_attempt(&attempt).await?;
        Ok(Leaving { url: begun.url, name: connection.row.name, browser })
    }

    /// Takes an answer to who it is about. Whatever comes of it, the attempt is used up.
    pub(super) async fn finish(
        &self,
        tenant: &Tenant,
        slug: &str,
        browser: Option<Token>,
        answer: &Answer,
    ) -> Result<Returned, Failed> {
        let (db, now) = (tenant.db(), self.0.clock.now());
        let state = Token::parse(&answer.state).ok_or(Refused::NoAttempt)?;
        let browser = browser.ok_or(Refused::NoAttempt)?;
        let connection = self.enabled(db, slug).await?;
        let taken = db.take_sso_attempt(state.digest().0, connection.row.id, browser.digest().0, now).await?;
        let attempt = taken.ok_or(Refused::NoAttempt)?;
        let keys = self.keys(db).await?;
        match self.known(&keys, &connection, &attempt, answer, now).await {
            Ok((known, purpose)) => {
                let (next, said_name) = (attempt.next, answer.name());
                Ok(Returned { connection, next, purpose, known, said_name })
            }
            Err(refused) => Err(Failed { connection: Some(connection), refused }),
        }
    }

    async fn known(
        &self,
        keys: &TenantKeys,
        connection: &Connection,
        attempt: &SsoAttempt,
        answer: &Answer,
        now: Millis,
    ) -> Result<(Known, Purpose), Refused> {
        let client = connection.client(keys)?;
        let opened = keys.open(&place(attempt.digest), &attempt.secrets)?;
        let hidden: Hidden = serde_json::from_slice(opened.expose()).map_err(|_| Refused::Corrupt)?;
        let purpose = match (attempt.user, hidden.asked_at) {
            (None, _) => Purpose::SignIn,
            (Some(user), None) => Purpose::Link(user),
            (Some(user), Some(_)) => Purpose::Prove(user),
        };
        let mut known = self.0.providers.finish(keys.tenant(), &client, &hidden, answer, now).await?;
        let at = known.email.as_deref().and_then(domain);
        known.email_verified &= at.is_none_or(|at| connection.vouches(&at, known.organisation.as_deref()));
        Ok((known, purpose))
    }

    /// The person of an answer; somebody new is added. Answers also whether they are.
    pub(super) async fn person(&self, db: &TenantDb, returned: &Returned) -> Result<(User, bool), Refused> {
        let (known, now) = (&returned.known, self.0.clock.now());
        let identity = db.sso_identity(&known.issuer, &known.subject).await?;
        let taken = match &known.email {
            Some(email) if identity.is_none() => db.user_by_email(email).await?.is_some(),
            _ => false,
        };
        let arrival = arrival::decide(&returned.connection, identity.as_ref(), known, taken)?;
        let all = self.connections(db).await?;
        match arrival {
            Arrival::Person(user) => {
                let user = db.user(user).await?;
                arrival::check_way(&all, &returned.connection, &user.email)?;
                db.touch_sso_identity(&self.identity_of(returned, user.id, now)).await?;
                Ok((user, false))
            }
            Arrival::New { email } => {
                arrival::check_way(&all, &returned.connection, &email)?;
                self.welcome(db, returned, &email, now).await
            }
        }
    }

    async fn welcome(
        &self,
        db: &TenantDb,
        returned: &Returned,
        email: &str,
        now: Millis,
    ) -> Result<(User, bool), Refused> {
        let email = mail_address(email).ok_or(Refused::Unverified)?;
        let said = [returned.known.name.clone(), returned.said_name.clone()];
        let user = User {
            id: UserId(secrets::new_id(now)?),
            display_name: arrival::display_name(said, &email),
            email,
            // None: they come this way, or set one by mail.
            password_hash: Concealed::new(String::new()),
            role: crate::identity::Role::Trader.name().to_owned(),
            created_at: now,
            email_verified_at: Some(now),
            status: UserStatus::Active,
            plan: None,
            failures: 0,
            failed_at: None,
        };
        match db.create_user_of_sso(&user, &self.identity_of(returned, user.id, now)).await {
            Ok(()) => Ok((user, true)),
            // Another tab was faster with this person, or somebody else with the address.
            Err(StoreError::Conflict(_)) => {
                match db.sso_identity(&returned.known.issuer, &returned.known.subject).await? {
                    Some(identity) => Ok((db.user(identity.user).await?, false)),
                    None => Err(Refused::AddressTaken),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Links the identity of an answer to who asked for it.
    pub(super) async fn link(&self, db: &TenantDb, returned: &Returned, user: UserId) -> Result<(), Refused> {
        let known = &returned.known;
        let identity = self.identity_of(returned, user, self.0.clock.now());
        match db.link_sso_identity(&identity).await {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict(_)) => {
                match db.sso_identity(&known.issuer, &known.subject).await? {
                    Some(found) if found.user == user => Ok(()),
                    Some(_) => Err(Refused::IdentityTaken),
                    // Nobody's: it was one too many.
                    None => Err(Refused::TooManyIdentities),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an answer is about who is signed in, by a connection that they may come by.
    pub(super) async fn check_same(&self, db: &TenantDb, returned: &Returned, user: UserId) -> Result<(), Refused> {
        let (known, user) = (&returned.known, db.user(user).await?);
        let identity = db.sso_identity(&known.issuer, &known.subject).await?;
        identity.filter(|identity| identity.user == user.id).ok_or(Refused::OtherIdentity)?;
        arrival::check_way(&self.connections(db).await?, &returned.connection, &user.email)?;
        Ok(db.touch_sso_identity(&self.identity_of(returned, user.id, self.0.clock.now())).await?)
    }

    /// Whom an answer is about, when their address is somebody's here and their domain must come by this connection: then
    /// who reads its mail may take the account along.
    pub(super) fn claimed<'a>(&self, returned: &'a Returned) -> Option<(&'a str, SsoIdentity)> {
        let email = returned.known.email.as_deref().filter(|_| returned.known.email_verified)?;
        let claims = domain(email).is_some_and(|domain| returned.connection.claims(&domain));
        // Whose account it is, is looked up by its address.
        claims.then(|| (email, self.identity_of(returned, UserId(0), self.0.clock.now())))
    }

    fn identity_of(&self, returned: &Returned, user: UserId, now: Millis) -> SsoIdentity {
        let known = &returned.known;
        SsoIdentity {
            issuer: known.issuer.clone(),
            subject: known.subject.clone(),
            user,
            connection: returned.connection.row.id,
            email: known.email.as_deref().map(normalise_email).unwrap_or_default(),
            created_at: now,
            last_used_at: now,
        }
    }

    /// The connections by which people with this address must come, with their ids; none when they may come as they like.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn required(&self, db: &TenantDb, email: &str) -> Result<Vec<(i64, super::Way)>, Problem> {
        let Some(domain) = domain(email) else { return Ok(Vec::new()) };
        let all = self.connections(db).await.map_err(Problem::from)?;
        let claiming = all.iter().filter(|connection| connection.claims(&domain));
        Ok(claiming.map(|connection| (connection.row.id, super::Way::of(connection))).collect())
    }
}

fn place(digest: [u8; 32]) -> Place {
    Place::new(SealedColumn::SsoAttempts, digest.to_vec())
}

/// Where the issuer sends the browser back to: the site as it was asked for, which is one of the tenant's hosts.
pub(super) fn return_address(origin: &Origin, slug: &str) -> String {
    let scheme = if origin.secure { "https" } else { "http" };
    let port = origin.authority.port.map_or_else(String::new, |port| format!(":{port}"));
    format!("{scheme}://{}{port}/sso/{slug}/callback", origin.authority.host)
}
