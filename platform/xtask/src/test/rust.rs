//! The Rust tests: unit, integration, doc, plugins through the real sandbox, PostgreSQL.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{Bench, components, fuzz, mail, s3, tally::Tally};
use crate::run::{self, Line};

/// What a test prints first when it finds no PostgreSQL, no Redis or no fuzzer and does without.
const SKIPPED: &str = "SKIPPED ";

/// Runs those tests of the workspace whose names contain one of `names` (all, when there is none) in sight of the reader
/// and counts. They see `variables`.
pub fn run(bench: &Bench, names: &[&str], variables: &[(&str, String)]) -> Result<Tally> {
    let mut command = run::cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--"]).args(names);
    command.envs(variables.iter().map(|(name, value)| (*name, value)));
    let found = &bench.components;
    let pythons = [&bench.fuzzer, &bench.mail_python, &bench.s3_python].map(Option::is_none);
    let without = [found.postgres.is_none(), found.redis.is_none(), pythons.contains(&true)];
    if without.contains(&true) {
        // A test that did without is a success to its runner, which hides what successes print.
        command.arg("--show-output");
    }
    environment(&mut command, bench)?;
    let (mut tally, mut skipped) = (Tally::default(), 0);
    let status = run::lines(command.stdin(Stdio::null()), |line| match line {
        Line::Out(text) => {
            println!("{text}");
            tally += Tally::of_libtest(&text).unwrap_or_default();
            skipped += u64::from(text.starts_with(SKIPPED));
        }
        Line::Err(text) => eprintln!("{text}"),
    })?;
    Ok(tally.settled(skipped, status.success()))
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
