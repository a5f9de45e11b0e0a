//! Orders that were on their way when what they were for ended, and closes that are required and came to nothing.
//!
//! What waits at the venue or has not left is withdrawn at once by whatever wants it gone: a switch, a rule, the end of its
//! strategy, the other order of its pair. Of what is on its way nobody knows whether it is there, so there is nothing to
//! withdraw yet. When the venue says that it has it, it is withdrawn then; when the venue never had it, it is not sent after all. What
//! of it trades nevertheless is booked, and closed again where the account must be flat ([`Shard::book_changed`]). A stop-out
//! withdraws nothing, so nothing of it is made up for here: a fill looks at the margin by itself.
//!
//! A close that a rule, the margin or a switch requires may be refused, or be lost on its way. Nobody asks about an account that
//! has failed, and of any other only a level that is reached would; so the account is looked at again a moment later, at growing
//! waits. Until then the venue is asked for no other close of that position: not at the next quote, which reaches the same level
//! or finds the same switch on, nor in the event that brought the refusal. Who presses a switch anew does not wait.

use super::{Shard, kill::WITHDRAWN};
use crate::{
    event::Effects,
    port::Standing,
    state::{AccountState, RuleState},
};
use marque_domain::{
    account::{AccountStatus, Deployment, DeploymentStatus},
    fixed::Lots,
    id::{AccountId, OrderId, PositionId},
    order::{Order, OrderStep, Origin, Position, Purpose},
    time::Millis,
};
use std::collections::BTreeSet;

/// How long a close that came to nothing waits for the next one at first and at most, in market time. The wait doubles each time.
const CLOSE_WAIT_MS_MIN: i64 = 1_000;
const CLOSE_WAIT_MS_MAX: i64 = 300_000;
/// After so long without one the next begins with the shortest wait again.
const CLOSE_WINDOW_MS: i64 = 2 * CLOSE_WAIT_MS_MAX;

/// A position that must be closed, and of which a close came to nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unclosed {
    tries: u32,
    failed_at: Millis,
    /// When its account is looked at again; none once it was.
    again_at: Option<Millis>,
    /// Whether no other is wanted until then. A close that its owner wanted says nothing of one that is required.
    rests: bool,
}

impl Unclosed {
    /// One more close came to nothing, of its owner's or a required one.
    fn after(before: Option<Self>, now: Millis, required: bool) -> Self {
        let recent = before.filter(|before| now.since(before.failed_at) < CLOSE_WINDOW_MS);
        let tries = recent.map_or(0, |before| before.tries.saturating_add(1));
        let wait = (CLOSE_WAIT_MS_MIN << tries.min(30)).min(CLOSE_WAIT_MS_MAX);
        Self { tries, failed_at: now, again_at: Some(now.plus(wait)), rests: required }
    }
}

impl Shard {
    /// The venue says that it has an order, or that it has begun to trade: it is withdrawn if nobody wants it any more.
    pub(super) fn arrived(&mut self, id: OrderId, fx: &mut Effects) {
        let Some(order) = self.state.order(id).filter(|o| o.is_working()) else { return };
        if let Some(reason) = self.unwanted(order) {
            return self.ended(id, OrderStep::Cancel, reason.to_owned(), fx);
        }
        let (account, opens) = (order.account, order.purpose == Purpose::Open);
        let flat = |a: &AccountState| a.rules.iter().any(wants_flat);
        if opens && self.state.routed(id).is_some() && self.state.accounts.get(&account).is_some_and(flat) {
            // A rule closed everything before this was there: it says whether it still wants that, and of which instruments.
            self.ask_all(account, fx);
        }
    }

    /// Why an order that was on its way is not wanted any more. Our own venue answers in one breath with the order, so that
    /// nothing but a switch comes between.
    fn unwanted(&self, order: &Order) -> Option<&'static str> {
        if self.is_killed(order) {
            return Some(WITHDRAWN);
        }
        self.state.routed(order.id)?;
        let gone = |id: PositionId| self.state.position(id).is_none();
        let pointless = match order.purpose {
            Purpose::Open => return self.unopened(order),
            Purpose::Close(position) => gone(position),
            Purpose::CloseBy { position, by } => gone(position) || gone(by),
        };
        pointless.then_some("its position was closed")
    }

    /// Why an order that opens is not wanted any more, whatever switches say.
    fn unopened(&self, order: &Order) -> Option<&'static str> {
        let account = self.state.accounts.get(&order.account)?;
        if matches!(account.status, AccountStatus::Failed(_)) {
            return Some("a rule wants the account flat");
        }
        let runs = |d: &Deployment| d.status == DeploymentStatus::Running;
        if order.deployment.is_some_and(|id| !self.state.deployments.get(&id).is_some_and(runs)) {
            return Some("its strategy was stopped");
        }
        order.oco.filter(|group| has_traded(account, *group, order.id)).map(|_| "the other order of its pair traded")
    }

    /// Why an order that never reached the venue is not sent after all.
    pub(super) fn forgone(&self, order: &Order) -> Option<&'static str> {
        self.unwanted(order).or_else(|| {
            self.state.routed(order.id)?;
            let account = self.state.accounts.get(&order.account)?;
            let held = order.purpose == Purpose::Open && account.status != AccountStatus::Active;
            held.then_some("the account takes no new orders just now")
        })
    }

    /// Takes note of an order that ended before all of it traded: where it was to close what must be closed, that is still open.
    pub(super) fn came_to_nothing(&mut self, order: &Order) {
        let Some(account) = self.state.accounts.get(&order.account) else { return };
        let required = matches!(order.origin, Origin::Rule | Origin::StopOut | Origin::KillSwitch);
        let all = required || must_be_flat(account);
        let must = |p: &Position| all || self.state.must_close(p.account, p.instrument, p.deployment);
        let open = account.positions.iter().filter(|p| order.purpose.closes(p.id) && must(p));
        for position in open.map(|p| p.id).collect::<Vec<PositionId>>() {
            // One that traded in part was not in vain: the next waits the shortest.
            let before = self.unclosed.get(&position).copied().filter(|_| order.filled.is_zero());
            self.unclosed.insert(position, Unclosed::after(before, self.market.now(), required));
        }
    }

    /// Whether a required close of this position came to nothing a moment ago, so that the next one waits.
    pub(super) fn rests(&self, position: PositionId) -> bool {
        let now = self.market.now();
        self.unclosed
            .get(&position)
            .is_some_and(|unclosed| unclosed.rests && unclosed.again_at.is_some_and(|at| at > now))
    }

    /// Looks again at accounts of which a required close came to nothing a while ago, as when their book changes: who still wants it
    /// closed says so. A restart looks at all accounts, so this is in no mark.
    pub(super) fn close_again(&mut self, fx: &mut Effects) {
        if self.unclosed.is_empty() {
            return;
        }
        let (now, state) = (self.market.now(), &self.state);
        self.unclosed.retain(|id, _| state.position(*id).is_some());
        let mut due: BTreeSet<AccountId> = BTreeSet::new();
        for (position, unclosed) in &mut self.unclosed {
            if unclosed.again_at.is_some_and(|at| at <= now) {
                unclosed.again_at = None;
                due.extend(state.position(*position).map(|p| p.account));
            }
        }
        for account in due {
            self.book_changed(account, fx);
        }
    }
}

/// Whether what a rule said last is that everything, or something, is to be closed.
fn wants_flat(rule: &RuleState) -> bool {
    rule.last.as_ref().is_some_and(|last| last.standing == Standing::Flatten)
}

fn must_be_flat(account: &AccountState) -> bool {
    matches!(account.status, AccountStatus::Failed(_)) || account.rules.iter().any(wants_flat)
}

/// Whether another order of a group has traded, in part or whole.
fn has_traded(account: &AccountState, group: OrderId, but: OrderId) -> bool {
    let ended = account.routed.values().filter_map(|routed| routed.ended.as_ref());
    let others = account.orders.iter().chain(ended).filter(|o| o.id != but && o.group() == group);
    others.map(|o| o.filled).any(|filled| filled > Lots::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_that_come_to_nothing_wait_twice_as_long_each_time_up_to_five_minutes() {
        let (mut unclosed, mut now, mut waits) = (None, Millis(0), Vec::new());
        for _ in 0..11 {
            let next = Unclosed::after(unclosed, now, true);
            let at = next.again_at.unwrap_or(now);
            waits.push(at.since(now) / 1_000);
            (unclosed, now) = (Some(next), at);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let later = Unclosed::after(unclosed, now.plus(CLOSE_WINDOW_MS), true);
        assert_eq!(later.tries, 0);
    }
}
