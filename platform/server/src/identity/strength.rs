//! Which passwords are refused: those that stand in lists of leaked ones, and those that are soon guessed.
//!
//! Owns: the measure, zxcvbn, whose lists come from leaks and are part of this program: nothing about a password leaves
//! it. As NIST SP 800-63B asks there are no rules of composition; a refusal says why.

use super::PasswordError;
use zxcvbn::{Score, feedback::Feedback, matching::patterns::MatchPattern, zxcvbn};

/// Guesses that whoever stole the hashes would need: at least 10⁸.
const SCORE_MIN: Score = Score::Three;
/// How zxcvbn names its list of leaked passwords, and that of what is known of the person.
const LEAKED: &str = "Passwords";
const ABOUT: &str = "UserInputs";

/// Refuses a weak password. `about` is what an attacker would try first: name, address, brand.
pub(super) fn refuse_weak(password: &str, about: &[String]) -> Result<(), PasswordError> {
    let about: Vec<&str> = about.iter().flat_map(|text| words(text)).collect();
    let measured = zxcvbn(password, &about);
    let dictionary = |part: &zxcvbn::Match| match &part.pattern {
        MatchPattern::Dictionary(found) => Some(format!("{:?}", found.dictionary_name)),
        _ => None,
    };
    let found: Vec<Option<String>> = measured.sequence().iter().map(dictionary).collect();
    let is = |name: &str| matches!(found.as_slice(), [Some(list)] if list == name);
    if is(LEAKED) {
        return Err(PasswordError::Leaked);
    }
    if measured.score() >= SCORE_MIN {
        return Ok(());
    }
    if found.iter().flatten().any(|list| list == ABOUT) {
        return Err(PasswordError::Guessable(
            "it contains your name, your address or the name of this site".to_owned(),
        ));
    }
    let why = measured.feedback().and_then(Feedback::warning).map(|warning| warning.to_string());
    let why = why
        .map_or_else(|| "it is short or follows a pattern".to_owned(), |text| lower_first(text.trim_end_matches('.')));
    Err(PasswordError::Guessable(why))
}

/// The text and its words: `ann@x.example` is also `ann`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
    core::iter::once(text).chain(parts)
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weak_passwords_are_refused_with_a_reason() {
        let about = ["Ann Novotna".to_owned(), "ann.novotna@x.example".to_owned(), "Aurora Markets".to_owned()];
        let table = [
            ("password", "leaked"),
            ("Passw0rd", "leaked"),
            ("12345678", "leaked"),
            ("iloveyou", "leaked"),
            ("drowssap", "leaked"),
            ("novotna1", "guessable"),
            ("AuroraMarkets", "guessable"),
            ("qwertyuiop", "leaked"),
            ("aaaaaaaaaaaa", "guessable"),
            ("abcdefgh1", "guessable"),
            ("19841121", "guessable"),
            ("correct horse battery", "good"),
            ("demo-3f9a0c77b1d2", "good"),
            ("u7#kQ!2vLp", "good"),
            ("Žluťoučký kůň úpěl", "good"),
        ];
        for (password, expect) in table {
            let told = match refuse_weak(password, &about) {
                Ok(()) => "good",
                Err(PasswordError::Leaked) => "leaked",
                Err(PasswordError::Guessable(why)) => {
                    assert!(!why.is_empty() && !why.contains(password), "{why}");
                    "guessable"
                }
                Err(_) => "other",
            };
            assert_eq!(told, expect, "{password}");
        }
    }

    proptest! {
        #[test]
        fn measuring_any_text_never_panics(text in "\\PC{0,40}|[a-z0-9]{0,20}", name in "\\PC{0,20}") {
            let _ = refuse_weak(&text, &[name]);
        }
    }
}
