//! A program signs in with its owner's password, and from then on renews what it has.

use super::token::{self, Kind};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::{ClientAddress, Tenant},
    identity::{
        Identity, Visit,
        admission::{Demand, Method, Proven},
        devices::Stranger,
        place::Place,
        session,
    },
    problem::{Problem, ProblemCode},
    secrets::{self, NoRandomness, Secret},
};
use marque_domain::{
    id::{GrantId, UserId},
    time::{DAY_MS, MINUTE_MS, Millis},
};
use marque_store::{Grant, GrantToken, NewGrantTokens, Rotation, TokenHash};
use serde_json::{Value, json};

/// How long an access token opens the API.
const ACCESS_MS: i64 = 10 * MINUTE_MS;
/// How long a program may stay away before its refresh token is worth nothing.
const REFRESH_MS: i64 = 30 * DAY_MS;
/// When it must sign in again, however diligent it is.
const GRANT_MS: i64 = 90 * DAY_MS;
/// Programs of one person that are signed in at once; of more the oldest is signed out.
const GRANTS_MAX: u64 = 50;

/// What a program gets: two texts that are shown this once.
pub struct AccessTokens {
    /// Opens the API.
    pub access: Secret,
    /// Seconds until it ends.
    pub access_s: i64,
    /// Is exchanged, once, for the next two.
    pub refresh: Secret,
    /// Seconds until it ends.
    pub refresh_s: i64,
    /// In whose name.
    pub user: UserId,
    /// The grant that both belong to.
    pub grant: GrantId,
}

/// Both tokens, and how they are stored.
struct Pair {
    access: String,
    refresh: String,
    stored: NewGrantTokens,
}

impl Pair {
    fn make(now: Millis, grant_ends: Millis) -> Result<Self, NoRandomness> {
        let (access, access_hash) = token::make(Kind::Access)?;
        let (refresh, refresh_hash) = token::make(Kind::Refresh)?;
        let stored = |hash: TokenHash, for_ms: i64| -> Result<GrantToken, NoRandomness> {
            Ok(GrantToken { id: secrets::new_id(now)?, hash, expires_at: now.plus(for_ms).min(grant_ends) })
        };
        let stored =
            NewGrantTokens { access: stored(access_hash, ACCESS_MS)?, refresh: stored(refresh_hash, REFRESH_MS)? };
        Ok(Self { access, refresh, stored })
    }

    fn show(self, grant: &Grant, now: Millis) -> AccessTokens {
        let seconds = |token: GrantToken| token.expires_at.min(grant.expires_at).since(now) / 1_000;
        AccessTokens {
            access_s: seconds(self.stored.access),
            refresh_s: seconds(self.stored.refresh),
            access: Secret::new(self.access),
            refresh: Secret::new(self.refresh),
            user: grant.user,
            grant: grant.id,
        }
    }
}

impl Identity {
    /// Signs a program in with its owner's address and password. Its owner is told by mail, unless one of the same name is signed
    /// in from the same address.
    ///
    /// # Errors
    /// [`ProblemCode::WrongCredentials`], one answer for whatever does not fit; [`ProblemCode::CodeRequired`] when a
    /// second proof is asked for and `code` is none; [`ProblemCode::TooManyRequests`].
    pub async fn sign_in_program(
        &self,
        visit: &Visit,
        email: &str,
        password: Secret,
        code: Option<&str>,
    ) -> Result<AccessTokens, Problem> {
        let (tenant, client, recorder) = (&visit.tenant, visit.client, visit.recorder());
        let user = self.prove_password(tenant, ClientAddress(client), recorder, email, password).await?;
        let proven = Proven { user, method: Method::Password, recorder, next: "", shown_at: None };
        if session::person(tenant.db(), proven.user.id).await?.is_none() {
            failed(tenant, &proven, "suspended").await?;
            return Err(Problem::new(ProblemCode::WrongCredentials, "Check both and try again."));
        }
        let now = self.0.clock.now();
        self.check_code(tenant, &proven, code, now).await?;
        let user = &proven.user;
        let grant = Grant {
            id: GrantId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
            user: user.id,
            address: client.to_string(),
            agent: session::agent_text(&recorder.origin().agent),
            created_at: now,
            last_used_at: now,
            expires_at: now.plus(GRANT_MS),
        };
        let pair = Pair::make(now, grant.expires_at).map_err(|error| Problem::internal(&error))?;
        let is_same = |other: &Grant| (&other.address, &other.agent) == (&grant.address, &grant.agent);
        let is_known = tenant.db().grants_of(user.id, now).await?.iter().any(is_same);
        tenant.db().create_grant(&grant, &pair.stored, GRANTS_MAX).await?;
        if let Err(ended) = self.check_still(tenant, &proven).await {
            tenant.db().end_grant(user.id, grant.id, now).await?;
            return Err(ended);
        }
        let actor = Actor::Person { id: user.id, name: user.email.clone() };
        recorder.record(tenant.db(), actor, Act::ApiGrantOpened, grant.id.to_string(), Value::Null).await?;
        tracing::info!(user = %user.id, grant = %grant.id, %client, "a program signed in");
        if !is_known {
            let (country, Grant { agent, address, .. }) = (Place::of(client).code(), &grant);
            let stranger =
                Stranger { what: "program", user: user.id, agent, address, country: country.as_deref(), at: now };
            self.tell(tenant, &visit.host, stranger).await?;
        }
        Ok(pair.show(&grant, now))
    }

    /// A program has no page to be asked on, so its owner's second factor comes with the password.
    /// Without one, a sign-in that looks unusual is confirmed on the site: a page asks for what was mailed.
    async fn check_code(
        &self,
        tenant: &Tenant,
        proven: &Proven<'_>,
        code: Option<&str>,
        now: Millis,
    ) -> Result<(), Problem> {
        let user = &proven.user;
        if !tenant.db().second_factors(user.id).await?.are_on() {
            if self.is_unusual(tenant, proven).await? {
                failed(tenant, proven, "unusual").await?;
                let detail = "This sign-in looks unusual. Sign in on the site from here once, then try again.";
                return Err(Problem::new(ProblemCode::StepUpRequired, detail));
            }
            return Ok(());
        }
        let asked = |detail| Err(Problem::new(ProblemCode::CodeRequired, detail));
        let demand = Demand::SecondFactor.name();
        let Some(code) = code else {
            proven.note(tenant, Act::SignInChallenged, json!({ "by": proven.method.name(), "for": [demand] })).await?;
            return asked("Send a code of the app, or a backup code, as `code`.");
        };
        self.count_proof_try(tenant, user, now).await?;
        if !self.take_code(tenant, proven.recorder, user, code, now).await? {
            failed(tenant, proven, demand).await?;
            return asked("This code is not right or was used; send the next one.");
        }
        Ok(tenant.db().forget_proof_tries(user.id).await?)
    }

    /// Exchanges a refresh token for new tokens.
    ///
    /// # Errors
    /// [`ProblemCode::InvalidToken`], one answer for whatever is wrong with it.
    pub async fn renew(&self, tenant: &Tenant, recorder: &Recorder, refresh: &Secret) -> Result<AccessTokens, Problem> {
        let refused = || Problem::new(ProblemCode::InvalidToken, "Sign in again to get new tokens.");
        let Some((Kind::Refresh, old)) = token::read(refresh.expose()) else { return Err(refused()) };
        let now = self.0.clock.now();
        // How long the grant lasts is not known yet: what outlasts it is cut when it is looked up.
        let pair = Pair::make(now, Millis(i64::MAX)).map_err(|error| Problem::internal(&error))?;
        let grant = match tenant.db().rotate(old, &pair.stored, now).await? {
            Rotation::Rotated(grant) => grant,
            Rotation::Reused(grant) => {
                tracing::warn!(user = %grant.user, grant = %grant.id, "a refresh token was used twice; its grant has ended");
                record(tenant, recorder, &grant, Act::ApiTokenReused).await?;
                return Err(refused());
            }
            Rotation::Unknown => return Err(refused()),
        };
        if session::person(tenant.db(), grant.user).await?.is_none() {
            return Err(refused());
        }
        Ok(pair.show(&grant, now))
    }

    /// Signs a program out: the grant of the token ends, whichever of its tokens it is. That a token is unknown is no
    /// error (RFC 7009): it opens nothing, which is what was wanted.
    ///
    /// # Errors
    /// That the database does not answer.
    pub async fn sign_out_program(&self, tenant: &Tenant, recorder: &Recorder, token: &Secret) -> Result<(), Problem> {
        let Some((Kind::Access | Kind::Refresh, hash)) = token::read(token.expose()) else { return Ok(()) };
        if let Some(grant) = tenant.db().end_grant_of(hash, self.0.clock.now()).await? {
            record(tenant, recorder, &grant, Act::ApiGrantRevoked).await?;
            tracing::info!(user = %grant.user, grant = %grant.id, "a program signed out");
        }
        Ok(())
    }
}

/// Records that somebody with the right password was not let in.
async fn failed(tenant: &Tenant, proven: &Proven<'_>, reason: &str) -> Result<(), Problem> {
    proven.note(tenant, Act::SignInFailed, json!({ "by": proven.method.name(), "reason": reason })).await
}

/// Records what became of a grant, in the name of whom it speaks for.
async fn record(tenant: &Tenant, recorder: &Recorder, grant: &Grant, act: Act) -> Result<(), Problem> {
    let name = tenant.db().user(grant.user).await?.email;
    let actor = match act {
        // Whoever showed it need not be the person.
        Act::ApiTokenReused => Actor::Nobody { name },
        _ => Actor::Person { id: grant.user, name },
    };
    Ok(recorder.record(tenant.db(), actor, act, grant.id.to_string(), Value::Null).await?)
}
