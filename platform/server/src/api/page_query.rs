//! What a request says of the page it wants: where it begins, how long it is, up to which time. Described and checked
//! in one place.

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromParameter, ParseResult, Type},
};
use std::borrow::Cow;

/// Letters of a cursor.
const CURSOR_CHARS: usize = 22;

/// Where a page begins: the `next` of the page before. Which list it is of, [`super::page::List`] knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor(pub String);

/// How many entries a page may have, 200 at most where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit<const MAX: u32 = 200>(pub u32);

/// A time as RFC 3339 writes it; what is none is refused where it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instant(pub String);

macro_rules! parameter {
    ([$($generic:tt)*] $name:ty, $schema_name:literal, $schema:expr) => {
        impl<$($generic)*> Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                $schema_name.into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }
    };
}

parameter!(
    [] Cursor,
    "string_cursor",
    MetaSchema { pattern: Some(format!("^[A-Za-z0-9_-]{{{CURSOR_CHARS}}}$")), ..MetaSchema::new("string") }
);
parameter!(
    [const MAX: u32] Limit<MAX>,
    "integer_limit",
    MetaSchema {
        minimum: Some(1.0),
        maximum: Some(f64::from(MAX)),
        ..MetaSchema::new_with_format("integer", "uint32")
    }
);

parameter!([] Instant, "string_date-time", MetaSchema::new_with_format("string", "date-time"));

impl ParseFromParameter for Instant {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        Ok(Self(text.to_owned()))
    }
}

impl ParseFromParameter for Cursor {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let fits = text.len() == CURSOR_CHARS
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError::custom("must be the `next` of a page of this list"))
        }
    }
}

impl<const MAX: u32> ParseFromParameter for Limit<MAX> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        let limit = text.parse().ok().filter(|limit| (1..=MAX).contains(limit));
        limit.map(Self).ok_or_else(|| ParseError::custom(format!("must be a number from 1 to {MAX}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_within_bounds() {
        for (text, expect) in [
            ("1", Some(1)),
            ("200", Some(200)),
            ("0", None),
            ("201", None),
            ("-1", None),
            ("", None),
            ("1.0", None),
            ("x", None),
        ] {
            assert_eq!(Limit::<200>::parse_from_parameter(text).ok().map(|limit| limit.0), expect, "{text:?}");
        }
        for (text, fits) in [
            ("A-_z0aaaaaaaaaaaaaaaaa", true),
            ("", false),
            ("short", false),
            ("ä-_z0aaaaaaaaaaaaaaaa", false),
            ("A=_z0aaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(Cursor::parse_from_parameter(text).is_ok(), fits, "{text:?}");
        }
    }
}
