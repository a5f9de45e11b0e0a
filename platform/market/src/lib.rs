//! Market data: the instruments, their recorded history and the feeds that play it.
//!
//! Owns: the catalogue of instruments, the import of recordings as traders export them, history on disk
//! (Parquet), and the pull-based feeds `replay` and `synthetic` whose cursors survive a restart.
//!
//! Refuses to know: tenants, accounts, databases, HTTP, async, clocks. A feed says what comes next and how
//! long to wait for it; a runtime elsewhere does the waiting.
#![warn(clippy::indexing_slicing)]

pub mod catalogue;
pub mod columns;
pub mod feed;
pub mod history;
pub mod import;
