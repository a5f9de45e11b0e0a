//! Each act is asserted somewhere: whoever adds one to the list reads here that no test says that it is recorded.

use super::Act;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Acts that no test asserts, with why.
const UNASSERTED: &[(Act, &str)] = &[];

/// Where tests lie, seen from the workspace.
const PLACES: &[&str] = &["platform/server/src", "tests/src", "tests/browser"];
/// What is about the list itself, and what is not ours.
const NOT_HERE: &[&str] = &["platform/server/src/audit", "tests/browser/node_modules"];

/// The files below a folder, seen from the workspace.
fn files(root: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root.join(below)).unwrap().map(Result::unwrap) {
        let path = below.join(entry.file_name());
        // Not by the entry's own kind: packages may be a link.
        if !root.join(&path).is_dir() {
            found.push(path);
        } else if !NOT_HERE.iter().any(|not| path == Path::new(not)) {
            files(root, &path, found);
        }
    }
}

fn kind(path: &Path) -> &str {
    path.extension().and_then(|kind| kind.to_str()).unwrap_or_default()
}

/// The part of a file that tests something; none when it has none.
fn test_of(root: &Path, path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    let text = || fs::read_to_string(root.join(path)).unwrap();
    let whole =
        name == "tests" || name.ends_with("_tests") || path.components().any(|part| part.as_os_str() == "tests");
    match kind(path) {
        "mjs" => Some(text()),
        "snap" if name.contains("recorded") => Some(text()),
        "rs" if whole => Some(text()),
        "rs" => text().split_once("\n#[cfg(test)]\nmod tests {\n").map(|(_, test)| test.to_owned()),
        _ => None,
    }
}

/// Whether a text has this as a word of its own: `sign-in` is not in `sign-in-failed`, nor in `/sign-in`.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        [before, after].into_iter().flatten().all(|c| !c.is_ascii_alphanumeric() && !"-_/".contains(c))
    })
}

/// In Rust by name or code, in a browser by code or by what a person reads, in a golden file by code.
fn says(path: &Path, text: &str, act: Act) -> bool {
    let (code, words) = (act.code(), act.words());
    match kind(path) {
        "rs" => has(text, &format!("Act::{act:?}")) || text.contains(&format!("\"{code}\"")),
        "mjs" => [code, words].iter().any(|said| text.contains(&format!("'{said}'"))),
        _ => has(text, code),
    }
}

#[test]
fn every_act_is_asserted_by_some_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    PLACES.iter().for_each(|place| files(&root, Path::new(place), &mut found));
    let tests: Vec<(PathBuf, String)> = found
        .into_iter()
        .filter_map(|path| {
            let test = test_of(&root, &path)?;
            Some((path, test))
        })
        .collect();
    assert!(tests.len() > 100, "only {} files with tests were found", tests.len());
    let is_said = |act: Act| tests.iter().any(|(path, test)| says(path, test, act));
    let missing: Vec<Act> = Act::ALL.iter().copied().filter(|act| !is_said(*act)).collect();
    let excused: Vec<Act> = UNASSERTED.iter().map(|(act, _)| *act).collect();
    assert_eq!(missing, excused, "`testing::recorded` tells what was recorded; or excuse the act above, with why");
}

#[test]
fn words_are_found_whole() {
    for (text, found) in [
        ("303 sign-in", true),
        ("sign-in, sign-in-failed", true),
        ("sign-in-failed, sign-in", true),
        ("sign-in-failed", false),
        ("/sign-in by ann", false),
        ("", false),
    ] {
        assert_eq!(has(text, "sign-in"), found, "{text}");
    }
}
