//! The browser tests: Playwright in Debian's Chromium, by node's own test runner.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{Bench, rust, tally::Tally};
use crate::{
    root,
    run::{self, Line},
};

/// Runs the test files of `tests/browser`; each starts its own server.
pub fn run(bench: &Bench, filter: Option<&str>) -> Result<Tally> {
    let files = files(filter)?;
    if files.is_empty() {
        return Ok(Tally::default());
    }
    if bench.components.chromium.is_none() {
        // One per file: without the browser the tests inside cannot be counted.
        return Ok(Tally { skipped: files.len() as u64, ..Tally::default() });
    }
    let tap = root::target().join("browser-tests.tap");
    let mut node = Command::new("node");
    node.current_dir(folder()).arg("--test");
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
    node.args(["--test-reporter=tap", &format!("--test-reporter-destination={}", tap.display())]);
    node.args(filter.map(|filter| format!("--test-name-pattern={}", literal(filter)))).args(&files);
    rust::environment(&mut node, bench);
    let status = run::lines(node.stdin(Stdio::null()), |line| match line {
        Line::Out(text) => println!("{text}"),
        Line::Err(text) => eprintln!("{text}"),
    })?;
    let report = fs::read_to_string(&tap).with_context(|| format!("node left no report in {}", tap.display()))?;
    Ok(counted(Tally::of_tap(&report), status.success(), filter.is_some()))
}

/// A run that failed without naming a test has failed; tests that the reader's own filter left out were not skipped.
const fn counted(mut tally: Tally, succeeded: bool, filtered: bool) -> Tally {
    if !succeeded && tally.failed == 0 {
        tally.failed = 1;
    }
    if filtered {
        tally.skipped = 0;
    }
    tally
}

fn folder() -> PathBuf {
    root::workspace().join("tests/browser")
}

/// The test files, sorted; with a filter those that mention it, since a file without a match would count as a test.
fn files(filter: Option<&str>) -> Result<Vec<PathBuf>> {
    let folder = folder();
    let entries = fs::read_dir(&folder).with_context(|| format!("{} could not be read", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .filter(|path| filter.is_none_or(|filter| fs::read_to_string(path).is_ok_and(|text| text.contains(filter))))
        .collect();
    files.sort();
    Ok(files)
}

/// The filter as a pattern that matches nothing but itself.
fn literal(filter: &str) -> String {
    filter.chars().flat_map(|c| (!c.is_alphanumeric() && c != ' ').then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_fails_without_a_test_counts_as_one() {
        let tally = |passed, failed, skipped| Tally { passed, failed, skipped };
        assert_eq!(counted(tally(0, 0, 0), false, false), tally(0, 1, 0));
        assert_eq!(counted(tally(2, 1, 0), false, false), tally(2, 1, 0));
        assert_eq!(counted(tally(2, 0, 5), true, true), tally(2, 0, 0));
        assert_eq!(counted(tally(2, 0, 5), true, false), tally(2, 0, 5));
    }

    #[test]
    fn a_filter_is_no_pattern() {
        assert_eq!(literal("a b.c(1)*"), r"a b\.c\(1\)\*");
    }
}
