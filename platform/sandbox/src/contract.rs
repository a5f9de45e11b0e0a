//! The contract as generated from `sdk/wit`, for the host's side.

pub(crate) mod strategy {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "strategy",
    });
}

pub(crate) mod rule {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "risk-rule",
        with: {
            "marque:plugin/host": super::strategy::marque::plugin::host,
            "marque:plugin/types": super::strategy::marque::plugin::types,
        },
    });
}

pub(crate) use rule::marque::plugin::rule_types;
pub(crate) use strategy::marque::plugin::{strategy_types, types};

/// What a component may import: the host's functions, and interfaces that only name types.
pub(crate) const IMPORTS: [&str; 4] = [
    "marque:plugin/host@1.0.0",
    "marque:plugin/types@1.0.0",
    "marque:plugin/strategy-types@1.0.0",
    "marque:plugin/rule-types@1.0.0",
];
/// The one of them that has functions.
pub(crate) const HOST: &str = "marque:plugin/host@1.0.0";
/// Exports that only a strategy has, and that only a rule has.
pub(crate) const STRATEGY_EXPORT: &str = "on-bars";
pub(crate) const RULE_EXPORT: &str = "assess";
