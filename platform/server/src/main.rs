//! The binary `marque`. Everything it does is in the library; this reads arguments and says what went wrong.

use anyhow::Context as _;
use clap::Parser as _;
use marque_server::cli::{Cli, CliError};
use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// What commands other than `serve` log: only what is wrong.
const QUIET: &str = "warn,marque::audit=off";

fn main() -> ExitCode {
    // First of all: whoever speaks TLS later finds the provider set. It can only be set once, and this is it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Err(error) = run(Cli::parse()) else { return ExitCode::SUCCESS };
    let known = error.downcast_ref::<CliError>();
    if known.is_some_and(CliError::is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    // A command's error names its cause itself. Standard error may be closed; there is nobody else to tell.
    let _ = match known {
        Some(known) => writeln!(std::io::stderr(), "error: {known}"),
        None => writeln!(std::io::stderr(), "error: {error:#}"),
    };
    ExitCode::from(known.map_or(1, CliError::exit_code))
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let filter = if cli.serves() { cli.settings()?.log.filter } else { QUIET.to_owned() };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&filter).with_context(|| format!("log.filter {filter:?}"))?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads")?;
    runtime.block_on(cli.run(&mut std::io::stdout()))?;
    Ok(())
}
