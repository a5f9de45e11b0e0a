//! Developer commands: `demo`, `test`, `soak`, `bench`, `certify`, `plugins`.
//!
//! Owns: setting up a fresh machine, running other programs in the right order, and saying in one sentence
//! what is missing and what to do. Refuses to know: the product. It starts the `marque` binary as anybody
//! else would and links no room of it, so that a second start costs nothing.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks on its streams")]

mod bench;
mod build;
mod certify;
mod demo;
mod explain;
mod peers;
mod plugins;
mod progress;
mod root;
mod run;
mod setup;
mod stamp;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Marque's developer commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sets everything up and runs two demo brands on a recorded or synthetic market until Ctrl-C.
    Demo(demo::Options),
    /// Sets everything up and runs every test; ends with the line `N passed, N failed, N skipped`.
    Test(test::Options),
    /// Runs the tests that know more than each commit's size, at any size: deaths under load, examples of the fuzzer, seeds of
    /// the simulation and of venue faults.
    Soak(test::Sizes),
    /// Measures in the release profile; each row is a median and its ratio to a limit of the same run.
    Bench(bench::Options),
    /// Backtests the shipped strategies on the recordings beside the repository, and keeps signed certificates and figures beside
    /// them.
    Certify,
    /// Builds the plugins of `plugins/` into WebAssembly components and says where they are.
    Plugins,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Soak(sizes) => test::soak(&sizes),
        Command::Bench(options) => bench::run(&options),
        Command::Certify => certify::run(),
        Command::Plugins => plugins::run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
