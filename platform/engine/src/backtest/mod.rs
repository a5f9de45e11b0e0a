//! A strategy over a recording: the same shard, gate, venue and ledger as live.
//!
//! Two ways that give the same records. *Steps* goes quote by quote, as live. *Runs* hands the strategy
//! many bars (or quotes) at once and looks ahead, on the host's side only, for the next quote that could
//! change what the strategy sees: a triggered stop, a rule's wake level, a timer, a new day. It ends the
//! run before that quote. Everything a strategy does is carried out at the quote at which it would have
//! been live: the first after the bar it acted on.

mod horizon;
pub mod outcome;
mod recording;
pub mod stats;

use crate::{
    desk::{Commit, Desk},
    event::{ClosedBar, Command, Refusal},
    port::{Action, HistorySource, PluginHost},
    shard::Shard,
    venue::{SimulatedVenue, VenueModel},
};
use core::ops::ControlFlow;
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus},
    bar::Timeframe,
    fixed::Money,
    id::InstrumentId,
    instrument::Instrument,
    tenant::Quotas,
    time::Millis,
};
use std::sync::Arc;

pub use outcome::{Outcome, Recorder, Trade};
pub use recording::Recording;
use recording::{BarTable, Quotes};
pub use stats::Statistics;

/// The version of what a backtest comes to. Raise it with every change after which the same plugin, settings, terms and
/// quotes may give another result; certificates name it, and are checked only by the version that made them.
pub const ENGINE_VERSION: u32 = 1;

/// Shortest and longest run of bars handed over at once. It doubles while the strategy is quiet, so the
/// look-ahead never costs more than what was consumed, times two.
const RUN_MIN: usize = 32;
const RUN_MAX: usize = 1_024;
/// Evenly spaced points of the equity curve, at most.
const POINTS: usize = 4_000;
/// Quotes gone through one by one between two looks at whether to go on.
const STEPS: usize = 256;

/// How to go through the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Quote by quote.
    Steps,
    /// In runs.
    Runs,
}

/// What is tested, on what terms.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What is traded.
    pub instrument: Instrument,
    /// The account.
    pub terms: AccountTerms,
    /// The strategy.
    pub deployment: Deployment,
    /// The venue's terms.
    pub venue: VenueModel,
}

/// What came of it, beyond the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Quotes gone through.
    pub quotes: usize,
    /// Bars of the strategy's timeframe that closed.
    pub bars: usize,
    /// Closed balance at the end.
    pub balance: Money,
    /// Equity at the end.
    pub equity: Money,
    /// Time and equity at evenly spaced quotes, at most 4,001.
    pub curve: Vec<(Millis, Money)>,
    /// Time and equity at the last quote of each UTC day.
    pub days: Vec<(Millis, Money)>,
    /// How often the host stopped the strategy or a rule. It follows from the machine, not from the test.
    pub host_faults: u64,
}

/// How far a backtest is, in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Gone through.
    pub done: usize,
    /// In the recording.
    pub total: usize,
    /// Fuel that the strategy used since this was last told.
    pub fuel: u64,
}

/// Why a backtest gave no result.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError<E> {
    /// The account or the deployment was refused.
    #[error("the backtest could not start: {0}")]
    Refused(Refusal),
    /// The observer stopped it.
    #[error(transparent)]
    Stopped(E),
    /// Who watched it did not want the rest.
    #[error("the backtest was cancelled")]
    Cancelled,
}

/// Bars of the recording itself, for a strategy that must be revived in the middle. History from before the
/// recording is none.
struct Past(Arc<BarTable>);

impl HistorySource for Past {
    fn bars(&self, _: InstrumentId, timeframe: Timeframe, before: Millis, count: u32) -> [Vec<i64>; 7] {
        if timeframe == self.0.timeframe { self.0.last_before(before, count as usize) } else { Default::default() }
    }
}

/// Runs a backtest; `observer` sees every record as the live committer would.
///
/// # Errors
/// [`BacktestError`].
pub fn run<C: Commit>(
    setup: &Setup,
    recording: Recording<'_>,
    pace: Pace,
    host: Arc<dyn PluginHost>,
    observer: &mut C,
) -> Result<Summary, BacktestError<C::Error>> {
    run_watched(setup, recording, pace, host, observer, &mut |_| ControlFlow::Continue(()))
}

/// As [`run`]; `watch` hears how far it is, many times a second, and says whether to go on. What it says changes nothing but
/// whether there is a result.
///
/// # Errors
/// [`BacktestError`].
pub fn run_watched<C: Commit>(
    setup: &Setup,
    recording: Recording<'_>,
    pace: Pace,
    host: Arc<dyn PluginHost>,
    observer: &mut C,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, BacktestError<C::Error>> {
    let ended = go(setup, recording, pace, host, observer, watch, true)?;
    // Where every state is kept, a fault is part of the test.
    ended.ok_or(BacktestError::Cancelled)
}

/// As [`run_watched`], and faster for strategies that act often: their states are kept only if they are needed. They are
/// when a strategy fails, which goes back to one; the test then begins once more, with an observer made anew, and keeps
/// them all. What comes of it is the same, unless a strategy's answer to the question for its state changes what it does
/// later: the gate accepts none that does, and one that fails to answer at the end is tested once more too.
///
/// # Errors
/// [`BacktestError`].
pub fn run_quick<C: Commit + Default>(
    setup: &Setup,
    recording: Recording<'_>,
    pace: Pace,
    host: Arc<dyn PluginHost>,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(C, Summary), BacktestError<C::Error>> {
    let mut observer = C::default();
    if let Some(summary) = go(setup, recording, pace, Arc::clone(&host), &mut observer, watch, false)? {
        return Ok((observer, summary));
    }
    let mut observer = C::default();
    let summary = run_watched(setup, recording, pace, host, &mut observer, watch)?;
    Ok((observer, summary))
}

/// Runs a backtest; none when a state would have been needed that was not kept.
fn go<C: Commit>(
    setup: &Setup,
    recording: Recording<'_>,
    pace: Pace,
    host: Arc<dyn PluginHost>,
    observer: &mut C,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    keeps: bool,
) -> Result<Option<Summary>, BacktestError<C::Error>> {
    let mut column = Vec::new();
    let (quotes, bars) = prepare(setup, recording.priced(&setup.venue, &mut column));
    let shard = Shard::new(core::slice::from_ref(&setup.instrument), host, Box::new(Past(Arc::clone(&bars))));
    let mut desk = Desk::new(shard, SimulatedVenue::with_model(setup.venue, core::slice::from_ref(&setup.instrument)));
    desk.shard_mut().keep_states(keeps);
    if let Some(first) = quotes.get(0) {
        desk.skip_to(&first);
    }
    for command in [
        Command::OpenAccount(setup.terms.clone()),
        // A test is not limited by a plan: it trades on no account of anybody.
        Command::Deploy(
            Deployment { status: DeploymentStatus::Stopped, ..setup.deployment.clone() },
            Quotas::default(),
        ),
    ] {
        desk.command(command, observer).map_err(BacktestError::Stopped)?.map_err(BacktestError::Refused)?;
    }
    let mut test = Test {
        setup,
        quotes: &quotes,
        bars: &bars,
        desk,
        next: 0,
        bar: 0,
        width: RUN_MIN,
        by_quotes_to: if pace == Pace::Steps { quotes.len() } else { 0 },
        curve: Curve::new(&quotes),
        watch,
    };
    match test.run_all(observer).map_err(BacktestError::Stopped)? {
        Ended::Through => Ok(Some(test.summary())),
        Ended::Cancelled => Err(BacktestError::Cancelled),
        Ended::Failed => Ok(None),
    }
}

/// How a test ended.
enum Ended {
    /// At the end of its recording.
    Through,
    /// The observer did not want the rest.
    Cancelled,
    /// The strategy needed a state that was not kept.
    Failed,
}

/// The recording as quotes and bars. Most recordings need one pass; one with crossed quotes needs another.
fn prepare<'a>(setup: &Setup, recording: Recording<'a>) -> (Quotes<'a>, Arc<BarTable>) {
    let timeframe = setup.deployment.timeframe;
    let quotes = Quotes::new(setup.instrument.id, recording);
    if let Some(bars) = BarTable::build(timeframe, &quotes) {
        return (quotes, Arc::new(bars));
    }
    let quotes = quotes.tradable();
    let bars = BarTable::build(timeframe, &quotes).unwrap_or_else(|| BarTable::empty(timeframe));
    (quotes, Arc::new(bars))
}

/// The equity curve at evenly spaced quotes, and at the last quote of each UTC day.
struct Curve {
    stride: usize,
    points: Vec<(Millis, Money)>,
    closes: Vec<usize>,
    days: Vec<(Millis, Money)>,
}

impl Curve {
    fn new(quotes: &Quotes<'_>) -> Self {
        let closes = quotes.day_closes();
        Self {
            stride: (quotes.len() / POINTS).max(1),
            points: Vec::new(),
            days: Vec::with_capacity(closes.len()),
            closes,
        }
    }

    /// The next quote at which a point is due.
    fn due(&self) -> usize {
        self.spaced().min(self.close())
    }

    fn spaced(&self) -> usize {
        self.points.len() * self.stride
    }

    fn close(&self) -> usize {
        self.closes.get(self.days.len()).copied().unwrap_or(usize::MAX)
    }

    fn add(&mut self, index: usize, point: (Millis, Money)) {
        if index == self.close() {
            self.days.push(point);
        }
        if index == self.spaced() {
            self.points.push(point);
        }
    }
}

struct Test<'a> {
    setup: &'a Setup,
    quotes: &'a Quotes<'a>,
    bars: &'a BarTable,
    desk: Desk<SimulatedVenue>,
    /// The first quote not gone through.
    next: usize,
    /// The first bar not shown to the strategy.
    bar: usize,
    /// Bars to hand over next.
    width: usize,
    /// Up to here it goes quote by quote, whatever the strategy listens to.
    by_quotes_to: usize,
    curve: Curve,
    watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl Test<'_> {
    /// Tells who watches how far it is, and what was used; answers whether to go on.
    fn look(&mut self) -> ControlFlow<()> {
        let used = self.desk.shard_mut().take_usage();
        let fuel = used.into_values().fold(0, |sum: u64, used| sum.saturating_add(used.fuel));
        (self.watch)(Progress { done: self.next, total: self.quotes.len(), fuel })
    }

    fn run_all<C: Commit>(&mut self, observer: &mut C) -> Result<Ended, C::Error> {
        let (total, deployment) = (self.quotes.len(), self.setup.deployment.id);
        while self.next < total {
            let wanted = self.look();
            if self.desk.shard().missed_state() {
                return Ok(Ended::Failed);
            }
            if wanted.is_break() {
                return Ok(Ended::Cancelled);
            }
            if self.next < self.by_quotes_to {
                self.step_to((self.next + STEPS).min(self.by_quotes_to), observer)?;
                continue;
            }
            match self.desk.shard().hooks(deployment) {
                Some(hooks) if hooks.bars && hooks.ticks => self.step_to((self.next + STEPS).min(total), observer)?,
                Some(hooks) if hooks.ticks => self.run_quotes(observer)?,
                Some(hooks) if hooks.bars => self.run_bars(observer)?,
                _ => self.pass(observer)?,
            }
        }
        // What was used since the last look is told as well; there is nothing left that could be stopped.
        let _ = self.look();
        let whole = !self.desk.shard().missed_state() && self.desk.shard_mut().says_state(deployment);
        Ok(if whole { Ended::Through } else { Ended::Failed })
    }

    /// Goes through quotes one by one up to `end`, exclusive.
    fn step_to<C: Commit>(&mut self, end: usize, observer: &mut C) -> Result<(), C::Error> {
        while self.next < end {
            let Some(quote) = self.quotes.get(self.next) else { break };
            let mut closed = None;
            if self.bars.closed_by(self.bar) == Some(self.next) {
                closed = self.bars.get(self.bar).map(|bar| ClosedBar {
                    instrument: quote.instrument,
                    timeframe: self.bars.timeframe,
                    bar,
                });
                self.bar += 1;
            }
            self.desk.quote_with_bars(&quote, closed.as_slice(), observer)?;
            self.next += 1;
            self.plot(self.next);
        }
        Ok(())
    }

    /// One run of bars: those that close before anything else happens.
    fn run_bars<C: Commit>(&mut self, observer: &mut C) -> Result<(), C::Error> {
        let last = (self.bar + self.width).min(self.bars.closing());
        if last == self.bar {
            return self.pass(observer);
        }
        let limit = self.bars.closed_by(last - 1).map_or(self.quotes.len(), |q| q + 1);
        let horizon = self.horizon(limit);
        let end = self.bars.closing_before(self.bar, last, horizon);
        if end == self.bar {
            self.skip(horizon);
            return self.step_to(horizon + 1, observer);
        }
        let mut actions = Vec::new();
        let (shard, effects) = self.desk.parts();
        let run = self.bars.run(self.bar, end);
        let Some(consumed) = shard.run_bars(self.setup.deployment.id, run, &mut actions, effects) else {
            // A fault somewhere in the run: bar by bar, so that it happens at the bar where it would live.
            self.by_quotes_to = self.bars.closed_by(end - 1).map_or(self.quotes.len(), |q| q + 1);
            return Ok(());
        };
        self.bar += consumed;
        let seen = self.bars.closed_by(self.bar - 1).unwrap_or(self.next);
        if !actions.is_empty() {
            self.width = RUN_MIN;
            return self.act(seen, actions, observer);
        }
        self.width = (self.width * 2).min(RUN_MAX);
        // What is left up to the horizon has no bar to show; the horizon itself is gone through in full.
        self.skip(if self.bar == end { horizon } else { seen + 1 });
        Ok(())
    }

    /// Goes on without the strategy to the next quote that matters, and through it.
    fn pass<C: Commit>(&mut self, observer: &mut C) -> Result<(), C::Error> {
        let horizon = self.horizon((self.next + RUN_MAX).min(self.quotes.len()));
        self.skip(horizon);
        self.bar = self.bars.closing_before(self.bar, self.bars.closing(), horizon);
        self.step_to(horizon + 1, observer)
    }

    /// One run of quotes, likewise.
    fn run_quotes<C: Commit>(&mut self, observer: &mut C) -> Result<(), C::Error> {
        let limit = (self.next + self.width * 8).min(self.quotes.len());
        let horizon = self.horizon(limit);
        if horizon == self.next {
            return self.step_to(horizon + 1, observer);
        }
        let mut actions = Vec::new();
        let columns = self.quotes.columns(self.next, horizon);
        let (shard, effects) = self.desk.parts();
        let Some(count) = shard.run_ticks(self.setup.deployment.id, columns.run(), &mut actions, effects) else {
            self.by_quotes_to = horizon;
            return Ok(());
        };
        let seen = self.next + count;
        self.bar = self.bars.closing_before(self.bar, self.bars.closing(), seen);
        if !actions.is_empty() {
            self.width = RUN_MIN;
            return self.act(seen - 1, actions, observer);
        }
        self.width = (self.width * 2).min(RUN_MAX);
        self.skip(seen);
        Ok(())
    }

    /// Carries out what the strategy wanted, at the quote at which it would have been live.
    fn act<C: Commit>(&mut self, at: usize, actions: Vec<Action>, observer: &mut C) -> Result<(), C::Error> {
        self.plot(at);
        self.advance(at + 1);
        let (shard, effects) = self.desk.parts();
        shard.follow_up(self.setup.deployment.id, actions, effects);
        self.desk.settle(observer)?;
        self.plot(at + 1);
        Ok(())
    }

    /// Passes over quotes up to `end`, exclusive, that touch nobody.
    fn skip(&mut self, end: usize) {
        self.plot(end);
        self.advance(end);
    }

    fn advance(&mut self, end: usize) {
        if end <= self.next {
            return;
        }
        self.raise_peaks(end);
        if let Some(quote) = self.quotes.get(end - 1) {
            self.desk.skip_to(&quote);
        }
        self.next = end;
    }

    /// Adds the points of the curve that lie before `end`.
    fn plot(&mut self, end: usize) {
        while self.curve.due() < end {
            let due = self.curve.due();
            let Some(quote) = self.quotes.get(due) else { break };
            self.desk.glance(&quote);
            let equity = self.desk.shard().equity(self.setup.terms.id).unwrap_or(Money::ZERO);
            self.curve.add(due, (quote.at, equity));
        }
    }

    fn summary(&self) -> Summary {
        let account = self.desk.shard().state().accounts.get(&self.setup.terms.id);
        Summary {
            quotes: self.quotes.len(),
            bars: self.bars.closing(),
            balance: account.map_or(Money::ZERO, |a| a.balance),
            equity: self.desk.shard().equity(self.setup.terms.id).unwrap_or(Money::ZERO),
            curve: self.curve.points.clone(),
            days: self.curve.days.clone(),
            host_faults: self.desk.shard().host_faults(),
        }
    }
}
