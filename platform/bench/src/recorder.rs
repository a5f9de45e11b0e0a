//! Writes down every call that the engine makes into plugins, so that wasmtime alone can be given the same ones.

use std::sync::{Arc, Mutex, PoisonError};

use marque_domain::{decision::Verdict, plugin::PluginRef, time::Millis};
use marque_engine::{
    facts::Facts,
    port::{
        AccountView, Action, Assessment, BarRun, DayReset, ExposureView, Fault, Hooks, OrderUpdate, OrderView,
        PluginHost, RiskRule, Room, Strategy, StrategyStart, TickRun,
    },
};

use crate::raw::packed;

/// What a rule saw of an account, kept.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The numbers; its `positions` are empty.
    pub account: AccountView<'static>,
    /// The positions.
    pub positions: Vec<ExposureView>,
}

impl Seen {
    fn of(account: &AccountView<'_>) -> Self {
        Self {
            account: AccountView { positions: &[], facts: Facts::NONE, ..account.clone() },
            positions: account.positions.to_vec(),
        }
    }
}

/// A call into a plugin.
#[derive(Debug, Clone)]
pub enum Call {
    /// Bars that were consumed, back to back in columns, and whether the last made it act.
    Bars(Vec<i64>, bool),
    /// What became of an order, and whether it acted.
    Update(Millis, OrderUpdate, bool),
    /// A rule was asked about an order.
    Check(OrderView, Seen),
    /// A rule was asked about an account.
    Assess(Seen),
}

/// Calls in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    fn add(&self, call: Call) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// Those made since this was last asked.
    pub fn take(&self) -> Vec<Call> {
        core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A host whose plugins' calls are written down.
pub struct Recorder {
    /// The host that answers.
    pub inner: Arc<dyn PluginHost>,
    /// Where they are written.
    pub calls: Calls,
}

impl PluginHost for Recorder {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        Ok(Box::new(RecordedStrategy { inner: self.inner.strategy(start)?, calls: self.calls.clone() }))
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        Ok(Box::new(RecordedRule { inner: self.inner.rule(rule)?, calls: self.calls.clone() }))
    }
}

struct RecordedStrategy {
    inner: Box<dyn Strategy>,
    calls: Calls,
}

impl Strategy for RecordedStrategy {
    fn hooks(&self) -> Hooks {
        self.inner.hooks()
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault> {
        self.inner.on_history(bars)
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let before = actions.len();
        let consumed = self.inner.on_bars(bars, actions)?;
        let cut = |column| <[i64]>::get(column, ..consumed).unwrap_or(column);
        let bars = BarRun {
            open_at: cut(bars.open_at),
            open: cut(bars.open),
            high: cut(bars.high),
            low: cut(bars.low),
            close: cut(bars.close),
            spread: cut(bars.spread),
            volume: cut(bars.volume),
        };
        let mut columns = Vec::with_capacity(bars.len() * 7);
        packed(bars, &mut columns);
        self.calls.add(Call::Bars(columns, actions.len() > before));
        Ok(consumed)
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        self.inner.on_ticks(ticks, actions)
    }

    fn on_order_update(&mut self, at: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let before = actions.len();
        self.inner.on_order_update(at, update, actions)?;
        self.calls.add(Call::Update(at, *update, actions.len() > before));
        Ok(())
    }

    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault> {
        self.inner.on_timer(at, actions)
    }

    fn set_room(&mut self, room: Room) {
        self.inner.set_room(room);
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        self.inner.snapshot()
    }
}

struct RecordedRule {
    inner: Box<dyn RiskRule>,
    calls: Calls,
}

impl RiskRule for RecordedRule {
    fn day_reset(&self) -> Option<&DayReset> {
        self.inner.day_reset()
    }

    fn wants_days(&self) -> bool {
        self.inner.wants_days()
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        self.calls.add(Call::Check(*order, Seen::of(account)));
        self.inner.check(order, account)
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        self.calls.add(Call::Assess(Seen::of(account)));
        self.inner.assess(account)
    }
}
