//! A risk rule behind the engine's port.

use crate::{
    contract::{
        rule::{self, RiskRulePre},
        rule_types as wire,
    },
    host::HostState,
    instance::Instance,
    sandbox::Shared,
    strategy::wire_side,
    text::clean,
};
use marque_domain::{
    decision::Verdict,
    fixed::{Lots, Money, Price},
    time::{Millis, Zone},
};
use marque_engine::port::{AccountView, Assessment, DayReset, ExposureView, Fault, OrderView, RiskRule, Standing};
use std::sync::Arc;

const REASON_BYTES: usize = 500;
const MINUTES_OF_A_DAY: u16 = 1_440;

/// A started rule.
pub(crate) struct RuleInstance {
    instance: Instance<rule::RiskRule>,
    day_reset: Option<DayReset>,
    /// The account of a call; kept for the room of its positions.
    account: wire::Account,
}

impl RuleInstance {
    pub(crate) fn start(shared: &Arc<Shared>, pre: &RiskRulePre<HostState>, settings: &str) -> Result<Self, Fault> {
        let mut instance = Instance::start(shared, 0, |store| pre.instantiate(store))?;
        let limits = instance.limits().init();
        let info = instance
            .call(limits, |world, store| world.call_init(store, settings))?
            .map_err(|reason| Fault::Plugin(clean(&reason, REASON_BYTES)))?;
        let day_reset = match info.day_reset {
            None => None,
            Some(reset) => Some(day_reset(&reset).map_err(|what| instance.nonsense(&what))?),
        };
        Ok(Self { instance, day_reset, account: empty_account() })
    }

    fn show(&mut self, account: &AccountView<'_>) {
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
        self.instance.host().set_times(std::iter::once(account.now.0));
    }
}

impl RiskRule for RuleInstance {
    fn day_reset(&self) -> Option<&DayReset> {
        self.day_reset.as_ref()
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        self.show(account);
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
        self.show(account);
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
        Ok(Assessment {
            standing,
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
