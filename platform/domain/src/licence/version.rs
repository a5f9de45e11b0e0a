//! Versions of EAs: one to three numbers, compared number by number.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// Digits of one number at most.
const DIGITS_MAX: usize = 6;

/// An EA's version, such as `1.20`. What is left out counts as nothing: `1.2` is `1.2.0`, and older than `1.20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub [u32; 3]);

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is one to three numbers with points between them, such as 1.20")]
pub struct NoVersion;

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for slot in &mut numbers {
            let Some(part) = parts.next() else { break };
            let good = (1..=DIGITS_MAX).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
            *slot = if good { part.parse().map_err(|_| NoVersion)? } else { return Err(NoVersion) };
        }
        if parts.next().is_some() { Err(NoVersion) } else { Ok(Self(numbers)) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}")?;
        if patch > 0 { write!(f, ".{patch}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let ascending = ["0.9", "1", "1.2", "1.2.1", "1.10", "1.20", "2.0", "10.0"];
        for pair in ascending.windows(2) {
            assert!(pair[0].parse::<Version>().unwrap() < pair[1].parse::<Version>().unwrap(), "{pair:?}");
        }
        assert_eq!("1.20".parse::<Version>().unwrap().to_string(), "1.20");
        assert_eq!("1.2.3".parse::<Version>().unwrap().to_string(), "1.2.3");
        assert_eq!("3".parse::<Version>(), "3.0.0".parse());
    }

    #[test]
    fn what_is_no_version() {
        for text in ["", ".", "1.", ".1", "1.2.3.4", "1.2b", "-1", "+1", "1 ", "1.1234567"] {
            assert_eq!(text.parse::<Version>(), Err(NoVersion), "{text:?}");
        }
    }
}
