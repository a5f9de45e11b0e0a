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

pub(crate) use rule::marque::plugin::{account_facts, market_facts, objectives, rule_types};
pub(crate) use strategy::marque::plugin::limits;
pub(crate) use strategy::marque::plugin::{strategy_types, types};

/// What a component may import since 1.0: the host's functions, and interfaces that only name types.
const IMPORTS: [&str; 4] = ["host", "types", "strategy-types", "rule-types"];
/// What came with 1.1.
const IMPORTS_1_1: [&str; 5] = ["account-facts", "market-facts", "objectives", "flattening", "limits"];

/// The functions that a component may import. The linker gives them to a component built for 1.0 as well: within a
/// major version the names of a later minor version satisfy those of an earlier one.
pub(crate) const HOST: &str = "marque:plugin/host@1.1.0";
pub(crate) const ACCOUNT_FACTS: &str = "marque:plugin/account-facts@1.1.0";
pub(crate) const MARKET_FACTS: &str = "marque:plugin/market-facts@1.1.0";
pub(crate) const OBJECTIVES: &str = "marque:plugin/objectives@1.1.0";
pub(crate) const FLATTENING: &str = "marque:plugin/flattening@1.1.0";
pub(crate) const LIMITS: &str = "marque:plugin/limits@1.1.0";

/// Whether a component may import this.
pub(crate) fn is_offered(import: &str) -> bool {
    let Some((interface, version)) = import.strip_prefix("marque:plugin/").and_then(|rest| rest.split_once('@')) else {
        return false;
    };
    match version {
        "1.0.0" => IMPORTS.contains(&interface),
        "1.1.0" => IMPORTS.contains(&interface) || IMPORTS_1_1.contains(&interface),
        _ => false,
    }
}

/// Exports that only a strategy has, and that only a rule has.
pub(crate) const STRATEGY_EXPORT: &str = "on-bars";
pub(crate) const RULE_EXPORT: &str = "assess";
