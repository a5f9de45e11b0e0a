//! Flat JSON and queries: one object of texts, whole numbers and flags, with no name twice. Read strictly, written in the
//! order of its fields.

use core::fmt;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use std::borrow::Cow;

/// Characters of a text.
const TEXT_CHARS_MAX: usize = 1_024;
/// The largest whole number: 18 digits.
const NUMBER_MAX: i64 = 999_999_999_999_999_999;

/// A value. Its text is borrowed where it can be: from the body that was read, or from what is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Flag(bool),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Number(number) => to.serialize_i64(*number),
            Self::Flag(flag) => to.serialize_bool(*flag),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

struct Reading;

impl Reading {
    fn text<E: Error>(text: Cow<'_, str>) -> Result<Value<'_>, E> {
        // No database takes NUL, and no text of an EA has one. Bytes are never fewer than characters.
        let short = text.len() <= TEXT_CHARS_MAX || text.chars().count() <= TEXT_CHARS_MAX;
        let fits = short && !text.contains('\0');
        if fits { Ok(Value::Text(text)) } else { Err(E::custom("a text has at most 1,024 characters, and no NUL")) }
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true or false")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Self::text(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Self::text(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        let fits = (-NUMBER_MAX..=NUMBER_MAX).contains(&number);
        if fits { Ok(Value::Number(number)) } else { Err(E::custom("a number has at most 18 digits")) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

/// A name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Naming;
        impl<'de> Visitor<'de> for Naming {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Naming)
    }
}

/// An object that was sent, in the order of its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one flat object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, Value<'de>>()? {
                    fields.push((name, value));
                }
                Fields::of(fields).ok_or_else(|| A::Error::custom("a name stands twice"))
            }
        }
        from.deserialize_map(Object)
    }
}

impl<'a> Fields<'a> {
    /// In the order of their names, of which none may stand twice.
    fn of(mut fields: Vec<(Cow<'a, str>, Value<'a>)>) -> Option<Self> {
        fields.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let twice = fields.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other));
        (!twice).then_some(Self(fields))
    }

    /// Of a body.
    pub fn of_json(body: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Of a query's pairs, of which some have whole numbers as values.
    pub fn of_query(pairs: Vec<(String, String)>, is_number: fn(&str) -> bool) -> Option<Self> {
        let field = |(name, text): (String, String)| {
            let number = is_number(&name).then(|| whole(&text)).flatten();
            (Cow::Owned(name), number.map_or_else(|| text.into(), Value::Number))
        };
        Self::of(pairs.into_iter().map(field).collect())
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }
}

/// A whole number without a sign: at most 18 digits.
fn whole(text: &str) -> Option<i64> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Fields that an answer has without settings.
const FIELDS_USUAL: usize = 24;
/// Bytes that an answer has without settings, or a few more.
const BYTES_USUAL: usize = 1_024;

/// An object to be sent, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ordered<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl Default for Ordered<'_> {
    fn default() -> Self {
        Self(Vec::with_capacity(FIELDS_USUAL))
    }
}

impl<'a> Ordered<'a> {
    /// Adds a field.
    pub fn put(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) {
        self.0.push((name.into(), value.into()));
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// As it is sent, without spaces.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES_USUAL);
        // Texts and numbers always can be written.
        if serde_json::to_writer(&mut bytes, self).is_err() {
            bytes.clear();
        }
        bytes
    }
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flat_objects_are_read() {
        let fields = Fields::of_json(r#"{"a":"ü","b":-3,"c":true}"#.as_bytes()).unwrap();
        assert_eq!(fields.get("b"), Some(&Value::Number(-3)));
        for bad in [
            "",
            "[]",
            "1",
            "{",
            r#"{"a":null}"#,
            r#"{"a":1.5}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1}x"#,
            r#"{"a":1000000000000000000}"#,
            r#"{"a":1e3}"#,
        ] {
            assert_eq!(Fields::of_json(bad.as_bytes()), None, "{bad}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_025));
        assert_eq!(Fields::of_json(long.as_bytes()), None);
    }

    #[test]
    fn a_query_is_the_same_fields() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let fields =
            Fields::of_query(pairs(&[("protocol", "1"), ("account", "1")]), |name| name == "protocol").unwrap();
        assert_eq!(fields.get("protocol"), Some(&Value::Number(1)));
        assert_eq!(fields.get("account"), Some(&"1".into()));
        assert_eq!(Fields::of_query(pairs(&[("a", "1"), ("a", "2")]), |_| false), None);
    }

    #[test]
    fn what_is_written_keeps_its_order() {
        let mut ordered = Ordered::default();
        ordered.put("z", 1);
        ordered.put("a", "\"ü\"\n");
        ordered.put("m", false);
        assert_eq!(String::from_utf8(ordered.to_bytes()).unwrap(), r#"{"z":1,"a":"\"ü\"\n","m":false}"#);
    }
}
