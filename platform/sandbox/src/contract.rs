//! The contract as generated from `sdk/wit`, for the host's side.

pub(crate) mod strategy {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "strategy",
    });
}

pub(crate) mod orders {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "order-hooks",
        with: {
            "marque:plugin/types": super::strategy::marque::plugin::types,
            "marque:plugin/strategy-types": super::strategy::marque::plugin::strategy_types,
        },
    });
}

pub(crate) mod rule {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "risk-rule",
        with: {
            "marque:plugin/host": super::strategy::marque::plugin::host,
            "marque:plugin/types": super::strategy::marque::plugin::types,
            "marque:plugin/order-types": super::orders::marque::plugin::order_types,
        },
    });
}

pub(crate) use orders::marque::plugin::{order_strategy_types, order_types};
pub(crate) use rule::marque::plugin::{account_facts, market_facts, objectives, order_facts, rule_types};
pub(crate) use strategy::marque::plugin::{limits, strategy_types, types};

/// What a component may import, and since which minor version: the host's functions, and interfaces that only name types.
const OFFERED: [(&str, u32); 12] = [
    ("host", 0),
    ("types", 0),
    ("strategy-types", 0),
    ("rule-types", 0),
    ("account-facts", 1),
    ("market-facts", 1),
    ("objectives", 1),
    ("flattening", 1),
    ("limits", 1),
    ("order-types", 2),
    ("order-strategy-types", 2),
    ("order-facts", 2),
];

/// The functions that a component may import. The linker gives them to a component built for an earlier version as well:
/// within a major version the names of a later minor version satisfy those of an earlier one.
pub(crate) const HOST: &str = "marque:plugin/host@1.2.0";
pub(crate) const ACCOUNT_FACTS: &str = "marque:plugin/account-facts@1.2.0";
pub(crate) const MARKET_FACTS: &str = "marque:plugin/market-facts@1.2.0";
pub(crate) const ORDER_FACTS: &str = "marque:plugin/order-facts@1.2.0";
pub(crate) const OBJECTIVES: &str = "marque:plugin/objectives@1.2.0";
pub(crate) const FLATTENING: &str = "marque:plugin/flattening@1.2.0";
pub(crate) const LIMITS: &str = "marque:plugin/limits@1.2.0";

/// An import of ours taken apart: the interface, and the minor version it was built against.
fn parts(import: &str) -> Option<(&str, u32)> {
    let (interface, version) = import.strip_prefix("marque:plugin/")?.split_once('@')?;
    let minor = ["1.0.0", "1.1.0", "1.2.0"].iter().position(|known| *known == version)?;
    Some((interface, u32::try_from(minor).ok()?))
}

/// Whether a component may import this.
pub(crate) fn is_offered(import: &str) -> bool {
    parts(import).is_some_and(|(interface, minor)| {
        OFFERED.iter().any(|(offered, since)| *offered == interface && *since <= minor)
    })
}

/// Whether an import is this interface of ours, in the words of whichever version.
pub(crate) fn is_import_of(import: &str, interface: &str) -> bool {
    parts(import).zip(parts(interface)).is_some_and(|((import, _), (interface, _))| import == interface)
}

/// Exports that only a strategy has, and that only a rule has.
pub(crate) const STRATEGY_EXPORT: &str = "on-bars";
pub(crate) const RULE_EXPORT: &str = "assess";
/// What only a strategy exports that uses orders of every kind.
pub(crate) const ORDER_EXPORTS: [&str; 2] = ["on-order-event", "take-wishes"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_offered_from_its_version_on() {
        for (import, offered) in [
            ("marque:plugin/host@1.0.0", true),
            ("marque:plugin/host@1.2.0", true),
            ("marque:plugin/limits@1.0.0", false),
            ("marque:plugin/limits@1.1.0", true),
            ("marque:plugin/limits@1.2.0", true),
            ("marque:plugin/order-facts@1.1.0", false),
            ("marque:plugin/order-facts@1.2.0", true),
            ("marque:plugin/host@1.3.0", false),
            ("marque:plugin/host@2.0.0", false),
            ("marque:plugin/files@1.2.0", false),
            ("marque:other/host@1.2.0", false),
            ("host", false),
        ] {
            assert_eq!(is_offered(import), offered, "{import}");
        }
        assert!(is_import_of("marque:plugin/account-facts@1.1.0", ACCOUNT_FACTS));
        assert!(!is_import_of("marque:plugin/market-facts@1.1.0", ACCOUNT_FACTS));
    }
}
