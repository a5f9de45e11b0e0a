//! The server's only reader of the wall clock. Everything else is told the time.
//!
//! A process's time never goes back: what has ended once has ended. When the machine's clock is set back, time goes on as
//! the machine's monotonic clock does until the other has caught up; when it is set forward, time follows.

use core::fmt;
use marque_domain::time::{MINUTE_MS, Millis};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// How often a server looks whether its machine's clock was set back.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Less than this is what keeping a clock right does.
const TOLERATED_MS: i64 = MINUTE_MS;

/// Where the server gets the time from. Tests hand in their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// The machine's clock, which never goes back while this process lives.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(|| onward(&AHEAD, since_begin(), wall())))
    }

    /// A clock that shows what `read` answers.
    #[must_use]
    pub fn from_fn(read: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().to_rfc3339())
    }
}

/// How far the greatest wall time lay ahead of the time that this process had run by then.
static AHEAD: AtomicI64 = AtomicI64::new(i64::MIN);

/// The greatest time there was, moved on by what has passed since.
fn onward(ahead: &AtomicI64, elapsed_ms: i64, wall: Millis) -> Millis {
    let now = wall.since(Millis(elapsed_ms));
    // Written only where it grows, which is seldom: what is only read, all processors have at hand.
    let before = ahead.load(Ordering::Relaxed);
    let greatest = if now > before { ahead.fetch_max(now, Ordering::Relaxed).max(now) } else { before };
    Millis(greatest.saturating_add(elapsed_ms))
}

/// Milliseconds since this process first asked.
fn since_begin() -> i64 {
    i64::try_from(begin().elapsed().as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
fn wall() -> Millis {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock set before 1970 reads as 1970: everything time-limited is then expired or not yet valid.
    Millis(since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}

/// Nanoseconds since this process first asked: how long something takes, and nothing else.
#[must_use]
pub fn stopwatch_ns() -> u64 {
    u64::try_from(begin().elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn begin() -> &'static Instant {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGIN.get_or_init(Instant::now)
}

/// Says when the machine's clock was set back, until it is aborted: it is then the operator who knows which time is right.
pub async fn watch() {
    let mut told = 0;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let behind = onward(&AHEAD, since_begin(), wall()).since(wall());
        if behind > TOLERATED_MS && behind > told {
            told = behind.saturating_add(TOLERATED_MS);
            tracing::error!(
                behind_s = behind / 1_000,
                "the machine's clock was set back; this server goes on by its own, so that nothing that ended comes back. If the time before was wrong, restart it"
            );
        }
        if behind <= TOLERATED_MS {
            told = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::onward;
    use marque_domain::time::Millis;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicI64;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_clock_set_back_goes_on_and_one_set_forward_is_followed() {
        let ahead = AtomicI64::new(i64::MIN);
        let noon = 1_795_176_000_000;
        // Milliseconds of the process, what the machine's clock is off by, and what the process should be off by.
        for (elapsed, off, want) in [
            (0, 0, 0),
            (1_000, 0, 0),
            (2_000, -DAY, 0),
            (3_600_000, -DAY, 0),
            (3_601_000, 300_000, 300_000),
            (3_602_000, 0, 300_000),
            (3_603_000, 400 * DAY, 400 * DAY),
            (3_604_000, 0, 400 * DAY),
        ] {
            let shown = onward(&ahead, elapsed, Millis(noon + elapsed + off));
            assert_eq!(shown, Millis(noon + elapsed + want), "after {elapsed} ms");
        }
    }

    proptest! {
        #[test]
        fn it_never_goes_back(steps in prop::collection::vec((0..100_000_i64, 0..4_000_000_000_000_i64), 1..50)) {
            let (ahead, mut elapsed, mut last) = (AtomicI64::new(i64::MIN), 0, Millis(0));
            for (passed, wall) in steps {
                elapsed += passed;
                let now = onward(&ahead, elapsed, Millis(wall));
                prop_assert!(now >= last.plus(passed).max(Millis(wall)) || last == Millis(0));
                last = now;
            }
        }
    }
}
