//! Limits on guessing: failed sign-ins of one e-mail from one address, and of one address on any e-mail.
//!
//! Counted before the password is checked, so that attempts in parallel count too. Nobody is locked out by
//! others: a limit holds only for the address that guessed.

use crate::config::Limits;
use core::net::IpAddr;
use marque_domain::{id::TenantId, time::Millis};
use moka::{future::Cache, ops::compute::Op};
use std::time::Duration;

/// Counters kept; beyond that the least used are forgotten.
const COUNTERS_MAX: u64 = 100_000;
/// One address may try this many times as often on all e-mails together: people share addresses.
const ADDRESS_FACTOR: u32 = 10;

/// Who attempts what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    address: IpAddr,
    email: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    first: Millis,
    attempts: u32,
}

/// Too many attempts; come back after so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) seconds: u64,
}

pub(super) struct Attempts {
    counts: Cache<Key, Count>,
    attempts_max: u32,
    window_ms: i64,
}

impl Attempts {
    pub(super) fn new(limits: &Limits) -> Self {
        let window = Duration::from_secs(limits.sign_in_window_s.into());
        Self {
            counts: Cache::builder().max_capacity(COUNTERS_MAX).time_to_live(window).build(),
            attempts_max: limits.sign_in_attempts,
            window_ms: i64::from(limits.sign_in_window_s) * 1_000,
        }
    }

    /// Counts an attempt, or says how long to wait.
    pub(super) async fn begin(&self, tenant: TenantId, from: IpAddr, email: &str, now: Millis) -> Result<(), Wait> {
        let [one, all] = keys(tenant, from, email);
        self.count(one, self.attempts_max, now).await?;
        self.count(all, self.attempts_max.saturating_mul(ADDRESS_FACTOR), now).await
    }

    /// Forgets the attempts of who got it right.
    pub(super) async fn succeeded(&self, tenant: TenantId, from: IpAddr, email: &str) {
        let [one, _] = keys(tenant, from, email);
        self.counts.invalidate(&one).await;
    }

    async fn count(&self, key: Key, max: u32, now: Millis) -> Result<(), Wait> {
        let result = self.counts.entry(key).and_compute_with(|old| async {
            let old = old.map(moka::Entry::into_value).filter(|old| self.remaining_ms(old.first, now) > 0);
            Op::Put(match old {
                Some(old) => Count { attempts: old.attempts.saturating_add(1), ..old },
                None => Count { first: now, attempts: 1 },
            })
        });
        let count = result.await.into_entry().map(moka::Entry::into_value);
        match count.filter(|count| count.attempts > max) {
            None => Ok(()),
            Some(count) => {
                let ms = self.remaining_ms(count.first, now).max(1_000);
                Err(Wait { seconds: u64::try_from(ms).unwrap_or(0).div_ceil(1_000) })
            }
        }
    }

    /// Never longer than a window, even when the clock was set back.
    fn remaining_ms(&self, first: Millis, now: Millis) -> i64 {
        first.plus(self.window_ms).since(now).min(self.window_ms)
    }
}

fn keys(tenant: TenantId, from: IpAddr, email: &str) -> [Key; 2] {
    let address = network(from);
    let email = Some(marque_store::normalise_email(email));
    [Key { tenant, address, email }, Key { tenant, address, email: None }]
}

/// Whoever has one IPv6 address has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, config};

    const T: TenantId = TenantId(1);

    #[tokio::test]
    async fn five_in_a_quarter_of_an_hour() {
        let attempts = Attempts::new(&config("").limits);
        let ip: IpAddr = "203.0.113.9".parse().unwrap();
        for second in 0..5 {
            assert_eq!(attempts.begin(T, ip, "a@x.example", NOON.plus(second * 1_000)).await, Ok(()));
        }
        let late = NOON.plus(10_000);
        assert_eq!(attempts.begin(T, ip, " A@X.example", late).await, Err(Wait { seconds: 890 }));
        // Others are not affected: another e-mail, address, tenant.
        assert_eq!(attempts.begin(T, ip, "b@x.example", late).await, Ok(()));
        assert_eq!(attempts.begin(T, "203.0.113.10".parse().unwrap(), "a@x.example", late).await, Ok(()));
        assert_eq!(attempts.begin(TenantId(2), ip, "a@x.example", late).await, Ok(()));
        // The window ends.
        assert_eq!(attempts.begin(T, ip, "a@x.example", NOON.plus(900_000)).await, Ok(()));
        // A clock set back does not lock anybody out for longer than a window.
        let back = attempts.begin(T, ip, "b@x.example", NOON.plus(-86_400_000)).await;
        assert_eq!(back, Ok(()));
    }

    #[tokio::test]
    async fn success_forgets_and_spraying_is_limited() {
        let attempts = Attempts::new(&config("").limits);
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..20 {
            assert_eq!(attempts.begin(T, ip, "a@x.example", NOON).await, Ok(()));
            attempts.succeeded(T, ip, "a@x.example").await;
        }
        // The rest of the /64 shares what is left of fifty.
        let neighbour: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        for n in 0..30 {
            assert_eq!(attempts.begin(T, neighbour, &format!("{n}@x.example"), NOON).await, Ok(()));
        }
        assert_eq!(attempts.begin(T, ip, "z@x.example", NOON).await, Err(Wait { seconds: 900 }));
    }

    #[tokio::test]
    async fn attempts_in_parallel_count() {
        let attempts = Attempts::new(&config("").limits);
        let ip: IpAddr = "203.0.113.9".parse().unwrap();
        let all = futures_util::future::join_all((0..100).map(|_| attempts.begin(T, ip, "a@x.example", NOON))).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    }
}
