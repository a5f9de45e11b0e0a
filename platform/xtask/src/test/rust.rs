//! The Rust tests: unit, integration, doc, plugins through the real sandbox, PostgreSQL.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::{Bench, components::Component, tally::Tally};
use crate::run::{self, Line};

/// Part of the path of every test that needs PostgreSQL.
const NEEDS_POSTGRES: &str = "postgres";

/// Runs `cargo test --workspace` in sight of the reader and counts.
pub fn run(bench: &Bench, filter: Option<&str>) -> Result<Tally> {
    let mut command = run::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(filter);
    let skips = bench.components.postgres.is_none();
    if skips {
        command.args(["--", "--skip", NEEDS_POSTGRES]);
    }
    environment(&mut command, bench);
    let mut tally = Tally::default();
    let status = run::lines(command.stdin(Stdio::null()), |line| match line {
        Line::Out(text) => {
            println!("{text}");
            if let Some(part) = Tally::of_libtest(&text, skips && filter.is_none()) {
                tally += part;
            }
        }
        Line::Err(text) => eprintln!("{text}"),
    })?;
    if !status.success() && tally.failed == 0 {
        // A test program that died without a result, or code that does not compile, has failed too.
        tally.failed = 1;
    }
    Ok(tally)
}

/// Tells tests where the binary, the plugins and the components are.
pub fn environment(command: &mut Command, bench: &Bench) {
    command.env("XTASK_MARQUE", &bench.marque).env("XTASK_PLUGINS", &bench.plugins);
    for component in [Component::Postgres, Component::Chromium] {
        if let Some(path) = bench.components.path(component) {
            command.env(component.variable(), path);
        }
    }
}
