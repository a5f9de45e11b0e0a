//! What a fresh machine lacks: the WebAssembly target, Node, page assets, room on the disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{progress::Step, root, run, stamp};

/// The oldest Node whose test runner and `fetch` we use.
const NODE_MAJOR_MIN: u32 = 20;
/// What a first build writes, with room to spare; everything with its tests was measured at 2 GB.
const FIRST_BUILD_BYTES: u64 = 4 << 30;
/// What a later start may write.
const START_BYTES: u64 = 300 << 20;

/// Adds the WebAssembly target to the toolchain when it is missing.
pub fn wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let sysroot =
        run::ask("rustc", &["--print", "sysroot"]).context("`rustc` did not answer. Install Rust 1.95 with rustup.")?;
    if Path::new(&sysroot).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    let step = Step::begin("Adding the WebAssembly target to the Rust toolchain");
    run::quietly(&step, Command::new("rustup").args(["target", "add", TARGET]))?;
    step.done("WebAssembly target added");
    Ok(())
}

/// Checks that Node is there and young enough.
pub fn node() -> Result<()> {
    match run::ask("node", &["--version"]) {
        None => bail!(
            "Node.js is not installed; the pages' scripts come from npm. Install Node {NODE_MAJOR_MIN} or newer, then run the command again."
        ),
        Some(version) => node_is_young_enough(&version),
    }
}

fn node_is_young_enough(version: &str) -> Result<()> {
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE_MAJOR_MIN) {
        return Ok(());
    }
    bail!("Node {version} is too old. Install Node {NODE_MAJOR_MIN} or newer, then run the command again.")
}

/// Brings `node_modules` of a folder in line with its lock file, by `npm ci`, when it is not.
pub fn npm(folder: &Path, what: &str) -> Result<()> {
    let lock = folder.join("package-lock.json");
    if !lock.is_file() {
        bail!("{} is missing. Restore it with `git checkout`; what npm installs is pinned there.", root::shown(&lock));
    }
    // The stamp lies inside node_modules, so that removing the folder removes it too.
    let kept = folder.join("node_modules/.marque-stamp");
    let stamp = stamp::of(&[folder.join("package.json"), lock]);
    if stamp::is_current(&kept, &stamp) {
        return Ok(());
    }
    let step = Step::begin(format!("Installing {what} by npm"));
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    run::quietly(&step, &mut npm)?;
    stamp::keep(&kept, &stamp)?;
    step.done(&format!("Installed {what}"));
    Ok(())
}

/// Checks that the disk has room for what is about to be built and written.
pub fn disk_space() -> Result<()> {
    let first = !root::target().join("debug/marque").is_file();
    let needed = if first { FIRST_BUILD_BYTES } else { START_BYTES };
    let folders: [PathBuf; 2] = [existing(root::target()), existing(root::var())];
    for folder in folders {
        // A file system that will not say is tried.
        let Some(free) = free_bytes(&folder) else { continue };
        if let Some(sentence) = shortage(free, needed, first) {
            bail!("{sentence} (on the disk of {})", folder.display());
        }
    }
    Ok(())
}

/// What the disk of a folder has free, where its file system says so.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    #[allow(clippy::useless_conversion, reason = "the widths differ between Linux and macOS")]
    Some(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
}

fn shortage(free: u64, needed: u64, first: bool) -> Option<String> {
    (free < needed).then(|| {
        let what = if first { "the first build" } else { "the demo" };
        format!(
            "The disk has {} MB free and {what} needs {} MB. Free some space, then run the command again",
            free >> 20,
            needed >> 20
        )
    })
}

/// The folder itself or the nearest one above it that exists.
fn existing(folder: PathBuf) -> PathBuf {
    folder.ancestors().find(|above| fs::metadata(above).is_ok()).map(Path::to_path_buf).unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        let table = [
            ("v20.20.2", true),
            ("v22.0.0", true),
            ("24", true),
            ("v18.19.0", false),
            ("v9.1.0", false),
            ("", false),
            ("next", false),
        ];
        for (version, fine) in table {
            assert_eq!(node_is_young_enough(version).is_ok(), fine, "{version:?}");
        }
    }

    #[test]
    fn a_full_disk_is_named_with_numbers() {
        assert_eq!(shortage(300 << 20, 300 << 20, false), None);
        let sentence = shortage(1 << 20, 300 << 20, false).unwrap();
        assert!(sentence.contains("1 MB free") && sentence.contains("300 MB"), "{sentence}");
    }

    #[test]
    fn a_missing_lock_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = npm(folder.path(), "x").unwrap_err();
        assert!(error.to_string().contains("package-lock.json is missing"), "{error}");
    }

    #[test]
    fn the_nearest_existing_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(folder.path().join("a/b/c")), folder.path());
    }
}
