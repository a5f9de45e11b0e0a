//! Schemathesis, which fuzzes the API from its own description: from PyPI, pinned, in a virtual environment below
//! `target/`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use super::components;
use crate::{progress::Step, root, run, stamp};

/// The variable by which the test learns where the program is.
pub const PROGRAM: &str = "XTASK_SCHEMATHESIS";

/// Where the program is, set up when it was not; `None` is a fuzzer that its test must do without.
///
/// # Errors
/// Under CI, that it could not be set up.
pub fn ensure(in_ci: bool) -> Result<Option<PathBuf>> {
    let folder = root::target().join("fuzz-tools");
    match set_up(&folder) {
        Ok(()) => Ok(Some(folder.join("bin/schemathesis"))),
        Err(error) if in_ci => Err(error),
        Err(error) => {
            eprintln!("  ! {error} Until then the API is not fuzzed.");
            Ok(None)
        }
    }
}

fn set_up(folder: &Path) -> Result<()> {
    let pinned = root::workspace().join("tests/fuzz/requirements.txt");
    // The stamp lies inside, so that removing the folder removes it too.
    let (kept, stamp) = (folder.join("marque-stamp"), stamp::of(std::slice::from_ref(&pinned)));
    if stamp::is_current(&kept, &stamp) {
        return Ok(());
    }
    python()?;
    let step = Step::begin("Installing the fuzzer of the API by pip");
    run::quietly(&step, Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--disable-pip-version-check", "--no-input", "--requirement"]).arg(&pinned);
    run::quietly(&step, &mut pip)?;
    stamp::keep(&kept, &stamp)?;
    step.done("Installed the fuzzer of the API");
    Ok(())
}

/// A Python that can make virtual environments; Debian leaves that part out until it is asked for.
fn python() -> Result<()> {
    let is_there = || run::ask("python3", &["-c", "import venv, ensurepip"]).is_some();
    if !is_there() && components::is_debian_root() {
        components::apt_install(&["python3-venv"])?;
    }
    if is_there() {
        return Ok(());
    }
    bail!("Python 3.10 with venv could not be found. Install it (Debian: `apt-get install python3-venv`).")
}
