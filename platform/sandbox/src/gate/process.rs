//! The process in which a stranger's component is examined: started for one component, limited by the system, and killed
//! at its deadline. Compilers are large programs; whatever a component makes one do ends with that process.

use super::{code::Code, judge, report::Report};
use crate::{inspect, limits::Limits};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Largest answer of the process.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How often the parent looks whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// What the process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Wall-clock time after which it is killed, in milliseconds.
    pub deadline_ms: u64,
    /// Processor time of all its threads, in seconds.
    pub cpu_s: u64,
    /// Memory that it can write to, in bytes.
    pub memory_bytes: u64,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self { deadline_ms: 60_000, cpu_s: 40, memory_bytes: 768 << 20 }
    }
}

/// The gate could not examine a component, for no fault of the component's.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// No sandbox.
    #[error(transparent)]
    Sandbox(#[from] crate::SandboxError),
    /// The process was not started or not heard.
    #[error(
        "the process that examines plugins could not be run: {0}. Check that this program's file is still there and may be executed."
    )]
    Process(#[from] io::Error),
    /// It ended without an answer and without having been killed.
    #[error(
        "the process that examines plugins ended without an answer ({0}). Try again; if it stays so, look at the log."
    )]
    NoAnswer(String),
}

/// Where components are examined.
#[derive(Debug, Clone)]
pub struct Gate {
    limits: Limits,
    worker: Option<Worker>,
}

#[derive(Debug, Clone)]
struct Worker {
    program: PathBuf,
    arguments: Vec<OsString>,
    limits: WorkerLimits,
}

impl Gate {
    /// In this process: for an author at their own machine, and for tests.
    #[must_use]
    pub const fn here(limits: Limits) -> Self {
        Self { limits, worker: None }
    }

    /// In a process of its own for each component. `program` with `arguments` must call [`work`].
    #[must_use]
    pub fn apart(limits: Limits, program: PathBuf, arguments: &[&str], worker: WorkerLimits) -> Self {
        let arguments = arguments.iter().map(OsString::from).collect();
        Self { limits, worker: Some(Worker { program, arguments, limits: worker }) }
    }

    /// Examines a component. It blocks for as long as that takes.
    ///
    /// # Errors
    /// [`GateError`], never for anything that the component did.
    pub fn judge(&self, component: &[u8]) -> Result<Report, GateError> {
        match &self.worker {
            // A file that is too large never leaves this process.
            Some(worker) if component.len() <= self.limits.module_bytes => worker.judge(component),
            _ => Ok(judge(component, &self.limits)?),
        }
    }
}

impl Worker {
    fn judge(&self, component: &[u8]) -> Result<Report, GateError> {
        let mut child = self.start()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let bytes = component.to_vec();
        let sender = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&bytes)));
        let receiver = thread::spawn(move || {
            let mut answer = Vec::new();
            stdout.map(|stdout| stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer));
            answer
        });
        let ended = wait(&mut child, Duration::from_millis(self.limits.deadline_ms));
        // Both ends are closed now, so neither thread is held up; a pipe that broke is told by the answer.
        let _ = sender.join();
        let answer = receiver.join().unwrap_or_default();
        let status = ended?;
        if let Ok(report) = serde_json::from_slice::<Report>(&answer) {
            return Ok(report);
        }
        let Some(detail) = self.stopped(status) else {
            return Err(GateError::NoAnswer(status.map_or_else(|| "killed".to_owned(), |status| status.to_string())));
        };
        let mut report = Report::new(inspect::digest(component).to_string(), component.len());
        report.find(Code::Compile, detail);
        Ok(report)
    }

    fn start(&self) -> io::Result<Child> {
        let WorkerLimits { cpu_s, memory_bytes, .. } = self.limits;
        Command::new(&self.program)
            .args(&self.arguments)
            .args([cpu_s.to_string(), memory_bytes.to_string()])
            // It needs nothing of what this process knows.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }

    /// Why it was stopped, if that was for what the component made it do; none as status is killed at the deadline.
    fn stopped(&self, status: Option<ExitStatus>) -> Option<String> {
        let WorkerLimits { deadline_ms, cpu_s, memory_bytes } = self.limits;
        let Some(status) = status else { return Some(format!("stopped after {deadline_ms} ms")) };
        let signal = signal_of(status)?;
        Some(format!("stopped by signal {signal}: it has {cpu_s} s of processor time and {memory_bytes} bytes"))
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
const fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

/// Waits until it ends; none when it had to be killed.
fn wait(child: &mut Child, deadline: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// What the process does: it takes its own limits, reads a component from `input` and writes the report to `output`.
///
/// # Errors
/// [`GateError`]; the parent then hears nothing.
pub fn work(cpu_s: u64, memory_bytes: u64, input: impl Read, mut output: impl Write) -> Result<(), GateError> {
    limit(cpu_s, memory_bytes)?;
    let limits = Limits::default();
    let mut component = Vec::new();
    input.take(limits.module_bytes as u64 + 1).read_to_end(&mut component)?;
    let report = judge(&component, &limits)?;
    serde_json::to_writer(&mut output, &report).map_err(io::Error::from)?;
    output.flush()?;
    Ok(())
}

/// The largest file that the process can write.
#[cfg(target_os = "linux")]
const IMAGE_BYTES_MAX: u64 = 32 << 20;

/// Writable memory is what counts: the sandbox reserves address space that it never touches.
#[cfg(target_os = "linux")]
fn limit(cpu_s: u64, memory_bytes: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CPU, cpu_s, cpu_s)?;
    setrlimit(Resource::RLIMIT_DATA, memory_bytes, memory_bytes)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64)?;
    // The images of memories lie in files that are only in memory.
    setrlimit(Resource::RLIMIT_FSIZE, IMAGE_BYTES_MAX, IMAGE_BYTES_MAX)?;
    Ok(())
}

/// Elsewhere the deadline is what ends it.
#[cfg(all(unix, not(target_os = "linux")))]
fn limit(cpu_s: u64, _memory_bytes: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CPU, cpu_s, cpu_s)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    Ok(())
}

#[cfg(not(unix))]
const fn limit(_cpu_s: u64, _memory_bytes: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A process that does not do what it should.
    fn shell(script: &str, deadline_ms: u64) -> Gate {
        let worker = WorkerLimits { deadline_ms, ..WorkerLimits::default() };
        Gate::apart(Limits::default(), "/bin/sh".into(), &["-c", script], worker)
    }

    #[test]
    fn a_process_that_does_not_end_is_killed_at_its_deadline() {
        let began = Instant::now();
        let report = shell("exec sleep 60", 100).judge(b"\0asm").unwrap();
        assert!(report.has(Code::Compile) && !report.accepted, "{report}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn a_process_that_the_system_stops_is_the_components_fault() {
        let report = shell("kill -KILL $$", 5_000).judge(b"\0asm").unwrap();
        assert!(report.has(Code::Compile), "{report}");
    }

    #[test]
    fn a_process_that_says_nothing_is_the_gates_fault() {
        let error = shell("exit 3", 5_000).judge(b"\0asm").unwrap_err();
        assert!(matches!(&error, GateError::NoAnswer(text) if text.contains('3')), "{error}");
        assert!(matches!(shell("yes", 5_000).judge(b"\0asm"), Err(GateError::NoAnswer(_)) | Ok(_)));
    }

    #[test]
    fn nothing_of_this_process_is_told_to_it() {
        // The environment has no more than what a shell sets itself.
        let script = "test -z \"$PATH$HOME$USER$CARGO_MANIFEST_DIR\" || test -z \"$HOME$USER$CARGO_MANIFEST_DIR\" && kill -KILL $$";
        assert!(shell(script, 5_000).judge(b"\0asm").unwrap().has(Code::Compile));
    }
}
