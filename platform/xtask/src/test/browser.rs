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
    // Each file waits for its pages half of the time: two at once take half as long on two cores.
    node.current_dir(folder()).args(["--test", "--test-concurrency=2"]);
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
    node.args(["--test-reporter=tap", &format!("--test-reporter-destination={}", tap.display())]);
    node.args(filter.map(|filter| format!("--test-name-pattern={}", literal(filter)))).args(&files);
    rust::environment(&mut node, bench)?;
    let status = run::lines(node.stdin(Stdio::null()), |line| match line {
        Line::Out(text) => println!("{text}"),
        Line::Err(text) => eprintln!("{text}"),
    })?;
    let report = fs::read_to_string(&tap).with_context(|| format!("node left no report in {}", tap.display()))?;
    let mut tally = Tally::of_tap(&report).settled(0, status.success());
    if filter.is_some() {
        // Node calls what the reader's own filter leaves out skipped; it was not.
        tally.skipped = 0;
    }
    Ok(tally)
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
    fn a_filter_is_no_pattern() {
        assert_eq!(literal("a b.c(1)*"), r"a b\.c\(1\)\*");
    }
}
