//! `wrk` as the load generator: the same program, script and requests for whoever is measured.
//!
//! It is written in C and takes a few microseconds a request; one thread of it drives several times what the servers here
//! answer. Nothing of an answer is looked at while the time runs but its status.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::Process;

/// Requests come from a file: its lines are lengths, each followed by so many bytes.
const SCRIPT: &str = r#"
local requests, at = {}, 0
local file = assert(io.open(os.getenv("MARQUE_REQUESTS"), "rb"))
while true do
  local length = file:read("*l")
  if not length then break end
  requests[#requests + 1] = file:read(tonumber(length))
end
file:close()
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout
  io.write(string.format("marque %d %d %d %d %d\n", summary.requests, summary.duration, bad,
    latency:percentile(50), latency:percentile(99)))
end
"#;

/// What a load came to.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Answers a second.
    pub per_second: f64,
    /// Nanoseconds from request to answer, the middle one.
    pub p50: f64,
    /// Nanoseconds of the slowest in a hundred.
    pub p99: f64,
    /// Nanoseconds of processor time of the server for one answer.
    pub busy: f64,
}

/// Prepared requests.
pub struct Wrk {
    script: PathBuf,
    requests: PathBuf,
    connections: u32,
}

impl Wrk {
    /// Whether the program is there.
    pub fn is_here() -> bool {
        // It answers its version with a failure.
        Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }

    /// These requests, in their order and again from the first, over so many connections.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(folder: &std::path::Path, requests: &[Vec<u8>], connections: u32) -> Result<Self> {
        let (script, path) = (folder.join("wrk.lua"), folder.join("wrk.requests"));
        fs::write(&script, SCRIPT)?;
        let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
        for request in requests {
            writeln!(file, "{}", request.len())?;
            file.write_all(request)?;
        }
        file.flush()?;
        Ok(Self { script, requests: path, connections })
    }

    /// Asks for so long.
    ///
    /// # Errors
    /// When `wrk` cannot be run, or anything but a good status came.
    pub async fn run(&self, address: SocketAddr, server: Process, lasting: Duration) -> Result<Load> {
        let mut command = tokio::process::Command::new("wrk");
        command
            .args(["-t1", &format!("-c{}", self.connections), &format!("-d{}s", lasting.as_secs().max(1))])
            .args(["--latency", "--timeout", "10s", "-s"])
            .arg(&self.script)
            .arg(format!("http://{address}/"))
            .env("MARQUE_REQUESTS", &self.requests)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let before = server.busy()?;
        let output = command.output().await.context("`wrk` could not be started (Debian: apt-get install wrk)")?;
        let busy = server.busy()?.saturating_sub(before);
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("`wrk` failed:\n{said}{}", String::from_utf8_lossy(&output.stderr));
        }
        let line = said.lines().find_map(|line| line.strip_prefix("marque ")).with_context(|| said.to_string())?;
        let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let &[count, micros, bad, p50, p99] = numbers.as_slice() else { bail!("`wrk` said {line}") };
        ensure!(bad == 0.0 && count > 0.0, "{bad} of {count} requests went wrong:\n{said}");
        Ok(Load {
            per_second: count / micros * 1e6,
            p50: p50 * 1e3,
            p99: p99 * 1e3,
            busy: busy.as_secs_f64() * 1e9 / count,
        })
    }
}
