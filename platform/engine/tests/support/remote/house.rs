//! A venue's own house: the orders it accepted, the positions they made, and what it says of them. Nothing is lost in here;
//! that is the network's business.

use marque_domain::{
    bar::Quote,
    execution::ExecutionId,
    fixed::{Lots, Money, Price},
    id::{InstrumentId, OrderId, PositionId},
    oracle::VenueOrder,
    order::{Order, OrderState, Position, Purpose, Side, average},
    ticket::{Levels, OrderKind, TimeInForce},
};
use marque_engine::{
    port::{Venue, VenueReport},
    venue::{SimulatedVenue, entry_price},
};
use std::collections::BTreeMap;

const LOT_STEP: Lots = Lots::from_units(1_000_000);
const COMMISSION_PER_LOT: i64 = 3;

/// What it answers to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done, or heard.
    Done,
    /// It refuses the order.
    Rejected(String),
    /// It has an order of this client id: nothing was done.
    Duplicate,
    /// To a question.
    Answer(VenueReport),
}

/// An order in its house, with all that was ever said of it.
pub struct Held {
    pub order: Order,
    pub said: Vec<VenueReport>,
    /// Orders that came with this client id and were not taken for it.
    pub refused_twice: u32,
    amended: u64,
}

#[derive(Default)]
pub struct House {
    /// Finds the quote at which an order trades; what it proposes, this venue does.
    matching: SimulatedVenue,
    quotes: BTreeMap<InstrumentId, Quote>,
    pub orders: BTreeMap<OrderId, Held>,
    pub positions: BTreeMap<PositionId, Position>,
    protected: BTreeMap<PositionId, u64>,
    executions: u64,
    /// Whether what trades at once trades only by half at first.
    pub halves: bool,
    /// What it has to say and has not said.
    pub news: Vec<VenueReport>,
}

impl House {
    fn say(&mut self, id: OrderId, report: VenueReport) {
        if let Some(held) = self.orders.get_mut(&id) {
            let same_kind = |said: &VenueReport| {
                matches!(
                    (said, &report),
                    (VenueReport::Trailed { .. }, VenueReport::Trailed { .. })
                        | (VenueReport::Followed { .. }, VenueReport::Followed { .. })
                )
            };
            held.said.retain(|said| !same_kind(said));
            held.said.push(report.clone());
        }
        self.news.push(report);
    }

    /// Takes an order, or refuses it; the reply goes to whoever sent it, what follows is said to all.
    pub fn submit(&mut self, order: &Order) -> Reply {
        if let Some(known) = self.orders.get_mut(&order.id) {
            known.refused_twice += 1;
            return Reply::Duplicate;
        }
        let mut order = Order { state: OrderState::Acked, ..order.clone() };
        let fits = match order.purpose {
            Purpose::Open => true,
            Purpose::Close(p) => self.open(p) >= order.lots,
            Purpose::CloseBy { position, by } => self.open(position).min(self.open(by)) >= order.lots,
        };
        let quote = self.quotes.get(&order.instrument).copied();
        let (Some(quote), true) = (quote, fits) else {
            order.state = OrderState::Rejected;
            let reason = "the position is not open".to_owned();
            let id = order.id;
            self.orders.insert(id, Held { order, said: vec![], refused_twice: 0, amended: 0 });
            self.orders.get_mut(&id).unwrap().said.push(VenueReport::Rejected { order: id, reason: reason.clone() });
            return Reply::Rejected(reason);
        };
        let id = order.id;
        self.orders.insert(id, Held { order: order.clone(), said: vec![], refused_twice: 0, amended: 0 });
        self.say(id, VenueReport::Acked { order: id });
        self.matching.order(&order);
        self.trade_at_once(&order, &quote);
        Reply::Done
    }

    fn trade_at_once(&mut self, order: &Order, quote: &Quote) {
        if order.kind.price().is_some() && !order.time_in_force.is_immediate() {
            return;
        }
        let price = entry_price(order.side, quote);
        let reached = order.kind.limit().is_none_or(|limit| match order.side {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        });
        let halves = self.halves && order.time_in_force != TimeInForce::Fok && order.lots > LOT_STEP;
        let lots = if halves { Lots::from_units(order.lots.units() / 2).round_down_to(LOT_STEP) } else { order.lots };
        if reached {
            self.fill(order.id, lots, price);
        }
        let left = self.orders[&order.id].order.remaining();
        if order.time_in_force.is_immediate() && left > Lots::ZERO {
            self.end(order.id, "no more of it could trade at once");
        }
    }

    fn open(&self, position: PositionId) -> Lots {
        self.positions.get(&position).map_or(Lots::ZERO, |p| p.lots)
    }

    fn execution(&mut self) -> ExecutionId {
        self.executions += 1;
        ExecutionId::new(&format!("x{}", self.executions)).unwrap()
    }

    fn fill(&mut self, id: OrderId, lots: Lots, price: Price) {
        let execution = Some(self.execution());
        let order = &mut self.orders.get_mut(&id).unwrap().order;
        order.fill(lots, price);
        order.triggered |= order.kind.stop().is_some();
        order.state = if order.remaining().is_zero() { OrderState::Filled } else { OrderState::Partial };
        let order = order.clone();
        self.matching.order(&order);
        match order.purpose {
            Purpose::Open => self.grow(&order, lots, price),
            Purpose::Close(position) => self.reduce(position, lots),
            Purpose::CloseBy { position, by } => {
                self.reduce(position, lots);
                self.reduce(by, lots);
            }
        }
        let against = matches!(order.purpose, Purpose::CloseBy { .. });
        let commission = if against { Money::ZERO } else { commission(lots) };
        self.say(id, VenueReport::Filled { order: id, execution, lots, price, commission });
    }

    fn grow(&mut self, order: &Order, lots: Lots, price: Price) {
        let id = PositionId(order.id.0);
        let levels = order.levels();
        let fresh = Position {
            id,
            account: order.account,
            deployment: None,
            instrument: order.instrument,
            side: order.side,
            lots: Lots::ZERO,
            closed_lots: Lots::ZERO,
            realised: Money::ZERO,
            open_price: price,
            opened_at: order.created_at,
            stop_loss: levels.stop_loss,
            take_profit: levels.take_profit,
            trail: levels.trail,
            closed: None,
        };
        let position = self.positions.entry(id).or_insert(fresh);
        position.open_price = average((position.open_price, position.lots), (price, lots));
        position.lots = position.lots.saturating_add(lots);
        let position = position.clone();
        self.matching.position(&position);
    }

    fn reduce(&mut self, id: PositionId, lots: Lots) {
        let position = self.positions.get_mut(&id).unwrap();
        assert!(lots <= position.lots, "the house closed more than there was");
        position.lots = position.lots.saturating_sub(lots);
        let mut position = position.clone();
        if position.lots.is_zero() {
            self.positions.remove(&id);
            (position.stop_loss, position.take_profit, position.trail) = (None, None, None);
        }
        self.matching.position(&position);
    }

    fn end(&mut self, id: OrderId, reason: &str) {
        let order = &mut self.orders.get_mut(&id).unwrap().order;
        order.state = OrderState::Cancelled;
        let order = order.clone();
        self.matching.order(&order);
        self.say(id, VenueReport::Ended { order: id, reason: reason.to_owned() });
    }

    pub fn cancel(&mut self, id: OrderId) -> Reply {
        match self.orders.get(&id).map(|held| held.order.is_working()) {
            Some(true) => self.end(id, "it was cancelled"),
            Some(false) => return Reply::Rejected("too late".into()),
            None => return Reply::Rejected("there is no such order".into()),
        }
        Reply::Done
    }

    /// Changes a working order; of two changes the later sent one stands, whichever comes first.
    pub fn amend(&mut self, to: &Order, number: u64) -> Reply {
        let Some(held) = self.orders.get_mut(&to.id).filter(|h| h.order.is_working() && !h.order.triggered) else {
            return Reply::Rejected("too late".into());
        };
        if number < held.amended {
            return Reply::Done;
        }
        held.amended = number;
        (held.order.kind, held.order.time_in_force, held.order.expires_at) = (to.kind, to.time_in_force, to.expires_at);
        (held.order.stop_loss, held.order.take_profit, held.order.trail) = (to.stop_loss, to.take_profit, to.trail);
        let order = held.order.clone();
        self.matching.order(&order);
        Reply::Done
    }

    pub fn protect(&mut self, id: PositionId, levels: Levels, number: u64) -> Reply {
        let last = self.protected.entry(id).or_default();
        if number < *last {
            return Reply::Done;
        }
        *last = number;
        let Some(position) = self.positions.get_mut(&id) else { return Reply::Rejected("too late".into()) };
        (position.stop_loss, position.take_profit, position.trail) =
            (levels.stop_loss, levels.take_profit, levels.trail);
        let position = position.clone();
        self.matching.position(&position);
        Reply::Done
    }

    pub fn query(&self, id: OrderId) -> VenueReport {
        let Some(held) = self.orders.get(&id) else { return VenueReport::NotFound { order: id } };
        let waits = held.order.is_working().then_some(held.order.kind);
        VenueReport::Found { order: id, said: held.said.clone(), waits }
    }

    /// The market moved: what stands here trades.
    pub fn quote(&mut self, quote: &Quote) {
        if !quote.is_tradable() {
            return;
        }
        self.quotes.insert(quote.instrument, *quote);
        let mut reached = Vec::new();
        self.matching.quote(quote, &mut reached);
        for report in reached {
            self.carry_out(report);
        }
    }

    fn carry_out(&mut self, report: VenueReport) {
        match report {
            VenueReport::Triggered { order, lots, price, .. } => {
                let held = &self.orders[&order].order;
                let most = match held.purpose {
                    Purpose::Open => lots,
                    Purpose::Close(position) => self.open(position),
                    Purpose::CloseBy { position, by } => self.open(position).min(self.open(by)),
                };
                if !held.is_working() {
                    return;
                }
                if most > Lots::ZERO {
                    self.fill(order, lots.min(most), price);
                }
                if most < lots {
                    self.end(order, "the position is not open any more");
                }
            }
            VenueReport::Armed { order } => {
                let held = &mut self.orders.get_mut(&order).unwrap().order;
                held.triggered = true;
                let held = held.clone();
                self.matching.order(&held);
                self.say(order, VenueReport::Armed { order });
            }
            VenueReport::Trailed { order, stop } => {
                let held = &mut self.orders.get_mut(&order).unwrap().order;
                if let OrderKind::TrailingStop { stop: level, .. } = &mut held.kind {
                    *level = stop;
                }
                let held = held.clone();
                self.matching.order(&held);
                self.say(order, VenueReport::Trailed { order, stop });
            }
            VenueReport::Ended { order, reason } if self.orders[&order].order.is_working() => self.end(order, &reason),
            VenueReport::Exited { position, origin, price, .. } => {
                let Some(lots) = self.positions.get(&position).map(|p| p.lots) else { return };
                self.reduce(position, lots);
                let execution = Some((self.execution(), lots));
                let exited = VenueReport::Exited { position, execution, origin, price, commission: commission(lots) };
                self.say(OrderId(position.0), exited);
            }
            VenueReport::Followed { position, stop_loss } => {
                let Some(held) = self.positions.get_mut(&position) else { return };
                held.stop_loss = Some(stop_loss);
                let held = held.clone();
                self.matching.position(&held);
                self.say(OrderId(position.0), VenueReport::Followed { position, stop_loss });
            }
            _ => {}
        }
    }

    /// Its statement: what an accountant would ask it for.
    pub fn statement(&self) -> Vec<VenueOrder> {
        let listed = self.orders.values().map(|held| &held.order);
        listed
            .map(|o| VenueOrder {
                id: o.id,
                instrument: o.instrument,
                side: o.side,
                lots: o.lots,
                filled: o.filled,
                working: o.is_working(),
            })
            .collect()
    }
}

fn commission(lots: Lots) -> Money {
    Money::from_units(lots.units() * COMMISSION_PER_LOT)
}
