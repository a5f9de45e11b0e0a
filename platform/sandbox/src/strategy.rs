//! A warm strategy behind the engine's port.

use crate::{
    contract::{
        orders::{OrderHooks, OrderHooksIndices},
        strategy::{Strategy as Hooked, StrategyIndices},
        strategy_types as wire,
    },
    host::HostState,
    inspect::{Description, HISTORY_BARS_MAX},
    instance::Instance,
    limits::Allowance,
    sandbox::Shared,
    share::Seat,
    text::clean,
    wire::{action_of, wire_event, wire_instrument, wire_update, wish_of},
};
use marque_domain::{time::Millis, usage::Usage};
use marque_engine::port::{Action, BarRun, Fault, Hooks, OrderUpdate, Room, Strategy, StrategyStart, TickRun};
use std::sync::Arc;
use wasmtime::{Store, component::InstancePre};

/// First byte of a snapshot: the host's part is the place of the random sequence, the rest is the guest's.
const SNAPSHOT_FORMAT: u8 = 1;
const SNAPSHOT_HEADER: usize = 9;

/// Events of the longest run.
const RUN_EVENTS_MAX: usize = 1_000;
/// What a run's fuel is below an event's: more than a call of one event costs beside the event, so that no event
/// passes in a run and fails alone.
const RUN_RESERVE_FUEL: u64 = 10_000;

/// How many events the next run may carry.
///
/// A run has the fuel of one event, so its length follows from what events have cost so far: a quarter of the fuel is
/// planned for. Fuel is deterministic, and so is this.
struct Pace {
    events: usize,
}

impl Pace {
    /// The first run is one event.
    const START: Self = Self { events: 1 };

    /// How many of `wanted` events go into the next run, and what it gets.
    fn plan(&self, wanted: usize, each: Allowance) -> (usize, Allowance) {
        let events = wanted.min(self.events);
        let fuel = if events > 1 { each.fuel.saturating_sub(RUN_RESERVE_FUEL) } else { each.fuel };
        (events, Allowance { fuel, ..each })
    }

    /// Learns from a run of `consumed` events.
    fn learn(&mut self, each: Allowance, used: u64, consumed: usize) {
        let per_event = used / (consumed as u64).max(1) + 1;
        let events = usize::try_from(each.fuel / 4 / per_event).unwrap_or(usize::MAX);
        self.events = events.clamp(1, RUN_EVENTS_MAX);
    }
}

/// A compiled strategy: what every strategy exports, and what one that uses orders of every kind exports besides.
pub(crate) struct StrategyPre {
    pre: InstancePre<HostState>,
    hooks: StrategyIndices,
    orders: Option<OrderHooksIndices>,
}

/// The exports of an instance.
pub(crate) struct Guest {
    pub(crate) hooks: Hooked,
    orders: Option<OrderHooks>,
}

impl StrategyPre {
    /// Of a component; `with_orders` when it exports what a strategy with orders does.
    pub(crate) fn new(pre: InstancePre<HostState>, with_orders: bool) -> wasmtime::Result<Self> {
        let hooks = StrategyIndices::new(&pre)?;
        let orders = with_orders.then(|| OrderHooksIndices::new(&pre)).transpose()?;
        Ok(Self { pre, hooks, orders })
    }

    pub(crate) fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<Guest> {
        let instance = self.pre.instantiate(&mut *store)?;
        let hooks = self.hooks.load(&mut *store, &instance)?;
        let orders = self.orders.as_ref().map(|orders| orders.load(&mut *store, &instance)).transpose()?;
        Ok(Guest { hooks, orders })
    }
}

/// A started strategy.
pub(crate) struct StrategyInstance {
    instance: Instance<Guest>,
    hooks: wire::Hooks,
    timeframe_ms: i64,
    bar_pace: Pace,
    tick_pace: Pace,
    /// The columns of a run, back to back; kept to be filled again.
    columns: Vec<i64>,
}

impl StrategyInstance {
    pub(crate) fn start(
        shared: &Arc<Shared>,
        pre: &StrategyPre,
        description: &Description,
        start: &StrategyStart<'_>,
        seat: Option<Seat>,
    ) -> Result<Self, Fault> {
        let mut instance = Instance::start(shared, start.seed, seat, |store| pre.instantiate(store))?;
        let restore = match start.restore.map(open_snapshot) {
            None => None,
            Some(None) => return Err(Fault::Plugin("The saved state of this strategy is damaged.".to_owned())),
            Some(Some((place, state))) => {
                instance.host().set_random_place(place);
                Some(state)
            }
        };
        let timeframe_ms = start.deployment.timeframe.length_ms();
        let on = wire::Start { instrument: wire_instrument(start.instrument), timeframe_ms };
        let limits = instance.limits().init();
        let settings = &start.deployment.plugin.settings;
        let hooks = instance
            .call(limits, |guest, store| guest.hooks.call_init(store, settings, &on, restore))?
            .map_err(|reason| Fault::Plugin(clean(&reason, 500)))?;
        let described = description.hooks;
        if hooks.history_bars > HISTORY_BARS_MAX {
            return Err(instance.nonsense("it may ask for at most 10,000 bars of history"));
        }
        if (hooks.bars && !described.bars) || (hooks.ticks && !described.ticks) {
            return Err(instance.nonsense("it asks for events that its description does not list"));
        }
        let (bar_pace, tick_pace) = (Pace::START, Pace::START);
        Ok(Self { instance, hooks, timeframe_ms, bar_pace, tick_pace, columns: Vec::new() })
    }

    /// Fuel that all calls together have used.
    pub(crate) const fn fuel_used(&self) -> u64 {
        self.instance.fuel_used()
    }

    /// Fills the columns with the first `events` of each, back to back.
    fn pack(&mut self, columns: &[&[i64]], events: usize) -> Result<(), Fault> {
        self.columns.clear();
        for column in columns {
            // Our own engine gave them; a guest has no part in it.
            let column = column.get(..events).ok_or_else(|| Fault::Host("The columns differ in length.".to_owned()))?;
            self.columns.extend_from_slice(column);
        }
        Ok(())
    }

    fn pack_bars(&mut self, bars: BarRun<'_>, events: usize) -> Result<(), Fault> {
        let columns = [bars.open_at, bars.open, bars.high, bars.low, bars.close, bars.spread, bars.volume];
        self.pack(&columns, events)?;
        let length = self.timeframe_ms;
        let ends = self.columns.iter().take(events).map(|open_at| open_at.saturating_add(length));
        self.instance.host().set_times(ends);
        Ok(())
    }

    /// Checks how far a run came.
    fn consumed(&mut self, progress: wire::Progress, events: usize) -> Result<usize, Fault> {
        let consumed = usize::try_from(progress.consumed).unwrap_or(usize::MAX);
        if (1..=events).contains(&consumed) {
            return Ok(consumed);
        }
        let what = format!("it says it handled {} of {events} events", progress.consumed);
        Err(self.instance.nonsense(&what))
    }

    fn take_actions(&mut self, acted: bool, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !acted {
            return Ok(());
        }
        let (allowance, most) = (self.instance.limits().tick(), self.instance.limits().actions);
        let before = actions.len();
        self.instance.call(allowance, |guest, store| {
            match &guest.orders {
                Some(orders) => actions.extend(orders.call_take_wishes(store)?.into_iter().map(wish_of)),
                None => actions.extend(guest.hooks.call_take_actions(store)?.into_iter().map(action_of)),
            }
            Ok(())
        })?;
        let taken = actions.len() - before;
        if taken > most {
            actions.truncate(before);
            let what = format!("it wants {taken} actions at one event; the limit is {most}");
            return Err(self.instance.nonsense(&what));
        }
        Ok(())
    }
}

impl Strategy for StrategyInstance {
    fn hooks(&self) -> Hooks {
        Hooks { bars: self.hooks.bars, ticks: self.hooks.ticks, history_bars: self.hooks.history_bars }
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault> {
        if bars.is_empty() {
            return Ok(());
        }
        // The oldest of too many bars are left out: what a strategy gets is bounded by what it may ask for.
        let most = usize::try_from(HISTORY_BARS_MAX).unwrap_or(usize::MAX);
        let (events, skip) = (bars.len().min(most), bars.len().saturating_sub(most));
        let rest = |column| <[i64]>::get(column, skip..).unwrap_or_default();
        let bars = BarRun {
            open_at: rest(bars.open_at),
            open: rest(bars.open),
            high: rest(bars.high),
            low: rest(bars.low),
            close: rest(bars.close),
            spread: rest(bars.spread),
            volume: rest(bars.volume),
        };
        self.pack_bars(bars, events)?;
        let (allowance, count) = (self.instance.limits().init(), wire_count(events));
        let columns = &self.columns;
        self.instance.call(allowance, |guest, store| guest.hooks.call_on_history(store, count, columns))
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        if bars.is_empty() || !self.hooks.bars {
            return Ok(bars.len());
        }
        let each = self.instance.limits().bar();
        let (events, allowance) = self.bar_pace.plan(bars.len(), each);
        self.pack_bars(bars, events)?;
        let (columns, count) = (&self.columns, wire_count(events));
        let progress = self.instance.call(allowance, |guest, store| guest.hooks.call_on_bars(store, count, columns))?;
        let used = allowance.fuel.saturating_sub(self.instance.fuel_left());
        let consumed = self.consumed(progress, events)?;
        self.bar_pace.learn(each, used, consumed);
        self.take_actions(progress.acted, actions)?;
        Ok(consumed)
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        if ticks.is_empty() || !self.hooks.ticks {
            return Ok(ticks.len());
        }
        let each = self.instance.limits().tick();
        let (events, allowance) = self.tick_pace.plan(ticks.len(), each);
        self.pack(&[ticks.at, ticks.bid, ticks.ask], events)?;
        self.instance.host().set_times(ticks.at.iter().take(events).copied());
        let (columns, count) = (&self.columns, wire_count(events));
        let progress =
            self.instance.call(allowance, |guest, store| guest.hooks.call_on_ticks(store, count, columns))?;
        let used = allowance.fuel.saturating_sub(self.instance.fuel_left());
        let consumed = self.consumed(progress, events)?;
        self.tick_pace.learn(each, used, consumed);
        self.take_actions(progress.acted, actions)?;
        Ok(consumed)
    }

    fn on_order_update(&mut self, at: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !self.hooks.order_updates {
            return Ok(());
        }
        self.instance.host().set_times(std::iter::once(at.0));
        let allowance = self.instance.limits().tick();
        let acted = self.instance.call(allowance, |guest, store| match (&guest.orders, wire_update(update)) {
            (Some(orders), _) => orders.call_on_order_event(store, at.0, wire_event(update)),
            (None, Some(update)) => guest.hooks.call_on_order_update(store, at.0, update),
            (None, None) => Ok(false),
        })?;
        self.take_actions(acted, actions)
    }

    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !self.hooks.timer {
            return Ok(());
        }
        self.instance.host().set_times(std::iter::once(at.0));
        let allowance = self.instance.limits().bar();
        let acted = self.instance.call(allowance, |guest, store| guest.hooks.call_on_timer(store, at.0))?;
        self.take_actions(acted, actions)
    }

    fn set_room(&mut self, room: Room) {
        self.instance.host().room = room;
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        // It is asked again and again while the market moves, and holds the others of its desk up as any event does.
        let (allowance, most) = (self.instance.limits().bar(), self.instance.limits().snapshot_bytes);
        let state = self.instance.call_large(allowance, most, |guest, store| guest.hooks.call_snapshot(store))?;
        if state.len() > most {
            let what = format!("its saved state has {} bytes; the limit is {most}", state.len());
            return Err(self.instance.nonsense(&what));
        }
        let mut snapshot = Vec::with_capacity(SNAPSHOT_HEADER + state.len());
        snapshot.push(SNAPSHOT_FORMAT);
        snapshot.extend_from_slice(&self.instance.host().random_place().to_le_bytes());
        snapshot.extend_from_slice(&state);
        Ok(snapshot)
    }

    fn take_log(&mut self) -> Vec<(Millis, String)> {
        self.instance.host().take_log()
    }

    fn take_usage(&mut self) -> Usage {
        self.instance.take_usage()
    }
}

/// The place of the random sequence, and the guest's state.
fn open_snapshot(snapshot: &[u8]) -> Option<(u64, &[u8])> {
    let (place, state) = snapshot.strip_prefix(&[SNAPSHOT_FORMAT])?.split_first_chunk()?;
    Some((u64::from_le_bytes(*place), state))
}

/// Runs are bounded far below this.
fn wire_count(events: usize) -> u32 {
    u32::try_from(events).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_as_long_as_their_fuel_allows() {
        let each = Allowance { fuel: 2_000_000, deadline_ms: 50 };
        let mut pace = Pace::START;
        assert_eq!(pace.plan(500, each), (1, each));
        for (used, consumed, next) in [(1_500, 1, 333), (20_000, 333, 1_000), (900_000, 1_000, 554), (1_999_999, 1, 1)]
        {
            pace.learn(each, used, consumed);
            assert_eq!(pace.plan(10_000, each).0, next, "{used} for {consumed}");
        }
        pace.learn(each, 500, 1);
        assert_eq!(pace.plan(10_000, each), (998, Allowance { fuel: 1_990_000, deadline_ms: 50 }));
    }
}
