//! The EA protocol as an EA sees it: over HTTP, with requests signed by a client of its own.

mod codes;
mod counting;
mod document;
mod files;
mod limits;
mod nodes;
mod rotating;
mod seats;
mod vectors;
mod world;

use super::*;
