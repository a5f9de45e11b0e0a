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

/// A port on loopback that nobody had a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
