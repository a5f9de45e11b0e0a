//! Builds plugin crates into WebAssembly components: those under `plugins/`, and an author's own.
//!
//! Owns: one cargo run for `wasm32-unknown-unknown` in a target folder of its own (so that it never waits for the
//! cargo that runs the tests), the encoding into components, and the check that nothing is to do.
//!
//! Refuses to know: what a plugin does, and how it is run.
#![warn(clippy::indexing_slicing)]

use std::{
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};
use wit_component::ComponentEncoder;

mod author;

pub use author::build_crate;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "plugin";

/// A component on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltPlugin {
    /// The plugin's name, which is its crate's: `ema-cross`.
    pub name: String,
    /// Where the component lies.
    pub path: PathBuf,
}

/// Why plugins could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder could not be read or written.
    #[error("{}: {cause}. Check that the folder exists, is writable and the disk is not full.", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is nothing to build.
    #[error("{} holds no plugin crate. Is this the root of the workspace?", .0.display())]
    NoPlugins(PathBuf),
    /// Rust cannot build for WebAssembly yet.
    #[error("Rust's {TARGET} target is not installed. Run: rustup target add {TARGET}")]
    NoTarget,
    /// cargo could not be started.
    #[error("cargo could not be started ({0}). Install Rust from rustup.rs and try again.")]
    NoCargo(io::Error),
    /// The compiler refused a plugin.
    #[error("The plugins do not compile:\n{0}")]
    Compile(String),
    /// The author's folder is no crate.
    #[error("{} is no plugin crate: {cause}. Run this in the folder that `marque plugin new` made.", path.display())]
    NotACrate {
        /// Which.
        path: PathBuf,
        /// What is missing.
        cause: String,
    },
    /// A module that is no plugin.
    #[error("{name} cannot be made into a component: {cause}. Does it call export_strategy! or export_rule! once?")]
    Encode {
        /// Which plugin.
        name: String,
        /// What the encoder says.
        cause: String,
    },
}

/// Builds every plugin of the workspace and answers where the components lie, in order of name.
///
/// Nothing is built when the sources are those of the last build. `out_dir` is made when it is missing; intermediate
/// files go to `plugins-wasm` beside it.
///
/// # Errors
/// [`BuildError`] says what to do.
pub fn build(workspace_root: &Path, out_dir: &Path) -> Result<Vec<BuiltPlugin>, BuildError> {
    build_folder(workspace_root, "plugins", out_dir)
}

/// As [`build`], of the plugins under another folder of the workspace.
///
/// # Errors
/// As [`build`].
pub fn build_folder(workspace_root: &Path, folder: &str, out_dir: &Path) -> Result<Vec<BuiltPlugin>, BuildError> {
    let names = plugin_names(&workspace_root.join(folder))?;
    let built: Vec<BuiltPlugin> =
        names.into_iter().map(|name| BuiltPlugin { path: out_dir.join(format!("{name}.wasm")), name }).collect();
    let (stamp, sources) = (out_dir.join("sources.stamp"), fingerprint(workspace_root, folder)?);
    let same_sources = fs::read_to_string(&stamp).is_ok_and(|last| last == sources);
    if same_sources && built.iter().all(|plugin| plugin.path.is_file()) {
        return Ok(built);
    }
    fs::create_dir_all(out_dir).map_err(|cause| BuildError::File { path: out_dir.to_owned(), cause })?;
    let target_dir = out_dir.parent().unwrap_or(out_dir).join("plugins-wasm");
    compile(workspace_root, &target_dir, &built)?;
    for plugin in &built {
        let module = target_dir.join(TARGET).join(PROFILE).join(format!("{}.wasm", plugin.name.replace('-', "_")));
        encode(plugin, &module)?;
    }
    put(&stamp, sources.as_bytes())?;
    Ok(built)
}

/// The folders under `plugins/` that are crates; a plugin's folder has its crate's name.
fn plugin_names(folder: &Path) -> Result<Vec<String>, BuildError> {
    let entries = fs::read_dir(folder).map_err(|cause| BuildError::File { path: folder.to_owned(), cause })?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    if names.is_empty() { Err(BuildError::NoPlugins(folder.to_owned())) } else { Ok(names) }
}

/// What goes into the plugins, by name, size and time: it differs when they may have to be built again. The root is part of
/// it, because several working copies may share a target folder.
fn fingerprint(root: &Path, folder: &str) -> Result<String, BuildError> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = ["Cargo.toml", "Cargo.lock", folder, "sdk"].map(|part| root.join(part)).into();
    while let Some(path) = open.pop() {
        let file_error = |cause| BuildError::File { path: path.clone(), cause };
        let meta = fs::metadata(&path).map_err(file_error)?;
        if meta.is_dir() {
            let entries = fs::read_dir(&path).map_err(file_error)?;
            open.extend(entries.flatten().map(|entry| entry.path()));
        } else {
            let modified = meta.modified().map_err(file_error)?;
            found.push((path, meta.len(), modified));
        }
    }
    found.sort();
    let mut hasher = DefaultHasher::new();
    (root, found).hash(&mut hasher);
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn compile(root: &Path, target_dir: &Path, plugins: &[BuiltPlugin]) -> Result<(), BuildError> {
    require_target(root)?;
    let mut cargo = Command::new(program("CARGO", "cargo"));
    // The same sources give the same bytes, whatever the surroundings say: a certificate names them.
    cargo.env("CARGO_INCREMENTAL", "0");
    cargo.current_dir(root).args(["build", "--quiet", "--target", TARGET, "--profile", PROFILE, "--target-dir"]);
    cargo.arg(target_dir);
    for plugin in plugins {
        cargo.args(["--package", &plugin.name]);
    }
    run(cargo, root)
}

fn run(mut cargo: Command, root: &Path) -> Result<(), BuildError> {
    // A component's digest is its identity: what the machine's folders are called must not be in it.
    cargo.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(root).join("\u{1f}"));
    let output = cargo.output().map_err(BuildError::NoCargo)?;
    if output.status.success() {
        return Ok(());
    }
    Err(BuildError::Compile(String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn remapped_paths(root: &Path) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    [Some((root.to_owned(), "marque")), home.map(|home| (home, "cargo"))]
        .into_iter()
        .flatten()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect()
}

/// Asked first, because cargo's own message for a missing target is a screen of failed crates.
fn require_target(root: &Path) -> Result<(), BuildError> {
    let mut rustc = Command::new(program("RUSTC", "rustc"));
    rustc.current_dir(root).args(["--print", "target-libdir", "--target", TARGET]);
    let output = rustc.output().map_err(BuildError::NoCargo)?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() { Ok(()) } else { Err(BuildError::NoTarget) }
}

fn program(variable: &str, fallback: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| fallback.into())
}

/// Encodes a core module and puts it in place in one move, so that a reader never sees half of it.
fn encode(plugin: &BuiltPlugin, module: &Path) -> Result<(), BuildError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |cause| BuildError::File { path, cause }
    };
    let bytes = fs::read(module).map_err(file_error(module))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|cause| BuildError::Encode { name: plugin.name.clone(), cause: format!("{cause:#}") })?;
    put(&plugin.path, &component)
}

/// Writes a file in one move.
fn put(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let file_error = |cause| BuildError::File { path: path.to_owned(), cause };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(file_error)?;
    temporary.write_all(bytes).map_err(file_error)?;
    temporary.persist(path).map_err(|e| file_error(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_plugins_is_named() {
        let root = tempfile::tempdir().unwrap();
        let missing = build(root.path(), &root.path().join("out")).unwrap_err();
        assert!(matches!(missing, BuildError::File { .. }), "{missing}");
        fs::create_dir(root.path().join("plugins")).unwrap();
        let empty = build(root.path(), &root.path().join("out")).unwrap_err();
        assert!(matches!(empty, BuildError::NoPlugins(_)), "{empty}");
    }

    #[test]
    fn what_has_the_same_sources_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for file in ["Cargo.toml", "Cargo.lock", "sdk/a.wit", "plugins/b/Cargo.toml", "plugins/a/Cargo.toml"] {
            write(file, "");
        }
        write("target/plugins/a.wasm", "old");
        write("target/plugins/b.wasm", "old");
        let out_dir = root.path().join("target/plugins");
        let sources = fingerprint(root.path(), "plugins").unwrap();
        fs::write(out_dir.join("sources.stamp"), &sources).unwrap();
        let built = build(root.path(), &out_dir).unwrap();
        assert_eq!(built.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);

        write("sdk/a.wit", "changed");
        assert_ne!(fingerprint(root.path(), "plugins").unwrap(), sources);
        fs::remove_file(root.path().join("sdk/a.wit")).unwrap();
        assert_ne!(fingerprint(root.path(), "plugins").unwrap(), sources);
    }
}
