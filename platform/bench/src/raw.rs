//! wasmtime without our sandbox: the floor that the sandbox is measured against.
//!
//! The same components on an engine of the same profile, called through wasmtime's own typed calls. Nothing is
//! armed, packed or checked; fuel and deadline are set once, out of reach.

use anyhow::Result;
use marque_domain::{
    fixed::{Money, Price},
    order::{Origin, Side},
};
use marque_engine::port::{BarRun, OrderUpdate, OrderView};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, HasSelf, Linker},
};

use crate::{
    fixture::{self, EMA_SETTINGS},
    recorder::{Call, Seen},
};

mod contract {
    wasmtime::component::bindgen!({ path: "../../sdk/wit", world: "order-strategy" });
}

mod rule_contract {
    wasmtime::component::bindgen!({ path: "../../sdk/wit", world: "risk-rule" });
}

use contract::{
    OrderStrategy, OrderStrategyPre,
    marque::plugin::{
        host, limits, order_strategy_types, order_types,
        strategy_types::{self, Start},
        types,
    },
};
use rule_contract::{
    RiskRule, RiskRulePre,
    marque::plugin::{
        account_facts, flattening, host as rule_host, market_facts, objectives, order_facts,
        order_types as rule_orders, rule_types, types as rule_kinds,
    },
};

/// A host that answers at once.
pub struct Quiet;

impl host::Host for Quiet {
    fn now(&mut self) -> i64 {
        0
    }
    fn random(&mut self) -> u64 {
        0
    }
    fn log(&mut self, _event: u32, _line: String) {}
}

impl types::Host for Quiet {}
impl strategy_types::Host for Quiet {}
impl order_types::Host for Quiet {}
impl order_strategy_types::Host for Quiet {}

impl rule_host::Host for Quiet {
    fn now(&mut self) -> i64 {
        0
    }
    fn random(&mut self) -> u64 {
        0
    }
    fn log(&mut self, _event: u32, _line: String) {}
}

impl limits::Host for Quiet {
    fn get_room(&mut self) -> limits::Room {
        limits::Room { floor: None, resets_at: None, balance: 0 }
    }
}

impl account_facts::Host for Quiet {
    fn get_facts(&mut self) -> account_facts::Facts {
        account_facts::Facts {
            opened_at: 0,
            peak_balance: 0,
            peak_day_balance: 0,
            deposited: 0,
            withdrawn: 0,
            trades_today: 0,
            trades_allowed: None,
        }
    }
    fn get_days(&mut self) -> Vec<account_facts::DayTally> {
        Vec::new()
    }
    fn get_executions(&mut self) -> Vec<account_facts::Execution> {
        Vec::new()
    }
}

impl market_facts::Host for Quiet {
    fn find_instrument(&mut self, _id: u32) -> Option<market_facts::Instrument> {
        None
    }
    fn next_closure(&mut self, _id: u32, _least_ms: i64) -> Option<market_facts::Closure> {
        None
    }
}

impl objectives::Host for Quiet {
    fn report(&mut self, _objective: objectives::Objective) {}
}

impl flattening::Host for Quiet {
    fn only(&mut self, _instrument: u32) {}
}

impl order_facts::Host for Quiet {
    fn get_terms(&mut self) -> Option<order_facts::OrderTerms> {
        None
    }
    fn get_waiting(&mut self) -> Vec<order_facts::WaitingOrder> {
        Vec::new()
    }
}

impl rule_kinds::Host for Quiet {}
impl rule_orders::Host for Quiet {}
impl rule_types::Host for Quiet {}

/// Compiles a component and nothing else.
///
/// # Errors
/// When wasmtime refuses.
pub fn compile(component: &[u8]) -> Result<()> {
    Component::from_binary(&Engine::new(&profile(1))?, component)?;
    Ok(())
}

/// A compiled strategy, ready to be instantiated.
pub struct Raw {
    engine: Engine,
    pre: OrderStrategyPre<Quiet>,
    start: Start,
}

/// An instance of it.
pub struct RawInstance {
    store: Store<Quiet>,
    world: OrderStrategy,
}

impl Raw {
    /// Compiles a component, with room for `instances`.
    ///
    /// # Errors
    /// When wasmtime refuses.
    pub fn load(component: &[u8], instances: u32) -> Result<Self> {
        let engine = Engine::new(&profile(instances))?;
        let mut linker = Linker::new(&engine);
        OrderStrategy::add_to_linker::<_, HasSelf<Quiet>>(&mut linker, |host| host)?;
        let pre = OrderStrategyPre::new(linker.instantiate_pre(&Component::from_binary(&engine, component)?)?)?;
        let instrument = fixture::instrument()?;
        let start = Start {
            instrument: types::Instrument {
                symbol: instrument.symbol,
                tick_size: instrument.tick_size.units(),
                pip: instrument.pip.units(),
                lot_step: instrument.lot_step.units(),
                lot_max: instrument.lot_max.units(),
                contract_size: instrument.contract_size,
                quote_currency: instrument.quote.code().to_owned(),
            },
            timeframe_ms: 60_000,
        };
        Ok(Self { engine, pre, start })
    }

    /// Instantiates and initialises.
    ///
    /// # Errors
    /// When wasmtime or the guest refuses.
    pub fn start(&self) -> Result<RawInstance> {
        let mut store = unbounded(&self.engine)?;
        let world = self.pre.instantiate(&mut store)?;
        world.call_init(&mut store, EMA_SETTINGS, &self.start, None)?.map_err(anyhow::Error::msg)?;
        Ok(RawInstance { store, world })
    }
}

impl RawInstance {
    /// Hands it a run whose columns lie back to back.
    ///
    /// # Errors
    /// When the guest traps.
    pub fn on_bars(&mut self, count: u32, columns: &[i64]) -> Result<u32> {
        Ok(self.world.call_on_bars(&mut self.store, count, columns)?.consumed)
    }
}

/// A call that was recorded, in wasmtime's own types: replaying it costs the call and nothing else.
pub enum RawCall {
    /// Bars, and whether actions are taken afterwards.
    Bars(u32, Vec<i64>, bool),
    /// An order update, and whether actions are taken afterwards.
    Update(i64, order_strategy_types::OrderEvent, bool),
    /// A question about an order.
    Check(rule_types::Order, rule_types::Account),
    /// A question about an account.
    Assess(rule_types::Account),
}

impl RawCall {
    /// The recorded call.
    pub fn of(call: &Call) -> Self {
        match call {
            Call::Bars(columns, acted) => {
                Self::Bars(u32::try_from(columns.len() / 7).unwrap_or(u32::MAX), columns.clone(), *acted)
            }
            Call::Update(at, update, acted) => Self::Update(at.0, told(update), *acted),
            Call::Check(order, seen) => Self::Check(asked(order), account(seen)),
            Call::Assess(seen) => Self::Assess(account(seen)),
        }
    }

    /// How many bars it gives.
    pub const fn bars(&self) -> usize {
        match self {
            Self::Bars(count, ..) => *count as usize,
            Self::Update(..) | Self::Check(..) | Self::Assess(_) => 0,
        }
    }
}

/// A strategy, and the rule of its account if there is one.
pub struct RawPlayer {
    strategy: RawInstance,
    rule: Option<(Store<Quiet>, RiskRule)>,
}

impl RawPlayer {
    /// Starts both.
    ///
    /// # Errors
    /// When wasmtime or a guest refuses.
    pub fn start(strategy: &Raw, rule: Option<(&RawRule, &str)>) -> Result<Self> {
        let rule = rule.map(|(rule, settings)| rule.start(settings)).transpose()?;
        Ok(Self { strategy: strategy.start()?, rule })
    }

    /// Makes a call and answers how many bars it handled.
    ///
    /// # Errors
    /// When the guest traps, or a rule is asked that was not started.
    pub fn play(&mut self, call: &RawCall) -> Result<u32> {
        let RawInstance { store, world } = &mut self.strategy;
        let (bars, acted) = match call {
            RawCall::Bars(count, columns, acted) => {
                (world.call_on_bars(&mut *store, *count, columns)?.consumed, *acted)
            }
            RawCall::Update(at, update, acted) => {
                world.call_on_order_event(&mut *store, *at, *update)?;
                (0, *acted)
            }
            RawCall::Check(order, account) => {
                let (store, rule) = self.rule.as_mut().ok_or_else(|| anyhow::anyhow!("no rule was started"))?;
                rule.call_check(store, *order, account)?;
                (0, false)
            }
            RawCall::Assess(account) => {
                let (store, rule) = self.rule.as_mut().ok_or_else(|| anyhow::anyhow!("no rule was started"))?;
                rule.call_assess(store, account)?;
                (0, false)
            }
        };
        if acted {
            world.call_take_wishes(store)?;
        }
        Ok(bars)
    }
}

/// A compiled rule.
pub struct RawRule {
    engine: Engine,
    pre: RiskRulePre<Quiet>,
}

impl RawRule {
    /// Compiles a component.
    ///
    /// # Errors
    /// When wasmtime refuses.
    pub fn load(component: &[u8]) -> Result<Self> {
        let engine = Engine::new(&profile(4))?;
        let mut linker = Linker::new(&engine);
        RiskRule::add_to_linker::<_, HasSelf<Quiet>>(&mut linker, |host| host)?;
        let pre = RiskRulePre::new(linker.instantiate_pre(&Component::from_binary(&engine, component)?)?)?;
        Ok(Self { engine, pre })
    }

    fn start(&self, settings: &str) -> Result<(Store<Quiet>, RiskRule)> {
        let mut store = unbounded(&self.engine)?;
        let world = self.pre.instantiate(&mut store)?;
        world.call_init(&mut store, settings)?.map_err(anyhow::Error::msg)?;
        Ok((store, world))
    }
}

/// A store whose fuel and deadline are out of reach.
fn unbounded(engine: &Engine) -> Result<Store<Quiet>> {
    let mut store = Store::new(engine, Quiet);
    store.set_fuel(u64::MAX)?;
    store.set_epoch_deadline(u64::MAX / 2);
    Ok(store)
}

const fn told(update: &OrderUpdate) -> order_strategy_types::OrderEvent {
    match *update {
        OrderUpdate::Opened { position, side, lots, price, balance } => {
            order_strategy_types::OrderEvent::Opened(strategy_types::Opened {
                position: position.0,
                side: match side {
                    Side::Buy => types::Side::Buy,
                    Side::Sell => types::Side::Sell,
                },
                lots: lots.units(),
                price: price.units(),
                balance: balance.units(),
            })
        }
        OrderUpdate::Closed { position, price, profit, origin, balance } => {
            order_strategy_types::OrderEvent::Closed(strategy_types::Closed {
                position: position.0,
                price: price.units(),
                profit: profit.units(),
                origin: match origin {
                    Origin::Strategy => types::Origin::Strategy,
                    Origin::Trader => types::Origin::Trader,
                    Origin::Rule | Origin::KillSwitch | Origin::StopOut => types::Origin::Rule,
                    Origin::StopLoss => types::Origin::StopLoss,
                    Origin::TakeProfit => types::Origin::TakeProfit,
                },
                balance: balance.units(),
            })
        }
        // The strategies of this bench trade at the market: nothing else happens in it.
        OrderUpdate::Refused
        | OrderUpdate::Ended { .. }
        | OrderUpdate::Working { .. }
        | OrderUpdate::Traded { .. }
        | OrderUpdate::Changed { .. } => order_strategy_types::OrderEvent::Refused,
    }
}

fn asked(order: &OrderView) -> rule_types::Order {
    rule_types::Order {
        instrument: order.instrument.0,
        side: kind(order.side),
        lots: order.lots.units(),
        price: order.price.units(),
        stop_loss: order.stop_loss.map(Price::units),
        risk: order.risk.map(Money::units),
        value_per_point: order.value_per_point.units(),
    }
}

fn account(seen: &Seen) -> rule_types::Account {
    let Seen { account, positions } = seen;
    rule_types::Account {
        now: account.now.0,
        initial_balance: account.initial_balance.units(),
        balance: account.balance.units(),
        equity: account.equity.units(),
        day: rule_types::DayAnchor {
            began_at: account.day.began_at.0,
            next_at: account.day.next_at.0,
            balance: account.day.balance.units(),
            equity: account.day.equity.units(),
            peak_equity: account.day.peak_equity.units(),
        },
        positions: positions
            .iter()
            .map(|held| rule_types::Exposure {
                instrument: held.instrument.0,
                side: kind(held.side),
                lots: held.lots.units(),
                profit: held.profit.units(),
            })
            .collect(),
    }
}

const fn kind(side: Side) -> rule_kinds::Side {
    match side {
        Side::Buy => rule_kinds::Side::Buy,
        Side::Sell => rule_kinds::Side::Sell,
    }
}

/// The sandbox's deterministic profile, as far as it costs a call or an instance anything.
fn profile(instances: u32) -> Config {
    const CORES: u32 = 8;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORES)
        .total_memories(instances)
        .total_tables(instances * 4)
        .max_memory_size(16 << 20)
        .table_elements(8_192);
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(512 << 10)
        .concurrency_support(false)
        .memory_reservation(16 << 20)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10)
        .guard_before_linear_memory(false)
        .memory_may_move(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The columns of a run, back to back, as a careful caller without our sandbox would lay them out for each call.
pub fn packed(run: BarRun<'_>, into: &mut Vec<i64>) {
    into.clear();
    for column in [run.open_at, run.open, run.high, run.low, run.close, run.spread, run.volume] {
        into.extend_from_slice(column);
    }
}
