//! Admission: the one place where a proven person gets a session or must show more.
//!
//! Owns: what is demanded of whom, and sign-ins that wait for it. However somebody proved who they are (password,
//! passkey, another site), they end here, so that nothing which is asked of one way can be forgotten on another.
//! Refuses to know: how a proof is checked (`factors`) and what the pages look like.
//!
//! A sign-in that waits is a one-time token in a cookie of its own: it opens nothing. Tries are counted on its row before
//! a proof is looked at, so that a hundred at once are five; the row is used up before a session is opened, so that
//! a hundred right ones are one.

use super::{
    Identity, cookies, factors,
    limits::Left,
    one_time::{self, TokenKind},
    signed_in::SignedIn,
};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::Tenant,
    hex::hex,
    problem::{Problem, ProblemCode},
    secrets::Token,
};
use core::net::{IpAddr, Ipv4Addr};
use marque_domain::{id::UserId, time::Millis};
use marque_store::{User, UserStatus};
use poem::{
    IntoResponse as _, Request, Response,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Wrong proofs after which a sign-in must begin anew.
const TRIES_OF_CHALLENGE: i64 = 5;
/// Wrong proofs of one person, over all their sign-ins and confirmations, in [`WINDOW_S`].
const TRIES_OF_PERSON: u32 = 10;
const WINDOW_S: u32 = 15 * 60;
/// Where a sign-in that waits goes on.
pub(crate) const MORE: &str = "/sign-in/more";
/// Where it begins anew after it waited too long or was tried too often.
const ANEW: &str = "/sign-in?again=1";

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By a password.
    Password,
    /// By a passkey, which needed its owner's finger, face or PIN.
    Passkey,
    /// By another site that the brand trusts.
    Sso,
}

impl Method {
    /// A stable name, as it is stored with the session.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Sso => "sso",
        }
    }
}

/// Somebody who proved who they are, and from where.
pub struct Proven<'a> {
    /// Who.
    pub user: User,
    /// How.
    pub method: Method,
    /// From where, and who notes it.
    pub recorder: &'a Recorder,
    /// Where they want to go: a path of this site.
    pub next: &'a str,
    /// When they last showed another site who they are, where it says; none when it was just now, and here.
    pub shown_at: Option<Millis>,
}

impl Proven<'_> {
    /// The client's address; none that can be placed when it is not known.
    pub(super) fn client(&self) -> IpAddr {
        self.recorder.origin().address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Notes in the audit log what became of them.
    pub(super) async fn note(&self, tenant: &Tenant, act: Act, details: Value) -> Result<(), Problem> {
        let actor = Actor::Person { id: self.user.id, name: self.user.email.clone() };
        Ok(self.recorder.record(tenant.db(), actor, act, self.user.id.to_string(), details).await?)
    }
}

/// What somebody must show besides. Met one after the other, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Demand {
    /// A code of their app, a backup code or a passkey.
    SecondFactor,
    /// The code that was mailed because the sign-in looks unusual.
    MailedCode {
        /// What knows the code again.
        mac: String,
    },
}

impl Demand {
    /// What the audit log calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::SecondFactor => "second-factor",
            Self::MailedCode { .. } => "mailed-code",
        }
    }
}

/// What came of a sign-in.
pub enum Admission {
    /// A session; its token is for the cookie.
    Session {
        /// The session's token.
        token: Token,
        /// Where to go.
        next: String,
    },
    /// More is asked for.
    Challenge {
        /// What the browser keeps until it is answered.
        token: Token,
    },
}

/// A sign-in that waits for a proof.
pub struct Waiting {
    /// Whose it is.
    pub user: User,
    demands: Vec<Demand>,
}

impl Waiting {
    /// What it waits for now.
    #[must_use]
    pub fn demand(&self) -> Option<&Demand> {
        self.demands.first()
    }
}

/// What is stored of it.
#[derive(Serialize, Deserialize)]
struct Stored {
    method: Method,
    demands: Vec<Demand>,
    next: String,
    /// Which password the person had when it began. One from before this was stored is none's.
    #[serde(default)]
    password: String,
}

/// Tells a person's password from those before and after it, without telling what is stored of it.
fn mark(user: &User) -> String {
    let digest = Sha256::digest(user.password_hash.expose());
    hex(digest.get(..16).unwrap_or_default())
}

/// A proof for what a sign-in waits for.
pub enum Proof<'a> {
    /// What was typed.
    Code(&'a str),
    /// Whose passkey answered, when the answer was right.
    Passkey(Option<UserId>),
}

/// What came of a proof.
pub enum Answered {
    /// It was right.
    Admitted(Admission),
    /// It was not; so many tries are left.
    Wrong {
        /// How many.
        left: i64,
    },
    /// The sign-in must begin anew.
    Over,
}

impl Identity {
    /// Gives a proven person a session, or says what they must show besides. Every way of signing in ends here.
    ///
    /// # Errors
    /// [`ProblemCode::Suspended`] when the brand has shut them out, [`ProblemCode::SsoRefused`] when they must come by
    /// another site; that the database does not answer.
    pub async fn admit(&self, tenant: &Tenant, proven: Proven<'_>) -> Result<Admission, Problem> {
        self.check_way_of(tenant, &proven).await?;
        let demands = self.demands(tenant, &proven).await?;
        self.proceed(tenant, proven, demands).await
    }

    /// Whether they may come in this way; that they may not is noted.
    async fn check_way_of(&self, tenant: &Tenant, proven: &Proven<'_>) -> Result<(), Problem> {
        let Err(other_way) = self.check_way(tenant, &proven.user, proven.method).await else { return Ok(()) };
        proven.note(tenant, Act::SignInFailed, json!({ "by": proven.method.name(), "reason": "other-way" })).await?;
        Err(other_way)
    }

    /// Whether what they showed counts after something was opened by it. A connection may have claimed their domain meanwhile, or
    /// the password been changed, too early to find what was just opened among what that ends.
    pub(super) async fn check_still(&self, tenant: &Tenant, proven: &Proven<'_>) -> Result<(), Problem> {
        self.check_way_of(tenant, proven).await?;
        if tenant.db().user(proven.user.id).await?.password_hash == proven.user.password_hash {
            return Ok(());
        }
        let details = json!({ "by": proven.method.name(), "reason": "password-changed" });
        proven.note(tenant, Act::SignInFailed, details).await?;
        Err(Problem::new(ProblemCode::WrongCredentials, "Your password was changed meanwhile. Sign in again."))
    }

    /// What is asked of somebody besides what they have shown. What asks for more adds its demand here.
    async fn demands(&self, tenant: &Tenant, proven: &Proven<'_>) -> Result<Vec<Demand>, Problem> {
        let mut demands = Vec::new();
        // A passkey is two factors: the device, and the finger, face or PIN that it asked for.
        if proven.method != Method::Passkey && tenant.db().second_factors(proven.user.id).await?.are_on() {
            demands.push(Demand::SecondFactor);
        }
        if demands.is_empty() && self.is_unusual(tenant, proven).await? {
            demands.push(self.mail_code(tenant, proven, &TokenKind::Challenge.lasts()).await?);
        }
        Ok(demands)
    }

    async fn proceed(&self, tenant: &Tenant, proven: Proven<'_>, demands: Vec<Demand>) -> Result<Admission, Problem> {
        let (parts, now, user) = (&self.0, self.0.clock.now(), &proven.user);
        let by = proven.method.name();
        if user.status != UserStatus::Active {
            proven.note(tenant, Act::SignInFailed, json!({ "by": by, "reason": "suspended" })).await?;
            let detail = "Ask the people who run this site; what you keep here is not lost.";
            return Err(Problem::new(ProblemCode::Suspended, detail));
        }
        if demands.is_empty() {
            let (session, token) = parts.sessions.open(tenant.db(), &proven, now).await?;
            if let Err(ended) = self.check_still(tenant, &proven).await {
                tenant.db().delete_session(session).await?;
                return Err(ended);
            }
            proven.note(tenant, Act::SignIn, json!({ "by": by })).await?;
            tracing::info!(user = %user.id, client = proven.recorder.origin().address, by, "signed in");
            return Ok(Admission::Session { token, next: proven.next.to_owned() });
        }
        let (method, next, password) = (proven.method, proven.next.to_owned(), mark(user));
        let stored = Stored { method, demands, next, password };
        let names: Vec<&str> = stored.demands.iter().map(Demand::name).collect();
        let token = one_time::issue(tenant.db(), TokenKind::Challenge, user.id, &stored, now).await?;
        proven.note(tenant, Act::SignInChallenged, json!({ "by": by, "for": names })).await?;
        Ok(Admission::Challenge { token })
    }

    /// The sign-in of this browser that waits, if there is one.
    ///
    /// # Errors
    /// That the database does not answer.
    pub async fn waiting(&self, tenant: &Tenant, request: &Request) -> Result<Option<Waiting>, Problem> {
        let Some(token) = cookies::token(request.headers(), cookies::MORE) else { return Ok(None) };
        let found = one_time::look(tenant.db(), TokenKind::Challenge, &token, self.0.clock.now()).await?;
        let Some(found) = found.filter(|found| found.attempts < TRIES_OF_CHALLENGE) else { return Ok(None) };
        let Stored { demands, .. } = found.data()?;
        let user = tenant.db().user(found.user).await?;
        Ok(Some(Waiting { user, demands }))
    }

    /// Takes a proof for the sign-in of this browser that waits.
    ///
    /// # Errors
    /// [`ProblemCode::TooManyRequests`] when this person's proofs were wrong too often; as [`Identity::admit`].
    pub async fn answer(
        &self,
        tenant: &Tenant,
        request: &Request,
        recorder: &Recorder,
        proof: Proof<'_>,
    ) -> Result<Answered, Problem> {
        let (db, now) = (tenant.db(), self.0.clock.now());
        let Some(token) = cookies::token(request.headers(), cookies::MORE) else { return Ok(Answered::Over) };
        let tried = one_time::attempt(db, TokenKind::Challenge, &token, TRIES_OF_CHALLENGE, now).await?;
        let Some(tried) = tried else { return Ok(Answered::Over) };
        let Stored { method, demands, next, password } = tried.data()?;
        let Some((demand, rest)) = demands.split_first() else { return Ok(Answered::Over) };
        let user = db.user(tried.user).await?;
        // Whoever changes the password ends this sign-in, but may not have come to it yet.
        if mark(&user) != password {
            return Ok(Answered::Over);
        }
        let proven = Proven { user, method, recorder, next: &next, shown_at: None };
        if !self.meets(tenant, &proven, demand, proof, now).await? {
            proven.note(tenant, Act::SignInFailed, json!({ "by": method.name(), "reason": demand.name() })).await?;
            let left = TRIES_OF_CHALLENGE.saturating_sub(tried.attempts);
            return Ok(if left > 0 { Answered::Wrong { left } } else { Answered::Over });
        }
        // A connection may claim their domain since the sign-in began.
        self.check_way_of(tenant, &proven).await?;
        // Used up before anything is opened: of many right answers at once one goes on.
        if one_time::redeem(db, TokenKind::Challenge, &token, now).await?.is_none() {
            return Ok(Answered::Over);
        }
        Ok(Answered::Admitted(self.proceed(tenant, proven, rest.to_vec()).await?))
    }

    async fn meets(
        &self,
        tenant: &Tenant,
        proven: &Proven<'_>,
        demand: &Demand,
        proof: Proof<'_>,
        now: Millis,
    ) -> Result<bool, Problem> {
        let user = &proven.user;
        self.count_proof_try(tenant, user, now).await?;
        let met = match (demand, proof) {
            (Demand::SecondFactor, Proof::Passkey(whose)) => whose == Some(user.id),
            (Demand::SecondFactor, Proof::Code(code)) => {
                self.take_code(tenant, proven.recorder, user, code, now).await?
            }
            (Demand::MailedCode { mac }, Proof::Code(code)) => self.is_mailed(tenant, user, mac, code).await?,
            (Demand::MailedCode { .. }, Proof::Passkey(_)) => false,
        };
        if met {
            tenant.db().forget_proof_tries(user.id).await?;
        }
        Ok(met)
    }

    /// Whether this is a code of the person's app, or a backup code, that was not used. It is used up by this. A backup code
    /// is noted, wherever it was asked for.
    pub(super) async fn take_code(
        &self,
        tenant: &Tenant,
        recorder: &Recorder,
        user: &User,
        code: &str,
        now: Millis,
    ) -> Result<bool, Problem> {
        let (db, keys) = (tenant.db(), self.vault().of(tenant.db()).await?);
        let which = factors::redeem(db, &keys, user.id, code, now).await?;
        if which == Some(factors::Code::Backup) {
            let actor = Actor::Person { id: user.id, name: user.email.clone() };
            recorder.record(db, actor, Act::BackupCodeUsed, user.id.to_string(), json!({})).await?;
        }
        Ok(which.is_some())
    }

    /// Counts a second proof of a person before it is looked at.
    pub(super) async fn count_proof_try(&self, tenant: &Tenant, user: &User, now: Millis) -> Result<(), Problem> {
        let window_ms = i64::from(WINDOW_S) * 1_000;
        if tenant.db().count_proof_try(user.id, TRIES_OF_PERSON.into(), window_ms, now).await? {
            return Ok(());
        }
        let detail = "Too many codes were wrong. Wait 15 minutes and try again.";
        let left = Left::used_up("second-proof", TRIES_OF_PERSON, WINDOW_S);
        Err(Problem::new(ProblemCode::TooManyRequests, detail).retry_after_s(WINDOW_S.into()).limits(&left))
    }

    /// The answer to a sign-in: on to where the person wanted to go, or to what they must show besides.
    ///
    /// # Errors
    /// That the database does not answer.
    pub async fn respond(&self, tenant: &Tenant, request: &Request, admission: Admission) -> Result<Response, Problem> {
        match admission {
            Admission::Challenge { token } => {
                let mut response = see_other(MORE);
                let age = TokenKind::Challenge.ttl_ms() / 1_000;
                cookies::set(&mut response, cookies::MORE, &token.expose(), Some(age));
                Ok(response)
            }
            Admission::Session { token, next } => {
                // A new session for a new sign-in: what was known before it opens nothing after it.
                if let Some(old) = request.data::<SignedIn>().and_then(|who| who.session().ok()) {
                    tenant.db().delete_session(old).await?;
                }
                let mut response = see_other(&next);
                cookies::set(&mut response, cookies::SESSION, &token.expose(), Some(self.0.sessions.cookie_s()));
                cookies::remove(&mut response, cookies::FORM);
                self.meet(tenant, request, &token, &mut response).await?;
                if cookies::token(request.headers(), cookies::MORE).is_some() {
                    cookies::remove(&mut response, cookies::MORE);
                }
                Ok(response)
            }
        }
    }

    /// The answer when a sign-in must begin anew.
    #[must_use]
    pub fn begin_anew(&self) -> Response {
        let mut response = see_other(ANEW);
        cookies::remove(&mut response, cookies::MORE);
        response
    }
}

pub(super) fn see_other(path: &str) -> Response {
    StatusCode::SEE_OTHER.with_header(header::LOCATION, path).into_response()
}
