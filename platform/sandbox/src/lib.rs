//! Runs plugins: the only room that names wasmtime.
//!
//! Owns: inspecting a component, compiling it once, the limits it runs under, warm instances of strategies and rules
//! behind the engine's ports, and the answer to every way in which a guest can misbehave.
//!
//! Refuses to know: where artifacts are stored, who may use them, and what becomes of an action. A guest has no
//! clock, file, network or randomness of its own; what it answers is checked before anyone sees it.
//!
//! # Limits and who pays
//! Fuel is the contract: it counts instructions, so the same call uses the same fuel on any machine, and running out
//! of it is the plugin's own outcome. The epoch deadline is the node's safety net; a call that hits it is a fault of the
//! host and worth a retry. Since fuel runs out first on a machine of ordinary speed, a replay does not depend on time.
#![warn(clippy::indexing_slicing)]

mod cache;
mod contract;
mod error;
pub mod gate;
mod host;
mod inspect;
mod instance;
mod limits;
mod meter;
mod profile;
mod rule;
mod sandbox;
mod settings;
mod share;
mod shelf;
mod strategy;
mod text;
mod ticker;
mod wire;

pub use error::{Refused, SandboxError};
pub use inspect::Description;
pub use limits::Limits;
pub use meter::Stopwatch;
pub use sandbox::{Plugins, Sandbox};
pub use settings::SettingsError;
pub use shelf::Shelf;

/// The version of the plugin contract that this host offers, as `sdk/wit` names it: `1.1.0`.
#[must_use]
pub fn contract_version() -> &'static str {
    const PACKAGE: &str = "package marque:plugin@";
    let line = include_str!("../../../sdk/wit/types.wit").lines().find_map(|line| line.strip_prefix(PACKAGE));
    line.and_then(|rest| rest.strip_suffix(';')).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_contract_has_a_version() {
        let parts = super::contract_version().split('.').map(str::parse::<u32>);
        assert_eq!(parts.filter(Result::is_ok).count(), 3, "{}", super::contract_version());
    }
}
