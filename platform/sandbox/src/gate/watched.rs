//! Plugins under watch: the engine's ports around an instance, writing down what it wished or answered, and what each
//! event cost.

use super::market::Dice;
use crate::{
    cache::{Compiled, World},
    rule::RuleInstance,
    sandbox::Shared,
    strategy::StrategyInstance,
};
use marque_domain::{
    account::Deployment,
    decision::Verdict,
    fixed::{Lots, Price},
    id::PositionId,
    instrument::Instrument,
    order::Side,
    plugin::PluginRef,
    time::Millis,
};
use marque_engine::port::{
    AccountView, Action, Assessment, BarRun, DayReset, Fault, Hooks, OrderUpdate, OrderView, PluginHost, RiskRule,
    Room, Strategy, StrategyStart, TickRun,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Decisions that are kept; a plugin that makes more is judged by these.
const DECISIONS_MAX: usize = 20_000;
/// Measurements that are kept of one hook.
const SAMPLES_MAX: usize = 50_000;
/// What the question for a strategy's state is measured as.
pub(super) const STATE: &str = "snapshot";
/// Lines of the plugin's log that are kept.
const LINES_MAX: usize = 5;

/// What a plugin decided, at what market time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided {
    pub at: i64,
    pub what: String,
}

/// What was seen of a plugin in one trial.
#[derive(Debug, Default)]
pub(super) struct Diary {
    pub decisions: Vec<Decided>,
    /// Market time up to which events were handled.
    pub until: i64,
    pub fuel: BTreeMap<&'static str, Vec<u64>>,
    /// Nanoseconds on this machine; no report has them.
    pub nanos: BTreeMap<&'static str, Vec<u64>>,
    pub fault: Option<Fault>,
    /// How many decisions had been made when it failed, and up to which market time events were handled.
    pub failed_at: Option<(usize, i64)>,
    pub log: Vec<String>,
    /// Whether it was started at all.
    pub has_started: bool,
    /// Fuel of all calls, starts included, and the most that they may use.
    pub fuel_spent: u64,
    pub fuel_most: u64,
    /// Whether a call was not made because that was used up.
    pub is_spent: bool,
}

impl Diary {
    fn decide(&mut self, at: i64, what: String) {
        if self.decisions.len() < DECISIONS_MAX {
            self.decisions.push(Decided { at, what });
        }
    }

    fn measure(&mut self, hook: &'static str, fuel: u64, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        for (all, value) in [(&mut self.fuel, fuel), (&mut self.nanos, nanos)] {
            let samples = all.entry(hook).or_default();
            if samples.len() < SAMPLES_MAX {
                samples.push(value);
            }
        }
    }

    /// Takes over what another trial measured of a hook, in the place of its own.
    pub(super) fn take_over(&mut self, hook: &'static str, other: &mut Self) {
        for (mine, theirs) in [(&mut self.fuel, &mut other.fuel), (&mut self.nanos, &mut other.nanos)] {
            if let Some(samples) = theirs.remove(hook) {
                mine.insert(hook, samples);
            }
        }
    }

    fn keep<T>(&mut self, answer: &Result<T, Fault>) {
        if let (None, Err(fault)) = (&self.fault, answer) {
            self.fail(fault.clone());
        }
    }

    fn start<T>(&mut self, answer: &Result<T, Fault>) {
        self.has_started |= answer.is_ok();
        self.keep(answer);
    }

    /// Takes note of the first fault.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.failed_at = Some((self.decisions.len(), self.until));
    }

    /// Whether it has not seen a single event.
    pub(super) fn saw_nothing(&self) -> bool {
        self.until == 0 && self.decisions.is_empty() && self.fuel.is_empty()
    }

    /// The decisions before the first fault: what came after it depends on when that was.
    pub(super) fn sound(&self) -> &[Decided] {
        let end = self.failed_at.map_or(self.decisions.len(), |(decisions, _)| decisions);
        self.decisions.get(..end).unwrap_or_default()
    }

    /// Up to which market time those are all that there were.
    pub(super) fn sound_until(&self) -> i64 {
        self.failed_at.map_or(i64::MAX, |(_, until)| until.saturating_sub(1))
    }

    /// Whether there is fuel for another call.
    fn may_go_on(&mut self) -> Result<(), Fault> {
        self.is_spent |= self.fuel_spent >= self.fuel_most;
        if self.is_spent { Err(Fault::Plugin("The fuel of the trial is used up.".to_owned())) } else { Ok(()) }
    }
}

/// How instances are treated in a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// One instance from the beginning to the end.
    Kept,
    /// After so many calls a strategy is thrown away and restored from its snapshot; a rule is made anew for every call.
    Renewed(u32),
    /// After so many calls a strategy is asked for its snapshot, which nobody looks at.
    Asked(u32),
}

impl Treatment {
    /// Whether it is time for what is done now and then.
    const fn is_due(self, calls: u32) -> bool {
        match self {
            Self::Kept => false,
            Self::Renewed(every) | Self::Asked(every) => every <= 1 || calls.is_multiple_of(every),
        }
    }
}

/// The engine's host in a trial: the component under watch, and a trader of its own for rules.
#[derive(Clone)]
pub(super) struct Watch {
    pub shared: Arc<Shared>,
    pub compiled: Arc<Compiled>,
    pub treatment: Treatment,
    pub diary: Arc<Mutex<Diary>>,
}

fn lock(diary: &Mutex<Diary>) -> MutexGuard<'_, Diary> {
    diary.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PluginHost for Watch {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        let World::Strategy(_) = &self.compiled.world else {
            return Ok(Box::new(Trader { dice: Dice(start.seed), held: Vec::new() }));
        };
        let mut watched = WatchedStrategy {
            inner: None,
            watch: self.clone(),
            deployment: start.deployment.clone(),
            instrument: start.instrument.clone(),
            seed: start.seed,
            room: Room::default(),
            hooks: Hooks::default(),
            calls: 0,
        };
        let started = watched.start(start.restore);
        lock(&self.diary).start(&started);
        started?;
        Ok(Box::new(watched))
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        let started = self.start_rule(&rule.settings);
        lock(&self.diary).start(&started);
        let inner = started?;
        let (day_reset, wants_days) = (inner.day_reset().cloned(), inner.wants_days());
        Ok(Box::new(WatchedRule { inner, watch: self.clone(), settings: rule.settings.clone(), day_reset, wants_days }))
    }
}

impl Watch {
    fn start_rule(&self, settings: &str) -> Result<RuleInstance, Fault> {
        let World::Rule(pre) = &self.compiled.world else {
            return Err(Fault::Host("A strategy is asked as a rule.".to_owned()));
        };
        let rule = RuleInstance::start(&self.shared, pre, settings, None)?;
        lock(&self.diary).fuel_spent += rule.fuel_used();
        Ok(rule)
    }
}

struct WatchedStrategy {
    /// None only while it is being made anew.
    inner: Option<StrategyInstance>,
    watch: Watch,
    deployment: Deployment,
    instrument: Instrument,
    seed: u64,
    room: Room,
    hooks: Hooks,
    calls: u32,
}

impl WatchedStrategy {
    fn start(&mut self, restore: Option<&[u8]>) -> Result<(), Fault> {
        let World::Strategy(pre) = &self.watch.compiled.world else {
            return Err(Fault::Host("A rule is started as a strategy.".to_owned()));
        };
        let (deployment, instrument) = (&self.deployment, &self.instrument);
        let start = StrategyStart { deployment, instrument, restore, seed: self.seed };
        let description = &self.watch.compiled.description;
        let mut instance = StrategyInstance::start(&self.watch.shared, pre, description, &start, None)?;
        lock(&self.watch.diary).fuel_spent += instance.fuel_used();
        instance.set_room(self.room);
        self.hooks = instance.hooks();
        self.inner = Some(instance);
        Ok(())
    }

    /// What the trial does to the instance between two calls, when it is time.
    fn treat(&mut self) -> Result<(), Fault> {
        self.calls += 1;
        if !self.watch.treatment.is_due(self.calls) {
            return Ok(());
        }
        let saved = self.state()?;
        if let Treatment::Renewed(_) = self.watch.treatment {
            self.inner = None;
            self.start(Some(&saved))?;
        }
        Ok(())
    }

    /// Asks for the state, which takes time like any event.
    fn state(&mut self) -> Result<Vec<u8>, Fault> {
        let instance = self.inner.as_mut().ok_or_else(|| Fault::Host("The instance is gone.".to_owned()))?;
        let (used, began) = (instance.fuel_used(), Instant::now());
        let saved = instance.snapshot();
        let (used, time) = (instance.fuel_used().saturating_sub(used), began.elapsed());
        let mut diary = lock(&self.watch.diary);
        diary.fuel_spent += used;
        let saved = saved?;
        diary.measure(STATE, used, time);
        Ok(saved)
    }

    /// One call under watch: `work` answers up to which market time events are handled.
    fn call<T>(
        &mut self,
        hook: &'static str,
        actions: &mut Vec<Action>,
        work: impl FnOnce(&mut StrategyInstance, &mut Vec<Action>) -> Result<(T, Option<i64>), Fault>,
        events: impl FnOnce(&T) -> u64,
    ) -> Result<T, Fault> {
        let (before, diary) = (actions.len(), Arc::clone(&self.watch.diary));
        let may = lock(&diary).may_go_on();
        let answer = may.and_then(|()| self.treat()).and_then(|()| {
            let instance = self.inner.as_mut().ok_or_else(|| Fault::Host("The instance is gone.".to_owned()))?;
            let (used, began) = (instance.fuel_used(), Instant::now());
            let worked = work(instance, actions);
            let (used, time) = (instance.fuel_used().saturating_sub(used), began.elapsed());
            lock(&diary).fuel_spent += used;
            let (answer, until) = worked?;
            Ok((answer, until, used, time))
        });
        let mut diary = lock(&diary);
        diary.keep(&answer);
        let (answer, until, used, time) = answer?;
        diary.measure(hook, used / events(&answer).max(1), time);
        if let Some(until) = until {
            diary.until = diary.until.max(until);
        }
        let at = until.unwrap_or(diary.until);
        for action in actions.get(before..).unwrap_or_default() {
            diary.decide(at, words(action));
        }
        Ok(answer)
    }
}

impl Strategy for WatchedStrategy {
    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault> {
        self.call("on_history", &mut Vec::new(), |inner, _| Ok((inner.on_history(bars)?, None)), |()| 1)
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let length = self.deployment.timeframe.length_ms();
        let work = |inner: &mut StrategyInstance, actions: &mut Vec<Action>| {
            let consumed = inner.on_bars(bars, actions)?;
            let last = consumed.checked_sub(1).and_then(|last| bars.open_at.get(last));
            Ok((consumed, last.map(|open_at| open_at.saturating_add(length))))
        };
        self.call("on_bar", actions, work, |consumed| *consumed as u64)
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let work = |inner: &mut StrategyInstance, actions: &mut Vec<Action>| {
            let consumed = inner.on_ticks(ticks, actions)?;
            Ok((consumed, consumed.checked_sub(1).and_then(|last| ticks.at.get(last).copied())))
        };
        self.call("on_tick", actions, work, |consumed| *consumed as u64)
    }

    fn on_order_update(&mut self, at: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let work = |inner: &mut StrategyInstance, actions: &mut Vec<Action>| {
            Ok((inner.on_order_update(at, update, actions)?, Some(at.0)))
        };
        self.call("on_order_update", actions, work, |()| 1)
    }

    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let work =
            |inner: &mut StrategyInstance, actions: &mut Vec<Action>| Ok((inner.on_timer(at, actions)?, Some(at.0)));
        self.call("on_timer", actions, work, |()| 1)
    }

    fn set_room(&mut self, room: Room) {
        self.room = room;
        if let Some(inner) = &mut self.inner {
            inner.set_room(room);
        }
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        self.state()
    }

    fn take_log(&mut self) -> Vec<(Millis, String)> {
        let lines = self.inner.as_mut().map(Strategy::take_log).unwrap_or_default();
        let mut diary = lock(&self.watch.diary);
        for (_, line) in &lines {
            if diary.log.len() >= LINES_MAX {
                diary.log.remove(0);
            }
            diary.log.push(line.clone());
        }
        lines
    }
}

struct WatchedRule {
    inner: RuleInstance,
    watch: Watch,
    settings: String,
    day_reset: Option<DayReset>,
    wants_days: bool,
}

impl WatchedRule {
    fn ask<T: core::fmt::Debug>(
        &mut self,
        hook: &'static str,
        now: Millis,
        work: impl FnOnce(&mut RuleInstance) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let diary = Arc::clone(&self.watch.diary);
        let may = lock(&diary).may_go_on();
        let fresh = may.and_then(|()| match self.watch.treatment {
            Treatment::Kept | Treatment::Asked(_) => Ok(()),
            Treatment::Renewed(_) => self.watch.start_rule(&self.settings).map(|new| self.inner = new),
        });
        let (used, began) = (self.inner.fuel_used(), Instant::now());
        let answer = fresh.and_then(|()| work(&mut self.inner));
        let time = began.elapsed();
        let mut diary = lock(&diary);
        diary.keep(&answer);
        let used = self.inner.fuel_used().saturating_sub(used);
        diary.fuel_spent += used;
        let answer = answer?;
        diary.measure(hook, used, time);
        diary.until = diary.until.max(now.0);
        diary.decide(now.0, format!("{hook} {answer:?}"));
        Ok(answer)
    }
}

impl RiskRule for WatchedRule {
    fn day_reset(&self) -> Option<&DayReset> {
        self.day_reset.as_ref()
    }

    fn wants_days(&self) -> bool {
        self.wants_days
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        self.ask("check", account.now, |rule| rule.check(order, account))
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        self.ask("assess", account.now, |rule| rule.assess(account))
    }
}

/// The gate's own trader, whom a rule watches: it opens and closes by dice, with and without stops.
struct Trader {
    dice: Dice,
    held: Vec<PositionId>,
}

/// Positions it holds at most.
const HELD_MAX: usize = 3;

impl Strategy for Trader {
    fn hooks(&self) -> Hooks {
        Hooks { bars: true, ticks: false, history_bars: 0 }
    }

    fn on_history(&mut self, _: BarRun<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (bar, close) in bars.close.iter().enumerate() {
            if self.dice.next().is_multiple_of(12) {
                actions.push(self.wish(*close));
                return Ok(bar + 1);
            }
        }
        Ok(bars.len())
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, _: &mut Vec<Action>) -> Result<usize, Fault> {
        Ok(ticks.len())
    }

    fn on_order_update(&mut self, _: Millis, update: &OrderUpdate, _: &mut Vec<Action>) -> Result<(), Fault> {
        match update {
            OrderUpdate::Opened { position, .. } => self.held.push(*position),
            OrderUpdate::Closed { position, .. } => self.held.retain(|held| held != position),
            _ => {}
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Millis, _: &mut Vec<Action>) -> Result<(), Fault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(Vec::new())
    }
}

impl Trader {
    fn wish(&mut self, close: i64) -> Action {
        if self.held.len() >= HELD_MAX {
            return Action::Close { position: self.held.remove(0) };
        }
        let (side, away) = if self.dice.next().is_multiple_of(2) { (Side::Buy, -1) } else { (Side::Sell, 1) };
        let steps = i64::try_from(1 + self.dice.next() % 600).unwrap_or(1);
        let stop = (!self.dice.next().is_multiple_of(3)).then(|| close + away * 300_000);
        Action::Open {
            side,
            lots: Lots::from_units(steps * 1_000_000),
            stop_loss: stop.map(Price::from_units),
            take_profit: None,
        }
    }
}

/// A wish in words that can be compared and read.
fn words(action: &Action) -> String {
    let side = |side: &Side| match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    match action {
        Action::Open { side: way, lots, stop_loss, take_profit } => {
            let level =
                |name: &str, price: &Option<Price>| price.map(|price| format!(" {name} {price}")).unwrap_or_default();
            let (stop, target) = (level("stop", stop_loss), level("target", take_profit));
            format!("{} {lots}{stop}{target}", side(way))
        }
        Action::Close { position } => format!("close {position:?}"),
        other => format!("{other:?}"),
    }
}
