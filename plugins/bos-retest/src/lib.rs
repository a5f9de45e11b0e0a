//! Break of structure on M5, entered at the retest of the broken level on M1.
//!
//! **Trades.** From minute bars it builds M5 bars and marks swings: a high (low) that stands out above (below) `swing_bars`
//! bars on both sides. When an M5 bar *closes* beyond the last unbroken swing, structure is broken that way. From then on it
//! waits for the price to come back: a minute bar that reaches the broken level (within `tolerance_pips`) and closes on
//! the side of the break, in the direction of the break, confirms the retest, and it opens at the market. The stop-loss lies
//! `buffer_pips` beyond the structure (the last swing on the other side, or the extreme since, whichever is further),
//! the take-profit at `reward` times that distance. `risk_percent` of the balance, when given, sizes the position down from
//! `lots`.
//!
//! **Does not trade** while it holds a position; when no retest comes within `retest_minutes`; when a minute closes beyond
//! the structure first, which ends the idea; when the stop would be nearer than `min_stop_pips` or further than
//! `max_stop_pips`; when the spread is above `max_spread_pips`. A later break replaces an earlier one. It needs M1 bars and
//! says so when it is deployed on others.
//!
//! **Settings:** as named above, each with its unit in the form.

mod structure;

use marque_plugin::{About, Bar, Bracket, Context, Decimal, Hooks, Lots, Money, Price, SCALE, Side, Start, Strategy};
use serde::{Deserialize, Serialize};
use structure::Structure;

const MINUTE_MS: i64 = 60_000;

/// What a trader sets.
#[derive(Debug, Clone, Serialize, marque_plugin::Settings)]
pub struct Settings {
    /// Largest size of a position.
    #[setting(above = 0, max = 1000, suggest = 0.1)]
    lots: Lots,
    /// Share of the balance that a position may lose at its stop-loss; left out, every position has the largest size.
    #[setting(title = "Risk", unit = "percent", above = 0, max = 100)]
    risk_percent: Option<Decimal>,
    /// M5 bars on each side above which a swing stands out.
    #[setting(title = "Swing", unit = "bars", min = 1, max = 20, default = 2)]
    swing_bars: u32,
    /// How long after a break its retest may come.
    #[setting(title = "Retest within", unit = "minutes", min = 1, max = 1440, default = 60)]
    retest_minutes: u32,
    /// How near to the broken level the price must come back.
    #[setting(title = "Tolerance", unit = "pips", min = 0, max = 1000, default = 1)]
    tolerance_pips: Decimal,
    /// How far beyond the structure the stop-loss lies.
    #[setting(title = "Buffer", unit = "pips", min = 0, max = 1000, default = 1)]
    buffer_pips: Decimal,
    /// The take-profit as a multiple of the distance of the stop-loss.
    #[setting(title = "Reward", unit = "times the risk", above = 0, max = 20, default = 2)]
    reward: Decimal,
    /// The nearest stop-loss that is worth its costs.
    #[setting(title = "Nearest stop-loss", unit = "pips", min = 0, max = 10000, default = 3)]
    min_stop_pips: Decimal,
    /// The furthest stop-loss that is taken.
    #[setting(title = "Furthest stop-loss", unit = "pips", above = 0, max = 10000, default = 40)]
    max_stop_pips: Decimal,
    /// The widest spread at which it opens.
    #[setting(title = "Widest spread", unit = "pips", min = 0, max = 1000, default = 2)]
    max_spread_pips: Decimal,
}

/// A broken level whose retest is waited for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Setup {
    side: Side,
    level: Price,
    origin: Price,
    until: i64,
}

/// The strategy and its whole state.
#[derive(Debug, Serialize, Deserialize)]
pub struct BosRetest {
    settings: Settings,
    structure: Structure,
    setup: Option<Setup>,
}

impl BosRetest {
    /// The setup as this bar leaves it, and whether the bar confirms it.
    fn judge(&self, ctx: &Context, bar: &Bar, setup: Setup) -> (Option<Setup>, bool) {
        let tolerance = ctx.pips(self.settings.tolerance_pips);
        let (dead, reached, confirmed) = match setup.side {
            Side::Buy => (
                bar.close < setup.origin,
                bar.low <= setup.level + tolerance,
                bar.close > setup.level && bar.close > bar.open,
            ),
            Side::Sell => (
                bar.close > setup.origin,
                bar.high >= setup.level - tolerance,
                bar.close < setup.level && bar.close < bar.open,
            ),
        };
        let over = dead || ctx.now() > setup.until;
        (Some(setup).filter(|_| !over), !over && reached && confirmed)
    }

    /// Where the position would be guarded, as distances from the price of now; none when the trade is not worth it.
    fn bracket(&self, ctx: &Context, setup: &Setup) -> Option<Bracket> {
        let settings = &self.settings;
        let buffer = ctx.pips(settings.buffer_pips);
        let stop = match setup.side {
            Side::Buy => ctx.ask() - (setup.origin - buffer),
            Side::Sell => setup.origin + buffer - ctx.bid(),
        };
        let fits = stop >= ctx.pips(settings.min_stop_pips).max(ctx.instrument().tick_size)
            && stop <= ctx.pips(settings.max_stop_pips)
            && ctx.ask() - ctx.bid() <= ctx.pips(settings.max_spread_pips);
        let target = stop.times(settings.reward.units(), SCALE);
        fits.then_some(Bracket { stop: Some(stop), target: Some(target) })
    }

    /// The size that loses no more than its share at the stop-loss; nothing when that is below the smallest order.
    fn lots(&self, ctx: &Context, stop: Price) -> Lots {
        let Some(percent) = self.settings.risk_percent else { return self.settings.lots };
        let risk: Money = ctx.room().balance.times(percent.units(), 100 * SCALE);
        ctx.lots_for(risk, stop).min(self.settings.lots)
    }
}

impl Strategy for BosRetest {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str =
            "Trades the M1 retest of a level that an M5 close has broken, with the stop beyond the structure.";
        About::strategy("bos-retest", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
            .with_hooks(Hooks::BARS.with_history(600))
    }

    fn new(settings: Settings, start: &Start) -> Result<Self, String> {
        if start.timeframe_ms != MINUTE_MS {
            return Err("This strategy builds its M5 bars from minutes. Deploy it on M1 bars.".to_owned());
        }
        if settings.min_stop_pips > settings.max_stop_pips {
            return Err("The nearest stop-loss must not be further than the furthest.".to_owned());
        }
        let structure = Structure::new(settings.swing_bars);
        Ok(Self { settings, structure, setup: None })
    }

    fn on_bar(&mut self, ctx: &mut Context, bar: &Bar) {
        if let Some(setup) = self.setup {
            let (left, confirmed) = self.judge(ctx, bar, setup);
            self.setup = left;
            if confirmed && ctx.positions().is_empty() && !ctx.is_waiting() {
                self.enter(ctx, &setup);
            }
        }
        if let Some(broken) = self.structure.take(bar) {
            let until = ctx.now() + i64::from(self.settings.retest_minutes) * MINUTE_MS;
            self.setup = Some(Setup { side: broken.side, level: broken.level, origin: broken.origin, until });
        }
    }
}

impl BosRetest {
    fn enter(&mut self, ctx: &mut Context, setup: &Setup) {
        let Some(bracket) = self.bracket(ctx, setup) else { return };
        let lots = self.lots(ctx, bracket.stop.unwrap_or_default());
        if lots > Lots::ZERO {
            // One entry for each break, whatever becomes of it.
            self.setup = None;
            ctx.open(setup.side, lots, bracket);
        }
    }
}

marque_plugin::export_strategy!(BosRetest);

#[cfg(test)]
mod tests;
