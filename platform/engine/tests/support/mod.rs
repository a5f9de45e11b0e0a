//! Native strategies and rules for the engine's tests, and a market to run them on.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod clerk;
pub mod exchange;
pub mod mortal;
pub mod release;
pub mod remote;
pub mod scripted;

use clerk::Clerk;
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::{Quote, Timeframe},
    calendar::CalendarId,
    decision::{Intent, Verdict},
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, InstrumentId, PositionId, UserId},
    instrument::{Currency, Instrument},
    order::Side,
    plugin::{PluginDigest, PluginRef},
    time::Millis,
};
use marque_engine::{
    Effects, Shard,
    desk::Commit,
    event::Record,
    port::{
        AccountView, Action, Assessment, BarRun, DayReset, Fault, HistorySource, Hooks, OrderUpdate, OrderView,
        PluginHost, RiskRule, Standing, Strategy, StrategyStart, TickRun,
    },
};
use std::convert::Infallible;

pub const START: Millis = Millis(1_398_902_400_000);

pub fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId(1),
        symbol: "EURUSD".into(),
        name: "Euro".into(),
        tick_size: "0.00001".parse().unwrap(),
        pip: "0.0001".parse().unwrap(),
        lot_step: "0.01".parse().unwrap(),
        lot_max: Lots::whole(100),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar: CalendarId::Continuous,
        swap: None,
    }
}

pub fn plugin(name: &str, settings: &str) -> PluginRef {
    PluginRef { digest: PluginDigest([7; 32]), name: name.into(), settings: settings.into() }
}

pub fn terms(rules: Vec<PluginRef>) -> AccountTerms {
    AccountTerms {
        id: AccountId(1),
        user: UserId(1),
        name: "Test".into(),
        currency: Currency::USD,
        initial_balance: Money::whole(100_000),
        leverage: 100,
        mode: PositionMode::Hedging,
        margin: MarginLevels::default(),
        trades_per_day: None,
        rules,
    }
}

pub fn deployment(strategy: PluginRef, timeframe: Timeframe) -> Deployment {
    Deployment {
        id: DeploymentId(5),
        account: AccountId(1),
        plugin: strategy,
        instrument: InstrumentId(1),
        timeframe,
        status: DeploymentStatus::Running,
        created_at: START,
    }
}

pub fn quote(at: i64, bid: i64, spread: i64) -> Quote {
    let bid = 138_000_000 + bid * 1_000;
    Quote {
        instrument: InstrumentId(1),
        at: Millis(START.0 + at),
        bid: Price::from_units(bid),
        ask: Price::from_units(bid + spread * 1_000),
    }
}

/// A wish to open at the market, without stops.
pub fn open(instrument: InstrumentId, side: Side, lots: Lots) -> Intent {
    Intent::Open { instrument, side, lots, stop_loss: None, take_profit: None }
}

/// A wish to close.
pub fn close(position: PositionId) -> Intent {
    Intent::Close { position }
}

/// Keeps every record as its bytes.
#[derive(Default)]
pub struct Journal {
    pub records: Vec<Record>,
}

impl Commit for Journal {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        self.records.extend(effects.records.iter().cloned());
        Ok(())
    }
}

/// No history.
pub struct NoHistory;

impl HistorySource for NoHistory {
    fn bars(&self, _: InstrumentId, _: Timeframe, _: Millis, _: u32) -> [Vec<i64>; 7] {
        Default::default()
    }
}

/// Starts the native plugins by name.
pub struct NativeHost;

impl PluginHost for NativeHost {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        release::of(start, self.first_release(start)?)
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        match rule.name.as_str() {
            "floor" => Ok(Box::new(Floor { share_bp: rule.settings.parse().unwrap(), reset: None })),
            "daily-floor" => {
                let reset = DayReset { zone: "Europe/Prague".parse().unwrap(), minute: 0 };
                Ok(Box::new(Floor { share_bp: rule.settings.parse().unwrap(), reset: Some(reset) }))
            }
            "mute" => Ok(Box::new(Mute)),
            "curfew" => Ok(Box::new(Curfew { begins: Millis(START.0 + rule.settings.parse::<i64>().unwrap()) })),
            name => Err(Fault::Plugin(format!("no rule named {name}"))),
        }
    }
}

impl NativeHost {
    fn first_release(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        if let Some(hooks) = start.deployment.plugin.name.strip_prefix("clerk-") {
            let hooks = Hooks { bars: hooks != "ticks", ticks: hooks != "bars", history_bars: 0 };
            let mut clerk = Clerk::new(hooks, &start.deployment.plugin.settings);
            if let Some(bytes) = start.restore {
                clerk.restore(bytes);
            }
            return Ok(Box::new(clerk));
        }
        if start.deployment.plugin.name == "insatiable" {
            return Ok(Box::new(Insatiable));
        }
        let wants = match start.deployment.plugin.name.as_str() {
            "dice-bars" => Hooks { bars: true, ..Hooks::default() },
            "dice-ticks" => Hooks { ticks: true, ..Hooks::default() },
            "dice-both" => Hooks { bars: true, ticks: true, history_bars: 0 },
            name => return Err(Fault::Plugin(format!("no plugin named {name}"))),
        };
        let mut dice = Dice::new(wants, &start.deployment.plugin.settings);
        if let Some(bytes) = start.restore {
            dice.restore(bytes);
        }
        Ok(Box::new(dice))
    }
}

/// Wants 256 things that are denied at each tick, and 256 more at each denial.
struct Insatiable;

impl Insatiable {
    fn want(actions: &mut Vec<Action>) {
        actions.extend([Action::Close { position: PositionId(-1) }; 256]);
    }
}

impl Strategy for Insatiable {
    fn hooks(&self) -> Hooks {
        Hooks { ticks: true, ..Hooks::default() }
    }

    fn on_history(&mut self, _: BarRun<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, _: &mut Vec<Action>) -> Result<usize, Fault> {
        Ok(bars.close.len())
    }

    fn on_ticks(&mut self, _: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        Self::want(actions);
        Ok(1)
    }

    fn on_order_update(&mut self, _: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault> {
        if matches!(update, OrderUpdate::Refused) {
            Self::want(actions);
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Millis, _: &mut Vec<Action>) -> Result<(), Fault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(Vec::new())
    }
}

/// Acts at random, but always the same for the same events: opens, closes, with and without stops, and
/// fails now and then when told to.
struct Dice {
    hooks: Hooks,
    state: u64,
    every: u64,
    faulty: bool,
    position: Option<PositionId>,
}

impl Dice {
    fn new(hooks: Hooks, settings: &str) -> Self {
        let (seed, rest) = settings.split_once(' ').unwrap_or((settings, "8"));
        Self {
            hooks,
            state: seed.parse().unwrap(),
            every: rest.trim_end_matches('!').parse().unwrap(),
            faulty: rest.ends_with('!'),
            position: None,
        }
    }

    fn restore(&mut self, bytes: &[u8]) {
        self.state = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let held = i64::from_le_bytes(bytes[8..16].try_into().unwrap());
        self.position = (held != 0).then_some(PositionId(held));
    }

    fn event(&mut self, price: i64, actions: &mut Vec<Action>) -> Result<(), Fault> {
        self.state = (self.state ^ price.unsigned_abs())
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let roll = self.state >> 33;
        if self.faulty && roll % 97 == 3 {
            return Err(Fault::Plugin("rolled a three".into()));
        }
        if !roll.is_multiple_of(self.every) {
            return Ok(());
        }
        if let Some(position) = self.position {
            actions.push(Action::Close { position });
        }
        let side = if roll & 64 == 0 { Side::Buy } else { Side::Sell };
        let away = |points: i64| Some(Price::from_units(price + points * 1_000));
        let (down, up) = (away(-30 - (roll % 40) as i64), away(30 + (roll % 50) as i64));
        let (stop_loss, take_profit) = if side == Side::Buy { (down, up) } else { (up, down) };
        let lots = Lots::from_units(1_000_000 * (1 + (roll % 300) as i64));
        actions.push(Action::Open {
            side,
            lots,
            stop_loss: stop_loss.filter(|_| roll & 128 == 0),
            take_profit: take_profit.filter(|_| roll & 256 == 0),
        });
        Ok(())
    }

    fn run(&mut self, prices: &[i64], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (index, price) in prices.iter().enumerate() {
            self.event(*price, actions)?;
            if !actions.is_empty() {
                return Ok(index + 1);
            }
        }
        Ok(prices.len())
    }
}

impl Strategy for Dice {
    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault> {
        for close in bars.close {
            let _ = self.event(*close, &mut Vec::new());
        }
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        self.run(bars.close, actions)
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        self.run(ticks.bid, actions)
    }

    fn on_order_update(&mut self, _: Millis, update: &OrderUpdate, _: &mut Vec<Action>) -> Result<(), Fault> {
        match update {
            OrderUpdate::Opened { position, .. } => self.position = Some(*position),
            OrderUpdate::Closed { position, .. } if self.position == Some(*position) => self.position = None,
            _ => {}
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Millis, _: &mut Vec<Action>) -> Result<(), Fault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        let mut bytes = self.state.to_le_bytes().to_vec();
        bytes.extend(self.position.map_or(0, |p| p.0).to_le_bytes());
        Ok(bytes)
    }
}

/// Fails the account at a share of its best equity (of the day, when it has days): a trailing floor, so
/// both wake levels move.
struct Floor {
    share_bp: i64,
    reset: Option<DayReset>,
}

impl RiskRule for Floor {
    fn day_reset(&self) -> Option<&DayReset> {
        self.reset.as_ref()
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        let half = Lots::from_units(order.lots.units() / 2);
        Ok(if account.equity < account.day.peak_equity { Verdict::Shrink(half) } else { Verdict::Allow })
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        let peak = account.day.peak_equity;
        let floor = peak.basis_points(self.share_bp).unwrap();
        let standing = if account.equity <= floor { Standing::Fail } else { Standing::Ok };
        Ok(Assessment {
            standing,
            reason: "the floor was reached".into(),
            floor: Some(floor),
            wake_below: Some(floor),
            wake_above: peak.checked_add(Money::from_units(1)),
            wake_at: None,
            objectives: Vec::new(),
            only: Vec::new(),
        })
    }
}

/// Wants everything closed from a time on, and has nothing against orders.
struct Curfew {
    begins: Millis,
}

impl RiskRule for Curfew {
    fn day_reset(&self) -> Option<&DayReset> {
        None
    }

    fn check(&mut self, _: &OrderView, _: &AccountView<'_>) -> Result<Verdict, Fault> {
        Ok(Verdict::Allow)
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        let standing = if account.now >= self.begins { Standing::Flatten } else { Standing::Ok };
        Ok(Assessment {
            standing,
            reason: "it is late".into(),
            floor: None,
            wake_below: None,
            wake_above: None,
            wake_at: Some(self.begins),
            objectives: Vec::new(),
            only: Vec::new(),
        })
    }
}

/// Never answers.
struct Mute;

impl RiskRule for Mute {
    fn day_reset(&self) -> Option<&DayReset> {
        None
    }

    fn check(&mut self, _: &OrderView, _: &AccountView<'_>) -> Result<Verdict, Fault> {
        Err(Fault::Plugin("trapped".into()))
    }

    fn assess(&mut self, _: &AccountView<'_>) -> Result<Assessment, Fault> {
        Err(Fault::Plugin("trapped".into()))
    }
}
