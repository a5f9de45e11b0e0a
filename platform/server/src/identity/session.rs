//! Sessions: opened at sign-in, found by the hash of a random token, ended by time or by their owner.

use super::{Role, admission::Proven, place::Place};
use crate::{
    config::Sessions,
    problem::Problem,
    secrets::{self, NoRandomness, Token},
};
use marque_domain::{
    id::{SessionId, UserId},
    time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
};
use marque_store::{Concealed, Session, StoreError, TenantDb, TokenHash, User, UserStatus};

/// That a session was used is written at most this often: a page with twenty parts is one write, not twenty.
const TOUCH_EVERY_MS: i64 = MINUTE_MS;
/// What is kept of a browser's name for itself.
const AGENT_CHARS_MAX: usize = 200;

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionPolicy {
    idle_ms: i64,
    absolute_ms: i64,
}

/// Why a session was not opened or found.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => error.into(),
            SessionError::NoRandomness(error) => Self::internal(&error),
        }
    }
}

/// A session with whose it is.
pub(super) struct Found {
    pub(super) session: Session,
    pub(super) person: Person,
}

/// Somebody who may act, and as what.
pub(super) struct Person {
    pub(super) user: User,
    pub(super) role: Role,
}

impl SessionPolicy {
    pub(super) fn new(config: Sessions) -> Self {
        Self {
            idle_ms: i64::from(config.idle_h).saturating_mul(HOUR_MS),
            absolute_ms: i64::from(config.absolute_d).saturating_mul(DAY_MS),
        }
    }

    /// How long a browser keeps the cookie; the server decides earlier.
    pub(super) const fn cookie_s(self) -> i64 {
        self.absolute_ms / 1_000
    }

    fn end(self, created: Millis, seen: Millis) -> Millis {
        seen.plus(self.idle_ms).min(created.plus(self.absolute_ms))
    }

    /// Opens a session and answers it with the token for the cookie.
    pub(super) async fn open(
        self,
        db: &TenantDb,
        proven: &Proven<'_>,
        now: Millis,
    ) -> Result<(SessionId, Token), SessionError> {
        let token = Token::new()?;
        let session = Session {
            id: SessionId(secrets::new_id(now)?),
            token_hash: TokenHash(token.digest().0),
            user: proven.user.id,
            csrf: Concealed::new(Token::new()?.expose()),
            created_at: now,
            last_seen_at: now,
            expires_at: self.end(now, now),
            address: proven.recorder.origin().address.clone(),
            agent: agent_text(&proven.recorder.origin().agent),
            method: proven.method.name().to_owned(),
            // Another site may know them from long ago, or from who sits before their browser.
            proved_at: proven.shown_at.map_or(now, |at| at.min(now)),
            country: Place::of(proven.client()).code(),
            device: None,
        };
        db.create_session(&session).await?;
        // Swept here, where it is rare: one that ended must not come back with a clock that is set back.
        db.delete_ended_sessions(now).await?;
        Ok((session.id, token))
    }

    /// The session of a token at this tenant, if it has not ended; notes that it was used.
    pub(super) async fn find(self, db: &TenantDb, token: &Token, now: Millis) -> Result<Option<Found>, SessionError> {
        let found = db.session_and_user(TokenHash(token.digest().0), now).await?;
        let Some((session, user)) = found else { return Ok(None) };
        // The setting may have become stricter since the session was last used.
        if self.end(session.created_at, session.last_seen_at) <= now {
            return Ok(None);
        }
        if now.since(session.last_seen_at) >= TOUCH_EVERY_MS
            && !db.touch_session(session.id, now, self.end(session.created_at, now)).await?
        {
            return Ok(None);
        }
        Ok(active(user).map(|person| Found { session, person }))
    }
}

/// Who somebody is now, if they may act: what is signed in goes by the role of this moment, and ends for who was shut
/// out.
pub(super) async fn person(db: &TenantDb, user: UserId) -> Result<Option<Person>, StoreError> {
    match db.user(user).await {
        Ok(user) => Ok(active(user)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn active(user: User) -> Option<Person> {
    if user.status != UserStatus::Active {
        return None;
    }
    match user.role.parse::<Role>() {
        Ok(role) => Some(Person { user, role }),
        Err(error) => {
            tracing::error!(user = %user.id, %error, "a person's role is not known; they are not signed in");
            None
        }
    }
}

/// What is kept of a client's name for itself.
pub(super) fn agent_text(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect()
}
