//! An S3 server of a test's own: Python's moto, which `cargo xtask test` installs. It knows nothing of ours and keeps all in
//! memory.
//!
//! It ends when its standard input closes, which happens when the test process ends in any way.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Where `cargo xtask test` put the Python that has it.
const PYTHON: &str = "XTASK_MOTO";
/// The bucket that it begins with.
const BUCKET: &str = "our-bucket";
/// Serves until the input ends.
const SCRIPT: &str = "\
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

/// A running server with an empty bucket. Dropping it ends it.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    child: Child,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // Already ended, or ended now: either is what a test wants to leave behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl S3Server {
    /// One on a free port, or none when it is not installed: then a line that begins with `SKIPPED` says so.
    ///
    /// # Panics
    /// Under `CI=true` when it is not installed, and always when it is installed and does not start.
    pub async fn start(test: &str) -> Option<Self> {
        let Some(python) = python() else {
            assert!(env::var("CI").as_deref() != Ok("true"), "no Python with moto: run `cargo xtask test`");
            crate::skipped(test, "no Python with moto; `cargo xtask test` installs one");
            return None;
        };
        // The client asks for one even where it speaks without TLS. A second call finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = crate::free_port().expect("a free port");
        let child = Command::new(python)
            .args(["-c", SCRIPT, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python must start");
        let server = Self { port, child };
        for _ in 0..300 {
            // By its plain protocol, not by what is tested.
            let made = client().put(format!("{}/{BUCKET}", server.endpoint())).send().await;
            if made.is_ok_and(|answer| answer.status() == 200) {
                return Some(server);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the S3 server does not answer");
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Settings by which the server keeps its objects there, below `marque/`.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("MARQUE_OBJECT_STORE", format!("s3://{BUCKET}/marque")),
            ("MARQUE_S3_ENDPOINT", self.endpoint()),
            ("MARQUE_S3_ACCESS_KEY_ID", "testing".to_owned()),
            ("MARQUE_S3_SECRET_ACCESS_KEY", "testing".to_owned()),
        ]
    }

    /// The keys in its bucket, as it lists them itself.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn keys(&self) -> Vec<String> {
        let answer = client().get(format!("{}/{BUCKET}?list-type=2", self.endpoint())).send().await;
        let listed = answer.expect("an answer").text().await.expect("a text");
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }

    /// What lies under a key.
    ///
    /// # Panics
    /// When nothing does.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        // What is private is given to whoever shows anything: this server checks no signature.
        let shown =
            "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let request = client().get(format!("{}/{BUCKET}/{key}", self.endpoint())).header("authorization", shown);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{key}");
        answer.bytes().await.expect("bytes").to_vec()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client")
}

/// The Python of `cargo xtask test`, or the one in its place under the target folder.
fn python() -> Option<PathBuf> {
    let named = env::var_os(PYTHON).map(PathBuf::from);
    let beside = || Some(env::current_exe().ok()?.ancestors().nth(3)?.join("s3-server/bin/python"));
    named.or_else(beside).filter(|python| python.is_file())
}
