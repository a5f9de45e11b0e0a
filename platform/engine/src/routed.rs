//! What is remembered of an order that went to a venue with books of its own, and how often such a venue is asked.
//!
//! Owns: the executions that were counted, the order after its end, and the question that is open about it. Refuses to
//! know: how a venue is reached. Everything here follows from records ([`crate::event::Record`]).

use marque_domain::{
    execution::ExecutionId,
    fixed::{Lots, Price},
    id::{AccountId, OrderId},
    order::{Order, OrderState, Position},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// Executions of one order that are remembered; an older one would count again.
pub const EXECUTIONS_KEPT: usize = 1_024;
/// Ended orders of an account that are remembered, for what a venue still says of them.
pub const ENDED_KEPT: usize = 256;
/// How often a venue is asked about an order before a person is; about one that closes it is asked beyond that.
pub const ASKS_MAX: u8 = 16;
/// How long an answer is waited for at first and at most, in market time. The wait doubles with each question.
pub const ASK_WAIT_MS_MIN: i64 = 1_000;
/// See [`ASK_WAIT_MS_MIN`].
pub const ASK_WAIT_MS_MAX: i64 = 300_000;

/// An open question to a venue about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asking {
    /// How often it went out.
    pub tries: u8,
    /// When it goes out again; none when it was asked often enough and a person has to look.
    pub next_at: Option<Millis>,
}

impl Asking {
    /// Something was told to the venue: whether it arrived is asked a moment later.
    #[must_use]
    pub const fn soon(now: Millis) -> Self {
        Self { tries: 0, next_at: Some(now.plus(ASK_WAIT_MS_MIN)) }
    }

    /// To be asked at once.
    #[must_use]
    pub const fn at_once(now: Millis) -> Self {
        Self { tries: 0, next_at: Some(now) }
    }

    /// The question goes out (once more), or does not any more: twice the wait each time, up to
    /// [`ASK_WAIT_MS_MAX`], [`ASKS_MAX`] times.
    #[must_use]
    pub fn again(self, now: Millis) -> Self {
        if self.tries >= ASKS_MAX {
            return Self { next_at: None, ..self };
        }
        let wait = (ASK_WAIT_MS_MIN << self.tries.min(30)).min(ASK_WAIT_MS_MAX);
        Self { tries: self.tries + 1, next_at: Some(now.plus(wait)) }
    }

    /// It was asked often enough and a person was told, but what hangs on it cannot wait for them: it goes out again, as
    /// rarely as any, until somebody answers.
    #[must_use]
    pub const fn nevertheless(now: Millis) -> Self {
        Self { tries: ASKS_MAX + 1, next_at: Some(now.plus(ASK_WAIT_MS_MAX)) }
    }

    /// Whether nobody asks any more, though no answer came: a person is told.
    #[must_use]
    pub const fn is_given_up(&self) -> bool {
        self.next_at.is_none()
    }

    /// Whether it was asked often enough and no answer came, whether or not it goes on.
    #[must_use]
    pub const fn is_unanswered(&self) -> bool {
        self.is_given_up() || self.tries > ASKS_MAX
    }
}

/// What is remembered of an order at a venue that keeps its own books.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Routed {
    /// The last executions that were counted, oldest first; those that closed its position included.
    pub executions: Vec<ExecutionId>,
    /// The order, once it has ended.
    pub ended: Option<Order>,
    /// The position that it opened, once that is closed.
    pub closed: Option<Position>,
    /// The open question about it.
    pub asking: Option<Asking>,
    /// Whether the venue said, asked about it, that it is over.
    pub over: bool,
}

impl Routed {
    /// Whether the order ended here and the venue has not said that it is over there: it may never have heard of the order,
    /// and may yet.
    #[must_use]
    pub fn may_come_late(&self) -> bool {
        !self.over && self.ended.as_ref().is_some_and(|order| order.state != OrderState::Filled)
    }

    /// Whether an execution was counted.
    #[must_use]
    pub fn knows(&self, execution: &ExecutionId) -> bool {
        self.executions.contains(execution)
    }

    pub(crate) fn count(&mut self, execution: &ExecutionId) {
        if self.executions.len() >= EXECUTIONS_KEPT {
            self.executions.remove(0);
        }
        self.executions.push(execution.clone());
    }
}

/// How what a venue did differs from what it was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisputeKind {
    /// An order traded that had ended here.
    FilledAfterEnd,
    /// More traded than was ordered, or more was closed than was open.
    Overfilled,
    /// A level closed more of a position than is known of it, and the venue's own account of it does not say why.
    Unplaced,
    /// An order traded that nobody here knows.
    UnknownOrder,
}

impl DisputeKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::FilledAfterEnd, Self::Overfilled, Self::Unplaced, Self::UnknownOrder];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FilledAfterEnd => "filled_after_end",
            Self::Overfilled => "overfilled",
            Self::Unplaced => "unplaced",
            Self::UnknownOrder => "unknown_order",
        }
    }

    /// Whether the execution was taken into the book nevertheless.
    #[must_use]
    pub const fn is_booked(self) -> bool {
        matches!(self, Self::FilledAfterEnd | Self::Overfilled)
    }
}

/// An execution that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// What is odd about it.
    pub kind: DisputeKind,
    /// Whose account, if the order is known.
    pub account: Option<AccountId>,
    /// The order, as the venue names it; of a level that closed a position, the order that opened it.
    pub order: OrderId,
    /// The venue's name for the execution.
    pub execution: ExecutionId,
    /// How much of it is odd.
    pub lots: Lots,
    /// At what price.
    pub price: Price,
    /// When it was told.
    pub at: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_go_out_at_doubling_waits_and_end() {
        let (mut asking, mut now, mut waits) = (Asking::soon(Millis(0)), Millis(1_000), Vec::new());
        loop {
            asking = asking.again(now);
            let Some(next) = asking.next_at else { break };
            waits.push(next.since(now) / 1_000);
            now = next;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300, 300, 300, 300]);
        assert_eq!((asking.tries, asking.is_given_up()), (ASKS_MAX, true));
        assert!(asking.again(now).is_given_up());
        let on = Asking::nevertheless(now);
        assert_eq!(on.next_at.map(|next| next.since(now)), Some(ASK_WAIT_MS_MAX));
        assert_eq!((on.is_given_up(), on.is_unanswered(), on.again(now).is_given_up()), (false, true, true));
        assert!(!Asking::at_once(now).is_unanswered());
    }

    #[test]
    fn an_order_remembers_its_last_executions() {
        let id = |n: usize| ExecutionId::new(&format!("x{n}")).unwrap();
        let mut routed = Routed::default();
        (0..=EXECUTIONS_KEPT).for_each(|n| routed.count(&id(n)));
        assert_eq!(routed.executions.len(), EXECUTIONS_KEPT);
        assert_eq!(
            (routed.knows(&id(0)), routed.knows(&id(1)), routed.knows(&id(EXECUTIONS_KEPT))),
            (false, true, true)
        );
    }
}
