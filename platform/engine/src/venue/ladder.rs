//! The price index of what stands at the venue: which of it a quote reaches, without looking at the rest.

use marque_domain::{
    bar::Quote,
    fixed::Price,
    id::{InstrumentId, OrderId, PositionId},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a price can set off. The order of these is the order in which one quote carries them out: attached levels
/// first, then orders, then levels that follow the price; each by id, which is by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// A position's stop-loss or take-profit.
    Exit(PositionId),
    /// An order's limit or stop.
    Order(OrderId),
    /// A position's trailing stop-loss.
    Follow(PositionId),
    /// A trailing stop order's level.
    Trail(OrderId),
}

/// Which price sets an item off, and on which side of the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// A bid at or below the level.
    BidLow,
    /// A bid at or above it.
    BidHigh,
    /// An ask at or below it.
    AskLow,
    /// An ask at or above it.
    AskHigh,
}

/// The nearest levels on each side: a quote that reaches none of them sets nothing off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Nearest {
    pub bid_low: Option<Price>,
    pub bid_high: Option<Price>,
    pub ask_low: Option<Price>,
    pub ask_high: Option<Price>,
}

/// The levels in one instrument.
#[derive(Debug, Default)]
struct Rungs {
    bid_low: BTreeSet<(Price, Item)>,
    bid_high: BTreeSet<(Price, Item)>,
    ask_low: BTreeSet<(Price, Item)>,
    ask_high: BTreeSet<(Price, Item)>,
}

impl Rungs {
    const fn of(&mut self, edge: Edge) -> &mut BTreeSet<(Price, Item)> {
        match edge {
            Edge::BidLow => &mut self.bid_low,
            Edge::BidHigh => &mut self.bid_high,
            Edge::AskLow => &mut self.ask_low,
            Edge::AskHigh => &mut self.ask_high,
        }
    }
}

/// All levels, by instrument.
#[derive(Debug, Default)]
pub(super) struct Ladder(BTreeMap<InstrumentId, Rungs>);

impl Ladder {
    pub fn put(&mut self, instrument: InstrumentId, edge: Edge, level: Price, item: Item) {
        self.0.entry(instrument).or_default().of(edge).insert((level, item));
    }

    pub fn take(&mut self, instrument: InstrumentId, edge: Edge, level: Price, item: Item) {
        if let Some(rungs) = self.0.get_mut(&instrument) {
            rungs.of(edge).remove(&(level, item));
        }
    }

    /// Adds everything that this quote reaches.
    pub fn reached(&self, quote: &Quote, out: &mut BTreeSet<Item>) {
        let Some(rungs) = self.0.get(&quote.instrument) else { return };
        let at_or_above = |set: &BTreeSet<(Price, Item)>, price: Price, out: &mut BTreeSet<Item>| {
            out.extend(set.iter().rev().take_while(|(level, _)| *level >= price).map(|(_, item)| *item));
        };
        let at_or_below = |set: &BTreeSet<(Price, Item)>, price: Price, out: &mut BTreeSet<Item>| {
            out.extend(set.iter().take_while(|(level, _)| *level <= price).map(|(_, item)| *item));
        };
        at_or_above(&rungs.bid_low, quote.bid, out);
        at_or_below(&rungs.bid_high, quote.bid, out);
        at_or_above(&rungs.ask_low, quote.ask, out);
        at_or_below(&rungs.ask_high, quote.ask, out);
    }

    pub fn nearest(&self, instrument: InstrumentId) -> Nearest {
        self.0.get(&instrument).map_or_else(Nearest::default, |rungs| Nearest {
            bid_low: rungs.bid_low.last().map(|(level, _)| *level),
            bid_high: rungs.bid_high.first().map(|(level, _)| *level),
            ask_low: rungs.ask_low.last().map(|(level, _)| *level),
            ask_high: rungs.ask_high.first().map(|(level, _)| *level),
        })
    }
}
