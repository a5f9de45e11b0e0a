//! What a strategy wishes for: orders of every kind, and changes to what is there.

use crate::{Lots, Price, Side};
use serde::{Deserialize, Serialize};

/// A stop level that follows the price at a distance and never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// How far the level stays behind the best price.
    pub distance: Price,
    /// How far it moves at least when it moves; zero is a tick.
    pub step: Price,
}

impl Trail {
    /// At this distance, tick by tick.
    #[must_use]
    pub const fn by(distance: Price) -> Self {
        Self { distance, step: Price::ZERO }
    }
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
    /// The price at which it is expected to trade: its limit, else its stop; a market order has none.
    #[must_use]
    pub const fn price(self) -> Option<Price> {
        match self {
            Self::Market => None,
            Self::Limit { price } | Self::Stop { price } => Some(price),
            Self::StopLimit { limit, .. } => Some(limit),
            Self::TrailingStop { stop, .. } => Some(stop),
        }
    }

    /// The same kind at another price. The stop of a stop-limit order keeps its distance from the limit.
    #[must_use]
    pub fn at(self, price: Price) -> Self {
        match self {
            Self::Market => Self::Market,
            Self::Limit { .. } => Self::Limit { price },
            Self::Stop { .. } => Self::Stop { price },
            Self::StopLimit { stop, limit } => Self::StopLimit { stop: stop + price - limit, limit: price },
            Self::TrailingStop { trail, .. } => Self::TrailingStop { stop: price, trail },
        }
    }
}

/// How long an order is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Until it is cancelled.
    #[default]
    Gtc,
    /// Until this time, in milliseconds.
    Gtd(i64),
    /// What trades at once trades; the rest is cancelled. Market and limit orders only.
    Ioc,
    /// All of it trades at once, or none. Market and limit orders only.
    Fok,
    /// To the end of the instrument's trading day.
    Day,
}

/// The levels that guard a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Levels {
    /// Closes the position when the price runs against it this far.
    pub stop_loss: Option<Price>,
    /// Closes the position when the price runs with it this far.
    pub take_profit: Option<Price>,
    /// Lets the stop-loss follow the price; without a stop-loss it begins at its distance.
    pub trail: Option<Trail>,
}

/// Stop-loss and take-profit as distances from the price at which a position would open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bracket {
    /// Distance of the stop-loss.
    pub stop: Option<Price>,
    /// Distance of the take-profit.
    pub target: Option<Price>,
}

impl Bracket {
    /// As levels around the price at which a position opens.
    #[must_use]
    pub fn around(self, side: Side, price: Price) -> Levels {
        let away = |distance: Price, up: bool| if up { price + distance } else { price - distance };
        Levels {
            stop_loss: self.stop.map(|distance| away(distance, side == Side::Sell)),
            take_profit: self.target.map(|distance| away(distance, side == Side::Buy)),
            trail: None,
        }
    }
}

/// An order to be placed with [`crate::Context::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Which way.
    pub side: Side,
    /// How much.
    pub lots: Lots,
    /// At which price.
    pub kind: OrderKind,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// What guards the position it opens. With stop-loss and take-profit the order is a bracket.
    pub levels: Levels,
    /// Another of its working orders: when either trades, the other is cancelled.
    pub oco: Option<i64>,
}

impl Ticket {
    /// An order of this kind, good until it is cancelled, with nothing attached.
    #[must_use]
    pub const fn new(side: Side, lots: Lots, kind: OrderKind) -> Self {
        let levels = Levels { stop_loss: None, take_profit: None, trail: None };
        Self { side, lots, kind, time_in_force: TimeInForce::Gtc, levels, oco: None }
    }

    /// The same for this long.
    #[must_use]
    pub const fn good(self, time_in_force: TimeInForce) -> Self {
        Self { time_in_force, ..self }
    }

    /// The same with these levels.
    #[must_use]
    pub const fn guarded(self, levels: Levels) -> Self {
        Self { levels, ..self }
    }

    /// The same, of a pair of which only one may trade.
    #[must_use]
    pub const fn or(self, other: i64) -> Self {
        Self { oco: Some(other), ..self }
    }
}

/// A working order as it shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amendment {
    /// The price, of the kind that the order has.
    pub kind: OrderKind,
    /// For how long; not at once.
    pub time_in_force: TimeInForce,
    /// What guards the position it opens.
    pub levels: Levels,
}

/// An order of this strategy that stands at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkingOrder {
    /// Its id.
    pub id: i64,
    /// Which way.
    pub side: Side,
    /// How much of it has not traded.
    pub lots: Lots,
    /// At which price; how a trailing stop follows the price is not told.
    pub kind: OrderKind,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// What guards the position it opens.
    pub levels: Levels,
}

impl WorkingOrder {
    /// It as it is, to be changed and given to [`crate::Context::amend`].
    #[must_use]
    pub const fn amendment(&self) -> Amendment {
        Amendment { kind: self.kind, time_in_force: self.time_in_force, levels: self.levels }
    }
}

/// A wish. The host's risk gate decides what becomes of it: it reaches only what is the strategy's own, and prices and
/// lots are rounded to the instrument's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Opens a position at the market.
    Open {
        /// Which way.
        side: Side,
        /// How much.
        lots: Lots,
        /// The venue closes it at this price at a loss.
        stop_loss: Option<Price>,
        /// The venue closes it at this price at a profit.
        take_profit: Option<Price>,
    },
    /// Closes one of its own positions, wholly.
    Close {
        /// Its id.
        position: i64,
    },
    /// Places an order of any kind.
    Place(Ticket),
    /// Changes one of its own working orders.
    Amend {
        /// Its id.
        order: i64,
        /// As it shall be.
        to: Amendment,
    },
    /// Withdraws one of its own working orders.
    Cancel {
        /// Its id.
        order: i64,
    },
    /// Closes a part of one of its own positions.
    Reduce {
        /// Its id.
        position: i64,
        /// How much of it.
        lots: Lots,
    },
    /// Closes two of its own opposite positions against each other.
    CloseBy {
        /// The one.
        position: i64,
        /// The other.
        by: i64,
    },
    /// Changes what guards one of its own positions.
    Protect {
        /// Its id.
        position: i64,
        /// The levels as they shall be.
        levels: Levels,
    },
    /// Calls `on_timer` at this time; replaces an earlier timer.
    SetTimer {
        /// When, in milliseconds.
        at: i64,
    },
}
