//! `bench`: runs the measuring binary in the release profile.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::{build, plugins, run, setup};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only rows whose group or name contains this.
    filter: Option<String>,
    /// Samples per row; the median is reported.
    #[arg(long)]
    samples: Option<usize>,
}

/// Builds the plugins and the bench, then measures in the foreground.
pub fn run(options: &Options) -> Result<ExitCode> {
    setup::wasm_target()?;
    let plugins = plugins::ensure()?;
    let marque = build::release_server()?;
    let mut bench = run::cargo();
    bench.args(["run", "--release", "--package", "marque-bench", "--"]).args(&options.filter);
    if let Some(samples) = options.samples {
        bench.args(["--samples", &samples.to_string()]);
    }
    let status = bench
        .env("XTASK_PLUGINS", plugins.folder())
        .env("XTASK_MARQUE", marque)
        .stdin(Stdio::null())
        .status()
        .context("`cargo` could not be started. Install Rust 1.95 with rustup.")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
