//! The sandbox from outside: the plugins we ship, guests that misbehave, and files that are no plugins.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod bytes;
mod fixture;
mod gate;
mod generated;
mod guests;
mod hostile;
mod laws;
mod orders;
mod programs;
mod rules;
mod shelf;
mod shipped;
mod strategies;
mod upgrades;
