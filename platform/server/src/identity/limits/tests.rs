//! The same promises of both ways to count, in this process and on a real Redis.

use super::*;
use crate::testing::{NOON, config};
use marque_testkit::shared_redis;
use proptest::prelude::*;

const T: TenantId = TenantId(1);

fn by<'a>(address: &str, person: &'a str) -> By<'a> {
    By { tenant: T, address: address.parse().unwrap(), person: Some(person) }
}

/// Limits in this process and, where Redis is installed, in a database of it that is empty.
async fn both(test: &str) -> Vec<(&'static str, Limits)> {
    let mut all = vec![("here", Limits::new(&config("")).unwrap())];
    if let Some(redis) = shared_redis(test) {
        all.push(("redis", over(&redis.url())));
    }
    all
}

fn over(url: &str) -> Limits {
    Limits::new(&config(&format!("redis_url = {url:?}\n"))).unwrap()
}

/// Seconds to wait, when refused.
async fn wait(limits: &Limits, budget: Budget, by: By<'_>, at_s: i64) -> Option<u64> {
    match limits.spend(budget, by, NOON.plus(at_s * 1_000)).await {
        Ok(_) => None,
        Err(problem) => {
            assert_eq!(problem.code, ProblemCode::TooManyRequests, "{problem}");
            problem.retry_after_s
        }
    }
}

#[tokio::test]
async fn five_in_any_quarter_of_an_hour() {
    for (name, limits) in both("five_in_any_quarter_of_an_hour").await {
        let ann = by("203.0.113.9", "a@x.example");
        for at_s in [0, 0, 0, 600, 600] {
            assert_eq!(wait(&limits, Budget::SignIn, ann, at_s).await, None, "{name}");
        }
        let same = by("203.0.113.9", " A@X.example");
        assert_eq!(wait(&limits, Budget::SignIn, same, 610).await, Some(290), "{name}");
        // Others are not affected: another person, address, tenant.
        assert_eq!(wait(&limits, Budget::SignIn, by("203.0.113.9", "b@x.example"), 610).await, None, "{name}");
        assert_eq!(wait(&limits, Budget::SignIn, by("203.0.113.10", "a@x.example"), 610).await, None, "{name}");
        assert_eq!(wait(&limits, Budget::SignIn, By { tenant: TenantId(2), ..ann }, 610).await, None, "{name}");
        // The first three leave the window, and only they: across its edge there are no ten.
        for at_s in [900, 900, 900] {
            assert_eq!(wait(&limits, Budget::SignIn, ann, at_s).await, None, "{name}");
        }
        assert_eq!(wait(&limits, Budget::SignIn, ann, 900).await, Some(600), "{name}");
        // Trying on did not prolong it.
        assert_eq!(wait(&limits, Budget::SignIn, ann, 1_500).await, None, "{name}");
    }
}

#[tokio::test]
async fn success_forgets_and_spraying_is_limited() {
    for (name, limits) in both("success_forgets_and_spraying_is_limited").await {
        let ann = by("2001:db8::1", "a@x.example");
        for _ in 0..20 {
            assert_eq!(wait(&limits, Budget::SignIn, ann, 0).await, None, "{name}");
            limits.succeeded(Budget::SignIn, ann).await;
        }
        // The rest of the /64 shares what is left of fifty.
        for n in 0..30 {
            let person = format!("{n}@x.example");
            assert_eq!(wait(&limits, Budget::SignIn, by("2001:db8::ffff:1", &person), 0).await, None, "{name}");
        }
        assert_eq!(wait(&limits, Budget::SignIn, by("2001:db8::1", "z@x.example"), 0).await, Some(900), "{name}");
        // And one person is guessed at from many places fifty times at most.
        for n in 0..30 {
            let address = format!("198.51.100.{n}");
            assert_eq!(wait(&limits, Budget::SignIn, by(&address, "a@x.example"), 0).await, None, "{name}");
        }
        assert_eq!(wait(&limits, Budget::SignIn, by("192.0.2.1", "a@x.example"), 0).await, Some(900), "{name}");
    }
}

#[tokio::test]
async fn tries_in_parallel_count() {
    for (name, limits) in both("tries_in_parallel_count").await {
        let ann = by("203.0.113.9", "a@x.example");
        let all = futures_util::future::join_all((0..100).map(|_| wait(&limits, Budget::SignIn, ann, 0))).await;
        assert_eq!(all.iter().filter(|outcome| outcome.is_none()).count(), 5, "{name}");
    }
}

#[tokio::test]
async fn a_clock_set_back_locks_nobody_out_for_longer_than_a_window() {
    for (name, limits) in both("a_clock_set_back").await {
        let ann = by("203.0.113.9", "a@x.example");
        for _ in 0..5 {
            assert_eq!(wait(&limits, Budget::SignIn, ann, 0).await, None, "{name}");
        }
        let day = 86_400;
        assert_eq!(wait(&limits, Budget::SignIn, ann, -day).await, Some(900), "{name}");
        assert_eq!(wait(&limits, Budget::SignIn, ann, -day + 900).await, None, "{name}");
    }
}

#[tokio::test]
async fn each_budget_has_its_numbers_and_says_them() {
    let anonymous = By { person: None, ..by("203.0.113.9", "") };
    let table: [(Budget, By<'_>, u32, &str); 10] = [
        (
            Budget::SignIn,
            by("203.0.113.1", "a"),
            5,
            "\"sign-in\";q=5;w=900, \"sign-in-address\";q=50;w=900, \"sign-in-person\";q=50;w=900",
        ),
        (
            Budget::Registration,
            by("203.0.113.2", "a"),
            3,
            "\"registration\";q=3;w=3600, \"registration-person\";q=3;w=3600",
        ),
        (Budget::Measure, by("203.0.113.2", "a"), 30, "\"measure\";q=30;w=3600"),
        (Budget::Notice, by("203.0.113.2", "a"), 30, "\"notice\";q=30;w=3600"),
        (Budget::Confirm, by("203.0.113.2", "a"), 10, "\"confirm\";q=10;w=900"),
        (Budget::Passkey, anonymous, 100, "\"passkey\";q=100;w=900"),
        (Budget::Reset, by("203.0.113.3", "a"), 3, "\"reset\";q=3;w=3600, \"reset-address\";q=30;w=3600"),
        (Budget::Api, by("203.0.113.4", "a"), 100, "\"api\";q=100;w=60, \"api-address\";q=1000;w=60"),
        (Budget::Api, anonymous, 100, "\"api\";q=100;w=60, \"api-address\";q=1000;w=60"),
        (Budget::Trading, by("203.0.113.5", "a"), 30, "\"trading\";q=30;w=60, \"trading-address\";q=300;w=60"),
    ];
    for (name, limits) in both("each_budget_has_its_numbers").await {
        for (budget, by, quota, policy) in table {
            for n in 1..=quota {
                let left = limits.spend(budget, by, NOON).await.unwrap();
                assert_eq!(left.policy(), policy, "{name}");
                assert_eq!(left.tries(), quota - n, "{name} {budget:?}");
                assert!(left.remaining().contains(&format!(";r={};t=", quota - n)), "{name}");
            }
            let refused = limits.spend(budget, by, NOON.plus(1_000)).await.unwrap_err();
            assert_eq!(refused.code, ProblemCode::TooManyRequests, "{name}");
            let response = refused.to_json_response(None);
            assert_eq!(response.header("ratelimit-policy"), Some(policy));
            assert!(response.header("ratelimit").unwrap().contains(";r=0;t="), "{name}");
            assert!(response.header("retry-after").is_some(), "{name}");
        }
    }
}

#[tokio::test]
async fn nodes_share_their_counters_and_a_restart_forgets_none() {
    let Some(redis) = shared_redis("nodes_share_their_counters") else { return };
    let url = redis.url();
    let ann = by("203.0.113.9", "a@x.example");
    for _ in 0..5 {
        assert_eq!(wait(&over(&url), Budget::SignIn, ann, 0).await, None);
    }
    assert_eq!(wait(&over(&url), Budget::SignIn, ann, 1).await, Some(899));
}

#[tokio::test]
async fn without_redis_nobody_signs_in_and_the_rest_goes_on() {
    let Some(redis) = shared_redis("without_redis_nobody_signs_in") else { return };
    let mut own = redis.another().unwrap();
    let limits = over(&own.url());
    let ann = by("203.0.113.9", "a@x.example");
    assert_eq!(wait(&limits, Budget::SignIn, ann, 0).await, None);
    own.stop();
    for budget in [Budget::SignIn, Budget::Registration, Budget::Reset] {
        let refused = limits.spend(budget, ann, NOON).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), (ProblemCode::Unavailable, Some(10)), "{budget:?}");
    }
    // Reading goes on, and so does trading; this node still counts them.
    assert_eq!(wait(&limits, Budget::Api, ann, 0).await, None);
    for _ in 0..30 {
        assert_eq!(wait(&limits, Budget::Trading, ann, 0).await, None);
    }
    assert!(wait(&limits, Budget::Trading, ann, 0).await.is_some());
    // It comes back at the same address; nobody has to be restarted.
    own.start().unwrap();
    let mut back = false;
    for second in 1..40 {
        back = limits.spend(Budget::SignIn, ann, NOON.plus(second * 2_000)).await.is_ok();
        if back {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(back, "signing in works again");
}

#[test]
fn an_address_of_redis_that_cannot_be_used_is_named() {
    let error = Limits::new(&config("redis_url = \"http://127.0.0.1\"\n")).err().unwrap().to_string();
    assert!(error.contains("redis_url") && error.contains("redis://"), "{error}");
}

#[test]
fn waits_are_words() {
    for (seconds, want) in
        [(1, "a second"), (59, "59 seconds"), (60, "a minute"), (61, "2 minutes"), (900, "15 minutes")]
    {
        assert_eq!(words(seconds), want);
    }
}

proptest! {
    /// The promise itself, for any times: no stretch of a window holds more than the quota.
    #[test]
    fn no_stretch_of_a_window_holds_more_than_the_quota(steps in prop::collection::vec(0_i64..4_000, 1..120)) {
        let (quota, window_ms) = (5_u32, 10_000);
        let (mut log, mut now, mut through) = (local::Log::default(), NOON, Vec::new());
        for step in steps {
            now = now.plus(step);
            log.forget(now, window_ms);
            if log.used() < quota {
                log.add(now);
                through.push(now.0);
            }
        }
        for first in &through {
            let within = through.iter().filter(|at| (*first..first + window_ms).contains(*at)).count();
            prop_assert!(within <= quota as usize, "{} in {:?}", within, through);
        }
    }
}
