//! The real `marque` binary with a data directory of its own.
//!
//! `cargo xtask test` builds the binary and the plugins once and passes their paths; run by hand, the harness
//! builds them at the first use. Nothing here knows the inside of the server: it is started as an operator
//! would, and asked over HTTP. What goes wrong panics: that is how a test fails.

#![expect(clippy::expect_used, clippy::panic, reason = "a site that cannot be set up fails the test that asked for it")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use marque_pluginbuild::BuiltPlugin;
use tempfile::TempDir;

/// How long a server may take to be ready: recovery included, on a machine that builds something else meanwhile.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate lies in platform/").to_path_buf()
}

/// The `marque` binary, built when nobody passed one.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("XTASK_MARQUE").map_or_else(build_binary, PathBuf::from))
}

fn build_binary() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--package", "marque-server", "--bin", "marque"])
        .output()
        .expect("cargo must start");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "the `marque` binary that these tests start could not be built:\n{said}");
    // This program is target/<profile>/deps/<name>; binaries lie one folder above.
    let me = std::env::current_exe().expect("a running program has a path");
    me.ancestors().nth(2).expect("tests run from target/<profile>/deps").join("marque")
}

/// The built plugins, in the folder that `cargo xtask test` builds them into: usually nothing is left to do.
pub fn plugins() -> &'static [BuiltPlugin] {
    static PLUGINS: OnceLock<Vec<BuiltPlugin>> = OnceLock::new();
    PLUGINS.get_or_init(|| {
        let target = binary().ancestors().nth(2).expect("a binary lies in target/<profile>");
        marque_pluginbuild::build(&workspace(), &target.join("plugins")).expect("the plugins must build")
    })
}

/// The master key of all sites, so that each finds what another compiled.
const MASTER_KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

/// Where sites keep what they compiled.
fn compiled() -> PathBuf {
    binary().ancestors().nth(2).expect("a binary lies in target/<profile>").join("tmp/compiled-by-sites")
}

/// A data directory and the settings that point to it.
pub struct Site {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Site {
    /// An empty one.
    #[must_use]
    pub fn empty() -> Self {
        // The test's own HTTP client asks for one even where it speaks without TLS. A second call finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { folder: TempDir::new().expect("a temporary folder"), variables: Vec::new() }
    }

    /// With a setting that every command of this site gets.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// A setting that it was given.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("var")
    }

    /// What its server said since it was last started.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("serve.log")
    }

    /// Another site that is as this one is now. No server may be running on it.
    pub fn copy(&self) -> Self {
        let copy = Self { variables: self.variables.clone(), ..Self::empty() };
        let status =
            Command::new("cp").arg("-a").arg(self.data()).arg(copy.folder.path()).status().expect("cp must start");
        assert!(status.success(), "the site could not be copied");
        copy
    }

    /// One with the demo's tenants, plugins, people and deployments, on the synthetic market.
    pub fn seeded() -> Self {
        Self::empty().seed()
    }

    /// Seeds this one so.
    pub fn seed(self) -> Self {
        let site = self;
        let tenants = workspace().join("tenants").display().to_string();
        site.succeeds(&["migrate"]);
        site.succeeds(&["tenant", "apply", &tenants]);
        for plugin in plugins() {
            site.succeeds(&["plugin", "add", "aurora", "borealis", &plugin.path.display().to_string()]);
        }
        site.succeeds(&["demo-seed"]);
        site
    }

    /// `marque` with these arguments, to be started in any way.
    pub fn marque(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MARQUE_")) {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path()).args(args).envs(self.settings()).stdin(Stdio::null());
        command
    }

    /// The settings of all its commands, by the names of their variables; a later one of a name counts.
    pub fn settings(&self) -> impl Iterator<Item = (String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        [
            ("MARQUE_DATA_DIR", text(self.data())),
            ("MARQUE_TENANTS_DIR", text(workspace().join("tenants"))),
            ("MARQUE_LIMITS_SHUTDOWN_S", "2".to_owned()),
            ("MARQUE_MASTER_KEY", MASTER_KEY.to_owned()),
            ("MARQUE_COMPILED_DIR", text(compiled())),
            // Tests ask as often as they like; what limits do is tested in their own room.
            ("MARQUE_LIMITS_API_PER_MINUTE", "1000000".to_owned()),
            ("MARQUE_LIMITS_TRADING_PER_MINUTE", "1000000".to_owned()),
        ]
        .into_iter()
        .chain(self.variables.iter().cloned())
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.marque(args).output().expect("the binary must start")
    }

    /// Runs a command that must succeed, and answers what it printed.
    pub fn succeeds(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`marque {}` failed ({}):\n{said}", args.join(" "), output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts the server on a free port and waits until it is ready.
    pub async fn serve(&self) -> Running {
        // Between finding a free port and using it, another program may take it: then another one is tried.
        for attempt in 1.. {
            match self.try_serve().await {
                Ok(running) => return running,
                Err(log) if attempt < 3 && log.contains("in use") => {}
                Err(log) => panic!("the server did not become ready; its log:\n{log}"),
            }
        }
        unreachable!("attempts end above")
    }

    async fn try_serve(&self) -> Result<Running, String> {
        let port = free_port();
        let log_file = self.log();
        let log = fs::File::create(&log_file).expect("a log file");
        let errors = log.try_clone().expect("a second handle");
        let mut command = self.marque(&["serve"]);
        command.env("MARQUE_LISTEN", format!("127.0.0.1:{port}")).stdout(log).stderr(errors);
        let mut running = Running { child: command.spawn().expect("the binary must start"), port };
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            let ended = running.child.try_wait().expect("a child can be waited for").is_some();
            if ended {
                break;
            }
            if running.get("localhost", "/readyz").await.is_ok_and(|answer| answer.status() == 200) {
                return Ok(running);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        Err(fs::read_to_string(log_file).unwrap_or_default())
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}

/// A server under way. It is killed when this goes out of scope.
pub struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of a path at a host.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }

    /// A client for which a host leads to this server, without following redirects.
    ///
    /// # Errors
    /// When the system offers none.
    pub fn client(&self, host: &str) -> reqwest::Result<reqwest::Client> {
        // Not every system's resolver knows names below localhost; browsers do.
        reqwest::Client::builder()
            .resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            // Nothing here speaks TLS: to read the system's certificates takes longer than the answer.
            .tls_certs_only([])
            .build()
    }

    /// Asks for a page of a host, as a browser would that knows nothing yet.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, host: &str, path: &str) -> reqwest::Result<reqwest::Response> {
        self.client(host)?.get(self.url(host, path)).send().await
    }

    /// Ends it without warning, as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("a child can be killed");
    }

    /// The same while others still ask it.
    pub fn strike(&self) {
        assert!(self.signal("-KILL"), "the server was gone before it was killed");
    }

    fn signal(&self, signal: &str) -> bool {
        let pid = self.child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().expect("`kill` must start").success()
    }

    /// Asks it to stop, as an operator's system does, and answers how it ended.
    pub fn stop(mut self) -> ExitStatus {
        assert!(self.signal("-TERM"), "the server was gone before it was asked to stop");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(15) {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        panic!("the server did not stop within 15 s of SIGTERM");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what a test wants to leave behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
