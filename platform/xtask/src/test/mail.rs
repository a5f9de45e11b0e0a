//! The mail server that the server's mail is tested against: Python's aiosmtpd, from PyPI, pinned by hash.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{progress::Step, root, run, stamp};

/// The variable by which tests are told of the Python that has it.
pub const PYTHON: &str = "XTASK_MAIL_PYTHON";

/// Installs it into an environment of its own below the target folder, when it is not there as the list says.
pub fn ensure(python: &Path) -> Result<PathBuf> {
    let folder = root::target().join("mail-sink");
    let list = root::workspace().join("tests/mail/requirements.txt");
    // The stamp lies inside, so that removing the folder removes it too.
    let (kept, stamp) = (folder.join(".marque-stamp"), stamp::of(core::slice::from_ref(&list)));
    let installed = folder.join("bin/python");
    if stamp::is_current(&kept, &stamp) && installed.is_file() {
        return Ok(installed);
    }
    let step = Step::begin("Installing the tests' mail server by pip");
    run::quietly(&step, Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(&installed);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run::quietly(&step, pip.args(["--require-hashes", "--no-deps", "-r"]).arg(&list))?;
    stamp::keep(&kept, &stamp)?;
    step.done("Installed the tests' mail server");
    Ok(installed)
}
