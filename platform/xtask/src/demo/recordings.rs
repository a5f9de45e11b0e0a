//! Which recorded market the demo replays.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::root;

/// A file of recorded ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The instrument, such as `EURUSD`.
    pub symbol: String,
    /// The file.
    pub path: PathBuf,
}

impl Recording {
    /// As the welcome text names it.
    pub fn described(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("recorded {} ({name})", self.symbol)
    }
}

/// The recordings that were asked for, or those that lie beside the repository.
pub fn chosen(asked: &[PathBuf]) -> Result<Vec<Recording>> {
    if asked.is_empty() {
        return Ok(beside_workspace());
    }
    asked.iter().map(|path| named(path)).collect()
}

/// The recordings that lie beside the repository.
pub fn beside_workspace() -> Vec<Recording> {
    beside(&root::workspace().join("../shared/data"))
}

/// The first recording of minutes of a symbol that lies beside the repository.
pub fn minutes_beside_workspace(symbol: &str) -> Option<PathBuf> {
    let mut found = of_kind(&root::workspace().join("../shared/data"), "-m1-");
    found.retain(|path| symbol_of(path).as_deref() == Some(symbol));
    found.into_iter().next()
}

fn named(path: &Path) -> Result<Recording> {
    if !path.is_file() {
        bail!("There is no recording at {}. Check the path given with --recording.", path.display());
    }
    let Some(symbol) = symbol_of(path) else {
        bail!("{} does not begin with a symbol. Name it such as `eurusd-ticks.csv.gz`.", path.display());
    };
    Ok(Recording { symbol, path: path.canonicalize().unwrap_or_else(|_| path.to_path_buf()) })
}

/// The first recording of ticks of each symbol in a folder; none when the folder is not there.
fn beside(folder: &Path) -> Vec<Recording> {
    let mut found: Vec<Recording> = Vec::new();
    for path in of_kind(folder, "-ticks-") {
        let Ok(recording) = named(&path) else { continue };
        if found.iter().all(|other| other.symbol != recording.symbol) {
            found.push(recording);
        }
    }
    found
}

/// Files of a folder whose names say what they hold, in order; none when the folder is not there.
fn of_kind(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let says = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(kind));
    let mut found: Vec<PathBuf> = paths.filter(says).collect();
    found.sort();
    found
}

/// The symbol at the beginning of a file name: letters and digits up to the first other sign.
fn symbol_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let symbol: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
    (symbol.len() >= 3).then(|| symbol.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_come_from_file_names() {
        let table = [
            ("eurusd-ticks-fxcm-2014-05.csv.gz", Some("EURUSD")),
            ("XAUUSD.csv", Some("XAUUSD")),
            ("us500_m1.csv", Some("US500")),
            ("-ticks.csv", None),
            ("ab.csv", None),
        ];
        for (name, want) in table {
            assert_eq!(symbol_of(Path::new(name)).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn one_recording_of_ticks_per_symbol_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "eurusd-ticks-a.csv.gz",
            "eurusd-ticks-b.csv.gz",
            "eurusd-m1-a.csv.gz",
            "xauusd-ticks-a.csv.gz",
            "SOURCES.md",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let symbols: Vec<String> = beside(folder.path()).into_iter().map(|recording| recording.symbol).collect();
        assert_eq!(symbols, ["EURUSD", "XAUUSD"]);
        assert_eq!(beside(&folder.path().join("nowhere")), []);
    }

    #[test]
    fn a_missing_recording_is_named() {
        let error = chosen(&[PathBuf::from("nowhere.csv")]).unwrap_err().to_string();
        assert!(error.contains("nowhere.csv") && error.contains("--recording"), "{error}");
    }
}
