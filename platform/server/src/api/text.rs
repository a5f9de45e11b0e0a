//! Texts of bodies, taken strictly: poem-openapi's own `String` also takes numbers, and a number that went through
//! floating point is not the one that was meant.

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde_json::Value;
use std::borrow::Cow;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $schema_name:literal, $schema:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(super) struct $name(pub String);

        impl Type for $name {
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

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                match value.unwrap_or_default() {
                    Value::String(text) => Ok(Self(text)),
                    other => Err(ParseError::expected_type(other)),
                }
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(Value::String(self.0.clone()))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text!(
    /// A text.
    Text,
    "string",
    MetaSchema::new("string")
);
text!(
    /// A decimal number as a text. What it may be is checked where its meaning is known.
    Decimal,
    "string_decimal",
    MetaSchema {
        pattern: Some(r"^-?[0-9]+(\.[0-9]{1,8})?$".to_owned()),
        ..MetaSchema::new_with_format("string", "decimal")
    }
);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_texts_are_texts() {
        assert_eq!(Decimal::parse_from_json(Some(json!("0.10"))).ok(), Some(Decimal("0.10".to_owned())));
        for other in [json!(0.1), json!(1), json!(null), json!(true), json!(["1"]), json!({ "a": 1 })] {
            assert!(Decimal::parse_from_json(Some(other.clone())).is_err(), "{other}");
            assert!(Text::parse_from_json(Some(other)).is_err());
        }
        assert!(Text::parse_from_json(None).is_err());
    }
}
