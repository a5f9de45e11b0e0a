//! The theme check: what an author of a theme wants to hear before a trader does.

use super::{
    Fault, Themes,
    assets::{Files, VENDOR, asset_references},
    color::AA_TEXT,
};
use crate::portal::view::sample;

/// Markup that has no place in a template, and why.
const FORBIDDEN: [(&str, &str, &str); 8] = [
    ("{{{", "Unescaped output lets a tenant's text become markup.", "Write two braces."),
    ("{{&", "Unescaped output lets a tenant's text become markup.", "Leave out the &."),
    ("{{~{", "Unescaped output lets a tenant's text become markup.", "Write two braces."),
    ("<style", "Inline style sheets are refused by the pages' policy.", "Write a CSS file."),
    (" style=", "Inline styles are refused by the pages' policy.", "Write a class."),
    (" onclick=", "Inline scripts are refused by the pages' policy.", "Write a module."),
    ("javascript:", "Inline scripts are refused by the pages' policy.", "Write a module."),
    ("<script>", "Inline scripts are refused by the pages' policy.", "Write a module."),
];

/// Every fault, files in order, then pages.
pub fn check(themes: &Themes, files: &Files) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, bytes) in files.iter().filter(|(path, _)| !path.starts_with(VENDOR)) {
        let text = String::from_utf8_lossy(bytes);
        if path.ends_with(".hbs") {
            template(themes, path, &text, &mut faults);
        } else if path.ends_with(".css") {
            faults.extend(asset_references(&text).filter(|name| !themes.assets.has(name)).map(|n| missing(path, n)));
        }
    }
    faults.extend(themes.themes.iter().flat_map(|(name, theme)| {
        let surfaces = &theme.manifest.surfaces;
        let file = format!("{name}/theme.toml");
        let unclear = surfaces.light.iter().any(|s| s.text_on() != super::color::Color::BLACK)
            || surfaces.dark.iter().any(|s| super::color::Color::WHITE.contrast(*s) < AA_TEXT);
        unclear.then(|| Fault::new(&file, "A light surface is dark or a dark one is light.", "Exchange them."))
    }));
    for name in themes.names() {
        faults.extend(sample::render_all(themes, name).into_iter().filter_map(|(template, rendered)| {
            let error = rendered.err()?;
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let what = format!("The page does not render with sample data: {source}.");
            Some(Fault::new(&format!("{name}/templates/{template}.hbs"), what, "Use the fields of its view model."))
        }));
    }
    for name in themes.names() {
        faults.extend(crate::mail::faults(themes, name).into_iter().map(|(template, what)| {
            let what = format!("The mail does not render with sample data: {what}.");
            Fault::new(&format!("{name}/{template}.hbs"), what, "Use the values of its kind in mail/kind.rs.")
        }));
    }
    // One template serves several samples and fails them all alike.
    faults.dedup();
    faults
}

fn template(themes: &Themes, path: &str, text: &str, faults: &mut Vec<Fault>) {
    for (markup, why, remedy) in FORBIDDEN {
        faults.extend(text.contains(markup).then(|| Fault::new(path, format!("It has {markup:?}. {why}"), remedy)));
    }
    let theme = path.split('/').next().unwrap_or_default();
    let known = |name: &str| {
        themes.themes.get(theme).is_some_and(|theme| theme.registry.has_template(name)) || name == "@partial-block"
    };
    for name in mentions(text, &["{{> ", "{{#> ", "{{~> ", "{{~#> "]).filter(|name| !known(name)) {
        let what = format!("It uses the partial {name:?}, which is not there.");
        faults.push(Fault::new(path, what, "Add it or correct the name."));
    }
    for name in mentions(text, &["{{asset \"", "(asset \""]) {
        let there = themes.assets.has(name)
            || themes.assets.iter().any(|(path, _)| path.split_once('/').is_some_and(|(_, rest)| rest == name));
        faults.extend((!there).then(|| missing(path, name)));
    }
}

fn missing(path: &str, name: &str) -> Fault {
    let remedy = if name.starts_with(VENDOR) {
        "Run `npm ci --prefix themes`; if it is there then, add it to the list in theme/assets.rs."
    } else {
        "Add the file or correct the name."
    };
    Fault::new(path, format!("It names the asset {name:?}, which is not there."), remedy)
}

/// The words that follow any of `openings` in a text.
fn mentions<'a>(text: &'a str, openings: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    openings.iter().flat_map(move |opening| {
        text.split(*opening).skip(1).filter_map(|rest| {
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || "@-_./".contains(c))).find(|word| !word.is_empty())
        })
    })
}
