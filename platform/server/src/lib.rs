//! The server: everything that speaks HTTP, and the runtime that trades.

pub mod portal;
pub mod theme;
