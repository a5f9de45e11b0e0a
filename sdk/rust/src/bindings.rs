//! The contract as generated from `sdk/wit`, for the guest's side. Only the glue in [`crate::export`] uses it.
#![allow(missing_docs, unsafe_code, clippy::all, reason = "generated from the contract")]

pub mod strategy {
    wit_bindgen::generate!({
        path: "../wit",
        world: "order-strategy",
        pub_export_macro: true,
        export_macro_name: "export_strategy_world",
        default_bindings_module: "marque_plugin::bindings::strategy",
        runtime_path: "::wit_bindgen::rt",
    });
}

pub mod risk_rule {
    wit_bindgen::generate!({
        path: "../wit",
        world: "risk-rule",
        pub_export_macro: true,
        export_macro_name: "export_rule_world",
        default_bindings_module: "marque_plugin::bindings::risk_rule",
        with: {
            "marque:plugin/host@1.2.0": crate::bindings::strategy::marque::plugin::host,
            "marque:plugin/types@1.2.0": crate::bindings::strategy::marque::plugin::types,
            "marque:plugin/order-types@1.2.0": crate::bindings::strategy::marque::plugin::order_types,
        },
    });
}

pub use strategy::marque::plugin::{host, order_types, types};
