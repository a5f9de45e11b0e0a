//! What the author of a strategy implements.

use crate::{About, Bar, Context, Hooks, OrderUpdate, Start, Tick};
use serde::{Serialize, de::DeserializeOwned};

/// A strategy turns market events into wishes, by the [`Context`].
///
/// The type itself is the state: what it serialises to is its snapshot, and an instance restored from it continues
/// equally. Each hook sees one event; that many of them cross the sandbox's boundary at once is not its concern.
pub trait Strategy: Sized + Serialize + DeserializeOwned {
    /// What a person sets; read from JSON that satisfies the schema in [`About`].
    type Settings: DeserializeOwned;

    /// What it is, for the catalogue.
    fn about() -> About;

    /// Starts it.
    ///
    /// # Errors
    /// A sentence for the person who chose the settings, when the schema cannot say what is wrong with them.
    fn new(settings: Self::Settings, start: &Start) -> Result<Self, String>;

    /// The events it wants under its settings, out of those in [`About`].
    fn hooks(&self) -> Hooks {
        Self::about().hooks
    }

    /// Sees a bar from before its first event. Without an own definition this is `on_bar`, and what it
    /// wishes for is dropped.
    fn on_history(&mut self, ctx: &mut Context, bar: &Bar) {
        self.on_bar(ctx, bar);
    }

    /// A bar has closed.
    fn on_bar(&mut self, _ctx: &mut Context, _bar: &Bar) {}

    /// A quote.
    fn on_tick(&mut self, _ctx: &mut Context, _tick: &Tick) {}

    /// One of its orders traded, waits or did not. [`Context::positions`] and [`Context::orders`] have already taken it in.
    fn on_order_update(&mut self, _ctx: &mut Context, _update: &OrderUpdate) {}

    /// The timer it set with [`Context::set_timer`] is due.
    fn on_timer(&mut self, _ctx: &mut Context) {}
}
