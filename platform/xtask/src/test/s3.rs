//! The S3 server that the object store is tested against: Python's moto, from PyPI, pinned.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{progress::Step, root, run, stamp};

/// The variable by which tests are told of the Python that has it.
pub const PYTHON: &str = "XTASK_MOTO";

/// Installs it into an environment of its own below the target folder, when it is not there as the list says.
pub fn ensure(python: &Path) -> Result<PathBuf> {
    let folder = root::target().join("s3-server");
    let list = root::workspace().join("tests/s3/requirements.txt");
    // The stamp lies inside, so that removing the folder removes it too.
    let (kept, stamp) = (folder.join(".marque-stamp"), stamp::of(core::slice::from_ref(&list)));
    let installed = folder.join("bin/python");
    if stamp::is_current(&kept, &stamp) && installed.is_file() {
        return Ok(installed);
    }
    let step = Step::begin("Installing the tests' S3 server by pip");
    run::quietly(&step, Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(&installed);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    run::quietly(&step, pip.args(["--no-deps", "-r"]).arg(&list))?;
    stamp::keep(&kept, &stamp)?;
    step.done("Installed the tests' S3 server");
    Ok(installed)
}
