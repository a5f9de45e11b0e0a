//! A strategy that uses every kind of order.

use marque_domain::{
    fixed::{Lots, Price},
    id::{OrderId, PositionId},
    order::Side,
    ticket::{Amendment, Levels, OrderKind, TimeInForce, Trail},
    time::Millis,
};
use marque_engine::port::{Action, BarRun, Fault, Hooks, OrderUpdate, Strategy, TickRun};

/// Places, changes and withdraws orders of every kind at random, but always the same for the same events.
pub struct Clerk {
    hooks: Hooks,
    every: u64,
    state: u64,
    orders: Vec<i64>,
    positions: Vec<i64>,
}

impl Clerk {
    /// `settings` are a seed and how many events pass between two acts.
    pub fn new(hooks: Hooks, settings: &str) -> Self {
        let (seed, every) = settings.split_once(' ').unwrap();
        let every = every.trim_end_matches('!').parse().unwrap();
        Self { hooks, every, state: seed.parse().unwrap(), orders: Vec::new(), positions: Vec::new() }
    }

    pub fn restore(&mut self, bytes: &[u8]) {
        (self.state, self.orders, self.positions) = postcard::from_bytes(bytes).unwrap();
    }

    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    fn below(&mut self, bound: u64) -> i64 {
        (self.roll() % bound) as i64
    }

    fn one_of(&mut self, ids: &[i64]) -> Option<i64> {
        let index = self.below(ids.len().max(1) as u64);
        ids.get(index as usize).copied()
    }

    fn levels(&mut self, side: Side, entry: i64) -> Levels {
        let away = |points: i64| Price::from_units(entry + points * 1_000 * if side == Side::Buy { 1 } else { -1 });
        let (down, up) = (20 + self.below(60), 20 + self.below(60));
        let trail = Trail { distance: points(15 + self.below(30)), step: points(1 + self.below(10)) };
        Levels {
            stop_loss: (self.below(2) == 0).then(|| away(-down)),
            take_profit: (self.below(2) == 0).then(|| away(up)),
            trail: (self.below(3) == 0).then_some(trail),
        }
    }

    fn time(&mut self, at: i64) -> TimeInForce {
        match self.below(6) {
            0 => TimeInForce::Gtd(Millis(at + 1 + self.below(400_000))),
            1 => TimeInForce::Day,
            2 => TimeInForce::Ioc,
            3 => TimeInForce::Fok,
            _ => TimeInForce::Gtc,
        }
    }

    fn place(&mut self, at: i64, bid: i64, oco: Option<OrderId>) -> Action {
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        let up = if side == Side::Buy { 1 } else { -1 };
        let (near, far) = (12 + self.below(60), self.below(30));
        let off = |points: i64| Price::from_units(bid + up * points * 1_000);
        let trail = Trail { distance: points(12 + self.below(40)), step: points(1 + self.below(9)) };
        let kind = match self.below(7) {
            0 => OrderKind::Market,
            1 | 2 => OrderKind::Limit { price: off(-near) },
            3 | 4 => OrderKind::Stop { price: off(near) },
            5 => OrderKind::StopLimit { stop: off(near), limit: off(near + far - 15) },
            _ => OrderKind::TrailingStop { stop: off(near), trail },
        };
        let entry = kind.price().unwrap_or(Price::from_units(bid)).units();
        let (levels, lots) = (self.levels(side, entry), Lots::from_units(1_000_000 * (1 + self.below(300))));
        Action::Place { side, lots, kind, time_in_force: self.time(at), levels, oco }
    }

    fn act(&mut self, at: i64, bid: i64) -> Option<Action> {
        let (orders, positions) = (self.orders.clone(), self.positions.clone());
        let (order, position) = (self.one_of(&orders).map(OrderId), self.one_of(&positions).map(PositionId));
        Some(match self.below(10) {
            0 => Action::Cancel { order: order? },
            1 => {
                let kind = OrderKind::Limit { price: Price::from_units(bid + (self.below(120) - 60) * 1_000) };
                let to = Amendment { kind, time_in_force: TimeInForce::Gtc, levels: Levels::default() };
                Action::Amend { order: order?, to }
            }
            2 => Action::Reduce { position: position?, lots: Lots::from_units(1_000_000 * (1 + self.below(200))) },
            3 => {
                let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
                Action::Protect { position: position?, levels: self.levels(side, bid) }
            }
            4 => Action::CloseBy { position: position?, by: PositionId(self.one_of(&positions)?) },
            5 => Action::Close { position: position? },
            6 => self.place(at, bid, order),
            _ => self.place(at, bid, None),
        })
    }

    fn event(&mut self, at: i64, bid: i64, actions: &mut Vec<Action>) {
        self.state ^= bid.unsigned_abs();
        if self.roll().is_multiple_of(self.every) {
            actions.extend(self.act(at, bid));
        }
    }

    fn run(&mut self, ats: &[i64], bids: &[i64], actions: &mut Vec<Action>) -> usize {
        for (index, (at, bid)) in ats.iter().zip(bids).enumerate() {
            self.event(*at, *bid, actions);
            if !actions.is_empty() {
                return index + 1;
            }
        }
        bids.len()
    }
}

fn points(points: i64) -> Price {
    Price::from_units(points * 1_000)
}

impl Strategy for Clerk {
    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn on_history(&mut self, _: BarRun<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        Ok(self.run(bars.open_at, bars.close, actions))
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        Ok(self.run(ticks.at, ticks.bid, actions))
    }

    fn on_order_update(&mut self, _: Millis, update: &OrderUpdate, _: &mut Vec<Action>) -> Result<(), Fault> {
        match update {
            OrderUpdate::Working { order, .. } if self.orders.contains(&order.0) => {}
            OrderUpdate::Working { order, .. } => self.orders.push(order.0),
            OrderUpdate::Ended { order } => self.orders.retain(|id| *id != order.0),
            OrderUpdate::Opened { position, .. } => {
                self.orders.retain(|id| *id != position.0);
                self.positions.push(position.0);
            }
            OrderUpdate::Closed { position, .. } => self.positions.retain(|id| *id != position.0),
            OrderUpdate::Changed { .. } | OrderUpdate::Traded { .. } | OrderUpdate::Refused => {}
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Millis, _: &mut Vec<Action>) -> Result<(), Fault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(postcard::to_stdvec(&(self.state, &self.orders, &self.positions)).unwrap())
    }
}
