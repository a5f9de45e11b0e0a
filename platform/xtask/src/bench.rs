//! `bench`: runs the measuring binary in the release profile.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::{build, demo::recordings, plugins, root, run, setup, test::components};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only rows whose group or name contains this.
    filter: Option<String>,
    /// Samples per row; the median is reported.
    #[arg(long)]
    samples: Option<usize>,
    /// Keeps the growth tables and plots in `platform/bench/growth`.
    #[arg(long)]
    keep: bool,
}

/// What drives the group `licensing`. Without it that group says that it was skipped.
fn load_generator(filter: Option<&str>) -> Result<()> {
    let wanted = filter.is_none_or(|part| "licensing".contains(part));
    if wanted && !components::is_there("wrk") && components::is_debian_root() {
        components::apt_install(&["wrk"])?;
    }
    Ok(())
}

/// Builds the plugins and the bench, then measures in the foreground.
pub fn run(options: &Options) -> Result<ExitCode> {
    setup::wasm_target()?;
    load_generator(options.filter.as_deref())?;
    let plugins = plugins::ensure()?;
    let marque = build::release()?;
    let mut bench = run::cargo();
    bench.args(["run", "--release", "--package", "marque-bench", "--"]).args(&options.filter);
    if let Some(samples) = options.samples {
        bench.args(["--samples", &samples.to_string()]);
    }
    if let Some(ticks) = recordings::beside_workspace().into_iter().find(|recording| recording.symbol == "EURUSD") {
        bench.env("XTASK_RECORDING", ticks.path);
    }
    if options.keep {
        bench.env("XTASK_GROWTH", root::workspace().join("platform/bench/growth"));
    }
    let status = bench
        .env("XTASK_PLUGINS", plugins.folder())
        .env("XTASK_MARQUE", marque)
        .stdin(Stdio::null())
        .status()
        .context("`cargo` could not be started. Install Rust 1.95 with rustup.")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
