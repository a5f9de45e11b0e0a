//! Holds long while a fast simple moving average of the close is above a slow one, and short while it is below.
//!
//! **Trades** when the averages cross at the close of a bar: it closes what it holds the other way and opens at the market,
//! with the stop-loss and take-profit of its settings. Any instrument, any bars.
//!
//! **Does not trade** before it has seen the slow average's bars, between crosses (a position closed by its stop is not
//! reopened in the same trend), while the averages are equal, and the way that `direction` leaves out: there it only
//! closes.
//!
//! **Settings:** `fast` and `slow` in bars, `lots`, `stop_pips`, `target_pips`, `direction`.

use marque_plugin::{About, Bar, Bracket, Context, Decimal, Hooks, Lots, Side, Start, Strategy, indicator::Sma};
use serde::{Deserialize, Serialize};

/// Which positions it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, marque_plugin::Settings)]
pub enum Direction {
    /// Long and short.
    Both,
    /// Long only.
    Long,
    /// Short only.
    Short,
}

impl Direction {
    const fn opens(self, side: Side) -> bool {
        matches!((self, side), (Self::Both, _) | (Self::Long, Side::Buy) | (Self::Short, Side::Sell))
    }
}

/// What a trader sets.
#[derive(Debug, Clone, Serialize, marque_plugin::Settings)]
pub struct Settings {
    /// Bars of the fast average.
    #[setting(title = "Fast average", min = 1, max = 500, suggest = 10)]
    fast: u32,
    /// Bars of the slow average; more than the fast one.
    #[setting(title = "Slow average", min = 2, max = 2000, suggest = 20)]
    slow: u32,
    /// Size of each position.
    #[setting(above = 0, max = 1000, suggest = 0.1)]
    lots: Lots,
    /// Distance of the stop-loss; none if left out.
    #[setting(title = "Stop-loss", unit = "pips", above = 0, max = 100000)]
    stop_pips: Option<Decimal>,
    /// Distance of the take-profit; none if left out.
    #[setting(title = "Take-profit", unit = "pips", above = 0, max = 100000)]
    target_pips: Option<Decimal>,
    /// Which positions it opens; the other way it only closes.
    #[setting(default = Direction::Both)]
    direction: Direction,
}

/// The strategy and its whole state.
#[derive(Debug, Serialize, Deserialize)]
pub struct SmaCross {
    settings: Settings,
    fast: Sma,
    slow: Sma,
    above: Option<bool>,
}

impl Strategy for SmaCross {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str =
            "Holds long while the fast simple average is above the slow one, short while it is below.";
        About::strategy("sma-cross", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
            .with_hooks(Hooks::BARS.with_history(2_000))
    }

    fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
        if settings.fast >= settings.slow {
            return Err("The fast average must be over fewer bars than the slow one.".to_owned());
        }
        let (fast, slow) = (Sma::new(settings.fast), Sma::new(settings.slow));
        Ok(Self { settings, fast, slow, above: None })
    }

    fn hooks(&self) -> Hooks {
        Hooks::BARS.with_history(self.settings.slow)
    }

    fn on_bar(&mut self, ctx: &mut Context, bar: &Bar) {
        let averages = (self.fast.next(bar.close), self.slow.next(bar.close));
        let (Some(fast), Some(slow)) = averages else { return };
        if fast == slow {
            return;
        }
        let above = fast > slow;
        if self.above.replace(above).is_none_or(|before| before == above) {
            return;
        }
        let side = if above { Side::Buy } else { Side::Sell };
        if self.settings.direction.opens(side) {
            let pips = |count: Option<Decimal>| count.map(|count| ctx.pips(count));
            let bracket = Bracket { stop: pips(self.settings.stop_pips), target: pips(self.settings.target_pips) };
            ctx.go(side, self.settings.lots, bracket);
        } else {
            ctx.close_all();
        }
    }
}

marque_plugin::export_strategy!(SmaCross);

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{Price, testing};

    fn trial(settings: &str) -> testing::Trial<SmaCross> {
        testing::Trial::start(settings, testing::instrument(), 60_000).unwrap()
    }

    fn show(trial: &mut testing::Trial<SmaCross>, closes: &[i64]) -> Vec<Option<Side>> {
        let held = closes.iter().zip(0..).map(|(close, minute)| {
            let close = Price::whole(*close);
            let spread = Price::ZERO;
            trial.bar(&Bar {
                open_at: minute * 60_000,
                open: close,
                high: close,
                low: close,
                close,
                spread,
                volume: 1,
            });
            trial.positions().first().map(|position| position.side)
        });
        held.collect()
    }

    #[test]
    fn it_turns_where_the_averages_cross() {
        let mut trial = trial(r#"{"fast":1,"slow":3,"lots":1}"#);
        // The averages over 1 and 3: below at 9, above from 12, equal at 11, below from 5.
        let held = show(&mut trial, &[10, 10, 9, 12, 12, 12, 5, 4]);
        let (long, short) = (Some(Side::Buy), Some(Side::Sell));
        assert_eq!(held, [None, None, None, long, long, long, short, short]);
    }

    #[test]
    fn the_way_that_is_left_out_only_closes() {
        let mut trial = trial(r#"{"fast":1,"slow":3,"lots":1,"direction":"long"}"#);
        let held = show(&mut trial, &[10, 10, 9, 12, 12, 5, 4, 9]);
        assert_eq!(held, [None, None, None, Some(Side::Buy), Some(Side::Buy), None, None, Some(Side::Buy)]);
    }

    #[test]
    fn settings_are_checked() {
        for (settings, wanted) in [
            (r#"{"fast":3,"slow":3,"lots":1}"#, "fewer bars"),
            (r#"{"fast":0,"slow":3,"lots":1}"#, "fast must be at least 1"),
            (r#"{"fast":1,"slow":3,"lots":0}"#, "lots must be above 0"),
            (r#"{"fast":1,"slow":3,"lots":1,"direction":"up"}"#, "unknown variant"),
            (r#"{"fast":1,"slow":3,"lots":1,"stop":1}"#, "unknown field"),
        ] {
            let refused = testing::Trial::<SmaCross>::start(settings, testing::instrument(), 60_000).map(drop);
            assert!(refused.as_ref().is_err_and(|text| text.contains(wanted)), "{settings}: {refused:?}");
        }
    }
}
