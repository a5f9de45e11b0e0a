//! Builds with cargo and shows how far it is.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    progress::Step,
    run::{self, Line},
};

/// The variable by which a test brings a binary that is built already.
const BUILT: &str = "XTASK_MARQUE";

/// Builds the server for the demo and answers where the binary is. For the whole workspace and not for its package
/// alone: then its dependencies have the features that the tests' build gives them, and are compiled once for both.
pub fn server() -> Result<PathBuf> {
    if let Some(built) = std::env::var_os(BUILT) {
        return Ok(built.into());
    }
    let step = Step::begin("Building the server (the first time takes a few minutes)");
    build(step, run::cargo().args(["build", "--workspace", "--bin", "marque"]), "Server built")
}

/// Builds the server as it ships together with what measures it, and answers where the server is. In one go, so that
/// both have one set of features and their dependencies are compiled once.
pub fn release() -> Result<PathBuf> {
    let step = Step::begin("Building in the release profile (the first time takes a quarter of an hour)");
    let packages = ["--package", "marque-server", "--package", "marque-bench", "--bins"];
    build(step, run::cargo().args(["build", "--release"]).args(packages), "Server and bench built")
}

/// Builds the whole workspace and its tests in one go and answers where the `marque` binary is. One
/// invocation means one set of features: nothing is compiled twice.
pub fn everything() -> Result<PathBuf> {
    let step = Step::begin("Building everything and its tests");
    build(step, run::cargo().args(["build", "--workspace", "--all-targets"]), "Everything built")
}

fn build(mut step: Step, command: &mut Command, outcome: &str) -> Result<PathBuf> {
    // Cargo draws its bar into our pipe, and we draw it again from its numbers.
    command.args(["--message-format", "json-render-diagnostics"]);
    command
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "120")
        .env("CARGO_TERM_COLOR", "never");
    let (mut binary, mut said) = (None, String::new());
    let status = run::lines(command, |line| match line {
        Line::Out(json) => binary = marque_in(&json).or(binary.take()),
        Line::Err(text) => match building(&text) {
            Some((done, total, crates)) => {
                step.count(done, total);
                step.note(crates);
            }
            None => {
                step.note(text.trim());
                said.push_str(&text);
                said.push('\n');
            }
        },
    })?;
    let binary = finished(status, command, &said, binary)?;
    step.done(outcome);
    Ok(binary)
}

fn finished(status: ExitStatus, command: &Command, said: &str, binary: Option<PathBuf>) -> Result<PathBuf> {
    if !status.success() {
        bail!(run::failure(command, said));
    }
    binary.context("cargo built no `marque` binary. Does platform/server still declare it?")
}

/// Reads `Building [==>  ] 12/345: serde, syn` as 12, 345 and the crates.
fn building(line: &str) -> Option<(u64, u64, &str)> {
    let counts = line.trim_start().strip_prefix("Building [")?.split_once("] ")?.1;
    let (counts, crates) = counts.split_once(": ").unwrap_or((counts, ""));
    let (done, total) = counts.trim().split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?, crates))
}

/// The path of the `marque` binary, when this message of cargo is about it. Its test executable has the same
/// name, and is not meant.
fn marque_in(json: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(json).ok()?;
    let of = |path: &str| message.pointer(path);
    let is_binary = of("/target/name")?.as_str()? == "marque" && of("/profile/test")? == &Value::Bool(false);
    is_binary.then(|| of("/executable")?.as_str().map(PathBuf::from)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_bar_is_read() {
        let table = [
            ("    Building [=====>        ] 12/345: serde, syn(build)", Some((12, 345, "serde, syn(build)"))),
            ("    Building [=============>] 345/345", Some((345, 345, ""))),
            ("   Compiling serde v1.0.229", None),
            ("    Building [==", None),
            ("    Building [==] x/y: z", None),
        ];
        for (line, want) in table {
            assert_eq!(building(line), want, "{line:?}");
        }
    }

    #[test]
    fn the_binary_is_found_among_the_messages() {
        let message = |name: &str, test: bool, path: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"profile":{{"test":{test}}},"executable":{path}}}"#
            )
        };
        assert_eq!(
            marque_in(&message("marque", false, r#""/t/debug/marque""#)),
            Some(PathBuf::from("/t/debug/marque"))
        );
        for other in [
            message("marque", true, r#""/t/debug/deps/marque-1""#),
            message("marque", false, "null"),
            message("xtask", false, r#""/t/debug/xtask""#),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            "no json".to_owned(),
        ] {
            assert_eq!(marque_in(&other), None, "{other}");
        }
    }
}
