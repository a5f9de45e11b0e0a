//! The author's type behind the functions that the contract exports.
//!
//! A component has one instance of one type: it lives in a slot that the export macro makes. A call before a
//! successful `init` is a mistake of the host and traps.

use crate::{
    Account, Assessment, DayAnchor, Exposure, Lots, Money, Order, OrderUpdate, Price, RiskRule, Standing, Start,
    Strategy, Verdict,
    bindings::{risk_rule, strategy},
    run::{StrategyRunner, start_rule},
    wire::{closed, instrument_of, opened, side, update_of, wire_action, wire_wish},
};
use risk_rule::marque::plugin::rule_types as rules;
use std::cell::RefCell;
use strategy::marque::plugin::{order_strategy_types as orders, strategy_types as wire};

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

fn start_of(start: wire::Start) -> Start {
    Start { instrument: instrument_of(start.instrument), timeframe_ms: start.timeframe_ms }
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

    // A host of 1.2 calls the two that know orders of every kind, and never these.
    fn on_order_update(at: i64, update: wire::OrderUpdate) -> bool {
        let update = match update {
            wire::OrderUpdate::Opened(told) => opened(told),
            wire::OrderUpdate::Closed(told) => closed(told),
            wire::OrderUpdate::Refused => OrderUpdate::Refused,
        };
        started::<C, _>(|runner| runner.on_order_update(at, &update))
    }

    fn on_order_event(at: i64, event: orders::OrderEvent) -> bool {
        started::<C, _>(|runner| runner.on_order_update(at, &update_of(event)))
    }

    fn on_timer(at: i64) -> bool {
        started::<C, _>(|runner| runner.on_timer(at))
    }

    fn take_actions() -> Vec<wire::Action> {
        started::<C, _>(|runner| runner.take_actions().into_iter().filter_map(wire_action).collect())
    }

    fn take_wishes() -> Vec<orders::Wish> {
        started::<C, _>(|runner| runner.take_actions().into_iter().map(wire_wish).collect())
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
