//! `plugins`: builds the crates of `plugins/` into WebAssembly components.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, anyhow};
use marque_pluginbuild::BuiltPlugin;

use crate::{explain, progress::Step, root, setup};

/// Built plugins: one folder, one `.wasm` per plugin.
pub struct Plugins {
    folder: PathBuf,
    built: Vec<BuiltPlugin>,
}

impl Plugins {
    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Their files, sorted by name.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.built.iter().map(|plugin| plugin.path.as_path())
    }
}

/// Builds what changed since the last time.
pub fn ensure() -> Result<Plugins> {
    let folder = root::target().join("plugins");
    let step = Step::begin("Building the plugins into WebAssembly components");
    let built = marque_pluginbuild::build(&root::workspace(), &folder).map_err(|error| {
        let said = error.to_string();
        explain::remedy(&said).map_or_else(|| anyhow!(said.clone()), |remedy| anyhow!("{remedy}"))
    })?;
    step.done(&format!("{} plugins ready", built.len()));
    Ok(Plugins { folder, built })
}

/// The command: builds and says where.
pub fn run() -> Result<ExitCode> {
    setup::wasm_target()?;
    for file in ensure()?.files() {
        let bytes = fs::metadata(file).map(|meta| meta.len()).unwrap_or_default();
        println!("{} ({} KiB)", root::shown(file), bytes.div_ceil(1024));
    }
    Ok(ExitCode::SUCCESS)
}
