//! Knows whether a step's inputs changed since it last succeeded.
//!
//! A stamp is a hash over names, sizes and times of files: cheap enough to ask at every start. It guards
//! work that can always be done again, so a stale stamp costs time and nothing else.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use anyhow::{Context, Result};

/// Hash over the files below `paths` (files or folders), leaving out `node_modules`, `target` and hidden folders.
pub fn of(paths: &[PathBuf]) -> String {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        visit(path, &mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn visit(path: &Path, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    let Ok(meta) = fs::metadata(path) else { return };
    if !meta.is_dir() {
        let changed = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        (meta.len(), changed.map(|since| since.as_nanos())).hash(hasher);
        return;
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') && name != "node_modules" && name != "target" {
            visit(&entry, hasher);
        }
    }
}

/// Whether the stamp kept in `file` is this one.
pub fn is_current(file: &Path, stamp: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|kept| kept == stamp)
}

/// Keeps a stamp after its step succeeded.
pub fn keep(file: &Path, stamp: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} could not be created", folder.display()))?;
    }
    fs::write(file, stamp).with_context(|| format!("{} could not be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_sees_new_changed_and_removed_files() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_path_buf()];
        let empty = of(&paths);
        fs::write(folder.path().join("a"), "1").unwrap();
        let one = of(&paths);
        fs::write(folder.path().join("a"), "22").unwrap();
        let changed = of(&paths);
        fs::create_dir(folder.path().join("node_modules")).unwrap();
        fs::write(folder.path().join("node_modules/b"), "x").unwrap();
        assert_eq!(of(&paths), changed, "node_modules must not count");
        fs::remove_file(folder.path().join("a")).unwrap();
        assert_ne!(empty, one);
        assert_ne!(one, changed);
        fs::remove_dir_all(folder.path().join("node_modules")).unwrap();
        assert_eq!(of(&paths), empty);
    }

    #[test]
    fn a_kept_stamp_is_current_until_it_differs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/stamp");
        assert!(!is_current(&file, "a"));
        keep(&file, "a").unwrap();
        assert!(is_current(&file, "a"));
        assert!(!is_current(&file, "b"));
    }
}
