//! The simulated venue. Its rules, case by case:
//!
//! - A market order to buy fills whole at the last ask, to sell at the last bid; without a quote it is
//!   rejected.
//! - An attached stop-loss or take-profit of a long position watches the bid, of a short one the ask. The
//!   first quote at or beyond the level fills it at that quote's price, so a gap fills at the first
//!   available price, for better or worse. When one quote reaches both, the stop-loss wins.
//! - Each fill costs the commission per lot, rounded once.

use crate::{
    gate::Approved,
    port::{Venue, VenueReport},
};
use marque_domain::{
    bar::Quote,
    fixed::{Lots, Money, Price, SCALE, mul_div},
    id::{InstrumentId, OrderId, PositionId},
    order::{Order, Origin, Position, Purpose, Side},
};
use std::collections::BTreeMap;

/// What the venue remembers of a position whose stops it watches.
#[derive(Debug, Clone, Copy)]
struct Watch {
    instrument: InstrumentId,
    side: Side,
    lots: Lots,
    stop_loss: Option<Price>,
    take_profit: Option<Price>,
}

impl Watch {
    /// Which of the stops this quote triggers, and the price it fills at.
    fn triggered(&self, quote: &Quote) -> Option<(Origin, Price)> {
        let price = exit_price(self.side, quote);
        let (stopped, took) = match self.side {
            Side::Buy => (self.stop_loss.is_some_and(|l| price <= l), self.take_profit.is_some_and(|l| price >= l)),
            Side::Sell => (self.stop_loss.is_some_and(|l| price >= l), self.take_profit.is_some_and(|l| price <= l)),
        };
        if stopped {
            Some((Origin::StopLoss, price))
        } else if took {
            Some((Origin::TakeProfit, price))
        } else {
            None
        }
    }
}

/// The price at which a position of this side is closed.
#[must_use]
pub const fn exit_price(side: Side, quote: &Quote) -> Price {
    match side {
        Side::Buy => quote.bid,
        Side::Sell => quote.ask,
    }
}

/// The price at which a position of this side is opened.
#[must_use]
pub const fn entry_price(side: Side, quote: &Quote) -> Price {
    exit_price(side.opposite(), quote)
}

/// A venue in memory that trades on the quotes it is shown.
#[derive(Debug, Default)]
pub struct SimulatedVenue {
    commission_per_lot: Money,
    quotes: BTreeMap<InstrumentId, Quote>,
    watches: BTreeMap<PositionId, Watch>,
}

impl SimulatedVenue {
    /// A venue that charges this for each lot of each fill.
    #[must_use]
    pub fn new(commission_per_lot: Money) -> Self {
        Self { commission_per_lot, ..Self::default() }
    }

    /// Takes up positions that were open before a restart, and the last quotes.
    pub fn restore<'a>(&mut self, positions: impl Iterator<Item = &'a Position>, quotes: impl Iterator<Item = Quote>) {
        for position in positions {
            self.watch(
                position.id,
                position.instrument,
                position.side,
                position.lots,
                (position.stop_loss, position.take_profit),
            );
        }
        self.quotes.extend(quotes.map(|q| (q.instrument, q)));
    }

    fn watch(
        &mut self,
        id: PositionId,
        instrument: InstrumentId,
        side: Side,
        lots: Lots,
        stops: (Option<Price>, Option<Price>),
    ) {
        self.watches.insert(id, Watch { instrument, side, lots, stop_loss: stops.0, take_profit: stops.1 });
    }

    fn commission(&self, lots: Lots) -> Money {
        // Overflow would need more lots than any instrument allows.
        mul_div(self.commission_per_lot.units(), lots.units(), SCALE).map_or(Money::ZERO, Money::from_units)
    }

    /// Fills a market order, or says why not.
    fn fill(&mut self, order: &Order) -> Result<Price, String> {
        let quote =
            self.quotes.get(&order.instrument).ok_or_else(|| "there is no price for this instrument".to_owned())?;
        let price = entry_price(order.side, quote);
        match order.purpose {
            Purpose::Open => {
                self.watch(
                    PositionId(order.id.0),
                    order.instrument,
                    order.side,
                    order.lots,
                    (order.stop_loss, order.take_profit),
                );
            }
            Purpose::Close(position) => {
                self.watches.remove(&position).ok_or_else(|| "the position is not open any more".to_owned())?;
            }
        }
        Ok(price)
    }

    /// The level of a stop that could trigger on bids at or below / at or above, or asks likewise: what a
    /// backtest needs to find the next quote that matters.
    pub(crate) fn stops(&self) -> impl Iterator<Item = (Side, Option<Price>, Option<Price>)> + '_ {
        self.watches.values().map(|w| (w.side, w.stop_loss, w.take_profit))
    }
}

impl Venue for SimulatedVenue {
    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let order = order.order();
        match self.fill(order) {
            Ok(price) => {
                reports.push(VenueReport::Acked { order: order.id });
                reports.push(VenueReport::Filled { order: order.id, price, commission: self.commission(order.lots) });
            }
            Err(reason) => reports.push(VenueReport::Rejected { order: order.id, reason }),
        }
    }

    /// Its durable memory is the shard's own journal, where every order it ever answered has its answer.
    /// So an order that still waits for one never reached it.
    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        reports.push(VenueReport::NotFound { order });
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        if !quote.is_tradable() {
            return;
        }
        self.quotes.insert(quote.instrument, *quote);
        if self.watches.is_empty() {
            return;
        }
        let before = reports.len();
        for (position, watch) in self.watches.iter().filter(|(_, w)| w.instrument == quote.instrument) {
            if let Some((origin, price)) = watch.triggered(quote) {
                let commission = self.commission(watch.lots);
                reports.push(VenueReport::Exited { position: *position, origin, price, commission });
            }
        }
        for report in reports.iter().skip(before) {
            if let VenueReport::Exited { position, .. } = report {
                self.watches.remove(position);
            }
        }
    }
}
