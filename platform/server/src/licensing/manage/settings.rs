//! The settings of a licence's EA: a form that the vendor gives, values that the owner sets, and what MetaTrader can read of
//! them.
//!
//! A setting goes to the EA as a text and lies in its files. One that its reader refuses makes every answer unreadable that
//! brings it, so nothing is kept that `ea/include/Marque/Json.mqh` and `Store.mqh` would not take, whatever the form says.

use super::wrong;
use crate::{
    audit::Act,
    identity::{Operation, SignedIn},
    problem::Problem,
};
use marque_domain::{id::LicenceId, time::Millis};
use marque_store::LicenceSettings;
use serde_json::{Map, Value, json};

/// Settings of one product.
pub(super) const SETTINGS_MAX: usize = 64;
/// Characters of a setting's name.
const NAME_CHARS_MAX: usize = 32;
/// UTF-16 units of one text, as MetaTrader counts them: `MARQUE_TEXT_MAX`.
const TEXT_UNITS_MAX: usize = 1_024;
/// Bytes of all settings of a licence where they lie in the EA's files: half of `MARQUE_FILE_BYTES_MAX`, so that the rest of an
/// answer has room beside them.
const BYTES_MAX: usize = 32_768;
/// Bytes of a setting besides its name and its text: `"set.":"",`.
const BYTES_AROUND: usize = 10;

/// Whether an EA can have a setting of this name.
pub(super) fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(good)
}

/// The form of a licence's settings, and what they are now; none when they were never set.
///
/// # Errors
/// [`crate::problem::ProblemCode::NotFound`].
pub async fn settings_of(who: &SignedIn, id: LicenceId) -> Result<(Value, i64, Option<LicenceSettings>), Problem> {
    let licence = who.db().licence(who.may(Operation::ReadLicences)?, id).await?;
    let image = who.db().licence_image(licence.id).await?;
    let schema = serde_json::from_str(&image.product.settings_schema).unwrap_or_default();
    Ok((schema, image.product.schema_version, image.settings))
}

/// Sets the settings of a licence's EA, once they fit the product's form and the EA can read them.
///
/// # Errors
/// [`crate::problem::ProblemCode::NotFound`], [`crate::problem::ProblemCode::Invalid`] names every setting that does not fit
/// the form, or the first that no EA can read.
pub async fn settings_set(
    who: &SignedIn,
    id: LicenceId,
    settings: &Map<String, Value>,
    now: Millis,
) -> Result<i64, Problem> {
    let licence = who.db().licence(who.may(Operation::SetUpEa)?, id).await?;
    let (schema, form, _) = settings_of(who, licence.id).await?;
    if let Some((name, fault)) = unreadable(&schema, settings) {
        return Err(wrong(&format!("settings{}", pointer(name)), fault));
    }
    let value = Value::Object(settings.clone());
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| Problem::internal(&BrokenForm(error.to_string())))?;
    let mut faults = validator.iter_errors(&value).map(|fault| (fault.instance_path().to_string(), fault.to_string()));
    if let Some((path, fault)) = faults.next() {
        let problem = wrong(&format!("settings{path}"), fault);
        return Err(faults.fold(problem, |all, (path, fault)| all.field(format!("/settings{path}"), fault)));
    }
    let version = who.db().set_licence_settings(licence.id, form, &value.to_string(), now).await?;
    let details = json!({ "version": version, "settings": settings });
    who.audit(Act::LicenceSettingsChanged, licence.id.to_string(), details).await?;
    Ok(version)
}

/// The first setting that an EA cannot read, if there is one, with why; without a name when it is all of them together.
fn unreadable<'a>(form: &Value, settings: &'a Map<String, Value>) -> Option<(Option<&'a str>, String)> {
    let known = form.get("properties").and_then(Value::as_object);
    let mut bytes = 0_usize;
    for (name, value) in settings {
        if !is_name(name) || known.is_none_or(|known| !known.contains_key(name)) {
            return Some((Some(name.as_str()), "the EA has no such setting".to_owned()));
        }
        let Some(text) = text_of(value) else {
            return Some((Some(name.as_str()), "must be a text, a number, true or false".to_owned()));
        };
        if text.encode_utf16().count() > TEXT_UNITS_MAX || text.contains('\0') {
            let fault = format!("at most {TEXT_UNITS_MAX} characters, of which an emoji counts as two, and no NUL");
            return Some((Some(name.as_str()), fault));
        }
        bytes = bytes.saturating_add(BYTES_AROUND + name.len() + bytes_kept(&text));
    }
    if settings.len() > SETTINGS_MAX {
        return Some((None, format!("at most {SETTINGS_MAX} settings")));
    }
    (bytes > BYTES_MAX).then(|| (None, format!("all settings together have at most {BYTES_MAX} bytes")))
}

/// A setting as EAs have it; none of what is not flat.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Bytes of a text in the EA's files, where control characters are written as `\u000a`.
fn bytes_kept(text: &str) -> usize {
    let of = |c: char| match c {
        '\0'..='\u{1f}' => 6,
        '"' | '\\' => 2,
        other => other.len_utf8(),
    };
    text.chars().map(of).sum()
}

/// The end of a JSON pointer (RFC 6901) to a setting.
fn pointer(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("/{}", name.replace('~', "~0").replace('/', "~1")))
}

#[derive(Debug, thiserror::Error)]
#[error("a product's form of settings cannot be used: {0}")]
struct BrokenForm(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_ea_can_read() {
        let names: Vec<String> = (0..70).map(|n| format!("t{n}")).collect();
        let properties: Map<String, Value> = names.iter().map(|n| (n.clone(), json!({ "type": "string" }))).collect();
        let form = json!({ "type": "object", "properties": properties, "additionalProperties": true });
        let set = |count: usize, value: Value| -> Map<String, Value> {
            names.iter().take(count).map(|name| (name.clone(), value.clone())).collect()
        };
        for (settings, wanted) in [
            (set(64, json!("x")), None),
            (set(65, json!("x")), Some("at most 64 settings")),
            (set(1, json!("x".repeat(1_024))), None),
            (set(1, json!("x".repeat(1_025))), Some("at most 1024 characters")),
            (set(1, json!("🦀".repeat(512))), None),
            (set(1, json!("🦀".repeat(513))), Some("an emoji counts as two")),
            (set(1, json!("a\0b")), Some("no NUL")),
            (set(1, json!(0.5)), None),
            (set(1, json!(null)), Some("must be a text")),
            (set(1, json!([1])), Some("must be a text")),
            (set(1, json!({ "a": 1 })), Some("must be a text")),
            (set(31, json!("x".repeat(1_024))), None),
            (set(32, json!("x".repeat(1_024))), Some("32768 bytes")),
            (set(6, json!("\n".repeat(1_000))), Some("32768 bytes")),
            (Map::from_iter([("other".to_owned(), json!("x"))]), Some("no such setting")),
            (Map::from_iter([("T 0".to_owned(), json!("x"))]), Some("no such setting")),
        ] {
            let said = unreadable(&form, &settings).map(|(_, fault)| fault);
            let fits = match (&said, wanted) {
                (Some(said), Some(wanted)) => said.contains(wanted),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{said:?}, not {wanted:?}");
        }
        assert!(unreadable(&Value::Null, &set(1, json!("x"))).is_some(), "without a form there are no settings");
    }

    #[test]
    fn a_setting_is_pointed_at() {
        assert_eq!(pointer(Some("a/b~c")), "/a~1b~0c");
        assert_eq!(pointer(None), "");
    }
}
