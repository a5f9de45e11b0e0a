//! Orders and their life.

use crate::{
    fixed::{Lots, Money, Price, mul_div},
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId},
    ticket::{Levels, OrderKind, TimeInForce, Trail},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Pays the ask, gains when the price rises.
    Buy,
    /// Gets the bid, gains when the price falls.
    Sell,
}

impl Side {
    /// The other way.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// What an order does to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Opens a position; on a netting account it reduces or turns the one that is there.
    Open,
    /// Closes the order's lots of this position.
    Close(PositionId),
    /// Closes two opposite positions in one instrument against each other.
    CloseBy {
        /// The one.
        position: PositionId,
        /// The other.
        by: PositionId,
    },
}

impl Purpose {
    /// Whether it closes this position, wholly or in part.
    #[must_use]
    pub fn closes(self, id: PositionId) -> bool {
        match self {
            Self::Open => false,
            Self::Close(position) => position == id,
            Self::CloseBy { position, by } => position == id || by == id,
        }
    }
}

/// Who asked for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A running strategy.
    Strategy,
    /// A person, by page or API.
    Trader,
    /// A risk rule that flattens the account.
    Rule,
    /// The venue, at the attached stop-loss.
    StopLoss,
    /// The venue, at the attached take-profit.
    TakeProfit,
    /// The kill switch.
    KillSwitch,
    /// The venue, because the margin did not suffice any more.
    StopOut,
}

impl Origin {
    /// Everybody.
    pub const ALL: [Self; 7] =
        [Self::Strategy, Self::Trader, Self::Rule, Self::StopLoss, Self::TakeProfit, Self::KillSwitch, Self::StopOut];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Trader => "trader",
            Self::Rule => "rule",
            Self::StopLoss => "stop_loss",
            Self::TakeProfit => "take_profit",
            Self::KillSwitch => "kill_switch",
            Self::StopOut => "stop_out",
        }
    }
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderState {
    /// Committed; the venue has not heard of it.
    Intent,
    /// On its way; the venue may have it.
    Sending,
    /// The venue has it.
    Acked,
    /// The venue refused it. Final.
    Rejected,
    /// Sent, and no answer: the account takes no new orders until a query settles it.
    Unknown,
    /// Part of it traded.
    Partial,
    /// All of it traded. Final.
    Filled,
    /// Withdrawn or expired. Final.
    Cancelled,
}

/// What moves an order along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStep {
    /// It leaves for the venue.
    Send,
    /// The venue confirms it.
    Ack,
    /// The venue refuses it.
    Reject,
    /// No answer came in time.
    Lose,
    /// A query proved that the venue never had it, so it may be sent after all.
    Renew,
    /// Some of it trades and some remains.
    FillPart,
    /// The rest of it trades.
    FillAll,
    /// It ends untraded or partly traded.
    Cancel,
}

/// A step that an order in this state cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {state:?} cannot {step:?}")]
pub struct IllegalStep {
    state: OrderState,
    step: OrderStep,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Intent,
        Self::Sending,
        Self::Acked,
        Self::Rejected,
        Self::Unknown,
        Self::Partial,
        Self::Filled,
        Self::Cancelled,
    ];

    /// The state after `step`.
    ///
    /// # Errors
    /// [`IllegalStep`] when the order machine has no such arrow.
    pub const fn after(self, step: OrderStep) -> Result<Self, IllegalStep> {
        use OrderStep as Step;
        Ok(match (self, step) {
            (Self::Intent, Step::Send) => Self::Sending,
            (Self::Sending, Step::Lose) => Self::Unknown,
            (Self::Unknown, Step::Renew) => Self::Intent,
            (Self::Sending | Self::Unknown, Step::Ack) => Self::Acked,
            // A working order that no longer fits when it triggers is refused then.
            (Self::Intent | Self::Sending | Self::Unknown | Self::Acked, Step::Reject) => Self::Rejected,
            // A fill may overtake its acknowledgement.
            (Self::Sending | Self::Unknown | Self::Acked | Self::Partial, Step::FillPart) => Self::Partial,
            (Self::Sending | Self::Unknown | Self::Acked | Self::Partial, Step::FillAll) => Self::Filled,
            (Self::Intent | Self::Sending | Self::Unknown | Self::Acked | Self::Partial, Step::Cancel) => {
                Self::Cancelled
            }
            (state, step) => return Err(IllegalStep { state, step }),
        })
    }

    /// Whether nothing more can happen to it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Rejected | Self::Filled | Self::Cancelled)
    }

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sending => "sending",
            Self::Acked => "acked",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Partial => "partial",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An order as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id, and the client order id at the venue.
    pub id: OrderId,
    /// The account it trades for.
    pub account: AccountId,
    /// The strategy it came from, if any.
    pub deployment: Option<DeploymentId>,
    /// What it trades.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much.
    pub lots: Lots,
    /// What it does to the book.
    pub purpose: Purpose,
    /// Who asked for it.
    pub origin: Origin,
    /// At which price it may trade.
    pub kind: OrderKind,
    /// How long it is good for.
    pub time_in_force: TimeInForce,
    /// From when on it is no longer good, if that is known: of GTD and day orders.
    pub expires_at: Option<Millis>,
    /// Closes the position when the price runs against it this far.
    pub stop_loss: Option<Price>,
    /// Closes the position when the price runs with it this far.
    pub take_profit: Option<Price>,
    /// Lets the position's stop-loss follow the price.
    pub trail: Option<Trail>,
    /// The first order of the group of which only one may trade.
    pub oco: Option<OrderId>,
    /// Whether its stop was reached: what is left of it trades at the market, or at its limit.
    pub triggered: bool,
    /// Where it is in its life.
    pub state: OrderState,
    /// How much of it traded.
    pub filled: Lots,
    /// The price it traded at; of several fills the average by lots.
    pub fill_price: Option<Price>,
    /// Why it ended without trading.
    pub reason: Option<String>,
    /// When it was approved.
    pub created_at: Millis,
    /// When its state last changed.
    pub updated_at: Millis,
}

impl Order {
    /// How much of it has not traded.
    #[must_use]
    pub const fn remaining(&self) -> Lots {
        self.lots.saturating_sub(self.filled)
    }

    /// Whether it stands at the venue and may still trade.
    #[must_use]
    pub const fn is_working(&self) -> bool {
        matches!(self.state, OrderState::Acked | OrderState::Partial)
    }

    /// What guards the position it opens.
    #[must_use]
    pub const fn levels(&self) -> Levels {
        Levels { stop_loss: self.stop_loss, take_profit: self.take_profit, trail: self.trail }
    }

    /// The group of which only one order may trade; an order alone is a group of its own.
    #[must_use]
    pub fn group(&self) -> OrderId {
        self.oco.unwrap_or(self.id)
    }

    /// Takes note of a fill.
    pub fn fill(&mut self, lots: Lots, price: Price) {
        let before = self.fill_price.unwrap_or(price);
        self.fill_price = Some(average((before, self.filled), (price, lots)));
        self.filled = self.filled.saturating_add(lots);
    }
}

/// The price of two amounts together, by lots, rounded once to 1e-8. Two equal prices stay what they are.
#[must_use]
pub fn average((first, much): (Price, Lots), (second, more): (Price, Lots)) -> Price {
    let total = much.saturating_add(more);
    let apart = second.saturating_sub(first);
    // A share of the distance between two prices fits where the prices do.
    let share = mul_div(apart.units(), more.units(), total.units()).unwrap_or(0);
    first.saturating_add(Price::from_units(share))
}

/// A position in one instrument. On a hedging account each order that opens makes its own; on a netting account there is
/// at most one in each instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Its id.
    pub id: PositionId,
    /// Whose.
    pub account: AccountId,
    /// The strategy that holds it, if any.
    pub deployment: Option<DeploymentId>,
    /// In what.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much is open; of a closed position, how much was closed last.
    pub lots: Lots,
    /// How much was closed before that.
    pub closed_lots: Lots,
    /// What those parts earned, in the account's currency.
    pub realised: Money,
    /// At what price it was opened; of several fills the average by lots.
    pub open_price: Price,
    /// When.
    pub opened_at: Millis,
    /// The venue closes it at this price against it.
    pub stop_loss: Option<Price>,
    /// The venue closes it at this price with it.
    pub take_profit: Option<Price>,
    /// Lets the stop-loss follow the price.
    pub trail: Option<Trail>,
    /// How it ended, once it has.
    pub closed: Option<Closed>,
}

impl Position {
    /// How much it was at its largest.
    #[must_use]
    pub const fn opened_lots(&self) -> Lots {
        self.lots.saturating_add(self.closed_lots)
    }
}

/// How a position ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Millis,
    /// At what price.
    pub price: Price,
    /// What all of it earned, parts closed before included, in the account's currency.
    pub profit: Money,
    /// Who closed it.
    pub origin: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;
    use OrderStep::{Ack, Cancel, FillAll, FillPart, Lose, Reject, Renew, Send};

    /// The whole machine as a person would draw it.
    #[test]
    fn the_order_machine_is_this_table() {
        let steps = [Send, Ack, Reject, Lose, Renew, FillPart, FillAll, Cancel];
        let table: String = OrderState::ALL
            .iter()
            .flat_map(|state| steps.iter().map(move |step| (state, step)))
            .filter_map(|(state, step)| {
                state.after(*step).ok().map(|next| format!("{} + {step:?} -> {}\n", state.name(), next.name()))
            })
            .collect();
        insta::assert_snapshot!(table);
    }

    #[test]
    fn an_average_lies_between_its_prices_by_lots() {
        let (price, lots) = (|text: &str| text.parse::<Price>().unwrap(), |text: &str| text.parse::<Lots>().unwrap());
        for (first, second, want) in [
            (("1.30", "1"), ("1.40", "1"), "1.35"),
            (("1.30", "3"), ("1.40", "1"), "1.325"),
            (("1.40", "1"), ("1.30", "3"), "1.325"),
            (("1.38727", "0.07"), ("1.38727", "0.01"), "1.38727"),
        ] {
            let part = |(p, l): (&str, &str)| (price(p), lots(l));
            assert_eq!(average(part(first), part(second)), price(want), "{first:?} {second:?}");
        }
    }

    #[test]
    fn final_states_stay() {
        for state in OrderState::ALL.into_iter().filter(|s| s.is_final()) {
            for step in [Send, Ack, Reject, Lose, Renew, FillPart, FillAll, Cancel] {
                assert!(state.after(step).is_err());
            }
        }
    }
}
