//! A risk rule behind the engine's port.

use crate::{
    contract::{
        ACCOUNT_FACTS, MARKET_FACTS, ORDER_FACTS, account_facts as facts, is_import_of, objectives,
        order_facts as orders,
        rule::{self, RiskRulePre},
        rule_types as wire,
    },
    host::HostState,
    instance::Instance,
    sandbox::Shared,
    share::Seat,
    text::clean,
    wire::{wire_kind, wire_side, wire_time},
};
use marque_domain::{
    decision::Verdict,
    fixed::{Lots, Money, Price},
    order::Order,
    time::{Millis, Zone},
};
use marque_engine::{
    facts::{DayTally, Execution, Facts},
    port::{AccountView, Assessment, DayReset, ExposureView, Fault, Objective, OrderView, RiskRule, Standing, Unit},
};
use std::sync::Arc;

const REASON_BYTES: usize = 500;
const MINUTES_OF_A_DAY: u16 = 1_440;
/// Waiting orders that a rule is told of: as many as an account may have.
const WAITING_MAX: usize = marque_engine::gate::WORKING_MAX as usize;

/// A started rule.
pub(crate) struct RuleInstance {
    instance: Instance<rule::RiskRule>,
    day_reset: Option<DayReset>,
    /// Which facts it imports; the others are not prepared.
    wants_facts: bool,
    wants_market: bool,
    wants_orders: bool,
    /// The account of a call; kept for the room of its positions.
    account: wire::Account,
}

impl RuleInstance {
    pub(crate) fn start(
        shared: &Arc<Shared>,
        pre: &RiskRulePre<HostState>,
        settings: &str,
        seat: Option<Seat>,
    ) -> Result<Self, Fault> {
        let component = pre.instance_pre().component().component_type();
        let imports = |wanted: &str| component.imports(&shared.engine).any(|(name, _)| is_import_of(name, wanted));
        let (wants_facts, wants_market) = (imports(ACCOUNT_FACTS), imports(MARKET_FACTS));
        let wants_orders = imports(ORDER_FACTS);
        let mut instance = Instance::start(shared, 0, seat, |store| pre.instantiate(store))?;
        let limits = instance.limits().init();
        let info = instance
            .call(limits, |world, store| world.call_init(store, settings))?
            .map_err(|reason| Fault::Plugin(clean(&reason, REASON_BYTES)))?;
        let day_reset = match info.day_reset {
            None => None,
            Some(reset) => Some(day_reset(&reset).map_err(|what| instance.nonsense(&what))?),
        };
        Ok(Self { instance, day_reset, wants_facts, wants_market, wants_orders, account: empty_account() })
    }

    /// Fuel that all calls together have used.
    pub(crate) const fn fuel_used(&self) -> u64 {
        self.instance.fuel_used()
    }

    /// Prepares a call: the record that every rule gets, and what this one imports.
    fn show(&mut self, account: &AccountView<'_>, order: Option<&OrderView>) {
        let wire = &mut self.account;
        wire.now = account.now.0;
        wire.initial_balance = account.initial_balance.units();
        wire.balance = account.balance.units();
        wire.equity = account.equity.units();
        wire.day = wire::DayAnchor {
            began_at: account.day.began_at.0,
            next_at: account.day.next_at.0,
            balance: account.day.balance.units(),
            equity: account.day.equity.units(),
            peak_equity: account.day.peak_equity.units(),
        };
        wire.positions.clear();
        wire.positions.extend(account.positions.iter().map(wire_exposure));
        let (wants_facts, wants_market, wants_orders) = (self.wants_facts, self.wants_market, self.wants_orders);
        let host = self.instance.host();
        host.set_times(std::iter::once(account.now.0));
        host.asked.objectives = None;
        host.asked.only.clear();
        if wants_facts {
            let asked = &mut host.asked;
            asked.facts = Some(wire_facts(&account.facts));
            asked.days.clear();
            asked.days.extend(account.facts.days().iter().map(wire_day));
            asked.executions.clear();
            asked.executions.extend(account.facts.executions().iter().map(wire_execution));
        }
        if wants_market {
            let held = account.positions.iter().map(|p| p.instrument);
            let filled = account.facts.executions().iter().map(|e| e.instrument);
            host.asked.instruments.clear();
            for id in held.chain(filled).chain(order.map(|o| o.instrument)) {
                if host.asked.instruments.iter().all(|known| known.id != id) {
                    host.asked.instruments.extend(account.facts.instrument(id).cloned());
                }
            }
        }
        if wants_orders {
            let replaced = order.and_then(|o| o.group);
            let waiting = account.facts.waiting().filter(|o| Some(o.group()) != replaced);
            host.asked.terms = order.map(wire_terms);
            host.asked.waiting.clear();
            host.asked.waiting.extend(waiting.take(WAITING_MAX).map(wire_waiting));
        }
    }

    /// The goals that the assessment just made has reported.
    fn objectives(&mut self) -> Result<Vec<Objective>, Fault> {
        let told = self.instance.host().asked.objectives.take().unwrap_or_default();
        let named = |name: &str| {
            let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
            (1..=64).contains(&name.len()) && name.bytes().all(plain)
        };
        if told.iter().any(|o| !named(&o.name)) {
            return Err(self.instance.nonsense("a goal's name has small letters, digits and hyphens, at most 64"));
        }
        let objective = |told: objectives::Objective| Objective {
            name: told.name,
            summary: reason_of(&told.summary),
            unit: match told.unit {
                objectives::Unit::Money => Unit::Money,
                objectives::Unit::Percent => Unit::Percent,
                objectives::Unit::Days => Unit::Days,
            },
            have: told.have,
            want: told.want,
            reached: told.reached,
        };
        Ok(told.into_iter().map(objective).collect())
    }
}

impl RiskRule for RuleInstance {
    fn day_reset(&self) -> Option<&DayReset> {
        self.day_reset.as_ref()
    }

    fn wants_days(&self) -> bool {
        self.wants_facts
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        self.show(account, Some(order));
        let (allowance, wire, account) = (self.instance.limits().check(), wire_order(order), &self.account);
        match self.instance.call(allowance, |world, store| world.call_check(store, wire, account))? {
            wire::Verdict::Allow => Ok(Verdict::Allow),
            wire::Verdict::Shrink(lots) if lots <= 0 => {
                Err(self.instance.nonsense("it shrinks an order to nothing; it should refuse it"))
            }
            // Sizes only shrink, whatever a rule says.
            wire::Verdict::Shrink(lots) => Ok(Verdict::Shrink(Lots::from_units(lots).min(order.lots))),
            wire::Verdict::Refuse(reason) => Ok(Verdict::Refuse(reason_of(&reason))),
        }
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        self.show(account, None);
        self.instance.host().asked.objectives = Some(Vec::new());
        let (allowance, wire) = (self.instance.limits().check(), &self.account);
        let told = self.instance.call(allowance, |world, store| world.call_assess(store, wire))?;
        let equity = account.equity.units();
        // A level that is already reached would wake the rule for ever.
        if told.wake_below.is_some_and(|level| level >= equity)
            || told.wake_above.is_some_and(|level| level <= equity)
            || told.wake_at.is_some_and(|at| at <= account.now.0)
        {
            return Err(self.instance.nonsense("it wants to be woken at a level that is already reached"));
        }
        let standing = match told.standing {
            wire::Standing::Ok => Standing::Ok,
            wire::Standing::Warn => Standing::Warn,
            wire::Standing::Flatten => Standing::Flatten,
            wire::Standing::Fail => Standing::Fail,
        };
        let objectives = self.objectives()?;
        Ok(Assessment {
            standing,
            objectives,
            only: core::mem::take(&mut self.instance.host().asked.only),
            reason: if standing == Standing::Ok { String::new() } else { reason_of(&told.reason) },
            floor: told.floor.map(Money::from_units),
            wake_below: told.wake_below.map(Money::from_units),
            wake_above: told.wake_above.map(Money::from_units),
            wake_at: told.wake_at.map(Millis),
        })
    }
}

fn reason_of(text: &str) -> String {
    let reason = clean(text, REASON_BYTES);
    if reason.trim().is_empty() { "The rule gave no reason.".to_owned() } else { reason }
}

fn day_reset(reset: &wire::DayReset) -> Result<DayReset, String> {
    let zone: Zone = clean(&reset.zone, 64).parse().map_err(|e| format!("its day follows {e}"))?;
    if reset.minute >= MINUTES_OF_A_DAY {
        return Err("its day begins after minute 1439".to_owned());
    }
    Ok(DayReset { zone, minute: reset.minute })
}

const fn empty_account() -> wire::Account {
    wire::Account {
        now: 0,
        initial_balance: 0,
        balance: 0,
        equity: 0,
        day: wire::DayAnchor { began_at: 0, next_at: 0, balance: 0, equity: 0, peak_equity: 0 },
        positions: Vec::new(),
    }
}

const fn wire_exposure(held: &ExposureView) -> wire::Exposure {
    wire::Exposure {
        instrument: held.instrument.0,
        side: wire_side(held.side),
        lots: held.lots.units(),
        profit: held.profit.units(),
    }
}

fn wire_order(order: &OrderView) -> wire::Order {
    wire::Order {
        instrument: order.instrument.0,
        side: wire_side(order.side),
        lots: order.lots.units(),
        price: order.price.units(),
        stop_loss: order.stop_loss.map(Price::units),
        risk: order.risk.map(Money::units),
        value_per_point: order.value_per_point.units(),
    }
}

fn wire_facts(known: &Facts<'_>) -> facts::Facts {
    let summary = known.summary();
    facts::Facts {
        opened_at: summary.opened_at.0,
        peak_balance: summary.peak_balance.units(),
        peak_day_balance: summary.peak_day_balance.units(),
        deposited: summary.deposited.units(),
        withdrawn: summary.withdrawn.units(),
        trades_today: summary.trades_today,
        trades_allowed: summary.trades_allowed,
    }
}

const fn wire_day(day: &DayTally) -> facts::DayTally {
    facts::DayTally {
        began_at: day.began_at.0,
        ordered: day.ordered,
        opened: day.opened,
        opened_profit: day.opened_profit.units(),
        closed_profit: day.closed_profit.units(),
    }
}

const fn wire_execution(fill: &Execution) -> facts::Execution {
    facts::Execution { at: fill.at.0, instrument: fill.instrument.0, opening: fill.opening }
}

const fn wire_terms(order: &OrderView) -> orders::OrderTerms {
    orders::OrderTerms { kind: wire_kind(order.kind), time_in_force: wire_time(order.time_in_force) }
}

fn wire_waiting(order: &Order) -> orders::WaitingOrder {
    orders::WaitingOrder {
        instrument: order.instrument.0,
        side: wire_side(order.side),
        lots: order.remaining().units(),
        kind: wire_kind(order.kind),
        stop_loss: order.stop_loss.map(Price::units),
        group: order.group().0,
    }
}
