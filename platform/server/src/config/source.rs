//! Where settings come from, as figment takes them, and what it says when one cannot be used.

use super::{ConfigError, DEFAULTS};
use figment::{
    Metadata, Profile, Provider,
    error::Kind,
    util::nest,
    value::{Dict, Map, Value},
};

/// What an environment variable's name starts with.
const PREFIX: &str = "MARQUE_";
/// `MARQUE_` variables that are not settings: they say where the settings are.
const NOT_SETTINGS: &[&str] = &["CONFIG"];

/// A provider under the name a person knows it by.
pub(super) struct Named<'a, P> {
    pub name: &'a str,
    pub inner: P,
}

impl<P: Provider> Provider for Named<'_, P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.to_owned())
    }
    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.inner.data()
    }
}

/// One environment variable.
pub(super) struct Variable {
    name: String,
    key: String,
    value: Value,
}

impl Variable {
    /// The setting that a variable is, if it is one.
    pub fn of(name: &str, text: &str) -> Option<Self> {
        let short = name.strip_prefix(PREFIX).filter(|short| !NOT_SETTINGS.contains(short))?;
        let key = dotted_key(&short.to_ascii_lowercase());
        // Figment reads `true`, `12`, `[a, b]` and leaves the rest a string. It never fails, but where it unescapes it counts
        // characters as bytes, and panics when they differ (0.10.19): such a text is taken as it is.
        let value = if text.contains('\\') && !text.is_ascii() {
            text.into()
        } else {
            text.parse().unwrap_or_else(|never| match never {})
        };
        Some(Self { name: name.to_owned(), key, value })
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }
    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = nest(&self.key, self.value.clone()).into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// `limits_body_bytes` → `limits.body_bytes`, by the sections that exist; other names stay as they are.
fn dotted_key(name: &str) -> String {
    let defaults: toml::Table = DEFAULTS.parse().unwrap_or_default();
    defaults
        .iter()
        .filter(|(_, value)| value.is_table())
        .find_map(|(section, _)| Some(format!("{section}.{}", name.strip_prefix(section.as_str())?.strip_prefix('_')?)))
        .unwrap_or_else(|| name.to_owned())
}

/// What is wrong, where, in words.
pub(super) fn explain(error: figment::Error) -> ConfigError {
    let place = error.metadata.as_ref().map_or_else(|| "the defaults".to_owned(), |m| m.name.to_string());
    let path = error.path.join(".");
    match error.kind {
        Kind::UnknownField(field, known) => {
            // Figment's path holds the field itself when it knows it.
            let key = match error.path.last() {
                Some(last) if *last == field => path,
                Some(_) => format!("{path}.{field}"),
                None => field,
            };
            ConfigError::Unknown { key, place, known: known.join(", ") }
        }
        kind => ConfigError::Wrong {
            place,
            what: if path.is_empty() { kind.to_string() } else { format!("`{path}`: {kind}") },
        },
    }
}
