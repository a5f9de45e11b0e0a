//! Real peers for tests. Only tests depend on this crate; nothing of it is in the server.
//!
//! Owns: a throw-away PostgreSQL cluster from the server binaries on the machine, with databases and roles made for
//! the asking, a Redis server and an
//! S3 server, all gone when the tests end however they end; and the real `marque` binary with a data directory of its own.
//!
//! Refuses to know: every other room.

mod postgres;
mod redis;
mod s3;
pub mod site;

pub use postgres::{Cluster, Database, PostgresError, shared_postgres};
pub use redis::{RedisDatabase, RedisError, RedisServer, shared_redis};
pub use s3::S3Server;

use std::io::Write as _;

/// The variable that names the file in which tests note what they did without.
const SKIPPED: &str = "XTASK_SKIPPED";

/// Says that a test does without something, so that nobody takes it for one that ran: aloud, and in the file that
/// `cargo xtask test` counts, because what a test prints is hidden when it succeeds.
#[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
pub fn skipped(test: &str, why: impl std::fmt::Display) {
    eprintln!("SKIPPED {test}: {why}");
    if let Some(file) = std::env::var_os(SKIPPED) {
        let noted = std::fs::OpenOptions::new().create(true).append(true).open(file);
        let noted = noted.and_then(|mut file| writeln!(file, "{test}: {why}"));
        assert!(noted.is_ok(), "{test} was skipped, and that cannot be noted: {noted:?}");
    }
}

/// A port on loopback that nobody had a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
