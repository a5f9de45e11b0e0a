//! Puts a strategy or rule behind the contract. Natively the macros check the type and make nothing.

/// Exports a type that implements [`crate::Strategy`] as this component's strategy. Once per crate.
#[macro_export]
macro_rules! export_strategy {
    ($strategy:ident) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            std::thread_local! {
                static RUNNER: $crate::export::Slot<$crate::run::StrategyRunner<$strategy>> =
                    const { $crate::export::Slot::new(None) };
            }
            impl $crate::export::StrategySlot for Component {
                type Strategy = $strategy;
                fn with<T>(work: impl FnOnce(&mut Option<$crate::run::StrategyRunner<$strategy>>) -> T) -> T {
                    RUNNER.with_borrow_mut(work)
                }
            }
            $crate::bindings::strategy::export_strategy_world!(
                Component with_types_in $crate::bindings::strategy
            );
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || $crate::export::is_strategy::<$strategy>();
    };
}

/// Exports a type that implements [`crate::RiskRule`] as this component's rule. Once per crate.
#[macro_export]
macro_rules! export_rule {
    ($rule:ident) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            std::thread_local! {
                static RULE: $crate::export::Slot<$rule> = const { $crate::export::Slot::new(None) };
            }
            impl $crate::export::RuleSlot for Component {
                type Rule = $rule;
                fn with<T>(work: impl FnOnce(&mut Option<$rule>) -> T) -> T {
                    RULE.with_borrow_mut(work)
                }
            }
            $crate::bindings::risk_rule::export_rule_world!(
                Component with_types_in $crate::bindings::risk_rule
            );
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || $crate::export::is_rule::<$rule>();
    };
}

/// Checked natively, so that a mistake shows without the wasm target.
pub const fn is_strategy<S: crate::Strategy>() {}

/// As [`is_strategy`].
pub const fn is_rule<R: crate::RiskRule>() {}

#[cfg(target_arch = "wasm32")]
pub use glue::*;

#[cfg(target_arch = "wasm32")]
#[path = "glue.rs"]
mod glue;
