//! A warm strategy behind the engine's port.

use crate::{
    contract::{
        strategy::{self, StrategyPre},
        strategy_types as wire, types,
    },
    host::HostState,
    inspect::{Description, HISTORY_BARS_MAX},
    instance::Instance,
    limits::Allowance,
    sandbox::Shared,
    text::clean,
};
use marque_domain::{
    fixed::{Lots, Price},
    id::PositionId,
    instrument::Instrument,
    order::{Origin, Side},
    time::Millis,
};
use marque_engine::port::{Action, BarRun, Fault, Hooks, OrderUpdate, Room, Strategy, StrategyStart, TickRun};
use std::sync::Arc;

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

/// A started strategy.
pub(crate) struct StrategyInstance {
    instance: Instance<strategy::Strategy>,
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
        pre: &StrategyPre<HostState>,
        description: &Description,
        start: &StrategyStart<'_>,
    ) -> Result<Self, Fault> {
        let mut instance = Instance::start(shared, start.seed, |store| pre.instantiate(store))?;
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
            .call(limits, |world, store| world.call_init(store, settings, &on, restore))?
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
        let taken = self.instance.call(allowance, |world, store| world.call_take_actions(store))?;
        if taken.len() > most {
            let what = format!("it wants {} actions at one event; the limit is {most}", taken.len());
            return Err(self.instance.nonsense(&what));
        }
        actions.extend(taken.into_iter().map(action_of));
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
        self.instance.call(allowance, |world, store| world.call_on_history(store, count, columns))
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        if bars.is_empty() || !self.hooks.bars {
            return Ok(bars.len());
        }
        let each = self.instance.limits().bar();
        let (events, allowance) = self.bar_pace.plan(bars.len(), each);
        self.pack_bars(bars, events)?;
        let (columns, count) = (&self.columns, wire_count(events));
        let progress = self.instance.call(allowance, |world, store| world.call_on_bars(store, count, columns))?;
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
        let progress = self.instance.call(allowance, |world, store| world.call_on_ticks(store, count, columns))?;
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
        let Some(update) = wire_update(update) else { return Ok(()) };
        self.instance.host().set_times(std::iter::once(at.0));
        let allowance = self.instance.limits().tick();
        let acted = self.instance.call(allowance, |world, store| world.call_on_order_update(store, at.0, update))?;
        self.take_actions(acted, actions)
    }

    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if !self.hooks.timer {
            return Ok(());
        }
        self.instance.host().set_times(std::iter::once(at.0));
        let allowance = self.instance.limits().bar();
        let acted = self.instance.call(allowance, |world, store| world.call_on_timer(store, at.0))?;
        self.take_actions(acted, actions)
    }

    fn set_room(&mut self, room: Room) {
        self.instance.host().room = room;
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        let (allowance, most) = (self.instance.limits().init(), self.instance.limits().snapshot_bytes);
        let state = self.instance.call_large(allowance, most, |world, store| world.call_snapshot(store))?;
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

pub(crate) fn wire_instrument(instrument: &Instrument) -> types::Instrument {
    types::Instrument {
        symbol: instrument.symbol.clone(),
        tick_size: instrument.tick_size.units(),
        pip: instrument.pip.units(),
        lot_step: instrument.lot_step.units(),
        lot_max: instrument.lot_max.units(),
        contract_size: instrument.contract_size,
        quote_currency: instrument.quote.code().to_owned(),
    }
}

pub(crate) const fn wire_side(side: Side) -> types::Side {
    match side {
        Side::Buy => types::Side::Buy,
        Side::Sell => types::Side::Sell,
    }
}

const fn wire_origin(origin: Origin) -> types::Origin {
    match origin {
        Origin::Strategy => types::Origin::Strategy,
        Origin::Trader => types::Origin::Trader,
        // The contract knows no others: to a strategy, all of them are the platform.
        Origin::Rule | Origin::KillSwitch | Origin::StopOut => types::Origin::Rule,
        Origin::StopLoss => types::Origin::StopLoss,
        Origin::TakeProfit => types::Origin::TakeProfit,
    }
}

/// The update in the words of contract 1.0; none for what it has no words for.
const fn wire_update(update: &OrderUpdate) -> Option<wire::OrderUpdate> {
    Some(match *update {
        OrderUpdate::Opened { position, side, lots, price, balance } => wire::OrderUpdate::Opened(wire::Opened {
            position: position.0,
            side: wire_side(side),
            lots: lots.units(),
            price: price.units(),
            balance: balance.units(),
        }),
        OrderUpdate::Closed { position, price, profit, origin, balance } => wire::OrderUpdate::Closed(wire::Closed {
            position: position.0,
            price: price.units(),
            profit: profit.units(),
            origin: wire_origin(origin),
            balance: balance.units(),
        }),
        OrderUpdate::Refused | OrderUpdate::Ended { .. } => wire::OrderUpdate::Refused,
        OrderUpdate::Working { .. } | OrderUpdate::Changed { .. } => return None,
    })
}

fn action_of(action: wire::Action) -> Action {
    match action {
        wire::Action::Open(open) => Action::Open {
            side: match open.side {
                types::Side::Buy => Side::Buy,
                types::Side::Sell => Side::Sell,
            },
            lots: Lots::from_units(open.lots),
            stop_loss: open.stop_loss.map(Price::from_units),
            take_profit: open.take_profit.map(Price::from_units),
        },
        wire::Action::Close(position) => Action::Close { position: PositionId(position) },
        wire::Action::SetTimer(at) => Action::SetTimer { at: Millis(at) },
    }
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
