//! A question that is asked at sign-in after repeated failures, before the password is looked at.
//!
//! It makes a program that guesses passwords slower and a person who mistyped theirs hardly notices it: a small sum in
//! words, answered after two seconds at the earliest, each question once. It needs no script, no picture and no other
//! company. It does not tell people from programs, and is not meant to: the limits are what stops guessing, this makes
//! each guess cost a page and a pause.
//!
//! The question carries its own proof: a MAC under the tenant's key over its number, its time and the right answer.

use super::limits::{Left, Limits};
use crate::{
    problem::Problem,
    secrets::{self, TenantKeys},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::{
    id::TenantId,
    time::{MINUTE_MS, Millis},
};
use subtle::ConstantTimeEq as _;

/// Nobody reads a sum, works it out and types it sooner.
const SOONEST_MS: i64 = 2_000;
/// How long a question can be answered.
const LATEST_MS: i64 = 10 * MINUTE_MS;
const PURPOSE: &str = "sign-in question";
const NUMBER_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// A question as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub text: String,
    /// What the form carries back with the answer.
    pub token: String,
}

/// What came back with a form.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer<'a> {
    /// The question's token.
    pub token: &'a str,
    /// What was typed.
    pub text: &'a str,
}

/// Whether so much of the limits is used up that a question is asked. `left` is after the present try; `further` tries
/// are looked ahead.
#[must_use]
pub fn is_asked(left: &Left, further: u64) -> bool {
    let used_up = |policy, share: u64, of: u64| {
        left.used(policy).is_some_and(|(used, quota)| (used + further).saturating_mul(of) > quota.saturating_mul(share))
    };
    used_up("sign-in", 3, 5) || used_up("sign-in-person", 1, 10) || used_up("sign-in-address", 2, 5)
}

/// A new question.
///
/// # Errors
/// When there is no randomness.
pub fn ask(keys: &TenantKeys, now: Millis) -> Result<Question, Problem> {
    let number: [u8; NUMBER_BYTES] = secrets::random_bytes().map_err(|error| Problem::internal(&error))?;
    let [a, b, ..] = number.map(|byte| u32::from(byte % 9) + 2);
    let mac = mac(keys, &number, now, a + b);
    let token = URL_SAFE_NO_PAD.encode([&number[..], &now.0.to_be_bytes(), &mac].concat());
    Ok(Question { text: format!("What is {} plus {}?", word(a), word(b)), token })
}

/// Whether a question was answered rightly: it is one of ours, not answered before, in its time.
///
/// # Errors
/// When it cannot be found out whether it was answered before.
pub async fn is_right(
    keys: &TenantKeys,
    limits: &Limits,
    tenant: TenantId,
    answer: Answer<'_>,
    now: Millis,
) -> Result<bool, Problem> {
    let Some((number, at, sent)) = read(answer.token) else { return Ok(false) };
    let Some(sum) = number_of(answer.text) else { return Ok(false) };
    let right: bool = mac(keys, &number, at, sum).ct_eq(&sent).into();
    let in_time = (SOONEST_MS..=LATEST_MS).contains(&now.since(at));
    if !(right && in_time) {
        return Ok(false);
    }
    limits.once(tenant, answer.token, now).await
}

type Parts = ([u8; NUMBER_BYTES], Millis, [u8; 32]);

fn read(token: &str) -> Option<Parts> {
    // The bound keeps a hostile field from being decoded at all.
    let bytes = (token.len() == 75).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten()?;
    let (number, rest) = bytes.split_first_chunk::<NUMBER_BYTES>()?;
    let (at, mac) = rest.split_first_chunk::<TIME_BYTES>()?;
    Some((*number, Millis(i64::from_be_bytes(*at)), mac.try_into().ok()?))
}

fn mac(keys: &TenantKeys, number: &[u8], at: Millis, sum: u32) -> [u8; 32] {
    keys.mac(PURPOSE, &[number, &at.0.to_be_bytes(), &sum.to_be_bytes()].concat())
}

/// A number as somebody types it: digits, or the word.
fn number_of(text: &str) -> Option<u32> {
    let text = text.trim();
    text.parse().ok().or_else(|| (2..=20).find(|number| word(*number).eq_ignore_ascii_case(text)))
}

const fn word(number: u32) -> &'static str {
    match number {
        2 => "two",
        3 => "three",
        4 => "four",
        5 => "five",
        6 => "six",
        7 => "seven",
        8 => "eight",
        9 => "nine",
        10 => "ten",
        11 => "eleven",
        12 => "twelve",
        13 => "thirteen",
        14 => "fourteen",
        15 => "fifteen",
        16 => "sixteen",
        17 => "seventeen",
        18 => "eighteen",
        19 => "nineteen",
        _ => "twenty",
    }
}

/// What a person works out.
#[cfg(test)]
pub(super) fn worked_out(text: &str) -> String {
    let words: Vec<_> = text.trim_end_matches('?').split(' ').collect();
    let of = |place: usize| words.get(place).and_then(|word| number_of(word)).unwrap_or_default();
    (of(2) + of(4)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, TestStore, config, vault};

    #[tokio::test]
    async fn a_question_is_answered_once_in_its_time_at_its_brand() {
        let store = TestStore::with_demo(&[]).await;
        let tenants = store.system().tenants().await.unwrap();
        let (vault, limits) = (vault(), Limits::new(&config("")).unwrap());
        let keys = vault.of(&store.system().tenant_db(tenants[0].id)).await.unwrap();
        let others = vault.of(&store.system().tenant_db(tenants[1].id)).await.unwrap();
        let is = async |keys: &TenantKeys, token: &str, text: &str, ms: i64| {
            is_right(keys, &limits, tenants[0].id, Answer { token, text }, NOON.plus(ms)).await.unwrap()
        };
        let question = ask(&keys, NOON).unwrap();
        let sum = worked_out(&question.text);
        let wrong = (sum.parse::<u32>().unwrap() + 1).to_string();
        let token = question.token.as_str();
        let changed = format!("{}{}", &token[..74], if token.ends_with('A') { 'B' } else { 'A' });
        for (why, token, text, ms) in [
            ("a wrong sum", token, wrong.as_str(), 5_000),
            ("no number", token, "", 5_000),
            ("too soon", token, &sum, 1_999),
            ("too late", token, &sum, LATEST_MS + 1),
            ("from the future", token, &sum, -5_000),
            ("no question", "", &sum, 5_000),
            ("a changed question", &changed, &sum, 5_000),
            ("another text", &"A".repeat(75), &sum, 5_000),
        ] {
            assert!(!is(&keys, token, text, ms).await, "{why}");
        }
        assert!(!is(&others, token, &sum, 5_000).await, "another brand's");
        assert!(is(&keys, token, &format!(" {sum} "), 5_000).await);
        assert!(!is(&keys, token, &sum, 5_001).await, "it was answered");

        // Of a hundred at once one counts; a number may be written as a word.
        let question = ask(&keys, NOON).unwrap();
        let sum = word(worked_out(&question.text).parse().unwrap()).to_uppercase();
        let all = futures_util::future::join_all((0..100).map(|_| is(&keys, &question.token, &sum, 5_000))).await;
        assert_eq!(all.iter().filter(|right| **right).count(), 1);
    }
}
