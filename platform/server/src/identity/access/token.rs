//! The texts of tokens. What stands before the random part says what it is, so that a person who finds one in a log,
//! and a scanner that looks for leaked ones, know what to end.

use crate::secrets::{NoRandomness, Token};
use marque_store::TokenHash;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opens the API for ten minutes.
    Access,
    /// Is exchanged for the next two.
    Refresh,
    /// A person made it for a program of theirs.
    Personal,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Access, Self::Refresh, Self::Personal];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "mqa_",
            Self::Refresh => "mqr_",
            Self::Personal => "mq_",
        }
    }
}

/// A new token: its text, which is shown once, and the hash that is kept.
pub(super) fn make(kind: Kind) -> Result<(String, TokenHash), NoRandomness> {
    let token = Token::new()?;
    Ok((format!("{}{}", kind.prefix(), token.expose()), TokenHash(token.digest().0)))
}

/// What a text is the token of; none when it cannot be one.
pub(super) fn read(text: &str) -> Option<(Kind, TokenHash)> {
    Kind::ALL.iter().find_map(|kind| {
        let token = Token::parse(text.strip_prefix(kind.prefix())?)?;
        Some((*kind, TokenHash(token.digest().0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_of_one_kind() {
        for kind in Kind::ALL {
            let (text, hash) = make(kind).unwrap();
            assert_eq!(read(&text), Some((kind, hash)), "{text}");
            let bare = text.strip_prefix(kind.prefix()).unwrap();
            let cut: String = text.chars().take(text.len() - 1).collect();
            for bad in [bare, &format!("mqx_{bare}"), &format!("MQ_{bare}"), &format!("{text}A"), &cut] {
                assert_eq!(read(bad), None, "{bad}");
            }
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_never_panics(text in "(mq[ar]?_)?.{0,60}") {
            let _ = read(&text);
        }
    }
}
