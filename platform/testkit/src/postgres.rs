//! A PostgreSQL cluster that lives as long as the test process.
//!
//! A small shell script makes it, watches over it and removes it. The script ends the server when its standard input
//! closes, which happens when the test process ends in any way, `kill -9` included; so nothing is left behind.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The server is not installed.
    #[error(
        "PostgreSQL's server programs (initdb, postgres, psql) are neither in PATH nor in /usr/lib/postgresql/*/bin. Install them: apt-get install postgresql"
    )]
    NotInstalled,
    /// It is installed and would not start.
    #[error("PostgreSQL from {binaries} did not start: {detail}")]
    Start {
        /// Where the programs are.
        binaries: String,
        /// What it said.
        detail: String,
    },
    /// A statement failed.
    #[error("PostgreSQL refused: {0}")]
    Sql(String),
}

/// Makes the cluster in a fresh directory, reports `ready <directory>`, then takes orders, `stop` and `start`, until its input
/// ends. Stopped it is as after a fall of the machine's power, with what it had written. Durability is off because no test
/// takes the power away. Runs as the user that owns the files: PostgreSQL refuses root.
const SUPERVISOR: &str = r#"
set -eu
trap 'exit 1' INT TERM HUP
bin=$1 port=$2 server=
dir=$(mktemp -d "${TMPDIR:-/tmp}/marque-postgres.XXXXXX")
trap 'halt; rm -rf "$dir"' EXIT
cd "$dir"
halt() {
    [ -n "$server" ] || return 0
    kill -QUIT $server 2>/dev/null || :
    wait $server 2>/dev/null || :
    server=
}
launch() {
    "$bin/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses=127.0.0.1 -c fsync=off \
        -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB </dev/null >"$dir/log" 2>&1 &
    server=$!
    for attempt in $(seq 300); do
        if "$bin/psql" -X -q -h "$dir" -p "$port" -U postgres -c 'SELECT 1' postgres </dev/null >/dev/null 2>&1; then
            return 0
        fi
        kill -0 $server 2>/dev/null || break
        sleep 0.1
    done
    cat "$dir/log" >&2
    exit 1
}
"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
launch
echo "ready $dir"
while read -r order; do
    case $order in
    stop) halt ;;
    start) launch ;;
    esac
    echo done
done
"#;

/// A running cluster. Dropping it ends the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    port: u16,
    supervisor: Mutex<Option<Supervisor>>,
    databases: AtomicU32,
}

/// The script that watches over a cluster, its orders and what it says.
#[derive(Debug)]
struct Supervisor {
    child: Child,
    orders: ChildStdin,
    said: BufReader<ChildStdout>,
}

/// An empty database with a role of its own that is no superuser and cannot bypass row-level security.
#[derive(Debug)]
pub struct Database<'a> {
    cluster: &'a Cluster,
    name: String,
}

/// The cluster that all tests of this process share, or none when PostgreSQL is not installed: then a line that begins
/// with `SKIPPED` says so.
///
/// # Panics
/// Under `CI=true` when it is not installed, and always when it is installed and does not start: neither may pass for a
/// test that succeeded.
#[must_use]
pub fn shared_postgres(test: &str) -> Option<&'static Cluster> {
    static SHARED: OnceLock<Result<Cluster, PostgresError>> = OnceLock::new();
    match SHARED.get_or_init(Cluster::start) {
        Ok(cluster) => Some(cluster),
        Err(missing @ PostgresError::NotInstalled) if env::var("CI").as_deref() != Ok("true") => {
            crate::skipped(test, missing);
            None
        }
        Err(fault) => fail(fault),
    }
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn fail(fault: &PostgresError) -> ! {
    panic!("{fault}")
}

impl Cluster {
    /// Makes and starts a cluster on a free loopback port.
    ///
    /// # Errors
    /// [`PostgresError::NotInstalled`], [`PostgresError::Start`].
    pub fn start() -> Result<Self, PostgresError> {
        let binaries = find_binaries().ok_or(PostgresError::NotInstalled)?;
        let mut last = String::new();
        // Another process may take the free port before PostgreSQL does.
        for _ in 0..3 {
            match Self::try_start(&binaries) {
                Ok(cluster) => return Ok(cluster),
                Err(detail) => last = detail,
            }
        }
        Err(PostgresError::Start { binaries: binaries.display().to_string(), detail: last })
    }

    fn try_start(binaries: &Path) -> Result<Self, String> {
        let port = crate::free_port().map_err(|fault| fault.to_string())?;
        let mut supervisor = supervisor(binaries, port).spawn().map_err(|fault| fault.to_string())?;
        let (orders, mut said) = (supervisor.stdin.take(), supervisor.stdout.take().map(BufReader::new));
        let mut line = String::new();
        if let Some(said) = &mut said {
            said.read_line(&mut line).map_err(|fault| fault.to_string())?;
        }
        match (orders, said) {
            (Some(orders), Some(said)) if line.starts_with("ready ") => Ok(Self {
                binaries: binaries.to_owned(),
                port,
                supervisor: Mutex::new(Some(Supervisor { child: supervisor, orders, said })),
                databases: AtomicU32::new(0),
            }),
            _ => {
                let mut detail = String::new();
                if let Some(mut errors) = supervisor.stderr.take() {
                    errors.read_to_string(&mut detail).map_err(|fault| fault.to_string())?;
                }
                supervisor.wait().map_err(|fault| fault.to_string())?;
                Err(detail)
            }
        }
    }

    /// Ends the server at once, as a machine that fails would: whoever is connected is cut off.
    ///
    /// # Errors
    /// [`PostgresError::Start`] with what its supervisor said.
    pub fn stop(&self) -> Result<(), PostgresError> {
        self.order("stop")
    }

    /// Starts the server again at the address that it had, with what it held.
    ///
    /// # Errors
    /// [`PostgresError::Start`].
    pub fn restart(&self) -> Result<(), PostgresError> {
        self.order("start")
    }

    fn order(&self, order: &str) -> Result<(), PostgresError> {
        let failed = |detail: String| PostgresError::Start { binaries: self.binaries.display().to_string(), detail };
        let mut held = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        let supervisor = held.as_mut().ok_or_else(|| failed("its supervisor is gone".to_owned()))?;
        writeln!(supervisor.orders, "{order}").map_err(|fault| failed(fault.to_string()))?;
        let mut line = String::new();
        supervisor.said.read_line(&mut line).map_err(|fault| failed(fault.to_string()))?;
        if line.trim() == "done" { Ok(()) } else { Err(failed(format!("it did not {order}"))) }
    }

    /// A new empty database, owned by a new role of the same name.
    ///
    /// # Errors
    /// [`PostgresError::Sql`].
    pub fn database(&self) -> Result<Database<'_>, PostgresError> {
        let name = format!("marque_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", "postgres", &format!("CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE;"))?;
        self.run("postgres", "postgres", &format!("CREATE DATABASE {name} OWNER {name};"))?;
        Ok(Database { cluster: self, name })
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    fn run(&self, role: &str, database: &str, sql: &str) -> Result<String, PostgresError> {
        let output = Command::new(self.binaries.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url(role, database)])
            .stdin(Stdio::null())
            .output()
            .map_err(|fault| PostgresError::Sql(fault.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(PostgresError::Sql(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let held = self.supervisor.get_mut().ok().and_then(Option::take);
        if let Some(Supervisor { mut child, orders, .. }) = held {
            drop(orders);
            // Nothing can be done about a supervisor that is gone already.
            let _ = child.wait();
        }
    }
}

impl Database<'_> {
    /// The address for the database's own role, which owns it and is otherwise ordinary.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.url(&self.name, &self.name)
    }

    /// The address for the superuser.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.cluster.url("postgres", &self.name)
    }

    /// The name of the database and of its role.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements as the database's own role, one implicit transaction; answers rows as `a|b` lines.
    ///
    /// # Errors
    /// [`PostgresError::Sql`] with what PostgreSQL said.
    pub fn sql(&self, sql: &str) -> Result<String, PostgresError> {
        self.cluster.run(&self.name, &self.name, sql)
    }

    /// Runs statements as the superuser.
    ///
    /// # Errors
    /// [`PostgresError::Sql`] with what PostgreSQL said.
    pub fn superuser_sql(&self, sql: &str) -> Result<String, PostgresError> {
        self.cluster.run("postgres", &self.name, sql)
    }
}

/// The folder with all three programs: in PATH, or the newest that Debian keeps out of it.
fn find_binaries() -> Option<PathBuf> {
    let complete =
        |folder: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file());
    let in_path = env::var_os("PATH").and_then(|path| env::split_paths(&path).find(complete));
    in_path.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let mut folders: Vec<(u32, PathBuf)> = versions
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .filter(|(_, folder)| complete(folder))
            .collect();
        folders.sort();
        folders.pop().map(|(_, folder)| folder)
    })
}

/// The shell that runs [`SUPERVISOR`], as the user `postgres` when this process is root.
fn supervisor(binaries: &Path, port: u16) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command.arg("-c").arg(SUPERVISOR).arg("marque-postgres").arg(binaries).arg(port.to_string());
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_serves_its_own_role_and_is_gone_when_dropped() {
        if shared_postgres("a_cluster_serves_its_own_role_and_is_gone_when_dropped").is_none() {
            return;
        }
        let cluster = Cluster::start().unwrap();
        let database = cluster.database().unwrap();
        assert_eq!(database.sql("SELECT 1, current_user").unwrap(), format!("1|{}", database.name()));
        assert_eq!(database.superuser_sql("SHOW is_superuser").unwrap(), "on");
        assert!(
            matches!(database.sql("SELECT * FROM nowhere"), Err(PostgresError::Sql(said)) if said.contains("nowhere"))
        );
        let port = cluster.port;
        drop(cluster);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
