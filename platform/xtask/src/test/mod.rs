//! `test`: its own set-up, then every test there is, then one line that sums them.

mod browser;
pub mod components;
mod ea;
mod fuzz;
mod mail;
mod rust;
mod s3;
mod tally;

use std::process::ExitCode;

use anyhow::Result;

use crate::{build, plugins, root, setup};
use components::Components;
use tally::Tally;

/// Which tests.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// How much more than each commit's.
#[derive(Debug, clap::Args)]
pub struct Sizes {
    /// Deaths of the server while people trade, on each database.
    #[arg(long, default_value_t = 1_000)]
    kills: u32,
    /// Examples of each operation of the API.
    #[arg(long, default_value_t = 500)]
    examples: u32,
    /// Seeds of the simulation of clock, venue, network and crashes.
    #[arg(long, default_value_t = 10_000)]
    seeds: u32,
    /// Seeds of each of the 40 cells of venue faults.
    #[arg(long, default_value_t = 250)]
    faults: u32,
    /// Times that each disk, the database and Redis fail while people trade.
    #[arg(long, default_value_t = 100)]
    outages: u32,
}

impl Sizes {
    /// Parts of the names of the tests that read a size, and the variables that they read it from.
    fn parts(&self) -> ([&'static str; 5], [(&'static str, String); 5]) {
        let variables = [
            ("XTASK_SOAK_KILLS", self.kills.to_string()),
            ("XTASK_FUZZ_EXAMPLES", self.examples.to_string()),
            ("XTASK_SOAK_SEEDS", self.seeds.to_string()),
            ("XTASK_SOAK_FAULTS", self.faults.to_string()),
            ("XTASK_SOAK_OUTAGES", self.outages.to_string()),
        ];
        (["storm::", "fuzz::", "every_seed_keeps_the_laws", "forty_cells_of_venue_faults", "outage::"], variables)
    }
}

/// What the tests are given.
pub struct Bench {
    /// The `marque` binary.
    marque: std::path::PathBuf,
    /// The folder of built plugins.
    plugins: std::path::PathBuf,
    /// PostgreSQL, Chromium, the compiler of Expert Advisors.
    components: Components,
    /// Schemathesis.
    fuzzer: Option<std::path::PathBuf>,
    /// The Python that has the tests' mail server.
    mail_python: Option<std::path::PathBuf>,
    /// The Python that has the tests' S3 server.
    s3_python: Option<std::path::PathBuf>,
}

/// Sets up, builds once, runs the Rust tests, the Expert Advisors and then the browser tests.
pub fn run(options: &Options) -> Result<ExitCode> {
    let bench = set_up()?;
    let filter = options.filter.as_deref();
    let mut tally = rust::run(&bench, filter.as_slice(), &[])?;
    tally += ea::run(&bench, filter)?;
    tally += browser::run(&bench, filter)?;
    finish(tally, filter, in_ci())
}

/// Sets up as for all tests, then runs those that have a size.
pub fn soak(sizes: &Sizes) -> Result<ExitCode> {
    let bench = set_up()?;
    let (names, variables) = sizes.parts();
    finish(rust::run(&bench, &names, &variables)?, None, in_ci())
}

fn set_up() -> Result<Bench> {
    setup::disk_space()?;
    setup::node()?;
    setup::wasm_target()?;
    let in_ci = in_ci();
    let components = Components::ensure(in_ci)?;
    let fuzzer = fuzz::ensure(in_ci)?;
    setup::npm(&root::workspace().join("themes"), "page assets")?;
    setup::npm(&root::workspace().join("tests/browser"), "browser test tools")?;
    let mail_python = components.python.as_deref().map(mail::ensure).transpose()?;
    let s3_python = components.python.as_deref().map(s3::ensure).transpose()?;
    let plugins = plugins::ensure()?.folder().to_path_buf();
    let marque = build::everything()?;
    Ok(Bench { marque, plugins, components, fuzzer, mail_python, s3_python })
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// Says the sum. In CI a test that did without something has failed.
fn finish(tally: Tally, filter: Option<&str>, in_ci: bool) -> Result<ExitCode> {
    if tally.ran() == 0 {
        anyhow::bail!(
            "No test ran{}. Give a part of a test's name, or no filter at all.",
            filter.map(|filter| format!(": no name contains `{filter}`")).unwrap_or_default()
        );
    }
    println!("{tally}");
    let did_without = in_ci && tally.skipped > 0;
    if did_without {
        eprintln!("error: in CI no test may be skipped; the lines above say what each did without.");
    }
    Ok(if tally.failed == 0 && !did_without { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_fails_in_ci_only() {
        let of = |passed, failed, skipped, in_ci| {
            let tally = Tally { passed, failed, skipped };
            finish(tally, None, in_ci).map(|code| code == ExitCode::SUCCESS).ok()
        };
        for (passed, failed, skipped, in_ci, well) in [
            (3, 0, 0, true, Some(true)),
            (3, 0, 1, true, Some(false)),
            (3, 0, 1, false, Some(true)),
            (3, 1, 0, true, Some(false)),
            (3, 1, 0, false, Some(false)),
            (0, 0, 0, true, None),
        ] {
            assert_eq!(of(passed, failed, skipped, in_ci), well, "{passed} {failed} {skipped} {in_ci}");
        }
    }
}
