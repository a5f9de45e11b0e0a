//! Write strategies and risk rules for Marque in plain Rust.
//!
//! Owns: the traits an author implements ([`Strategy`], [`RiskRule`]), the fixed-point numbers, the context that
//! tracks a strategy's own positions, the loop over a run of events, and the glue to the WIT contract in
//! `sdk/wit`.
//!
//! Refuses to know: the platform. It depends on nothing of ours, so a plugin built with it today still runs
//! on a later host. The glue exists only for `wasm32`; everything else also compiles natively, so that a
//! plugin is unit-tested without a sandbox ([`run::StrategyRunner`], [`testing`]).
//!
//! ```
//! use marque_plugin::{About, Bar, Context, Lots, Start, Strategy};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct BuyOnce {
//!     lots: Lots,
//! }
//!
//! impl Strategy for BuyOnce {
//!     type Settings = Self;
//!     fn about() -> About {
//!         About::strategy("buy-once", "1.0.0", "Buys at the first bar and holds.", r#"{
//!             "type": "object", "required": ["lots"], "additionalProperties": false,
//!             "properties": {"lots": {"type": "number", "exclusiveMinimum": 0}}
//!         }"#)
//!     }
//!     fn new(settings: Self, _start: &Start) -> Result<Self, String> {
//!         Ok(settings)
//!     }
//!     fn on_bar(&mut self, ctx: &mut Context, _bar: &Bar) {
//!         ctx.go_long(self.lots);
//!     }
//! }
//! marque_plugin::export_strategy!(BuyOnce);
//! ```

mod about;
mod context;
mod facts;
mod fixed;
mod host;
mod indicator;
mod market;
mod rule;
mod strategy;

pub mod limit;
pub mod run;
pub mod testing;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;

pub use about::{About, Hooks};
pub use context::{Action, Bracket, Context, Position};
pub use facts::{Closure, DayTally, Execution, Facts, Room};
pub use fixed::{Decimal, Lots, Money, NumberError, Price, SCALE};
pub use indicator::Ema;
pub use market::{Bar, Instrument, OrderUpdate, Origin, Side, Start, Tick};
pub use rule::{
    Account, Assessment, DayAnchor, DayReset, Exposure, Objective, Order, RiskRule, Standing, Unit, Verdict,
};
pub use strategy::Strategy;
