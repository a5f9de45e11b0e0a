//! Where things are: the workspace, the build directory, the data directory.

use std::path::{Path, PathBuf};

/// The workspace's root: two folders above this crate.
pub fn workspace() -> PathBuf {
    // Cargo sets the variable when it runs us; the compiled-in value serves who starts the binary by hand.
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.ancestors().nth(2).map_or(manifest.clone(), Path::to_path_buf)
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}

/// Where the demo keeps its data; git ignores it.
pub fn var() -> PathBuf {
    workspace().join("var")
}

/// A path as people like it: relative to the workspace when it lies there.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(workspace()).unwrap_or(path).display().to_string()
}
