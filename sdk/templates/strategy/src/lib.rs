//! Buys when a bar closes above the highest close of the last bars, and closes when one closes below the lowest.
//!
//! All state is in the type below: what it serialises to is what survives a restart.

use marque_plugin::{About, Bar, Bracket, Context, Decimal, Hooks, Lots, Price, Side, Start, Strategy};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a trader sets. `settings.json` beside this file is its form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    bars: u32,
    lots: Lots,
    stop_pips: Option<Decimal>,
}

/// The strategy and its whole state.
#[derive(Debug, Serialize, Deserialize)]
pub struct {{type}} {
    settings: Settings,
    closes: VecDeque<Price>,
}

impl Strategy for {{type}} {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Buys when the price leaves its channel upwards, and closes when it leaves it downwards.";
        About::strategy("{{name}}", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
            .with_hooks(Hooks::BARS.with_history(500))
    }

    fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
        Ok(Self { settings, closes: VecDeque::new() })
    }

    fn on_bar(&mut self, ctx: &mut Context, bar: &Bar) {
        let wanted = self.settings.bars as usize;
        if self.closes.len() >= wanted {
            let (lowest, highest) = (self.closes.iter().min().copied(), self.closes.iter().max().copied());
            if highest.is_some_and(|highest| bar.close > highest) {
                let stop = self.settings.stop_pips.map(|pips| ctx.pips(pips));
                ctx.go(Side::Buy, self.settings.lots, Bracket { stop, target: None });
            } else if lowest.is_some_and(|lowest| bar.close < lowest) {
                ctx.close_all();
            }
            self.closes.pop_front();
        }
        self.closes.push_back(bar.close);
    }
}

marque_plugin::export_strategy!({{type}});
