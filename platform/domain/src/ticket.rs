//! What an order asks of the venue: at which price, for how long, and with which levels attached.

use crate::{
    fixed::{Lots, Price},
    id::{InstrumentId, OrderId},
    order::Side,
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// A stop level that follows the price at a distance and never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// How far the level stays behind the best price.
    pub distance: Price,
    /// How far the level moves at least when it moves. Each move is a fact of its own, so that a restart
    /// finds the level where it was.
    pub step: Price,
}

/// At which price an order may trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// At the first price there is.
    Market,
    /// At this price or a better one.
    Limit {
        /// The worst price.
        price: Price,
    },
    /// At the market once the price has reached this level.
    Stop {
        /// Where it triggers.
        price: Price,
    },
    /// At the limit or better once the price has reached the stop.
    StopLimit {
        /// Where it triggers.
        stop: Price,
        /// The worst price.
        limit: Price,
    },
    /// A stop whose level follows the price.
    TrailingStop {
        /// Where it triggers as things stand.
        stop: Price,
        /// How the level follows.
        trail: Trail,
    },
}

impl OrderKind {
    /// The stable names of all kinds.
    pub const NAMES: [&'static str; 5] = ["market", "limit", "stop", "stop_limit", "trailing_stop"];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit { .. } => "limit",
            Self::Stop { .. } => "stop",
            Self::StopLimit { .. } => "stop_limit",
            Self::TrailingStop { .. } => "trailing_stop",
        }
    }

    /// The worst price it may trade at, if it names one.
    #[must_use]
    pub const fn limit(self) -> Option<Price> {
        match self {
            Self::Limit { price } => Some(price),
            Self::StopLimit { limit, .. } => Some(limit),
            Self::Market | Self::Stop { .. } | Self::TrailingStop { .. } => None,
        }
    }

    /// The price that triggers it, if it waits for one.
    #[must_use]
    pub const fn stop(self) -> Option<Price> {
        match self {
            Self::Stop { price } => Some(price),
            Self::StopLimit { stop, .. } | Self::TrailingStop { stop, .. } => Some(stop),
            Self::Market | Self::Limit { .. } => None,
        }
    }

    /// How its stop follows the price, if it does.
    #[must_use]
    pub const fn trail(self) -> Option<Trail> {
        match self {
            Self::TrailingStop { trail, .. } => Some(trail),
            _ => None,
        }
    }

    /// The price at which it is expected to trade: its limit, else its stop; a market order has none.
    #[must_use]
    pub fn price(self) -> Option<Price> {
        self.limit().or(self.stop())
    }

    /// Whether it waits for a price, rather than taking what there is.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        !matches!(self, Self::Market)
    }
}

/// How long an order is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Until it is cancelled.
    Gtc,
    /// Until this instant: at it the order is no longer good.
    Gtd(Millis),
    /// What trades at once trades; the rest is cancelled.
    Ioc,
    /// All of it trades at once, or none.
    Fok,
    /// To the end of the instrument's trading day.
    Day,
}

impl TimeInForce {
    /// The stable names of all of them.
    pub const NAMES: [&'static str; 5] = ["gtc", "gtd", "ioc", "fok", "day"];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "gtc",
            Self::Gtd(_) => "gtd",
            Self::Ioc => "ioc",
            Self::Fok => "fok",
            Self::Day => "day",
        }
    }

    /// Whether it must trade at once or not at all.
    #[must_use]
    pub const fn is_immediate(self) -> bool {
        matches!(self, Self::Ioc | Self::Fok)
    }
}

/// The levels that guard a position; each that is set replaces none of the others. The stop-loss and the take-profit
/// are each other's alternative: the position closes at one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Levels {
    /// Closes the position when the price runs against it this far.
    pub stop_loss: Option<Price>,
    /// Closes the position when the price runs with it this far.
    pub take_profit: Option<Price>,
    /// Lets the stop-loss follow the price.
    pub trail: Option<Trail>,
}

/// An order that somebody wants to place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// In what.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much.
    pub lots: Lots,
    /// At which price.
    pub kind: OrderKind,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// What guards the position it opens. With both levels the order is a bracket.
    pub levels: Levels,
    /// A working order of the same account: when either trades, the other is cancelled.
    pub oco: Option<OrderId>,
}

impl Ticket {
    /// A plain market order.
    #[must_use]
    pub const fn market(instrument: InstrumentId, side: Side, lots: Lots, levels: Levels) -> Self {
        Self { instrument, side, lots, kind: OrderKind::Market, time_in_force: TimeInForce::Gtc, levels, oco: None }
    }
}

/// What is to be different about a working order: its whole price, time and levels as they shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The price, of the kind that the order has.
    pub kind: OrderKind,
    /// For how long; not at once.
    pub time_in_force: TimeInForce,
    /// What guards the position it opens.
    pub levels: Levels,
}
