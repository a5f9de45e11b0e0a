//! A shard: accounts of one tenant that share a thread and a journal.
//!
//! [`Shard::step`] takes one event and says what must be done. It reads as the life of an event: the
//! market moves, days roll, rules are woken, strategies are called, their wishes pass the gate. Every
//! change of state is a [`Record`]; what a strategy or rule instance holds beyond that is in the
//! [`Mark`].

mod arrivals;
mod commands;
mod curve;
mod doubt;
mod fills;
mod kill;
mod largest;
mod margin;
mod mark;
mod money;
mod orders;
mod remote;
mod revival;
mod rollover;
mod rules;
mod shadow;
mod strategies;
mod succession;
mod working;

use crate::{
    event::{ClosedBar, Command, Effects, Event, Record, Refusal},
    market::Market,
    monitor::RuleBench,
    port::{Fault, HistorySource, Hooks, PluginHost, VenueReport},
    runner::Runners,
    state::State,
};
use marque_domain::{
    account::EquityPoint,
    bar::{Quote, Timeframe},
    fixed::Money,
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId},
    instrument::Instrument,
    time::Millis,
    usage::Usage,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use curve::Curve;
pub use largest::LargestOrder;
pub use mark::{Mark, MarkChange};
pub use rules::Distance;

/// Accounts, their strategies and rules, and the market they see.
pub struct Shard {
    state: State,
    market: Market,
    rules: RuleBench,
    runners: Runners,
    /// Releases beside the live ones.
    shadows: Runners,
    /// Decisions that were compared and not taken yet.
    compared: BTreeMap<DeploymentId, u64>,
    curve: Curve,
    scans: bool,
    /// Whether states are kept to which strategies go back; and whether one was needed where they are not.
    keeps: bool,
    missed: bool,
    /// How often the host stopped a strategy.
    host_faults: u64,
    /// Strategies that had no instance at a restart, and why.
    unstarted: Vec<(DeploymentId, Fault)>,
    /// Whether its venue keeps books of its own.
    remote: bool,
    /// Breaches that wait for the next price.
    doubts: Vec<doubt::Doubt>,
    /// Positions of which a close that is required came to nothing.
    unclosed: BTreeMap<PositionId, arrivals::Unclosed>,
    /// Orders that went out again at this moment, of which nothing had arrived.
    renewed: (Millis, BTreeSet<OrderId>),
    /// What switches that were pressed ask for and was not done yet.
    carrying: VecDeque<kill::Carrying>,
    host: Arc<dyn PluginHost>,
    history: Box<dyn HistorySource + Send>,
    /// When positions roll next, at the earliest.
    next_roll: Millis,
    /// What strategies wanted in the event that is being worked on; none between events.
    wishes: Option<usize>,
    // Scratch space, empty between steps.
    closed: Vec<ClosedBar>,
    touched: Vec<AccountId>,
    woken: Vec<u16>,
    concerned: Vec<DeploymentId>,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(instruments: &[Instrument], host: Arc<dyn PluginHost>, history: Box<dyn HistorySource + Send>) -> Self {
        Self {
            state: State::default(),
            market: Market::new(instruments),
            rules: RuleBench::new(Arc::clone(&host)),
            runners: Runners::default(),
            shadows: Runners::default(),
            compared: BTreeMap::new(),
            wishes: None,
            curve: Curve::default(),
            scans: false,
            keeps: true,
            missed: false,
            host_faults: 0,
            unstarted: Vec::new(),
            remote: false,
            doubts: Vec::new(),
            unclosed: BTreeMap::new(),
            renewed: (Millis(0), BTreeSet::new()),
            carrying: VecDeque::new(),
            host,
            history,
            next_roll: Millis(i64::MIN),
            closed: Vec::new(),
            touched: Vec::new(),
            woken: Vec::new(),
            concerned: Vec::new(),
        }
    }

    /// Looks at every account with a position in the quoted instrument from now on, instead of those that the price
    /// index finds: the slow way, for comparison. The records are the same.
    pub const fn scan_all(&mut self) {
        self.scans = true;
    }

    /// Rebuilds a shard from the state its records fold to and the mark committed with the last of them.
    /// The next event must be [`Event::Recovered`].
    pub fn restore(&mut self, state: State, mark: Mark) {
        self.state = state;
        self.market.restore(mark.tapes);
        self.market.advance(mark.now);
        for account in self.state.accounts.values() {
            self.rules.enrol(account, &self.market);
            account.positions.iter().for_each(|p| self.curve.follow(p.instrument, p.account));
        }
        self.rules.restore_peaks(&mark.peaks, &self.state.accounts, &self.market);
        self.restore_runners(&mark.runners);
        self.restore_shadows(&mark.shadows);
    }

    /// What a restart would need beyond the records, as of now: all of it.
    pub fn mark(&mut self) -> Mark {
        Mark {
            now: self.market.now(),
            tapes: self.market.tapes(),
            peaks: self.rules.peaks(&self.state.accounts, &self.market),
            runners: self.runners.marks(),
            shadows: self.shadows.marks(),
        }
    }

    /// What changed of the mark since it or a change of it was last taken: its size is that of what happened, whatever
    /// the shard holds.
    pub fn mark_change(&mut self) -> MarkChange {
        let (peaks, ranges) = self.rules.peaks_changed(&self.state.accounts, &self.market);
        let (now, tapes) = (self.market.now(), self.market.tapes_changed());
        let (runners, shadows) = (self.runners.marks_changed(), self.shadows.marks_changed());
        MarkChange { now, tapes, peaks, ranges, runners, shadows }
    }

    /// What each deployment used up since this was last asked, its shadow included. It follows from no record and decides
    /// nothing: time is in it.
    pub fn take_usage(&mut self) -> BTreeMap<DeploymentId, Usage> {
        let mut used = self.runners.take_used();
        for (deployment, usage) in self.shadows.take_used() {
            *used.entry(deployment).or_default() += usage;
        }
        used
    }

    /// How many decisions of each shadow were compared with the live release's since this was last asked.
    pub fn take_compared(&mut self) -> BTreeMap<DeploymentId, u64> {
        core::mem::take(&mut self.compared)
    }

    /// The fold of all records so far.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The market as this shard sees it.
    #[must_use]
    pub const fn market(&self) -> &Market {
        &self.market
    }

    /// Balance plus what open positions would bring now.
    #[must_use]
    pub fn equity(&self, account: AccountId) -> Option<Money> {
        self.state.accounts.get(&account).map(|a| crate::book::equity(a, &self.market))
    }

    /// Equity less the margin that open positions bind.
    #[must_use]
    pub fn free(&self, account: AccountId) -> Option<Money> {
        let account = self.state.accounts.get(&account)?;
        Some(crate::book::equity(account, &self.market).saturating_sub(crate::book::margin_used(account, &self.market)))
    }

    /// What each open position of an account would bring now.
    #[must_use]
    pub fn floating(&self, account: AccountId) -> BTreeMap<PositionId, Money> {
        let Some(account) = self.state.accounts.get(&account) else { return BTreeMap::new() };
        account
            .positions
            .iter()
            .map(|p| (p.id, crate::book::floating(p, account.terms.currency, &self.market)))
            .collect()
    }

    /// Takes one event that happened at `at` (market time; the clock never goes back).
    ///
    /// # Errors
    /// [`Refusal`] for a command that changed nothing. Other events are never refused.
    pub fn step(&mut self, at: Millis, event: Event, fx: &mut Effects) -> Result<(), Refusal> {
        self.market.advance(at);
        match event {
            Event::Quote(quote, reports) => self.quote(&quote, reports, fx),
            Event::Command(command) => {
                let answer = self.command(command, fx);
                self.wake_by_time(fx);
                return answer;
            }
            Event::Sent(order) => self.sent(order, fx),
            Event::Report(report) => self.report(report, fx),
            Event::Heard(reports) => {
                reports.into_iter().for_each(|report| self.report(report, fx));
                self.ask_again(fx);
            }
            Event::Recovered => self.recovered(fx),
            Event::CarryOut(most) => self.carry_out(most, fx),
        }
        Ok(())
    }

    fn command(&mut self, command: Command, fx: &mut Effects) -> Result<(), Refusal> {
        match command {
            Command::OpenAccount(terms) => self.open_account(terms, fx),
            Command::Deploy(deployment, quotas) => self.deploy(deployment, quotas, fx),
            Command::Start(deployment, quotas) => self.start(deployment, quotas, fx),
            Command::Stop(deployment) => self.stop(deployment, fx),
            Command::Want { account, intent } => self.want(account, intent, fx),
            Command::LimitTrades { user, per_day } => {
                self.limit_trades(user, per_day, fx);
                Ok(())
            }
            Command::Kill(kill) => self.kill(kill, fx),
            Command::Release { scope, authority, by } => self.release(scope, authority, &by, fx),
            Command::MoveMoney { account, movement } => self.move_money(account, movement, fx),
            Command::Upgrade { deployment, to } => self.upgrade(deployment, to, fx),
            Command::RollBack(deployment, quotas) => self.roll_back(deployment, quotas, fx),
            Command::Shadow { deployment, plugin } => self.start_shadow(deployment, plugin, fx),
            Command::Promote(deployment) => self.promote(deployment, fx),
            Command::DropShadow(deployment) => self.drop_shadow(deployment, fx),
            Command::Pause { deployment, reason } => self.pause(deployment, reason, fx),
        }
    }

    fn quote(&mut self, quote: &Quote, reports: Vec<VenueReport>, fx: &mut Effects) {
        let mut closed = core::mem::take(&mut self.closed);
        closed.clear();
        let taken = self.market.take(quote, &mut closed);
        self.roll_over(fx);
        self.roll_days(fx);
        for report in reports {
            self.report(report, fx);
        }
        self.ask_again(fx);
        if taken {
            self.market_moved(quote, &closed, fx);
        }
        self.closed = closed;
    }

    /// As a quote event, with the bars that it closes brought along: a backtest has built them all before.
    pub(crate) fn quote_with_bars(
        &mut self,
        quote: &Quote,
        closed: &[ClosedBar],
        reports: Vec<VenueReport>,
        fx: &mut Effects,
    ) {
        self.market.set_last(quote);
        self.roll_over(fx);
        self.roll_days(fx);
        for report in reports {
            self.report(report, fx);
        }
        self.market_moved(quote, closed, fx);
    }

    /// Says whether the states of strategies are kept. A backtest that can begin again may do without.
    pub(crate) const fn keep_states(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Whether a state was needed that was not kept: what followed means nothing.
    pub(crate) const fn missed_state(&self) -> bool {
        self.missed
    }

    /// How often the host stopped a strategy or a rule: what followed says something of the machine, too.
    pub(crate) const fn host_faults(&self) -> u64 {
        self.host_faults + self.rules.host_faults()
    }

    /// Moves the market to a quote that touches nobody.
    pub(crate) fn skip_to(&mut self, quote: &Quote) {
        self.market.set_last(quote);
    }

    /// The monitor, for a backtest that looks for the next quote that matters.
    pub(crate) const fn monitor(&mut self) -> &mut RuleBench {
        &mut self.rules
    }

    /// When the earliest rule or timer is due.
    pub(crate) fn next_due(&self) -> Millis {
        self.runners.next_timer().min(self.rules.next_due()).min(self.next_roll.max(Millis(0)))
    }

    /// Which market events a running strategy wants, if it runs.
    pub(crate) fn hooks(&self, deployment: DeploymentId) -> Option<Hooks> {
        self.runners.get(deployment).map(|r| r.hooks)
    }

    /// One order for everything that a quote can cause: days roll, then rules see the new equity, then
    /// strategies, so that a breach wins over a wish made on the same quote.
    fn market_moved(&mut self, quote: &Quote, closed: &[ClosedBar], fx: &mut Effects) {
        self.confirm(quote, fx);
        self.wake_by_time(fx);
        self.wake_by_equity(quote, fx);
        self.close_again(fx);
        self.close_killed_in(quote.instrument, fx);
        self.run_timers(fx);
        self.run_strategies(quote, closed, fx);
        if closed.iter().any(|c| c.timeframe == Timeframe::M1) {
            self.curve.begin_round(quote.instrument);
        }
    }

    /// Points of the equity curves that are due: one a minute for each account that the instrument moves, a few at a
    /// time. Nothing waits for them, so they are no part of what a quote causes.
    pub(crate) fn sample(&mut self, instrument: InstrumentId, fx: &mut Effects) {
        let at = self.market.now();
        let mut sampled = core::mem::take(&mut self.touched);
        self.curve.take(instrument, &mut sampled);
        for account in sampled.iter().filter_map(|id| self.state.accounts.get(id)) {
            let equity = crate::book::equity(account, &self.market);
            fx.points.push(EquityPoint { account: account.terms.id, at, balance: account.balance, equity });
        }
        self.touched = sampled;
    }

    /// The one way in which state changes.
    fn emit(&mut self, record: Record, fx: &mut Effects) {
        let revalued = record.revalues();
        if let Some(account) = revalued.and_then(|id| self.state.accounts.get(&id)) {
            self.rules.settle(account, &self.market);
        }
        self.state.apply(&record);
        if let Some(id) = revalued {
            self.rules.changed(id);
        }
        match &record {
            Record::PositionOpened(position) => self.curve.follow(position.instrument, position.account),
            Record::PositionClosed(position) => self.curve.unfollow(position.instrument, position.account),
            Record::Moved(moved) if moved.kind().is_funding() => self.rules.funded(moved.account(), moved.cash()),
            _ => {}
        }
        fx.records.push(record);
    }
}
