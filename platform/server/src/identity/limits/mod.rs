//! Limits on how often something is tried, per address and per person.
//!
//! A *budget* is what is limited (signing in, calls of the API); it keeps one or more *counters*, each with its own
//! policy: so many in any stretch of so long. The count is exact, a log of what was let through, because the promise
//! is: never more than five in **any** quarter of an hour. A token bucket (such as `governor`'s) promises a rate and
//! would let ten through in the first quarter; a fixed window lets ten through across its edge. What was refused is
//! not counted, so that trying on does not prolong the wait, and the numbers of `RateLimit` mean what they say.
//!
//! Counted in this process, or in Redis when several nodes share the limits. When Redis does not answer, what guards
//! a secret is refused and the rest is counted by this node alone.
//!
//! Refuses to know: what is done with what was let through.

mod local;
mod policy;
mod shared;
#[cfg(test)]
mod tests;

pub use policy::{Left, Policy};
pub(crate) use policy::{POLICY, REMAINING};
pub use shared::LimitsError;

use self::{
    local::Local,
    policy::{Counter, Tally},
    shared::Shared,
};
use crate::{
    config::{Config, Limits as Numbers},
    hex::hex,
    problem::{Problem, ProblemCode},
};
use core::{
    fmt::{Display, Write as _},
    net::{IpAddr, Ipv4Addr},
};
use marque_domain::{id::TenantId, time::Millis};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// One address may try this many times as often for all people together, because people share addresses; and so may
/// all addresses together for one person, because somebody guesses from many.
const SHARED_FACTOR: u32 = 10;
const HOUR_S: u32 = 3_600;
const MINUTE_S: u32 = 60;
/// Bytes of a counter's name, or a few more.
const NAME_USUAL: usize = 96;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Proving who one is: password, code. Guards secrets.
    SignIn,
    /// Setting out to prove it at another site.
    SignInElsewhere,
    /// Confirming with a password who one is while one is signed in. Guards secrets.
    Confirm,
    /// Showing a passkey, and asking for its question. Guards secrets.
    Passkey,
    /// Registering. Guards secrets: whether an address is known.
    Registration,
    /// Having a password measured that somebody would register with.
    Measure,
    /// Asking for a mail that resets a password, or for another mail like it.
    Reset,
    /// Mails that tell somebody of what was done as them.
    Notice,
    /// Calls of the API.
    Api,
    /// Orders and whatever else trades.
    Trading,
    /// Questions of EAs, for each licence key.
    Ea,
}

impl Budget {
    /// Whether nothing goes through while it cannot be counted everywhere.
    const fn guards_secrets(self) -> bool {
        matches!(self, Self::SignIn | Self::Confirm | Self::Passkey | Self::Registration | Self::Reset)
    }

    /// What a person is told who has used it up.
    fn refusal(self, wait: &str) -> String {
        match self {
            Self::SignIn | Self::SignInElsewhere | Self::Confirm | Self::Passkey | Self::Measure | Self::Notice => {
                format!("Wait {wait} and try again.")
            }
            Self::Registration => {
                format!("Several people have registered from here. Wait {wait}, or sign in if you have registered.")
            }
            Self::Reset => format!("Look into your inbox and its spam folder; you can ask for another mail in {wait}."),
            Self::Api => format!("You have called often. Wait {wait}; `RateLimit-Policy` says how often you may."),
            Self::Ea => {
                format!("This licence key has asked often. Wait {wait}; a heartbeat every few minutes is enough.")
            }
            Self::Trading => format!("You have traded often. Wait {wait}; what stands is not touched."),
        }
    }
}

/// Who tries: an address, and for whom where that is said. Neither is believed.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// At which tenant.
    pub tenant: TenantId,
    /// From where.
    pub address: IpAddr,
    /// As whom: an e-mail address or an id.
    pub person: Option<&'a str>,
}

/// The limits of this server. Cloning shares them.
#[derive(Clone)]
pub struct Limits(Arc<Parts>);

struct Parts {
    numbers: Numbers,
    local: Local,
    shared: Option<Shared>,
}

/// The counters cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unreachable;

impl Limits {
    /// Limits in this process, or in Redis when it is configured.
    ///
    /// # Errors
    /// [`LimitsError`] when the address of Redis cannot be used. That it does not answer is no error: it may come back.
    pub fn new(config: &Config) -> Result<Self, LimitsError> {
        let shared = config.redis().map(|url| Shared::new(&url)).transpose()?;
        Ok(Self(Arc::new(Parts { numbers: config.limits.clone(), local: Local::new(), shared })))
    }

    /// Counts one try, or refuses it.
    ///
    /// # Errors
    /// [`ProblemCode::TooManyRequests`] with when to come back; [`ProblemCode::Unavailable`] when it guards secrets and
    /// cannot be counted.
    pub async fn spend(&self, budget: Budget, by: By<'_>, now: Millis) -> Result<Left, Problem> {
        self.take(budget, &self.counters(budget, by), now).await
    }

    /// Counts one question of a licence key against what its vendor lets it ask in a minute. More than the platform lets
    /// any key ask it never is; then [`Budget::Ea`] has counted it already, and nothing is counted here.
    ///
    /// # Errors
    /// [`ProblemCode::TooManyRequests`] with when to come back.
    pub async fn spend_of_key(&self, per_minute: u32, by: By<'_>, now: Millis) -> Result<Option<Left>, Problem> {
        if per_minute >= self.0.numbers.ea_per_minute {
            return Ok(None);
        }
        let policy = Policy::new("ea-licence", per_minute, MINUTE_S);
        let key = Key { tenant: by.tenant, address: by.address, person: by.person };
        let counters: Vec<Counter> = key.digested(policy.name).map(|key| Counter { key, policy }).into_iter().collect();
        self.take(Budget::Ea, &counters, now).await.map(Some)
    }

    /// Counts one try, or refuses it.
    async fn take(&self, budget: Budget, counters: &[Counter], now: Millis) -> Result<Left, Problem> {
        let tally = match self.tally(counters, now).await {
            Ok(tally) => tally,
            Err(Unreachable) if budget.guards_secrets() => {
                return Err(closed());
            }
            Err(Unreachable) => self.0.local.take(counters, now),
        };
        let left = tally.left(counters, now);
        if tally.allowed {
            return Ok(left);
        }
        let seconds = left.wait_s();
        let detail = budget.refusal(&words(seconds));
        Err(Problem::new(ProblemCode::TooManyRequests, detail).retry_after_s(seconds).limits(&left))
    }

    /// Whether something is shown for the first time in the last quarter of an hour, at this tenant.
    ///
    /// # Errors
    /// [`ProblemCode::Unavailable`] when that cannot be found out.
    pub async fn once(&self, tenant: TenantId, shown: &str, now: Millis) -> Result<bool, Problem> {
        let key = Key { tenant, address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), person: Some(shown) };
        let policy = Policy::new("once", 1, 15 * MINUTE_S);
        let counters: Vec<Counter> = key.person(policy.name).map(|key| Counter { key, policy }).into_iter().collect();
        self.tally(&counters, now).await.map(|tally| tally.allowed).map_err(|Unreachable| closed())
    }

    /// Forgets the tries of this person from this address: they got it right.
    pub async fn succeeded(&self, budget: Budget, by: By<'_>) {
        let Some(first) = self.counters(budget, by).into_iter().next().filter(|_| by.person.is_some()) else { return };
        self.0.local.forget(&first.key);
        if let Some(shared) = &self.0.shared {
            shared.forget(&first.key).await;
        }
    }

    async fn tally(&self, counters: &[Counter], now: Millis) -> Result<Tally, Unreachable> {
        match &self.0.shared {
            Some(shared) => shared.take(counters, now).await,
            None => Ok(self.0.local.take(counters, now)),
        }
    }

    /// The counters of a budget. The first is the one that people know.
    fn counters(&self, budget: Budget, by: By<'_>) -> Vec<Counter> {
        let n = &self.0.numbers;
        let key = Key { tenant: by.tenant, address: network(by.address), person: by.person };
        let both = |policy: Policy| Counter { key: key.both(policy.name), policy };
        let address = |policy: Policy| Counter { key: key.address(policy.name), policy };
        let person = |policy: Policy| key.person(policy.name).map(|key| Counter { key, policy });
        let own = |policy: Policy| vec![person(policy).unwrap_or_else(|| address(policy))];
        match budget {
            Budget::SignIn => {
                let (q, w) = (n.sign_in_attempts, n.sign_in_window_s);
                let wide = q.saturating_mul(SHARED_FACTOR);
                let mut all =
                    vec![both(Policy::new("sign-in", q, w)), address(Policy::new("sign-in-address", wide, w))];
                all.extend(person(Policy::new("sign-in-person", wide, w)));
                all
            }
            Budget::SignInElsewhere => {
                let wide = n.sign_in_attempts.saturating_mul(SHARED_FACTOR);
                vec![address(Policy::new("sign-in-elsewhere", wide, n.sign_in_window_s))]
            }
            // Of the person alone: a session tells for certain who it is. The right ones count too, for each is a hash.
            Budget::Confirm => own(Policy::new("confirm", n.sign_in_attempts.saturating_mul(2), n.sign_in_window_s)),
            // Twice as many as sign-ins by a password: each has a question and an answer.
            Budget::Passkey => {
                let wide = n.sign_in_attempts.saturating_mul(SHARED_FACTOR).saturating_mul(2);
                vec![address(Policy::new("passkey", wide, n.sign_in_window_s))]
            }
            Budget::Registration => {
                let mut all = vec![address(Policy::new("registration", n.registrations_per_hour, HOUR_S))];
                // Each is a mail to that person, as a reset is.
                all.extend(person(Policy::new("registration-person", n.resets_per_hour, HOUR_S)));
                all
            }
            Budget::Measure => {
                let wide = n.registrations_per_hour.saturating_mul(SHARED_FACTOR);
                vec![address(Policy::new("measure", wide, HOUR_S))]
            }
            Budget::Reset => {
                let wide = n.resets_per_hour.saturating_mul(SHARED_FACTOR);
                let mut all: Vec<_> = person(Policy::new("reset", n.resets_per_hour, HOUR_S)).into_iter().collect();
                all.push(address(Policy::new("reset-address", wide, HOUR_S)));
                all
            }
            Budget::Notice => own(Policy::new("notice", n.resets_per_hour.saturating_mul(SHARED_FACTOR), HOUR_S)),
            Budget::Api => {
                let wide = n.api_per_minute.saturating_mul(SHARED_FACTOR);
                let own = Policy::new("api", n.api_per_minute, MINUTE_S);
                // Who is not signed in has an address's share.
                let mut all = vec![person(own).unwrap_or_else(|| address(own))];
                all.push(address(Policy::new("api-address", wide, MINUTE_S)));
                all
            }
            Budget::Ea => {
                let wide = n.ea_per_minute.saturating_mul(SHARED_FACTOR);
                let mut all = Vec::with_capacity(2);
                let own = Policy::new("ea-key", n.ea_per_minute, MINUTE_S);
                all.extend(key.digested(own.name).map(|key| Counter { key, policy: own }));
                all.push(address(Policy::new("ea-address", wide, MINUTE_S)));
                all
            }
            Budget::Trading => {
                let wide = n.trading_per_minute.saturating_mul(SHARED_FACTOR);
                let own = Policy::new("trading", n.trading_per_minute, MINUTE_S);
                vec![
                    person(own).unwrap_or_else(|| address(own)),
                    address(Policy::new("trading-address", wide, MINUTE_S)),
                ]
            }
        }
    }
}

/// What guards a secret, while it cannot be counted.
fn closed() -> Problem {
    let detail = "This is closed for a moment because it cannot be done safely. Try again in a minute.";
    Problem::new(ProblemCode::Unavailable, detail).retry_after_s(10)
}

/// Names of counters. The tenant stands in braces: a cluster keeps what one script touches on one node.
struct Key<'a> {
    tenant: TenantId,
    address: IpAddr,
    person: Option<&'a str>,
}

impl Key<'_> {
    fn name(&self, policy: &str, of: impl Display) -> String {
        let mut name = String::with_capacity(NAME_USUAL);
        // Writing to a String cannot fail.
        let _ = write!(name, "marque:limit:{{{}}}:{policy}:{of}", self.tenant.0);
        name
    }

    fn address(&self, policy: &str) -> String {
        self.name(policy, self.address)
    }

    fn person(&self, policy: &str) -> Option<String> {
        Some(self.name(policy, digest(self.person?)))
    }

    /// Of a licence key, which is named by what was derived from it: a digest already, and no address of anybody.
    fn digested(&self, policy: &str) -> Option<String> {
        Some(self.name(policy, self.person?))
    }

    fn both(&self, policy: &str) -> String {
        self.address(policy) + ":" + &digest(self.person.unwrap_or_default())
    }
}

/// Addresses of people are not written to another program's memory.
fn digest(person: &str) -> String {
    let digest = Sha256::digest(marque_store::normalise_email(person));
    hex(digest.get(..16).unwrap_or_default())
}

/// Whoever has one IPv6 address has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

fn words(seconds: u64) -> String {
    match (seconds, seconds.div_ceil(60)) {
        (..=1, _) => "a second".to_owned(),
        (..60, _) => format!("{seconds} seconds"),
        (_, 1) => "a minute".to_owned(),
        (_, minutes) => format!("{minutes} minutes"),
    }
}
