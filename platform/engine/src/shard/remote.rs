//! What a venue with books of its own says, and what it is asked.
//!
//! Three laws. *An execution counts once*: by its id, whether it is told twice, told again in an answer, or replayed. *What
//! the venue confirms is never dropped*: money moved there, so it is taken into the book as it happened, and where it is not
//! what was ordered that is a record of its own. *What the venue was told is in question until it answers*: a question goes
//! out again at growing waits of market time, never the order itself, and when nobody answers the account takes no new
//! risk and a person is told. While an order that closes is in question nothing else closes its position, so that question never ends.

use super::{Shard, fills::Fill};
use crate::{
    event::{Effects, Record},
    port::VenueReport,
    routed::{Asking, Dispute, DisputeKind},
};
use marque_domain::{
    execution::ExecutionId,
    fixed::{Lots, Money, Price},
    id::{OrderId, PositionId},
    order::{Order, OrderState, OrderStep, Origin, Purpose},
    ticket::OrderKind,
};
use std::collections::BTreeSet;

/// Questions that go out again with one event at most.
const ASKS_PER_EVENT: usize = 64;
/// For so long after it was withdrawn here, an order of which the venue has not heard may still be on its way there.
const LATE_MS_MAX: i64 = 15_000;
/// Why an order ended, when the venue's account of it says no more.
const OVER_THERE: &str = "the venue ended it";

/// One execution as a venue tells it.
pub(super) struct Execution {
    pub id: ExecutionId,
    pub lots: Lots,
    pub price: Price,
    pub commission: Money,
}

impl Shard {
    /// Says whether the shard's venue keeps books of its own: from then on what such a venue says is remembered.
    pub(crate) const fn trades_at_remote(&mut self, remote: bool) {
        self.remote = remote;
    }

    /// An approved order is on its way out.
    pub(super) fn route(&mut self, order: &Order, fx: &mut Effects) {
        if self.remote {
            self.emit(Record::Routed { account: order.account, order: order.id }, fx);
        }
    }

    /// A question about an order goes out now, as if none had before. A venue without books of its own answers at once.
    pub(super) fn inquire(&mut self, id: OrderId, fx: &mut Effects) {
        if self.state.routed(id).is_none() {
            return fx.queries.push(id);
        }
        self.ask_from(id, Asking::default(), fx);
    }

    fn ask_from(&mut self, id: OrderId, before: Asking, fx: &mut Effects) {
        let at = self.market.now();
        let mut asking = before.again(at);
        if asking.is_given_up() && self.state.order(id).is_some_and(|o| o.purpose != Purpose::Open) {
            // That somebody must look is said once.
            if !before.is_unanswered() {
                self.note(id, asking, fx);
            }
            asking = Asking::nevertheless(at);
        }
        self.note(id, asking, fx);
        if !asking.is_given_up() {
            fx.queries.push(id);
        }
    }

    fn note(&mut self, order: OrderId, asking: Asking, fx: &mut Effects) {
        if let Some((account, _)) = self.state.routed(order) {
            self.emit(Record::Asked { account, order, asking, at: self.market.now() }, fx);
        }
    }

    /// Something was told to the venue about an order or its position: it is in question whether that arrived.
    pub(super) fn question(&mut self, id: OrderId, fx: &mut Effects) {
        if self.state.routed(id).is_some_and(|(_, routed)| routed.asking.is_none()) {
            self.note(id, Asking::soon(self.market.now()), fx);
        }
    }

    /// Reports may have been missed: everything that can still happen at the venue is in question, a part of it at once.
    pub(super) fn question_all(&mut self, fx: &mut Effects) {
        let now = self.market.now();
        // What was asked at this very moment is not asked twice.
        let (at_once, just_asked) = (Asking::at_once(now), Asking::default().again(now));
        let mut open: Vec<OrderId> = Vec::new();
        for account in self.state.accounts.values() {
            let may_move = |id: OrderId| account.order(id).is_some() || account.position(PositionId(id.0)).is_some();
            let routed = account.routed.iter().filter(|(_, routed)| routed.asking != Some(just_asked));
            let in_question = routed.filter(|(id, r)| r.asking.is_some() || r.may_come_late() || may_move(**id));
            open.extend(in_question.map(|(id, _)| *id));
        }
        for order in open {
            self.note(order, at_once, fx);
        }
        self.ask_again(fx);
    }

    /// Questions that got no answer in time go out again.
    pub(super) fn ask_again(&mut self, fx: &mut Effects) {
        let now = self.market.now();
        if now < self.state.next_question() {
            return;
        }
        for order in self.state.questions_due(now, ASKS_PER_EVENT) {
            let asking = self.state.routed(order).and_then(|(_, routed)| routed.asking);
            self.ask_from(order, asking.unwrap_or_default(), fx);
        }
    }

    /// Whether there was an open question, which is answered now.
    fn answered(&mut self, order: OrderId, over: bool, fx: &mut Effects) -> bool {
        let Some((account, routed)) = self.state.routed(order) else { return false };
        let asked = routed.asking.is_some();
        if asked {
            self.emit(Record::Answered { account, order, over, at: self.market.now() }, fx);
        }
        asked
    }

    /// The venue tells all that it knows of an order.
    pub(super) fn found(&mut self, id: OrderId, said: Vec<VenueReport>, waits: Option<OrderKind>, fx: &mut Effects) {
        for report in said {
            match report {
                VenueReport::Exited { position, execution: Some((id, lots)), origin, price, commission } => {
                    self.left(position, origin, Execution { id, lots, price, commission }, true, fx);
                }
                // An answer holds no answers.
                VenueReport::Found { .. } | VenueReport::NotFound { .. } | VenueReport::Gap => {}
                report => self.report(report, fx),
            }
        }
        let asked = self.answered(id, waits.is_none(), fx);
        let Some(order) = self.state.remembered(id) else { return };
        let (state, kind, ended) = (order.state, order.kind, order.state.is_final());
        let guards = self.state.position(PositionId(id.0)).is_some();
        match waits {
            Some(_) if matches!(state, OrderState::Sending | OrderState::Unknown) => self.acked(id, fx),
            // It was withdrawn or changed here, and the venue has not heard.
            Some(there) if ended || there != kind => {
                fx.restated.push(id);
                self.question(id, fx);
            }
            None if !ended => self.ended_there(id, OrderStep::Cancel, OVER_THERE.to_owned(), fx),
            Some(_) | None if asked && guards => fx.restated.push(id),
            Some(_) | None => {}
        }
    }

    /// Asked about an order, a venue with its own books has never heard of it. One that was withdrawn a moment ago may have been
    /// faster than its withdrawal but slower than the question: that question stays open.
    pub(super) fn unheard_of(&mut self, id: OrderId, fx: &mut Effects) {
        let now = self.market.now();
        let late = |order: &Order| order.state.is_final() && now.since(order.updated_at) <= LATE_MS_MAX;
        if self.state.remembered(id).is_some_and(late) {
            return;
        }
        self.answered(id, false, fx);
        // Any other is on its way (again), or over.
        if self.state.order(id).is_some_and(Order::is_working) {
            self.ended_there(id, OrderStep::Cancel, "the venue does not have it any more".to_owned(), fx);
        }
    }

    /// Whether an order may go out again now: once in a moment. A venue that loses it and denies it in one breath would have it
    /// go round for ever; it is asked again later.
    pub(super) fn renews(&mut self, id: OrderId) -> bool {
        let now = self.market.now();
        if self.renewed.0 != now {
            self.renewed = (now, BTreeSet::new());
        }
        self.state.routed(id).is_none() || self.renewed.1.insert(id)
    }

    /// The venue ended an order: there is nothing to be asked about.
    pub(super) fn ended_there(&mut self, id: OrderId, step: OrderStep, reason: String, fx: &mut Effects) {
        let Some(state) = self.state.order(id).map(|o| o.state) else { return };
        // What traded in part is not refused any more; its rest ends.
        let step = if state.after(step).is_ok() { step } else { OrderStep::Cancel };
        self.end(id, step, reason, fx);
    }

    /// An acknowledgement of an order that ended here: the venue may not have heard that it did.
    pub(super) fn acked_late(&mut self, id: OrderId, fx: &mut Effects) {
        let over = |o: &Order| matches!(o.state, OrderState::Cancelled | OrderState::Rejected);
        if self.state.remembered(id).is_some_and(over) {
            self.question(id, fx);
        }
    }

    /// An execution of an order, as a venue with its own books tells it.
    pub(super) fn executed(&mut self, id: OrderId, execution: Execution, fx: &mut Effects) {
        let Execution { lots, price, commission, .. } = execution;
        let known = self.state.routed(id).map(|(account, routed)| (account, routed.knows(&execution.id)));
        let Some((account, known)) = known else {
            return self.dispute(DisputeKind::UnknownOrder, id, &execution, lots, fx);
        };
        if known || lots <= Lots::ZERO {
            return;
        }
        let at = self.market.now();
        self.emit(Record::Executed { account, order: id, execution: execution.id.clone(), lots, price, at }, fx);
        // An order that trades has reached the venue, whatever was thought of it.
        self.advance(id, OrderStep::Send, |_| {}, fx);
        let fits = self.state.order(id).map_or(Lots::ZERO, |order| self.fitting(order, lots));
        if fits > Lots::ZERO {
            self.traded(id, fits, price, commission, fx);
            self.arrived(id, fx);
        }
        let beyond = lots.saturating_sub(fits);
        if beyond > Lots::ZERO {
            let commission = if fits.is_zero() { commission } else { Money::ZERO };
            self.traded_beyond(id, Execution { lots: beyond, commission, ..execution }, fx);
        }
    }

    /// How much of a fill an order and the book can take as it was ordered.
    fn fitting(&self, order: &Order, lots: Lots) -> Lots {
        let open = |position: PositionId| self.state.position(position).map_or(Lots::ZERO, |p| p.lots);
        let most = match order.purpose {
            Purpose::Open => lots,
            Purpose::Close(position) => lots.min(open(position)),
            Purpose::CloseBy { position, by } => lots.min(open(position)).min(open(by)),
        };
        most.min(order.remaining())
    }

    /// A fill that the order or the book has no room for: it happened, so it is booked, and said aloud.
    fn traded_beyond(&mut self, id: OrderId, execution: Execution, fx: &mut Effects) {
        let Some(mut order) = self.state.remembered(id).cloned() else { return };
        let Execution { lots, price, commission, .. } = execution;
        let left = order.remaining();
        let late = order.state.is_final() && lots <= left;
        let kind = if late { DisputeKind::FilledAfterEnd } else { DisputeKind::Overfilled };
        self.dispute(kind, id, &execution, lots, fx);
        let part = lots.min(left);
        if part > Lots::ZERO {
            let step = if part == left { OrderStep::FillAll } else { OrderStep::FillPart };
            // What has ended stays what it ended as, and says how much of it traded.
            order.state = order.state.after(step).unwrap_or(order.state);
            order.fill(part, price);
            order.reason = Some(format!("{part} lots of it traded at the venue nevertheless"));
            order.updated_at = self.market.now();
            self.emit(Record::OrderMoved(order.clone()), fx);
        }
        let fill = Fill { order: id, lots, price, origin: order.origin };
        match order.purpose {
            Purpose::Open => self.entered(&order, fill, commission, fx),
            Purpose::Close(position) => self.closed_beyond(&order, position, fill, commission, fx),
            Purpose::CloseBy { position, by } => {
                // Two positions against each other: what one of them does not have leaves nothing behind.
                let open = |id: PositionId| self.state.position(id).map_or(Lots::ZERO, |p| p.lots);
                let fill = Fill { lots: lots.min(open(position)).min(open(by)), ..fill };
                if fill.lots > Lots::ZERO {
                    self.close(position, fill, commission, fx);
                    self.close(by, fill, Money::ZERO, fx);
                }
            }
        }
    }

    /// More was closed than is open: the rest stands the other way.
    fn closed_beyond(&mut self, order: &Order, id: PositionId, fill: Fill, commission: Money, fx: &mut Effects) {
        let held = self.state.position(id).map_or(Lots::ZERO, |p| p.lots);
        let closes = fill.lots.min(held);
        let rest = Fill { lots: fill.lots.saturating_sub(closes), ..fill };
        let charged = if rest.lots.is_zero() { Money::ZERO } else { commission };
        if closes > Lots::ZERO {
            self.close(id, Fill { lots: closes, ..fill }, commission.saturating_sub(charged), fx);
        }
        if rest.lots > Lots::ZERO {
            self.entered(order, rest, charged, fx);
        }
    }

    /// A level at a venue with its own books closed so much of a position. What does not fit to what is known of the
    /// position is asked about; when the venue's whole account of it does not explain it either, that is said aloud.
    pub(super) fn left(
        &mut self,
        position: PositionId,
        origin: Origin,
        execution: Execution,
        answering: bool,
        fx: &mut Effects,
    ) {
        let (id, lots, at) = (OrderId(position.0), execution.lots, self.market.now());
        let known = self.state.routed(id).map(|(account, routed)| (account, routed.knows(&execution.id)));
        let Some((account, known)) = known else {
            return self.dispute(DisputeKind::UnknownOrder, id, &execution, lots, fx);
        };
        if known || lots <= Lots::ZERO {
            return;
        }
        let held = self.state.position(position).map_or(Lots::ZERO, |p| p.lots);
        match (held >= lots, answering) {
            (true, _) => {
                let (price, execution_id) = (execution.price, execution.id);
                self.emit(Record::Executed { account, order: id, execution: execution_id, lots, price, at }, fx);
                self.exited(position, origin, Some(lots), price, execution.commission, fx);
            }
            (false, false) => self.inquire(id, fx),
            (false, true) => self.dispute(DisputeKind::Unplaced, id, &execution, lots, fx),
        }
    }

    fn dispute(&mut self, kind: DisputeKind, order: OrderId, execution: &Execution, lots: Lots, fx: &mut Effects) {
        let account = self.state.routed(order).map(|(account, _)| account);
        let (execution, price, at) = (execution.id.clone(), execution.price, self.market.now());
        self.emit(Record::Disputed(Dispute { kind, account, order, execution, lots, price, at }), fx);
    }
}
