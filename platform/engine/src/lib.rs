//! The core execution path: `step(Event) -> Effects`.
//!
//! Owns: shards of accounts, the order machine, the risk gate, the equity monitor, the ledger's movements,
//! the simulated venue and the backtest.
//!
//! Refuses to know: files, databases, WebAssembly, HTTP, clocks and threads. Time and randomness come in
//! with events, and the same events give the same effects, byte for byte.

pub mod gate;
pub mod port;
