//! The Rust tests: unit, integration, doc, plugins through the real sandbox, PostgreSQL.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{Bench, components, fuzz, mail, s3, tally::Tally};
use crate::{
    root,
    run::{self, Line},
};

/// The variable by which tests learn of the file in which they note what they did without.
const SKIPPED: &str = "XTASK_SKIPPED";

/// Runs those tests of the workspace whose names contain one of `names` (all, when there is none) in sight of the reader
/// and counts. They see `variables`.
pub fn run(bench: &Bench, names: &[&str], variables: &[(&str, String)]) -> Result<Tally> {
    let mut command = run::cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--"]).args(names);
    command.envs(variables.iter().map(|(name, value)| (*name, value)));
    let noted = root::target().join("tests-skipped");
    // What an earlier run noted says nothing of this one.
    let _ = fs::remove_file(&noted);
    command.env(SKIPPED, &noted);
    environment(&mut command, bench)?;
    let mut tally = Tally::default();
    let status = run::lines(command.stdin(Stdio::null()), |line| match line {
        Line::Out(text) => {
            println!("{text}");
            tally += Tally::of_libtest(&text).unwrap_or_default();
        }
        Line::Err(text) => eprintln!("{text}"),
    })?;
    // There is no file when no test did without anything.
    let skipped = fs::read_to_string(&noted).unwrap_or_default();
    skipped.lines().for_each(|line| eprintln!("  skipped: {line}"));
    Ok(tally.settled(skipped.lines().count() as u64, status.success()))
}

/// Tells tests where the binary, the plugins and the components are.
pub fn environment(command: &mut Command, bench: &Bench) -> Result<()> {
    command.env("XTASK_MARQUE", &bench.marque).env("XTASK_PLUGINS", &bench.plugins);
    if let Some(chromium) = &bench.components.chromium {
        command.env(components::CHROMIUM, chromium);
    }
    if let Some(fuzzer) = &bench.fuzzer {
        command.env(fuzz::PROGRAM, fuzzer);
    }
    if let Some(python) = &bench.mail_python {
        command.env(mail::PYTHON, python);
    }
    if let Some(python) = &bench.s3_python {
        command.env(s3::PYTHON, python);
    }
    if let Some(postgres) = &bench.components.postgres {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([postgres.clone()]);
        command.env("PATH", std::env::join_paths(folders).context("a folder's name does not fit into PATH")?);
    }
    Ok(())
}
