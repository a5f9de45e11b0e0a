//! Policies: what licences of a product allow.

use super::{NAME_CHARS_MAX, line, wrong};
use crate::{
    audit::Act,
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    secrets::new_id,
};
use marque_domain::{
    id::{LicencePolicyId, ProductId},
    licence::{Binding, Floating, Kinds, Overage, Policy, Seats, Since, Term, Version},
    time::{DAY_MS, Millis, SECOND_MS},
};
use marque_store::{LicencePolicy, PolicyTerms, StoreError, TenantDb};
use serde_json::json;

/// Ten years: what is longer has no end.
const LONGEST_S: i64 = 10 * 366 * DAY_MS / SECOND_MS;
/// Fewer would cut an EA off that activates, asks for its settings and is heard from in one minute.
const REQUESTS_PER_MINUTE_MIN: u32 = 3;
/// As much as the platform's own limit may be set to.
const REQUESTS_PER_MINUTE_MAX: u32 = 10_000_000;
const LEASE_S_MAX: i64 = 31 * DAY_MS / SECOND_MS;
/// What is forgiven beyond a heartbeat's window.
const DRIFT_MS: i64 = 30 * SECOND_MS;

/// How long licences last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermWish {
    /// For ever.
    Perpetual,
    /// So many seconds from when it is issued or renewed.
    Subscription(i64),
    /// So many seconds, once.
    Trial(Since, i64),
}

/// What a policy shall allow. Times are in seconds.
#[derive(Debug, Clone)]
pub struct PolicyWish {
    /// What the vendor calls it.
    pub name: String,
    /// How long licences last.
    pub term: TermWish,
    /// How long one works beyond its end.
    pub grace_s: i64,
    /// Computers; none: no limit.
    pub machines: Option<u32>,
    /// Trading accounts; none: no limit.
    pub accounts: Option<u32>,
    /// What happens beyond.
    pub overage: Overage,
    /// How firmly a seat is bound.
    pub binding: Binding,
    /// Which accounts.
    pub kinds: Kinds,
    /// How long a heartbeat holds a seat; 0: seats are not held by heartbeats.
    pub window_s: i64,
    /// How long after a seat was taken another may be.
    pub cooldown_s: i64,
    /// The oldest version that still runs.
    pub minimum_version: Option<Version>,
    /// How long a valid answer holds.
    pub lease_s: i64,
    /// How long the EA trades on with a warning after that.
    pub offline_grace_s: i64,
    /// How often the EA shall be heard; 0: not at all.
    pub heartbeat_s: i64,
    /// Questions of one key in a minute; none: the platform's own limit, which holds in any case.
    pub requests_per_minute: Option<u32>,
}

impl Default for PolicyWish {
    /// One computer and one account for ever, a day's lease, three days of grace.
    fn default() -> Self {
        Self {
            name: String::new(),
            term: TermWish::Perpetual,
            grace_s: 0,
            machines: Some(1),
            accounts: Some(1),
            overage: Overage::Strict,
            binding: Binding::All,
            kinds: Kinds::Both,
            window_s: 0,
            cooldown_s: 0,
            minimum_version: None,
            lease_s: 86_400,
            offline_grace_s: 259_200,
            heartbeat_s: 200,
            requests_per_minute: None,
        }
    }
}

impl PolicyWish {
    /// The terms.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] names the first that makes no sense.
    pub fn terms(&self) -> Result<PolicyTerms, Problem> {
        let within = |name: &str, value: i64, min: i64, max: i64| {
            let good = (min..=max).contains(&value);
            good.then(|| value * SECOND_MS).ok_or_else(|| wrong(name, format!("{min} to {max} seconds")))
        };
        let (term, period_ms) = match self.term {
            TermWish::Perpetual => (Term::Perpetual, None),
            // Each licence has an end of its own, which counts. One without it (it was issued under another term) ends a period
            // after it was made.
            TermWish::Subscription(s) => {
                let ms = within("term_s", s, 60, LONGEST_S)?;
                (Term::For { since: Since::Creation, ms }, Some(ms))
            }
            TermWish::Trial(since, s) => (Term::For { since, ms: within("term_s", s, 60, LONGEST_S)? }, None),
        };
        let window_ms = within("window_s", self.window_s, 0, LEASE_S_MAX)?;
        let heartbeat_s = within("heartbeat_s", self.heartbeat_s, 0, 86_400)? / SECOND_MS;
        if window_ms > 0 && (heartbeat_s == 0 || heartbeat_s * SECOND_MS * 2 > window_ms) {
            let detail = "at most half of window_s, so that one heartbeat may be lost";
            return Err(wrong("heartbeat_s", detail));
        }
        let asks = self.requests_per_minute.unwrap_or(REQUESTS_PER_MINUTE_MIN);
        if !(REQUESTS_PER_MINUTE_MIN..=REQUESTS_PER_MINUTE_MAX).contains(&asks) {
            let range = format!("{REQUESTS_PER_MINUTE_MIN} to {REQUESTS_PER_MINUTE_MAX} requests, or nothing");
            return Err(wrong("requests_per_minute", range));
        }
        let floating = (window_ms > 0).then_some(Floating { window_ms, drift_ms: DRIFT_MS });
        let policy = Policy {
            term,
            grace_ms: within("grace_s", self.grace_s, 0, LEASE_S_MAX)?,
            seats: Seats { machines: self.machines, accounts: self.accounts, overage: self.overage },
            binding: self.binding,
            kinds: self.kinds,
            floating,
            cooldown_ms: within("cooldown_s", self.cooldown_s, 0, LONGEST_S)?,
            minimum_version: self.minimum_version,
            lease_ms: within("lease_s", self.lease_s, 60, LEASE_S_MAX)?,
            offline_grace_ms: within("offline_grace_s", self.offline_grace_s, 0, LEASE_S_MAX)?,
        };
        let (heartbeat_s, requests_per_minute) = (u32::try_from(heartbeat_s).unwrap_or(0), self.requests_per_minute);
        Ok(PolicyTerms { policy, period_ms, heartbeat_s, requests_per_minute })
    }
}

fn taken(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict(_) => Problem::new(
            ProblemCode::Conflict,
            "The product has a policy of this name, or there are as many policies as may be.",
        ),
        other => other.into(),
    }
}

/// Adds a policy without asking who wants it.
pub(crate) async fn put_policy(
    db: &TenantDb,
    product: ProductId,
    wish: &PolicyWish,
    now: Millis,
) -> Result<LicencePolicy, Problem> {
    let policy = LicencePolicy {
        id: LicencePolicyId(new_id(now)?),
        product,
        name: line("name", &wish.name, 1, NAME_CHARS_MAX)?,
        terms: wish.terms()?,
        created_at: now,
    };
    db.add_licence_policy(&policy).await.map_err(taken)?;
    Ok(policy)
}

/// Adds a policy to a product.
///
/// # Errors
/// [`ProblemCode::NotFound`] when there is no such product, [`ProblemCode::Invalid`], [`ProblemCode::Conflict`].
pub async fn add_policy(
    who: &SignedIn,
    product: ProductId,
    wish: &PolicyWish,
    now: Millis,
) -> Result<LicencePolicy, Problem> {
    who.may(Operation::ManageEas)?;
    let product = who.db().ea_product(product).await?;
    let policy = put_policy(who.db(), product.id, wish, now).await?;
    let details = json!({ "name": policy.name, "product": product.code });
    who.audit(Act::LicencePolicyAdded, policy.id.to_string(), details).await?;
    Ok(policy)
}

/// Changes a policy, for every licence under it.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Invalid`], [`ProblemCode::Conflict`].
pub async fn change_policy(who: &SignedIn, id: LicencePolicyId, wish: &PolicyWish) -> Result<LicencePolicy, Problem> {
    who.may(Operation::ManageEas)?;
    let mut policy = who.db().licence_policy(id).await?;
    policy.name = line("name", &wish.name, 1, NAME_CHARS_MAX)?;
    policy.terms = wish.terms()?;
    who.db().change_licence_policy(&policy).await.map_err(taken)?;
    let details = json!({ "name": policy.name, "terms": policy.terms });
    who.audit(Act::LicencePolicyChanged, policy.id.to_string(), details).await?;
    Ok(policy)
}
