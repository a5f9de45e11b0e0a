//! News: no position is opened or closed within some minutes of a scheduled event on the instruments that it moves.
//!
//! An order that would open one within the window is refused. What happens all the same is a breach: a stop-loss or
//! take-profit that is reached, a pending order that triggers, a position closed by hand. Holding an older position is
//! fine, and what a risk rule closes is no act of the trader's.

use marque_plugin::{About, Account, Assessment, Execution, Order, RiskRule, Standing, Verdict};
use serde::Deserialize;

mod event;
use event::Event;

const MINUTE_MS: i64 = 60_000;

/// What a breach does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// Ends the account.
    #[default]
    Fail,
    /// Says so.
    Warn,
}

/// What a broker sets.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    events: String,
    minutes_before: i64,
    minutes_after: i64,
    #[serde(default = "yes")]
    closing_counts: bool,
    #[serde(default)]
    on_breach: OnBreach,
}

const fn yes() -> bool {
    true
}

/// The rule.
#[derive(Debug)]
pub struct NewsWindow {
    settings: Settings,
    /// In order of time.
    events: Vec<Event>,
}

impl NewsWindow {
    /// The event whose window holds `at`, on this instrument.
    fn event_at(&self, account: &Account, at: i64, instrument: u32) -> Option<&Event> {
        let (before, after) = (self.settings.minutes_before * MINUTE_MS, self.settings.minutes_after * MINUTE_MS);
        let from = self.events.partition_point(|event| event.at < at.saturating_sub(after));
        let near = self.events.iter().skip(from).take_while(|event| event.at <= at.saturating_add(before));
        let mut near = near.peekable();
        near.peek()?;
        let symbol = account.instrument(instrument).map(|known| known.symbol);
        near.find(|event| event.moves(symbol.as_deref()))
    }

    fn breach(&self, account: &Account) -> Option<(Execution, &Event)> {
        let counts = |fill: &Execution| fill.opening || self.settings.closing_counts;
        let fills = account.executions().into_iter().filter(counts);
        fills.filter_map(|fill| Some((fill, self.event_at(account, fill.at, fill.instrument)?))).next_back()
    }
}

impl RiskRule for NewsWindow {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Forbids opening and closing positions within minutes of scheduled news.";
        About::rule("news-window", env!("CARGO_PKG_VERSION"), SUMMARY, include_str!("settings.json"))
    }

    fn new(settings: Settings) -> Result<Self, String> {
        let lines = settings.events.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut events = lines.map(Event::parse).collect::<Result<Vec<Event>, String>>()?;
        events.sort_by_key(|event| event.at);
        Ok(Self { settings, events })
    }

    fn check(&self, order: &Order, account: &Account) -> Verdict {
        match self.event_at(account, account.now, order.instrument) {
            Some(event) => {
                let wait_ms = event.at + self.settings.minutes_after * MINUTE_MS - account.now;
                let minutes = (wait_ms.max(0) / MINUTE_MS) + 1;
                Verdict::Refuse(format!("{} is due now. Try again in {minutes} min.", event.name))
            }
            None => Verdict::Allow,
        }
    }

    fn assess(&self, account: &Account) -> Assessment {
        let Some((fill, event)) = self.breach(account) else { return Assessment::OK };
        let did = if fill.opening { "opened" } else { "closed" };
        let reason = format!(
            "News: a position was {did} within {} minutes before or {} minutes after {}.",
            self.settings.minutes_before, self.settings.minutes_after, event.name
        );
        let standing = match self.settings.on_breach {
            OnBreach::Fail => Standing::Fail,
            OnBreach::Warn => Standing::Warn,
        };
        Assessment { standing, reason, ..Assessment::OK }
    }
}

marque_plugin::export_rule!(NewsWindow);

#[cfg(test)]
mod tests;
