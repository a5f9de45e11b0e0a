//! `bench`: runs the measuring binary in the release profile.

use std::{
    path::PathBuf,
    process::{ExitCode, Stdio},
};

use anyhow::{Context, Result};

use crate::{build, demo::recordings, peers, plugins, root, run, setup, test::components};

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
    let peers = peers(options.filter.as_deref())?;
    let marque = build::release()?;
    let mut bench = run::cargo();
    bench.args(["run", "--release", "--package", "marque-bench", "--"]).args(&options.filter);
    if let Some(samples) = options.samples {
        bench.args(["--samples", &samples.to_string()]);
    }
    if let Some(ticks) = recordings::beside_workspace().into_iter().find(|recording| recording.symbol == "EURUSD") {
        bench.env("XTASK_RECORDING", ticks.path);
    }
    if let Some(minutes) = recordings::minutes_beside_workspace("EURUSD") {
        bench.env("XTASK_MINUTES", minutes);
    }
    bench.envs(peers.map(|python| (peers::PYTHON, python)));
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

/// The Python of the programs that we are measured beside, when they are. Who asks for them by name is told when they
/// cannot be had; in a run of everything the bench says so at its end, after all that can be measured was.
fn peers(filter: Option<&str>) -> Result<Option<PathBuf>> {
    match filter {
        Some(part) if peers::GROUP.contains(part) => peers::ensure().map(Some),
        Some(_) => Ok(None),
        None => Ok(peers::ensure().inspect_err(|error| eprintln!("  ! {error:#}")).ok()),
    }
}
