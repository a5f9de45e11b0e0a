//! Tests that cross rooms: one crate, one test program.
//!
//! Owns: the arrows between rooms, and what can only be seen of the running `marque` binary. Refuses to know:
//! what a single room can test by itself. `browser/` holds the tests of the pages, in the language of Playwright.
#![cfg(test)]

mod authors;
mod certified;
mod demo;
mod disk;
mod files;
mod fuzz;
mod jumps;
mod licensing;
mod oracles;
mod outage;
mod races;
mod recovery;
mod rooms;
mod rotation;
mod running;
mod secrets;
mod storm;
mod succession;
mod terms;
mod visitor;
