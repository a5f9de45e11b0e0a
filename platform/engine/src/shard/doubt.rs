//! A breach on a single price that does not look like one.
//!
//! A bad tick must not end an account for good, nor close what it holds. The tape says which quotes jump out of what the market
//! did before, of instruments that are held and of those that convert; a breach that rests on one is not acted on at once: the
//! account takes no new orders, and the next price of the instrument decides. When the market stays where the jump took it, the
//! breach stands, with the equity that was seen; when it comes back, the quote was a phantom and the account goes on.

use super::Shard;
use crate::{
    book,
    convert::Route,
    event::{Effects, Record},
    market::Market,
    monitor::RULE_SILENT,
    port::{Assessment, Standing},
    state::AccountState,
};
use marque_domain::{
    account::AccountStatus,
    bar::Quote,
    fixed::Money,
    id::{AccountId, InstrumentId},
};

/// How the reason begins for which an account is held while a price is confirmed.
const CONFIRMING: &str = "a price is being confirmed";

/// A breach that waits for the next price.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    account: AccountId,
    instrument: InstrumentId,
    /// The last quote that looked right, and the one that does not.
    before: Quote,
    jumped: Quote,
    rule: u16,
    assessment: Assessment,
    equity: Money,
}

/// Twice the middle of a quote: exact.
const fn middle(quote: &Quote) -> i64 {
    quote.bid.units().saturating_add(quote.ask.units())
}

/// The instruments whose prices an account's equity follows: those it holds, and those that convert what they earn.
fn movers(account: &AccountState, market: &Market) -> Vec<InstrumentId> {
    let mut movers = Vec::new();
    for position in &account.positions {
        let quoted = market.instrument(position.instrument).map(|i| i.quote);
        let route = quoted.and_then(|quote| market.route(quote, account.terms.currency));
        movers.push(position.instrument);
        movers.extend(route.into_iter().flat_map(Route::legs).map(|leg| leg.instrument));
    }
    movers
}

fn held_for_a_price(status: &AccountStatus) -> bool {
    matches!(status, AccountStatus::Held(reason) if reason.starts_with(CONFIRMING))
}

impl Shard {
    /// Whether what a rule wants done rests on a price that is not confirmed yet. If so the account is held, and nothing else
    /// follows from the answer. What was in doubt is looked at anew each time: other prices may make it a breach without the jump,
    /// and the market that jumped may be closed until Monday.
    pub(super) fn doubts(&mut self, account: AccountId, rule: u16, assessment: &Assessment, fx: &mut Effects) -> bool {
        let (Some(state), Some(floor)) = (self.state.accounts.get(&account), assessment.floor) else { return false };
        // What would be a breach without the jump is one.
        let explains = |before: &Quote| book::equity_before(state, before, &self.market) > floor;
        let known = self.doubts.iter().position(|d| d.account == account && d.rule == rule);
        if known.and_then(|at| self.doubts.get(at)).is_some_and(|doubt| explains(&doubt.before)) {
            return true;
        }
        let moved = movers(state, &self.market);
        let jump = moved.into_iter().filter_map(|id| self.market.jump(id)).find(|(before, _)| explains(before));
        if let Some(at) = known {
            self.doubts.remove(at);
        }
        let Some((before, jumped)) = jump else {
            if known.is_some() && assessment.standing == Standing::Flatten {
                self.goes_on(account, fx);
            }
            return false;
        };
        let equity = book::equity(state, &self.market);
        let reason = format!(
            "{CONFIRMING}: at {} the bid went from {} to {}, and equity to {equity:.2}; the next price decides",
            jumped.at.to_rfc3339(),
            before.bid,
            jumped.bid
        );
        let held = self.doubts.iter().any(|d| d.account == account);
        let (instrument, assessment) = (jumped.instrument, assessment.clone());
        self.doubts.push(Doubt { account, instrument, before, jumped, rule, assessment, equity });
        if !held {
            let at = self.market.now();
            self.emit(Record::AccountChanged { account, status: AccountStatus::Held(reason), at }, fx);
        }
        true
    }

    /// Whether an account is at or below this equity only because of a price that is being confirmed.
    pub(super) fn is_doubtful(&self, account: &AccountState, level: Money) -> bool {
        let of = self.doubts.iter().filter(|d| d.account == account.terms.id);
        of.map(|d| book::equity_before(account, &d.before, &self.market)).any(|equity| equity > level)
    }

    /// Decides the doubts about an instrument by its next quote.
    pub(super) fn confirm(&mut self, quote: &Quote, fx: &mut Effects) {
        if self.doubts.is_empty() {
            return;
        }
        let decided = |doubt: &Doubt| doubt.instrument == quote.instrument && doubt.jumped != *quote;
        let (decided, waiting) = core::mem::take(&mut self.doubts).into_iter().partition(decided);
        self.doubts = waiting;
        for doubt in decided {
            let away = |from: &Quote| middle(quote).saturating_sub(middle(from)).saturating_abs();
            let stays = away(&doubt.jumped) <= away(&doubt.before);
            if stays { self.breach_stands(doubt, fx) } else { self.was_phantom(doubt.account, fx) }
        }
    }

    fn breach_stands(&mut self, doubt: Doubt, fx: &mut Effects) {
        let Doubt { account, rule, assessment, equity, .. } = doubt;
        let failed = |a: &AccountState| matches!(a.status, AccountStatus::Failed(_));
        if self.state.accounts.get(&account).is_none_or(failed) {
            return;
        }
        let (standing, reason, at) = (assessment.standing, assessment.reason.clone(), self.market.now());
        let only = assessment.only.clone();
        self.emit(Record::Assessed { account, rule, assessment, equity, at }, fx);
        if standing == Standing::Flatten {
            self.goes_on(account, fx);
            self.flatten(account, &only, fx);
            self.ask_all(account, fx);
        } else {
            self.fail(account, reason, fx);
        }
    }

    fn was_phantom(&mut self, account: AccountId, fx: &mut Effects) {
        self.goes_on(account, fx);
        self.ask_all(account, fx);
    }

    /// No price of the account is in doubt any more: it goes on, unless a rule has fallen silent meanwhile.
    fn goes_on(&mut self, account: AccountId, fx: &mut Effects) {
        let held = self.state.accounts.get(&account).is_some_and(|a| held_for_a_price(&a.status));
        if held && self.doubts.iter().all(|d| d.account != account) {
            let (at, silent) = (self.market.now(), self.rules.is_any_silent(account));
            let status = if silent { AccountStatus::Held(RULE_SILENT.to_owned()) } else { AccountStatus::Active };
            self.emit(Record::AccountChanged { account, status, at }, fx);
        }
    }

    /// After a restart: an account that was held for a price, and whose rules do not doubt it any more, goes on.
    pub(super) fn settle_doubts(&mut self, fx: &mut Effects) {
        let held = self.state.accounts.iter().filter(|(_, a)| held_for_a_price(&a.status)).map(|(id, _)| *id);
        let held: Vec<AccountId> = held.filter(|id| self.doubts.iter().all(|d| d.account != *id)).collect();
        for account in held {
            self.was_phantom(account, fx);
        }
    }
}
