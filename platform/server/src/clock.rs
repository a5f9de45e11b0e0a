//! The server's only reader of the wall clock. Everything else is told the time.

use core::fmt;
use marque_domain::time::Millis;
use std::sync::Arc;

/// Where the server gets the time from. Tests hand in their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(read))
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

#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
fn read() -> Millis {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock set before 1970 reads as 1970: everything time-limited is then expired or not yet valid.
    Millis(since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
}
