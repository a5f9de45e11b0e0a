//! Real peers for tests. Only tests depend on this crate; nothing of it is in the server.
//!
//! Owns: a throw-away PostgreSQL cluster from the server binaries on the machine, with databases and roles made for
//! the asking, gone when the tests end however they end; and the real `marque` binary with a data directory of its own.
//!
//! Refuses to know: every other room.

mod postgres;
pub mod site;

pub use postgres::{Cluster, Database, PostgresError, shared_postgres};
