//! What signing in, being signed in and acting are measured against: a bare Argon2id, a bare handler, a bare disk.

use std::{fs::File, io::Write as _, net::SocketAddr, path::Path, time::Instant};

use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Params, Version};
use poem::{Route, Server, get, handler, listener::TcpAcceptor};
use tokio::{net::TcpListener, task::JoinHandle};

/// Argon2id with the parameters that a stored hash names.
pub struct Hasher(Argon2<'static>);

impl Hasher {
    /// Of memory in KiB, passes and lanes.
    ///
    /// # Errors
    /// When Argon2 does not know such parameters.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self> {
        let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|fault| anyhow!("{fault}"))?;
        Ok(Self(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)))
    }

    /// One hash of a password.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn hash(&self, password: &str) -> Result<[u8; 32]> {
        let mut out = [0_u8; 32];
        let done = self.0.hash_password_into(password.as_bytes(), b"sixteen bytes of", &mut out);
        done.map(|()| out).map_err(|fault| anyhow!("{fault}"))
    }
}

/// A handler that does nothing but answer, on a free port, until it is dropped.
pub struct BareServer {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl BareServer {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
        let task = tokio::spawn(async move {
            // It ends when the task is aborted; an earlier end shows as a refused connection.
            let _ = server.run(Route::new().at("/api/v1/session", get(answer))).await;
        });
        Ok(Self { address, task })
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// About as many bytes as the real answer has.
#[handler]
fn answer() -> poem::Response {
    const BODY: &str = r#"{"user":"usr_0r3v4k8m2n6p1","email":"trader@aurora.example","name":"A. Trader","role":"trader","tenant":"aurora","csrf_token":"0123456789012345678901234567890123456789012"}"#;
    poem::Response::builder().content_type("application/json; charset=utf-8").body(BODY)
}

/// A file on the disk that the server writes to.
pub struct BareDisk(File);

impl BareDisk {
    /// A new file in this folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self> {
        Ok(Self(File::create(folder.join("bench.append"))?))
    }

    /// Appends a page `count` times, each durable before the next; answers the nanoseconds of each.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn appends(&self, count: usize) -> Result<Vec<f64>> {
        let page = [7_u8; 4_096];
        let append = || {
            let began = Instant::now();
            (&self.0).write_all(&page)?;
            self.0.sync_data()?;
            Ok(began.elapsed().as_secs_f64() * 1e9)
        };
        (0..count).map(|_| append()).collect()
    }
}
