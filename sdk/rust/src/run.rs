//! Runs a strategy or rule as the host does, without a sandbox: the loop over a run of events, the snapshot, the
//! settings. The glue to the contract calls nothing else, so what a unit test sees here is what runs live.

use crate::{
    Action, Bar, Context, Hooks, OrderUpdate, Price, RiskRule, Start, Strategy, Tick,
    book::{Book, FirstBook},
};
use serde::{Deserialize, Serialize};

/// Columns of a run of bars.
pub const BAR_COLUMNS: usize = 7;
/// Columns of a run of quotes.
pub const TICK_COLUMNS: usize = 3;
/// First byte of a snapshot: which shape the rest has.
const SNAPSHOT_FORMAT: u8 = 2;
/// Before there were working orders. It is still read.
const FIRST_FORMAT: u8 = 1;

/// How far a run was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events handled.
    pub consumed: u32,
    /// Whether the last of them left actions.
    pub acted: bool,
}

/// A started strategy with its context.
#[derive(Debug)]
pub struct StrategyRunner<S> {
    strategy: S,
    ctx: Context,
    timeframe_ms: i64,
}

#[derive(Deserialize)]
struct Saved<B, S> {
    book: B,
    strategy: S,
}

#[derive(Serialize)]
struct Saving<'a, S> {
    book: &'a Book,
    strategy: &'a S,
}

fn read_settings<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|e| format!("The settings do not fit this plugin: {e}."))
}

fn read_state<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let other = |what: String| format!("This state was saved by another version of the plugin: {what}.");
    let (state, rest) = postcard::take_from_bytes(bytes).map_err(|e| other(e.to_string()))?;
    // A state of fewer fields would read the beginning of one with more, and forget the rest without a word.
    if rest.is_empty() { Ok(state) } else { Err(other(format!("{} bytes are left over", rest.len()))) }
}

fn rows<const N: usize>(columns: &[i64], count: usize) -> impl Iterator<Item = [i64; N]> + '_ {
    (0..count).map_while(move |row| {
        let mut values = [0; N];
        for (column, value) in values.iter_mut().enumerate() {
            *value = *columns.get(column * count + row)?;
        }
        Some(values)
    })
}

impl<S: Strategy> StrategyRunner<S> {
    /// Starts a strategy, or restores it from a snapshot.
    ///
    /// # Errors
    /// A sentence for the person who chose the settings, or who asked for the restore.
    pub fn new(settings: &str, start: Start, restore: Option<&[u8]>) -> Result<Self, String> {
        let timeframe_ms = start.timeframe_ms;
        let Some(bytes) = restore else {
            let strategy = S::new(read_settings(settings)?, &start)?;
            return Ok(Self { strategy, ctx: Context::new(start), timeframe_ms });
        };
        let saved: Saved<Book, S> = match bytes.split_first() {
            Some((&SNAPSHOT_FORMAT, body)) => read_state(body)?,
            Some((&FIRST_FORMAT, body)) => {
                let Saved { book, strategy } = read_state::<Saved<FirstBook, S>>(body)?;
                Saved { book: book.into(), strategy }
            }
            _ => return Err("This state was saved in a format that this version does not read.".to_owned()),
        };
        Ok(Self { strategy: saved.strategy, ctx: Context::resume(saved.book), timeframe_ms })
    }

    /// The events it wants.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        self.strategy.hooks()
    }

    /// What it sees of itself.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.ctx
    }

    /// The strategy.
    #[must_use]
    pub const fn strategy(&self) -> &S {
        &self.strategy
    }

    /// Shows it bars from before its first event; what it wishes for is dropped.
    pub fn on_history(&mut self, count: u32, columns: &[i64]) {
        self.ctx.muted = true;
        for (event, row) in (0..).zip(rows(columns, count as usize)) {
            let bar = self.begin_bar(event, row);
            self.strategy.on_history(&mut self.ctx, &bar);
        }
        self.ctx.muted = false;
        self.ctx.event = 0;
    }

    /// Handles a run of closed bars up to the first that makes it act.
    pub fn on_bars(&mut self, count: u32, columns: &[i64]) -> Progress {
        for (event, row) in (0..).zip(rows(columns, count as usize)) {
            let bar = self.begin_bar(event, row);
            self.strategy.on_bar(&mut self.ctx, &bar);
            if !self.ctx.actions.is_empty() {
                return Progress { consumed: event + 1, acted: true };
            }
        }
        Progress { consumed: count, acted: false }
    }

    /// Handles a run of quotes up to the first that makes it act.
    pub fn on_ticks(&mut self, count: u32, columns: &[i64]) -> Progress {
        for (event, [at, bid, ask]) in (0..).zip(rows(columns, count as usize)) {
            let tick = Tick { at, bid: Price::from_units(bid), ask: Price::from_units(ask) };
            self.ctx.event = event;
            self.ctx.quote(at, tick.bid, tick.ask);
            self.strategy.on_tick(&mut self.ctx, &tick);
            if !self.ctx.actions.is_empty() {
                return Progress { consumed: event + 1, acted: true };
            }
        }
        Progress { consumed: count, acted: false }
    }

    /// Tells it what became of an order; answers whether it acted.
    pub fn on_order_update(&mut self, at: i64, update: &OrderUpdate) -> bool {
        self.ctx.now = at;
        self.ctx.event = 0;
        self.ctx.book.learn(update);
        self.strategy.on_order_update(&mut self.ctx, update);
        !self.ctx.actions.is_empty()
    }

    /// Its timer is due; answers whether it acted.
    pub fn on_timer(&mut self, at: i64) -> bool {
        self.ctx.now = at;
        self.ctx.event = 0;
        self.strategy.on_timer(&mut self.ctx);
        !self.ctx.actions.is_empty()
    }

    /// Takes the actions of the last call that acted.
    pub fn take_actions(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.ctx.actions)
    }

    /// Its state. What a strategy cannot serialise (a map with a fault of its own) gives no bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let saving = Saving { book: &self.ctx.book, strategy: &self.strategy };
        postcard::to_extend(&saving, vec![SNAPSHOT_FORMAT]).unwrap_or_default()
    }

    fn begin_bar(&mut self, event: u32, row: [i64; BAR_COLUMNS]) -> Bar {
        let [open_at, open, high, low, close, spread, volume] = row;
        let price = Price::from_units;
        let (close, spread) = (price(close), price(spread));
        self.ctx.event = event;
        self.ctx.quote(open_at.saturating_add(self.timeframe_ms), close, close + spread);
        Bar { open_at, open: price(open), high: price(high), low: price(low), close, spread, volume }
    }
}

/// Starts a rule from its settings.
///
/// # Errors
/// A sentence for the person who chose them.
pub fn start_rule<R: RiskRule>(settings: &str) -> Result<R, String> {
    R::new(read_settings(settings)?)
}

/// Lays bars out in columns, as a run carries them.
#[must_use]
pub fn bar_columns(bars: &[Bar]) -> Vec<i64> {
    let fields: [fn(&Bar) -> i64; BAR_COLUMNS] = [
        |b| b.open_at,
        |b| b.open.units(),
        |b| b.high.units(),
        |b| b.low.units(),
        |b| b.close.units(),
        |b| b.spread.units(),
        |b| b.volume,
    ];
    fields.iter().flat_map(|field| bars.iter().map(field)).collect()
}
