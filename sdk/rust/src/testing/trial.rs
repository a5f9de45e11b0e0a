//! A strategy on a stand-in desk.

use crate::{
    Action, Bar, Instrument, Lots, Money, OrderKind, OrderUpdate, Origin, Position, Price, Side, Start, Strategy, Tick,
    WorkingOrder,
    run::{StrategyRunner, bar_columns},
};

/// How often a strategy may act on the answers to its own wishes within one event.
const ROUNDS_MAX: usize = 8;

/// Euro against US dollar as most venues trade it, for tests.
#[must_use]
pub fn instrument() -> Instrument {
    Instrument {
        symbol: "EURUSD".to_owned(),
        tick_size: Price::from_units(1_000),
        pip: Price::from_units(10_000),
        lot_step: Lots::from_units(1_000_000),
        lot_max: Lots::whole(50),
        contract_size: 100_000,
        quote_currency: "USD".to_owned(),
    }
}

/// A strategy on a stand-in desk that answers every wish at once: what is at the market trades at the last price, what is
/// pending waits until the test fills it. It checks nothing and knows no money; what a real venue makes of a strategy,
/// a backtest shows.
#[derive(Debug)]
pub struct Trial<S> {
    runner: StrategyRunner<S>,
    last_id: i64,
    now: i64,
    /// All that it wished for so far.
    wishes: Vec<Action>,
}

impl<S: Strategy> Trial<S> {
    /// Starts it on this instrument, with bars of this length.
    ///
    /// # Errors
    /// What the strategy says of its settings.
    pub fn start(settings: &str, instrument: Instrument, timeframe_ms: i64) -> Result<Self, String> {
        let runner = StrategyRunner::new(settings, Start { instrument, timeframe_ms }, None)?;
        Ok(Self { runner, last_id: 0, now: 0, wishes: Vec::new() })
    }

    /// The strategy with its context.
    #[must_use]
    pub const fn runner(&self) -> &StrategyRunner<S> {
        &self.runner
    }

    /// All that it wished for since this was asked last.
    pub fn take_wishes(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.wishes)
    }

    /// Its open positions.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        self.runner.context().positions()
    }

    /// Its working orders.
    #[must_use]
    pub fn orders(&self) -> &[WorkingOrder] {
        self.runner.context().orders()
    }

    /// Shows it a closed bar.
    pub fn bar(&mut self, bar: &Bar) {
        self.runner.on_bars(1, &bar_columns(core::slice::from_ref(bar)));
        self.now = self.runner.context().now();
        self.answer();
    }

    /// Shows it a quote.
    pub fn tick(&mut self, tick: &Tick) {
        self.now = tick.at;
        self.runner.on_ticks(1, &[tick.at, tick.bid.units(), tick.ask.units()]);
        self.answer();
    }

    /// Its timer is due.
    pub fn timer(&mut self, at: i64) {
        self.now = at;
        self.runner.on_timer(at);
        self.answer();
    }

    /// Tells it something.
    pub fn tell(&mut self, update: &OrderUpdate) {
        self.runner.on_order_update(self.now, update);
        self.answer();
    }

    /// A working order trades, wholly, at the price that it waits for.
    pub fn fill(&mut self, order: i64) {
        let Some(order) = self.orders().iter().find(|o| o.id == order).copied() else { return };
        let price = order.kind.price().unwrap_or_default();
        let balance = Money::ZERO;
        self.tell(&OrderUpdate::Opened { position: order.id, side: order.side, lots: order.lots, price, balance });
        self.tell(&OrderUpdate::Traded { order: order.id, lots: order.lots, price, left: Lots::ZERO });
    }

    /// A working order expires.
    pub fn expire(&mut self, order: i64) {
        self.tell(&OrderUpdate::Ended { order });
    }

    /// A position is closed at one of its levels.
    pub fn exit(&mut self, position: i64, origin: Origin, price: Price) {
        let balance = Money::ZERO;
        self.tell(&OrderUpdate::Closed { position, price, profit: Money::ZERO, origin, balance });
    }

    fn answer(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let actions = self.runner.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.wishes.push(action);
                if let Some(update) = self.answer_to(&action) {
                    // What it wishes for now is added to what it wished for before.
                    self.runner.on_order_update(self.now, &update);
                }
            }
        }
    }

    fn answer_to(&mut self, action: &Action) -> Option<OrderUpdate> {
        let context = self.runner.context();
        let (bid, ask, balance) = (context.bid(), context.ask(), Money::ZERO);
        let held = |id: i64| context.positions().iter().find(|p| p.id == id).copied();
        let working = |id: i64| context.orders().iter().find(|o| o.id == id).copied();
        let changed = |p: Position| OrderUpdate::Changed { position: p.id, lots: p.lots, price: p.price, balance };
        let opened = |position: i64, side: Side, lots: Lots| {
            let price = if side == Side::Buy { ask } else { bid };
            OrderUpdate::Opened { position, side, lots, price, balance }
        };
        let update = match *action {
            Action::Open { side, lots, .. } => Some(opened(self.last_id + 1, side, lots)),
            Action::Place(ticket) if ticket.kind == OrderKind::Market => {
                Some(opened(self.last_id + 1, ticket.side, ticket.lots))
            }
            Action::Place(ticket) => Some(OrderUpdate::Working(WorkingOrder {
                id: self.last_id + 1,
                side: ticket.side,
                lots: ticket.lots,
                kind: ticket.kind,
                time_in_force: ticket.time_in_force,
                levels: ticket.levels,
            })),
            Action::Amend { order, to } => working(order).map(|known| {
                let (kind, time_in_force, levels) = (to.kind, to.time_in_force, to.levels);
                OrderUpdate::Working(WorkingOrder { kind, time_in_force, levels, ..known })
            }),
            Action::Cancel { order } => working(order).map(|known| OrderUpdate::Ended { order: known.id }),
            Action::Close { position } => held(position).map(|known| {
                let price = if known.side == Side::Buy { bid } else { ask };
                let (profit, origin) = (Money::ZERO, Origin::Strategy);
                OrderUpdate::Closed { position, price, profit, origin, balance }
            }),
            Action::Reduce { position, lots } => {
                held(position).map(|known| changed(Position { lots: known.lots - lots, ..known }))
            }
            Action::Protect { position, .. } => held(position).map(changed),
            Action::CloseBy { .. } => None,
            Action::SetTimer { .. } => return None,
        };
        self.last_id += 1;
        Some(update.unwrap_or(OrderUpdate::Refused))
    }
}
