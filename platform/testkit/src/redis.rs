//! A Redis server that lives as long as the test process, with a database of its own for each test.
//!
//! As with PostgreSQL a small shell script watches over it: it ends the server when its standard input closes, which
//! happens when the test process ends in any way.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
};

/// Databases of a server, one per test.
const DATABASES: u16 = 1_000;

/// Why there is no Redis.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedisError {
    /// It is not installed.
    #[error("redis-server is not in PATH. Install it: apt-get install redis-server")]
    NotInstalled,
    /// It is installed and would not start.
    #[error("redis-server did not start: {0}")]
    Start(String),
}

/// Starts the server without anything on disk, reports `ready` when it answers, then waits for its input to end.
const SUPERVISOR: &str = r#"
set -eu
port=$1 databases=$2
dir=$(mktemp -d "${TMPDIR:-/tmp}/marque-redis.XXXXXX")
trap 'rm -rf "$dir"' EXIT
redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" --databases "$databases" --save '' --appendonly no \
    </dev/null >"$dir/log" 2>&1 &
server=$!
trap 'kill -KILL $server 2>/dev/null || :; wait $server 2>/dev/null || :; rm -rf "$dir"' EXIT
for attempt in $(seq 100); do
    if grep -q 'Ready to accept connections' "$dir/log"; then
        echo ready
        cat >/dev/null
        exit 0
    fi
    kill -0 $server 2>/dev/null || break
    sleep 0.05
done
cat "$dir/log" >&2
exit 1
"#;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    supervisor: Option<(Child, ChildStdin)>,
    databases: AtomicU16,
}

/// An empty database of a server that other tests use too.
#[derive(Debug)]
pub struct RedisDatabase {
    server: &'static RedisServer,
    number: u16,
}

/// An empty database of the server that all tests of this process share, or none when Redis is not installed: then a
/// line that begins with `SKIPPED` says so.
///
/// # Panics
/// Under `CI=true` when it is not installed, and always when it is installed and does not start.
#[must_use]
pub fn shared_redis(test: &str) -> Option<RedisDatabase> {
    static SHARED: OnceLock<Result<RedisServer, RedisError>> = OnceLock::new();
    match SHARED.get_or_init(RedisServer::new) {
        Ok(server) => {
            let number = server.databases.fetch_add(1, Ordering::Relaxed);
            assert!(number < DATABASES, "more tests want a database of Redis than it has");
            Some(RedisDatabase { server, number })
        }
        Err(missing @ RedisError::NotInstalled) if env::var("CI").as_deref() != Ok("true") => {
            crate::skipped(test, missing);
            None
        }
        Err(fault) => fail(fault),
    }
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn fail(fault: &RedisError) -> ! {
    panic!("{fault}")
}

impl RedisDatabase {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/{}", self.server.port, self.number)
    }

    /// A server of one's own, to be stopped and started again.
    ///
    /// # Errors
    /// [`RedisError`].
    pub fn another(&self) -> Result<RedisServer, RedisError> {
        RedisServer::new()
    }
}

impl RedisServer {
    fn new() -> Result<Self, RedisError> {
        let mut last = RedisError::NotInstalled;
        // Another process may take the free port before Redis does.
        for _ in 0..3 {
            let port = crate::free_port().map_err(|fault| RedisError::Start(fault.to_string()))?;
            let mut server = Self { port, supervisor: None, databases: AtomicU16::new(0) };
            match server.start() {
                Ok(()) => return Ok(server),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it, empty, at the address that it had.
    ///
    /// # Errors
    /// [`RedisError`].
    pub fn start(&mut self) -> Result<(), RedisError> {
        let path = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&path).any(|folder| folder.join("redis-server").is_file()) {
            return Err(RedisError::NotInstalled);
        }
        let failed = |fault: std::io::Error| RedisError::Start(fault.to_string());
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "sh", &self.port.to_string(), &DATABASES.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(output) = supervisor.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(failed)?;
        }
        match supervisor.stdin.take() {
            Some(input) if line.trim() == "ready" => {
                self.supervisor = Some((supervisor, input));
                Ok(())
            }
            _ => {
                supervisor.wait().map_err(failed)?;
                Err(RedisError::Start("its log stands above".to_owned()))
            }
        }
    }

    /// Ends it at once, as when its machine fails.
    pub fn stop(&mut self) {
        if let Some((mut supervisor, input)) = self.supervisor.take() {
            drop(input);
            // What it says no longer matters.
            let _ = supervisor.wait();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
