//! Settings by derive: the schema, what is read and refused, and where the compiler points when an author is mistaken.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use marque_plugin::{Decimal, Lots, Settings};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Settings)]
enum Exit {
    Cross,
    AtOrBelow,
}

/// One of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Settings)]
struct Wanted {
    /// Bars of the
    /// "fast" average.
    #[setting(title = "Fast average", min = 1, max = 500, step = 1, suggest = 12)]
    fast: u32,
    #[setting(unit = "pips", above = 0, below = 0.5, default = 0.25)]
    stop_pips: Decimal,
    /// May be left out.
    lots: Option<Lots>,
    #[setting(default = Exit::AtOrBelow)]
    exit: Exit,
    #[setting(min_length = 2, max_length = 5, default = "00:00")]
    at: String,
    #[setting(default = true)]
    both_ways: bool,
    #[setting(min = -3)]
    shift: i8,
    plain: u16,
}

#[test]
fn the_schema_says_all_that_the_struct_says() {
    let schema: Value = serde_json::from_str(Wanted::SCHEMA).unwrap();
    let wanted = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["fast", "shift", "plain"],
        "properties": {
            "fast": {"type": "integer", "title": "Fast average", "description": "Bars of the \"fast\" average.",
                "minimum": 1, "maximum": 500, "multipleOf": 1, "default": 12},
            "stop_pips": {"type": "number", "title": "Stop pips (pips)", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5,
                "default": 0.25},
            "lots": {"type": "number", "title": "Lots", "description": "May be left out."},
            "exit": {"type": "string", "enum": ["cross", "at_or_below"], "title": "Exit", "default": "at_or_below"},
            "at": {"type": "string", "title": "At", "minLength": 2, "maxLength": 5, "default": "00:00"},
            "both_ways": {"type": "boolean", "title": "Both ways", "default": true},
            "shift": {"type": "integer", "title": "Shift", "minimum": -3, "maximum": 127},
            "plain": {"type": "integer", "title": "Plain", "minimum": 0, "maximum": 65535}
        }
    });
    assert_eq!(schema, wanted);
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_wrong_is_said() {
    let least: Wanted = serde_json::from_str(r#"{"fast":3,"shift":0,"plain":1}"#).unwrap();
    let wanted = Wanted {
        fast: 3,
        stop_pips: "0.25".parse().unwrap(),
        lots: None,
        exit: Exit::AtOrBelow,
        at: "00:00".to_owned(),
        both_ways: true,
        shift: 0,
        plain: 1,
    };
    assert_eq!(least, wanted);
    for (change, words) in [
        (r#""fast":0"#, "fast must be at least 1"),
        (r#""fast":501"#, "fast must be at most 500"),
        (r#""fast":1,"stop_pips":0"#, "stop_pips must be above 0"),
        (r#""fast":1,"stop_pips":0.5"#, "stop_pips must be below 0.5"),
        (r#""fast":1,"at":"1""#, "at must have at least 2 characters"),
        (r#""fast":1,"at":"ééééé!""#, "at must have at most 5 characters"),
        (r#""fast":1,"exit":"never""#, "unknown variant `never`"),
        (r#""fast":1,"slow":1"#, "unknown field `slow`"),
        (r#""fast":1.5"#, "invalid type"),
        (r#""at":"00:00""#, "missing field `fast`"),
    ] {
        let told = serde_json::from_str::<Wanted>(&format!(r#"{{{change},"shift":0,"plain":1}}"#)).unwrap_err();
        assert!(told.to_string().contains(words), "{change}: {told}");
    }
}

proptest! {
    #[test]
    fn settings_are_part_of_a_saved_state(fast in 1..=500_u32, plain: u16, shift in -3..=127_i8, lots: Option<i64>, both_ways: bool) {
        let lots = lots.map(Lots::from_units);
        let stop_pips = Decimal::from_units(1);
        let wanted = Wanted { fast, stop_pips, lots, exit: Exit::Cross, at: "ab".into(), both_ways, shift, plain };
        let saved = postcard::to_stdvec(&wanted).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Wanted>(&saved), Ok(wanted));
    }
}

/// What the compiler says of a source that derives settings: the line and the message of each error.
fn mistakes(source: &str) -> Vec<(u64, String)> {
    let deps = std::env::current_exe().unwrap().parent().map(PathBuf::from).unwrap();
    let built = std::fs::read_dir(&deps).unwrap().map(|entry| entry.unwrap().path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libmarque_plugin-") && name.ends_with(".rlib")
    };
    let newest = built.filter(is_ours).max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("author.rs");
    std::fs::write(&file, source).unwrap();
    let output = Command::new(option_env!("RUSTC").unwrap_or("rustc"))
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--error-format",
            "json",
            "-A",
            "warnings",
        ])
        .arg("-L")
        .arg(format!("dependency={}", deps.display()))
        .arg("--extern")
        .arg(format!("marque_plugin={}", newest.display()))
        .arg("--out-dir")
        .arg(folder.path())
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let told = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors =
        told.filter(|told| told["level"] == "error" && told["spans"].as_array().is_some_and(|s| !s.is_empty()));
    errors
        .map(|told| (told["spans"][0]["line_start"].as_u64().unwrap(), told["message"].as_str().unwrap().to_owned()))
        .collect()
}

/// A struct whose one field stands on line 4 below its attribute on line 3.
fn field(attribute: &str, kind: &str) -> String {
    format!("#[derive(marque_plugin::Settings)]\npub struct Wanted {{\n    {attribute}\n    field: {kind},\n}}\n")
}

#[test]
fn a_right_one_compiles() {
    assert_eq!(mistakes(&field("#[setting(min = 1, default = 2)]", "u32")), []);
}

#[test]
fn mistakes_are_shown_at_the_authors_line() {
    let cases = [
        (field("#[setting(minimum = 1)]", "u32"), 3, "a setting knows: title, unit, min"),
        (field("#[setting(min = 1, min = 2)]", "u32"), 3, "said twice"),
        (field("#[setting(min = \"1\")]", "u32"), 3, "expected a number"),
        (field("#[setting(min = 5, max = 4)]", "u32"), 3, "no number is left"),
        (field("#[setting(max = 4, default = 5)]", "u32"), 3, "beyond the limits"),
        (field("#[setting(step = 0)]", "u32"), 3, "above zero"),
        (field("#[setting(default = 5, suggest = 4)]", "u32"), 3, "leave one of the two out"),
        (field("#[setting(default = 5)]", "Option<u32>"), 3, "leave the Option out"),
        (field("#[setting(default = \"five\")]", "u32"), 3, "`u32` is not a text"),
        (field("#[setting(default = 5)]", "String"), 3, "`String` is not a number"),
        (field("#[setting(default = true)]", "u32"), 3, "`u32` is not a `bool`"),
        (field("#[setting(min = 1)]", "bool"), 3, "`bool` is not a number"),
        (field("#[setting(max_length = 9)]", "u32"), 3, "`u32` is not a text"),
        (field("", "f64"), 4, "`f64` cannot be a setting"),
        (field("", "Vec<u32>"), 4, "`Vec<u32>` cannot be a setting"),
        ("#[derive(marque_plugin::Settings)]\npub struct Wanted(\n    u32,\n);\n".to_owned(), 2, "named fields"),
        (
            "#[derive(marque_plugin::Settings)]\npub enum Way {\n    Up,\n    Down(u32),\n}\n".to_owned(),
            4,
            "carries nothing",
        ),
        (
            "#[derive(marque_plugin::Settings)]\npub enum Way {\n    Up,\n    Down = 7,\n}\n".to_owned(),
            4,
            "has no number",
        ),
        ("#[derive(marque_plugin::Settings)]\npub struct Wanted {\n    Fast: u32,\n}\n".to_owned(), 3, "small letters"),
    ];
    for (source, line, words) in cases {
        let told = mistakes(&source);
        assert!(told.iter().any(|(at, text)| *at == line && text.contains(words)), "{source}{told:#?}");
        assert!(told.iter().all(|(at, _)| *at == line), "{source}{told:#?}");
    }
}
