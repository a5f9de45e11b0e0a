//! What the settings schema is like as a form, and the settings that trials use: its defaults, and others that it accepts.

use super::{code::Code, market::Dice, report::Report};
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

/// Settings that are drawn, beside the least, the most and the alternatives: several, because a plugin may refuse some.
const DRAWN: usize = 9;
/// The smallest step of a number that says none.
const STEP: f64 = 0.01;

/// Which value of each setting is taken.
#[derive(Clone, Copy)]
enum Pick {
    /// The lowest, or the first of a list.
    Least,
    /// The highest, or the last of a list.
    Most,
    /// The next of a list; numbers stay.
    Next,
    /// By dice, half of them.
    Drawn,
}

/// Other settings than the defaults, each a JSON object: the extremes, the alternatives, and what a seed draws. What cannot be
/// said from the schema alone (texts, numbers without bounds) stays. A plugin may refuse some of them.
pub(super) fn others(schema: &str, defaults: &str, seed: u64) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let Ok(base) = serde_json::from_str::<Map<String, Value>>(defaults) else { return Vec::new() };
    let none = Map::new();
    let fields = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let (mut dice, mut found) = (Dice(seed), Vec::new());
    let drawn = core::iter::repeat_n(Pick::Drawn, DRAWN);
    for pick in [Pick::Least, Pick::Most, Pick::Next].into_iter().chain(drawn) {
        let mut settings = base.clone();
        for (name, field) in fields {
            if let Some(value) = picked(field, base.get(name), pick, &mut dice) {
                settings.insert(name.clone(), value);
            }
        }
        let text = Value::Object(settings).to_string();
        if text != defaults && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// Another value of a setting; none to leave it as it is.
fn picked(field: &Value, present: Option<&Value>, pick: Pick, dice: &mut Dice) -> Option<Value> {
    let (coin, chance) = (dice.next(), dice.next());
    if matches!(pick, Pick::Drawn) && coin.is_multiple_of(2) {
        return None;
    }
    let flags = [json!(false), json!(true)];
    let kind = field.get("type").and_then(Value::as_str);
    let all = match field.get("enum").and_then(Value::as_array) {
        Some(all) => all.as_slice(),
        None if kind == Some("boolean") => &flags,
        None => return number(field, kind == Some("integer"), pick, chance),
    };
    let last = all.len().checked_sub(1)?;
    let at = match pick {
        Pick::Least => 0,
        Pick::Most => last,
        Pick::Next => all.iter().position(|value| Some(value) == present).map_or(0, |at| at + 1) % all.len(),
        Pick::Drawn => usize::try_from(chance % u64::try_from(all.len()).ok()?).ok()?,
    };
    all.get(at).cloned()
}

/// A number between its bounds; what has none stays.
fn number(field: &Value, whole: bool, pick: Pick, chance: u64) -> Option<Value> {
    let bound = |keyword: &str| field.get(keyword).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0).unwrap_or(if whole { 1.0 } else { STEP });
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + step));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - step));
    let value = match pick {
        Pick::Least => low?,
        Pick::Most => high?,
        Pick::Next => return None,
        Pick::Drawn => {
            let (low, high) = (low?, high?);
            let part = f64::from(u16::try_from(chance % 1_000).unwrap_or_default()) / 1_000.0;
            // Low values are the likelier ones, as people set them: bounds are often far away.
            low + ((high - low) * part * part / step).floor() * step
        }
    };
    if whole {
        return format!("{value:.0}").parse::<i64>().ok().map(Value::from);
    }
    // Steps that no binary fraction is would leave digits that nobody wrote.
    format!("{value:.8}").parse::<f64>().ok().map(Value::from)
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

    #[test]
    fn other_settings_are_the_extremes_the_alternatives_and_some_that_are_drawn() {
        let schema = r#"{"type":"object","properties":{
            "a":{"type":"integer","minimum":2,"maximum":9,"default":5},
            "b":{"type":"number","exclusiveMinimum":0,"maximum":1,"default":0.5},
            "c":{"type":"string","enum":["x","y","z"],"default":"y"},
            "d":{"type":"boolean","default":true},
            "e":{"type":"string","default":"as it is"},
            "f":{"type":"number","minimum":0}}}"#;
        let defaults = json!({"a": 5, "b": 0.5, "c": "y", "d": true, "e": "as it is"}).to_string();
        let found = others(schema, &defaults, 1);
        let read: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(read[0], json!({"a": 2, "b": 0.01, "c": "x", "d": false, "e": "as it is", "f": 0.0}));
        assert_eq!(read[1], json!({"a": 9, "b": 1.0, "c": "z", "d": true, "e": "as it is"}));
        assert_eq!(read[2], json!({"a": 5, "b": 0.5, "c": "z", "d": false, "e": "as it is"}));
        assert!(read.len() > 6, "{read:?}");
        for settings in &read {
            assert!((2..=9).contains(&settings["a"].as_i64().unwrap()), "{settings}");
            assert!(settings["b"].as_f64().is_some_and(|b| b > 0.0 && b <= 1.0), "{settings}");
        }
        assert_eq!(found, others(schema, &defaults, 1), "a seed is one choice");
        assert_ne!(found, others(schema, &defaults, 2));
        assert!(others(r#"{"properties":{"e":{"type":"string"}}}"#, "{}", 1).is_empty());
        assert!(others("[]", "7", 1).is_empty());
    }
}
