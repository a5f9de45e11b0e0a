//! What a venue calls one execution: the name by which a fill that is told twice counts once.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Bytes of an execution's id at most.
pub const EXECUTION_ID_BYTES_MAX: usize = 64;

/// A venue's own name for one execution, unique at that venue. Compared to the byte, never read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(String);

/// Text that cannot name an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an execution's id has 1 to {EXECUTION_ID_BYTES_MAX} visible ASCII characters")]
pub struct BadExecutionId;

impl ExecutionId {
    /// Takes a venue's text as it is.
    ///
    /// # Errors
    /// [`BadExecutionId`] for text that is empty, too long or not visible ASCII: an adapter treats the report that
    /// brought it as one that it could not read.
    pub fn new(text: &str) -> Result<Self, BadExecutionId> {
        let fits = (1..=EXECUTION_ID_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadExecutionId)
        }
    }

    /// The venue's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_visible_and_short() {
        let long = "x".repeat(EXECUTION_ID_BYTES_MAX + 1);
        for (text, good) in [
            ("6357", true),
            ("a-b_c.d:1", true),
            (&long[1..], true),
            ("", false),
            ("a b", false),
            ("ä", false),
            (&long, false),
        ] {
            assert_eq!(ExecutionId::new(text).is_ok(), good, "{text:?}");
        }
    }
}
