//! The shipped plugins as native code behind the engine's ports: what the path costs when nothing is sandboxed.
//!
//! The very sources that become components, run by the SDK's own loop: what differs from the sandbox is the boundary
//! and nothing else, and a comparison of the two is one of the boundary.

use daily_loss::DailyLoss;
use ema_cross::EmaCross;
use marque_domain::{
    decision::Verdict,
    fixed::{Lots, Money, Price},
    id::PositionId,
    order::{Origin, Side},
    plugin::PluginRef,
    time::Millis,
};
use marque_engine::port::{
    AccountView, Action, Assessment, BarRun, DayReset, Fault, Hooks, OrderUpdate, OrderView, PluginHost, RiskRule,
    Standing, Strategy, StrategyStart, TickRun,
};
use marque_plugin::{
    self as sdk, RiskRule as _,
    run::{StrategyRunner, start_rule},
};
use sma_cross::SmaCross;

use crate::raw::packed;

/// Starts the EMA cross, the SMA cross and the daily-loss rule without a sandbox, by the name in the reference and whatever
/// its digest.
pub struct Native;

impl PluginHost for Native {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        match start.deployment.plugin.name.as_str() {
            "ema-cross" => started::<EmaCross>(start),
            "sma-cross" => started::<SmaCross>(start),
            other => Err(Fault::Host(format!("{other} is not linked into the bench"))),
        }
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        let started: DailyLoss = start_rule(&rule.settings).map_err(Fault::Plugin)?;
        let day_reset = started.day_reset().map(day_reset).transpose()?;
        Ok(Box::new(NativeRule { rule: started, day_reset }))
    }
}

/// A strategy with its settings, as the sandbox would start it.
fn started<S: sdk::Strategy + Send + 'static>(start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
    let instrument = start.instrument;
    let on = sdk::Start {
        instrument: sdk::Instrument {
            symbol: instrument.symbol.clone(),
            tick_size: sdk::Price::from_units(instrument.tick_size.units()),
            pip: sdk::Price::from_units(instrument.pip.units()),
            lot_step: sdk::Lots::from_units(instrument.lot_step.units()),
            lot_max: sdk::Lots::from_units(instrument.lot_max.units()),
            contract_size: instrument.contract_size,
            quote_currency: instrument.quote.code().to_owned(),
        },
        timeframe_ms: start.deployment.timeframe.length_ms(),
    };
    let runner =
        StrategyRunner::<S>::new(&start.deployment.plugin.settings, on, start.restore).map_err(Fault::Plugin)?;
    Ok(Box::new(NativeStrategy { runner, columns: Vec::new() }))
}

fn day_reset(reset: sdk::DayReset) -> Result<DayReset, Fault> {
    let zone = reset.zone.parse().map_err(|_| Fault::Plugin(format!("{} is no zone", reset.zone)))?;
    Ok(DayReset { zone, minute: reset.minute })
}

struct NativeStrategy<S> {
    runner: StrategyRunner<S>,
    columns: Vec<i64>,
}

impl<S: sdk::Strategy> NativeStrategy<S> {
    fn take(&mut self, acted: bool, actions: &mut Vec<Action>) {
        if acted {
            actions.extend(self.runner.take_actions().into_iter().filter_map(action));
        }
    }
}

impl<S: sdk::Strategy + Send> Strategy for NativeStrategy<S> {
    fn hooks(&self) -> Hooks {
        let sdk::Hooks { bars, ticks, history_bars, .. } = self.runner.hooks();
        Hooks { bars, ticks, history_bars }
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault> {
        packed(bars, &mut self.columns);
        self.runner.on_history(count(bars.len()), &self.columns);
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        packed(bars, &mut self.columns);
        let progress = self.runner.on_bars(count(bars.len()), &self.columns);
        self.take(progress.acted, actions);
        Ok(progress.consumed as usize)
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, _: &mut Vec<Action>) -> Result<usize, Fault> {
        Ok(ticks.len())
    }

    fn on_order_update(&mut self, at: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let Some(update) = told(update) else { return Ok(()) };
        let acted = self.runner.on_order_update(at.0, &update);
        self.take(acted, actions);
        Ok(())
    }

    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let acted = self.runner.on_timer(at.0);
        self.take(acted, actions);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(self.runner.snapshot())
    }
}

struct NativeRule {
    rule: DailyLoss,
    day_reset: Option<DayReset>,
}

impl RiskRule for NativeRule {
    fn day_reset(&self) -> Option<&DayReset> {
        self.day_reset.as_ref()
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        let money = |money: Money| sdk::Money::from_units(money.units());
        let order = sdk::Order {
            instrument: order.instrument.0,
            side: side(order.side),
            lots: sdk::Lots::from_units(order.lots.units()),
            price: sdk::Price::from_units(order.price.units()),
            stop_loss: order.stop_loss.map(|price| sdk::Price::from_units(price.units())),
            risk: order.risk.map(money),
            value_per_point: money(order.value_per_point),
        };
        Ok(match self.rule.check(&order, &seen(account)) {
            sdk::Verdict::Allow => Verdict::Allow,
            sdk::Verdict::Shrink(lots) => Verdict::Shrink(Lots::from_units(lots.units())),
            sdk::Verdict::Refuse(reason) => Verdict::Refuse(reason),
        })
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        let told = self.rule.assess(&seen(account));
        let money = |money: sdk::Money| Money::from_units(money.units());
        Ok(Assessment {
            standing: match told.standing {
                sdk::Standing::Ok => Standing::Ok,
                sdk::Standing::Warn => Standing::Warn,
                sdk::Standing::Flatten => Standing::Flatten,
                sdk::Standing::Fail => Standing::Fail,
            },
            reason: told.reason,
            floor: told.floor.map(money),
            wake_below: told.wake_below.map(money),
            wake_above: told.wake_above.map(money),
            wake_at: told.wake_at.map(Millis),
            objectives: Vec::new(),
            only: Vec::new(),
        })
    }
}

fn seen(account: &AccountView<'_>) -> sdk::Account {
    let money = |money: Money| sdk::Money::from_units(money.units());
    let day = &account.day;
    sdk::Account {
        now: account.now.0,
        initial_balance: money(account.initial_balance),
        balance: money(account.balance),
        equity: money(account.equity),
        day: sdk::DayAnchor {
            began_at: day.began_at.0,
            next_at: day.next_at.0,
            balance: money(day.balance),
            equity: money(day.equity),
            peak_equity: money(day.peak_equity),
        },
        positions: account
            .positions
            .iter()
            .map(|held| sdk::Exposure {
                instrument: held.instrument.0,
                side: side(held.side),
                lots: sdk::Lots::from_units(held.lots.units()),
                profit: money(held.profit),
            })
            .collect(),
    }
}

fn told(update: &OrderUpdate) -> Option<sdk::OrderUpdate> {
    let price = |price: Price| sdk::Price::from_units(price.units());
    let money = |money: Money| sdk::Money::from_units(money.units());
    Some(match *update {
        OrderUpdate::Opened { position, side: way, lots, price: at, balance } => sdk::OrderUpdate::Opened {
            position: position.0,
            side: side(way),
            lots: sdk::Lots::from_units(lots.units()),
            price: price(at),
            balance: money(balance),
        },
        OrderUpdate::Closed { position, price: at, profit, origin, balance } => sdk::OrderUpdate::Closed {
            position: position.0,
            price: price(at),
            profit: money(profit),
            origin: match origin {
                Origin::Strategy => sdk::Origin::Strategy,
                Origin::Trader => sdk::Origin::Trader,
                Origin::Rule | Origin::KillSwitch | Origin::StopOut => sdk::Origin::Rule,
                Origin::StopLoss => sdk::Origin::StopLoss,
                Origin::TakeProfit => sdk::Origin::TakeProfit,
            },
            balance: money(balance),
        },
        OrderUpdate::Refused | OrderUpdate::Ended { .. } => sdk::OrderUpdate::Refused,
        // The strategy here trades at the market.
        OrderUpdate::Working { .. } | OrderUpdate::Traded { .. } | OrderUpdate::Changed { .. } => return None,
    })
}

/// What the strategy here wishes for: it trades at the market and has no other words.
fn action(action: sdk::Action) -> Option<Action> {
    let price = |price: sdk::Price| Price::from_units(price.units());
    Some(match action {
        sdk::Action::Open { side, lots, stop_loss, take_profit } => Action::Open {
            side: match side {
                sdk::Side::Buy => Side::Buy,
                sdk::Side::Sell => Side::Sell,
            },
            lots: Lots::from_units(lots.units()),
            stop_loss: stop_loss.map(price),
            take_profit: take_profit.map(price),
        },
        sdk::Action::Close { position } => Action::Close { position: PositionId(position) },
        sdk::Action::SetTimer { at } => Action::SetTimer { at: Millis(at) },
        _ => return None,
    })
}

const fn side(side: Side) -> sdk::Side {
    match side {
        Side::Buy => sdk::Side::Buy,
        Side::Sell => sdk::Side::Sell,
    }
}

fn count(events: usize) -> u32 {
    u32::try_from(events).unwrap_or(u32::MAX)
}
