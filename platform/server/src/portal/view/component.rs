//! The parts that pages are made of; each has one partial in `themes/base/templates/parts/`.

use serde::Serialize;
use serde_json::Value;

/// What a badge or banner wants to say besides its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Nothing in particular.
    Quiet,
    /// Something the brand offers.
    Accent,
    /// All is well.
    Good,
    /// Look at this.
    Warn,
    /// This went wrong.
    Bad,
}

impl Tone {
    /// A sign that says the tone without colour.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Quiet | Self::Accent => "",
            Self::Good => "✓",
            Self::Warn => "!",
            Self::Bad => "✕",
        }
    }
}

/// A word with a tone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Badge {
    /// The word.
    pub text: String,
    /// Its tone.
    pub tone: Tone,
    /// The tone without colour.
    pub mark: &'static str,
}

impl Badge {
    /// A badge.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone, mark: tone.mark() }
    }
}

/// Something to follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its words.
    pub label: String,
    /// Where it leads.
    pub href: String,
}

impl Link {
    /// A link.
    pub fn new(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into() }
    }
}

/// A choice of what is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tab {
    /// What it lists.
    pub label: &'static str,
    /// Where it leads.
    pub href: String,
    /// Whether it is shown now.
    pub current: bool,
}

/// A message across the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Banner {
    /// Its tone.
    pub tone: Tone,
    /// The tone without colour.
    pub mark: &'static str,
    /// What happened.
    pub title: String,
    /// Why, and what to do next.
    pub text: String,
    /// Where to do it.
    pub action: Option<Link>,
}

impl Banner {
    /// A banner without an action.
    pub fn new(tone: Tone, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { tone, mark: tone.mark(), title: title.into(), text: text.into(), action: None }
    }
}

impl Banner {
    /// What somebody reads on every page who has not confirmed their address.
    #[must_use]
    pub fn unverified() -> Self {
        let text = "Until then you can look around, but not trade. The link is in the mail that we sent you.";
        let action = Some(Link::new("Send another link", "/verify"));
        Self { action, ..Self::new(Tone::Warn, "Confirm your address", text) }
    }
}

/// Neighbouring pages of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pager {
    /// Towards the newest.
    pub newer: Option<String>,
    /// Towards the oldest.
    pub older: Option<String>,
}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// An e-mail address.
    Email,
    /// A password.
    Password,
    /// A number.
    Number,
    /// One of several.
    Select,
    /// Yes or no.
    Checkbox,
    /// Lines of text.
    Area,
    /// A file to send. Its form must be sent in parts.
    File,
}

/// One of the answers of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What a person reads.
    pub label: String,
    /// Whether it is the present answer.
    pub selected: bool,
}

/// A field of a form with its label, hint and error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// What the form calls it.
    pub name: String,
    /// The element's id.
    pub id: String,
    /// What a person calls it.
    pub label: String,
    /// How it is filled in.
    pub kind: FieldKind,
    /// The `type` of the element, where it is an `input`.
    pub input: &'static str,
    /// What stands in it.
    pub value: String,
    /// Whether it is ticked.
    pub checked: bool,
    /// Whether it must be filled in.
    pub required: bool,
    /// What to know before filling it in.
    pub hint: Option<String>,
    /// Why the last answer was refused and what to write instead.
    pub error: Option<String>,
    /// What the browser may fill in.
    pub autocomplete: Option<&'static str>,
    /// Smallest number.
    pub min: Option<String>,
    /// Largest number.
    pub max: Option<String>,
    /// Step between numbers, or `any`.
    pub step: Option<String>,
    /// Answers to choose from.
    pub choices: Vec<Choice>,
}

impl Field {
    /// An empty, required field.
    pub fn new(kind: FieldKind, name: impl Into<String>, label: impl Into<String>) -> Self {
        let name = name.into();
        let input = match kind {
            FieldKind::Email => "email",
            FieldKind::Password => "password",
            FieldKind::Number => "number",
            FieldKind::Checkbox => "checkbox",
            FieldKind::File => "file",
            FieldKind::Text | FieldKind::Select | FieldKind::Area => "text",
        };
        Self {
            id: format!("field-{}", name.replace('.', "-")),
            name,
            label: label.into(),
            kind,
            input,
            value: String::new(),
            checked: false,
            required: kind != FieldKind::Checkbox,
            hint: None,
            error: None,
            autocomplete: None,
            min: None,
            max: None,
            step: None,
            choices: Vec::new(),
        }
    }

    /// With what stands in it.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// With what to know before filling it in.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With why the last answer was refused.
    #[must_use]
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// With what the browser may fill in.
    #[must_use]
    pub const fn autocomplete(mut self, token: &'static str) -> Self {
        self.autocomplete = Some(token);
        self
    }

    /// With answers to choose from as pairs of value and label; the one equal to the field's value is chosen.
    #[must_use]
    pub fn choices<V: Into<String>, L: Into<String>>(mut self, choices: impl IntoIterator<Item = (V, L)>) -> Self {
        let chosen = &self.value;
        self.choices = choices
            .into_iter()
            .map(|(value, label)| (value.into(), label.into()))
            .map(|(value, label)| Choice { selected: value == *chosen, value, label })
            .collect();
        self
    }
}

/// A setting of a plugin as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name in words.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// The settings of a plugin, from the JSON object it runs under; empty when that is no object. A schema of the plugin
/// names them as its author did.
#[must_use]
pub fn settings_list(settings: &str, schema: Option<&Value>) -> Vec<Setting> {
    let Ok(Value::Object(settings)) = serde_json::from_str(settings) else { return Vec::new() };
    let title = |name: &str| schema?.pointer(&format!("/properties/{name}/title"))?.as_str().map(str::to_owned);
    let setting = |(name, value): (&String, &Value)| Setting {
        label: title(name).unwrap_or_else(|| words(name)),
        value: value_text(value),
    };
    settings.iter().map(setting).collect()
}

/// A name such as `daily_loss-limit` in words: `Daily loss limit`.
pub(in crate::portal) fn words(name: &str) -> String {
    let spaced = name.replace(['_', '-'], " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn value_text(value: &Value) -> String {
    match value {
        // One of a list of answers: a name as programs write it.
        Value::String(text) if text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => text.replace('_', " "),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "not set".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::settings_list;
    use serde_json::json;

    #[test]
    fn settings_are_words() {
        let settings =
            r#"{"amount": 5, "amount_basis": "percent_of_initial", "reset_time": "17:00", "zone": "America/New_York"}"#;
        let told = |schema| {
            let lines = settings_list(settings, schema).into_iter().map(|s| format!("{}: {}", s.label, s.value));
            lines.collect::<Vec<_>>()
        };
        let bare = ["Amount: 5", "Amount basis: percent of initial", "Reset time: 17:00", "Zone: America/New_York"];
        assert_eq!(told(None), bare);
        let schema = json!({"properties": {"amount": {"title": "Allowed loss"}, "zone": {"title": "Time zone"}}});
        let titled = ["Allowed loss: 5", bare[1], bare[2], "Time zone: America/New_York"];
        assert_eq!(told(Some(&schema)), titled);
        assert!(settings_list("[]", None).is_empty());
    }
}
