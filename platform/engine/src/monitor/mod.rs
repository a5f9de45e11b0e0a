//! The equity monitor: which accounts a quote or a moment can touch, and what their rules say then.
//!
//! Each rule names the equity below, the equity above and the time at which it wants to be asked again.
//! Between those levels it is never called, and the account is not even looked at: the levels stand in a price index
//! ([`index`]) and a list of times, both sorted, so the work of a quote does not grow with accounts that it does not
//! concern.
//!
//! The best equity of a day is a level too, but one that a rising market would reach at every quote. For positions in
//! one instrument it follows from the best prices since the last look ([`extremes`]), so nobody looks; books of several
//! instruments are looked at when they reach a new peak.

mod drivers;
mod extremes;
mod index;
mod marks;

use crate::{
    book, margin,
    market::Market,
    port::{AccountView, Assessment, DayAnchor, Fault, OrderView, PluginHost, RiskRule},
    state::{AccountState, RuleState},
};
use drivers::Shape;
use index::{Footing, PriceIndex, Reach};
pub(crate) use marks::{PeakMarks, Peaks, Ranges};
use marque_domain::{bar::Quote, decision::Verdict, fixed::Money, id::AccountId, plugin::PluginRef, time::Millis};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long after a failed assessment the rule is asked again.
const RETRY_MS: i64 = 60_000;
/// Why an account is held while a rule gives no answer.
pub(crate) const RULE_SILENT: &str = "a rule of this account could not be asked; it is tried again every minute";

/// When a rule wants to be asked again, and the best equity of its day as far as it was settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    pub below: Money,
    pub above: Money,
    pub at: Millis,
    pub peak: Money,
    /// It gave no answer the last time, or was not asked yet.
    pub silent: bool,
}

impl Levels {
    const fn asleep(peak: Money) -> Self {
        Self { below: Money::MIN, above: Money::MAX, at: Millis(i64::MAX), peak, silent: false }
    }
}

/// An account as the monitor knows it.
#[derive(Debug, Default)]
struct Watched {
    /// One for each rule.
    levels: Vec<Levels>,
    footing: Footing,
    /// Its footing is out of date; it gets another before the next quote.
    stale: bool,
}

/// The running rules of a shard. A rule is a pure function of its settings and the account view, so one
/// instance serves every account that is bound to the same code and settings.
pub(crate) struct RuleBench {
    host: Arc<dyn PluginHost>,
    running: Vec<(PluginRef, Option<Box<dyn RiskRule>>)>,
    watched: BTreeMap<AccountId, Watched>,
    index: PriceIndex,
    /// When rules want to be asked, soonest first.
    due: BTreeSet<(Millis, AccountId, u16)>,
    stale: Vec<AccountId>,
    /// Accounts that something happened to since the last mark.
    touched: BTreeSet<AccountId>,
    /// How often the host stopped a rule.
    host_faults: u64,
}

impl RuleBench {
    pub fn new(host: Arc<dyn PluginHost>) -> Self {
        Self {
            host,
            running: Vec::new(),
            watched: BTreeMap::new(),
            index: PriceIndex::default(),
            due: BTreeSet::new(),
            stale: Vec::new(),
            touched: BTreeSet::new(),
            host_faults: 0,
        }
    }

    /// How often the host stopped a rule, or had no room for it.
    pub const fn host_faults(&self) -> u64 {
        self.host_faults
    }

    /// Takes up an account: its rules sleep until [`RuleBench::assess`]. What a rule said before a restart is in no mark but as
    /// far as it is a fact, so each counts as silent until it is asked: then nothing new passes the gate.
    pub fn enrol(&mut self, account: &AccountState, market: &Market) {
        let equity = book::equity(account, market);
        let peak = |r: &RuleState| r.day.map_or(equity, |d| d.peak_equity.max(d.equity));
        let levels = account.rules.iter().map(|r| Levels { silent: true, ..Levels::asleep(peak(r)) }).collect();
        self.watched.insert(account.terms.id, Watched { levels, ..Watched::default() });
        self.changed(account.terms.id);
    }

    /// Takes a quote; collects the accounts that it can concern, in the order of their ids.
    pub fn moved(
        &mut self,
        quote: &Quote,
        accounts: &BTreeMap<AccountId, AccountState>,
        market: &Market,
        out: &mut Vec<AccountId>,
    ) {
        self.place_stale(accounts, market);
        self.index.moved(quote, out);
    }

    /// Must be called before an account's positions or balance change: its best equity so far is that of the old ones.
    pub fn settle(&mut self, account: &AccountState, market: &Market) {
        let Some(best) = self.unsettled(account, market) else { return };
        let Some(watched) = self.watched.get_mut(&account.terms.id) else { return };
        watched.levels.iter_mut().for_each(|level| level.peak = level.peak.max(best));
        if let Some(trust) = watched.footing.trust() {
            let now = self.index.moment(trust.instrument);
            watched.footing.settled(now);
        }
    }

    /// Takes note that the account's positions, balance or levels are others: it is placed anew before the next quote.
    pub fn changed(&mut self, account: AccountId) {
        let Some(watched) = self.watched.get_mut(&account) else { return };
        if !watched.levels.is_empty() {
            self.touched.insert(account);
        }
        if !watched.stale {
            watched.stale = true;
            self.stale.push(account);
        }
    }

    /// Places the accounts that changed where their levels are.
    pub fn place_stale(&mut self, accounts: &BTreeMap<AccountId, AccountState>, market: &Market) {
        for id in core::mem::take(&mut self.stale) {
            let Some(account) = accounts.get(&id) else { continue };
            self.settle(account, market);
            let Some(watched) = self.watched.get_mut(&id) else { continue };
            watched.stale = false;
            let shape = drivers::shape(account, market);
            let reach = reach(watched, account, market, matches!(shape, Some(Shape::Sum { follows: Some(_), .. })));
            self.index.place(id, &mut watched.footing, shape.as_ref(), &reach);
        }
    }

    /// The best equity that quotes brought since the account was last settled, when that is worked out from prices.
    fn unsettled(&self, account: &AccountState, market: &Market) -> Option<Money> {
        let trust = self.watched.get(&account.terms.id)?.footing.trust()?;
        self.index.best_since(trust).map(|(bid, ask)| book::equity_at(account, bid, ask, market)).max()
    }

    /// Takes an account's equity; collects the rules that want to be asked.
    pub fn touch(&mut self, account: AccountId, equity: Money, woken: &mut Vec<u16>) {
        for (index, level) in self.watched.get_mut(&account).into_iter().flat_map(|w| w.levels.iter_mut()).enumerate() {
            level.peak = level.peak.max(equity);
            if equity <= level.below || equity >= level.above {
                woken.push(u16::try_from(index).unwrap_or(u16::MAX));
            }
        }
        self.changed(account);
    }

    /// The earliest time at which a rule wants to be asked.
    pub fn next_due(&self) -> Millis {
        self.due.first().map_or(Millis(i64::MAX), |(at, _, _)| *at)
    }

    /// The rules whose time has come, which stay due.
    pub fn due_by(&self, now: Millis) -> Vec<(AccountId, u16)> {
        let due = self.due.iter().take_while(|(at, _, _)| *at <= now);
        due.map(|(_, account, rule)| (*account, *rule)).collect()
    }

    /// Takes the rules whose time has come, in the order of accounts. Each must be asked, or given
    /// another time by [`RuleBench::rest`].
    pub fn take_due(&mut self, now: Millis, out: &mut Vec<(AccountId, u16)>) {
        out.clear();
        while self.next_due() <= now {
            let Some((_, account, index)) = self.due.pop_first() else { break };
            self.set(account, index, |level| level.at = Millis(i64::MAX));
            out.push((account, index));
        }
        out.sort_unstable();
    }

    /// Leaves a rule alone whatever equity does, until its next day.
    pub fn rest(&mut self, account: AccountId, index: u16, until: Millis) {
        self.set(account, index, |level| *level = Levels { at: until, ..Levels::asleep(level.peak) });
    }

    /// Takes note that money came from or went to the outside: marks move with it, and every rule is asked at the next
    /// look at the time.
    pub fn funded(&mut self, account: AccountId, amount: Money) {
        for index in 0..u16::try_from(self.levels(account).len()).unwrap_or(u16::MAX) {
            self.set(account, index, |level| {
                level.peak = level.peak.saturating_add(amount);
                level.at = Millis(i64::MIN);
            });
        }
    }

    /// The levels of an account's rules.
    pub fn levels(&self, account: AccountId) -> &[Levels] {
        self.watched.get(&account).map_or(&[], |watched| watched.levels.as_slice())
    }

    /// Starts a new day for a rule: its peak is what the account is worth now.
    pub fn begin_day(&mut self, account: &AccountState, rule: u16, equity: Money, market: &Market) {
        self.settle(account, market);
        self.set(account.terms.id, rule, |level| level.peak = equity);
    }

    /// The rule's day as it stands, with the peak so far.
    pub fn day(&self, account: &AccountState, market: &Market, index: usize) -> DayAnchor {
        let opened = DayAnchor {
            began_at: account.opened_at,
            next_at: Millis(i64::MAX),
            balance: account.facts.capital,
            equity: account.facts.capital,
            peak_equity: account.facts.capital,
        };
        let anchor = account.rules.get(index).and_then(|r| r.day).unwrap_or(opened);
        let peak = self.levels(account.terms.id).get(index).map_or(anchor.peak_equity, |l| l.peak);
        let best = self.unsettled(account, market).unwrap_or(Money::MIN);
        DayAnchor { peak_equity: anchor.peak_equity.max(peak).max(best), ..anchor }
    }

    /// The same day as it would stand after money has moved, so much of it from or to the outside: that moves the marks.
    pub fn day_after(
        &self,
        (before, after): (&AccountState, &AccountState),
        market: &Market,
        index: usize,
        funded: Money,
    ) -> DayAnchor {
        let (day, capital) = (self.day(before, market, index), after.facts.capital);
        let opened = DayAnchor { balance: capital, equity: capital, peak_equity: capital, ..day };
        let anchor = after.rules.get(index).and_then(|r| r.day).unwrap_or(opened);
        let peak = day.peak_equity.saturating_add(funded);
        DayAnchor { peak_equity: anchor.peak_equity.max(peak), ..anchor }
    }

    /// Changes a rule's levels and keeps what is sorted by them in order.
    fn set(&mut self, account: AccountId, index: u16, change: impl FnOnce(&mut Levels)) {
        let levels = self.watched.get_mut(&account).map(|watched| &mut watched.levels);
        let Some(level) = levels.and_then(|levels| levels.get_mut(usize::from(index))) else { return };
        let before = level.at;
        change(level);
        let after = level.at;
        if before != after {
            self.due.remove(&(before, account, index));
            if after < Millis(i64::MAX) {
                self.due.insert((after, account, index));
            }
        }
        self.changed(account);
    }

    /// When the rule's next day begins after `now`, and when the current one began.
    pub fn day_bounds(&mut self, rule: &PluginRef, now: Millis) -> Result<Option<(Millis, Millis)>, Fault> {
        let rule = self.rule(rule)?;
        Ok(rule
            .day_reset()
            .map(|reset| (reset.zone.last_daily(now, reset.minute), reset.zone.next_daily(now, reset.minute))))
    }

    /// Whether the rule asks for facts of its days.
    pub fn wants_days(&mut self, rule: &PluginRef) -> bool {
        self.rule(rule).is_ok_and(|r| r.wants_days())
    }

    /// Asks a rule about an order. A fault throws the instance away; the next question gets a new one.
    pub fn check(&mut self, rule: &PluginRef, order: &OrderView, view: &AccountView<'_>) -> Verdict {
        let answer = self.rule(rule).and_then(|r| r.check(order, view));
        answer.unwrap_or_else(|fault| {
            self.discard(rule, &fault);
            Verdict::Fault(fault.to_string())
        })
    }

    /// Whether a rule of an account gave no answer when it was asked last, or was not asked yet.
    pub fn is_any_silent(&self, account: AccountId) -> bool {
        self.watched.get(&account).is_some_and(|watched| watched.levels.iter().any(|level| level.silent))
    }

    /// Asks a rule about an account and sets its levels. After a fault it is asked again a minute later, or when its day
    /// begins: that must not come late.
    pub fn assess(
        &mut self,
        account: AccountId,
        index: u16,
        rule: &PluginRef,
        view: &AccountView<'_>,
    ) -> Result<Assessment, Fault> {
        let answer = self.rule(rule).and_then(|r| r.assess(view));
        if let Err(fault) = &answer {
            self.discard(rule, fault);
        }
        self.set(account, index, |level| match &answer {
            Ok(a) => {
                level.below = a.wake_below.unwrap_or(Money::MIN);
                level.above = a.wake_above.unwrap_or(Money::MAX);
                let at = a.wake_at.filter(|at| *at > view.now).unwrap_or(Millis(i64::MAX));
                level.at = at.min(view.day.next_at);
                level.silent = false;
            }
            Err(_) => {
                let at = view.now.plus(RETRY_MS).min(view.day.next_at);
                *level = Levels { at, silent: true, ..Levels::asleep(level.peak) };
            }
        });
        answer
    }

    /// Asks a rule about an account as it is not (yet): its levels stay.
    pub fn foresee(&mut self, rule: &PluginRef, view: &AccountView<'_>) -> Result<Assessment, Fault> {
        let answer = self.rule(rule).and_then(|r| r.assess(view));
        if let Err(fault) = &answer {
            self.discard(rule, fault);
        }
        answer
    }

    fn rule(&mut self, rule: &PluginRef) -> Result<&mut Box<dyn RiskRule>, Fault> {
        let index = match self.running.iter().position(|(r, _)| r == rule) {
            Some(index) => index,
            None => {
                self.running.push((rule.clone(), None));
                self.running.len() - 1
            }
        };
        let gone = || Fault::Host("the rule is not running".to_owned());
        let (_, slot) = self.running.get_mut(index).ok_or_else(gone)?;
        if slot.is_none() {
            *slot = Some(self.host.rule(rule)?);
        }
        slot.as_mut().ok_or_else(gone)
    }

    fn discard(&mut self, rule: &PluginRef, fault: &Fault) {
        self.host_faults += u64::from(matches!(fault, Fault::Host(_)));
        if let Some((_, slot)) = self.running.iter_mut().find(|(r, _)| r == rule) {
            *slot = None;
        }
    }
}

/// An account's levels taken together. A new peak is one of them unless it can be worked out from prices.
fn reach(watched: &Watched, account: &AccountState, market: &Market, peak_follows: bool) -> Reach {
    let levels = &watched.levels;
    let above = levels.iter().map(|l| l.above).min().unwrap_or(Money::MAX);
    let next_peak = levels.iter().map(|l| l.peak).min().map_or(Money::MAX, |p| p.saturating_add(Money::from_units(1)));
    let (call, calm) = margin::levels(account, market);
    let above = above.min(calm);
    Reach {
        equity: book::equity(account, market),
        below: levels.iter().map(|l| l.below).max().unwrap_or(Money::MIN).max(call),
        above: if peak_follows { above } else { above.min(next_peak) },
        positions: account.positions.len(),
    }
}
