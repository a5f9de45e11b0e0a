//! The equity monitor: which accounts a quote or a moment can touch, and what their rules say then.
//!
//! Each rule names the equity below, the equity above and the time at which it wants to be asked again.
//! Between those levels it is never called.

use crate::{
    book,
    market::Market,
    port::{AccountView, Assessment, DayAnchor, Fault, OrderView, PluginHost, RiskRule},
    state::AccountState,
};
use marque_domain::{
    decision::Verdict,
    fixed::Money,
    id::{AccountId, InstrumentId},
    plugin::PluginRef,
    time::Millis,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long after a failed assessment the rule is asked again.
const RETRY_MS: i64 = 60_000;

/// When a rule wants to be asked again, and the best equity of its day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels {
    pub below: Money,
    pub above: Money,
    pub at: Millis,
    pub peak: Money,
}

impl Levels {
    const fn asleep(peak: Money) -> Self {
        Self { below: Money::MIN, above: Money::MAX, at: Millis(i64::MAX), peak }
    }
}

/// The running rules of a shard. A rule is a pure function of its settings and the account view, so one
/// instance serves every account that is bound to the same code and settings.
pub(crate) struct RuleBench {
    host: Arc<dyn PluginHost>,
    running: Vec<(PluginRef, Option<Box<dyn RiskRule>>)>,
    levels: BTreeMap<AccountId, Vec<Levels>>,
    exposed: BTreeMap<InstrumentId, BTreeSet<AccountId>>,
    /// The earliest `at` of all levels.
    due: Millis,
}

impl RuleBench {
    pub fn new(host: Arc<dyn PluginHost>) -> Self {
        Self { host, running: Vec::new(), levels: BTreeMap::new(), exposed: BTreeMap::new(), due: Millis(i64::MAX) }
    }

    /// Takes up an account: its rules sleep until [`RuleBench::assess`].
    pub fn enrol(&mut self, account: &AccountState, market: &Market) {
        let equity = book::equity(account, market);
        let levels = account
            .rules
            .iter()
            .map(|r| Levels::asleep(r.day.map_or(equity, |d| d.peak_equity.max(d.equity))))
            .collect();
        self.levels.insert(account.terms.id, levels);
        for position in &account.positions {
            self.exposed.entry(position.instrument).or_default().insert(account.terms.id);
        }
    }

    /// Takes note that the account's positions changed.
    pub fn positions_changed(&mut self, account: &AccountState, instrument: InstrumentId) {
        let holders = self.exposed.entry(instrument).or_default();
        if account.positions.iter().any(|p| p.instrument == instrument) {
            holders.insert(account.terms.id);
        } else {
            holders.remove(&account.terms.id);
        }
    }

    /// Accounts with a position in this instrument.
    pub fn exposed(&self, instrument: InstrumentId, out: &mut Vec<AccountId>) {
        out.clear();
        out.extend(self.exposed.get(&instrument).into_iter().flatten());
    }

    /// Takes an account's equity; collects the rules that want to be asked.
    pub fn touch(&mut self, account: AccountId, equity: Money, woken: &mut Vec<u16>) {
        for (index, level) in self.levels.get_mut(&account).into_iter().flatten().enumerate() {
            level.peak = level.peak.max(equity);
            if equity <= level.below || equity >= level.above {
                woken.push(u16::try_from(index).unwrap_or(u16::MAX));
            }
        }
    }

    /// Whether any rule wants to be asked by now because of the time.
    pub fn is_due(&self, now: Millis) -> bool {
        now >= self.due
    }

    /// The earliest time at which a rule wants to be asked.
    pub const fn next_due(&self) -> Millis {
        self.due
    }

    /// Rules whose time has come.
    pub fn take_due(&mut self, now: Millis, out: &mut Vec<(AccountId, u16)>) {
        out.clear();
        for (account, levels) in &self.levels {
            let due = levels.iter().enumerate().filter(|(_, level)| now >= level.at);
            out.extend(due.map(|(index, _)| (*account, u16::try_from(index).unwrap_or(u16::MAX))));
        }
    }

    /// The levels of an account's rules.
    pub fn levels(&self, account: AccountId) -> &[Levels] {
        self.levels.get(&account).map_or(&[], Vec::as_slice)
    }

    /// The best equity of each rule's day, to be restored later.
    pub fn peaks(&self) -> Vec<(AccountId, Vec<Money>)> {
        self.levels.iter().map(|(id, levels)| (*id, levels.iter().map(|l| l.peak).collect())).collect()
    }

    /// Puts peaks back.
    pub fn restore_peaks(&mut self, peaks: &[(AccountId, Vec<Money>)]) {
        for (account, peaks) in peaks {
            for (level, peak) in self.levels.get_mut(account).into_iter().flatten().zip(peaks) {
                level.peak = *peak;
            }
        }
    }

    /// Starts a new day for a rule: its peak is what the account is worth now.
    pub fn begin_day(&mut self, account: AccountId, rule: u16, equity: Money) {
        if let Some(level) = self.levels.get_mut(&account).and_then(|l| l.get_mut(usize::from(rule))) {
            level.peak = equity;
        }
    }

    /// The rule's day as it stands, with the peak so far.
    pub fn day(&self, account: &AccountState, index: usize) -> DayAnchor {
        let opened = DayAnchor {
            began_at: account.opened_at,
            next_at: Millis(i64::MAX),
            balance: account.terms.initial_balance,
            equity: account.terms.initial_balance,
            peak_equity: account.terms.initial_balance,
        };
        let anchor = account.rules.get(index).and_then(|r| r.day).unwrap_or(opened);
        let peak = self.levels(account.terms.id).get(index).map_or(anchor.peak_equity, |l| l.peak);
        DayAnchor { peak_equity: anchor.peak_equity.max(peak), ..anchor }
    }

    /// When the rule's next day begins after `now`, and when the current one began.
    pub fn day_bounds(&mut self, rule: &PluginRef, now: Millis) -> Result<Option<(Millis, Millis)>, Fault> {
        let rule = self.rule(rule)?;
        Ok(rule
            .day_reset()
            .map(|reset| (reset.zone.last_daily(now, reset.minute), reset.zone.next_daily(now, reset.minute))))
    }

    /// Asks a rule about an order. A fault throws the instance away; the next question gets a new one.
    pub fn check(&mut self, rule: &PluginRef, order: &OrderView, view: &AccountView<'_>) -> Verdict {
        let answer = self.rule(rule).and_then(|r| r.check(order, view));
        answer.unwrap_or_else(|fault| {
            self.discard(rule);
            Verdict::Fault(fault.to_string())
        })
    }

    /// Asks a rule about an account and sets its levels. After a fault it is asked again a minute later.
    pub fn assess(
        &mut self,
        account: AccountId,
        index: u16,
        rule: &PluginRef,
        view: &AccountView<'_>,
    ) -> Result<Assessment, Fault> {
        let answer = self.rule(rule).and_then(|r| r.assess(view));
        if answer.is_err() {
            self.discard(rule);
        }
        if let Some(level) = self.levels.get_mut(&account).and_then(|l| l.get_mut(usize::from(index))) {
            match &answer {
                Ok(a) => {
                    level.below = a.wake_below.unwrap_or(Money::MIN);
                    level.above = a.wake_above.unwrap_or(Money::MAX);
                    let at = a.wake_at.filter(|at| *at > view.now).unwrap_or(Millis(i64::MAX));
                    level.at = at.min(view.day.next_at);
                }
                Err(_) => *level = Levels { at: view.now.plus(RETRY_MS), ..Levels::asleep(level.peak) },
            }
        }
        self.due = self.levels.values().flatten().map(|l| l.at).min().unwrap_or(Millis(i64::MAX));
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

    fn discard(&mut self, rule: &PluginRef) {
        if let Some((_, slot)) = self.running.iter_mut().find(|(r, _)| r == rule) {
            *slot = None;
        }
    }
}
