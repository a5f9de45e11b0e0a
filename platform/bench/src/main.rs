//! The command line of the measurements.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks on its streams")]

use std::process::ExitCode;

use clap::Parser;
use marque_bench::{groups, row::Row, sample::Samples, table};

/// Measures rows and compares each to its limit.
#[derive(Debug, Parser)]
struct Cli {
    /// Only groups whose name contains this.
    filter: Option<String>,
    /// Samples per row; the median is reported.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=1_001))]
    samples: u16,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cfg!(debug_assertions) {
        eprintln!("error: an unoptimised build measures nothing. Run `cargo xtask bench`.");
        return ExitCode::FAILURE;
    }
    match measure(&cli) {
        Ok(rows) if rows.iter().all(Row::holds) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<Vec<Row>> {
    let samples = Samples::new(usize::from(cli.samples));
    let mut rows = Vec::new();
    for group in groups::ALL.iter().filter(|group| cli.filter.as_deref().is_none_or(|part| group.name.contains(part))) {
        let began = std::time::Instant::now();
        eprintln!("measuring {} …", group.name);
        let measured = (group.measure)(samples)?;
        // At once: the next group may take long, or fail.
        eprintln!("{}in {} s\n", table::rendered(&measured), began.elapsed().as_secs());
        rows.extend(measured);
    }
    print!("{}", table::rendered(&rows));
    Ok(rows)
}
