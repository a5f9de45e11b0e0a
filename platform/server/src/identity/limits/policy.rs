//! What a limit promises, and how what is left of it is written.
//!
//! `RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers (since its ninth version): lists
//! of structured fields, an item per policy. `r` is how many more go through now, `t` the seconds until the next place
//! becomes free.

use marque_domain::time::Millis;
use poem::{
    Response,
    http::{HeaderName, HeaderValue},
};

pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("ratelimit");

/// So many in any stretch of so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Its name in the headers.
    pub name: &'static str,
    /// How many.
    pub quota: u32,
    /// In how long.
    pub window_s: u32,
}

impl Policy {
    pub(super) const fn new(name: &'static str, quota: u32, window_s: u32) -> Self {
        Self { name, quota, window_s }
    }

    pub(super) fn window_ms(self) -> i64 {
        i64::from(self.window_s) * 1_000
    }
}

/// A policy applied to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counter {
    pub(super) key: String,
    pub(super) policy: Policy,
}

/// How a counter stands after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    /// How many count.
    pub(super) used: u32,
    /// When the oldest of them was.
    pub(super) oldest: Millis,
}

/// How all counters of a try stand after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) allowed: bool,
    /// In the order of the counters.
    pub(super) stands: Vec<Stand>,
}

impl Tally {
    /// What is left of each policy.
    pub(super) fn left(&self, counters: &[Counter], now: Millis) -> Left {
        let each = counters.iter().zip(&self.stands).map(|(counter, stand)| {
            let policy = counter.policy;
            // Never longer than a window, even when the clock was set back.
            let ms = stand.oldest.plus(policy.window_ms()).since(now).clamp(0, policy.window_ms());
            let free_in_s = if stand.used == 0 { 0 } else { u64::try_from(ms).unwrap_or(0).div_ceil(1_000) };
            (policy, policy.quota.saturating_sub(stand.used), free_in_s)
        });
        Left(each.collect())
    }
}

/// Writes a number in decimal digits. Every answer to an EA carries eight, and formatting takes several times as long.
fn push_number(text: &mut String, number: u64) {
    let (mut digits, mut rest) = ([0; 20], number);
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        // A remainder of ten is a digit.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    text.extend(digits.iter().skip(20 - count).copied().map(char::from));
}

/// What is left of each policy that a try fell under: how many, and the seconds until the next place becomes free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left(pub(super) Vec<(Policy, u32, u64)>);

impl Left {
    /// The value of `RateLimit-Policy`.
    #[must_use]
    pub fn policy(&self) -> String {
        self.items((";q=", ";w="), |(policy, ..)| (policy.quota.into(), policy.window_s.into()))
    }

    /// The value of `RateLimit`.
    #[must_use]
    pub fn remaining(&self) -> String {
        self.items((";r=", ";t="), |(_, left, free)| ((*left).into(), *free))
    }

    /// An item for each policy, with commas: its name and two numbers, each after what it is.
    fn items(&self, what: (&str, &str), numbers: impl Fn(&(Policy, u32, u64)) -> (u64, u64)) -> String {
        let mut text = String::with_capacity(self.0.len() * 40);
        for (at, item) in self.0.iter().enumerate() {
            let (first, second) = numbers(item);
            text.push_str(if at == 0 { "\"" } else { ", \"" });
            text.push_str(item.0.name);
            text.push('"');
            text.push_str(what.0);
            push_number(&mut text, first);
            text.push_str(what.1);
            push_number(&mut text, second);
        }
        text
    }

    /// How many more go through now, of the tightest policy.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.0.iter().map(|(_, left, _)| *left).min().unwrap_or(u32::MAX)
    }

    /// How many count under a policy, and its quota; none when it is not among these.
    #[must_use]
    pub fn used(&self, policy: &str) -> Option<(u64, u64)> {
        let (policy, left, _) = self.0.iter().find(|(known, ..)| known.name == policy)?;
        Some((policy.quota.saturating_sub(*left).into(), policy.quota.into()))
    }

    /// Of a policy that is counted elsewhere and used up for a whole window.
    #[must_use]
    pub fn used_up(name: &'static str, quota: u32, window_s: u32) -> Self {
        Self(vec![(Policy::new(name, quota, window_s), 0, window_s.into())])
    }

    /// Tells a client how much is left.
    pub fn add_headers(&self, response: &mut Response) {
        for (name, value) in [(POLICY, self.policy()), (REMAINING, self.remaining())] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Seconds until every policy that is used up has a place again.
    pub(super) fn wait_s(&self) -> u64 {
        self.0.iter().filter(|(_, left, _)| *left == 0).map(|(.., free)| *free).max().unwrap_or(0).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_formatted() {
        for number in [0, 1, 9, 10, 99, 100, 10_000_000, u64::from(u32::MAX), u64::MAX] {
            let mut text = "=".to_owned();
            push_number(&mut text, number);
            assert_eq!(text, format!("={number}"));
        }
    }

    #[test]
    fn headers_name_each_policy() {
        let left = Left(vec![(Policy::new("a", 60, 60), 59, 60), (Policy::new("b-c", 600, 3_600), 0, 7)]);
        assert_eq!(left.policy(), r#""a";q=60;w=60, "b-c";q=600;w=3600"#);
        assert_eq!(left.remaining(), r#""a";r=59;t=60, "b-c";r=0;t=7"#);
    }
}
