//! Licences by the million, the EAs that ask about them, what they are measured against, and the load.
//!
//! Owns: seeding that takes a minute and not an hour, with every key and salt sealed as the server seals them; requests signed
//! as `ea/protocol.md` says, by code of its own; a bare handler; `wrk`. Refuses to know: how the server answers.

mod bare;
mod client;
mod process;
mod seed;
mod tables;
mod wrk;

pub use bare::BareEa;
pub use client::Ea;
pub use process::Process;
pub use seed::{Database, Estate};
pub use wrk::{Load, Wrk};
