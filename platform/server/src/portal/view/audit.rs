//! The audit log, for who runs the site.

use super::{
    Page,
    component::{Field, Pager},
    figure::When,
};
use marque_domain::id::InstrumentId;
use serde::Serialize;
use serde_json::{Map, Value};

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditLine {
    /// Its number.
    pub seq: String,
    /// When.
    pub at: When,
    /// By whom.
    pub who: String,
    /// What `who` is when it is not a person who was signed in: `not signed in`, `automatic`.
    pub kind: Option<&'static str>,
    /// What.
    pub act: String,
    /// To what; may be empty.
    pub target: String,
    /// More about it; may be empty.
    pub details: String,
    /// From which address; may be empty.
    pub address: String,
    /// With what program; may be empty.
    pub agent: String,
}

/// An entry's details as a person reads them. They are a JSON object; a text that is itself one (the settings of a
/// strategy) is read like it, and an instrument's number becomes the name that `symbol` has for it, but for those of such a text.
pub fn details_in_words(details: &str, symbol: impl Fn(InstrumentId) -> String) -> String {
    let details: Map<String, Value> = serde_json::from_str(details).unwrap_or_default();
    let said = details.iter().filter_map(|(name, value)| {
        let words = in_words(name, value, Some(&symbol))?;
        Some(format!("{}: {words}", name.replace('_', " ")))
    });
    said.collect::<Vec<_>>().join(", ")
}

/// The name of an instrument, where instruments are known.
type Symbol<'a> = Option<&'a dyn Fn(InstrumentId) -> String>;

fn instrument(name: &str, value: &Value, symbol: Symbol<'_>) -> Option<String> {
    let number = value.as_u64().filter(|_| name == "instrument").and_then(|number| u32::try_from(number).ok())?;
    symbol.map(|symbol| symbol(InstrumentId(number)))
}

/// A value without the marks of JSON; none when there is nothing to say.
fn in_words(name: &str, value: &Value, symbol: Symbol<'_>) -> Option<String> {
    if let Some(symbol) = instrument(name, value, symbol) {
        return Some(symbol);
    }
    let words = match value {
        Value::Null => return None,
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(object) => pairs(&object, None),
            Err(_) => text.clone(),
        },
        Value::Array(items) => {
            items.iter().filter_map(|item| in_words(name, item, symbol)).collect::<Vec<_>>().join(" and ")
        }
        Value::Object(object) => pairs(object, symbol),
    };
    (!words.is_empty()).then_some(words)
}

fn pairs(object: &Map<String, Value>, symbol: Symbol<'_>) -> String {
    let said = object.iter().filter_map(|(name, value)| {
        let words = in_words(name, value, symbol)?;
        Some(format!("{} {words}", name.replace('_', " ")))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// What is chosen: act, person, first and last day.
    pub fields: Vec<Field>,
    /// Newest first.
    pub lines: Vec<AuditLine>,
    /// Its neighbours.
    pub pager: Pager,
    /// The same as a file.
    pub csv: String,
    /// How much such a file holds.
    pub exported_max: usize,
    /// The zone of its times.
    pub zone: String,
}

impl Page for AuditPage {
    const TEMPLATE: &'static str = "admin-audit";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_words() {
        let table = [
            ("{}", ""),
            ("not JSON", ""),
            (r#"{"side":"buy","instrument":1,"open_price":"1.1"}"#, "instrument: EURUSD, open price: 1.1, side: buy"),
            (r#"{"settings":"{\"fast\":12,\"slow_bars\":26}"}"#, "settings: fast 12; slow bars 26"),
            (
                r#"{"orders":[{"instrument":1,"order":"a"},{"order":"b"}]}"#,
                "orders: instrument EURUSD; order a and order b",
            ),
            (r#"{"plan":null,"scopes":["read","trade"],"on":true}"#, "on: yes, scopes: read and trade"),
            (r#"{"name":"{broken","list":[]}"#, "name: {broken"),
        ];
        for (details, words) in table {
            assert_eq!(details_in_words(details, |_| "EURUSD".to_owned()), words, "{details}");
        }
    }
}
