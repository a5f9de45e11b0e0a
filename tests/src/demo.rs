//! `cargo xtask demo` when something is wrong with the machine: one clear sentence and what to do, by the real binary.
//!
//! The demo runs in a workspace of its own: links to everything of this one, but its own `tenants/` and `var/`.

use crate::disk::SmallDisk;
use marque_testkit::site::{binary, workspace};
use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A demo that has to migrate, seed and start, on a machine that builds something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// What lies in a workspace without being part of it, and what a demo has of its own.
const OWN: &[&str] = &["tenants", "var", "target", ".git"];

struct Workspace(TempDir);

impl Workspace {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        for entry in fs::read_dir(workspace()).expect("the workspace").flatten() {
            let name = entry.file_name();
            if !OWN.contains(&name.to_string_lossy().as_ref()) {
                symlink(entry.path(), folder.path().join(name)).expect("a link");
            }
        }
        copy(&workspace().join("tenants"), &folder.path().join("tenants"));
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The demo, to be started: on this port, with the binary that the other tests use.
    fn demo(&self, port: u16) -> Command {
        let mut demo = Command::new(xtask());
        demo.args(["demo", "--port", &port.to_string()])
            // By this it finds its workspace, as under cargo.
            .env("CARGO_MANIFEST_DIR", self.path().join("platform/xtask"))
            .env("CARGO_TARGET_DIR", target())
            .env("XTASK_MARQUE", binary())
            .stdin(Stdio::null());
        demo
    }

    /// The files of compiled plugins; one that was written anew is another.
    fn compiled(&self) -> BTreeSet<(PathBuf, u64)> {
        let files = fs::read_dir(self.path().join("var/compiled")).expect("the folder").flatten();
        files.map(|file| (file.path(), file.metadata().expect("a file").ino())).collect()
    }

    /// What it says when it fails, which it must.
    fn fails(&self, demo: &mut Command) -> String {
        let output = demo.output().expect("xtask must start");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
        said
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status().expect("cp must start");
    assert!(copied.success(), "{} could not be copied", from.display());
}

/// The folder that cargo builds into: two above the binary.
fn target() -> PathBuf {
    binary().ancestors().nth(2).expect("a binary lies in target/<profile>").to_path_buf()
}

/// xtask itself: built with the workspace's tests, or now.
fn xtask() -> PathBuf {
    let program = binary().with_file_name("xtask");
    if !program.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo).current_dir(workspace()).args(["build", "--package", "xtask"]).status();
        assert!(built.expect("cargo must start").success(), "xtask could not be built");
    }
    program
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A folder with programs that only print a line, for a PATH.
fn programs(of: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, line) in of {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\necho {line}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a right");
    }
    folder
}

#[test]
fn a_taken_port() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let site = Workspace::new();
    let said = site.fails(&mut site.demo(port));
    assert!(said.contains(&format!("Port {port} is taken by another program")), "{said}");
    assert!(said.contains("cargo xtask demo --port"), "{said}");
    assert!(!site.path().join("var").exists(), "nothing was begun");
}

#[test]
fn no_node_or_an_old_one() {
    let site = Workspace::new();
    for (found, want) in [
        (&[][..], "Node.js is not installed; the pages' scripts come from npm. Install Node 20"),
        (&[("node", "v18.19.0")], "Node v18.19.0 is too old. Install Node 20"),
    ] {
        let path = programs(found);
        let said = site.fails(site.demo(free_port()).env("PATH", path.path()));
        assert!(said.contains(want), "{said}");
        assert!(said.trim().lines().count() <= 2, "one sentence: {said}");
    }
}

#[test]
fn no_network() {
    let site = Workspace::new();
    // Page assets that are not there, and a registry that nobody serves.
    let themes = site.path().join("themes");
    fs::remove_file(&themes).expect("the link");
    fs::create_dir(&themes).expect("a folder");
    for file in ["package.json", "package-lock.json"] {
        fs::copy(workspace().join("themes").join(file), themes.join(file)).expect("a copy");
    }
    let cache = TempDir::new().expect("a folder");
    let mut demo = site.demo(free_port());
    demo.env("npm_config_registry", "http://127.0.0.1:9/").env("npm_config_replace_registry_host", "always");
    demo.env("npm_config_cache", cache.path()).env("npm_config_fetch_retries", "0");
    let said = site.fails(&mut demo);
    assert!(said.contains("A package registry could not be reached. Connect to the network"), "{said}");
}

#[test]
fn a_broken_tenant_file() {
    let site = Workspace::new();
    let file = site.path().join("tenants/aurora/tenant.toml");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replacen("\"daybreak\"", "\"midnight\"", 1)).expect("the file");
    let said = site.fails(&mut site.demo(free_port()));
    assert!(
        said.contains("aurora/tenant.toml:7:9: there is no theme \"midnight\"; choose one of: daybreak, nightfall"),
        "{said}"
    );
    assert!(said.contains("Nothing was applied."), "{said}");
}

#[test]
fn a_server_that_dies_and_the_start_after_it() {
    let site = Workspace::new();
    let port = free_port();
    let mut demo = Demo(site.demo(port).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask"));
    let server = demo.server_once_ready(port);
    let killed = Command::new("kill").args(["-KILL", &server.to_string()]).status().expect("kill must start");
    assert!(killed.success());
    let said = demo.ends();
    assert!(said.contains("The server ended by itself (signal: 9"), "{said}");
    assert!(said.contains("var/marque.log"), "the log is named: {said}");
    for step in ["Migrating", "Applying tenants/", "Adding", "Seeding people", "Starting the server"] {
        assert!(said.contains(step), "{step} is not told: {said}");
    }

    let compiled = site.compiled();
    assert!(!compiled.is_empty(), "what was compiled is kept");

    // What took long the first time is not done again, and the reader is told where to look and how to sign in.
    let mut demo = Demo(site.demo(port).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("xtask"));
    demo.server_once_ready(port);
    let asked = Command::new("kill").args(["-INT", &demo.0.id().to_string()]).status().expect("kill must start");
    assert!(asked.success());
    let said = demo.ends();
    for again in ["Adding", "Importing", "Installing"] {
        assert!(!said.contains(again), "{again} at a second start: {said}");
    }
    assert_eq!(site.compiled(), compiled, "plugins were compiled at a second start");
    for brand in ["aurora", "borealis"] {
        for told in [
            format!("http://{brand}.localhost:{port}\n"),
            format!("trader@{brand}.example"),
            format!("owner@{brand}.example"),
        ] {
            assert!(said.contains(&told), "{told} is not told: {said}");
        }
    }
    assert!(said.contains("What to look at") && said.contains("Everything is kept under var/"), "{said}");
}

/// A demo under way. Dropping it ends it, and its server with it.
struct Demo(Child);

impl Demo {
    /// The process of its server, once that is ready.
    fn server_once_ready(&mut self, port: u16) -> u32 {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let ready = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            if let Some(server) = ready.then(|| children(self.0.id()).into_iter().next()).flatten() {
                // It says so before it watches: a moment for that.
                std::thread::sleep(Duration::from_millis(500));
                return server;
            }
            let ended = self.0.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "the demo ended: {}", self.ends());
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the demo's server was not ready in time");
    }

    /// What it said on its way out.
    fn ends(&mut self) -> String {
        let began = Instant::now();
        while self.0.try_wait().expect("a child can be waited for").is_none() {
            assert!(began.elapsed() < PATIENCE, "the demo goes on");
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut said = String::new();
        if let Some(mut out) = self.0.stdout.take() {
            out.read_to_string(&mut said).expect("what it printed");
        }
        if let Some(mut errors) = self.0.stderr.take() {
            errors.read_to_string(&mut said).expect("its errors");
        }
        said
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        for child in children(self.0.id()) {
            let _ = Command::new("kill").args(["-KILL", &child.to_string()]).status();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processes that a process started.
fn children(of: u32) -> Vec<u32> {
    let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &of.to_string()]).output().expect("ps must start");
    String::from_utf8_lossy(&listed.stdout).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[test]
fn a_full_disk() {
    // Too little for anything: said before anything is begun.
    let site = Workspace::new();
    if let Some(_disk) = SmallDisk::at(site.path().join("var"), 4_096) {
        let said = site.fails(&mut site.demo(free_port()));
        assert!(said.contains("MB free and the demo needs 300 MB. Free some space"), "{said}");
    }
    // Full in the middle of the work: the sentence is the same wherever it happens.
    let folder = TempDir::new().expect("a folder");
    let Some(disk) = SmallDisk::at(folder.path().join("var"), 256) else { return };
    let mut migrate = Command::new(binary());
    migrate.current_dir(folder.path()).arg("migrate").env("MARQUE_DATA_DIR", &disk.0);
    let output = migrate.output().expect("marque must start");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "256 KiB are enough for the database? {said}");
    assert!(said.contains("disk is full") && !said.contains("panicked"), "{said}");
    assert!(said.contains("has space"), "it says what to do: {said}");
}
