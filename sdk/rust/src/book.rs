//! What a strategy knows of its own: positions and working orders, as order updates tell it. It survives a restart.

use crate::{Lots, Money, OrderUpdate, Origin, Price, Side, Start, WorkingOrder};
use serde::{Deserialize, Serialize};

/// An open position of this strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Its id.
    pub id: i64,
    /// Which way.
    pub side: Side,
    /// How much.
    pub lots: Lots,
    /// At what price it was opened.
    pub price: Price,
}

/// What must survive a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    pub start: Start,
    pub bid: Price,
    pub ask: Price,
    pub positions: Vec<Position>,
    pub balance: Option<Money>,
    /// Wishes without an answer, and when the last one was made.
    pub waiting: u32,
    pub waiting_since: i64,
    /// Orders that stand at the venue, oldest first.
    pub orders: Vec<WorkingOrder>,
    /// Those of them that it wants withdrawn.
    pub cancelling: Vec<i64>,
}

/// The book as the SDK saved it before there were working orders.
#[derive(Debug, Deserialize)]
pub(crate) struct FirstBook {
    start: Start,
    bid: Price,
    ask: Price,
    positions: Vec<Position>,
    balance: Option<Money>,
    waiting: u32,
    waiting_since: i64,
}

impl From<FirstBook> for Book {
    fn from(old: FirstBook) -> Self {
        Self {
            bid: old.bid,
            ask: old.ask,
            positions: old.positions,
            balance: old.balance,
            waiting: old.waiting,
            waiting_since: old.waiting_since,
            ..Self::new(old.start)
        }
    }
}

impl Book {
    pub const fn new(start: Start) -> Self {
        Self {
            start,
            bid: Price::ZERO,
            ask: Price::ZERO,
            positions: Vec::new(),
            balance: None,
            waiting: 0,
            waiting_since: 0,
            orders: Vec::new(),
            cancelling: Vec::new(),
        }
    }

    /// Takes an update in. Where it is not certain that it answers a wish, the wish goes on waiting: to ask once too late
    /// is better than twice.
    pub fn learn(&mut self, update: &OrderUpdate) {
        let answered = match *update {
            OrderUpdate::Opened { position, side, lots, price, balance } => {
                self.positions.push(Position { id: position, side, lots, price });
                self.balance = Some(balance);
                // What a working order opens has the order's id, and was answered when it began to work.
                let waited = self.orders.iter().find(|order| order.id == position).map(|order| order.lots);
                waited.map(|waited| self.left(position, waited - lots)).is_none()
            }
            OrderUpdate::Closed { position, origin, balance, .. } => {
                self.positions.retain(|held| held.id != position);
                self.balance = Some(balance);
                origin == Origin::Strategy
            }
            OrderUpdate::Changed { position, lots, price, balance } => {
                if let Some(held) = self.positions.iter_mut().find(|held| held.id == position) {
                    (held.lots, held.price) = (lots, price);
                }
                self.balance = Some(balance);
                true
            }
            OrderUpdate::Working(order) => {
                match self.orders.iter_mut().find(|known| known.id == order.id) {
                    Some(known) => *known = order,
                    None => self.orders.push(order),
                }
                true
            }
            OrderUpdate::Traded { order, left, .. } => {
                self.left(order, left);
                false
            }
            OrderUpdate::Ended { order } => {
                let wished = self.cancelling.contains(&order);
                self.left(order, Lots::ZERO);
                wished
            }
            OrderUpdate::Refused => true,
        };
        if answered {
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    /// So much of an order has not traded; with nothing left it is gone.
    fn left(&mut self, order: i64, lots: Lots) {
        if lots > Lots::ZERO {
            self.orders.iter_mut().filter(|known| known.id == order).for_each(|known| known.lots = lots);
        } else {
            self.orders.retain(|known| known.id != order);
            self.cancelling.retain(|known| *known != order);
        }
    }
}
