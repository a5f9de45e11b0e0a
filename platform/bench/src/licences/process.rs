//! What a process has used of the machine, as Linux counts it.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// Linux counts processor time for people in hundredths of a second, whatever the kernel's own clock.
const TICKS_PER_SECOND: u64 = 100;

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// This one.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Processor time of all its threads, in user and in kernel.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn busy(self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).context("the process is gone")?;
        // The name, in parentheses, may hold spaces.
        let rest = stat.rsplit_once(')').context("a line of /proc")?.1;
        let ticks = |at: usize| rest.split_whitespace().nth(at).and_then(|text| text.parse::<u64>().ok());
        let (user, system) = (ticks(11).context("utime")?, ticks(12).context("stime")?);
        Ok(Duration::from_millis((user + system) * 1_000 / TICKS_PER_SECOND))
    }

    /// Bytes of memory that it holds.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn resident(self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).context("the process is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u32 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(f64::from(kib) * 1_024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there() {
        let own = Process::own();
        assert!(own.resident().unwrap() > 100_000.0);
        assert!(own.busy().unwrap() < Duration::from_secs(3_600));
    }
}
