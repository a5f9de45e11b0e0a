//! Holds long while a fast moving average of the close is above a slow one, and short while it is below.
//!
//! It acts only when the averages cross, so a position closed by its stop-loss is not reopened in the same trend.

use marque_plugin::{About, Bar, Bracket, Context, Decimal, Ema, Hooks, Lots, Side, Start, Strategy};
use serde::{Deserialize, Serialize};

/// What a trader sets.
#[derive(Debug, Clone, Serialize, marque_plugin::Settings)]
pub struct Settings {
    /// Bars of the fast average.
    #[setting(title = "Fast average", min = 1, max = 500, suggest = 12)]
    fast: u32,
    /// Bars of the slow average; more than the fast one.
    #[setting(title = "Slow average", min = 2, max = 2000, suggest = 26)]
    slow: u32,
    /// Size of each position.
    #[setting(above = 0, max = 1000, suggest = 0.1)]
    lots: Lots,
    /// Distance of the stop-loss in pips; none if left out.
    #[setting(title = "Stop-loss", above = 0, max = 100000)]
    stop_pips: Option<Decimal>,
    /// Distance of the take-profit in pips; none if left out.
    #[setting(title = "Take-profit", above = 0, max = 100000)]
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
        About::strategy("ema-cross", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
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

#[cfg(test)]
mod tests {
    use super::*;
    use marque_plugin::{
        Action, Instrument, Price,
        run::{StrategyRunner, bar_columns},
    };

    fn start() -> Start {
        let decimal = |text: &str| text.parse().unwrap();
        let (tick_size, pip) = (decimal("0.01"), decimal("0.1"));
        let (symbol, quote_currency) = ("XAUUSD".to_owned(), "USD".to_owned());
        let (lot_step, lot_max) = ("0.01".parse().unwrap(), Lots::whole(10));
        let instrument = Instrument { symbol, tick_size, pip, lot_step, lot_max, contract_size: 100, quote_currency };
        Start { instrument, timeframe_ms: 60_000 }
    }

    fn bars(closes: &[i64]) -> Vec<Bar> {
        (0..)
            .zip(closes)
            .map(|(minute, close)| {
                let price = Price::whole(*close);
                let spread = Price::from_units(20_000_000);
                Bar { open_at: minute * 60_000, open: price, high: price, low: price, close: price, spread, volume: 1 }
            })
            .collect()
    }

    fn run(settings: &str, closes: &[i64]) -> Vec<(usize, Action)> {
        let mut runner = StrategyRunner::<EmaCross>::new(settings, start(), None).unwrap();
        let (bars, mut seen, mut acted) = (bars(closes), 0, Vec::new());
        while seen < bars.len() {
            let rest = &bars[seen..];
            seen += runner.on_bars(rest.len() as u32, &bar_columns(rest)).consumed as usize;
            acted.extend(runner.take_actions().into_iter().map(|action| (seen - 1, action)));
        }
        acted
    }

    #[test]
    fn buys_when_the_fast_average_rises_above_the_slow_one() {
        // Averages over 1 and 3 bars: above at 12 (12 > 11), below again at 8 (8 < 9.5).
        let acted = run(r#"{"fast":1,"slow":3,"lots":2}"#, &[10, 10, 12, 12, 8]);
        let open = |side| Action::Open { side, lots: Lots::whole(2), stop_loss: None, take_profit: None };
        assert_eq!(acted, [(2, open(Side::Buy)), (4, open(Side::Sell))]);
    }

    #[test]
    fn stops_are_measured_from_the_price_it_would_get() {
        let acted = run(r#"{"fast":1,"slow":3,"lots":2,"stop_pips":15,"target_pips":30.5}"#, &[10, 10, 12]);
        let price = |text: &str| Some(text.parse().unwrap());
        // It would buy at the ask of 12.2; fifteen pips are 1.5.
        let (stop_loss, take_profit) = (price("10.7"), price("15.25"));
        assert_eq!(acted, [(2, Action::Open { side: Side::Buy, lots: Lots::whole(2), stop_loss, take_profit })]);
    }

    #[test]
    fn its_form_is_the_one_that_brokers_know() {
        let form = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(form(Settings::SCHEMA), form(include_str!("settings.json")));
    }

    #[test]
    fn averages_in_the_wrong_order_are_refused() {
        for settings in [r#"{"fast":3,"slow":3,"lots":1}"#, r#"{"fast":4,"slow":3,"lots":1}"#] {
            assert!(StrategyRunner::<EmaCross>::new(settings, start(), None).is_err());
        }
    }
}
