//! Settings schemas that can be shown as a form, and settings checked against them before a guest sees them.
//!
//! A schema is a guest's own text, so only a plain subset is accepted: one object, closed, with fields of simple types.
//! References, combinators and patterns are left out: a form cannot show them, and they let a schema run for ever.

use crate::text::clean;
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::sync::Arc;

const FIELDS_MAX: usize = 64;
const MESSAGE_BYTES: usize = 300;
const ROOT_KEYWORDS: [&str; 6] = ["type", "title", "description", "required", "properties", "additionalProperties"];
const FIELD_KEYWORDS: [&str; 12] = [
    "type",
    "title",
    "description",
    "default",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
];
const FIELD_TYPES: [&str; 4] = ["string", "integer", "number", "boolean"];

/// What is wrong with settings, or with a schema of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Longer than allowed.
    #[error("it has {bytes} bytes; the limit is {limit}.")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest.
        limit: usize,
    },
    /// Not JSON.
    #[error("it is not valid JSON: {0}.")]
    NotJson(String),
    /// Not a form.
    #[error("{place}: {fault}.")]
    NotAForm {
        /// Which part of the schema.
        place: String,
        /// What is wrong and what is wanted.
        fault: String,
    },
    /// The settings do not satisfy the schema.
    #[error("{place}: {fault}.")]
    Unsatisfied {
        /// Which setting, empty for all of them.
        place: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// A plugin's settings schema, ready to check with.
#[derive(Clone)]
pub(crate) struct SettingsSchema {
    limit: usize,
    validator: Arc<Validator>,
}

fn parse(json: &str, limit: usize) -> Result<Value, SettingsError> {
    if json.len() > limit {
        return Err(SettingsError::TooLong { bytes: json.len(), limit });
    }
    serde_json::from_str(json).map_err(|e| SettingsError::NotJson(clean(&e.to_string(), MESSAGE_BYTES)))
}

fn not_a_form(place: &str, fault: &str) -> SettingsError {
    SettingsError::NotAForm { place: clean(place, 80), fault: clean(fault, MESSAGE_BYTES) }
}

fn only(keywords: &[&str], object: &Map<String, Value>, place: &str) -> Result<(), SettingsError> {
    match object.keys().find(|key| !keywords.contains(&key.as_str())) {
        Some(key) => Err(not_a_form(place, &format!("`{key}` is not supported; use only {}", keywords.join(", ")))),
        None => Ok(()),
    }
}

impl SettingsSchema {
    /// Reads a schema.
    pub(crate) fn new(json: &str, limit: usize) -> Result<Self, SettingsError> {
        let schema = parse(json, limit)?;
        let root = schema.as_object().ok_or_else(|| not_a_form("schema", "it must be a JSON object"))?;
        only(&ROOT_KEYWORDS, root, "schema")?;
        if root.get("type").and_then(Value::as_str) != Some("object") {
            return Err(not_a_form("schema", "its type must be \"object\""));
        }
        if root.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(not_a_form("schema", "set additionalProperties to false, so that a mistyped name is noticed"));
        }
        let none = Map::new();
        let fields = match root.get("properties") {
            None => &none,
            Some(fields) => fields.as_object().ok_or_else(|| not_a_form("properties", "they must be an object"))?,
        };
        if fields.len() > FIELDS_MAX {
            return Err(not_a_form("properties", "there are more than 64 fields"));
        }
        fields.iter().try_for_each(|(name, field)| check_field(name, field))?;
        let validator =
            jsonschema::validator_for(&schema).map_err(|e| not_a_form("schema", &format!("it is not valid: {e}")))?;
        Ok(Self { limit, validator: Arc::new(validator) })
    }

    /// Checks settings.
    pub(crate) fn check(&self, json: &str) -> Result<(), SettingsError> {
        let settings = parse(json, self.limit)?;
        self.validator.validate(&settings).map_err(|error| SettingsError::Unsatisfied {
            place: match error.instance_path().as_str().trim_start_matches('/') {
                "" => "settings".to_owned(),
                path => clean(path, 80),
            },
            fault: clean(&error.to_string(), MESSAGE_BYTES),
        })
    }
}

fn check_field(name: &str, field: &Value) -> Result<(), SettingsError> {
    let keywords = field.as_object().ok_or_else(|| not_a_form(name, "it must be an object"))?;
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(not_a_form(name, "a field's name has only small letters, digits and underscores, at most 64"));
    }
    only(&FIELD_KEYWORDS, keywords, name)?;
    let kind = keywords.get("type").and_then(Value::as_str).unwrap_or_default();
    if !FIELD_TYPES.contains(&kind) {
        return Err(not_a_form(name, &format!("its type must be one of {}", FIELD_TYPES.join(", "))));
    }
    let Some(default) = keywords.get("default") else { return Ok(()) };
    let validator = jsonschema::validator_for(field).map_err(|e| not_a_form(name, &format!("it is not valid: {e}")))?;
    validator.validate(default).map_err(|e| not_a_form(name, &format!("its default does not satisfy it: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 64 << 10;

    fn fault(schema: &str) -> String {
        SettingsSchema::new(schema, LIMIT).err().map(|e| e.to_string()).unwrap_or_default()
    }

    fn closed(properties: &str) -> String {
        format!(r#"{{"type":"object","additionalProperties":false,"properties":{properties}}}"#)
    }

    #[test]
    fn a_schema_is_a_closed_form_of_plain_fields() {
        for (schema, wanted) in [
            (closed("{}"), ""),
            (closed(r#"{"a":{"type":"number","default":1,"minimum":0}}"#), ""),
            ("[]".to_owned(), "schema: it must be a JSON object."),
            (r#"{"type":"object"}"#.to_owned(), "additionalProperties to false"),
            (r##"{"$ref":"#"}"##.to_owned(), "`$ref` is not supported"),
            (closed(r##"{"a":{"$ref":"#"}}"##), "a: `$ref` is not supported"),
            (closed(r#"{"a":{"type":"string","pattern":"(a*)*b"}}"#), "a: `pattern` is not supported"),
            (closed(r#"{"a":{"type":"object"}}"#), "a: its type must be one of"),
            (closed(r#"{"A b":{"type":"string"}}"#), "small letters"),
            (closed(r#"{"a":{"type":"integer","default":"x"}}"#), "its default does not satisfy it"),
            (closed(r#"{"a":{"type":"integer","minimum":"x"}}"#), "not valid"),
            ("{".to_owned(), "not valid JSON"),
            ("[".repeat(60_000), "not valid JSON"),
            (" ".repeat(LIMIT + 1), "the limit is 65536"),
        ] {
            let got = fault(&schema);
            assert!(got.contains(wanted) && got.is_empty() == wanted.is_empty(), "{schema:.80} -> {got}");
        }
        let many: Vec<String> = (0..65).map(|n| format!(r#""f{n}":{{"type":"string"}}"#)).collect();
        assert!(fault(&closed(&format!("{{{}}}", many.join(",")))).contains("more than 64"));
    }

    #[test]
    fn settings_name_the_field_that_is_wrong() {
        let fields = r#"{"lots":{"type":"number","exclusiveMinimum":0},"fast":{"type":"integer"}}"#;
        let schema = SettingsSchema::new(&closed(fields), LIMIT).unwrap();
        assert_eq!(schema.check(r#"{"lots":0.1,"fast":3}"#), Ok(()));
        for (settings, wanted) in [
            (r#"{"lots":0}"#, "lots: 0 is less than or equal to the minimum of 0"),
            (r#"{"fast":1.5}"#, "fast: 1.5 is not of type \"integer\""),
            (r#"{"slow":1}"#, "settings: Additional properties are not allowed"),
            ("{\"a\u{1b}", "not valid JSON"),
            ("7", "settings: 7 is not of type \"object\""),
        ] {
            let got = schema.check(settings).unwrap_err().to_string();
            assert!(got.contains(wanted), "{settings} -> {got}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_not_a_panic(text in ".{0,200}") {
            let _ = SettingsSchema::new(&text, LIMIT);
            let _ = SettingsSchema::new(&closed("{}"), LIMIT).unwrap().check(&text);
        }
    }
}
