//! Why the sandbox said no.

use crate::settings::SettingsError;
use marque_engine::port::Fault;

/// The sandbox could not be set up on this machine.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime could not be set up.
    #[error(
        "The plugin sandbox could not be set up: {0}. It reserves address space for every instance: allow more virtual memory (ulimit -v) or lower the number of instances."
    )]
    Engine(String),
    /// The thread that keeps deadlines could not be started.
    #[error("The plugin sandbox could not start its clock thread: {0}. Allow the process more threads (ulimit -u).")]
    Ticker(std::io::Error),
}

/// Why a file is not accepted as a plugin, and what its author can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Larger than a plugin may be.
    #[error("This plugin has {bytes} bytes; the limit is {limit}. Build it in the `plugin` profile, which strips it.")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// Not WebAssembly at all.
    #[error("This is not a WebAssembly file. Upload the .wasm component that the plugin build writes.")]
    NotWasm,
    /// WebAssembly as text.
    #[error("This is WebAssembly in its text form. Upload the .wasm component that the plugin build writes.")]
    Text,
    /// A core module.
    #[error(
        "This is a WebAssembly module, not a component. Encode it as a component: `cargo xtask plugins` does it, and so does `wasm-tools component new`."
    )]
    CoreModule,
    /// Compiled for a machine.
    #[error("This is precompiled machine code, which is never accepted. Upload the .wasm component it was made from.")]
    Precompiled,
    /// The validator refused it.
    #[error("This component is not valid: {0}. If it was damaged on the way, upload it again; else build it again.")]
    Invalid(String),
    /// It asks for something that a plugin does not get.
    #[error(
        "This component imports {0}, which plugins do not get: they import only marque:plugin/host. Build it for wasm32-unknown-unknown, not for WASI, and leave out what needs files, clocks or the network."
    )]
    ForeignImport(String),
    /// It is neither a strategy nor a rule.
    #[error(
        "This component exports neither the strategy world nor the risk-rule world of marque:plugin@1. Call export_strategy! or export_rule! in its crate."
    )]
    NoWorld,
    /// Its functions do not have the contract's types.
    #[error("This component does not fit marque:plugin@1: {0}. Build it against the contract in sdk/wit.")]
    WrongShape(String),
    /// It could not say what it is.
    #[error("This plugin failed to describe itself: {0}")]
    Silent(Fault),
    /// What it says of itself is not usable.
    #[error("This plugin describes itself wrongly: {0}.")]
    Description(&'static str),
    /// Its settings schema cannot be shown as a form.
    #[error("This plugin's settings schema cannot be used: {0}")]
    Schema(SettingsError),
}
