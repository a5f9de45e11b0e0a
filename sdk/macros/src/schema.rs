//! The text of the JSON Schema. What only a type can say (is it a whole number, which choices are there) is left to
//! the compiler, which joins the parts.

use crate::field::{Preset, Setting};
use proc_macro2::TokenStream;
use quote::quote;

/// Parts of the schema of a struct, each an expression of a `&'static str`.
pub fn parts(settings: &[Setting]) -> Vec<TokenStream> {
    let required: Vec<String> =
        settings.iter().filter(|s| !s.optional && s.said.default.is_none()).map(|s| quoted(&s.name)).collect();
    let required = if required.is_empty() { String::new() } else { format!(r#""required":[{}],"#, required.join(",")) };
    let head = format!(r#"{{"type":"object","additionalProperties":false,{required}"properties":{{"#);
    let mut parts = vec![quote!(#head)];
    for (index, setting) in settings.iter().enumerate() {
        let before = format!("{}{}:{{", if index > 0 { "," } else { "" }, quoted(&setting.name));
        parts.push(quote!(#before));
        parts.extend(parts_of(setting));
        parts.push(quote!("}"));
    }
    parts.push(quote!("}}"));
    parts
}

fn parts_of(setting: &Setting) -> Vec<TokenStream> {
    let (said, kind) = (&setting.said, &setting.kind);
    let mut text = String::new();
    let mut say = |key: &str, json: String| text.push_str(&format!(",{}:{json}", quoted(key)));
    let title = said.title.as_ref().map_or_else(|| words(&setting.name), |title| title.value());
    let unit = said.unit.as_ref().map(|unit| format!(" ({})", unit.value())).unwrap_or_default();
    say("title", quoted(&format!("{title}{unit}")));
    if !setting.description.is_empty() {
        say("description", quoted(&setting.description));
    }
    let numbers = [
        ("minimum", &said.min),
        ("maximum", &said.max),
        ("exclusiveMinimum", &said.above),
        ("exclusiveMaximum", &said.below),
        ("multipleOf", &said.step),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            say(key, number.json.clone());
        }
    }
    for (key, length) in [("minLength", &said.min_length), ("maxLength", &said.max_length)] {
        if let Some(length) = length {
            say(key, length.base10_digits().to_owned());
        }
    }
    let value = quote!(<#kind as ::marque_plugin::settings::SettingValue>);
    let mut parts = vec![quote!(#value::JSON), quote!(#text)];
    if said.min.is_none() && said.above.is_none() {
        parts.push(quote!(#value::LOW));
    }
    if said.max.is_none() && said.below.is_none() {
        parts.push(quote!(#value::HIGH));
    }
    match said.default.as_ref().or(said.suggest.as_ref()) {
        None => {}
        Some(Preset::Number(number)) => {
            let text = format!(",\"default\":{}", number.json);
            parts.push(quote!(#text));
        }
        Some(Preset::Text(preset)) => {
            let text = format!(",\"default\":{}", quoted(&preset.value()));
            parts.push(quote!(#text));
        }
        Some(Preset::Flag(flag)) => {
            let text = format!(",\"default\":{}", flag.value);
            parts.push(quote!(#text));
        }
        Some(Preset::Choice(path)) => {
            parts.push(quote!(",\"default\":\""));
            parts.push(quote!(<#kind as ::marque_plugin::settings::SettingChoice>::NAMES[#path as usize]));
            parts.push(quote!("\""));
        }
    }
    parts
}

/// `stop_pips` as a person reads it.
fn words(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// As a JSON string.
pub fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words_and_text_becomes_json() {
        assert_eq!((words("stop_pips"), words("a"), words("")), ("Stop pips".into(), "A".into(), String::new()));
        assert_eq!(quoted("a \"b\" \\ \n"), r#""a \"b\" \\ \u000a""#);
    }
}
