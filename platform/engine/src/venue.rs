//! The simulated venue. Its rules are in `FILLS.md` beside this crate's sources, case by case.
//!
//! Owns: what a quote does to orders and levels that stand at the venue, and the terms on which they trade.
//! Refuses to know: accounts and their margin. It *proposes* that a waiting order trades; the shard *disposes*. What stands
//! here follows the shard's committed records, so after a restart it is rebuilt from them and nothing else.

mod ladder;
mod model;
mod terms;

use crate::{
    gate::Approved,
    market::QUOTE_AGE_MS_MAX,
    port::{Venue, VenueReport},
    shard::Shard,
};
use ladder::{Edge, Item, Ladder};
use marque_domain::{
    bar::Quote,
    calendar::Calendar,
    fixed::{Lots, Money, Price, SCALE, mul_div},
    id::{InstrumentId, OrderId, PositionId},
    instrument::Instrument,
    order::{Order, Origin, Position, Purpose, Side},
    ticket::TimeInForce,
    time::Millis,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use ladder::Nearest;
pub use model::{Slippage, Spread, VenueModel};
pub(crate) use terms::behind;
use terms::{edges_of_order, edges_of_position, followed, trailed, trigger};

/// Why an order that cannot wait ends.
const NOT_AT_ONCE: &str = "no more of it could trade at once";
const EXPIRED: &str = "it expired";
const CLOSED: &str = "the market is closed";

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

/// What the venue must know of an instrument.
#[derive(Debug)]
struct Listing {
    calendar: Calendar,
    tick: Price,
    lot_step: Lots,
}

/// A venue in memory that trades on the quotes it is shown.
#[derive(Debug, Default)]
pub struct SimulatedVenue {
    model: VenueModel,
    /// Of instruments that have terms of their own.
    models: BTreeMap<InstrumentId, VenueModel>,
    listings: BTreeMap<InstrumentId, Listing>,
    quotes: BTreeMap<InstrumentId, Quote>,
    /// The latest time of any quote.
    now: Millis,
    positions: BTreeMap<PositionId, Position>,
    orders: BTreeMap<OrderId, Order>,
    ladder: Ladder,
    /// Orders that wait for nothing but the next quote, or for their latency to pass.
    hot: BTreeMap<InstrumentId, BTreeSet<OrderId>>,
    expiries: BTreeSet<(Millis, OrderId)>,
    reached: BTreeSet<Item>,
}

impl SimulatedVenue {
    /// A venue that charges this for each lot of each fill, is perfect otherwise, and always open.
    #[must_use]
    pub fn new(commission_per_lot: Money) -> Self {
        Self::with_model(VenueModel { commission_per_lot, ..VenueModel::default() }, &[])
    }

    /// A venue on these terms, for these instruments. One that it does not know is always open.
    #[must_use]
    pub fn with_model(model: VenueModel, instruments: &[Instrument]) -> Self {
        let listing =
            |i: &Instrument| Listing { calendar: Calendar::of(i.calendar), tick: i.tick_size, lot_step: i.lot_step };
        let listings = instruments.iter().map(|i| (i.id, listing(i))).collect();
        Self { model, listings, ..Self::default() }
    }

    /// The same, with terms of their own for some instruments: a spread in points is another price for each of them.
    #[must_use]
    pub fn with_own(self, models: impl IntoIterator<Item = (InstrumentId, VenueModel)>) -> Self {
        Self { models: models.into_iter().collect(), ..self }
    }

    /// The terms on which an instrument trades here.
    fn terms(&self, instrument: InstrumentId) -> &VenueModel {
        self.models.get(&instrument).unwrap_or(&self.model)
    }

    /// Takes up what stood here before a restart: the quotes, positions and working orders of a restored shard.
    pub fn restore(&mut self, shard: &Shard) {
        self.quotes.extend(shard.market().quotes().map(|q| (q.instrument, *q)));
        self.now = shard.market().now();
        for account in shard.state().accounts.values() {
            account.positions.iter().for_each(|position| self.position(position));
            account.orders.iter().for_each(|order| self.order(order));
        }
    }

    /// The nearest levels in an instrument, for a backtest that looks for the next quote that matters; none when
    /// every quote does.
    pub(crate) fn nearest(&self, instrument: InstrumentId) -> Option<Nearest> {
        let waiting = self.hot.get(&instrument).is_some_and(|orders| !orders.is_empty());
        (!waiting).then(|| self.ladder.nearest(instrument))
    }

    /// When the next order expires.
    pub(crate) fn next_expiry(&self) -> Millis {
        self.expiries.first().map_or(Millis(i64::MAX), |(at, _)| *at)
    }

    fn commission(&self, instrument: InstrumentId, lots: Lots) -> Money {
        // Overflow would need more lots than any instrument allows.
        mul_div(self.terms(instrument).commission_per_lot.units(), lots.units(), SCALE)
            .map_or(Money::ZERO, Money::from_units)
    }

    fn is_open(&self, instrument: InstrumentId, at: Millis) -> bool {
        self.listings.get(&instrument).is_none_or(|listing| listing.calendar.is_open(at))
    }

    /// Whether the order's latency has passed.
    fn is_ready(&self, order: &Order) -> bool {
        self.now.0 >= order.created_at.plus(self.terms(order.instrument).latency_ms).0
    }

    /// Whether the order is looked at on every quote, rather than when its price comes.
    fn is_hot(&self, order: &Order) -> bool {
        let at_market = order.kind.price().is_none() || (order.triggered && order.kind.limit().is_none());
        at_market || order.time_in_force.is_immediate() || !self.is_ready(order)
    }

    /// Whether a quote is too old for this order to trade on. Nothing is opened on such a one, which the gate sees to; what closes
    /// would do so at a price that nobody may have quoted for hours.
    fn is_outdated(&self, quote: &Quote, order: &Order) -> bool {
        let now = self.now.max(order.created_at);
        order.purpose != Purpose::Open && now.since(quote.at) > QUOTE_AGE_MS_MAX
    }

    fn stand(&mut self, order: &Order) {
        if self.is_hot(order) {
            self.hot.entry(order.instrument).or_default().insert(order.id);
        } else {
            for (edge, level, item) in edges_of_order(order) {
                self.ladder.put(order.instrument, edge, level, item);
            }
        }
        if let Some(at) = order.expires_at {
            self.expiries.insert((at, order.id));
        }
        self.orders.insert(order.id, order.clone());
    }

    fn withdraw(&mut self, id: OrderId) {
        let Some(order) = self.orders.remove(&id) else { return };
        if let Some(hot) = self.hot.get_mut(&order.instrument) {
            hot.remove(&id);
        }
        for (edge, level, item) in edges_of_order(&order) {
            self.ladder.take(order.instrument, edge, level, item);
        }
        if let Some(at) = order.expires_at {
            self.expiries.remove(&(at, id));
        }
    }

    /// What of an order trades on a quote, and at what price.
    fn offer(&self, order: &Order, quote: &Quote) -> Option<(Lots, Price)> {
        let listing = self.listings.get(&order.instrument);
        let market = entry_price(order.side, quote);
        let price = match order.kind.limit() {
            // At the limit or better: a gap in its favour is the order's.
            Some(limit) if order.side == Side::Buy && market > limit => return None,
            Some(limit) if order.side == Side::Sell && market < limit => return None,
            Some(_) => market,
            None => {
                let tick = listing.map_or(Price::from_units(1), |l| l.tick);
                self.terms(order.instrument).slip(market, order.side, tick, quote, order.id.0)
            }
        };
        let step = listing.map_or(Lots::from_units(1), |l| l.lot_step);
        let lots = self.terms(order.instrument).portion(order.remaining(), step);
        let whole = lots == order.remaining();
        (whole || order.time_in_force != TimeInForce::Fok).then_some((lots, price))
    }

    /// An order of which the time and the price have come, on one quote.
    fn carry_out(&self, order: &Order, quote: &Quote, reports: &mut Vec<VenueReport>) {
        let mut left = order.remaining();
        if let Some((lots, price)) = self.offer(order, quote) {
            left = left.saturating_sub(lots);
            let commission = self.commission(order.instrument, lots);
            reports.push(VenueReport::Triggered { order: order.id, lots, price, commission });
        }
        if order.time_in_force.is_immediate() && left > Lots::ZERO {
            reports.push(VenueReport::Ended { order: order.id, reason: NOT_AT_ONCE.to_owned() });
        }
    }

    /// Carries out what a quote has reached.
    fn set_off(&mut self, item: Item, quote: &Quote, reports: &mut Vec<VenueReport>) {
        match item {
            Item::Exit(id) => self.exit(id, quote, reports),
            Item::Order(id) => {
                let Some(order) = self.orders.get(&id).filter(|o| self.is_ready(o)) else { return };
                if order.kind.limit().is_some() && order.kind.stop().is_some() && !order.triggered {
                    reports.push(VenueReport::Armed { order: id });
                }
                self.carry_out(order, quote, reports);
            }
            Item::Follow(id) => {
                let Some(stop_loss) = self.positions.get(&id).and_then(|p| followed(p, quote, self.tick(p.instrument)))
                else {
                    return;
                };
                reports.push(VenueReport::Followed { position: id, stop_loss });
            }
            Item::Trail(id) => {
                let Some(stop) = self.orders.get(&id).and_then(|o| trailed(o, quote, self.tick(o.instrument))) else {
                    return;
                };
                reports.push(VenueReport::Trailed { order: id, stop });
            }
        }
    }

    fn exit(&self, id: PositionId, quote: &Quote, reports: &mut Vec<VenueReport>) {
        let Some(position) = self.positions.get(&id) else { return };
        let Some(origin) = trigger(position, quote) else { return };
        let market = exit_price(position.side, quote);
        let price = match origin {
            Origin::TakeProfit => market,
            _ => {
                let tick = self.tick(position.instrument);
                self.terms(position.instrument).slip(market, position.side.opposite(), tick, quote, id.0)
            }
        };
        let commission = self.commission(position.instrument, position.lots);
        reports.push(VenueReport::Exited { position: id, execution: None, origin, price, commission });
    }

    fn tick(&self, instrument: InstrumentId) -> Price {
        self.listings.get(&instrument).map_or(Price::from_units(1), |l| l.tick)
    }

    /// Ends what has expired by now.
    fn expire(&mut self, reports: &mut Vec<VenueReport>) {
        while let Some((at, id)) = self.expiries.first().copied().filter(|(at, _)| *at <= self.now) {
            self.expiries.remove(&(at, id));
            self.withdraw(id);
            reports.push(VenueReport::Ended { order: id, reason: EXPIRED.to_owned() });
        }
    }

    /// Orders whose latency has passed take their place among the levels; those that take any price are reached.
    fn wake(&mut self, instrument: InstrumentId, reached: &mut BTreeSet<Item>) {
        let Some(hot) = self.hot.get(&instrument) else { return };
        let ready: Vec<OrderId> =
            hot.iter().copied().filter(|id| self.orders.get(id).is_some_and(|o| self.is_ready(o))).collect();
        for id in ready {
            let Some(order) = self.orders.get(&id).cloned() else { continue };
            if self.is_hot(&order) {
                reached.insert(Item::Order(id));
            } else {
                self.withdraw(id);
                self.stand(&order);
            }
        }
    }
}

impl Venue for SimulatedVenue {
    fn price(&self, quote: &Quote) -> Quote {
        self.terms(quote.instrument).price(quote)
    }

    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let order = order.order();
        let Some(quote) = self.quotes.get(&order.instrument).copied() else {
            let reason = "there is no price for this instrument".to_owned();
            return reports.push(VenueReport::Rejected { order: order.id, reason });
        };
        let open = self.is_open(order.instrument, self.now);
        let must_trade =
            order.purpose == Purpose::Open && (order.kind.price().is_none() || order.time_in_force.is_immediate());
        if !open && must_trade {
            return reports.push(VenueReport::Rejected { order: order.id, reason: CLOSED.to_owned() });
        }
        reports.push(VenueReport::Acked { order: order.id });
        if let Purpose::CloseBy { .. } = order.purpose {
            // Two positions against each other: no price of the market, and no charge.
            let (lots, price) = (order.lots, exit_price(order.side, &quote));
            return reports.push(VenueReport::Filled {
                order: order.id,
                execution: None,
                lots,
                price,
                commission: Money::ZERO,
            });
        }
        let now_or_never = order.kind.price().is_none() || order.time_in_force.is_immediate();
        if !open || !now_or_never || !self.is_ready(order) || self.is_outdated(&quote, order) {
            return;
        }
        let mut left = order.remaining();
        if let Some((lots, price)) = self.offer(order, &quote) {
            left = left.saturating_sub(lots);
            let commission = self.commission(order.instrument, lots);
            reports.push(VenueReport::Filled { order: order.id, execution: None, lots, price, commission });
        }
        if order.time_in_force.is_immediate() && left > Lots::ZERO {
            reports.push(VenueReport::Ended { order: order.id, reason: NOT_AT_ONCE.to_owned() });
        }
    }

    /// Its durable memory is the shard's own journal, where every order it ever answered has its answer.
    /// So an order that still waits for one never reached it, and one that works stands here.
    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        if !self.orders.contains_key(&order) {
            reports.push(VenueReport::NotFound { order });
        }
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        if !quote.is_tradable() {
            return;
        }
        self.quotes.insert(quote.instrument, *quote);
        self.now = self.now.max(quote.at);
        self.expire(reports);
        let mut reached = core::mem::take(&mut self.reached);
        reached.clear();
        self.wake(quote.instrument, &mut reached);
        self.ladder.reached(quote, &mut reached);
        if !reached.is_empty() && self.is_open(quote.instrument, quote.at) {
            for item in &reached {
                self.set_off(*item, quote, reports);
            }
        }
        self.reached = reached;
    }

    fn order(&mut self, order: &Order) {
        self.withdraw(order.id);
        if order.is_working() {
            self.stand(order);
        }
    }

    fn position(&mut self, position: &Position) {
        if let Some(known) = self.positions.remove(&position.id) {
            for (edge, level, item) in edges_of_position(&known) {
                self.ladder.take(known.instrument, edge, level, item);
            }
        }
        let edges = edges_of_position(position);
        if position.closed.is_some() || edges.is_empty() {
            return;
        }
        for (edge, level, item) in edges {
            self.ladder.put(position.instrument, edge, level, item);
        }
        self.positions.insert(position.id, position.clone());
    }
}
