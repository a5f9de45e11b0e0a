//! What every theme owes its readers, tested on sample pages.

use super::*;
use crate::portal::view::{
    Brand,
    sample::{self, Look},
};
use proptest::prelude::*;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeSet};

const THEMES: [&str; 2] = ["daybreak", "nightfall"];

fn samples() -> Vec<Sample> {
    sample::samples(&Look::sample())
}

/// Every sample page in both themes.
fn pages() -> Vec<(String, String)> {
    let themes = Themes::load().unwrap();
    let render = |theme: &str, sample: &Sample| {
        (format!("{theme}/{}", sample.name), themes.render_sample(theme, sample).unwrap())
    };
    THEMES.iter().flat_map(|theme| samples().iter().map(|s| render(theme, s)).collect::<Vec<_>>()).collect()
}

/// The values of an attribute, in order.
fn attribute<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    html.split(opening.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What a person reads: the text between tags, a line per piece.
fn text(html: &str) -> String {
    let body = html.split_once("<main").map_or(html, |(_, rest)| rest);
    let pieces = body.split('<').filter_map(|piece| Some(piece.split_once('>')?.1.trim()));
    pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_themes_have_no_faults() {
    let files = assets::embedded();
    let faults: Vec<String> =
        Themes::from_files(&files).unwrap().check(&files).iter().map(ToString::to_string).collect();
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(Themes::load().unwrap().names().collect::<Vec<_>>(), THEMES);
}

#[test]
fn every_page_is_whole() {
    for (name, html) in pages().iter().filter(|(name, _)| !name.contains("fragment")) {
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>"), "{name}");
        // The API viewer brings its own headings.
        let headings = usize::from(!name.contains("api-docs"));
        assert_eq!(html.matches("<h1").count(), headings, "{name}: one h1");
        assert_eq!(html.matches("<main").count(), 1, "{name}: one main");
        let ids = attribute(html, "id");
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: ids are unique: {ids:?}");
        for reference in ["for", "aria-labelledby", "aria-describedby"].iter().flat_map(|a| attribute(html, a)) {
            assert!(unique.contains(&reference), "{name}: {reference} names nothing");
        }
        for anchor in attribute(html, "href").iter().filter_map(|href| href.strip_prefix('#')) {
            assert!(unique.contains(&anchor), "{name}: #{anchor} leads nowhere");
        }
    }
}

#[test]
fn every_page_keeps_to_the_policy() {
    for (name, html) in pages() {
        assert!(attribute(&html, "style").is_empty() && !html.contains("<style"), "{name}: inline style");
        for script in html.split("<script").skip(1) {
            let (tag, rest) = script.split_once('>').unwrap();
            assert!(tag.contains(" src=\"/assets/") && rest.starts_with("</script>"), "{name}: inline script");
        }
        for url in attribute(&html, "src").iter().chain(&attribute(&html, "href")) {
            let own = url.starts_with('/') || url.starts_with('#') || url.starts_with('?');
            // The chart library's licence asks for a link to its makers; who signs in elsewhere is led there.
            let meant =
                *url == "https://www.tradingview.com/" || (name.ends_with("/sso-leave") && !html.contains("<script"));
            assert!(own || meant, "{name}: {url} is another site's");
        }
        assert!(!html.contains("/assets/missing/"), "{name}: an asset is missing; run `npm ci --prefix themes`");
    }
}

#[test]
fn every_form_carries_its_token() {
    for (name, html) in pages() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            // A search changes nothing; its fields go into the address, where a token must not be.
            if form.contains(r#"method="get""#) {
                assert!(form.contains(r#"role="search""#) && !form.contains("csrf"), "{name}: {form}");
                continue;
            }
            assert!(
                form.contains(r#"method="post""#) && form.contains(r#"name="csrf" value="csrf-token""#),
                "{name}: {form}"
            );
        }
    }
}

#[test]
fn a_page_says_the_same_in_every_theme() {
    let themes = Themes::load().unwrap();
    let account = samples().into_iter().find(|s| s.name == "account").unwrap();
    let [daybreak, nightfall] = THEMES.map(|theme| themes.render_sample(theme, &account).unwrap());
    assert_eq!(text(&daybreak), text(&nightfall));
    insta::assert_snapshot!("what_a_trader_reads", text(&daybreak));
}

#[test]
fn lists_without_rows_say_what_to_do() {
    let themes = Themes::load().unwrap();
    let empty = samples().into_iter().find(|s| s.name == "account-empty").unwrap();
    let html = themes.render_sample("daybreak", &empty).unwrap();
    let lists: Vec<&str> = html.split("class=\"list\"").skip(1).collect();
    assert_eq!(lists.len(), 6);
    assert!(lists.iter().all(|list| list.contains("empty-title")));
    for gone in ["stop_url", "button-stop", "data-points"] {
        assert!(!html.contains(gone), "{gone}");
    }
}

#[test]
fn themes_look_different_and_can_be_switched() {
    let themes = Themes::load().unwrap();
    let mut front = samples().into_iter().find(|s| s.name == "front").unwrap();
    let mode = |theme: &str, sample: &Sample| {
        let html = themes.render_sample(theme, sample).unwrap();
        attribute(&html, "data-mode").first().map(ToString::to_string)
    };
    assert_eq!(THEMES.map(|theme| mode(theme, &front).unwrap()), ["auto", "dark"]);
    front.shell.as_mut().unwrap().mode = Some(Mode::Light);
    assert_eq!(THEMES.map(|theme| mode(theme, &front).unwrap()), ["light", "light"]);

    let css = THEMES.map(|theme| {
        String::from_utf8_lossy(&themes.assets.find("", &format!("{theme}/theme.css")).unwrap().0.bytes).into_owned()
    });
    assert!(css[0] != css[1] && css.iter().all(|css| !css.contains("asset:")));
}

#[test]
fn an_unknown_theme_is_named_with_those_there_are() {
    let themes = Themes::load().unwrap();
    let error = themes.render_sample("sunset", &samples()[0]).unwrap_err();
    assert_eq!(error.to_string(), "there is no theme \"sunset\"; choose one of: daybreak, nightfall");
}

#[test]
fn a_brand_gets_its_style_sheet() {
    let tokens: Tokens = toml::from_str("accent = '#2f4bd6'").unwrap();
    let (css, hash) = Themes::load().unwrap().brand_css("nightfall", &tokens).unwrap();
    assert!(css.starts_with(":root{--accent:#2f4bd6;") && hash.len() == 16);
}

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{shell.csrf}}";

/// Puts hostile text at the end of every string of a view.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(fields) => fields.values_mut().for_each(poison),
        _ => {}
    }
}

#[test]
fn hostile_text_stays_text_wherever_it_stands() {
    let themes = Themes::load().unwrap();
    let brand = Brand::new(HOSTILE, HOSTILE, HOSTILE, HOSTILE);
    let look = Look { brand, ..Look::sample() };
    for theme in THEMES {
        for sample in &mut sample::samples(&look) {
            poison(&mut sample.page);
            if let Some(shell) = &mut sample.shell {
                for text in [&mut shell.title, &mut shell.csrf, &mut shell.path, &mut shell.lang, &mut shell.brand_css]
                {
                    text.push_str(HOSTILE);
                }
            }
            let html = themes.render_sample(theme, sample).unwrap();
            let (name, lower) = (sample.name, html.to_ascii_lowercase());
            assert!(lower.contains("&lt;script&gt;"), "{theme}/{name} shows it escaped");
            for markup in ["<script>", "<img src=x", "\"'>", "'>"] {
                assert!(!lower.contains(markup), "{theme}/{name} has {markup}");
            }
        }
    }
}

/// A theme of its own with nothing in it.
const MINE: &str = "
title = 'Mine'
summary = 'S'
mode = 'auto'
inherits = 'base'
css = ['css/a.css']
[surfaces]
light = ['#ffffff']
dark = ['#000000']
";

/// The shipped themes and [`MINE`], with changes.
fn files(changes: &[(&str, &str)]) -> Files {
    let mut all: Files = assets::embedded();
    all.insert("mine/theme.toml".to_owned(), Cow::Borrowed(MINE.as_bytes()));
    all.insert("mine/css/a.css".to_owned(), Cow::Borrowed(b"a{}"));
    for (path, text) in changes {
        all.insert((*path).to_owned(), Cow::Owned((*text).to_owned().into_bytes()));
    }
    all
}

/// All that is said of a theme, whether it loads or not.
fn faults(files: &Files) -> Vec<String> {
    let found = match Themes::from_files(files) {
        Ok(themes) => themes.check(files),
        Err(ThemeError::Broken(faults)) => faults,
        Err(other) => panic!("{other}"),
    };
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_check_explains_every_fault() {
    assert_eq!(faults(&files(&[])), Vec::<String>::new());
    let table: [(&str, &str, &str); 10] = [
        ("mine/theme.toml", "title='T'", "missing field"),
        ("mine/css/b.css", r#"a{src:url("asset:vendor/gone.woff2")}"#, "names the asset \"vendor/gone.woff2\""),
        ("mine/templates/front.hbs", "{{#if}}", "Correct the template."),
        ("mine/templates/front.hbs", "{{> parts/gone}}", "uses the partial \"parts/gone\""),
        ("mine/templates/front.hbs", "{{page.gone}}", "does not render with sample data"),
        ("mine/templates/front.hbs", "{{{page.headline}}}", "Write two braces."),
        ("mine/templates/front.hbs", "{{&page.headline}}", "Leave out the &."),
        ("mine/templates/front.hbs", "<p style=\"color: red\">", "Inline styles are refused"),
        ("mine/templates/front.hbs", "<script>alert(1)</script>", "Inline scripts are refused"),
        ("mine/templates/front.hbs", "{{asset \"js/gone.js\"}}", "names the asset \"js/gone.js\""),
    ];
    for (path, content, want) in table {
        let said = faults(&files(&[(path, content)]));
        assert!(said.iter().any(|fault| fault.starts_with(path) && fault.contains(want)), "{content}: {said:?}");
    }
}

#[test]
fn inheritance_has_a_parent_and_no_circle() {
    let theme = |inherits: &str| {
        format!("title='T'\nsummary='S'\nmode='auto'\ninherits='{inherits}'\ncss=[]\n[surfaces]\nlight=[]\ndark=[]")
    };
    let said = faults(&files(&[("mine/theme.toml", &theme("gone"))]));
    assert!(said.iter().any(|f| f.contains("inherits from \"gone\", which is no theme")), "{said:?}");
    let said = faults(&files(&[("mine/theme.toml", &theme("yours")), ("yours/theme.toml", &theme("mine"))]));
    assert!(said.iter().any(|f| f.contains("inherits from itself")), "{said:?}");
    let missing = theme("base").replace("css=[]", "css=['css/gone.css']");
    let said = faults(&files(&[("mine/theme.toml", &missing)]));
    assert!(said.iter().any(|f| f.contains("lists \"css/gone.css\", which is not there")), "{said:?}");
}

proptest! {
    #[test]
    fn any_theme_file_is_a_theme_or_faults(manifest in "\\PC{0,80}", template in "\\PC{0,80}") {
        let files = Files::from([
            ("mine/theme.toml".to_owned(), Cow::Owned(manifest.into_bytes())),
            ("mine/templates/front.hbs".to_owned(), Cow::Owned(template.into_bytes())),
        ]);
        let _ = Themes::from_files(&files);
    }
}
