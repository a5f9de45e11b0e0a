//! The core execution path: `step(Event) -> Effects`.
//!
//! Owns: shards of accounts, the order machine's course, the risk gate, the equity monitor, what moves in
//! the ledger, the simulated venue and the backtest.
//!
//! Refuses to know: files, databases, WebAssembly, HTTP, clocks and threads. Time and randomness come in
//! with events, and the same events give the same effects, byte for byte.
//!
//! Read [`shard::Shard::step`] first: it is the table of contents.

pub mod backtest;
mod book;
mod convert;
pub mod desk;
pub mod event;
pub mod facts;
pub mod gate;
pub mod margin;
pub mod market;
mod monitor;
pub mod oracle;
pub mod port;
pub mod routed;
mod runner;
pub mod shard;
pub mod state;
mod told;
pub mod venue;

pub use desk::Desk;
pub use event::{Command, Effects, Event, Record, Refusal};
pub use shard::Shard;
