//! Text from guests, made fit for people.

/// Cuts `text` at `max_bytes` on a character boundary and puts a space in place of every control character, so that a
/// guest can neither break a log line nor steer a terminal.
pub(crate) fn clean(text: &str, max_bytes: usize) -> String {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    kept.chars().map(|c| if c.is_control() || is_bidi_control(c) { ' ' } else { c }).collect()
}

/// Characters that reorder what a person reads.
const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_steers_the_reader() {
        assert_eq!(clean("a\u{1b}[31m\r\nb\u{202e}c\u{85}", 100), "a [31m  b c ");
        assert_eq!(clean("größe", 3), "gr");
    }

    proptest! {
        #[test]
        fn is_bounded_and_plain(text: String, max in 0..64_usize) {
            let cleaned = clean(&text, max);
            // A two-byte control character may become one byte, never the other way round.
            prop_assert!(cleaned.len() <= max);
            prop_assert!(!cleaned.chars().any(char::is_control));
        }
    }
}
