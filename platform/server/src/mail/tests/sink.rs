//! A real mail server to send to: Python's aiosmtpd, which `cargo xtask test` installs. It keeps what it takes as
//! lines of JSON, parsed by Python's own mail reader, which knows nothing of ours.

use serde::Deserialize;
use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A mail as the server's reader understood it.
#[derive(Debug, Clone, Deserialize)]
pub struct Taken {
    pub from: String,
    pub to: String,
    pub recipients: usize,
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub html: String,
    pub raw: String,
}

impl Taken {
    pub fn header(&self, name: &str) -> &str {
        let headers: BTreeMap<&str, &str> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(headers.len(), self.headers.len(), "each header once");
        headers.get(name).copied().unwrap_or_default()
    }
}

pub struct Sink {
    pub address: String,
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sink {
    /// One on a free port that answers recipients with `reply`; empty takes everything, `stall` takes it and never says
    /// so. None where there is no Python with aiosmtpd; under `CI=true` that is a failure.
    pub async fn start(reply: &str) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(&format!("127.0.0.1:{port}"), reply).await
    }

    pub async fn start_at(address: &str, reply: &str) -> Option<Self> {
        let Some(python) = python() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no Python with aiosmtpd: run `cargo xtask test`");
            marque_testkit::skipped("a mail server", "`cargo xtask test` installs one");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("reply"), reply).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/mail/sink.py");
        let port = address.rsplit(':').next().unwrap();
        let child = Command::new(python)
            .args([script, port])
            .arg(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("Python must start");
        let sink = Self { address: address.to_owned(), child, folder };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Some(sink);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the mail server does not listen at {address}");
    }

    /// Answers recipients with `reply` from now on.
    pub fn answer(&self, reply: &str) {
        let mut file = std::fs::File::create(self.folder.path().join("reply")).unwrap();
        file.write_all(reply.as_bytes()).unwrap();
    }

    /// What it took, in order; what it still writes down is not among it.
    pub fn mails(&self) -> Vec<Taken> {
        let text = std::fs::read_to_string(self.folder.path().join("mails")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The Python of `cargo xtask test`, or the one in its place under the target folder.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("XTASK_MAIL_PYTHON").map(PathBuf::from);
    let beside = || {
        let me = std::env::current_exe().ok()?;
        Some(me.ancestors().nth(3)?.join("mail-sink/bin/python"))
    };
    named.or_else(beside).filter(|python| python.is_file())
}
