//! vectorbt and nautilus_trader, which the bench measures beside us: from PyPI, pinned, in a virtual environment below
//! `target/`. Only `cargo xtask bench` asks for them.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{progress::Step, root, run, stamp};

/// The bench's group that needs them.
pub const GROUP: &str = "peers";
/// The variable by which the bench learns of the Python that has them.
pub const PYTHON: &str = "XTASK_PEERS";

/// The Python that has them, set up when it was not.
///
/// # Errors
/// When there is no Python of an age for which the pinned versions are built, or PyPI cannot be reached.
pub fn ensure() -> Result<PathBuf> {
    let folder = root::target().join("bench-peers");
    let pinned = root::workspace().join("platform/bench/peers/requirements.txt");
    // The stamp lies inside, so that removing the folder removes it too.
    let (kept, stamp) = (folder.join("marque-stamp"), stamp::of(core::slice::from_ref(&pinned)));
    let python = folder.join("bin/python");
    if stamp::is_current(&kept, &stamp) && python.is_file() {
        return Ok(python);
    }
    if run::ask("python3", &["-c", "import venv, ensurepip"]).is_none() {
        bail!("Python 3.11 to 3.13 with venv could not be found. Install it (Debian: `apt-get install python3-venv`).");
    }
    let step = Step::begin("Installing vectorbt and nautilus_trader by pip (1.5 GB with what they need)");
    run::quietly(&step, Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]);
    run::quietly(&step, pip.arg("--requirement").arg(&pinned))
        .context("The peers of the bench could not be installed. They need Python 3.11 to 3.13 and PyPI.")?;
    stamp::keep(&kept, &stamp)?;
    step.done("Installed vectorbt and nautilus_trader");
    Ok(python)
}
