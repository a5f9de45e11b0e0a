//! Turns the output of a failed program into one sentence and what to do.

/// What to do about a failure whose cause its output gives away; `None` when the output must speak for itself.
pub fn remedy(output: &str) -> Option<&'static str> {
    CAUSES.iter().find(|(marks, _)| marks.iter().any(|mark| output.contains(mark))).map(|(_, remedy)| *remedy)
}

/// Marks in the output of cargo, rustup, npm, apt and `marque`, and the sentence for them. The first that fits wins.
const CAUSES: &[(&[&str], &str)] = &[
    (
        &["No space left on device", "ENOSPC", "Disk quota exceeded", "database or disk is full"],
        "The disk is full. Free some space (a whole build takes about 4 GB; `cargo clean` gives old builds back), then run the command again.",
    ),
    (
        &[
            "Could not resolve host",
            "Couldn't resolve host",
            "Could not resolve",
            "failed to lookup address",
            "Temporary failure",
            "ENOTFOUND",
            "EAI_AGAIN",
            "ENETUNREACH",
            "ECONNREFUSED",
            "ECONNRESET",
            "ETIMEDOUT",
            "Network is unreachable",
            "Failed to connect",
            "Could not connect to server",
            "spurious network error",
            "download of config.json failed",
            "could not download file",
        ],
        "A package registry could not be reached. Connect to the network (or set its proxy), then run the command again: what was already downloaded is kept.",
    ),
    (
        &["can only install packages when your package.json and"],
        "package.json and package-lock.json disagree. Run `npm install` in that folder and commit the lock file.",
    ),
    (
        &["EACCES", "Permission denied"],
        "A file or folder may not be written. Give it back to your user (`chown`), then run the command again.",
    ),
    (
        &["Address already in use", "EADDRINUSE"],
        "The port is taken. Stop the other program or choose another port with `--port`.",
    ),
    (
        &["requires rustc", "is not supported by the following package"],
        "The compiler is too old. Run `rustup update` (Rust 1.95 or newer is needed).",
    ),
    (
        &["linker `cc` not found"],
        "A C compiler is missing. Install one (Debian: `apt-get install gcc`; macOS: `xcode-select --install`).",
    ),
];

/// The lines of an output that say what went wrong: the last ones, without progress and blank lines.
pub fn tail(output: &str, lines: usize) -> String {
    let said: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    said.get(said.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_cause_gets_its_remedy() {
        let table = [
            ("error: failed to write `a`\n\nCaused by:\n  No space left on device (os error 28)", "disk is full"),
            ("npm error code ENOTFOUND\nnpm error network request failed", "registry could not be reached"),
            (
                "warning: spurious network error (3 tries remaining): [6] Could not resolve hostname",
                "registry could not be reached",
            ),
            ("error: could not download file from 'x' to 'y'", "registry could not be reached"),
            (
                "npm error `npm ci` can only install packages when your package.json and package-lock.json are in sync",
                "disagree",
            ),
            ("npm error code EACCES", "may not be written"),
            ("error: rustc 1.80.0 is not supported by the following package:", "too old"),
            ("error: linker `cc` not found", "C compiler"),
        ];
        for (output, want) in table {
            let remedy = remedy(output).unwrap_or_else(|| panic!("no remedy for {output:?}"));
            assert!(remedy.contains(want), "{output:?} gave {remedy:?}");
        }
    }

    #[test]
    fn an_unknown_cause_gets_none() {
        assert_eq!(remedy("error[E0308]: mismatched types"), None);
    }

    #[test]
    fn the_tail_has_no_blank_lines() {
        assert_eq!(tail("a\n\nb\n  \nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }
}
