//! From the contract's types to the author's and back.
//!
//! A component has one instance of one type: it lives in a slot that the export macro makes. A call before a
//! successful `init` is a mistake of the host and traps.

use crate::{
    Account, Action, Assessment, DayAnchor, Exposure, Instrument, Lots, Money, Order, OrderUpdate, Origin, Price,
    RiskRule, Side, Standing, Start, Strategy, Verdict,
    bindings::{risk_rule, strategy, types},
    run::{StrategyRunner, start_rule},
};
use risk_rule::marque::plugin::rule_types as rules;
use std::cell::RefCell;
use strategy::marque::plugin::strategy_types as wire;

/// Where a component keeps its instance.
pub type Slot<T> = RefCell<Option<T>>;

/// A component with a strategy in it.
pub trait StrategySlot {
    /// The author's type.
    type Strategy: Strategy;
    /// Works on the slot.
    fn with<T>(work: impl FnOnce(&mut Option<StrategyRunner<Self::Strategy>>) -> T) -> T;
}

/// A component with a rule in it.
pub trait RuleSlot {
    /// The author's type.
    type Rule: RiskRule;
    /// Works on the slot.
    fn with<T>(work: impl FnOnce(&mut Option<Self::Rule>) -> T) -> T;
}

/// A trap alone does not say where: the log does.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| crate::host::log(0, &info.to_string())));
}

#[cold]
#[expect(
    clippy::panic,
    reason = "a call before init is the host's mistake; the contract's only answer to it is a trap"
)]
fn not_started() -> ! {
    panic!("called before a successful init")
}

fn started<C: StrategySlot, T>(work: impl FnOnce(&mut StrategyRunner<C::Strategy>) -> T) -> T {
    C::with(|slot| slot.as_mut().map_or_else(|| not_started(), work))
}

fn ready<C: RuleSlot, T>(work: impl FnOnce(&C::Rule) -> T) -> T {
    C::with(|slot| slot.as_ref().map_or_else(|| not_started(), work))
}

fn side(side: types::Side) -> Side {
    match side {
        types::Side::Buy => Side::Buy,
        types::Side::Sell => Side::Sell,
    }
}

fn wire_hooks(hooks: crate::Hooks) -> wire::Hooks {
    wire::Hooks {
        bars: hooks.bars,
        ticks: hooks.ticks,
        // The context tracks positions by them, so every strategy has them.
        order_updates: true,
        timer: hooks.timer,
        history_bars: hooks.history_bars,
    }
}

/// From the contract's type to the author's.
pub(crate) fn instrument_of(instrument: types::Instrument) -> Instrument {
    Instrument {
        symbol: instrument.symbol,
        tick_size: Price::from_units(instrument.tick_size),
        pip: Price::from_units(instrument.pip),
        lot_step: Lots::from_units(instrument.lot_step),
        lot_max: Lots::from_units(instrument.lot_max),
        contract_size: instrument.contract_size,
        quote_currency: instrument.quote_currency,
    }
}

fn start_of(start: wire::Start) -> Start {
    Start { instrument: instrument_of(start.instrument), timeframe_ms: start.timeframe_ms }
}

fn update_of(update: wire::OrderUpdate) -> OrderUpdate {
    match update {
        wire::OrderUpdate::Opened(opened) => OrderUpdate::Opened {
            position: opened.position,
            side: side(opened.side),
            lots: Lots::from_units(opened.lots),
            price: Price::from_units(opened.price),
            balance: Money::from_units(opened.balance),
        },
        wire::OrderUpdate::Closed(closed) => OrderUpdate::Closed {
            position: closed.position,
            price: Price::from_units(closed.price),
            profit: Money::from_units(closed.profit),
            origin: match closed.origin {
                types::Origin::Strategy => Origin::Strategy,
                types::Origin::Trader => Origin::Trader,
                types::Origin::Rule => Origin::Rule,
                types::Origin::StopLoss => Origin::StopLoss,
                types::Origin::TakeProfit => Origin::TakeProfit,
            },
            balance: Money::from_units(closed.balance),
        },
        wire::OrderUpdate::Refused => OrderUpdate::Refused,
    }
}

fn wire_action(action: Action) -> wire::Action {
    match action {
        Action::Open { side, lots, stop_loss, take_profit } => wire::Action::Open(wire::OpenOrder {
            side: match side {
                Side::Buy => types::Side::Buy,
                Side::Sell => types::Side::Sell,
            },
            lots: lots.units(),
            stop_loss: stop_loss.map(Price::units),
            take_profit: take_profit.map(Price::units),
        }),
        Action::Close { position } => wire::Action::Close(position),
        Action::SetTimer { at } => wire::Action::SetTimer(at),
    }
}

fn wire_progress(progress: crate::run::Progress) -> wire::Progress {
    wire::Progress { consumed: progress.consumed, acted: progress.acted }
}

impl<C: StrategySlot> strategy::Guest for C {
    fn describe() -> wire::Description {
        let about = C::Strategy::about();
        wire::Description {
            name: about.name.to_owned(),
            version: about.version.to_owned(),
            summary: about.summary.to_owned(),
            hooks: wire_hooks(about.hooks),
            settings_schema: about.settings_schema.to_owned(),
        }
    }

    fn init(settings: String, start: wire::Start, restore: Option<Vec<u8>>) -> Result<wire::Hooks, String> {
        log_panics();
        let runner = StrategyRunner::new(&settings, start_of(start), restore.as_deref())?;
        let hooks = wire_hooks(runner.hooks());
        C::with(|slot| *slot = Some(runner));
        Ok(hooks)
    }

    fn on_history(count: u32, columns: Vec<i64>) {
        started::<C, _>(|runner| runner.on_history(count, &columns));
    }

    fn on_bars(count: u32, columns: Vec<i64>) -> wire::Progress {
        wire_progress(started::<C, _>(|runner| runner.on_bars(count, &columns)))
    }

    fn on_ticks(count: u32, columns: Vec<i64>) -> wire::Progress {
        wire_progress(started::<C, _>(|runner| runner.on_ticks(count, &columns)))
    }

    fn on_order_update(at: i64, update: wire::OrderUpdate) -> bool {
        started::<C, _>(|runner| runner.on_order_update(at, &update_of(update)))
    }

    fn on_timer(at: i64) -> bool {
        started::<C, _>(|runner| runner.on_timer(at))
    }

    fn take_actions() -> Vec<wire::Action> {
        started::<C, _>(|runner| runner.take_actions().into_iter().map(wire_action).collect())
    }

    fn snapshot() -> Vec<u8> {
        started::<C, _>(|runner| runner.snapshot())
    }
}

fn account_of(account: rules::Account) -> Account {
    let money = Money::from_units;
    let day = account.day;
    let exposure = |held: rules::Exposure| Exposure {
        instrument: held.instrument,
        side: side(held.side),
        lots: Lots::from_units(held.lots),
        profit: money(held.profit),
    };
    Account {
        now: account.now,
        initial_balance: money(account.initial_balance),
        balance: money(account.balance),
        equity: money(account.equity),
        day: DayAnchor {
            began_at: day.began_at,
            next_at: day.next_at,
            balance: money(day.balance),
            equity: money(day.equity),
            peak_equity: money(day.peak_equity),
        },
        positions: account.positions.into_iter().map(exposure).collect(),
    }
}

fn order_of(order: rules::Order) -> Order {
    Order {
        instrument: order.instrument,
        side: side(order.side),
        lots: Lots::from_units(order.lots),
        price: Price::from_units(order.price),
        stop_loss: order.stop_loss.map(Price::from_units),
        risk: order.risk.map(Money::from_units),
        value_per_point: Money::from_units(order.value_per_point),
    }
}

fn wire_assessment(assessment: Assessment) -> rules::Assessment {
    assessment.objectives.into_iter().for_each(crate::host::report);
    assessment.only.into_iter().for_each(crate::host::only);
    rules::Assessment {
        standing: match assessment.standing {
            Standing::Ok => rules::Standing::Ok,
            Standing::Warn => rules::Standing::Warn,
            Standing::Flatten => rules::Standing::Flatten,
            Standing::Fail => rules::Standing::Fail,
        },
        reason: assessment.reason,
        floor: assessment.floor.map(Money::units),
        wake_below: assessment.wake_below.map(Money::units),
        wake_above: assessment.wake_above.map(Money::units),
        wake_at: assessment.wake_at,
    }
}

impl<C: RuleSlot> risk_rule::Guest for C {
    fn describe() -> rules::Description {
        let about = C::Rule::about();
        rules::Description {
            name: about.name.to_owned(),
            version: about.version.to_owned(),
            summary: about.summary.to_owned(),
            settings_schema: about.settings_schema.to_owned(),
        }
    }

    fn init(settings: String) -> Result<rules::RuleInfo, String> {
        log_panics();
        let rule: C::Rule = start_rule(&settings)?;
        let day_reset = rule.day_reset().map(|reset| rules::DayReset { zone: reset.zone, minute: reset.minute });
        C::with(|slot| *slot = Some(rule));
        Ok(rules::RuleInfo { day_reset })
    }

    fn check(order: rules::Order, account: rules::Account) -> rules::Verdict {
        match ready::<C, _>(|rule| rule.check(&order_of(order), &account_of(account))) {
            Verdict::Allow => rules::Verdict::Allow,
            Verdict::Shrink(lots) => rules::Verdict::Shrink(lots.units()),
            Verdict::Refuse(reason) => rules::Verdict::Refuse(reason),
        }
    }

    fn assess(account: rules::Account) -> rules::Assessment {
        wire_assessment(ready::<C, _>(|rule| rule.assess(&account_of(account))))
    }
}
