//! What the settings schema is like as a form, and the settings that a trial uses: its defaults.

use super::{code::Code, report::Report};
use serde_json::{Map, Value, json};

/// Reports what the form lacks; answers the settings as the form shows them before anybody types.
pub(super) fn look(schema: &str, report: &mut Report) -> String {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let none = Map::new();
    let fields = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let (mut untitled, mut unbounded, mut guessed) = (Vec::new(), Vec::new(), Vec::new());
    let mut settings = Map::new();
    for (name, field) in fields {
        let has = |keyword: &str| field.get(keyword).is_some();
        if !has("title") || !has("description") {
            untitled.push(name.as_str());
        }
        let number = matches!(field.get("type").and_then(Value::as_str), Some("integer" | "number"));
        let low = has("minimum") || has("exclusiveMinimum");
        if number && !has("enum") && !(low && (has("maximum") || has("exclusiveMaximum"))) {
            unbounded.push(name.as_str());
        }
        if let Some(default) = field.get("default") {
            settings.insert(name.clone(), default.clone());
        } else if required.contains(&name.as_str()) {
            guessed.push(name.as_str());
            settings.insert(name.clone(), guess(field));
        }
    }
    for (code, names) in [(Code::NoDefault, guessed), (Code::Untitled, untitled), (Code::Unbounded, unbounded)] {
        if !names.is_empty() {
            report.find(code, names.join(", "));
        }
    }
    Value::Object(settings).to_string()
}

/// A value that a field without a default may well accept.
fn guess(field: &Value) -> Value {
    if let Some(first) = field.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
        return first.clone();
    }
    let bound = |keyword: &str| field.get(keyword).and_then(Value::as_f64);
    match field.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(false),
        Some("string") => {
            let length = field.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(64);
            json!("x".repeat(usize::try_from(length).unwrap_or(0)))
        }
        Some("integer") => field.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        _ => match (bound("minimum"), bound("exclusiveMinimum")) {
            (Some(low), _) => json!(low),
            (None, Some(low)) => json!(low + 1.0),
            _ => json!(1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_uses_what_the_form_would_show() {
        let schema = r#"{"type":"object","required":["a","b","c"],"properties":{
            "a":{"type":"integer","title":"A","description":"D","minimum":2,"maximum":9,"default":5},
            "b":{"type":"number","title":"B","description":"D","exclusiveMinimum":0,"maximum":1},
            "c":{"type":"string","enum":["x","y"]},
            "d":{"type":"boolean","title":"D","description":"D"}}}"#;
        let mut report = Report::new(String::new(), 0);
        let settings: Value = serde_json::from_str(&look(schema, &mut report)).unwrap();
        assert_eq!(settings, json!({"a": 5, "b": 1.0, "c": "x"}));
        let found: Vec<(Code, &str)> = report.findings.iter().map(|f| (f.code, f.detail.as_str())).collect();
        assert_eq!(found, [(Code::NoDefault, "b, c"), (Code::Untitled, "c")]);
    }

    #[test]
    fn numbers_without_bounds_are_named() {
        let mut report = Report::new(String::new(), 0);
        look(r#"{"properties":{"n":{"type":"number","title":"","description":"","minimum":0}}}"#, &mut report);
        assert!(report.has(Code::Unbounded) && !report.has(Code::Untitled));
    }
}
