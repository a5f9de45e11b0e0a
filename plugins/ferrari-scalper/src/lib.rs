//! Ferrari: a scalper that lives on single quotes. It goes with a short burst, at a better price than the burst's end, and
//! is out again within minutes.
//!
//! **Trades** when the middle of bid and ask has moved by at least `burst_pips` within `window_ms`: it places a limit order
//! in the direction of the burst, `pullback_pips` behind the price, with a stop-loss, a take-profit, and a stop-loss that
//! follows at `trail_pips`. The order is good for `life_ms`, and nobody renews it. A position that is still open after
//! `hold_ms` is closed at the market.
//!
//! **Does not trade** when the spread is above `max_spread_pips`; while an order waits or a position is open; for
//! `cooldown_ms` after either has ended, or after a wish was denied; more than `max_trades` positions in a UTC day; after
//! quotes of which the last is older than the window (there is no burst in a gap).
//!
//! A scalper earns or loses by its costs: spread, commission and the time an order takes. Test it with the terms of the
//! account that it will run on, and with latency.
//!
//! **Settings:** as named above, each with its unit in the form. It needs quotes; bars are not looked at.

mod burst;

use burst::Window;
use marque_plugin::{
    About, Bracket, Context, Decimal, Hooks, Levels, Lots, OrderKind, OrderUpdate, Side, Start, Strategy, Tick, Ticket,
    TimeInForce, Trail,
};
use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 86_400_000;

/// What a trader sets.
#[derive(Debug, Clone, Serialize, marque_plugin::Settings)]
pub struct Settings {
    /// Size of each position.
    #[setting(above = 0, max = 1000, suggest = 0.1)]
    lots: Lots,
    /// How far the price must move at least within the window.
    #[setting(title = "Burst", unit = "pips", above = 0, max = 1000, default = 1.5)]
    burst_pips: Decimal,
    /// How fast.
    #[setting(title = "Window", unit = "milliseconds", min = 100, max = 60000, default = 3000)]
    window_ms: u32,
    /// How far behind the price its order waits; no venue takes one that is nearer than a pip.
    #[setting(title = "Pullback", unit = "pips", min = 1, max = 1000, default = 1)]
    pullback_pips: Decimal,
    /// How long its order waits.
    #[setting(title = "Order lives", unit = "milliseconds", min = 500, max = 600000, default = 5000)]
    life_ms: u32,
    /// Distance of the stop-loss.
    #[setting(title = "Stop-loss", unit = "pips", above = 0, max = 1000, default = 3)]
    stop_pips: Decimal,
    /// Distance of the take-profit.
    #[setting(title = "Take-profit", unit = "pips", above = 0, max = 1000, default = 4)]
    target_pips: Decimal,
    /// Distance at which the stop-loss follows the price.
    #[setting(title = "Trailing distance", unit = "pips", above = 0, max = 1000, default = 2)]
    trail_pips: Decimal,
    /// How long a position is held at most.
    #[setting(title = "Position lives", unit = "milliseconds", min = 1000, max = 3600000, default = 180000)]
    hold_ms: u32,
    /// The widest spread at which it trades.
    #[setting(title = "Widest spread", unit = "pips", min = 0, max = 1000, default = 1)]
    max_spread_pips: Decimal,
    /// How long it rests after a trade, an order that did not trade, or a denial.
    #[setting(title = "Cool-down", unit = "milliseconds", min = 0, max = 3600000, default = 10000)]
    cooldown_ms: u32,
    /// Most positions of a UTC day.
    #[setting(title = "Trades a day", min = 1, max = 1000, default = 50)]
    max_trades: u32,
}

/// The strategy and its whole state.
#[derive(Debug, Serialize, Deserialize)]
pub struct FerrariScalper {
    settings: Settings,
    window: Window,
    rests_until: i64,
    /// The UTC day that `trades` counts, in days since 1970.
    day: i64,
    trades: u32,
    /// When the position was opened.
    opened_at: i64,
}

impl FerrariScalper {
    fn rest(&mut self, now: i64) {
        self.rests_until = now.saturating_add(i64::from(self.settings.cooldown_ms));
        self.window.clear();
    }

    fn trades_today(&mut self, now: i64) -> u32 {
        let day = now.div_euclid(DAY_MS);
        if day != self.day {
            (self.day, self.trades) = (day, 0);
        }
        self.trades
    }

    fn place(&mut self, ctx: &mut Context, side: Side) {
        let settings = &self.settings;
        let pullback = ctx.pips(settings.pullback_pips);
        let price = if side == Side::Buy { ctx.ask() - pullback } else { ctx.bid() + pullback };
        let bracket =
            Bracket { stop: Some(ctx.pips(settings.stop_pips)), target: Some(ctx.pips(settings.target_pips)) };
        let trail = Some(Trail::by(ctx.pips(settings.trail_pips)));
        let until = ctx.now().saturating_add(i64::from(settings.life_ms));
        let ticket = Ticket::new(side, settings.lots, OrderKind::Limit { price })
            .good(TimeInForce::Gtd(until))
            .guarded(Levels { trail, ..bracket.around(side, price) });
        self.window.clear();
        ctx.place(ticket);
    }
}

impl Strategy for FerrariScalper {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str =
            "Scalps short bursts of quotes with limit orders that live for seconds and a tight trailing stop.";
        About::strategy("ferrari-scalper", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
            .with_hooks(Hooks::TICKS)
    }

    fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
        if settings.trail_pips > settings.stop_pips {
            return Err("The trailing distance must not be above that of the stop-loss.".to_owned());
        }
        let window = Window::new(settings.window_ms);
        Ok(Self { settings, window, rests_until: i64::MIN, day: i64::MIN, trades: 0, opened_at: 0 })
    }

    fn on_tick(&mut self, ctx: &mut Context, tick: &Tick) {
        if let Some(held) = ctx.position().map(|held| held.id) {
            let over = tick.at - self.opened_at >= i64::from(self.settings.hold_ms);
            if over && !ctx.is_waiting() {
                ctx.close(held);
            }
            return;
        }
        let moved = self.window.take(tick);
        let calm = ctx.is_waiting() || !ctx.orders().is_empty() || tick.at < self.rests_until;
        let tight = tick.ask - tick.bid <= ctx.pips(self.settings.max_spread_pips);
        if calm || !tight || self.trades_today(tick.at) >= self.settings.max_trades {
            return;
        }
        let burst = ctx.pips(self.settings.burst_pips);
        if moved >= burst {
            self.place(ctx, Side::Buy);
        } else if moved <= -burst {
            self.place(ctx, Side::Sell);
        }
    }

    fn on_order_update(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        match update {
            OrderUpdate::Opened { .. } => {
                self.trades_today(ctx.now());
                self.trades = self.trades.saturating_add(1);
                self.opened_at = ctx.now();
            }
            OrderUpdate::Closed { .. } | OrderUpdate::Ended { .. } | OrderUpdate::Refused => self.rest(ctx.now()),
            _ => {}
        }
    }
}

marque_plugin::export_strategy!(FerrariScalper);

#[cfg(test)]
mod tests;
