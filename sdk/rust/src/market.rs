//! What a strategy sees of the market and of its orders.

use crate::{Lots, Money, Price, WorkingOrder};
use serde::{Deserialize, Serialize};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Who asked for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This strategy.
    Strategy,
    /// A person.
    Trader,
    /// A risk rule.
    Rule,
    /// The attached stop-loss.
    StopLoss,
    /// The attached take-profit.
    TakeProfit,
}

/// What is traded, and in what steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Its name at the platform, such as `EURUSD`.
    pub symbol: String,
    /// The smallest price change.
    pub tick_size: Price,
    /// The move that traders count in.
    pub pip: Price,
    /// The smallest order, and the step between sizes.
    pub lot_step: Lots,
    /// The largest order.
    pub lot_max: Lots,
    /// Units of the base in one lot.
    pub contract_size: i64,
    /// The currency of its price and of its profit.
    pub quote_currency: String,
}

/// What a strategy is started on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// What it watches and trades.
    pub instrument: Instrument,
    /// Length of its bars in milliseconds.
    pub timeframe_ms: i64,
}

/// A closed bar. Prices are bids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Start of its span, in milliseconds.
    pub open_at: i64,
    /// First bid.
    pub open: Price,
    /// Highest bid.
    pub high: Price,
    /// Lowest bid.
    pub low: Price,
    /// Last bid.
    pub close: Price,
    /// Ask less bid at the close.
    pub spread: Price,
    /// Number of quotes, or the recording's own volume.
    pub volume: i64,
}

/// A quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When, in milliseconds.
    pub at: i64,
    /// What a seller gets.
    pub bid: Price,
    /// What a buyer pays.
    pub ask: Price,
}

/// What became of an order of this strategy. A later version of the contract may tell of more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderUpdate {
    /// A position is open.
    Opened {
        /// Its id.
        position: i64,
        /// Which way.
        side: Side,
        /// How much.
        lots: Lots,
        /// At what price.
        price: Price,
        /// Closed balance of the account.
        balance: Money,
    },
    /// A position is closed.
    Closed {
        /// Its id.
        position: i64,
        /// At what price.
        price: Price,
        /// What it earned.
        profit: Money,
        /// Who closed it.
        origin: Origin,
        /// Closed balance of the account.
        balance: Money,
    },
    /// A position has other lots or other levels than before, and is still open.
    Changed {
        /// Its id.
        position: i64,
        /// How much is open now.
        lots: Lots,
        /// Its opening price now.
        price: Price,
        /// Closed balance of the account.
        balance: Money,
    },
    /// An order stands at the venue, as it is now: new, or amended.
    Working(WorkingOrder),
    /// Some or all of a pending order traded. What that did to positions has been told before.
    Traded {
        /// Its id.
        order: i64,
        /// How much.
        lots: Lots,
        /// At what price.
        price: Price,
        /// How much of it has not traded; at nothing it stands at the venue no more.
        left: Lots,
    },
    /// A pending order ended before all of it traded: cancelled, expired or rejected.
    Ended {
        /// Its id.
        order: i64,
    },
    /// A wish was denied, or its market order ended untraded.
    Refused,
}
