//! The store as its users see it, the same on SQLite and on a real PostgreSQL.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

/// Makes each named `async fn(Bench)` a test on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::harness::Bench::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(bench) = crate::harness::Bench::postgres(concat!(module_path!(), "::", stringify!($name))).await {
                    super::$name(bench).await;
                }
            })*
        }
    };
}

mod access;
mod audit;
mod backtests;
mod books;
mod commits;
mod devices;
mod ea_files;
mod factors;
mod harness;
mod isolation;
mod licensing;
mod lists;
mod mail;
mod migrations;
mod one_time;
mod people;
mod races;
mod registry;
mod roster;
mod row_security;
mod running;
mod sso;
mod system;
mod writers;
