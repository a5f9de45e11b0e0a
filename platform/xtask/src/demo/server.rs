//! The server as a child: started, watched until it is ready, stopped by a signal.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ExitCode, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::settings::Settings;
use crate::{explain, root, setup};

/// Recovery of a long demo may take a while; a server that says nothing for so long has a fault.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may take to finish what it is doing.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Where the server's log goes.
pub fn log_file() -> PathBuf {
    root::var().join("marque.log")
}

/// A server that is ready.
pub struct Server {
    child: Child,
    stop: Receiver<()>,
}

/// Starts the server and waits until it answers that it is ready.
pub fn start(settings: &Settings) -> Result<Server> {
    let (send, stop) = mpsc::channel();
    ctrlc::set_handler(move || {
        // The receiver lives as long as the process; a signal after that has nothing left to stop.
        let _ = send.send(());
    })
    .context("Ctrl-C could not be watched")?;
    let log = File::create(log_file()).with_context(|| format!("{} could not be written", log_file().display()))?;
    let errors = log.try_clone().context("the log could not be shared")?;
    // A process group of its own: the terminal's Ctrl-C reaches us, and we ask the server to stop, once.
    let child = settings
        .marque(&["serve"])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .context("The server could not be started")?;
    let mut server = Server { child, stop };
    server.wait_until_ready(settings.port)?;
    Ok(server)
}

impl Server {
    fn wait_until_ready(&mut self, port: u16) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if let Some(status) = self.child.try_wait().context("The server was lost sight of")? {
                bail!(last_words(&format!("The server ended at once ({status})")));
            }
            if is_ready(port) {
                return Ok(());
            }
            if self.stop.recv_timeout(Duration::from_millis(30)).is_ok() {
                self.end()?;
                bail!("Stopped before the server was ready.");
            }
        }
        self.end()?;
        bail!(last_words(&format!("The server was not ready after {} s", READY_WITHIN.as_secs())))
    }

    /// Stays until a signal comes or the server ends by itself.
    pub fn stay(mut self) -> Result<ExitCode> {
        let mut disk = Disk::default();
        loop {
            if let Some(sentence) = setup::free_bytes(&root::var()).and_then(|free| disk.look(free)) {
                eprintln!("  ! {sentence}");
            }
            if let Some(status) = self.child.try_wait().context("The server was lost sight of")? {
                bail!(last_words(&format!("The server ended by itself ({status})")));
            }
            match self.stop.recv_timeout(Duration::from_millis(200)) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    self.end()?;
                    println!("\n  Stopped. Everything is kept under var/.");
                    return Ok(ExitCode::SUCCESS);
                }
            }
        }
    }

    /// Asks the server to stop, waits, and ends it by force when it does not or when asked a second time.
    fn end(&mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("the server's process id is out of range")?;
        // It may have ended in the meantime; waiting below settles it.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let began = Instant::now();
        while began.elapsed() < STOP_WITHIN {
            if self.child.try_wait().context("The server was lost sight of")?.is_some() {
                return Ok(());
            }
            if self.stop.recv_timeout(Duration::from_millis(50)).is_ok() {
                break;
            }
        }
        self.child.kill().and_then(|()| self.child.wait()).context("The server could not be ended")?;
        Ok(())
    }
}

/// What was last said of the disk. The server itself goes on when the disk is full: nothing is acknowledged that was
/// not committed, and it goes on by itself once there is room. Whoever watches the demo should know why it stands still.
#[derive(Debug, Default)]
struct Disk {
    full: bool,
}

impl Disk {
    /// Less than this is full, and twice as much is room again.
    const FULL_BYTES: u64 = 8 << 20;

    fn look(&mut self, free: u64) -> Option<&'static str> {
        if !self.full && free < Self::FULL_BYTES {
            self.full = true;
            return Some(
                "The disk is full: nothing can be committed, so trading stands still. Free some space; it goes on by itself.",
            );
        }
        if self.full && free > 2 * Self::FULL_BYTES {
            self.full = false;
            return Some("The disk has room again: trading goes on.");
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only an error path leaves it running: nothing may stay behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_words(what: &str) -> String {
    let log = fs::read_to_string(log_file()).unwrap_or_default();
    explained(what, &log, &root::shown(&log_file()))
}

/// Why a server ended: a known cause, its own sentence, or the end of its log.
fn explained(what: &str, log: &str, file: &str) -> String {
    let sentence = log.lines().rev().find_map(|line| line.strip_prefix("error: "));
    match explain::remedy(log).or(sentence) {
        Some(reason) => format!("{what}. {reason}"),
        None => format!("{what}. Its log ({file}) ends with:\n{}", explain::tail(log, 12)),
    }
}

/// Whether `/readyz` answers 200.
fn is_ready(port: u16) -> bool {
    ask_ready(port).is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}

fn ask_ready(port: u16) -> std::io::Result<String> {
    let limit = Duration::from_millis(500);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream
        .write_all(format!("GET /readyz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = vec![0; 256];
    let read = stream.read(&mut answer)?;
    answer.truncate(read);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    fn answering(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn only_200_is_ready() {
        assert!(is_ready(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")));
        assert!(!is_ready(answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\n200")));
        assert!(!is_ready(answering("")));
    }

    #[test]
    fn an_ended_server_is_explained() {
        let table = [
            (
                "INFO up\nerror: the database is from a newer version. Update marque.\n",
                "Gone. the database is from a newer version. Update marque.",
            ),
            ("INFO up\nthread panicked\n", "Gone. Its log (a.log) ends with:\nINFO up\nthread panicked"),
        ];
        for (log, want) in table {
            assert_eq!(explained("Gone", log, "a.log"), want);
        }
        assert!(explained("Gone", "io: No space left on device", "a.log").contains("disk is full"));
    }

    #[test]
    fn a_full_disk_is_told_once_and_taken_back_once() {
        let mut disk = Disk::default();
        let told: Vec<_> =
            [100, 9, 7, 3, 10, 15, 17, 9, 7].map(|mib| disk.look(mib << 20).map(|s| s.contains("full"))).into();
        assert_eq!(told, [None, None, Some(true), None, None, None, Some(false), None, Some(true)]);
    }

    #[test]
    fn nobody_listening_is_not_ready() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert!(!is_ready(port));
    }
}
