//! Flat JSON and queries: one object of texts, whole numbers and flags, with no name twice. Read strictly, written in the
//! order of its fields.

use core::fmt;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use std::{borrow::Cow, collections::BTreeMap};

/// Characters of a text.
const TEXT_CHARS_MAX: usize = 1_024;
/// The largest whole number: 18 digits.
const NUMBER_MAX: i64 = 999_999_999_999_999_999;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Number(number) => to.serialize_i64(*number),
            Self::Flag(flag) => to.serialize_bool(*flag),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

struct Reading;

impl Visitor<'_> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        // No database takes NUL, and no text of an EA has one.
        let fits = text.chars().count() <= TEXT_CHARS_MAX && !text.contains('\0');
        if fits { Ok(text.into()) } else { Err(E::custom("a text has at most 1,024 characters, and no NUL")) }
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        let fits = (-NUMBER_MAX..=NUMBER_MAX).contains(&number);
        if fits { Ok(Value::Number(number)) } else { Err(E::custom("a number has at most 18 digits")) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

/// An object that was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(pub BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one flat object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

impl Fields {
    /// Of a body.
    pub fn of_json(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Of a query's pairs: `numbers` are those whose values are whole numbers.
    pub fn of_query(pairs: Vec<(String, String)>, numbers: &[&str]) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for (name, text) in pairs {
            let number = numbers.contains(&name.as_str()).then(|| whole(&text)).flatten();
            let value = number.map_or_else(|| Value::Text(text), Value::Number);
            if fields.insert(name, value).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }
}

/// A whole number without a sign: at most 18 digits.
fn whole(text: &str) -> Option<i64> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// An object to be sent, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ordered(Vec<(Cow<'static, str>, Value)>);

impl Ordered {
    /// Adds a field.
    pub fn put(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// As it is sent, without spaces.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and numbers always can be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Ordered {
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
        assert_eq!(fields.0.get("b"), Some(&Value::Number(-3)));
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
        let fields = Fields::of_query(pairs(&[("protocol", "1"), ("account", "1")]), &["protocol"]).unwrap();
        assert_eq!(fields.0.get("protocol"), Some(&Value::Number(1)));
        assert_eq!(fields.0.get("account"), Some(&Value::Text("1".to_owned())));
        assert_eq!(Fields::of_query(pairs(&[("a", "1"), ("a", "2")]), &[]), None);
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
