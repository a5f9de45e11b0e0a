//! The Expert Advisors: their sources compiled by g++ and run against scenarios, by a script of their own.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{Bench, tally::Tally};
use crate::{
    root,
    run::{self, Line},
};

/// Runs the scenarios of `ea/test`, those whose names contain the filter.
pub fn run(bench: &Bench, filter: Option<&str>) -> Result<Tally> {
    let (Some(python), Some(_)) = (&bench.components.python, &bench.components.compiler) else {
        // One per file: without the programs the scenarios inside cannot be counted.
        return Ok(Tally { skipped: files()?, ..Tally::default() });
    };
    let mut script = Command::new(python);
    script.arg("-B").arg(root::workspace().join("ea/test/run.py"));
    script.arg("--build").arg(root::target().join("ea")).args(filter);
    let mut tally = None;
    let status = run::lines(script.stdin(Stdio::null()), |line| match line {
        Line::Out(text) => {
            println!("{text}");
            tally = Tally::of_script(&text).or(tally);
        }
        Line::Err(text) => eprintln!("{text}"),
    })?;
    Ok(tally.unwrap_or_default().settled(0, status.success()))
}

/// How many files have scenarios.
fn files() -> Result<u64> {
    let folder = root::workspace().join("ea/test");
    let entries = folder.read_dir().with_context(|| format!("{} could not be read", folder.display()))?;
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("scenarios_"));
    Ok(named.count() as u64)
}
