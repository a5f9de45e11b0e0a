//! Holds long while a fast moving average of the close is above a slow one, and short while it is below.
//!
//! It acts only when the averages cross, so a position closed by its stop-loss is not reopened in the same trend.

use marque_plugin::{About, Bar, Bracket, Context, Decimal, Ema, Hooks, Lots, Side, Start, Strategy};
use serde::{Deserialize, Serialize};

/// What a trader sets.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Settings {
    fast: u32,
    slow: u32,
    lots: Lots,
    stop_pips: Option<Decimal>,
    target_pips: Option<Decimal>,
}

/// The strategy and its whole state.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmaCross {
    settings: Settings,
    fast: Ema,
    slow: Ema,
    above: Option<bool>,
}

impl Strategy for EmaCross {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Holds long while the fast average is above the slow one, short while it is below.";
        About::strategy("ema-cross", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
            .with_hooks(Hooks::BARS.with_history(8_000))
    }

    fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
        if settings.fast >= settings.slow {
            return Err("The fast average must be over fewer bars than the slow one.".to_owned());
        }
        let (fast, slow) = (Ema::new(settings.fast), Ema::new(settings.slow));
        Ok(Self { settings, fast, slow, above: None })
    }

    fn hooks(&self) -> Hooks {
        Hooks::BARS.with_history(self.settings.slow.saturating_mul(4))
    }

    fn on_bar(&mut self, ctx: &mut Context, bar: &Bar) {
        let close = bar.close.to_f64();
        let above = self.fast.next(close) > self.slow.next(close);
        if self.above.replace(above).is_some_and(|before| before != above) {
            let side = if above { Side::Buy } else { Side::Sell };
            let pips = |count: Option<Decimal>| count.map(|count| ctx.pips(count));
            let bracket = Bracket { stop: pips(self.settings.stop_pips), target: pips(self.settings.target_pips) };
            ctx.go(side, self.settings.lots, bracket);
        }
    }
}

marque_plugin::export_strategy!(EmaCross);
