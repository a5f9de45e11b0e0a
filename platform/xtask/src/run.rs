//! Runs other programs: quietly with their output kept for the failure, or in sight of the reader.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};

use anyhow::{Context, Result, bail};

use crate::{explain, progress::Step, root};

/// Cargo, as it was started, in the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root::workspace());
    // What `cargo run` tells us about ourselves must not reach a build: some build scripts watch these variables,
    // and a change would compile their crates again.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"]
            .iter()
            .any(|p| name.starts_with(p))
        {
            command.env_remove(&key);
        }
    }
    command
}

/// The standard output of a short program; `None` when it is not there or fails.
pub fn ask(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A line of a running program.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Of its standard output.
    Out(String),
    /// Of its standard error.
    Err(String),
}

/// Runs a program, hands every line to `each`, and answers how it ended. A carriage return ends a line too:
/// progress bars use it.
pub fn lines(command: &mut Command, mut each: impl FnMut(Line)) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{name}` could not be started. Is it installed and on your PATH?"))?;
    let (send, receive) = mpsc::channel();
    let out = child.stdout.take().map(|pipe| pump(pipe, send.clone(), Line::Out));
    let err = child.stderr.take().map(|pipe| pump(pipe, send, Line::Err));
    for line in receive {
        each(line);
    }
    for reader in [out, err].into_iter().flatten() {
        // A reader ends with its pipe; should it have panicked, the exit status still tells how the program ended.
        let _ = reader.join();
    }
    child.wait().with_context(|| format!("`{name}` was lost sight of"))
}

fn pump(
    pipe: impl Read + Send + 'static,
    send: mpsc::Sender<Line>,
    wrap: fn(String) -> Line,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes.clear();
            for piece in text.split(['\n', '\r']).filter(|piece| !piece.trim().is_empty()) {
                if send.send(wrap(piece.to_owned())).is_err() {
                    return;
                }
            }
        }
    })
}

/// Runs a program as a step. Its output is shown only when it fails, after the sentence that explains it.
pub fn quietly(step: &Step, command: &mut Command) -> Result<String> {
    let (mut out, mut all) = (String::new(), String::new());
    let status = lines(command, |line| {
        let (Line::Out(text) | Line::Err(text)) = &line;
        step.note(text.trim());
        all.push_str(text);
        all.push('\n');
        if let Line::Out(text) = line {
            out.push_str(&text);
            out.push('\n');
        }
    })?;
    if !status.success() {
        bail!(failure(command, &all));
    }
    Ok(out)
}

/// The message for a program that failed: the remedy when the cause is known, else its last words.
pub fn failure(command: &Command, output: &str) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default();
    let first = command.get_args().next().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
    match explain::remedy(output) {
        Some(remedy) => format!("{remedy}\n`{program} {first}` said: {}", explain::tail(output, 3)),
        None => format!("`{program} {first}` failed:\n{}", explain::tail(output, 40)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_arrive_by_line_and_by_carriage_return() {
        let mut seen = Vec::new();
        let status =
            lines(Command::new("sh").args(["-c", "printf 'a\\nb'; printf '1/2\\r2/2\\r' >&2; exit 3"]), |line| {
                seen.push(line)
            });
        assert_eq!(status.unwrap().code(), Some(3));
        for want in [Line::Out("a".into()), Line::Out("b".into()), Line::Err("1/2".into()), Line::Err("2/2".into())] {
            assert!(seen.contains(&want), "{want:?} not in {seen:?}");
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = lines(&mut Command::new("marque-no-such-program"), |_| ()).unwrap_err();
        assert!(format!("{error}").contains("marque-no-such-program"));
    }

    #[test]
    fn a_failure_leads_with_the_remedy() {
        let mut command = Command::new("/opt/bin/npm");
        command.arg("ci");
        assert!(failure(&command, "npm error code ENOTFOUND").starts_with("A package registry"));
        assert_eq!(failure(&command, "boom"), "`npm ci` failed:\nboom");
    }
}
