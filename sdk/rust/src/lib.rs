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
//! /// What a person sets: the form, its schema and its checks come from this.
//! #[derive(marque_plugin::Settings)]
//! struct Settings {
//!     /// Size of the position.
//!     #[setting(above = 0, max = 100, suggest = 0.1)]
//!     lots: Lots,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct BuyOnce {
//!     lots: Lots,
//! }
//!
//! impl Strategy for BuyOnce {
//!     type Settings = Settings;
//!     fn about() -> About {
//!         About::strategy("buy-once", "1.0.0", "Buys at the first bar and holds.", Settings::SCHEMA)
//!     }
//!     fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
//!         Ok(Self { lots: settings.lots })
//!     }
//!     fn on_bar(&mut self, ctx: &mut Context, _bar: &Bar) {
//!         ctx.go_long(self.lots);
//!     }
//! }
//! marque_plugin::export_strategy!(BuyOnce);
//! ```

// The derive names this crate from outside; here it is itself.
extern crate self as marque_plugin;

mod about;
mod book;
mod context;
mod facts;
mod fixed;
mod host;
mod market;
mod order;
mod rule;
mod strategy;
mod trade;

pub mod indicator;
pub mod limit;
pub mod run;
pub mod settings;
pub mod testing;

#[cfg(target_arch = "wasm32")]
mod wire;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;

pub use about::{About, Hooks};
pub use book::Position;
pub use context::Context;
pub use facts::{Closure, DayTally, Execution, Facts, OrderTerms, Room, WaitingOrder};
pub use fixed::{Decimal, Lots, Money, NumberError, Price, SCALE};
pub use indicator::Ema;
pub use market::{Bar, Instrument, OrderUpdate, Origin, Side, Start, Tick};
pub use order::{Action, Amendment, Bracket, Levels, OrderKind, Ticket, TimeInForce, Trail, WorkingOrder};
pub use rule::{
    Account, Assessment, DayAnchor, DayReset, Exposure, Objective, Order, RiskRule, Standing, Unit, Verdict,
};
pub use strategy::Strategy;

/// Derives the JSON Schema of settings (`SCHEMA`), how they are read (`Deserialize`) and how they are checked.
///
/// On a struct with named fields, each a setting; its doc comment is the description in the form. On an enum without
/// fields: the choices of a setting, named in small letters with underscores.
///
/// | `#[setting(..)]` | |
/// |---|---|
/// | `title = "Stop-loss"` | what the form calls it; else its name |
/// | `unit = "pips"` | shown behind the title |
/// | `min`, `max`, `above`, `below`, `step` | limits of a number |
/// | `min_length`, `max_length` | limits of a text |
/// | `default = 12` | it may be left out and is this then |
/// | `suggest = 12` | the form shows this first; it must be given |
///
/// An `Option` may be left out. State that holds settings serialises them: derive `Serialize` beside this.
///
/// ```
/// use marque_plugin::{Decimal, Settings};
///
/// /// What closes the position.
/// #[derive(Clone, Copy, Settings)]
/// enum Exit {
///     Cross,
///     StopOnly,
/// }
///
/// #[derive(Settings)]
/// struct Wanted {
///     /// Bars of the average.
///     #[setting(min = 2, max = 500, default = 20)]
///     bars: u32,
///     /// Distance of the stop-loss; none if left out.
///     #[setting(title = "Stop-loss", unit = "pips", above = 0)]
///     stop: Option<Decimal>,
///     #[setting(default = Exit::StopOnly)]
///     exit: Exit,
/// }
///
/// let wanted: Wanted = serde_json::from_str(r#"{"stop": 12.5}"#)?;
/// assert_eq!((wanted.bars, wanted.stop), (20, Some("12.5".parse()?)));
/// assert!(matches!(wanted.exit, Exit::StopOnly));
/// let refused = serde_json::from_str::<Wanted>(r#"{"bars": 1}"#).err().map(|e| e.to_string());
/// assert!(refused.is_some_and(|text| text.contains("bars must be at least 2")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub use marque_plugin_macros::Settings;
