//! A plugin's settings as a form: from JSON Schema to fields, and from the form back to JSON.
//!
//! Understood: an object whose properties are strings, numbers, integers or booleans, with `title`,
//! `description`, `default`, `enum`, `minimum`, `maximum`, `multipleOf`. A property of another kind is a text
//! area that takes JSON. The host checks the outcome against the schema; nothing here decides what is valid.

use super::component::{Field, FieldKind, words};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// What the names of settings start with in the form.
const PREFIX: &str = "setting.";

/// A setting that is not of its kind, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SettingError {
    /// Which setting.
    pub name: String,
    /// What to write.
    pub message: String,
}

/// The fields of a schema: required ones first, boxes to tick last, each group by name. `values` are the present settings;
/// `errors` say by setting why the last answer was refused.
#[must_use]
pub fn fields_of(schema: &Value, values: &Value, errors: &BTreeMap<String, String>) -> Vec<Field> {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields: Vec<Field> = properties(schema)
        .map(|(name, property)| {
            let value = values.get(name).or_else(|| property.get("default"));
            let mut field = field_of(name, property, value).error(errors.get(name).cloned());
            field.required &= required.contains(&name.as_str());
            field
        })
        .collect();
    fields.sort_by_key(|field| (!field.required, field.kind == FieldKind::Checkbox));
    fields
}

/// The settings that a form says, typed as the schema says. An empty answer leaves the setting out, so that
/// the plugin's default holds.
///
/// # Errors
/// Every setting that is not of its kind.
pub fn settings_from(schema: &Value, form: &BTreeMap<String, String>) -> Result<Value, Vec<SettingError>> {
    let (mut settings, mut errors) = (Map::new(), Vec::new());
    for (name, property) in properties(schema) {
        let answer = form.get(&format!("{PREFIX}{name}")).map(|answer| answer.trim());
        if kind_of(property) == "boolean" {
            settings.insert(name.clone(), Value::Bool(answer.is_some_and(|answer| !answer.is_empty())));
            continue;
        }
        let Some(answer) = answer.filter(|answer| !answer.is_empty()) else { continue };
        match value_of(property, answer) {
            Ok(value) => drop(settings.insert(name.clone(), value)),
            Err(message) => errors.push(SettingError { name: name.clone(), message: message.to_owned() }),
        }
    }
    if errors.is_empty() { Ok(Value::Object(settings)) } else { Err(errors) }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn kind_of(property: &Value) -> &str {
    property.get("type").and_then(Value::as_str).unwrap_or("json")
}

fn text(property: &Value, key: &str) -> Option<String> {
    property.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn number(property: &Value, key: &str) -> Option<String> {
    property.get(key).filter(|value| value.is_number()).map(ToString::to_string)
}

/// A value as it stands in a field.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn field_of(name: &str, property: &Value, value: Option<&Value>) -> Field {
    let choices = property.get("enum").and_then(Value::as_array);
    let kind = match kind_of(property) {
        _ if choices.is_some() => FieldKind::Select,
        "boolean" => FieldKind::Checkbox,
        "integer" | "number" => FieldKind::Number,
        "string" => FieldKind::Text,
        _ => FieldKind::Area,
    };
    let label = text(property, "title").unwrap_or_else(|| words(name));
    let mut field = Field::new(kind, format!("{PREFIX}{name}"), label).value(value.map(shown).unwrap_or_default());
    if let Some(choices) = choices {
        field = field.choices(choices.iter().map(|choice| (shown(choice), words(&shown(choice)))));
    }
    field.checked = kind == FieldKind::Checkbox && value == Some(&Value::Bool(true));
    field.hint = hint(property, kind);
    if kind == FieldKind::Number {
        field.min = number(property, "minimum");
        field.max = number(property, "maximum");
        let whole = kind_of(property) == "integer";
        field.step = number(property, "multipleOf").or_else(|| Some(if whole { "1" } else { "any" }.to_owned()));
    }
    field
}

/// The description, with the range of a number.
fn hint(property: &Value, kind: FieldKind) -> Option<String> {
    let range = match (number(property, "minimum"), number(property, "maximum")) {
        _ if kind != FieldKind::Number => None,
        (Some(min), Some(max)) => Some(format!("{min} to {max}.")),
        (Some(min), None) => Some(format!("{min} or more.")),
        (None, Some(max)) => Some(format!("At most {max}.")),
        (None, None) => None,
    };
    let parts: Vec<String> = text(property, "description").into_iter().chain(range).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn value_of(property: &Value, answer: &str) -> Result<Value, &'static str> {
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        let chosen = choices.iter().find(|choice| shown(choice) == answer);
        return chosen.cloned().ok_or("Choose one of the list.");
    }
    match kind_of(property) {
        "string" => Ok(Value::String(answer.to_owned())),
        "integer" => answer.parse::<i64>().map(Value::from).map_err(|_| "Write a whole number, such as 12."),
        "number" => {
            let number = answer.parse::<f64>().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or("Write a number, such as 0.5.")
        }
        _ => serde_json::from_str(answer).map_err(|_| "Write JSON, such as [1, 2] or {\"a\": 1}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["fast", "slow"],
            "properties": {
                "fast": {"type": "integer", "title": "Fast average", "default": 12, "minimum": 2, "maximum": 500},
                "slow": {"type": "integer", "default": 26, "minimum": 3},
                "lots": {"type": "string", "description": "Size of each order.", "default": "0.10"},
                "risk": {"type": "number", "maximum": 1.5},
                "both_ways": {"type": "boolean", "default": true},
                "exit": {"enum": ["cross", "stop-only"], "default": "stop-only"},
                "hours": {"type": "array"}
            }
        })
    }

    fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (format!("setting.{name}"), (*value).to_owned())).collect()
    }

    #[test]
    fn a_schema_is_a_form() {
        let fields = fields_of(&schema(), &json!({"fast": 9}), &BTreeMap::from([("slow".into(), "Too small.".into())]));
        let lines: Vec<String> = fields
            .iter()
            .map(|f| format!("{} {:?} {:?} {:?} {:?}", f.label, f.kind, f.value, f.hint, f.error))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Fast average Number "9" Some("2 to 500.") None
        Slow Number "26" Some("3 or more.") Some("Too small.")
        Exit Select "stop-only" None None
        Hours Area "" None None
        Lots Text "0.10" Some("Size of each order.") None
        Risk Number "" Some("At most 1.5.") None
        Both ways Checkbox "true" None None
        "#);
    }

    #[test]
    fn a_form_is_settings() {
        let answers = form(&[("fast", " 9 "), ("slow", ""), ("risk", "0.5"), ("exit", "cross"), ("hours", "[8, 9]")]);
        assert_eq!(
            settings_from(&schema(), &answers),
            Ok(json!({"fast": 9, "risk": 0.5, "exit": "cross", "hours": [8, 9], "both_ways": false}))
        );
        let bad = form(&[("fast", "9.5"), ("risk", "NaN"), ("exit", "never"), ("hours", "8")]);
        let names: Vec<String> = settings_from(&schema(), &bad).unwrap_err().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["exit", "fast", "risk"]);
    }

    proptest! {
        #[test]
        fn any_answers_are_settings_or_errors(answers in prop::collection::btree_map("(setting\\.)?(fast|slow|risk|exit|hours|lots|both_ways)", ".{0,20}", 0..8)) {
            if let Ok(settings) = settings_from(&schema(), &answers) {
                // What came out can be shown again.
                prop_assert_eq!(fields_of(&schema(), &settings, &BTreeMap::new()).len(), 7);
            }
        }

        #[test]
        fn any_json_is_some_form(text in "\\PC{0,40}") {
            let schema = serde_json::from_str(&text).unwrap_or(Value::String(text));
            let _ = fields_of(&schema, &schema, &BTreeMap::new());
        }
    }
}
